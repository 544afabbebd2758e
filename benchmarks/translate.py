"""``lslo translate``, CTranslate2 and transformers' generate: sentences per second, from text to text.

    python -m benchmarks.translate [--sentences 100] [--repeats 3] [--json FILE]

The built-in world's base with small random adapters translates test text. The others get it merged for one
direction, and batches of lines of similar length. All read and write the same lines, on one thread.

A second table counts the translations of CTranslate2 that differ from ours, by settings of the search, and
those that differ by the score alone: each library's hypothesis is the better one by its own score.
"""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise, permutations
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch

from benchmarks import measure
from benchmarks.exports import SEED, add_adapters
from lslo_cli import load_base, translate
from lslo_cli.method.languages import Direction
from lslo_cli.method.strategy import Index
from lslo_cli.models.base import load_base as load_network
from lslo_cli.nn.attach import Adapters
from lslo_cli.search.beam import best, ranked_search
from lslo_cli.search.stream import TranslationBatches
from lslo_cli.tasks.export import save_merged
from lslo_cli.tasks.translate import Translator
from lslo_cli.world.text import sentences

LANGUAGES = ("qta", "qki", "qso", "qka")
"""Each is translated into the next; speed is measured in the first direction."""

SPREAD = 0.1
LONGEST = 64
BATCH = 100
BEAM = 5


class Search(NamedTuple):
    """Settings common to both libraries."""

    beam: int
    length_penalty: float


SEARCHES = {
    "greedy": Search(1, 1.0),
    "beam 5, length penalty 1e-6": Search(BEAM, 1e-6),
    "beam 5, length penalty 1": Search(BEAM, 1.0),
}
"""At a length penalty of 0 CTranslate2 stops sooner, so a very small one replaces it."""

Lines = Sequence[str]


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--sentences", type=int, default=100, help="of each direction")
    flags.add_argument("--repeats", type=int, default=3)
    flags.add_argument("--json", type=Path, metavar="FILE", help="also write the result here")
    given = flags.parse_args()
    torch.set_num_threads(1)
    rows = run(given.sentences, given.repeats)
    print(measure.tables(rows))
    if given.json:
        settings = {"machine": measure.machine(), "seed": SEED, "sentences": given.sentences}
        measure.write_json(given.json, {**settings, "rows": rows})


def run(count: int, repeats: int) -> dict[str, list[dict[str, Any]]]:
    """Speed of all in one direction, and if CTranslate2 is installed its translations in every search."""
    translator, adapters = adapted_world()
    with TemporaryDirectory() as folder:
        exports = [
            Merged(translator, direction, Path(folder, "-".join(direction)))
            for direction in pairwise(LANGUAGES)
        ]
        rows = {"speed": speed(translator, adapters, exports[0], count, repeats)}
        if measure.installed("ctranslate2"):
            rows["search"] = [
                searched(translator, exports, name, search, count) for name, search in SEARCHES.items()
            ]
    return rows


def adapted_world() -> tuple[Translator, Adapters]:
    """The built-in world's base with adapters of all its languages; the same each time."""
    settings = {"evaluate.max_new_tokens": LONGEST, "run.device": "cpu", "run.threads": 1}
    translator = load_base("world", settings)
    adapters = add_adapters(translator.setup.base, translator.setup.codes, spread=SPREAD)
    return replace(translator, route=adapters.route), adapters


class Merged:
    """The export of one direction, as transformers and CTranslate2 load and run it."""

    def __init__(self, translator: Translator, direction: tuple[str, str], folder: Path):
        self.direction, self.folder = direction, folder
        base = translator.setup.base
        copied: Any = SimpleNamespace(
            base=replace(base, model=copy.deepcopy(base.model)), codes=translator.setup.codes
        )
        save_merged(copied, {Index.SOURCE: direction[0], Index.TARGET: direction[1]}, folder / "merged")
        self.base = load_network(str(folder / "merged"))

    def bytes(self, part: str) -> int:
        """The size of the weights of the merged model, or of a conversion."""
        return sum(
            path.stat().st_size
            for path in (self.folder / part).iterdir()
            if path.suffix in (".bin", ".safetensors")
        )

    def converted(self, quantization: str) -> Any:
        """The export in CTranslate2's format, on one thread."""
        from ctranslate2 import Translator as Converted
        from ctranslate2.converters import TransformersConverter

        to = self.folder / quantization
        if not to.exists():
            TransformersConverter(str(self.folder / "merged")).convert(str(to), quantization=quantization)
        self.tokens = json.loads((to / "shared_vocabulary.json").read_text(encoding="utf-8"))
        return Converted(str(to), device="cpu", inter_threads=1, intra_threads=1)

    def sources(self, lines: Lines) -> list[list[int]]:
        """The ids that the encoder reads."""
        tokenizer = self.base.tokenizer
        return [tokenizer.source_ids(tokenizer.encode(line), *self.direction) for line in lines]

    @torch.no_grad()
    def generated(self, lines: Lines) -> Lines:
        """By transformers' generate, the language token forced."""
        tokenizer = self.base.tokenizer
        rows = self.sources(lines)
        longest = max(map(len, rows))
        ids = torch.tensor([row + [tokenizer.pad_id] * (longest - len(row)) for row in rows])
        sequences = self.base.model.generate(
            input_ids=ids,
            attention_mask=(ids != tokenizer.pad_id).long(),
            num_beams=BEAM,
            max_new_tokens=LONGEST,
            forced_bos_token_id=tokenizer.language_id(self.direction[1]),
        )
        return [tokenizer.decode(row) for row in sequences.tolist()]

    def hypotheses(
        self, converted: Any, lines: Lines, beam: int = BEAM, length_penalty: float = 1.0
    ) -> list[list[int]]:
        """The pieces of CTranslate2's translations."""
        results = converted.translate_batch(
            [[self.tokens[index] for index in row] for row in self.sources(lines)],
            target_prefix=[[self._language()]] * len(lines),
            beam_size=beam,
            length_penalty=length_penalty,
            max_decoding_length=LONGEST,
        )
        ids = {token: index for index, token in enumerate(self.tokens)}
        return [[ids[token] for token in result.hypotheses[0][1:]] for result in results]

    def translated(self, converted: Any, lines: Lines) -> Lines:
        """By CTranslate2."""
        return [self.base.tokenizer.decode(pieces) for pieces in self.hypotheses(converted, lines)]

    def scores(
        self, converted: Any, line: str, pieces: Sequence[int], length_penalty: float
    ) -> tuple[float, float]:
        """A translation's score with the log-probability of its language token, as ours, and without.

        CTranslate2's is without. Both count the token in the length.
        """
        (source,) = self.sources([line])
        (scored,) = converted.score_batch(
            [[self.tokens[index] for index in source]],
            [[self._language(), *(self.tokens[index] for index in pieces)]],
        )
        length = len(scored.log_probs) ** length_penalty
        return sum(scored.log_probs) / length, sum(scored.log_probs[1:]) / length

    def _language(self) -> str:
        return self.tokens[self.base.tokenizer.language_id(self.direction[1])]


