"""Beam search against the reference: transformers' generate with fairseq's rules."""

import copy
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from transformers import M2M100Config, M2M100ForConditionalGeneration

from benchmarks.reference import translate
from lslo_cli.method.languages import Direction
from lslo_cli.method.ranks import RankMap
from lslo_cli.method.strategy import paper
from lslo_cli.models import slots
from lslo_cli.models.base import load_base
from lslo_cli.nn.attach import attach, attach_mixture
from lslo_cli.nn.route import Route
from lslo_cli.search import beam, prediction
from lslo_cli.search.beam import best, ranked_search
from lslo_cli.search.stream import TranslationBatch, TranslationBatches
from lslo_cli.world.text import sentences
from tests.adapters import ADAPTERS


def beam_search(*arguments, **settings):
    """The best hypothesis of every sentence."""
    return best(ranked_search(*arguments, **settings))


TOKENIZER = SimpleNamespace(unused=[])
PAD, EOS = 1, 2
LANGUAGES = (27, 28, 29)
CODES = ("en", "fr", "wo")


def random_base(vocabulary=30, ending=4.0):
    """A random model that is peaked enough to have opinions; ``ending`` is added to the logit of ``</s>``."""
    config = M2M100Config(
        vocab_size=vocabulary,
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        init_std=0.3,
    )
    torch.manual_seed(2)
    model = M2M100ForConditionalGeneration(config)
    model.lm_head.bias = torch.nn.Parameter(torch.zeros(vocabulary).index_fill(0, torch.tensor(EOS), ending))
    return SimpleNamespace(model=model.eval().requires_grad_(False), tokenizer=TOKENIZER)


@pytest.fixture
def batch():
    """Twenty-four sentences of 1 to 9 tokens, mixed and padded: all pairs of three languages."""
    torch.manual_seed(5)
    lengths = torch.randint(1, 10, (24,))
    lengths[0], lengths[1] = 9, 1
    input_ids = torch.randint(4, 27, (24, 9))
    mask = (torch.arange(9) < lengths[:, None]).long()
    source, target = torch.arange(24) // 3 % 3, torch.arange(24) % 3
    languages = torch.tensor(LANGUAGES)[target]
    prompt = torch.stack((torch.full_like(languages, EOS), languages), dim=1)
    return TranslationBatch(
        input_ids.masked_fill(mask == 0, PAD), mask, prompt, source, target, tuple(range(24))
    )


def rows_of(batch, rows):
    fields = (
        batch.input_ids,
        batch.attention_mask,
        batch.prompt_ids,
        batch.source_language,
        batch.target_language,
    )
    return TranslationBatch(*(field[rows] for field in fields), batch.keys[rows])


def with_adapters(base, make):
    """A copy of ``base`` with adapters that ``make`` attaches, and numbers in all of their matrices."""
    model = copy.deepcopy(base.model)
    torch.manual_seed(11)
    adapters = make(model)
    for parameter in adapters.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
        parameter.requires_grad_(False)
    return SimpleNamespace(model=model, tokenizer=TOKENIZER), adapters.route


@pytest.mark.parametrize("ending", [2.0, 3.0, 5.0, -8.0])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_every_token_is_that_of_the_reference(batch, ending, size):
    base = random_base(ending=ending)
    outputs = beam_search(base, batch, None, beam=size, max_length_b=12)
    assert outputs == translate(base, batch, beam=size, max_length_b=12)


@pytest.mark.parametrize("length_penalty", [0.0, 0.6])
def test_the_length_penalty_is_that_of_the_reference(batch, length_penalty):
    settings = {"max_length_b": 12, "length_penalty": length_penalty}
    base = random_base(ending=3.0)
    outputs = beam_search(base, batch, None, **settings)
    assert outputs == translate(base, batch, **settings)
    assert outputs != beam_search(base, batch, None, max_length_b=12)


