"""``lslo flare`` on question answering, with tiny random models and an invented context."""

import json
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizerFast,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.errors import InputError, UsageError
from lslo_cli.events import Noted, Warned
from lslo_cli.flare import commands
from lslo_cli.flare.plan import plan
from lslo_cli.recipe import resolve
from lslo_cli.tasks.experiment import Experiment

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
        return Experiment(recipe, ExperimentFolder(tmp_path / "results"), "lslo flare")

    return made


def test_answers_are_found_trained_and_scored_by_their_tokens(experiment):
    made = experiment()
    tuning, _ = commands.train(made)
    losses = [epoch.loss for epoch in tuning.artifact.result.runs[0].history]
    assert losses[-1] < losses[0]
    (tested,) = commands.evaluate(made)
    result = tested.artifact.result
    assert result.metric == "exact match"
    assert result.gold == "111111"
    for test in result.predictions:
        assert test.score == pytest.approx(100 * test.answers.count("1") / 6)
        assert test.token_f1 >= test.score
    tests = {(test.run, test.source): test.score for test in result.predictions}
    # The answer is always the middle word, which position alone tells.
    assert tests["translate-test", "matched"] == tests["lora", "matched"] == 100
    assert {source for run, source in tests if run == "flare:add-relu:1"} == {
        "matched",
        "zero",
        "mean",
        "shuffled",
    }


def other_answer(path, text, start):
    """Put another answer before that of every question."""
    document = json.loads(path.read_text(encoding="utf-8"))
    for paragraph in document["data"][0]["paragraphs"]:
        for question in paragraph["qas"]:
            question["answers"].insert(0, {"text": text, "answer_start": start})
    path.write_text(json.dumps(document), encoding="utf-8")


def test_any_of_several_right_answers_counts_in_tests(experiment, decoder):
    for changes in ({}, {**decoder, "flare.epochs": 15}):
        made = experiment(**{**changes, "flare.runs": ("translate-test",), "name": f"several-{len(changes)}"})
        path = Path(made.recipe.flare.data) / "tydiqa.translate.test.fi-en.json"
        if not changes:
            other_answer(path, "the", 0)
        list(commands.train(made))
        (tested,) = commands.evaluate(made)
        (test,) = tested.artifact.result.predictions
        assert (test.score, test.token_f1) == (100, 100)  # the animal was learned, not "the"


def lengthen(path, rows):
    """Put the answer of some questions behind more words than a model reads."""
    document = json.loads(path.read_text(encoding="utf-8"))
    for article in document["data"][:rows]:
        for paragraph in article["paragraphs"][:rows]:
            paragraph["context"] = "the " * 20 + paragraph["context"]
            paragraph["qas"][0]["answers"][0]["answer_start"] += 80
    path.write_text(json.dumps(document), encoding="utf-8")


def test_training_rows_whose_answer_is_cut_off_are_left_out_and_counted(experiment):
    made = experiment(**{"flare.runs": ("lora", "flare"), "flare.epochs": 1, "flare.batch_size": 2})
    lengthen(Path(made.recipe.flare.data) / "tydiqa-goldp-v1.1-train.json", 4)
    notes = []
    tuning, training = commands.train(made, notes.append)
    assert tuning.artifact.result.runs[0].left_out == 4  # two whole batches, whose loss would be NaN
    assert [run.left_out for run in training.artifact.result.runs] == [0, 0]
    assert "4 training rows left out" in " ".join(event.text for event in notes if isinstance(event, Noted))
    warnings = [event.text for event in notes if isinstance(event, Warned)]
    cut = [f"{split}: cut 4 texts at flare.max_length = 12" for split in ("en/train", "fi/train")]
    assert warnings == cut  # the texts of en are the sources of fi; only FLARE reads these


def test_a_training_text_without_any_whole_answer_is_refused(experiment):
    made = experiment(**{"flare.runs": ("lora", "input-fusion"), "flare.epochs": 1})
    lengthen(Path(made.recipe.flare.data) / "tydiqa-goldp-v1.1-train.json", 20)
    with pytest.raises(InputError, match="no answer of the en training text lies within 12 tokens") as caught:
        list(commands.train(made))
    assert caught.value.hint.endswith("--set flare.max_length=256")  # half of the 512 that the model reads


