"""Training batches: mixed directions under a token budget, with little padding, reshuffled every epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from lslo_cli.errors import InputError
from lslo_cli.method.languages import Direction
from lslo_cli.nn.loss import IGNORED
from lslo_cli.training.sampling import PairSampler, epoch_generator
from lslo_cli.training.tokenized import Examples, TokenizedCorpus
from lslo_cli.wording import counted

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

POOL = 256
"""Batches per random pool that is sorted by length: larger pools pad less, smaller ones mix more."""

AnyBatch = TypeVar("AnyBatch", bound="DataclassInstance")
Length = TypeVar("Length", int, np.ndarray)


@dataclass(frozen=True)
class Batch:
    """Sentence pairs of any directions, padded on the right.

    input_ids, attention_mask (b, s); labels (b, t), pads -100; source_language, target_language (b,), indices
    into the experiment's languages; all int64. ``tokens`` counts the labels that have a loss: neither padding
    nor the token of a new language.
    """

    input_ids: Tensor
    attention_mask: Tensor
    labels: Tensor
    source_language: Tensor
    target_language: Tensor
    tokens: int

    def __len__(self) -> int:
        return len(self.input_ids)

    @property
    def size(self) -> int:
        """The unit of speed: target tokens."""
        return self.tokens

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        return on_device(self, device)

    def pinned(self) -> Batch:
        """The same batch in page-locked memory, for asynchronous copies to a CUDA device."""
        return _each_tensor(self, Tensor.pin_memory)


class EpochBatches:
    """The batches of every epoch, each a function of (seed, epoch) alone.

    In a batch, sentences x longest side <= ``max_tokens``, where the longest side is the maximum over its
    source and target lengths, specials included (fairseq's ``--max-tokens``). A pair with a side longer than
    ``max_length`` or ``max_tokens`` is dropped before sampling; ``skipped`` counts them. Both sides are
    padded to a multiple of ``multiple`` tokens, for fewer shapes on devices that compile each one.
    """

    def __init__(
        self,
        corpus: TokenizedCorpus,
        directions: Sequence[Direction],
        languages: Sequence[str],
        *,
        max_tokens: int,
        max_length: int,
        temperature: float,
        seed: int,
        multiple: int = 1,
    ):
        """``languages`` determines the language indices; it includes both languages of every direction.

        Raises InputError if no sentence pair remains.
        """
        self.corpus = corpus
        self.directions = tuple(directions)
        self.languages = tuple(languages)
        self.max_tokens = max_tokens
        self.seed = seed
        self.multiple = multiple
        examples = corpus.examples(self.directions)
        fits = examples.width <= min(max_length, max_tokens)
        self.examples = examples if fits.all() else examples[fits]
        self.skipped = len(examples) - len(self.examples)
        if not len(self.examples):
            raise InputError(
                f"no sentence pair to train on: of {len(examples)} in "
                f"{counted(len(self.directions), 'direction')}, {self.skipped} are longer than "
                f"{counted(min(max_length, max_tokens), 'token')}",
                "check that the languages have text in common, or raise the limits on length and batch",
            )
        # The position of each direction when sorted by target language, then by source.
        number = {language: position for position, language in enumerate(self.languages)}
        keys = [number[d.tgt] * len(number) + number[d.src] for d in self.directions]
        self._target_order = np.argsort(np.argsort(keys))
        self.sizes = np.bincount(self.examples.direction, minlength=len(self.directions))
        self.sampler = PairSampler(self.sizes, temperature)

    @property
    def with_pairs(self) -> tuple[Direction, ...]:
        """The directions that have a sentence pair."""
        return tuple(each for each, size in zip(self.directions, self.sizes, strict=True) if size)

    @property
    def without_pairs(self) -> tuple[str, ...]:
        """The languages that no sentence pair is from or to."""
        found = {code for direction in self.with_pairs for code in (direction.src, direction.tgt)}
        return tuple(code for code in self.languages if code not in found)

    def batches(self, epoch: int) -> Epoch:
        """The batches of an epoch in the order of training; tensors are built on access."""
        return self._drawn(self.sampler, epoch)

    def every_pair(self) -> Epoch:
        """Batches of every pair once, whatever the temperature: the text to measure a loss on."""
        return self._drawn(PairSampler(self.sizes, temperature=1.0), epoch=1)

    def _drawn(self, sampler: PairSampler, epoch: int) -> Epoch:
        generator = epoch_generator(self.seed, epoch)
        starts = np.cumsum(self.sizes) - self.sizes
        drawn = sampler.sample(generator)
        chosen = np.concatenate([start + index for start, index in zip(starts, drawn, strict=True)])
        del drawn  # with hundreds of languages each copy of an epoch is hundreds of megabytes
        groups = _grouped(chosen, self.examples, self.max_tokens, self.multiple, generator)
        generator.shuffle(groups)
        return Epoch(self, groups)

    def updates(self, epoch: int, accumulate: int = 1) -> Iterator[list[Batch]]:
        """The batches of an epoch, ``accumulate`` at a time; the last group may be smaller."""
        batches = self.batches(epoch)
        for start in range(0, len(batches), accumulate):
            yield [batches[index] for index in range(start, min(start + accumulate, len(batches)))]

    def build(self, index: np.ndarray) -> Batch:
        """The batch of the examples at ``index``, with the rows of each target language adjacent.

        Most adapters are selected by the target, and then have each language's rows in one run.
        """
        sources, targets, directions = [], [], []
        tokenizer = self.corpus.tokenizer
        order = np.argsort(self._target_order[self.examples.direction[index]], kind="stable")
        chosen = self.examples[index[order]]
        for number, section, row in zip(chosen.direction, chosen.section, chosen.row, strict=True):
            src, tgt = (direction := self.directions[number]).src, direction.tgt
            sources.append(tokenizer.source_ids(self.corpus.pieces(src, section, row), src, tgt))
            targets.append(tokenizer.target_ids(self.corpus.pieces(tgt, section, row), src, tgt))
            directions.append(direction)
        input_ids, attention_mask = padded(sources, tokenizer.pad_id, self.multiple)
        labels, _ = padded(targets, IGNORED, self.multiple)
        return Batch(
            input_ids,
            attention_mask,
            labels,
            *language_indices(directions, self.languages),
            tokens=int(((labels != IGNORED) & (labels < tokenizer.output_size)).sum()),
        )


class Epoch:
    """The batches of one epoch, each built on access."""

    def __init__(self, source: EpochBatches, groups: list[np.ndarray]):
        self._source = source
        self._groups = groups

    def __len__(self) -> int:
        return len(self._groups)

    def __getitem__(self, index: int) -> Batch:
        return self._source.build(self._groups[index])

    def __iter__(self) -> Iterator[Batch]:
        return (self[index] for index in range(len(self)))


def _grouped(
    chosen: np.ndarray, examples: Examples, max_tokens: int, multiple: int, generator: Generator
) -> list[np.ndarray]:
    """Split ``chosen``, indices into ``examples``, into batches of similar lengths."""
    width = _rounded_up(examples.width, multiple)
    pools = -(-int(width[chosen].sum()) // (POOL * max_tokens))
    groups = []
    for pool in np.array_split(generator.permutation(chosen), pools):
        batches = int(width[pool].sum()) / max_tokens
        pool = pool[_by_length(examples[pool], batches**0.5, generator)]
        groups += [pool[start:stop] for start, stop in token_budget(width[pool], max_tokens)]
    return groups


def _by_length(examples: Examples, strips: float, generator: Generator) -> np.ndarray:
    """An order in which neighbours are alike in source and in target length.

    Source length splits the examples into about as many strips as each strip will have batches, and target
    length sorts within a strip, ascending and descending in turn. Sorting by source and then by target would
    leave target lengths random in batches with several source lengths. The end of the first strip is random,
    so that the batches of a small corpus differ between epochs.
    """
    order = np.argsort(examples.source_length, kind="stable")
    strip = (np.arange(len(order)) / len(order) * max(1.0, strips) + generator.random()).astype(int)
    target = examples.target_length[order]
    return order[np.lexsort((np.where(strip % 2, -target, target), strip))]


def token_budget(widths: np.ndarray, max_tokens: int) -> list[tuple[int, int]]:
    """Split a sequence into longest runs [start, stop) with sentences x widest <= ``max_tokens``.

    A single sentence wider than the budget is a run by itself.
    """
    runs = []
    start = widest = 0
    for index, width in enumerate(widths.tolist()):
        widest = max(widest, width)
        count = index - start + 1
        if count > 1 and count * widest > max_tokens:
            runs.append((start, index))
            start, widest = index, width
    return [*runs, (start, len(widths))] if len(widths) else []


def on_device(batch: AnyBatch, device: torch.device | str) -> AnyBatch:
    """A dataclass with all its tensors on ``device``, and the rest unchanged."""
    return _each_tensor(batch, lambda tensor: tensor.to(device, non_blocking=True))


def _each_tensor(batch: AnyBatch, change: Callable[[Tensor], Tensor]) -> AnyBatch:
    tensors = {name: change(value) for name, value in vars(batch).items() if isinstance(value, Tensor)}
    return replace(batch, **tensors)


def padded(rows: Sequence[Sequence[int]], pad: int, multiple: int = 1) -> tuple[Tensor, Tensor]:
    """Rows of ids side by side, padded on the right: ids and mask, both int64 (rows, longest).

    ``longest`` is rounded up to a multiple of ``multiple``.
    """
    lengths = np.array([len(row) for row in rows])
    mask = np.arange(_rounded_up(int(lengths.max()), multiple)) < lengths[:, None]  # (rows, longest)
    ids = np.full(mask.shape, pad, dtype=np.int64)
    ids[mask] = np.concatenate(rows)
    return torch.from_numpy(ids), torch.from_numpy(mask.astype(np.int64))


def language_indices(directions: Sequence[Direction], languages: Sequence[str]) -> tuple[Tensor, Tensor]:
    """The indices of each direction's source and target in ``languages``: int64 (b,) both."""
    index = {code: position for position, code in enumerate(languages)}
    src = torch.tensor([index[direction.src] for direction in directions])
    return src, torch.tensor([index[direction.tgt] for direction in directions])


def _rounded_up(length: Length, multiple: int) -> Length:
    """A length, or each of an array, rounded up to a multiple of ``multiple``."""
    return -(-length // multiple) * multiple


class FixedEpochs:
    """Epochs of a fixed number of batches: consecutive parts of the sequence of a corpus's own epochs."""

    def __init__(self, source: EpochBatches, size: int):
        """``size`` is the number of batches of every epoch."""
        self._source = source
        self._size = size
        self._ends: list[int] = []

    def batches(self, epoch: int) -> list[None]:
        """A list of the right length only; the tensors come from :meth:`updates`."""
        return [None] * self._size

    def updates(self, epoch: int, accumulate: int) -> Iterator[list[Batch]]:
        start, stop = (epoch - 1) * self._size, epoch * self._size
        for first in range(start, stop, accumulate):
            yield [self._batch(position) for position in range(first, min(first + accumulate, stop))]

    def _batch(self, position: int) -> Batch:
        """The batch at a position in the endless sequence."""
        while not self._ends or position >= self._ends[-1]:
            self._current = self._source.batches(len(self._ends) + 1)
            self._ends.append((self._ends[-1] if self._ends else 0) + len(self._current))
        begin = self._ends[-2] if len(self._ends) > 1 else 0
        return self._current[position - begin]
