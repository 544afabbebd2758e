"""Languages without any text to train on: their adapters would stay as they begin."""

from pathlib import Path

import pytest

from lslo_cli.data.splits import HELD_OUT
from lslo_cli.errors import InputError
from lslo_cli.tasks import commands as tasks

COMMANDS = {
    "weight-learn": tasks.weight_learn,
    "estimate-subspace": tasks.estimate_subspace,
    "train": tasks.train,
    "the plan of weight-learn": lambda experiment: tasks.plan(experiment, "weight-learn"),
    "the plan of estimate-subspace": lambda experiment: tasks.plan(experiment, "estimate-subspace"),
    "the plan of train": lambda experiment: tasks.plan(experiment, "train"),
}
RANKS = {"train.ranks": "2,2,8"}


@pytest.fixture(params=COMMANDS)
def command(request):
    return COMMANDS[request.param]


@pytest.fixture
def apart(text_with):
    """Text in which qta and qka, of the rows to train on, share none."""
    return {"data.path": text_with("train", qta=range(3), qka=range(3, 80)), **RANKS}


def refused(command, experiment, tmp_path):
    with pytest.raises(InputError, match="no sentence pair to train on is from or to") as error:
        command(experiment)
    assert "--langs" in error.value.hint
    assert not (tmp_path / "results").exists()
    return error.value.message


def test_a_language_beyond_the_rows_to_train_on_is_refused(command, new_experiment, text_with, tmp_path):
    late = {"data.path": text_with("train", qka=range(6, 80)), **RANKS}
    message = refused(command, new_experiment(**late), tmp_path)
    assert message.endswith("from or to qka, with data.train_rows 6")


def test_a_language_without_a_pair_in_the_chosen_directions_is_refused(
    command, new_experiment, apart, tmp_path
):
    message = refused(command, new_experiment(**apart, **{"data.directions": ["qta-*", "*-qta"]}), tmp_path)
    assert message.endswith("from or to qka, with data.train_rows 6, the directions qta-*, *-qta")


def test_a_language_whose_pairs_are_all_too_long_is_refused(command, new_experiment, text_with, tmp_path):
    text = text_with("train")
    (long,) = Path(text, "train").glob("qka.*")
    lines = long.read_text(encoding="utf-8").splitlines()
    long.write_text("".join(f"{line * 99}\n" for line in lines), encoding="utf-8")
    message = refused(command, new_experiment(**{"data.path": text}, **RANKS), tmp_path)
    assert message.endswith("qka, with data.train_rows 6, 36 pairs left out as longer than 256 tokens")


def test_a_language_of_which_rows_were_held_out_is_told_so(new_experiment, text_with, tmp_path):
    late = {"data.path": text_with("train", qka=range(20, 80)), **RANKS}
    held_out = {"data.test": HELD_OUT, "data.hold_out": 3, "data.dev_rows": 2}
    message = refused(tasks.train, new_experiment(**late, **held_out), tmp_path)
    assert "with --hold-out 3, --dev-rows 2, data.train_rows 6" in message


@pytest.mark.parametrize("method", [{"train.method": "full"}, {"train.method": "lora", "train.ranks": "2"}])
def test_what_all_languages_share_is_trained_without_some_and_a_note_tells(
    new_experiment, apart, heard, method
):
    changes = {"data.path": apart["data.path"], **method, "data.directions": ["qta-*", "*-qta"]}
    told = (
        "no sentence pair to train on is from or to qka, with data.train_rows 6, the directions qta-*, *-qta"
    )
    assert ("note", told) in tasks.plan(new_experiment(**changes), "train").facts
    tasks.train(new_experiment(**changes), on_event=heard)
    assert told in heard.notes


def test_a_language_that_is_in_no_direction_is_refused_by_an_estimate(new_experiment, tmp_path):
    chosen = {"data.directions": ["qta-qso", "qso-qta"]}
    for command in (tasks.weight_learn, tasks.estimate_subspace):
        assert "from or to qki, qka, with" in refused(command, new_experiment(**chosen), tmp_path)
