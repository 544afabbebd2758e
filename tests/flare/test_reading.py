"""Which artifacts are reported together: those made alike, by settings, arithmetic, models and texts."""

import json
import re
import shutil
from pathlib import Path

import pytest

import lslo_cli
from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.artifacts.provenance import digest_of
from lslo_cli.errors import InputError
from lslo_cli.flare.reading import read_artifacts
from lslo_cli.flare.reporting import document_of_all

DEMO = Path(lslo_cli.__file__).parent.parent / "results" / "flare-demo"
ORIGIN = {"model": "base", "run": "8-8-8", "beam": 4, "rows": 290, "lost": 10}


@pytest.fixture
def folder(tmp_path):
    """The artifacts of two seeds and two languages."""
    for seed in (1, 2):
        for language in ("en", "qhe", "qne"):
            name = f"seed-{seed}/{language}"
            shutil.copytree(DEMO / name, tmp_path / name, ignore=shutil.ignore_patterns("weights", "runs"))
    return ExperimentFolder(tmp_path)


def change(path, *keys, to):
    """Change a value of an artifact, with the digests that depend on it."""
    document = json.loads(path.read_text(encoding="utf-8"))
    place = document
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = to
    before, document["digest"] = document["digest"], digest_of(document["result"])
    path.write_text(json.dumps(document), encoding="utf-8")
    for each in path.parent.glob("*.json"):
        text = each.read_text(encoding="utf-8")
        each.write_text(text.replace(before, document["digest"]), encoding="utf-8")


def test_artifacts_that_were_made_alike_are_a_study(folder):
    found = read_artifacts([folder])
    assert (len(found.evaluations), len(found.trainings)) == (4, 4)
    assert (found.study.seeds, found.study.languages) == ([1, 2], ["qhe", "qne"])


