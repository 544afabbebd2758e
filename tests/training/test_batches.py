from collections import Counter
from itertools import permutations

import numpy as np
import pytest
import torch

from benchmarks.batches import padding_of
from lslo_cli.data.corpus import Corpus, CorpusSection, load_corpus
from lslo_cli.errors import InputError
from lslo_cli.method.languages import LANG12, Direction
from lslo_cli.training.batches import EpochBatches, token_budget
from lslo_cli.training.tokenized import TokenizedCorpus

LANGUAGES = ("wo", "en", "fr")
DIRECTIONS = [Direction(*pair) for pair in permutations(LANGUAGES, 2)]


def many_lengths(rows, seed=0):
    generator = np.random.default_rng(seed)
    return Corpus(
        (
            CorpusSection(
                "news",
                {
                    code: [
                        " ".join([f"{code}{row}"] * n)
                        for row, n in enumerate(generator.integers(1, 30, size=rows))
                    ]
                    for code in LANGUAGES
                },
            ),
        )
    )


@pytest.fixture
def epochs(words):
    def epochs(corpus=None, directions=DIRECTIONS, **changes):
        settings = {"max_tokens": 400, "max_length": 100, "temperature": 5.0, "seed": 2, **changes}
        return EpochBatches(
            TokenizedCorpus(corpus or many_lengths(100), words), directions, LANGUAGES, **settings
        )

    return epochs


def rows_of(batch):
    """Each row of a batch as ((source language, target language), source ids, target ids) without padding."""
    return [
        (
            (LANGUAGES[src], LANGUAGES[tgt]),
            tuple(ids[mask.bool()].tolist()),
            tuple(labels[labels != -100].tolist()),
        )
        for ids, mask, labels, src, tgt in zip(
            batch.input_ids,
            batch.attention_mask,
            batch.labels,
            batch.source_language,
            batch.target_language,
            strict=True,
        )
    ]


def test_a_batch_is_padded_on_the_right_with_the_labels_ignored(epochs, words):
    corpus = Corpus((CorpusSection("news", {"en": ["a b", "c"], "fr": ["d", "e f g"]}),))
    batch = epochs(corpus, [Direction("en", "fr")]).batches(1)[0]
    order = [1, 0] if batch.attention_mask[0].sum() == 3 else [0, 1]
    en, fr = words.language_id("en"), words.language_id("fr")
    (a, b), (c,), (d,), (e, f, g) = (words.encode(text) for text in ("a b", "c", "d", "e f g"))
    assert batch.input_ids[order].tolist() == [[en, a, b, 2], [en, c, 2, 1]]
    assert batch.attention_mask[order].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert batch.labels[order].tolist() == [[fr, d, 2, -100, -100], [fr, e, f, g, 2]]
    assert batch.source_language.tolist() == [1, 1] and batch.target_language.tolist() == [2, 2]
    assert batch.tokens == 8 and len(batch) == 2
    tensors = [value for value in vars(batch).values() if isinstance(value, torch.Tensor)]
    assert len(tensors) == 5 and all(tensor.dtype == torch.int64 for tensor in tensors)


def test_an_epoch_has_every_pair_of_equal_directions_exactly_once(epochs, words):
    corpus = many_lengths(100)
    seen = Counter(row for batch in epochs(corpus).batches(1) for row in rows_of(batch))
    text = corpus.sections[0].text
    expected = Counter(
        (
            (d.src, d.tgt),
            tuple(words.source_ids(words.encode(src), d.src, d.tgt)),
            tuple(words.target_ids(words.encode(tgt), d.src, d.tgt)),
        )
        for d in DIRECTIONS
        for src, tgt in zip(text[d.src], text[d.tgt], strict=True)
    )
    assert seen == expected
    assert len(seen) == 600


def test_no_batch_exceeds_its_budget_and_tokens_count_the_labels(epochs):
    for max_tokens in (32, 100, 1000):
        for batch in epochs(max_tokens=max_tokens).batches(3):
            assert len(batch) * max(batch.input_ids.shape[1], batch.labels.shape[1]) <= max_tokens
            assert batch.tokens == (batch.labels != -100).sum()


