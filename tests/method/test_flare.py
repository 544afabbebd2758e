"""Names of FLARE runs, and the shuffling of sources."""

import pytest

from lslo_cli.errors import UsageError
from lslo_cli.method.flare import FlareMethod, FlareRun, Phi, shuffled_rows


@pytest.mark.parametrize(
    ("text", "run"),
    [
        ("lora", FlareRun(FlareMethod.LORA)),
        ("flare", FlareRun(FlareMethod.FLARE, Phi.ADD_RELU, 1)),
        ("flare:mul", FlareRun(FlareMethod.FLARE, Phi.MUL, 1)),
        ("flare:cross-attention:0", FlareRun(FlareMethod.FLARE, Phi.CROSS_ATTENTION, 0)),
        ("flare-mt:small", FlareRun(FlareMethod.FLARE_MT, translator="small")),
        ("flare-shuffled:add:0", FlareRun(FlareMethod.FLARE_SHUFFLED, Phi.ADD, 0)),
    ],
)
def test_a_run_is_read_from_its_name_and_written_back(text, run):
    assert FlareRun.parse(text) == run
    assert FlareRun.parse(str(run)) == run


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("flaer", "unknown method 'flaer'. Did you mean 'flare'?"),
        ("flare:plus", "unknown fusion 'plus'"),
        ("flare:add:2", "offset cannot be 2"),
        ("lora:add", "lora has nothing to choose"),
    ],
)
def test_a_name_that_is_none_is_refused(text, complaint):
    with pytest.raises(UsageError) as caught:
        FlareRun.parse(text)
    assert complaint in caught.value.message


def test_no_row_keeps_its_own_source_and_all_are_used():
    rows = shuffled_rows(9, seed=3)
    assert sorted(rows) == list(range(9))
    assert all(row != other for row, other in enumerate(rows))
    assert rows == shuffled_rows(9, seed=3) != shuffled_rows(9, seed=4)