@pytest.mark.parametrize("longest", [1, 2, 6])
def test_the_longest_hypothesis_ends_by_force(batch, longest):
    base = random_base(ending=-8.0)
    outputs = beam_search(base, batch, None, max_length_b=longest)
    assert {len(output) for output in outputs} == {longest - 1}
    assert outputs == translate(base, batch, max_length_b=longest)
    by_source = beam_search(base, batch, None, max_length_a=0.5, max_length_b=longest)
    assert by_source == beam_search(base, batch, None, max_length_b=longest + 4)  # 0.5 x 9, rounded down


def score_of(model, batch, row, pieces):
    """The mean log-probability of language token, pieces and </s>, all read at once."""
    written = [*batch.prompt_ids[row].tolist(), *pieces, EOS]
    length = int(batch.attention_mask[row].sum())
    logits = model(
        input_ids=batch.input_ids[row : row + 1, :length], decoder_input_ids=torch.tensor([written[:-1]])
    ).logits[0]
    return logits.log_softmax(1).gather(1, torch.tensor(written[1:])[:, None]).mean().item()


def test_scores_are_mean_log_probabilities_and_the_best_comes_first(batch):
    base = random_base(ending=2.0)
    found = ranked_search(base, batch, None, count=3, beam=4, max_length_b=12)
    assert best(found) == beam_search(base, batch, None, beam=4, max_length_b=12)
    for row, ranks in enumerate(found[:4]):
        assert len(ranks) == 3 and len({tuple(pieces) for pieces, _ in ranks}) == 3
        assert [score for _, score in ranks] == sorted((score for _, score in ranks), reverse=True)
        for pieces, score in ranks:
            assert score == pytest.approx(score_of(base.model, batch, row, pieces), rel=1e-4)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_so_many_pieces_in_a_row_never_occur_twice(batch, size):
    base, settings = random_base(ending=-2.0), {"max_length_b": 12, "no_repeat_ngram": size}
    outputs = beam_search(base, batch, None, **settings)
    grams = [[tuple(row[i : i + size]) for i in range(len(row) - size + 1)] for row in outputs]
    assert all(len(set(row)) == len(row) for row in grams)
    assert outputs != beam_search(base, batch, None, max_length_b=12)


def test_a_prefix_begins_every_translation_and_counts(batch):
    base, settings = random_base(ending=3.0), {"max_length_b": 12, "count": 2}
    begun = replace(
        batch, prompt_ids=torch.cat((batch.prompt_ids, torch.tensor([[7, 9]]).expand(24, 2)), dim=1), prefix=2
    )
    found = ranked_search(base, begun, None, **settings)
    assert all(pieces[:2] == [7, 9] for best in found for pieces, _ in best)
    for row in range(4):
        pieces, score = found[row][0]
        assert score == pytest.approx(score_of(base.model, batch, row, pieces), rel=1e-4)


def test_a_source_with_several_targets_is_encoded_once(batch, monkeypatch):
    base = random_base(ending=3.0)
    same = replace(
        batch,
        input_ids=batch.input_ids[::3].repeat_interleave(3, dim=0),
        attention_mask=batch.attention_mask[::3].repeat_interleave(3, dim=0),
        source_language=batch.source_language[::3].repeat_interleave(3, dim=0),
    )
    seen = []
    layer = base.model.get_encoder().layers[0]
    layer.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    outputs = beam_search(base, same, None, max_length_b=12)
    assert seen == [8]
    assert outputs == translate(base, same, max_length_b=12)
    routed, route = with_adapters(
        base, lambda model: attach(model, paper(1, 2), RankMap({"en": 2, "fr": 1, "wo": 3}), CODES, ADAPTERS)
    )
    assert beam_search(routed, same, route, max_length_b=12) != outputs
    with route.of(same.source_language, same.target_language):
        expected = translate(routed, same, max_length_b=12)
    assert beam_search(routed, same, route, max_length_b=12) == expected


def test_a_large_vocabulary_is_searched_in_blocks_and_a_few_rows_at_a_time(batch, monkeypatch):
    base = random_base(vocabulary=1003)
    monkeypatch.setattr(prediction, "LOGITS", 1003 * 5 * 7)
    assert beam_search(base, batch, None, max_length_b=12) == translate(base, batch, max_length_b=12)


