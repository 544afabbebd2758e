"""Names of FLARE runs, and the shuffling of sources."""

import pytest

from lslo_cli.errors import InputError, UsageError
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
        ("flare:mul~0.4", FlareRun(FlareMethod.FLARE, Phi.MUL, 1, train_noise=0.4)),
        ("input-fusion~0", FlareRun(FlareMethod.INPUT_FUSION, train_noise=0.0)),
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
        ("flare:mul:0:junk", "'flare:mul:0:junk': nothing can come after the source layer offset"),
        ("flare-shuffled:add:1:0~0.4", "nothing can come after the source layer offset"),
        ("flare-mt", "'flare-mt' names no translation model"),
        ("flare-mt:", "'flare-mt:' names no translation model"),
        ("lora:add", "lora takes no options"),
        ("lora~0.4", "lora is trained without sources"),
        ("translate-test~0.4", "translate-test is trained without sources"),
        ("flare-mt:small~0.4", "flare-mt is trained without sources"),
        ("flare~much", "the share of noise is 'much', not a number from 0 to 1"),
        ("flare~1.5", "the share of noise is '1.5'"),
        ("flare~nan", "the share of noise is 'nan'"),
    ],
)
def test_a_name_that_is_none_is_refused(text, complaint):
    with pytest.raises(UsageError) as caught:
        FlareRun.of_recipe(text)
    assert complaint in caught.value.message


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("flare:mul:0:junk", "write flare:mul:0"),
        ("flare-mt", "write flare-mt:NAME, and say what NAME is: --set flare.translators.NAME=FOLDER"),
    ],
)
def test_a_name_that_is_refused_comes_with_what_to_write(text, hint):
    with pytest.raises(UsageError) as caught:
        FlareRun.of_recipe(text)
    assert caught.value.hint == hint


def test_no_row_keeps_its_own_source_and_all_are_used():
    rows = shuffled_rows(9, seed=3)
    assert sorted(rows) == list(range(9))
    assert all(row != other for row, other in enumerate(rows))
    assert rows == shuffled_rows(9, seed=3) != shuffled_rows(9, seed=4)


def test_a_single_row_has_no_other_row_whose_source_it_could_get():
    assert shuffled_rows(2, seed=3) == [1, 0]
    with pytest.raises(InputError, match="has 1 row, and the control with shuffled sources needs another"):
        shuffled_rows(1, seed=3)
