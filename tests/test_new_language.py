"""Suvare, of which the built-in world's base model has never seen a word, becomes usable; the rest stays."""

from statistics import fmean

import pytest

from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.recipe import resolve
from lslo_cli.tasks import commands as tasks
from lslo_cli.tasks.experiment import Experiment

SETTINGS = {
    "langs": "qta,qso",
    "fit.epochs": 6,
    "fit.lr": 0.015,  # for seconds of training; with minutes, the recipe's own
    "fit.max_tokens": 600,
    "data.test_rows": 12,
    "train.curve_rows": 0,
    "run.device": "cpu",
}


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """spBLEU, chrF and hypotheses by run and direction, after training through files."""
    folder = tmp_path_factory.mktemp("world")

    def experiment(**changes):
        recipe = resolve("new-language", {**SETTINGS, **changes})
        return Experiment(recipe, ExperimentFolder(folder / recipe.experiment), "lslo test")

    tasks.train(experiment())
    found = {}
    for written in tasks.evaluate(experiment()):
        result = written.artifact.result
        lines = {path.stem: path.read_text() for path in (written.path.parent / "hypotheses").iterdir()}
        found[result.run] = {
            str(row.direction): (row.scores["spBLEU"], row.scores["chrF++"], lines[str(row.direction)])
            for row in result.directions
        }
    return found


def means(directions, column):
    to = fmean(values[column] for name, values in directions.items() if name.endswith("-qsu"))
    out_of = fmean(values[column] for name, values in directions.items() if name.startswith("qsu-"))
    return to, out_of


def test_its_directions_become_usable(scores):
    before, after = scores["base"], scores["qsu8"]
    spbleu_before, spbleu_after = means(before, 0), means(after, 0)
    assert max(spbleu_before) < 8
    assert min(spbleu_after) > 25
    assert all(new > old + 20 for old, new in zip(means(before, 1), means(after, 1), strict=True))


def test_all_other_directions_are_translated_and_scored_as_before(scores):
    before, after = scores["base"], scores["qsu8"]
    others = [name for name in before if "qsu" not in name]
    assert len(others) == 2
    assert all(before[name] == after[name] for name in others)
    assert fmean(before[name][0] for name in others) > 80
