"""Our search and the reference against one in plain Python, written here from a description of the rules."""

import copy
from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import log_softmax
from transformers import M2M100Config, M2M100ForConditionalGeneration

from benchmarks import reference
from lslo_cli.method.ranks import RankMap
from lslo_cli.method.strategy import Index, uniform
from lslo_cli.nn.attach import attach, site_module
from lslo_cli.search.beam import best, ranked_search
from lslo_cli.search.stream import TranslationBatch
from tests.adapters import ADAPTERS


def beam_search(*arguments, **settings):
    """The best hypothesis of every sentence."""
    return best(ranked_search(*arguments, **settings))


TOKENIZER = SimpleNamespace(unused=[])
PAD, EOS = 1, 2
LANGUAGES = (27, 28, 29)
VOCABULARY = 30


@pytest.fixture(scope="module")
def base():
    """A random model that is peaked enough to have opinions."""
    config = M2M100Config(
        vocab_size=VOCABULARY,
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
    return SimpleNamespace(model=M2M100ForConditionalGeneration(config).eval(), tokenizer=TOKENIZER)


@pytest.fixture
def prefer(base):
    """Add ``bias`` to every logit of a token: random models do not end by themselves, nor choose <pad>."""
    handles = []

    def prefer(bias, token=EOS):
        row = torch.zeros(VOCABULARY)
        row[token] = bias
        handles.append(base.model.lm_head.register_forward_hook(lambda module, inputs, logits: logits + row))

    yield prefer
    for handle in handles:
        handle.remove()


@pytest.fixture(params=[beam_search, reference.translate], ids=["ours", "reference"])
def search(request):
    return request.param


@pytest.fixture(scope="module")
def batch():
    """Twenty-four sentences of 3 to 9 tokens into three languages, mixed and padded."""
    torch.manual_seed(5)
    lengths = torch.randint(3, 10, (24,))
    input_ids = torch.randint(4, 27, (24, 9))
    mask = (torch.arange(9) < lengths[:, None]).long()
    source, target = torch.arange(24) // 3 % 3, torch.arange(24) % 3
    languages = torch.tensor(LANGUAGES)[target]
    prompt = torch.stack((torch.full_like(languages, EOS), languages), dim=1)
    ids = input_ids.masked_fill(mask == 0, PAD)
    return TranslationBatch(ids, mask, prompt, source, target, tuple(range(24)))


def fairseq_search(model, source, language, beam, longest, length_penalty):
    """Every finished hypothesis of one sentence with its score, as fairseq's generator finds them.

    Step by step: all one-token continuations of the living hypotheses, never <pad>; at first only the
    language token, at the last step only </s>. Of the best 2 x beam, those among the first ``beam`` that end
    are finished, and the best ``beam`` that do not end live on. Once ``beam`` are finished, that is all.
    """
    living, finished = [((), 0.0)], []
    for step in range(longest + 1):
        decoder_input = torch.tensor([[EOS, *tokens] for tokens, _ in living])
        sources = source.expand(len(living), -1)
        with torch.no_grad():
            logits = model(
                input_ids=sources, attention_mask=torch.ones_like(sources), decoder_input_ids=decoder_input
            ).logits
        continuations = [
            ((*tokens, token), score + value)
            for (tokens, score), row in zip(
                living, log_softmax(logits[:, -1].float(), -1).tolist(), strict=True
            )
            for token, value in enumerate(row)
            if token != PAD and (step > 0 or token == language) and (step < longest or token == EOS)
        ]
        best = sorted(continuations, key=lambda continuation: -continuation[1])[: 2 * beam]
        for tokens, score in best[:beam]:
            if tokens[-1] == EOS and len(finished) < beam:
                finished.append((tokens, score / len(tokens) ** length_penalty))
        living = [(tokens, score) for tokens, score in best if tokens[-1] != EOS][:beam]
        if len(finished) == beam or not living:
            break
    return finished


def expected(base, batch, beam=5, longest=12, length_penalty=1.0):
    """The best hypothesis of each sentence, each searched alone and unpadded, without its special tokens."""
    outputs = []
    for ids, mask, prompt in zip(batch.input_ids, batch.attention_mask, batch.prompt_ids, strict=True):
        found = fairseq_search(
            base.model, ids[mask.bool()][None], prompt[1].item(), beam, longest, length_penalty
        )
        tokens, _ = max(found, key=lambda hypothesis: hypothesis[1])
        outputs.append(list(tokens[1:-1]))
    return outputs


@pytest.mark.parametrize("bias", [2.0, 3.0, 4.0, 5.0])
def test_fairseq_mode_finds_what_fairseqs_rules_find(base, batch, prefer, search, bias):
    prefer(bias)
    outputs = search(base, batch, max_length_b=12)
    assert outputs == expected(base, batch)
    assert len(set(map(len, outputs))) > 1  # else the test would say little


def test_the_best_ones_are_those_that_fairseqs_rules_finish(base, batch, prefer):
    prefer(3.0)
    ranked = ranked_search(base, batch, None, count=4, max_length_b=12)
    for row in range(0, 24, 4):
        ids, mask = batch.input_ids[row], batch.attention_mask[row].bool()
        language = batch.prompt_ids[row, 1].item()
        found = fairseq_search(base.model, ids[mask][None], language, 5, 12, 1.0)
        best = sorted(found, key=lambda hypothesis: -hypothesis[1])[:4]
        assert [pieces for pieces, _ in ranked[row]] == [list(tokens[1:-1]) for tokens, _ in best]
        assert [score for _, score in ranked[row]] == pytest.approx([score for _, score in best], rel=1e-4)


@pytest.mark.parametrize("beam", [1, 2, 7])
def test_any_beam_size_follows_the_rules(base, batch, prefer, search, beam):
    prefer(4.0)
    assert search(base, batch, beam=beam, max_length_b=12) == expected(base, batch, beam=beam)


@pytest.mark.parametrize(
    ("asked", "beam"), [(16, 16), (VOCABULARY - 1, VOCABULARY - 1), (VOCABULARY, VOCABULARY - 1), (99, 29)]
)
def test_a_beam_as_wide_as_the_vocabulary_follows_the_rules(base, batch, prefer, asked, beam):
    """As in fairseq it is at most one less than the vocabulary, of which <pad> is never chosen."""
    prefer(4.0)
    ranked = ranked_search(base, batch, count=beam, beam=asked, max_length_b=5)
    for row in range(0, 24, 4):
        ids, mask = batch.input_ids[row], batch.attention_mask[row].bool()
        language = batch.prompt_ids[row, 1].item()
        found = fairseq_search(base.model, ids[mask][None], language, beam, 5, 1.0)
        expected = sorted(found, key=lambda hypothesis: -hypothesis[1])
        assert [score for _, score in ranked[row]] == pytest.approx(
            [score for _, score in expected], rel=1e-4
        )
        assert sorted(pieces for pieces, _ in ranked[row]) == sorted(
            list(tokens[1:-1]) for tokens, _ in expected
        )


def test_a_wide_beam_never_keeps_what_may_not_be_chosen(base, batch):
    unused = list(range(4, 24))
    narrow = SimpleNamespace(model=base.model, tokenizer=SimpleNamespace(unused=unused))
    for ranked in ranked_search(narrow, batch, count=29, beam=29, max_length_b=3):
        assert ranked and not {token for pieces, _ in ranked for token in pieces} & {PAD, EOS, *unused}
        assert len({tuple(pieces) for pieces, _ in ranked}) == len(ranked)


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 2.0])
def test_the_length_penalty_counts_language_token_and_end(base, batch, prefer, search, length_penalty):
    prefer(4.0)
    outputs = search(base, batch, max_length_b=12, length_penalty=length_penalty)
    assert outputs == expected(base, batch, length_penalty=length_penalty)