def speed(
    translator: Translator, adapters: Adapters, merged: Merged, count: int, repeats: int
) -> list[dict[str, Any]]:
    """Measure all in turn, and count the translations that differ from ours."""
    src, tgt = merged.direction
    lines = test_lines(src, count)
    every = len(list(permutations(translator.setup.codes, 2)))
    routed = "lslo translate"
    calls: dict[str, Callable[[], Lines]] = {
        routed: lambda: translate(translator, lines, src=src, tgt=tgt, beam=BEAM),
        "generate": partial(by_length, lines, merged.generated),
    }
    sizes = {
        routed: merged.bytes("merged") + sum(parameter.nbytes for parameter in adapters.parameters()),
        "generate": merged.bytes("merged"),
    }
    if measure.installed("ctranslate2"):
        for quantization in ("float32", "int8"):
            name = f"CTranslate2, {quantization}"
            work = partial(merged.translated, merged.converted(quantization))
            calls[name] = partial(by_length, lines, work)
            sizes[name] = merged.bytes(quantization)
    outputs: dict[str, Lines] = {}

    def noting(name: str, call: Callable[[], Lines]) -> None:
        outputs[name] = call()

    timings = measure.alternate({name: partial(noting, name, call) for name, call in calls.items()}, repeats)
    return [
        {
            "what": name,
            "sentences per second": len(lines) / timing.median,
            "time over ours": timing.over(timings[routed]),
            "KiB": sizes[name] / 1024,
            "directions": every if name == routed else 1,
            "translations that differ": differing(outputs[name], outputs[routed]),
        }
        for name, timing in timings.items()
    ]


def searched(
    translator: Translator, exports: Sequence[Merged], name: str, search: Search, count: int
) -> dict[str, Any]:
    """The number of translations of CTranslate2 in float32 that differ from ours, and by the score alone."""
    different = decided = 0
    for merged in exports:
        lines, converted = test_lines(merged.direction[0], count), merged.converted("float32")
        theirs = merged.hypotheses(converted, lines, search.beam, search.length_penalty)
        for line, one, other in zip(lines, ours(translator, merged, lines, search), theirs, strict=True):
            if one != other:
                different += 1
                mine, its = (
                    merged.scores(converted, line, pieces, search.length_penalty) for pieces in (one, other)
                )
                decided += mine[0] > its[0] and mine[1] < its[1]
    return {
        "search": name,
        "translations": count * len(exports),
        "that differ": different,
        "by the score alone": decided,
    }


def ours(translator: Translator, merged: Merged, lines: Lines, search: Search) -> list[list[int]]:
    """The pieces of our translations, by the routed model."""
    direction, codes = Direction(*merged.direction), translator.setup.codes
    batches = TranslationBatches(
        {direction: lines}, merged.base.tokenizer, codes, max_tokens=12_000, max_length=256
    )
    found: dict[int, list[int]] = {}
    for batch in batches:
        ranked = ranked_search(
            translator.setup.base,
            batch,
            translator.route,
            beam=search.beam,
            length_penalty=search.length_penalty,
            max_length_b=LONGEST,
        )
        found |= {row: pieces for (_, row), pieces in zip(batch.keys, best(ranked), strict=True)}
    return [found[row] for row in range(len(lines))]


def test_lines(src: str, count: int) -> list[str]:
    """The first lines of the built-in world's test text."""
    return list(sentences("test")[src])[:count]


def differing(some: Lines, others: Lines) -> int:
    return sum(one != other for one, other in zip(some, others, strict=True))


def by_length(lines: Lines, work: Callable[[Lines], Lines]) -> Lines:
    """The results of ``work`` on batches of lines of similar length, in the order of the lines."""
    order = sorted(range(len(lines)), key=lambda place: len(lines[place]))
    found = [""] * len(lines)
    for start in range(0, len(order), BATCH):
        places = order[start : start + BATCH]
        for place, text in zip(places, work([lines[place] for place in places]), strict=True):
            found[place] = text
    return found


if __name__ == "__main__":
    main()
