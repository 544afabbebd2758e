"""The built-in world's task, and the encoder of its base as the task model."""

import json

import pytest
import torch

from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.errors import InputError, UsageError
from lslo_cli.flare import commands
from lslo_cli.flare.attach import FlareSettings, attach_flare
from lslo_cli.flare.head_model import HeadModel
from lslo_cli.flare.loading import load_task_model
from lslo_cli.flare.reporting import document_of_all
from lslo_cli.flare.results import TextOrigin
from lslo_cli.flare.tasks import TASKS
from lslo_cli.flare.transfer_methods import FusionMethod
from lslo_cli.flare.translating import translate_task
from lslo_cli.recipe import resolve
from lslo_cli.tasks.experiment import Experiment
from lslo_cli.world.task import KINDS, TASK_ROWS, task_rows

from .conftest import trained


def test_rows_say_the_same_in_every_language_and_no_split_shares_one():
    texts = {split: task_rows(split, "qta") for split in TASK_ROWS}
    assert {split: len(rows) for split, rows in texts.items()} == dict(TASK_ROWS)
    sentences = [text for rows in texts.values() for text, _ in rows]
    assert len(set(sentences)) > 0.99 * len(sentences)
    assert [label for _, label in texts["dev"]] == [label for _, label in task_rows("dev", "qhe")]
    shares = [sum(label == kind for _, label in texts["train"]) / 600 for kind in range(len(KINDS))]
    assert min(shares) > 0.2
    with pytest.raises(ValueError, match="no split 'valid'"):
        task_rows("valid", "qta")


def test_the_pivot_plays_the_part_of_english():
    pairs = TASKS["world"].pairs(None, "qsi", "dev")
    assert [row.text for row in pairs.source] == [text for text, _ in task_rows("dev", "qta")]
    assert [row.text for row in pairs.target] == [text for text, _ in task_rows("dev", "qsi")]
    with pytest.raises(InputError, match="no language 'fr'"):
        TASKS["world"].pairs(None, "fr", "dev")


@torch.no_grad()
def test_the_encoder_of_a_translation_model_is_a_task_model_like_any():
    model = load_task_model("world", TASKS["world"])
    assert isinstance(model, HeadModel)
    model.train(False)
    adapters = trained(attach_flare(model.backbone, FlareSettings()))
    assert adapters.blocks == ("encoder.1", "encoder.2", "encoder.3")
    method = FusionMethod(model, adapters, 24)
    split = method.prepare(TASKS["world"].pairs(None, "qhe", "dev"))
    assert max(split.lengths) <= 24 and {row[-1] for row in split.texts.ids} == {2}
    alone = torch.cat([method.logits(split, [row]) for row in (0, 1, 2)])
    torch.testing.assert_close(method.logits(split, [2, 1, 0]), alone[[2, 1, 0]], rtol=1e-4, atol=1e-4)


def test_a_translation_model_finds_no_spans():
    with pytest.raises(UsageError, match="lacks the positions of tokens in a text"):
        load_task_model("world", TASKS["tydiqa"])


def test_the_demo_runs_offline(tmp_path):
    few = {
        "flare.languages": ("qsi",),
        "flare.seeds": (1,),
        "flare.runs": ("lora", "flare"),
        "flare.epochs": 1,
    }
    few |= {"flare.train_rows": 60, "flare.english_epochs": 2}
    recipe = resolve("flare-demo", {**few, "flare.translations": str(tmp_path / "translations")})
    made = Experiment(recipe, ExperimentFolder(tmp_path), "lslo flare")
    (translated,) = translate_task(made)
    assert (translated.artifact.result.rows, translated.artifact.result.lost) == (TASK_ROWS["test"], 0)
    tuning, _ = commands.train(made)
    assert tuning.artifact.model.name == "world" and tuning.artifact.model.parameters < 10**6
    losses = [epoch.loss for epoch in tuning.artifact.result.runs[0].history]
    assert losses[-1] < losses[0]
    (tested,) = commands.evaluate(made)
    tests = [(test.run, test.source, test.noise) for test in tested.artifact.result.predictions]
    fused = [("matched", 0), ("zero", 0), ("mean", 0), ("shuffled", 0)]
    fused += [("matched", share) for share in (0.2, 0.4, 0.8)]
    assert tests == [("lora", "matched", 0), *(("flare:add-relu:1", *given) for given in fused)]
    assert all(written.up_to_date for written in (*commands.train(made), *commands.evaluate(made)))
    origin = TextOrigin(model="world", run="base", beam=1, rows=TASK_ROWS["test"], lost=0)
    assert tested.artifact.result.translations == {"qsi/test": origin}
    (record,) = (item for item in tested.artifact.inputs if item.role == "translation")
    assert record.digest == translated.artifact.digest
    said = "translated by world, run base, beam 1; 300 of 300 rows kept in 1 language"
    assert dict(document_of_all([made.folder]).sections[0].facts)["Sources"] == said
    document = json.loads(translated.path.read_text(encoding="utf-8"))
    document["digest"] = "0" * 64
    translated.path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(InputError, match="it was made from another translation than"):
        document_of_all([made.folder])
