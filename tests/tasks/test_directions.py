"""Chosen directions: patterns, what is trained, what is recorded, and directions that were never trained."""

import pytest

from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.errors import InputError, UsageError
from lslo_cli.method.languages import (
    LANG12,
    LANGUAGES,
    Direction,
    choose_directions,
    directions,
    sample_directions,
)
from lslo_cli.tasks import commands as tasks
from lslo_cli.tasks.evaluate import load_run
from lslo_cli.tasks.experiment import Experiment, read_training
from lslo_cli.tasks.setup import prepare
from lslo_cli.training.validation import Validation

THREE = [LANGUAGES[code] for code in ("en", "fr", "wo")]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ((), "en-fr en-wo fr-en fr-wo wo-en wo-fr"),
        (("en-*", "*-en"), "en-fr en-wo fr-en wo-en"),
        (("fr-wo", "en-fr", "fr-wo"), "en-fr fr-wo"),
        (("*-wol_Latn",), "en-wo fr-wo"),
        (("*-*",), "en-fr en-wo fr-en fr-wo wo-en wo-fr"),
    ],
)
def test_patterns_name_directions_in_the_order_of_the_experiment(patterns, expected):
    assert " ".join(map(str, choose_directions(patterns, THREE))) == expected


@pytest.mark.parametrize("pattern", ["en-de", "en-en", "en", "de-*", "en-fr-wo", "-fr"])
def test_a_pattern_that_names_no_direction_is_refused(pattern):
    with pytest.raises(UsageError, match=pattern) as caught:
        choose_directions(["en-fr", pattern], THREE)
    assert caught.value.hint


@pytest.mark.parametrize("partners", [2, 4, 6])
def test_a_sample_joins_every_language_with_as_many_others_both_ways(partners):
    languages = [LANGUAGES[code] for code in LANG12]
    sample = sample_directions(languages, partners, seed=3)
    assert len(sample) == 12 * partners == len(set(sample))
    assert {Direction(each.tgt, each.src) for each in sample} == set(sample)
    for code in LANG12:
        assert sum(each.src == code for each in sample) == partners
    assert [each for each in directions(languages) if each in sample] == list(sample)
    assert sample == sample_directions(languages, partners, seed=3)
    assert sample != sample_directions(languages, partners, seed=4)


@pytest.mark.parametrize("partners", [1, 2, 7])
def test_a_sample_of_few_languages_is_all_there_is(partners):
    assert sample_directions(THREE, partners, seed=1) == directions(THREE)


@pytest.fixture(scope="module")
def centric(tiny, tmp_path_factory):
    """A run that was trained from and to one language alone."""
    recipe = tiny.recipe(
        **{
            "data.directions": ["qta-*", "*-qta"],
            "train.ranks": "4,4,4",
            "fit.epochs": 6,
            "data.train_rows": 40,
        }
    )
    folder = ExperimentFolder(tmp_path_factory.mktemp("centric"))
    experiment = Experiment(recipe, folder, "lslo test")
    return experiment, tasks.train(experiment)


def test_only_the_chosen_directions_are_trained_on_and_they_are_recorded(centric):
    experiment, written = centric
    assert written.path.parent.name == "4-4-4-on-qta-any,any-qta"
    assert written.artifact.recipe["data"]["directions"] == ["qta-*", "*-qta"]
    (text,) = written.artifact.data
    everything = prepare(experiment.recipe.model_copy(update={"data": experiment.recipe.data.model_copy(
        update={"directions": ()}
    )}))  # fmt: skip
    assert text.examples == everything.corpus("train", 40).size(Direction("qta", "qso")) * 6
    assert len(directions(everything.languages)) == 12


def test_adapters_compose_for_directions_that_were_never_trained(centric):
    """The source's and the target's adapters were trained apart, and together do better than the base."""
    experiment, written = centric
    never = [Direction("qso", "qki"), Direction("qki", "qka"), Direction("qka", "qso")]
    losses = []
    for run in (None, experiment.folder.run(written.path.parent.name)):
        setup = prepare(experiment.recipe)
        route = load_run(setup, run, read_training(experiment.folder, run)) if run else None
        batches = setup.batches(setup.read("test"), never)
        losses.append(Validation(setup.base, batches, setup.accelerator, lambda event: None, route).measure())
    base, composed = losses
    assert composed < 0.99 * base


def test_a_language_with_adapters_in_no_direction_is_refused(tiny, tmp_path):
    recipe = tiny.recipe(**{"data.directions": ["qta-qso"], "train.ranks": "4,4,4"})
    with pytest.raises(UsageError, match="from or to qka, qki"):
        tasks.train(Experiment(recipe, ExperimentFolder(tmp_path), "lslo test"))


def test_many_directions_are_counted_in_the_name_of_the_run(tiny, tmp_path):
    patterns = [f"{src}-{tgt}" for src in ("qta", "qso") for tgt in ("qki", "qka")] * 4
    recipe = tiny.recipe(**{"data.directions": patterns, "train.method": "full"})
    from lslo_cli.tasks.choices import run_name

    name = run_name(Experiment(recipe, ExperimentFolder(tmp_path), "lslo test"))
    assert name.startswith("full-on-16-directions-")


def test_ranks_of_a_hundred_languages_leave_a_name_that_a_folder_can_have(tiny, tmp_path):
    from lslo_cli.tasks.choices import run_name

    names = []
    for last in (4, 5):
        ranks = ",".join([*(f"q{number:02}=4" for number in range(99)), f"qta={last}"])
        recipe = tiny.recipe(**{"train.ranks": ranks})
        names.append(run_name(Experiment(recipe, ExperimentFolder(tmp_path), "lslo test")))
    assert len(set(names)) == 2 and max(map(len, names)) < 100


def test_training_on_some_directions_goes_on_where_it_was_halted(tiny, tmp_path):
    def experiment(name, directions=("qta-*", "*-qta")):
        recipe = tiny.recipe(**{"data.directions": directions, "train.ranks": "2,2,8", "fit.dropout": 0.3})
        return Experiment(recipe, ExperimentFolder(tmp_path / name), "lslo test")

    def halt(event):
        if getattr(event, "note", "").startswith("epoch 3/3"):
            raise KeyboardInterrupt

    expected = tasks.train(experiment("whole")).artifact
    with pytest.raises(KeyboardInterrupt):
        tasks.train(experiment("halted"), run="mine", on_event=halt)
    with pytest.raises(InputError, match="checkpoint"):
        tasks.train(experiment("halted", ("qta-*",)), run="mine", resume=True)
    resumed = tasks.train(experiment("halted"), run="mine", resume=True).artifact
    assert resumed.result.weights.digest == expected.result.weights.digest
