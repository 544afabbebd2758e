"""Which runs ``lslo flare evaluate`` tests: those asked for, each trained, with its own translation model."""

import json
import shlex
import shutil
from dataclasses import dataclass, field, replace
from functools import partial

import pytest
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from lslo_cli.artifacts import store
from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.cli.app import app
from lslo_cli.errors import InputError, UsageError
from lslo_cli.events import Noted, ignore
from lslo_cli.flare import commands, runs, tasks
from lslo_cli.flare.checks import check_neighbours
from lslo_cli.flare.plan import plan
from lslo_cli.flare.reporting import report
from lslo_cli.flare.results import FlareEvaluationResult, TextOrigin
from lslo_cli.flare.translations import TranslationRecord
from lslo_cli.method.flare import FlareRun
from lslo_cli.reproduce.execution import execute
from lslo_cli.reproduce.flare_making import check_flare, is_flare_current
from lslo_cli.reproduce.forecast import forecasts
from lslo_cli.reproduce.job import FlareJob, FlareStage, JobKind
from lslo_cli.reproduce.making import make

TRAINED = ("zero-shot", "lora", "flare-mt:tiny")
LINE = "lslo flare train --results out --runs flare"


@pytest.fixture(scope="module")
def given(tiny, quick_flare):
    """Experiments with a translation model, by folder and what is changed in them."""
    translators = {"flare.translators": {"tiny": str(tiny.base)}, "flare.translator_reads_as": "qta"}
    return partial(quick_flare, **{"name": "asked", "flare.runs": TRAINED, **translators})


@pytest.fixture(scope="module")
def once(given, tmp_path_factory):
    """The folder of an experiment that is trained, and not tested."""
    folder = tmp_path_factory.mktemp("asked")
    list(commands.train(given(folder)))
    return folder


@pytest.fixture
def trained(once, tmp_path):
    """A copy of that folder."""
    return shutil.copytree(once, tmp_path / "results")


@dataclass
class Evaluated:
    """The tests of an experiment, and which runs answered anew."""

    answered: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __call__(self, experiment, *asked):
        self.answered.clear()
        self.notes.clear()
        (written,) = commands.evaluate(experiment, self._note, tuple(map(FlareRun.parse, asked)), LINE)
        return written, list(dict.fromkeys(test.run for test in written.artifact.result.predictions))

    def _note(self, event):
        if isinstance(event, Noted):
            self.notes.append(event.text)


@pytest.fixture
def tests(monkeypatch):
    found = Evaluated()

    def answer(setup, tuned, run, *rest):
        found.answered.append(str(run))
        return runs.answer(setup, tuned, run, *rest)

    monkeypatch.setattr(commands, "answer", answer)
    return found


def test_only_the_runs_asked_for_are_tested_and_the_tests_of_others_stay(given, trained, tests):
    first, names = tests(given(trained), "lora")
    assert names == tests.answered == ["lora"]
    second, names = tests(given(trained), "zero-shot", "lora")
    assert names == ["zero-shot", "lora"] and tests.answered == ["zero-shot"]
    lora = [test for test in second.artifact.result.predictions if test.run == "lora"]
    assert lora == first.artifact.result.predictions
    again, _ = tests(given(trained), "lora")
    assert again.up_to_date and not tests.answered
    assert again.artifact == second.artifact


def test_some_runs_with_other_noise_are_refused_where_that_would_lose_the_tests_of_others(
    given, trained, tests
):
    before, _ = tests(given(trained), "lora", "zero-shot")
    noisy = given(trained, **{"flare.test_noise": (0.0, 0.3)})
    for refused in (partial(tests, noisy, "lora"),
                    partial(plan, noisy, "evaluate", (FlareRun.parse("lora"),), LINE)):  # fmt: skip
        with pytest.raises(InputError) as caught:
            refused()
        assert caught.value.message == (
            f"{trained}/seed-1/jv/evaluation.json was made with flare.test_noise = [0.0], and the recipe "
            "now has [0.0, 0.3]: its tests of zero-shot would be lost"
        )
        assert "name these in --runs too" in caught.value.hint
    assert store.read(before.path, FlareEvaluationResult) == before.artifact
    _, names = tests(noisy, "zero-shot", "lora")
    assert names == ["zero-shot", "lora"] == tests.answered


