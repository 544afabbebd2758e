"""Noise in sources: what is changed, how much of it, and that nothing else is."""

import re
from pathlib import Path

import pytest

from lslo_cli.errors import UsageError
from lslo_cli.flare import runs
from lslo_cli.flare.examples import Example, Pairs, Question
from lslo_cli.flare.folder import LanguageFolder
from lslo_cli.flare.noise import with_noise
from lslo_cli.flare.results import FlareEvaluationResult, FlareTrainingResult, Prediction, TrainedRun
from lslo_cli.flare.setup import prepare
from lslo_cli.flare.transfer_methods import InputFusionMethod
from lslo_cli.method.flare import FlareRun, SourceNoise
from lslo_cli.recipe import resolve

WORDS = [f"w{number}" for number in range(400)]
LONG = Example("1", " ".join(WORDS), 0)
SHORT = Example("2", "one", 1, "two  words")
PAIRS = Pairs((LONG, SHORT), (Example("1", "a", 0), Example("2", "b", 1)))


def noisy(kind, share, seed=1, pairs=PAIRS):
    return with_noise(pairs, kind, share, seed)


def changed(kind, share, seed=1):
    """The places of the long source's words that are not what they were."""
    words = noisy(kind, share, seed).source[0].text.split()
    return {place for place, (one, other) in enumerate(zip(WORDS, words, strict=True)) if one != other}


def test_no_noise_leaves_everything_and_noise_only_the_sources():
    assert noisy(SourceNoise.DROP, 0) is PAIRS
    for kind in SourceNoise:
        found = noisy(kind, 0.5)
        assert found.target == PAIRS.target and found.source[0].text != LONG.text
        assert [(row.id, row.label) for row in found.source] == [("1", 0), ("2", 1)]
        assert found == noisy(kind, 0.5) and found != noisy(kind, 0.5, seed=2)


def test_the_share_is_that_of_the_words_and_a_higher_one_changes_more_of_the_same():
    for share in (0.1, 0.4, 0.8):
        assert len(changed(SourceNoise.REPLACE, share)) == pytest.approx(400 * share, abs=30)
    assert changed(SourceNoise.REPLACE, 0.2) < changed(SourceNoise.REPLACE, 0.5)
    kept = [noisy(SourceNoise.DROP, share).source[0].text.split() for share in (0.2, 0.5)]
    assert set(kept[1]) < set(kept[0]) < set(WORDS) and kept[0] == sorted(kept[0], key=WORDS.index)


def test_replaced_words_are_words_of_the_sources_and_shuffled_ones_the_same():
    words = {*WORDS, "one", "two", "words"}
    assert set(noisy(SourceNoise.REPLACE, 1).source[0].text.split()) < words
    assert sorted(noisy(SourceNoise.SHUFFLE, 0.7).source[0].text.split()) == sorted(WORDS)
    assert re.fullmatch(r"\S+  \S+", noisy(SourceNoise.REPLACE, 1).source[1].pair)  # spaces are as they were


def test_a_text_keeps_a_word():
    row = noisy(SourceNoise.DROP, 1).source[1]
    assert row.text == "one" and row.pair.strip() in ("two", "words")


@pytest.mark.parametrize("kind", SourceNoise)
def test_an_answer_stays_whole_and_is_found_at_its_new_place(kind):
    context = "some words (the right answer), and more words after it"
    question = Question("q", "what is it?", context, "the right answer", context.index("the right"))
    pairs = Pairs((question,), (question,))
    (row,) = noisy(kind, 0.8, pairs=pairs).source
    assert row.pair[slice(*row.label)] == "the right answer" and row.pair != context


@pytest.mark.parametrize("kind", SourceNoise)
@pytest.mark.parametrize("answer", ["1902", "-built (1902", "1902),"])
def test_what_touches_an_answer_stays_as_it_is(kind, answer):
    context = "the old mill-built (1902), was sold to a man of the town, and then burnt down"
    question = Question("q", "when?", context, answer, context.index(answer))
    for seed in range(9):
        (row,) = noisy(kind, 1, seed, Pairs((question,), (question,))).source
        assert row.pair[slice(*row.label)] == answer and row.pair != context
        assert " mill-built (1902), " in row.pair if answer.startswith("-") else " (1902), " in row.pair


class Begun(Exception):
    """Training would begin."""


def sources_of(run, monkeypatch, **settings):
    """The source texts that a run is trained with, and those of its development split."""
    seen, prepared = [], InputFusionMethod.prepare

    def record(self, pairs):
        seen.append(pairs)
        return prepared(self, pairs)

    def begin(*args, **kwargs):
        raise Begun

    monkeypatch.setattr(InputFusionMethod, "prepare", record)
    monkeypatch.setattr(runs, "fit_method", begin)
    given = {f"flare.{key}": value for key, value in settings.items()}
    setup = prepare(resolve("flare-demo", {"flare.translated": (), "seed": 1, **given}))
    with pytest.raises(Begun):
        runs.train_run(setup, setup.new_model(), FlareRun.parse(run), LanguageFolder(Path("qsi")))
    monkeypatch.undo()
    assert [pairs.target for pairs in seen] == [setup.pairs("qsi", each).target for each in ("train", "dev")]
    return [pairs.source for pairs in seen]


