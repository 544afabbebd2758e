"""Names of transfer runs, and the shuffling of sources."""

import pytest

from lslo_cli.errors import UsageError
from lslo_cli.method.flare import Phi, Transfer, TransferRun, shuffled_rows


@pytest.mark.parametrize(
    ("text", "run"),
    [
        ("lora", TransferRun(Transfer.LORA)),
        ("flare", TransferRun(Transfer.FLARE, Phi.ADD_RELU, 1)),
        ("flare:mul", TransferRun(Transfer.FLARE, Phi.MUL, 1)),
        ("flare:cross-attention:0", TransferRun(Transfer.FLARE, Phi.CROSS_ATTENTION, 0)),
        ("flare-mt:small", TransferRun(Transfer.FLARE_MT, translator="small")),
        ("flare-shuffled:add:0", TransferRun(Transfer.FLARE_SHUFFLED, Phi.ADD, 0)),
    ],
)
def test_a_run_is_read_from_its_name_and_written_back(text, run):
    assert TransferRun.parse(text) == run
    assert TransferRun.parse(str(run)) == run


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
        TransferRun.parse(text)
    assert complaint in caught.value.message


def test_no_row_keeps_its_own_source_and_all_are_used():
    rows = shuffled_rows(9, seed=3)
    assert sorted(rows) == list(range(9))
    assert all(row != other for row, other in enumerate(rows))
    assert rows == shuffled_rows(9, seed=3) != shuffled_rows(9, seed=4)
