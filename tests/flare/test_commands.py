"""``lslo flare`` from files to a report, with a tiny random encoder and invented texts."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from lslo_cli.artifacts import store
from lslo_cli.artifacts.folder import METRICS, ExperimentFolder
from lslo_cli.artifacts.provenance import digest_of
from lslo_cli.errors import InputError, UsageError
from lslo_cli.flare import commands, runs
from lslo_cli.flare.figures import prepare_activations
from lslo_cli.flare.reading import read_artifacts
from lslo_cli.flare.reporting import document_of_all, report
from lslo_cli.flare.results import FlareEvaluationResult, FlareTrainingResult
from lslo_cli.method.flare import shuffled_rows
from lslo_cli.plots.style import Style
from lslo_cli.recipe import resolve
from lslo_cli.tasks.experiment import Experiment

RUNS = (
    "zero-shot",
    "translate-test",
    "lora",
    "input-fusion",
    "x-mixup",
    "flare",
    "flare:mul:0",
    "flare:cross-attention",
    "flare-mt:tiny",
    "flare-shuffled",
)


@pytest.fixture(scope="module")
def given(tiny, nusax_model, tmp_path_factory):
    """Settings that make a run take seconds."""
    folder = tmp_path_factory.mktemp("flare")
    settings = {
        "name": "tiny-flare",
        "flare.task": "nusax",
        "flare.data": str(nusax_model / "nusax"),
        "flare.model": str(nusax_model / "model"),
        "flare.languages": ("jv", "su"),
        "flare.seeds": (1, 2),
        "flare.runs": RUNS,
        "flare.translators": {"tiny": str(tiny.base)},
        "flare.translator_reads_as": "qta",
        "flare.rank": 2,
        "flare.max_length": 8,
        "flare.dropout": 0.0,
        "flare.epochs": 1,
        "flare.english_epochs": 6,
        "flare.english_lr": 0.02,
        "flare.lr": 0.02,
        "flare.batch_size": 8,
        "run.device": "cpu",
        "run.threads": 1,
    }

    def experiment(results=None, **changes):
        recipe = resolve(None, {**settings, **changes})
        return Experiment(recipe, ExperimentFolder(results or folder / "results"), "lslo flare")

    return experiment


@pytest.fixture(scope="module")
def done(given):
    """The whole experiment, trained, tested and reported once."""
    experiment = given()
    trained = list(commands.train(experiment))
    tested = list(commands.evaluate(experiment))
    document, paths = report(experiment.folder)
    return experiment, trained, tested, document, paths


def test_every_seed_and_language_has_its_artifacts(done):
    experiment, trained, tested, _, _ = done
    names = [path.relative_to(experiment.folder.path).as_posix() for path in (w.path for w in trained)]
    assert names == [f"seed-{s}/{code}/training.json" for s in (1, 2) for code in ("en", "jv", "su")]
    assert [len(item.artifact.result.predictions) for item in tested] == [4 * 4 + 2 + 5] * 4
    for item in (*trained, *tested):
        assert store.read(item.path, type(item.artifact.result)) == item.artifact


def test_every_run_that_trains_has_a_log(done):
    _, trained, _, _, _ = done
    for item in trained:
        for run in item.artifact.result.runs:
            if not run.weights:
                continue
            stem = Path(run.weights.path).stem
            log = item.path.parent / "runs" / stem / METRICS
            lines = [json.loads(line) for line in log.read_text().splitlines()]
            measured = [line["dev/score"] for line in lines if "dev/score" in line]
            assert measured == [epoch.dev_score for epoch in run.history]
            assert all(line["tokens_per_second"] > 0 for line in lines if "loss" in line)


def test_an_artifact_names_what_it_was_made_from(done):
    _, trained, tested, _, _ = done
    tuning, training, evaluation = trained[0].artifact, trained[1].artifact, tested[0].artifact
    assert [(i.role, i.path, i.digest) for i in training.inputs] == [
        ("tuning", "../en/training.json", tuning.digest)
    ]
    assert [(i.role, i.digest) for i in evaluation.inputs] == [
        ("tuning", tuning.digest),
        ("training", training.digest),
    ]
    assert [text.split for text in training.data] == ["jv/train", "jv/dev"]


def test_every_trained_run_has_weights_that_are_as_large_as_it_says(done):
    _, trained, _, _, _ = done
    runs = {run.run: run for run in trained[1].artifact.result.runs}
    adapters = 2 * 2 * 2 * 16 * 2  # two layers, query and value, A and B
    head = 3 * 16 + 3
    assert runs["lora"].trainable_parameters == adapters + head
    assert runs["flare:add-relu:1"].adapter_parameters == adapters
    assert runs["flare:cross-attention:1"].adapter_parameters == adapters + 4 * 3 * 2 * 3
    assert runs["x-mixup"].trainable_parameters == adapters + head + 2
    assert runs["flare-mt:tiny"].trainable_parameters == adapters + head + 16 * 16 + 16
    assert runs["zero-shot"].weights is None


def test_translate_test_is_the_tuned_model_on_english_and_so_the_same_in_every_language(done):
    _, _, tested, _, _ = done
    answers = {
        test.answers
        for item in tested[:2]
        for test in item.artifact.result.predictions
        if test.run == "translate-test"
    }
    assert len(answers) == 1


def test_fused_runs_are_tested_with_no_source_and_a_shuffled_one(done):
    _, _, tested, _, _ = done
    result = tested[0].artifact.result
    sources = {}
    for test in result.predictions:
        sources.setdefault(test.run, []).append(test.source)
    assert sources["flare:mul:0"] == sources["flare-mt:tiny"] == [
        "matched", "zero", "mean", "shuffled"
    ]  # fmt: skip

    assert sources["flare-shuffled:add-relu:1"] == ["matched", "shuffled"]
    assert sources["lora"] == ["matched"]
    assert result.shuffled == shuffled_rows(9, seed=1)
    assert result.gold == "012012012"
    assert {item.adapter for item in result.activations} == {
        f"encoder.{n}.attention.self.{kind}" for n in (1, 2) for kind in ("query", "value")
    }


def test_the_report_has_every_run_the_paper_and_the_controls(done):
    experiment, _, _, document, paths = done
    text = paths[0].read_text(encoding="utf-8")
    assert all(f"| {run} |" in text for run in read_artifacts([experiment.folder]).study.runs)
    assert "79.18" in text and "Controls" in text and "Cost of training" in text
    assert all(table.title in text for table in document.sections[0].tables)
    assert {path.name for path in paths[1:]} == {
        f"flare-{stem}.{kind}" for stem in ("languages", "sources", "activations") for kind in ("png", "pdf")
    }


def test_a_page_holds_every_figure_for_light_and_for_dark(done):
    experiment, _, _, _, _ = done
    figures = document_of_all([experiment.folder], with_figures=True).sections[0].figures
    assert len(figures) == 3
    assert all(figure.light.startswith("<svg") and figure.dark != figure.light for figure in figures)


def test_seeds_that_were_trained_otherwise_are_not_reported_together(done, given, tmp_path):
    shutil.copytree(done[0].folder.path, tmp_path / "copy")
    settings = {"flare.languages": ("jv",), "flare.seeds": (2,), "flare.runs": ("lora",), "flare.rank": 3}
    other = given(tmp_path / "other", **settings)
    list(commands.train(other))
    list(commands.evaluate(other))
    shutil.rmtree(tmp_path / "copy" / "seed-2")
    shutil.copytree(tmp_path / "other" / "seed-2", tmp_path / "copy" / "seed-2")
    with pytest.raises(InputError, match=r"seed-1/jv/.* and \S+seed-2/jv/.* flare\.rank: 2 and 3"):
        read_artifacts([ExperimentFolder(tmp_path / "copy")])


def test_a_second_run_finds_everything_up_to_date(done):
    experiment, _, _, _, _ = done
    assert all(item.up_to_date for item in commands.train(experiment))
    assert all(item.up_to_date for item in commands.evaluate(experiment))


def test_a_run_that_is_added_leaves_the_others_as_they_were(done, given, tmp_path, monkeypatch):
    shutil.copytree(done[0].folder.path, tmp_path / "copy")
    settings = {"flare.languages": ("jv",), "flare.seeds": (1,), "flare.runs": ("lora", "flare:add")}
    experiment = given(tmp_path / "copy", **settings)
    _, after = commands.train(experiment)
    before = done[1][1].artifact.result.runs
    others = [run for run in after.artifact.result.runs if run.run != "flare:add:1"]
    assert others == before and len(after.artifact.result.runs) == len(before) + 1
    answered = []

    def answer(setup, tuned, run, *rest):
        answered.append(str(run))
        return runs.answer(setup, tuned, run, *rest)

    monkeypatch.setattr(commands, "answer", answer)
    (tested,) = commands.evaluate(experiment)
    assert not tested.up_to_date and answered == ["flare:add:1"]  # the others' answers are those of before
    earlier, found = done[2][0].artifact.result, tested.artifact.result
    assert [test for test in found.predictions if test.run != "flare:add:1"] == earlier.predictions
    assert found.activations == earlier.activations != []
    path = experiment.folder.path / "seed-1/jv/evaluation.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    changed = document["result"]["predictions"]
    for test in changed:
        test["weights"] = "of another training" if test["run"] == "lora" else test["weights"]
    document["digest"] = digest_of(document["result"])
    document["inputs"] = [each for each in document["inputs"] if each["role"] != "training"]
    path.write_text(json.dumps(document), encoding="utf-8")
    (again,) = commands.evaluate(experiment)
    assert answered == ["flare:add:1", "lora"] and again.artifact.result == found


def test_activations_are_of_sources_with_as_much_noise_as_in_the_tables(done, given, tmp_path):
    shutil.copytree(done[0].folder.path, tmp_path / "copy")
    settings = {"flare.languages": ("jv",), "flare.seeds": (1,), "flare.test_noise": (1.0, 0.0)}
    experiment = given(tmp_path / "copy", **settings)
    (noisy,) = commands.evaluate(experiment)
    pairs = zip(done[2][0].artifact.result.activations, noisy.artifact.result.activations, strict=True)
    for clean, noisy in pairs:
        assert (clean.noise, noisy.noise) == (0, 1)
        assert clean.source != noisy.source
    for other in ("seed-1/su", "seed-2"):
        shutil.rmtree(tmp_path / "copy" / other)
    prepared = prepare_activations([experiment.folder])
    assert prepared.caption.endswith("; 100% of noise in the sources.")
    assert "100% of noise" in prepared.figure(style=Style.SCREEN).get_suptitle()
    assert prepare_activations([done[0].folder]).caption.endswith("; no noise in the sources.")


def test_an_artifact_from_before_a_setting_was_there_is_up_to_date(done, given, tmp_path):
    experiment = given(tmp_path / "results")
    shutil.copytree(done[0].folder.path, experiment.folder.path)
    for path in experiment.folder.path.rglob("training.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        del document["recipe"]["flare"]["answer_tokens"]
        path.write_text(json.dumps(document), encoding="utf-8")
    assert all(item.up_to_date for item in commands.train(experiment))


def test_another_translation_model_in_the_same_folder_trains_again(given, tiny, tmp_path):
    folder = shutil.copytree(tiny.base, tmp_path / "base")
    experiment = given(
        tmp_path / "results",
        **{
            "flare.runs": ("lora", "flare-mt:tiny"),
            "flare.translators": {"tiny": str(folder)},
            "flare.languages": ("jv",),
            "flare.seeds": (1,),
        },
    )
    _, first = commands.train(experiment)
    weights = load_file(folder / "model.safetensors")
    save_file({name: 2 * value for name, value in weights.items()}, folder / "model.safetensors")
    tuning, again = commands.train(experiment)
    assert tuning.up_to_date and not again.up_to_date
    (lora, one), (same, other) = first.artifact.result.runs, again.artifact.result.runs
    assert lora == same
    assert (one.translator, one.weights.path) == (other.translator, other.weights.path)
    assert one.translator_digest != other.translator_digest and one.weights.digest != other.weights.digest


def test_other_settings_and_lost_weights_train_again(done, given, tmp_path):
    shutil.copytree(done[0].folder.path / "seed-1/en", tmp_path / "copy/seed-1/en")
    one = {"flare.languages": ("jv",), "flare.seeds": (1,), "flare.runs": ("lora",)}
    tuning, language = commands.train(given(tmp_path / "copy", **one))
    assert tuning.up_to_date and not language.up_to_date
    tuning, language = commands.train(given(tmp_path / "copy", **one, **{"flare.rank": 3}))
    assert not tuning.up_to_date and not language.up_to_date
    weights = language.path.parent / language.artifact.result.runs[0].weights.path
    weights.unlink()
    tuning, again = commands.train(given(tmp_path / "copy", **one, **{"flare.rank": 3}))
    assert tuning.up_to_date and not again.up_to_date
    assert weights.exists()


def test_the_same_seed_gives_the_same_answers(done, given, tmp_path):
    one = {"flare.languages": ("jv",), "flare.seeds": (1,)}
    experiment = given(tmp_path / "again", **one)
    list(commands.train(experiment))
    (tested,) = commands.evaluate(experiment)
    assert tested.artifact.result.predictions == done[2][0].artifact.result.predictions


def test_what_is_missing_is_said(given, tmp_path):
    with pytest.raises(InputError, match="no flare-training at"):
        list(commands.evaluate(given(tmp_path / "none")))
    with pytest.raises(InputError, match="no experiment at"):
        report(ExperimentFolder(tmp_path / "none"))
    with pytest.raises(InputError, match="cannot load the task model"):
        list(commands.train(given(tmp_path / "none", **{"flare.model": str(tmp_path)})))
    with pytest.raises(UsageError, match="unknown task 'nusas'"):
        list(commands.train(given(tmp_path / "none", **{"flare.task": "nusas"})))
    with pytest.raises(UsageError, match="unknown method 'lorra'"):
        given(**{"flare.runs": ("lorra",)})
    with pytest.raises(UsageError, match="no translation model 'big'"):
        settings = {"flare.runs": ("flare-mt:big",), "flare.languages": ("jv",), "flare.seeds": (1,)}
        list(commands.train(given(tmp_path / "none", **settings)))


def test_damaged_artifacts_are_refused(done, tmp_path):
    shutil.copytree(done[0].folder.path, tmp_path / "copy")
    path = tmp_path / "copy" / "seed-1" / "jv" / "evaluation.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["result"]["gold"] = "000000000"
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(InputError, match="was changed after it was written"):
        report(ExperimentFolder(tmp_path / "copy"))
    for kind in (FlareEvaluationResult, FlareTrainingResult):
        assert str(kind.command).startswith("lslo flare")
