"""Decoders that answer in words: prompts, training on answers, writing them, with fusion and without."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from lslo_cli.errors import UsageError
from lslo_cli.flare.attach import FlareSettings, attach_flare
from lslo_cli.flare.examples import Example, Pairs, Question
from lslo_cli.flare.prompted_model import PromptedModel
from lslo_cli.flare.source import Side
from lslo_cli.flare.task_model import check_lengths
from lslo_cli.flare.tasks import TASKS
from lslo_cli.flare.transfer_methods import (
    FusionMethod,
    InputFusionMethod,
    TransferMethod,
    TranslateTestMethod,
    TranslatorMethod,
)
from lslo_cli.flare.translator import LatentTexts, LatentTranslation
from lslo_cli.method.flare import FlareMethod, SourceGiven
from lslo_cli.nn.loss import IGNORED
from lslo_cli.recipe import resolve

VOCABULARY = ["<pad>", "<unk>", "<s>", "</s>", "sentiment", "question", "answer", "context", ":", "?"]
VOCABULARY += ["negative", "neutral", "positive", "good", "bad", "so", "bagus", "buruk", "biasa", "sekali"]
VOCABULARY += ["who", "cat", "dog", "the", "sat"]


class Words:
    """A tokenizer by words; a text begins with <s>."""

    pad_token_id, eos_token_id = 0, 3

    def __call__(self, text, add_special_tokens=True):
        words = text.lower().replace(":", " :").replace("?", " ?").split()
        ids = [VOCABULARY.index(word) if word in VOCABULARY else 1 for word in words]
        return {"input_ids": [2, *ids] if add_special_tokens else ids}

    def batch_decode(self, rows, skip_special_tokens):
        return [" ".join(VOCABULARY[i] if i < len(VOCABULARY) else "?" for i in row if i > 3) for row in rows]


PAIRS = Pairs(
    source=(Example("1", "good", 2), Example("2", "so so so", 1), Example("3", "bad bad", 0)),
    target=(Example("1", "bagus sekali", 2), Example("2", "biasa", 1), Example("3", "buruk", 0)),
)
QUESTIONS = Pairs(
    source=(Question("1", "who?", "the cat sat", "the cat", 0), Question("2", "who?", "dog sat", "dog", 0)),
    target=(Question("1", "who?", "the cat sat", "the cat", 0), Question("2", "who?", "dog sat", "dog", 0)),
)


@pytest.fixture
def model(decoder):
    return PromptedModel(decoder.model(), Words(), Side.LEFT, TASKS["nusax"], answer_tokens=4)


def fusing(model, settings=None):
    adapters = attach_flare(model.backbone, settings or FlareSettings())
    for adapter in adapters.by_name.values():
        adapter.lora_B.data.normal_(0, 1, generator=torch.Generator().manual_seed(5))
    return adapters


def words(ids):
    return [VOCABULARY[i] for i in ids]


def test_a_prompt_ends_with_the_cue_and_begins_once(model):
    split = TransferMethod(model, None, 8).prepare(PAIRS)
    assert words(split.texts.ids[0]) == ["<s>", "bagus", "sekali", "sentiment", ":"]
    assert split.answers == (("positive",), ("neutral",), ("negative",))
    assert split.labels.tolist() == [2, 1, 0]
    assert words(TranslateTestMethod(model, None, 8).prepare(PAIRS).texts.ids[2]) == [
        "<s>", "bad", "bad", "sentiment", ":",
    ]  # fmt: skip


def test_a_long_text_is_cut_and_its_cue_stays(model):
    split = TransferMethod(model, None, 4).prepare(Pairs(PAIRS.source, (Example("1", "so " * 9, 1),)))
    assert words(split.texts.ids[0]) == ["<s>", "so", "sentiment", ":"]


def test_a_question_follows_its_context(model):
    model = replace(model, task=TASKS["tydiqa"])
    split = TransferMethod(model, None, 12).prepare(QUESTIONS)
    assert words(split.texts.ids[1]) == [
        "<s>", "context", ":", "dog", "sat", "question", ":", "who", "?", "answer", ":",
    ]  # fmt: skip
    assert split.answers == (("the cat",), ("dog",))
    assert split.labels.tolist() == [1, 1]


def pair(premise, hypothesis):
    return Pairs((), (Example("1", premise, 0, hypothesis),))


def read(model, pairs, length):
    return words(TransferMethod(model, None, length).prepare(pairs).texts.ids[0])


def test_every_text_of_a_long_prompt_keeps_its_beginning_and_a_short_one_stays_whole(model):
    inference = replace(model, task=TASKS["xnli"])  # "premise", "hypothesis" and "label" are unknown words
    assert read(inference, pair("so " * 40, "bad sekali"), 14) == [
        "<s>", "<unk>", ":", *["so"] * 5, "<unk>", ":", "bad", "sekali", "<unk>", ":",
    ]  # fmt: skip
    assert read(inference, pair("good", "so " * 40), 14)[3:6] == ["good", "<unk>", ":"]
    both = read(inference, pair("so " * 40, "bad " * 40), 14)
    assert (both.count("so"), both.count("bad")) == (3, 4)
    questions = replace(model, task=TASKS["tydiqa"])
    long = Pairs((), (Question("1", "who " + "sat " * 40 + "?", "the cat", "cat", 4),))
    assert read(questions, long, 12) == [
        "<s>", "context", ":", "the", "cat", "question", ":", "who", "sat", "sat", "answer", ":",
    ]  # fmt: skip


def test_input_fusion_reads_some_of_every_text_of_a_pair(model):
    model = replace(model, task=TASKS["xnli"])
    long = Pairs((Example("1", "so " * 9, 0, "good"),), (Example("1", "biasa " * 9, 0, "bagus"),))
    (ids,) = InputFusionMethod(model, None, 12).prepare(long).texts.ids
    assert len(ids) <= 24 and {"good", "bagus", "so", "biasa"} <= set(words(ids))


def test_a_length_that_leaves_no_room_for_a_text_beside_the_words_is_refused(model):
    model = replace(model, task=TASKS["xnli"])
    settings = resolve(None, {"flare.task": "xnli", "flare.max_length": 8}).flare
    with pytest.raises(
        UsageError, match="a prompt of xnli takes 9 tokens and more, and flare.max_length = 8"
    ):
        check_lengths(model, FlareMethod.LORA, settings)
    check_lengths(model, FlareMethod.LORA, settings.model_copy(update={"max_length": 9}))


def test_input_fusion_puts_the_source_before_the_prompt(model):
    split = InputFusionMethod(model, None, 4).prepare(PAIRS)
    assert words(split.texts.ids[1]) == ["<s>", "so", "so", "biasa", "sentiment", ":"]
    assert split.answers == (("positive",), ("neutral",), ("negative",))


def test_the_loss_is_that_of_the_answers_words_given_those_before(model):
    method = TransferMethod(model, None, 8)
    split = method.prepare(PAIRS)
    losses = []
    for ids, (answer,) in zip(split.texts.ids, split.answers, strict=True):
        written = [VOCABULARY.index(answer), 3]
        logits = model.backbone(torch.tensor([[*ids, *written]])).logits[0]
        losses.append(F.cross_entropy(logits[len(ids) - 1 : -1], torch.tensor(written)))
    torch.testing.assert_close(method.loss(split, [0, 1, 2]), torch.stack(losses).mean())


def test_answers_of_unequal_length_count_by_their_own_words(model):
    model = replace(model, task=TASKS["tydiqa"])
    assert model._answer_ids(["the cat", "dog"]).tolist() == [[23, 21, 3], [22, 3, IGNORED]]
    method = TransferMethod(model, None, 12)
    split = method.prepare(QUESTIONS)
    alone = [method.loss(split, [row]) for row in (0, 1)]
    torch.testing.assert_close(method.loss(split, [0, 1]), (3 * alone[0] + 2 * alone[1]) / 5)


def test_a_label_is_what_the_first_line_names(model, monkeypatch):
    method = TransferMethod(model, None, 8)
    split = method.prepare(PAIRS)
    written = {0: "Positive.", 1: "neutral", 2: "something else"}
    monkeypatch.setattr(PromptedModel, "written", lambda self, batch: [written[row] for row in batch.rows])
    assert method.predict(split, size=2) == [2, 1, 3]


def test_an_answer_is_right_case_and_punctuation_aside(model, monkeypatch):
    model = replace(model, task=TASKS["tydiqa"])
    split = TransferMethod(model, None, 12).prepare(QUESTIONS)
    monkeypatch.setattr(PromptedModel, "written", lambda self, batch: ["The  cat!", "the dog"])
    grades = TransferMethod(model, None, 12).answers(split, [0, 1]).tolist()
    assert grades == [[1, 1], [0, pytest.approx(2 / 3)]]  # "the dog" for "dog"


@pytest.mark.parametrize("fused", [False, True])
def test_what_is_written_is_greedy_search_under_the_training_view(model, fused):
    """Step by step, without cache, over the pass that the loss is computed with."""
    model = replace(model, task=TASKS["tydiqa"])
    method = FusionMethod(model, fusing(model), 12) if fused else TransferMethod(model, None, 12)
    split = method.prepare(QUESTIONS)
    batch = method.batch(split, [0, 1])
    inputs = batch.inputs("cpu")
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    for _ in range(4):
        with torch.no_grad(), batch.reading(ids.shape[1]):
            best = model.backbone(input_ids=ids, attention_mask=mask).logits[:, -1].argmax(-1)
        ended = (ids[:, batch.length :] == 3).any(dim=1)
        ids = torch.cat([ids, best.masked_fill(ended, 0)[:, None]], 1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], 1)
    expected = Words().batch_decode(ids[:, batch.length :].tolist(), True)
    assert model.written(batch) == [text.strip() for text in expected]
    assert any(expected)


def test_answers_do_not_depend_on_the_batches(model):
    method = FusionMethod(model, fusing(model), 8)
    split = method.prepare(PAIRS)
    alone = [model.written(method.batch(split, [row]))[0] for row in range(3)]
    assert model.written(method.batch(split, [0, 1, 2])) == alone


def test_another_source_gives_another_loss_and_none_another_again(model):
    adapters = fusing(model)
    method = FusionMethod(model, adapters, 8)
    split = method.prepare(PAIRS)
    matched = method.loss(split, [0, 1, 2])
    assert not torch.allclose(matched, method.loss(split.given(SourceGiven.SHUFFLED, [1, 2, 0]), [0, 1, 2]))
    nothing = split.given(SourceGiven.ZERO, [])
    assert not torch.allclose(matched, method.loss(nothing, [0, 1, 2]))
    assert len(method.predict(nothing, size=2)) == 3


def test_training_teaches_the_answers(model):
    adapters = attach_flare(model.backbone, FlareSettings(elsewhere=True))
    method = FusionMethod(model, adapters, 8)
    split = method.prepare(PAIRS)
    assert method.modules() == {}
    optimizer = torch.optim.Adam(method.parameters(), lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        method.loss(split, [0, 1, 2]).backward()
        optimizer.step()
    assert method.predict(split, size=2) == [2, 1, 0]


def test_flare_mt_fuses_while_it_writes(model):
    adapters = fusing(model)
    projection = LatentTranslation(6, 16, adapters.blocks)
    states = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(2))
    given = LatentTexts(states, torch.ones(3, 4, dtype=torch.long))
    method = TranslatorMethod(model, adapters, 8, projection, lambda texts: given)
    split = method.prepare(PAIRS)
    method.loss(split, [0, 1, 2]).backward()
    assert projection.projection.weight.grad.abs().sum() > 0
    assert len(method.predict(split, size=2)) == 3