def test_settings_that_no_trained_run_reads_need_no_new_training(given, trained, tests):
    other = {"flare.source_noise": "drop", "flare.mixup_block": 2, "flare.train_noise": 0.1}
    assert all(written.up_to_date for written in commands.train(given(trained, **other)))
    _, names = tests(given(trained, **other))
    assert names == list(TRAINED)
    tests(given(trained))
    assert not tests.answered  # nor does a test without noise
    noisy = given(trained, **other, **{"flare.test_noise": (0.0, 0.4)})
    with pytest.raises(InputError, match=r"made with flare.test_noise = \[0.0\], and the recipe now has"):
        tests(noisy, "lora")
    written, _ = tests(noisy)
    assert tests.answered == list(TRAINED)
    written.path.write_text(written.path.read_text().replace(written.artifact.inputs[0].digest, "0" * 64))
    with pytest.raises(InputError, match="is stale") as caught:
        report(ExperimentFolder(trained))
    assert "--set flare.source_noise=drop --set flare.test_noise=0.0,0.4" in caught.value.hint


def test_an_untrained_run_that_is_asked_for_is_refused_with_the_line_that_trains_it(given, trained, tests):
    flare = FlareRun.parse("flare")
    for refused in (partial(tests, given(trained), "lora", "flare"),
                    partial(plan, given(trained), "evaluate", (flare,), LINE)):  # fmt: skip
        with pytest.raises(InputError, match="training.json has no run flare:add-relu:1") as caught:
            refused()
        assert LINE in caught.value.hint
    assert not (trained / "seed-1/jv/evaluation.json").exists()


def test_a_language_that_is_not_trained_is_refused_with_the_same_line(given, trained):
    with pytest.raises(InputError, match=r"no flare-training at .*seed-1/su/training.json") as caught:
        list(commands.evaluate(given(trained, **{"flare.languages": ("su",)}), train_line=LINE))
    assert LINE in caught.value.hint


def test_nothing_is_tested_where_another_seed_or_language_is_not_trained(given, trained, tests):
    for settings, lacking in (
        ({"flare.seeds": (1, 2)}, "seed-2/jv"),
        ({"flare.languages": ("jv", "su")}, "seed-1/su"),
    ):
        with pytest.raises(InputError, match=f"no flare-training at .*{lacking}/training.json"):
            tests(given(trained, **settings), "zero-shot")
        assert not tests.answered and not list(trained.rglob("evaluation.json"))


def test_without_asking_all_that_is_trained_is_tested_and_what_is_not_is_noted(given, trained, tests):
    _, names = tests(given(trained, **{"flare.runs": ("lora", "flare", "x-mixup")}))
    assert names == list(TRAINED)
    (note,) = tests.notes
    assert "has no run flare:add-relu:1, x-mixup: not tested" in note


def test_a_figure_that_a_study_cannot_have_is_left_out_with_a_note(given, trained, tests):
    tests(given(trained))
    notes = []
    for name in ("flare-activations", "flare-noise", "flare-languages"):
        make(
            FlareJob(f"asked/{name}", JobKind.FIGURE, given(trained)), lambda event: notes.append(event.text)
        )
    assert [note.partition("; ")[0] for note in notes] == [
        "no flare-activations: no run of this study recorded activations",
        "no flare-noise: all tests of this study have 0% of noise in their sources",
    ]
    assert {path.stem for path in (trained / "figures").iterdir()} == {"flare-languages"}


def test_a_report_of_what_is_only_trained_gives_the_line_that_tests_it(given, trained):
    with pytest.raises(InputError, match="no evaluation in") as caught:
        report(ExperimentFolder(trained))
    words = shlex.split(caught.value.hint.partition("make it first: ")[2])
    assert words[:3] == ["lslo", "flare", "evaluate"] and str(trained.parent) in words
    made = CliRunner().invoke(app, [*words[1:], "--device", "cpu"], prog_name="lslo")
    assert made.exit_code == 0, made.stderr
    assert (trained / "seed-1/jv/evaluation.json").is_file()