def test_a_missing_translation_of_the_tests_is_said_before_training(experiment, monkeypatch):
    monkeypatch.setattr(commands, "tune", lambda *a: pytest.fail("trained"))
    made = experiment()
    path = Path(made.recipe.flare.data) / "tydiqa.translate.test.fi-en.json"
    path.unlink()
    for refused in (lambda: list(commands.train(made)), lambda: plan(made, "train")):
        with pytest.raises(InputError, match="no translation at") as caught:
            refused()
        assert str(path) in caught.value.message
        assert "lslo flare translate --set flare.translated=test" in caught.value.hint


def test_x_mixup_has_no_labels_to_compare(experiment):
    with pytest.raises(UsageError, match="the answers here are spans"):
        list(commands.train(experiment(**{"flare.runs": ("x-mixup",), "flare.epochs": 1})))


@pytest.fixture
def decoder(tmp_path):
    """The folder of a tiny random Llama."""
    folder = tmp_path / "llama"
    words = ["<pad>", "<unk>", "<s>", "</s>", "Context", "Question", "Answer", ":", *WORDS]
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing("<s> $A", special_tokens=[("<s>", 2)])
    special = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        bos_token_id=2,
        eos_token_id=3,
        pad_token_id=0,
    )
    model = LlamaForCausalLM(config)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data.normal_(0, 0.3)  # large enough for every layer to matter
    model.save_pretrained(folder)
    return {"flare.model": str(folder), "flare.max_length": 16, "flare.elsewhere": True, "flare.lr": 0.02}


def test_a_decoder_writes_its_answers(experiment, decoder):
    runs = ("zero-shot", "translate-test", "lora", "input-fusion", "flare", "flare-shuffled")
    made = experiment(**decoder, **{"flare.runs": runs, "flare.epochs": 15})
    tuning, _ = commands.train(made)
    losses = [epoch.loss for epoch in tuning.artifact.result.runs[0].history]
    assert losses[-1] < losses[0] / 4
    assert (tuning.artifact.model.encoder_layers, tuning.artifact.model.decoder_layers) == (0, 2)
    (tested,) = commands.evaluate(made)
    result = tested.artifact.result
    assert result.gold == "111111"
    for test in result.predictions:
        assert test.score == pytest.approx(100 * test.answers.count("1") / 6)
    tests = {(test.run, test.source): test.score for test in result.predictions}
    assert tests["zero-shot", "matched"] == 0  # it has only seen English words
    assert tests["translate-test", "matched"] == tests["input-fusion", "matched"] == 100
    assert tests["lora", "matched"] > tests["zero-shot", "matched"]
    assert tests["flare:add-relu:1", "matched"] > tests["flare:add-relu:1", "zero"]
    assert {source for run, source in tests if run == "flare:add-relu:1"} == {
        "matched",
        "zero",
        "mean",
        "shuffled",
    }
    assert all(written.up_to_date for written in commands.train(made))


def test_a_decoder_has_no_probabilities_of_labels_for_x_mixup(experiment, decoder):
    with pytest.raises(UsageError, match="the answers here are words"):
        list(commands.train(experiment(**decoder, **{"flare.runs": ("x-mixup",), "flare.epochs": 1})))


def test_cross_attention_in_a_decoder_is_refused_before_the_runs_beside_it(experiment, decoder, monkeypatch):
    monkeypatch.setattr(commands, "tune", lambda *a: pytest.fail("trained"))
    runs = {"flare.runs": ("input-fusion", "flare:cross-attention")}
    with pytest.raises(UsageError, match="cross-attention in a decoder"):
        list(commands.train(experiment(**decoder, **runs)))


def test_a_decoder_without_an_end_of_text_is_refused(experiment, decoder):
    path = Path(decoder["flare.model"]) / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    del settings["eos_token"]
    path.write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(InputError, match="has no token for the end of a text"):
        list(commands.train(experiment(**decoder)))
