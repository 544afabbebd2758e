"""The model card beside a run's weights: what the hub reads, and what a person does."""

from __future__ import annotations

import json

import pytest

from lslo_cli.artifacts.folder import RunFolder
from lslo_cli.artifacts.results import TensorFile
from lslo_cli.parsing import parse_toml
from lslo_cli.recipe import Recipe
from lslo_cli.tasks import commands as tasks
from lslo_cli.tasks.model_card import write_card

RUN = "2-2-8-gps0.9"


def front_matter(text):
    """The keys of the YAML at the head, each a line whose value is JSON."""
    _, head, _ = text.split("---\n", 2)
    return {key: json.loads(value) for key, _, value in (line.partition(": ") for line in head.splitlines())}


@pytest.mark.parametrize(("run", "part", "tags"), [(RUN, "adapter", ["lora"]), ("full", "model", [])])
def test_a_card_has_languages_base_license_metrics_with_signatures_and_recipe(
    finished, tiny, run, part, tags
):
    folder, artifacts = finished
    text = (folder / "runs" / run / part / "README.md").read_text(encoding="utf-8")
    head = front_matter(text)
    assert head["language"] == ["qta", "qso", "qki", "qka"]
    assert (head["license"], head["base_model"], head["pipeline_tag"]) == ("other", "base", "translation")
    assert head["tags"] == ["lslo", "translation", *tags]
    result = artifacts[f"runs/{run}/evaluation.json"].result
    spbleu, chrf = head["model-index"][0]["results"][0]["metrics"]
    assert (spbleu["value"], chrf["value"]) == (result.metric().average, result.metric("chrF++").average)
    assert result.metric().signature in spbleu["name"] and result.metric("chrF++").signature in text
    recipe = Recipe.model_validate(parse_toml(text.split("```toml\n")[1].split("```")[0]))
    assert recipe.fit.epochs == 3 and recipe.model.name == "base"
    assert str(tiny.folder) not in text
    training = artifacts[f"runs/{run}/training.json"].result
    assert f"of which {training.nonzero_parameters:,} are not pruned." in text


def test_scores_by_more_metrics_are_added_to_the_card(finished_experiment):
    card = finished_experiment().folder.run(RUN).path / "adapter" / "README.md"
    assert "TER" not in card.read_text(encoding="utf-8")
    (written,) = tasks.evaluate(finished_experiment(**{"evaluate.metrics": ("TER",)}), runs=[RUN])
    metrics = front_matter(card.read_text(encoding="utf-8"))["model-index"][0]["results"][0]["metrics"]
    names = ("spBLEU", "chrF++", "TER")
    assert [each["value"] for each in metrics] == [
        written.artifact.result.metric(name).average for name in names
    ]


def test_a_run_that_is_trained_again_does_not_keep_the_scores_of_the_one_before(finished_experiment):
    card = finished_experiment().folder.run(RUN).path / "adapter" / "README.md"
    assert "## Scores" in card.read_text()
    settings = {"train.ranks": "2,2,8", "train.gps": 0.9, "fit.epochs": 4, "card.license": "cc-by-4.0"}
    tasks.train(finished_experiment(**settings), run=RUN)
    text = card.read_text()
    assert "## Scores" not in text and front_matter(text)["license"] == "cc-by-4.0"


def test_a_shared_lora_is_called_one_also_where_its_artifact_has_an_index(written, tmp_path):
    experiment = written(tmp_path)
    weights = TensorFile(path="adapter/weights", digest="0")
    texts = {}
    for method in ("lslo", "lora", "full"):
        folder = RunFolder(experiment.training(method, method=method, weights=weights).parent)
        (folder.path / "adapter").mkdir()
        write_card(folder)
        texts[method] = (folder.path / "adapter" / "README.md").read_text(encoding="utf-8")
    assert "Language-specific low-rank adapters (LSLo)" in texts["lslo"]
    assert "One low-rank adapter shared by all languages (LoRA)" in texts["lora"]
    assert "Language-specific" not in texts["lora"] and "A fine-tuned model" in texts["full"]
    tags = {method: front_matter(text)["tags"][2:] for method, text in texts.items()}
    assert tags == {"lslo": ["lora"], "lora": ["lora"], "full": []}