def test_a_training_on_another_tuned_model_than_there_is_now_is_stale(folder):
    tuning = folder.path / "seed-1" / "en" / "training.json"
    before = json.loads(tuning.read_text(encoding="utf-8"))["digest"]
    change(tuning, "result", "runs", 0, "seconds", to=1.0)
    after = json.loads(tuning.read_text(encoding="utf-8"))["digest"]
    for path in folder.path.glob("seed-1/*/evaluation.json"):  # as if tested after that
        path.write_text(path.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
    with pytest.raises(
        InputError, match="qhe/training.json is stale: it was made from another tuning"
    ) as caught:
        read_artifacts([folder])
    made_again = f"lslo flare train --results {folder.path.parent} --name {folder.path.name} --set "
    assert made_again in caught.value.hint and "x-mixup" not in caught.value.hint


def test_a_test_of_another_training_is_made_again_in_its_experiment_with_its_settings(folder):
    path = folder.path / "seed-2/qne/training.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["result"]["runs"][0]["seconds"] = 1.0
    document["recipe"]["flare"] |= {"rank": 3, "test_noise": [0.0]}
    document["digest"] = digest_of(document["result"])
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(
        InputError, match="qne/evaluation.json is stale: it was made from another training"
    ) as caught:
        read_artifacts([folder])
    made_again = f"lslo flare evaluate --results {folder.path.parent} --name {folder.path.name} --set "
    assert made_again in caught.value.hint and "flare.rank=3" in caught.value.hint
    assert "flare.test_noise=0.0,0.2,0.4,0.8" in caught.value.hint  # of the test


@pytest.mark.parametrize("file", ["training.json", "evaluation.json"])
@pytest.mark.parametrize(
    ("keys", "other", "said", "before"),
    [
        (("recipe", "run", "precision"), "bf16", "run.precision", "fp32"),
        (("recipe", "run", "tf32"), True, "run.tf32", "False"),
        (("recipe", "flare", "epochs"), 9, "flare.epochs", "5"),
        (("model", "digest"), "f" * 64, "task models", r"\S+ \(0091dd3cb240\)"),
        (("data", 0, "digest"), "f" * 64, r"texts of qne/t\S+", r"\w{12}"),
    ],
)
def test_what_was_made_otherwise_is_refused_with_both_values_and_files(
    folder, file, keys, other, said, before
):
    path = folder.path / "seed-2" / "qne" / file
    change(path, *keys, to=other)
    with pytest.raises(InputError) as caught:
        read_artifacts([folder])
    told = (
        rf"\S+seed-\d\S+{file} and {path} were made with different {said}: {before} and .*{str(other)[:12]}"
    )
    assert re.match(told, caught.value.message)
    assert "report them separately" in caught.value.hint


@pytest.mark.parametrize(
    ("file", "translated", "said"),
    [
        ("evaluation.json", [], "translated and as published"),
        ("training.json", ["train", "test"], "as published and translated"),
    ],
)
def test_a_language_with_translations_and_one_without_are_two_studies(folder, file, translated, said):
    path = folder.path / "seed-1" / "qne" / file
    change(path, "recipe", "flare", "translated", to=translated)
    with pytest.raises(
        InputError, match=f"qhe/{file} and .*qne/{file} were made with different texts: {said}"
    ):
        read_artifacts([folder])


def test_texts_of_two_translators_are_two_studies(folder):
    first, second = (folder.path / "seed-1" / code / "evaluation.json" for code in ("qhe", "qne"))
    change(first, "result", "translations", to={"qhe/test": ORIGIN})
    read_artifacts([folder])  # the others do not say
    change(second, "result", "translations", to={"qne/test": {**ORIGIN, "beam": 1}})
    with pytest.raises(InputError, match="translators of texts: base, run 8-8-8, beam 4 and base, .* beam 1"):
        read_artifacts([folder])


def translate_by(folder, seed, code, translator, digest=""):
    """Give a training a run of FLARE-MT by a translation model."""
    path = folder.path / f"seed-{seed}" / code / "training.json"
    runs = json.loads(path.read_text(encoding="utf-8"))["result"]["runs"]
    runs = [run for run in runs if run["run"] != "flare-mt:x"]
    run = {"run": "flare-mt:x", "method": "flare-mt", "translator": translator}
    change(path, "result", "runs", to=[*runs, {**run, "translator_digest": digest}])


def test_runs_of_two_translation_models_are_two_studies(folder):
    translate_by(folder, 1, "qhe", "x as id", "a" * 64)
    translate_by(folder, 1, "qne", "moved/x as id", "a" * 64)
    read_artifacts([folder])  # one model, wherever it lies
    translate_by(folder, 1, "qne", "x as id", "b" * 64)
    said = r"translation models of flare-mt:x: x \(aaaaaaaaaaaa\) and x \(bbbbbbbbbbbb\)"
    with pytest.raises(InputError, match=said):
        read_artifacts([folder])


def test_a_translation_model_may_read_each_language_as_itself_and_one_language_in_one_way(folder):
    for seed in (1, 2):
        for code in ("qhe", "qne"):
            translate_by(folder, seed, code, f"x as {code}")
    assert len(read_artifacts([folder]).trainings) == 4
    translate_by(folder, 2, "qne", "x as id")
    with pytest.raises(InputError, match="seed-2/qne/.* languages that flare-mt:x reads qne as: qne and id"):
        read_artifacts([folder])


def test_the_report_says_where_sources_come_from_and_what_was_left_out(folder):
    facts = dict(document_of_all([folder]).sections[0].facts)
    assert facts["Sources"] == "machine translations, whose translator is not recorded"
    assert facts["Tuning on the source language"] == "8 epochs"
    assert "left out" not in facts["Test text"] and "Training text" not in facts
    for code in ("qhe", "qne"):
        for seed in (1, 2):
            path = folder.path / f"seed-{seed}" / code / "evaluation.json"
            change(path, "result", "translations", to={f"{code}/test": ORIGIN})
            change(path, "data", 0, "rows", to=300)
            change(path, "data", 0, "examples", to=290)
            change(path.with_name("training.json"), "data", 0, "rows", to=310)
    facts = dict(document_of_all([folder]).sections[0].facts)
    assert facts["Sources"] == ("translated by base, run 8-8-8, beam 4; 580 of 600 rows kept in 2 languages")
    assert facts["Test text"].endswith("; 20 of 600 left out, without an answer in both texts")
    assert facts["Training text"] == "as published; 20 of 620 left out, without an answer in both texts"


def test_task_models_with_two_tokenizers_are_two_studies_where_both_are_recorded(folder):
    first, second = (folder.path / f"seed-{seed}/qne/training.json" for seed in (1, 2))
    change(first, "model", "settings", to={"tokenizer": "aaa"})
    read_artifacts([folder])  # the others do not say
    change(second, "model", "settings", to={"tokenizer": "bbb"})
    with pytest.raises(InputError, match="made with different tokenizer of the task models: aaa and bbb"):
        read_artifacts([folder])