def test_a_training_to_which_this_command_added_a_run_is_not_up_to_date(given, trained, monkeypatch):
    (_, written) = commands.train(given(trained))
    assert written.up_to_date
    added = {"lora": replace(written, up_to_date=False), "flare:add-relu:1": written}  # by another process
    monkeypatch.setattr(commands, "missing_runs", lambda _, language, runs, done: list(runs))
    monkeypatch.setattr(commands, "_with_run", lambda seed, language, run: added[str(run)])
    (_, again) = commands.train(given(trained, **{"flare.runs": tuple(added)}))
    assert not again.up_to_date


def test_an_interrupted_test_goes_on_after_its_last_run(given, trained, tests, monkeypatch, tmp_path):
    whole, _ = tests(given(shutil.copytree(trained, tmp_path / "whole")))
    found = commands.answer

    def interrupted(setup, tuned, run, *rest):
        if str(run) == TRAINED[1]:
            raise KeyboardInterrupt
        return found(setup, tuned, run, *rest)

    monkeypatch.setattr(commands, "answer", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tests(given(trained))
    monkeypatch.setattr(commands, "answer", found)
    again, names = tests(given(trained))
    assert tests.answered == list(TRAINED[1:]) and names == list(TRAINED)
    assert again.artifact.result == whole.artifact.result


def test_a_dry_run_knows_which_tests_are_missing(given, trained, tests):
    tests(given(trained), "lora")
    assert plan(given(trained), "evaluate", (FlareRun.parse("lora"),)).files == ()
    assert plan(given(trained), "evaluate").files == (trained / "seed-1/jv/evaluation.json",)


def another(base, folder):
    """Settings that name a copy of a translation model with other weights."""
    shutil.copytree(base, folder)
    weights = load_file(folder / "model.safetensors")
    save_file({name: 2 * value for name, value in weights.items()}, folder / "model.safetensors")
    return {"flare.translators": {"tiny": str(folder)}}


def test_flare_mt_is_tested_with_the_translator_of_its_training(given, trained, tests, tiny, tmp_path):
    swapped = another(tiny.base, tmp_path / "other")
    _, names = tests(given(trained))
    assert names == list(TRAINED)
    for changes in (swapped, {"flare.translator_reads_as": "qka"}):
        with pytest.raises(
            InputError, match=r"flare-mt:tiny was trained with .* as qta .* now names"
        ) as caught:
            tests(given(trained, **changes))  # although the test is up to date
        assert LINE in caught.value.hint
    with pytest.raises(UsageError, match="no translation model 'tiny'"):
        tests(given(trained, **{"flare.translators": {}}))
    written, names = tests(given(trained, **swapped), "lora")
    assert written.up_to_date and names == list(TRAINED)


def test_a_translation_model_is_the_same_wherever_it_lies(given, trained, tests, tiny, tmp_path):
    moved = {"flare.translators": {"tiny": str(shutil.copytree(tiny.base, tmp_path / "moved"))}}
    tests(given(trained))
    assert tests(given(trained, **moved))[0].up_to_date
    assert all(written.up_to_date for written in commands.train(given(trained, **moved)))
    plan(given(trained, **moved, **{"flare.seeds": (2,)}), "train")


def test_a_run_outside_the_recipe_without_its_translator_is_noted_and_not_tested(given, trained, tests):
    unnamed = given(trained, **{"flare.runs": ("lora",), "flare.translators": {}})
    _, names = tests(unnamed)
    assert names == tests.answered == ["zero-shot", "lora"]
    (note,) = tests.notes
    assert note.endswith("training.json: not in flare.translators, so not tested: flare-mt:tiny")
    with pytest.raises(UsageError, match="no translation model 'tiny'"):
        tests(unnamed, "flare-mt:tiny")


def test_what_a_test_leaves_out_is_not_outstanding_in_a_plan_of_jobs(given, trained, tests):
    def is_done(**changes):
        experiment = given(trained, **{"flare.runs": ("lora",), **changes})
        of_seed = experiment.recipe.model_copy(update={"seed": 1})
        job = replace(experiment, recipe=of_seed)
        return is_flare_current(FlareJob("asked/seed-1/jv/test", FlareStage.EVALUATE, job, language="jv"))

    unnamed = {"flare.translators": {}}
    assert not is_done(**unnamed)
    tests(given(trained, **{"flare.runs": ("lora",), **unnamed}))
    assert is_done(**unnamed)
    assert not is_done() and not is_done(**unnamed, **{"flare.runs": ("lora", "flare-mt:tiny")})
    tests(given(trained))
    assert is_done()


def refusals(experiment):
    """How a test of LoRA and its dry run are refused, as messages and hints."""
    asked, found = (FlareRun.parse("lora"),), []
    for refused in (lambda: list(commands.evaluate(experiment, asked=asked, train_line=LINE)),
                    lambda: plan(experiment, "evaluate", asked, LINE)):  # fmt: skip
        with pytest.raises(InputError) as caught:
            refused()
        found.append((caught.value.message, caught.value.hint))
    return found


def test_adapters_on_another_tuned_model_are_stale(given, trained):
    retuned = given(trained, **{"flare.english_epochs": 2})
    assert not commands.tuned(commands.SeedRun(retuned, 1, ignore)).up_to_date
    for message, hint in refusals(retuned):
        assert "jv/training.json is stale: it was made from another tuning than the one now at" in message
        assert hint == f"make it again: {LINE}"
    assert not (trained / "seed-1/jv/evaluation.json").exists()


@pytest.mark.parametrize(
    ("name", "before", "now"),
    [
        ("flare.epochs", 1, 3),
        ("flare.lr", 2e-05, 0.5),
        ("flare.warmup", 0.1, 0.4),
        ("flare.english_epochs", None, 2),
        ("run.precision", "fp32", "bf16"),
    ],
)
def test_adapters_that_were_trained_with_other_settings_are_stale(given, trained, name, before, now):
    for message, hint in refusals(given(trained, **{name: now})):
        wrong = f"jv/training.json is stale: it was made with {name} = {before}, and the recipe now has {now}"
        assert message.endswith(wrong)
        assert hint == f"take the settings of the training, or make it again: {LINE}"


def test_a_setting_that_the_training_lacks_was_its_default_and_batches_are_free(given, trained, tests):
    for path in trained.rglob("training.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        del document["recipe"]["flare"]["clip_norm"]
        path.write_text(json.dumps(document), encoding="utf-8")
    ((message, _), _) = refusals(given(trained, **{"flare.clip_norm": 2.0}))
    assert "made with flare.clip_norm = 1.0, and the recipe now has 2.0" in message
    _, names = tests(given(trained, **{"flare.batch_size": 3}), "lora")
    assert names == ["lora"]


@pytest.fixture
def moved(given, nusax_model, tmp_path):
    """The experiments with copies of the text and the task model."""
    shutil.copytree(nusax_model, tmp_path / "moved")
    places = {f"flare.{key}": str(tmp_path / "moved" / at) for key, at in (("data", "nusax"), ("model",) * 2)}
    return partial(given, tmp_path / "results", **places)


def permuted(model):
    """Exchange two words of a tokenizer."""
    path = model / "tokenizer.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"ala"', '"!"').replace('"apik"', '"ala"').replace('"!"', '"apik"'), "utf-8")


def parts(experiment):
    """The jobs that train and test a run."""
    recipe = experiment.recipe.model_copy(update={"seed": 1})
    work = FlareStage.TUNE, FlareStage.TRAIN, FlareStage.EVALUATE
    languages = "en", "jv", "jv"
    return [
        FlareJob("", kind, replace(experiment, recipe=recipe), language=language, run=run)
        for kind, language, run in zip(work, languages, (None, FlareRun.parse("lora"), None), strict=True)
    ]


def test_text_and_task_model_are_the_same_wherever_they_lie(given, trained, moved, tests):
    tests(given(trained))
    experiment = moved()
    assert plan(experiment, "train").files == plan(experiment, "evaluate").files == ()
    assert all(is_flare_current(job) for job in parts(experiment))
    assert all(written.up_to_date for written in commands.train(experiment))
    tests(experiment)
    assert not tests.answered
    report(experiment.folder)


def test_another_text_is_another_setting_elsewhere_and_in_its_own_folder(trained, moved, tmp_path):
    path = tmp_path / "moved/nusax/javanese/train.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("ala lan", "ala ala"), "utf-8")
    experiment = moved()
    with pytest.raises(
        InputError, match=r"jv/training.json is stale: it was made from jv/train of .* is another"
    ):
        list(commands.evaluate(experiment, train_line=LINE))
    assert [is_flare_current(job) for job in parts(experiment)] == [True, False, False]
    assert [written.up_to_date for written in commands.train(experiment)] == [True, False]
    path.write_text(path.read_text(encoding="utf-8").replace("ala ala", "ala lan"), "utf-8")
    with pytest.raises(InputError, match="that of flare.data = .* is another text now"):
        list(commands.evaluate(experiment, train_line=LINE))


@pytest.mark.parametrize(
    "change", [permuted, lambda model: alter(model / "config.json", "hidden_act", "relu")]
)
def test_another_tokenizer_or_setting_of_the_task_model_trains_again(trained, moved, tmp_path, change):
    change(tmp_path / "moved/model")
    experiment = moved()
    with pytest.raises(
        InputError, match=r"jv/training.json is stale: it was made with (tokenizer|hidden_act) ="
    ):
        list(commands.evaluate(experiment, train_line=LINE))
    assert not any(is_flare_current(job) for job in parts(experiment))
    assert not any(written.up_to_date for written in commands.train(experiment))


def test_an_artifact_from_before_the_tokenizer_was_recorded_is_up_to_date(trained, moved, tmp_path):
    for path in trained.rglob("training.json"):
        alter(path, "model", {**json.loads(path.read_text(encoding="utf-8"))["model"], "settings": {}})
    permuted(tmp_path / "moved/model")
    assert all(written.up_to_date for written in commands.train(moved()))


def test_training_beside_what_has_other_settings_is_refused_before_it_starts(
    given, trained, tests, monkeypatch
):
    tests(given(trained))
    monkeypatch.setattr(commands, "tune", lambda *a: pytest.fail("trained"))
    monkeypatch.setattr(commands, "train_run", lambda *a: pytest.fail("trained"))
    for narrower in ({"flare.languages": ("su",)}, {"flare.seeds": (2,)}):
        experiment = given(trained, **narrower, **{"flare.lr": 0.5})
        job = FlareJob("asked/x", FlareStage.TRAIN, experiment, language="su", run=FlareRun.parse("lora"))
        for refused in (
            partial(lambda experiment: list(commands.train(experiment)), experiment),
            partial(plan, experiment, "train"),
            partial(execute, {job.label: job}),
            partial(forecasts, {job.label: job}),
        ):
            with pytest.raises(InputError) as caught:
                refused()
            assert (
                f"{trained}/seed-1/jv/training.json was made with flare.lr = 2e-05, and"
                in caught.value.message
            )
            assert "--set name=asked-2" in caught.value.hint
    for path in trained.rglob("training.json"):
        run = json.loads(path.read_text(encoding="utf-8"))["recipe"]
        alter(path, "recipe", {**run, "run": {**run["run"], "precision": "bf16"}})
    beside = given(trained, **{"flare.languages": ("su",), "run.precision": "bf16"})
    check_flare([replace(job, experiment=beside)], on_cpu=True)  # which checks as fp32
    check_neighbours(given(trained, **{"flare.lr": 0.5}))  # which makes all anew


def test_training_some_runs_with_other_settings_is_refused_where_it_would_lose_the_others(
    given, trained, monkeypatch
):
    monkeypatch.setattr(commands, "tune", lambda *a: pytest.fail("trained"))
    monkeypatch.setattr(commands, "train_run", lambda *a: pytest.fail("trained"))
    experiment = given(trained, **{"flare.runs": ("lora", "x-mixup"), "flare.epochs": 2})
    for refused in (lambda: list(commands.train(experiment)), partial(plan, experiment, "train")):
        with pytest.raises(InputError) as caught:
            refused()
        assert (
            caught.value.message
            == f"{trained}/seed-1/jv/training.json was made with flare.epochs = 1, and the recipe now has 2: "
            "its runs zero-shot, flare-mt:tiny would be lost"
        )
        assert "name these in --runs too" in caught.value.hint
    check_neighbours(given(trained, **{"flare.runs": ("lora", "x-mixup")}))  # which keeps them


def translated(folder):
    """Settings with translations of training texts that are not those of NusaX."""
    for code, language in (("jv", "javanese"), ("su", "sundanese")):
        for split, name in (("train", "train"), ("dev", "valid")):
            path = folder / f"tr/en-{code}/{split}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            _, *rows = (folder / "nusax" / language / f"{name}.csv").read_text(encoding="utf-8").splitlines()
            lines = [f"{n},{text} x,,{label}" for n, text, label in (row.split(",") for row in rows)]
            path.write_text("id,text,pair,label\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return {"flare.translated": ("train",), "flare.translations": str(folder / "tr")}


def test_training_beside_what_has_another_text_in_the_same_folder_is_refused(
    given, trained, tests, nusax_model, tmp_path, monkeypatch
):
    tests(given(trained))
    data = shutil.copytree(nusax_model / "nusax", tmp_path / "moved/nusax")
    monkeypatch.setattr(commands, "tune", lambda *a: pytest.fail("trained"))
    other_seed = partial(given, trained, **{"flare.seeds": (2,)})
    for path in trained.rglob("training.json"):
        recipe = json.loads(path.read_text(encoding="utf-8"))["recipe"]
        alter(path, "recipe", {**recipe, "flare": {**recipe["flare"], "data": str(data)}})
    changed = data / "javanese/train.csv"
    changed.write_text(changed.read_text(encoding="utf-8").replace("ala lan", "ala ala"), "utf-8")
    for experiment in (
        other_seed(**{"flare.data": str(data)}),
        other_seed(**translated(tmp_path / "moved"), **{"flare.data": str(data)}),
    ):
        for refused in (lambda e: list(commands.train(e)), lambda e: plan(e, "train")):
            with pytest.raises(InputError, match=r"another text of jv/train \(.* could not be reported with"):
                refused(experiment)


def test_training_beside_texts_by_another_translator_is_refused(
    given, nusax_model, tests, tmp_path, monkeypatch
):
    shutil.copytree(nusax_model / "nusax", tmp_path / "nusax")
    made = partial(given, tmp_path / "results", **translated(tmp_path), **{"flare.runs": ("zero-shot",)})

    def record(by):
        origin = TextOrigin(model=by, run="base", beam=1, rows=24, lost=0)
        return lambda path, *rest: TranslationRecord(path, "", origin)

    monkeypatch.setattr(tasks, "checked_record", record("one"))
    list(commands.train(made()))
    tests(made())
    check_neighbours(made(**{"flare.languages": ("su",)}))
    monkeypatch.setattr(tasks, "checked_record", record("two"))
    with pytest.raises(InputError, match="translated by one, run base, beam 1, and others are now by two"):
        list(commands.train(made(**{"flare.languages": ("su",)})))


def test_training_beside_what_has_another_translation_model_is_refused(
    given, trained, tests, tiny, tmp_path, monkeypatch
):
    tests(given(trained))
    monkeypatch.setattr(commands, "tune", lambda *a: pytest.fail("trained"))
    swapped = another(tiny.base, tmp_path / "other")
    for changes in (swapped, {"flare.translator_reads_as": "qka"}):
        experiment = given(trained, **changes, **{"flare.seeds": (2,)})
        for refused in (lambda e: list(commands.train(e)), lambda e: plan(e, "train")):
            with pytest.raises(InputError, match=r"made with flare-mt:tiny by .* as qta .*, and it is now"):
                refused(experiment)
    for changes in ({**swapped, "flare.runs": ("lora",)}, {"flare.translator_reads_as": "qka"}):
        plan(given(trained, **changes, **{"flare.languages": ("su",)}), "train")


def alter(path, key, value):
    """Change a value of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), key: value}), "utf-8")
