"""``lslo flare`` on question answering, with a tiny random encoder and an invented context."""

import json

import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizerFast

from lslo_cli.artifacts.transfer_folder import TransferFolder
from lslo_cli.errors import UsageError
from lslo_cli.pipeline import transfer
from lslo_cli.recipe import resolve

WORDS = ("who", "?", "the", "cat", "dog", "bird", "sat", "kuka", "se", "kissa", "koira", "lintu", "istui")
ANIMALS = {"en": ("cat", "dog", "bird"), "fi": ("kissa", "koira", "lintu")}
OTHERS = {"en": ("who?", "the {} sat"), "fi": ("kuka?", "se {} istui")}


def write(path, language, ids):
    question, context = OTHERS[language]
    paragraphs = []
    for number, name in enumerate(ids):
        animal = ANIMALS[language][number % 3]
        text = context.format(animal)
        answers = [{"text": animal, "answer_start": text.index(animal)}]
        paragraphs.append({"context": text, "qas": [{"id": name, "question": question, "answers": answers}]})
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), encoding="utf-8")


@pytest.fixture
def experiment(tmp_path):
    """An experiment by its changes to settings that make it take seconds."""
    model, data = tmp_path / "model", tmp_path / "tydiqa"
    torch.manual_seed(0)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
    )
    BertModel(config).save_pretrained(model)
    (model / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    BertTokenizerFast(str(model / "vocab.txt")).save_pretrained(model)
    data.mkdir()
    names = [f"english-{n}-0" for n in range(20)]
    write(data / "tydiqa-goldp-v1.1-train.json", "en", names)
    write(data / "tydiqa.translate.train.en-fi.json", "fi", names)
    write(data / "tydiqa-goldp-v1.1-dev.json", "fi", [f"finnish-{n}-0" for n in range(6)])
    write(data / "tydiqa.translate.test.fi-en.json", "en", [f"finnish-{n}-0" for n in range(6)])

    def made(**changes):
        settings = {
            "name": "tiny-tydiqa",
            "flare.task": "tydiqa",
            "flare.data": str(data),
            "flare.model": str(model),
            "flare.languages": ("fi",),
            "flare.seeds": (1,),
            "flare.runs": ("zero-shot", "translate-test", "lora", "input-fusion", "flare"),
            "flare.rank": 4,
            "flare.max_length": 12,
            "flare.dropout": 0.0,
            "flare.epochs": 6,
            "flare.lr": 0.05,
            "flare.batch_size": 6,
            "run.device": "cpu",
            "run.threads": 1,
        }
        recipe = resolve(None, {**settings, **changes})
        return transfer.TransferExperiment(recipe, TransferFolder(tmp_path / "results"), "lslo flare")

    return made


def test_answers_are_found_trained_and_scored_by_their_tokens(experiment):
    made = experiment()
    tuning, _ = transfer.train(made)
    losses = [epoch.loss for epoch in tuning.artifact.result.runs[0].history]
    assert losses[-1] < losses[0]
    (tested,) = transfer.evaluate(made)
    result = tested.artifact.result
    assert result.metric == "exact match"
    assert result.gold == "111111"
    for test in result.predictions:
        assert test.score == pytest.approx(100 * test.answers.count("1") / 6)
    tests = {(test.run, test.source): test.score for test in result.predictions}
    # The answer is always the middle word, which position alone tells.
    assert tests["translate-test", "matched"] == tests["lora", "matched"] == 100
    assert {source for run, source in tests if run == "flare:add-relu:1"} == {"matched", "none", "shuffled"}


def test_x_mixup_has_no_labels_to_compare(experiment):
    with pytest.raises(UsageError, match="this task's answers are spans"):
        list(transfer.train(experiment(**{"flare.runs": ("x-mixup",), "flare.epochs": 1})))