def test_the_longest_hypothesis_counts_the_language_token_and_ends_by_force(base, batch, prefer, search):
    prefer(-8.0)
    outputs = search(base, batch, max_length_b=6)
    assert {len(output) for output in outputs} == {5}
    assert outputs == expected(base, batch, longest=6)
    assert search(base, batch, max_length_a=0.5, max_length_b=2) == outputs  # 0.5 x 9 + 2, rounded down


def test_a_sentence_does_not_depend_on_the_others_in_its_batch(base, batch, prefer, search):
    prefer(4.0)
    together = search(base, batch, max_length_b=12)
    for row in range(0, 24, 5):
        one = slice(row, row + 1)
        fields = ("input_ids", "attention_mask", "prompt_ids", "source_language", "target_language", "keys")
        alone = replace(batch, **{name: getattr(batch, name)[one] for name in fields})
        assert search(base, alone, max_length_b=12) == [together[row]]


def test_the_target_language_is_that_of_each_row(base, batch, prefer, search):
    prefer(4.0)
    mixed = search(base, batch, max_length_b=12)
    for place, language in enumerate(LANGUAGES):
        prompt_ids = torch.tensor([[EOS, language]]).expand(24, -1)
        into_one = replace(batch, prompt_ids=prompt_ids)
        assert search(base, into_one, max_length_b=12)[place::3] == mixed[place::3]


def test_padding_is_never_chosen(base, batch, prefer, search):
    prefer(4.0)
    prefer(4.0, token=PAD)
    assert search(base, batch, max_length_b=12) == expected(base, batch)


def test_special_tokens_never_reach_the_output(base, batch, prefer, search):
    prefer(4.0)
    for output in search(base, batch, max_length_b=12):
        assert PAD not in output and EOS not in output


def test_a_routed_batch_is_translated_as_by_one_merged_model_per_direction(base, batch, prefer):
    torch.manual_seed(11)
    source, target = batch.source_language, batch.target_language
    routed = copy.deepcopy(base.model)
    strategy = uniform(Index.SOURCE, 1, 2)
    adapters = attach(routed, strategy, RankMap({"en": 2, "fr": 1, "wo": 3}), ("en", "fr", "wo"), ADAPTERS)
    for parameter in adapters.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    row = torch.zeros(VOCABULARY).index_fill(0, torch.tensor([EOS]), 4.0)
    routed.lm_head.register_forward_hook(lambda module, inputs, logits: logits + row)
    together = beam_search(
        SimpleNamespace(model=routed, tokenizer=TOKENIZER), batch, adapters.route, max_length_b=12
    )
    prefer(4.0)
    assert together != beam_search(base, batch, max_length_b=12)
    for src, tgt in product(range(3), range(3)):
        merged = copy.deepcopy(base.model)
        for site, adapter in adapters.by_site.items():
            slot = src if strategy.of(site.layer) is Index.SOURCE else tgt
            matrices = adapter.matrices(slot)
            with torch.no_grad():
                site_module(merged, site).weight += matrices["B"] @ matrices["A"]
        rows = (source == src) & (target == tgt)
        alone = beam_search(SimpleNamespace(model=merged, tokenizer=TOKENIZER), batch, max_length_b=12)
        assert [out for out, mine in zip(alone, rows, strict=True) if mine] == [
            out for out, mine in zip(together, rows, strict=True) if mine
        ]