def test_batches_mix_directions_and_differ_between_epochs_and_seeds(epochs):
    data = epochs()
    first, second = ([frozenset(rows_of(batch)) for batch in data.batches(epoch)] for epoch in (1, 2))
    assert sum(len({direction for direction, _, _ in batch}) > 1 for batch in first) > 0.9 * len(first)
    assert len(set(first) & set(second)) < 0.1 * len(first)
    other = [frozenset(rows_of(batch)) for batch in epochs(seed=3).batches(1)]
    assert len(set(first) & set(other)) < 0.1 * len(first)


def test_an_epoch_is_a_function_of_its_seed_and_number(epochs):
    first = [rows_of(batch) for batch in epochs().batches(4)]
    np.random.seed(0)
    torch.manual_seed(0)
    data = epochs()
    list(data.batches(1))
    assert [rows_of(batch) for batch in data.batches(4)] == first


def test_batches_come_in_no_order_of_length(epochs):
    widths = [batch.input_ids.shape[1] for batch in epochs(many_lengths(400)).batches(1)]
    assert abs(np.corrcoef(widths, np.arange(len(widths)))[0, 1]) < 0.4


def test_updates_group_the_batches_of_an_epoch_in_their_order(epochs):
    data = epochs()
    batches = [rows_of(batch) for batch in data.batches(1)]
    updates = list(data.updates(1, accumulate=4))
    assert [rows_of(batch) for update in updates for batch in update] == batches
    assert {len(update) for update in updates[:-1]} == {4}
    assert 1 <= len(updates[-1]) <= 4 and len(updates) == -(-len(data.batches(1)) // 4)
    assert len(list(data.updates(1))) == len(batches)


def test_pairs_with_a_long_side_are_dropped_and_counted(epochs):
    corpus = Corpus((CorpusSection("news", {"en": ["a", "b b b", "c"], "fr": ["d", "e", "f f f f f f"]}),))
    data = epochs(corpus, [Direction("en", "fr"), Direction("fr", "en")], max_length=5)
    assert (data.skipped, data.sizes.tolist()) == (2, [2, 2])
    assert epochs(corpus, [Direction("en", "fr")], max_length=8).skipped == 0
    assert epochs(corpus, [Direction("en", "fr")], max_tokens=4).skipped == 2
    with pytest.raises(InputError, match="of 3 in 1 direction, 3 are longer than 2 tokens"):
        epochs(corpus, [Direction("en", "fr")], max_length=2)


def test_languages_without_common_text_cannot_be_trained_on(epochs):
    corpus = Corpus((CorpusSection("news", {"en": ["a", ""], "fr": ["", "b"]}),))
    with pytest.raises(InputError, match="of 0 in 1 direction,"):
        epochs(corpus, [Direction("en", "fr")])


def test_uneven_bitext_is_sampled_by_temperature(epochs):
    sizes = {"en-fr": 1000, "en-wo": 100}
    corpus = Corpus(
        tuple(
            CorpusSection(pair, {code: [f"{code} {row}" for row in range(size)] for code in pair.split("-")})
            for pair, size in sizes.items()
        )
    )
    data = epochs(corpus, [Direction("en", "fr"), Direction("en", "wo")])
    seen = Counter(direction for batch in data.batches(1) for direction, _, _ in rows_of(batch))
    assert seen[("en", "fr")] in (999, 1000) and sum(seen.values()) == 1630


def test_a_batch_moves_to_a_device_whole(epochs):
    moved = epochs().batches(1)[0].to("meta")
    assert {value.device.type for value in vars(moved).values() if isinstance(value, torch.Tensor)} == {
        "meta"
    }


def test_the_token_budget_cuts_runs_as_long_as_they_can_be():
    widths = np.array([3, 3, 4, 9, 1, 1, 1])
    assert token_budget(widths, 8) == [(0, 2), (2, 3), (3, 4), (4, 7)]
    assert token_budget(widths, 12) == [(0, 3), (3, 4), (4, 7)]
    assert token_budget(widths[:0], 12) == []


@pytest.mark.parametrize("max_tokens", [1000, 4000])
def test_padding_stays_under_fifteen_per_cent_on_flores(flores, words, max_tokens):
    corpus = load_corpus(flores, LANG12, "dev")
    # Characters in groups of four are about as long as pieces, also where words are not spaced.
    words.encode = lambda text: list(range(-(-len(text.encode()) // 4)))
    directions = [Direction(*pair) for pair in permutations(LANG12, 2)]
    data = EpochBatches(
        TokenizedCorpus(corpus, words),
        directions,
        LANG12,
        max_tokens=max_tokens,
        max_length=200,
        temperature=5,
        seed=2,
    )
    epoch = data.batches(1)
    assert data.skipped < 0.01 * 131_604
    assert 1 < padding_of(epoch) < 1.15
    batches = [epoch[index] for index in range(20)]
    assert all(
        len(batch) * max(batch.input_ids.shape[1], batch.labels.shape[1]) <= max_tokens for batch in batches
    )


@pytest.mark.gpu
def test_a_pinned_batch_is_the_same_batch_and_travels_by_itself(epochs):
    batch = epochs().batches(1)[0]
    pinned = batch.pinned()
    assert all(value.is_pinned() for value in vars(pinned).values() if isinstance(value, torch.Tensor))
    assert torch.equal(pinned.to("cuda").labels.cpu(), batch.labels)


def test_padding_to_a_multiple_keeps_the_sentences_and_leaves_few_shapes(epochs):
    free, even = (list(epochs(many_lengths(200), multiple=multiple).batches(1)) for multiple in (1, 8))
    assert {batch.input_ids.shape[1] % 8 for batch in even} == {0} == {b.labels.shape[1] % 8 for b in even}
    assert all(batch.input_ids.numel() <= 400 and batch.labels.numel() <= 400 for batch in even)
    assert Counter(row for batch in even for row in rows_of(batch)) == Counter(
        row for batch in free for row in rows_of(batch)
    )


def test_rows_of_a_batch_stand_by_target_then_source_whatever_the_order_of_directions(epochs):
    built = epochs(directions=DIRECTIONS[::-1]).batches(1)[0]
    keys = list(zip(built.target_language.tolist(), built.source_language.tolist(), strict=True))
    assert len(set(keys)) > 1 and keys == sorted(keys)


def test_examples_need_twenty_bytes_each_and_pairs_that_all_fit_are_not_copied(epochs):
    source = epochs()
    assert not source.skipped
    assert sum(column.itemsize for column in vars(source.examples).values()) == 20
    assert {column.base is not None for column in vars(source.examples).values()} == {True}


def uneven(sizes):
    """A section for each direction, of so many rows."""
    return Corpus(
        tuple(
            CorpusSection(
                str(each), {code: [f"{code}{row} x" for row in range(size)] for code in (each.src, each.tgt)}
            )
            for each, size in sizes.items()
        )
    )


def test_a_loss_is_measured_on_every_pair_once_whatever_the_temperature(epochs):
    sizes = {Direction("en", "fr"): 90, Direction("en", "wo"): 10, Direction("fr", "wo"): 10}
    data = epochs(uneven(sizes), list(sizes), temperature=5.0)
    seen = Counter(row for batch in data.every_pair() for row in rows_of(batch))
    assert len(seen) == 110 and set(seen.values()) == {1}
    drawn = Counter(row for batch in data.batches(1) for row in rows_of(batch))
    assert len(drawn) < 110 and max(drawn.values()) > 1  # as training draws them


def test_where_directions_are_equal_a_loss_is_measured_on_the_batches_of_an_epoch(epochs):
    data = epochs(temperature=5.0)
    both = ([rows_of(batch) for batch in epoch] for epoch in (data.every_pair(), data.batches(1)))
    assert next(both) == next(both)
