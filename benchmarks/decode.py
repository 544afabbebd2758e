"""Translating many directions: our search in one mixed stream, transformers' generate, CTranslate2.

    python -m benchmarks.decode [--shape world|cpu|615M] [--dtype float32|bfloat16] [--json FILE]

Each language is translated into the next. ``world`` is the base model and the text that come with lslo; the
other shapes are random models and sentences of random ids, which end at lengths like translations'. Generate
has fairseq's rules, so that its tokens must equal ours, and the same length-sorted batches.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from benchmarks import ctranslate, measure
from benchmarks.models import ADAPTERS, SHAPES, Shape, new_model, twin
from benchmarks.reference import translate
from lslo_cli.method.languages import Direction
from lslo_cli.method.ranks import RankMap
from lslo_cli.method.strategy import paper
from lslo_cli.models.base import load_base
from lslo_cli.models.tokenizer import EOS
from lslo_cli.nn.attach import Adapters, attach
from lslo_cli.nn.route import Route
from lslo_cli.search.beam import best, ranked_search
from lslo_cli.search.stream import Key, TranslationBatch, TranslationBatches
from lslo_cli.world.text import sentences


def beam_search(*arguments, **settings):
    """The best hypothesis of every sentence."""
    return best(ranked_search(*arguments, **settings))


TOKENIZER = SimpleNamespace(unused=[])
BEAM = 5
LONGEST = 64
MAX_TOKENS = 12_000
RANKS = (2, 2, 8)
WORK = {"world": (12, 60), "cpu": (3, 8), "615M": (12, 100), "tiny": (3, 3)}
"""Languages, and sentences of each direction, by shape."""

OURS = "ours, mixed"
OURS_LSLO = "ours with LSLo 2;2;8, mixed"

Outputs = dict[Key, list[int]]
Search = Callable[[TranslationBatch], list[list[int]]]


class Numbers:
    """A tokenizer of sentences that are written as ids; languages have the last ids of the vocabulary."""

    pad_id, eos_id = 1, EOS

    def __init__(self, vocabulary: int, languages: Sequence[str]):
        self._languages = {code: vocabulary - len(languages) + i for i, code in enumerate(languages)}
        self.output_size = vocabulary

    def language_id(self, code: str) -> int:
        return self._languages[code]

    def encode(self, text: str) -> list[int]:
        return [int(number) for number in text.split()]

    def source_ids(self, pieces: list[int], src: str, tgt: str) -> list[int]:
        return [self.language_id(src), *pieces, EOS]

    def decoder_prompt(self, src: str, tgt: str) -> list[int]:
        return [EOS, self.language_id(tgt)]


@dataclass(frozen=True)
class Task:
    """A model, and the same sentences to translate in a mixed stream and direction by direction."""

    model: nn.Module
    languages: tuple[str, ...]
    mixed: list[TranslationBatch]
    by_direction: list[TranslationBatch]


def new_task(shape: str, device: str, dtype: str) -> Task:
    """The task of a shape."""
    count, rows = WORK[shape]
    if shape == "world":
        base = load_base("world")
        model, tokenizer = base.model, base.tokenizer
        text: Mapping[str, Sequence[str]] = sentences("test")
        languages = list(text)[:count]
    else:
        model = with_ends(new_model(SHAPES[shape], device), SHAPES[shape].length)
        languages = [f"l{number}" for number in range(count)]
        tokenizer = Numbers(SHAPES[shape].vocabulary, languages)
        text = {language: random_sentences(SHAPES[shape], rows, language) for language in languages}
    sources = {
        Direction(src, tgt): list(text[src])[:rows]
        for src, tgt in zip(languages, languages[1:] + languages[:1], strict=True)
    }
    batches = partial(TranslationBatches, max_tokens=MAX_TOKENS, max_length=256)
    mixed = list(batches(sources, tokenizer, languages))
    by_direction = [
        batch
        for direction in sources
        for batch in batches({direction: sources[direction]}, tokenizer, languages)
    ]
    model = model.to(device, getattr(torch, dtype)).eval().requires_grad_(False)
    return Task(model, tuple(languages), [b.to(device) for b in mixed], [b.to(device) for b in by_direction])


def random_sentences(shape: Shape, count: int, seed: str) -> list[str]:
    """Sentences of 1/3 to 5/3 of the shape's length, as ids other than special and language tokens."""
    pick = random.Random(seed)
    lengths = [pick.randint(max(1, shape.length // 3), shape.length * 5 // 3) for _ in range(count)]
    return [
        " ".join(str(pick.randrange(4, shape.vocabulary - 12)) for _ in range(length)) for length in lengths
    ]


@torch.no_grad()
def with_ends(model: nn.Module, length: int) -> nn.Module:
    """Make a random model end its sentences at about ``length`` tokens, and sharpen its distributions.

    One dimension holds a ramp over target positions that only ``</s>`` uses.
    """
    decoder = model.get_decoder()
    model.model.shared.weight[:, 0] = 0.0
    model.model.shared.weight[EOS, 0] = 1.0
    positions = decoder.embed_positions.weights
    positions[:, 0] = 8.0 / length * torch.arange(len(positions), device=positions.device)
    decoder.layer_norm.weight.fill_(4.0)
    return model


def attached(task: Task) -> tuple[nn.Module, Adapters]:
    """The task's model, its weights shared, with small random adapters."""
    model = twin(task.model)
    layers = model.config.encoder_layers, model.config.decoder_layers
    ranks = RankMap({code: RANKS[number % len(RANKS)] for number, code in enumerate(task.languages)})
    torch.manual_seed(1)
    adapters = attach(model, paper(*layers), ranks, task.languages, ADAPTERS)
    for parameter in adapters.parameters():
        nn.init.normal_(parameter.requires_grad_(False), std=0.02)
        parameter.data = parameter.data.to(task.model.dtype)
    return model.eval(), adapters


def ours(model: nn.Module, route: Route) -> Search:
    """Our beam search."""
    return partial(
        beam_search,
        SimpleNamespace(model=model, tokenizer=TOKENIZER),
        route=route,
        beam=BEAM,
        max_length_b=LONGEST,
    )


def generate(model: nn.Module, route: Route) -> Search:
    """transformers' generate with fairseq's rules."""

    def search(batch: TranslationBatch) -> list[list[int]]:
        with route.of(batch.source_language, batch.target_language):
            return translate(
                SimpleNamespace(model=model, tokenizer=TOKENIZER), batch, beam=BEAM, max_length_b=LONGEST
            )

    return search


def variants(task: Task, device: str, folder: Path) -> dict[str, Callable[[], Outputs]]:
    """The variants by name; each translates everything."""
    model, adapters = attached(task)
    no_route, route = Route(), adapters.route
    compared = {
        OURS: partial(over, ours(task.model, no_route), task.mixed),
        "generate, mixed": partial(over, generate(task.model, no_route), task.mixed),
        "generate, by direction": partial(over, generate(task.model, no_route), task.by_direction),
        OURS_LSLO: partial(over, ours(model, route), task.mixed),
        "generate with LSLo 2;2;8, by direction": partial(over, generate(model, route), task.by_direction),
    }
    if measure.installed("ctranslate2") and task.model.dtype == torch.float32:
        ctranslate.export(task.model, folder)
        exported = partial(
            ctranslate.translate, ctranslate.open_model(folder, device), beam=BEAM, longest=LONGEST
        )
        merging = ctranslate.MergedSearch(task.model, adapters, device=device, beam=BEAM, longest=LONGEST)
        compared["CTranslate2, mixed"] = partial(over, exported, task.mixed)
        compared["CTranslate2, LSLo 2;2;8 merged by direction"] = partial(over, merging, task.by_direction)
    return compared


def over(search: Search, batches: Iterable[TranslationBatch]) -> Outputs:
    """Translate batches, by sentence."""
    return {key: ids for batch in batches for key, ids in zip(batch.keys, search(batch), strict=True)}


def run(shape: str, device: str, dtype: str, repeats: int, strict: bool = True) -> list[dict[str, Any]]:
    """Measure every variant and compare its tokens with ours for the same model.

    If ``strict``, raises RuntimeError if generate's tokens differ from ours in float32.
    """
    task = new_task(shape, device, dtype)
    outputs: dict[str, Outputs] = {}

    def noting(name: str, translate_all: Callable[[], Outputs]) -> None:
        outputs[name] = translate_all()

    with TemporaryDirectory() as folder:
        compared = variants(task, device, Path(folder))
        calls = {name: partial(noting, name, call) for name, call in compared.items()}
        timings = measure.alternate(calls, repeats, device)
    rows = []
    for name, timing in timings.items():
        own = OURS_LSLO if "LSLo" in name else OURS
        count = len(outputs[own])
        differing = sum(ids != outputs[own][key] for key, ids in outputs[name].items())
        if strict and differing and "generate" in name and dtype == "float32":
            raise RuntimeError(f"{name}: {differing} of {count} translations are not those of {own}")
        rows.append(
            {
                "variant": name,
                "sentences per second": count / timing.median,
                "seconds": timing.median,
                "spread": timing.spread,
                "time over ours": timing.over(timings[own]),
                "translations that differ": differing,
                "mean length": sum(map(len, outputs[name].values())) / count,
            }
        )
    return rows


def main() -> None:
    given = measure.parse(measure.parser(__doc__, tuple(WORK)))
    rows = run(given.shape, given.device, given.dtype, given.repeats or 3)
    measure.report(rows, given, beam=BEAM, longest=LONGEST, max_tokens=MAX_TOKENS)
    if not measure.installed("ctranslate2"):
        print("CTranslate2 is not installed and was left out: pip install ctranslate2")


if __name__ == "__main__":
    main()