def test_a_run_is_trained_with_its_own_noise_or_else_with_the_recipes(monkeypatch):
    clean = sources_of("input-fusion", monkeypatch)
    half = sources_of("input-fusion~0.5", monkeypatch)
    assert all(one != other for one, other in zip(clean, half, strict=True))
    assert sources_of("input-fusion", monkeypatch, train_noise=0.5) == half
    assert sources_of("input-fusion~0", monkeypatch, train_noise=0.5) == clean


def test_tuning_and_tests_do_not_get_the_noise_of_training(monkeypatch):
    shares = []

    def begin(*args, **kwargs):
        raise Begun

    monkeypatch.setattr(runs, "with_noise", lambda pairs, kind, share, seed: shares.append(share) or pairs)
    monkeypatch.setattr(runs, "fit_method", begin)
    noise = {"flare.train_noise": 0.5, "flare.test_noise": (0.0, 0.3)}
    setup = prepare(resolve("flare-demo", {"flare.translated": (), "seed": 1, **noise}))
    with pytest.raises(Begun):
        runs.tune(setup, LanguageFolder(Path("en")))
    assert shares == [0, 0]
    shares.clear()
    run, test = FlareRun.parse("translate-test"), setup.pairs("qsi", "test")
    runs.answer(setup, setup.new_model(), run, "qsi", Path("unused"), test)
    assert shares == [0, 0.3]


EVERY = ["lora", "input-fusion", "input-fusion~0.4", "x-mixup", "flare:add-relu:1", "flare-mt:a"]


def training(*runs, language="qsi"):
    """A training of runs by name."""
    records = [TrainedRun(run=run, method=run.partition(":")[0].partition("~")[0]) for run in runs]
    return FlareTrainingResult(task="world", language=language, runs=records)


def evaluation(*runs):
    """A test of runs by name."""
    tests = [Prediction(run=run, source="matched", score=50, answers="") for run in runs]
    return FlareEvaluationResult.model_construct(predictions=tests)


def stale(result, **settings):
    """Whether settings of [flare] make a result stale that was made with the demo's."""
    given = {f"flare.{key}": value for key, value in settings.items()}
    return result.settings(resolve("flare-demo")) != result.settings(resolve("flare-demo", given))


def test_other_noise_in_tests_leaves_trainings_as_they_are():
    assert not stale(training("flare:add-relu:1", "flare:add-relu:1~0.4"), test_noise=(0.0, 0.2))
    assert stale(evaluation("lora"), test_noise=(0.0, 0.3))
    runs = (*resolve("flare-demo").flare.runs, "flare~0.2")  # added to a study that is there
    assert not stale(training("flare:add-relu:1"), runs=runs)


@pytest.mark.parametrize(
    ("settings", "read_by"),
    [
        ({"train_noise": 0.2}, ["input-fusion", "x-mixup", "flare:add-relu:1"]),
        ({"source_noise": "drop"}, ["input-fusion~0.4"]),
        ({"mixup_block": 2}, ["x-mixup"]),
        ({"mask_padding": False}, ["flare:add-relu:1", "flare-mt:a"]),
        ({"source_norm": "input"}, ["flare:add-relu:1", "flare-mt:a"]),
        ({"rank": 2}, EVERY),
    ],
)
def test_a_setting_makes_only_runs_that_read_it_stale(settings, read_by):
    assert [run for run in EVERY if stale(training(run), **settings)] == read_by
    assert stale(training(*EVERY), **settings)
    assert stale(training("tuning", language="en"), **settings) == ("rank" in settings)


def test_the_kind_of_noise_is_a_setting_of_tests_with_noise():
    clean = resolve("flare-demo", {"flare.test_noise": (0.0,)})
    other = resolve("flare-demo", {"flare.test_noise": (0.0,), "flare.source_noise": "drop"})
    for run, same in (("lora", True), ("flare:add-relu:1", True), ("flare:add-relu:1~0.4", False)):
        assert (evaluation(run).settings(clean) == evaluation(run).settings(other)) is same
    assert stale(evaluation("lora"), source_noise="drop")


@pytest.mark.parametrize("shares", [(), (0.2, 0.2), (1.5,)])
def test_shares_that_cannot_be_meant_are_refused(shares):
    with pytest.raises(UsageError, match=r"'flare.test_noise' cannot be"):
        resolve("flare-demo", {"flare.test_noise": shares})


def test_all_words_of_sources_may_be_changed_by_a_setting_as_by_the_name_of_a_run():
    flare = resolve("flare-demo", {"flare.train_noise": 1, "flare.test_noise": (0.0, 1.0)}).flare
    assert (flare.train_noise, flare.test_noise) == (1, (0, 1))
    assert FlareRun.parse("flare~1").train_noise == 1
