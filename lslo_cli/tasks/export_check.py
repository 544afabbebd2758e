"""Compare an export with its run on a few sentence pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, nn

from lslo_cli.errors import InputError, RunError
from lslo_cli.method.languages import Direction
from lslo_cli.nn.route import Route
from lslo_cli.tasks.setup import Setup

Example = tuple[Direction, list[int], list[int]]
"""A direction, and the ids that encoder and decoder read for a sentence pair."""

CHECKED_DIRECTIONS = 20
CHECKED_SENTENCES = 2
TOLERANCE = 1e-3
"""The most that a logit may differ, relative to the largest logit of its sentence."""

QUANTIZED_PAIRS = 40
"""Sentence pairs for the perplexity of eight-bit weights; with fewer it is too noisy."""

QUANTIZED_PERPLEXITY = 1.25
"""The largest factor by which rounding to eight bits may raise the perplexity of references."""


def examples_of(setup: Setup, directions: Sequence[Direction], pairs: int = 0) -> list[Example]:
    """The ids that encoder and decoder read for a few sentence pairs of the test text.

    They are :data:`CHECKED_SENTENCES` of each :func:`representative` direction, or more to reach ``pairs`` in
    all. Raises InputError if no direction has text.
    """
    corpus, tokenizer = setup.read(setup.recipe.data.test), setup.base.tokenizer

    def fitting(direction: Direction) -> Iterator[Example]:
        """Its pairs that training would not leave out as too long."""
        src, tgt = direction.src, direction.tgt
        for x, y in zip(*corpus.pairs(direction), strict=True):
            source = tokenizer.source_ids(tokenizer.encode(x), src, tgt)
            target = [*tokenizer.decoder_prompt(src, tgt), *tokenizer.encode(y)]
            if max(len(source), len(target)) <= setup.max_length:
                yield direction, source, target

    chosen = representative([each for each in directions if corpus.size(each) and next(fitting(each), None)])
    if not chosen:
        raise InputError(
            f"the test text has no sentence pair to compare the export on, of at most "
            f"{setup.length_limit(setup.max_length)}",
            "name another with --data",
        )
    sentences = max(CHECKED_SENTENCES, -(-pairs // len(chosen)))
    return [example for direction in chosen for example in islice(fitting(direction), sentences)]


def representative(directions: Sequence[Direction]) -> list[Direction]:
    """A few directions with every language that is a source or a target in ``directions`` on that side.

    They are :data:`CHECKED_DIRECTIONS` if there are so many, or more if the languages need more.
    """
    chosen: dict[Direction, None] = {}
    for needed in (2, 1):  # those that are new on both sides come first, so that few are enough
        for each in directions:
            new = all(each.src != one.src for one in chosen) + all(each.tgt != one.tgt for one in chosen)
            if new >= needed:
                chosen[each] = None
    rest = (each for each in directions if each not in chosen)
    return [*chosen, *islice(rest, max(0, CHECKED_DIRECTIONS - len(chosen)))]


def routed_logits(
    setup: Setup, route: Route | None, direction: Direction, source: list[int], target: list[int]
) -> Tensor:
    """The logits (length, ids) of one sentence pair by the run itself, on the CPU."""
    device = setup.accelerator.device
    src, tgt = (
        torch.tensor([setup.codes.index(code)], device=device) for code in (direction.src, direction.tgt)
    )
    with (route or Route()).of(src, tgt):
        return logits_of(setup, setup.base.model.eval(), direction, source, target)


@torch.no_grad()
def logits_of(
    setup: Setup, model: nn.Module, direction: Direction, source: list[int], target: list[int]
) -> Tensor:
    """The logits (length, ids) of one sentence pair, on the CPU."""
    device = next(model.parameters()).device
    ids = torch.tensor([source], device=device)
    output = model(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        decoder_input_ids=torch.tensor([target], device=device),
        use_cache=False,
    )
    return output.logits[0].float().cpu()


def largest_difference(expected: Sequence[Tensor], found: Iterable[Tensor], folder: Path) -> float:
    """The largest difference of a logit.

    Raises RunError if one is more than :data:`TOLERANCE` of the largest logit of its sentence.
    """
    largest = 0.0
    for routed, other in zip(expected, found, strict=True):
        difference = float((routed - other).abs().max())
        if not difference <= TOLERANCE * float(routed.abs().max()):
            raise RunError(
                f"the export's logits differ from the routed model's by {difference:.3g}; {folder} was not "
                "written",
                "train the run again, or report this",
            )
        largest = max(largest, difference)
    return largest


def perplexity_ratio(expected: Sequence[Tensor], found: Iterable[Tensor], folder: Path) -> float:
    """The references' perplexity under the export over that under the run, from log-probabilities.

    Raises RunError if it is more than :data:`QUANTIZED_PERPLEXITY`.
    """
    lost = torch.cat(list(expected)) - torch.cat(list(found))
    ratio = float(lost.mean().exp())
    if not ratio <= QUANTIZED_PERPLEXITY:
        raise RunError(
            f"with eight bits the perplexity of references is {ratio:.3g} times the run's; {folder} was not "
            "written",
            "export float32 weights: --quantization float32",
        )
    return ratio