def test_padding_is_never_chosen(batch):
    base = random_base()
    base.model.lm_head.bias[PAD] = 9.0
    outputs = beam_search(base, batch, None, max_length_b=12)
    assert outputs == translate(base, batch, max_length_b=12)
    assert not any(token in (PAD, EOS) for output in outputs for token in output)


@pytest.mark.parametrize("leaving", [0.01, 0.5, 2.0])
@pytest.mark.parametrize("steps", [1, 3, 50])
def test_when_sentences_leave_and_slots_are_dropped_changes_nothing(batch, monkeypatch, leaving, steps):
    base = random_base(ending=3.0)
    expected = beam_search(base, batch, None, max_length_b=30)
    monkeypatch.setattr(beam, "LEAVING", leaving)
    monkeypatch.setattr(slots, "STEPS", steps)
    assert beam_search(base, batch, None, max_length_b=30) == expected


def test_sentences_that_are_done_are_not_computed_any_more(batch):
    base = random_base(ending=3.0)
    rows = []
    base.model.get_decoder().layer_norm.register_forward_hook(
        lambda m, inputs, x: rows.append(tuple(x.shape[:2]))
    )
    lengths = sorted(map(len, beam_search(base, batch, None, max_length_b=60)))
    assert rows[:2] == [(24, 2), (24, 5)]  # the prompt, then every hypothesis
    assert rows == sorted(rows, key=lambda shape: -shape[0])
    assert rows[-1][0] < 24 * 0.75
    assert len(rows) >= lengths[-1]


def test_a_sentence_does_not_depend_on_the_others_in_its_batch(batch):
    base = random_base()
    together = beam_search(base, batch, None, max_length_b=12)
    for row in range(0, 24, 5):
        assert beam_search(base, rows_of(batch, slice(row, row + 1)), None, max_length_b=12) == [
            together[row]
        ]


@pytest.mark.parametrize(
    "make",
    [
        lambda model: attach(model, paper(1, 2), RankMap({"en": 2, "fr": 1, "wo": 3}), CODES, ADAPTERS),
        lambda model: attach(model, paper(1, 2), RankMap({"shared": 4}), CODES, ADAPTERS),
        lambda model: attach_mixture(model, 2, CODES, ADAPTERS),
    ],
    ids=["languages", "shared", "mixture"],
)
def test_adapters_are_routed_row_by_row_while_sentences_leave(batch, make):
    plain = random_base(ending=3.0)
    base, route = with_adapters(plain, make)
    with route.of(batch.source_language, batch.target_language):
        expected = translate(base, batch, max_length_b=30)
    assert beam_search(base, batch, route, max_length_b=30) == expected
    assert expected != translate(plain, batch, max_length_b=30)
    assert len(set(map(len, expected))) > 3  # sentences end at different times
    with pytest.raises(RuntimeError, match="outside of Route.of"):
        base.model(input_ids=batch.input_ids, decoder_input_ids=batch.prompt_ids)


@pytest.mark.parametrize("whole", [True, False], ids=["weights", "autocast"])
def test_sixteen_bits_work(batch, whole):
    base, route = with_adapters(
        random_base(),
        lambda model: attach(model, paper(1, 2), RankMap({"en": 2, "fr": 1, "wo": 3}), CODES, ADAPTERS),
    )
    if whole:
        base.model.to(torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16, enabled=not whole):
        outputs = beam_search(base, batch, route, max_length_b=12)
    assert len(outputs) == 24
    assert all(len(output) < 12 and EOS not in output and PAD not in output for output in outputs)


def test_a_model_in_training_mode_is_refused(batch):
    base = random_base()
    base.model.train()
    with pytest.raises(ValueError, match="training mode"):
        beam_search(base, batch, None)


def test_the_world_is_translated_as_by_the_reference():
    base = load_base("world")
    text = sentences("test")
    codes = tuple(text)[:4]
    sources = {Direction(src, tgt): text[src][:6] for src in codes for tgt in codes if src != tgt}
    batches = TranslationBatches(sources, base.tokenizer, codes, max_tokens=600, max_length=100)
    for batch in batches:
        assert beam_search(base, batch, Route()) == translate(base, batch)
