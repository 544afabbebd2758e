"""``lslo translate`` beside CTranslate2 and transformers' generate: text in, text out, sentences per second.

    python -m benchmarks.translate [--sentences 200] [--repeats 3] [--json FILE]

The built-in world's base translates its test text in one direction, on one thread, with a beam of 5. All
three read the same lines and end with lines; CTranslate2 and generate get batches of lines of like length.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial
from operator import ne
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks import measure
from lslo_cli import load_base, translate
from lslo_cli.models.base import BaseModel, save_base
from lslo_cli.tasks import Translator
from lslo_cli.world.text import sentences

SRC, TGT = "qta", "qki"
BEAM = 5
LONGEST = 64
BATCH = 100

Lines = Sequence[str]


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--sentences", type=int, default=200)
    flags.add_argument("--repeats", type=int, default=3)
    flags.add_argument("--json", type=Path, metavar="FILE", help="also write the result here")
    given = flags.parse_args()
    torch.set_num_threads(1)
    rows = run(given.sentences, given.repeats)
    print(measure.table(rows))
    if given.json:
        measure.write_json(given.json, {"machine": measure.machine(), "beam": BEAM, "rows": rows})


def run(count: int, repeats: int) -> list[dict[str, Any]]:
    """Measure all three in turn, and count the translations that are not ours."""
    settings = {"evaluate.beam": BEAM, "evaluate.max_new_tokens": LONGEST, "run.device": "cpu"}
    translator = load_base("world", {**settings, "run.threads": 1})
    lines = list(sentences("test")[SRC])[:count]
    outputs: dict[str, Lines] = {}

    def noting(name: str, call: Callable[[], Lines]) -> None:
        outputs[name] = call()

    with TemporaryDirectory() as folder:
        calls = contenders(translator, lines, Path(folder))
        timings = measure.alternate(
            {name: partial(noting, name, call) for name, call in calls.items()}, repeats
        )
    ours = next(iter(calls))
    return [
        {
            "what": name,
            "sentences per second": len(lines) / timing.median,
            "time over ours": timing.over(timings[ours]),
            "translations that differ": sum(map(ne, outputs[name], outputs[ours])),
        }
        for name, timing in timings.items()
    ]


def contenders(translator: Translator, lines: Lines, folder: Path) -> dict[str, Callable[[], Lines]]:
    """What is compared, by name."""
    base = translator.setup.base
    found: dict[str, Callable[[], Lines]] = {
        "lslo translate": lambda: translate(translator, lines, src=SRC, tgt=TGT),
        "generate": partial(by_length, lines, partial(generated, base)),
    }
    if measure.installed("ctranslate2"):
        from ctranslate2 import Translator as Converted
        from ctranslate2.converters import TransformersConverter

        save_base(base, folder / "merged")
        for quantization in ("float32", "int8"):
            to = str(folder / quantization)
            TransformersConverter(str(folder / "merged")).convert(to, quantization=quantization)
            converted = Converted(to, device="cpu", inter_threads=1, intra_threads=1)
            tokens = json.loads(Path(to, "shared_vocabulary.json").read_text(encoding="utf-8"))
            work = partial(translated, base, converted, tokens)
            found[f"CTranslate2, {quantization}"] = partial(by_length, lines, work)
    return found


def by_length(lines: Lines, work: Callable[[Lines], Lines]) -> Lines:
    """The results of ``work`` on batches of lines of like length, in the order of the lines."""
    order = sorted(range(len(lines)), key=lambda place: len(lines[place]))
    found = [""] * len(lines)
    for start in range(0, len(order), BATCH):
        places = order[start : start + BATCH]
        for place, text in zip(places, work([lines[place] for place in places]), strict=True):
            found[place] = text
    return found


@torch.no_grad()
def generated(base: BaseModel, lines: Lines) -> Lines:
    """By transformers' generate, the language token forced."""
    tokenizer = base.tokenizer
    rows = [tokenizer.source_ids(tokenizer.encode(line), SRC, TGT) for line in lines]
    longest = max(map(len, rows))
    ids = torch.tensor([row + [tokenizer.pad_id] * (longest - len(row)) for row in rows])
    sequences = base.model.generate(
        input_ids=ids,
        attention_mask=(ids != tokenizer.pad_id).long(),
        num_beams=BEAM,
        max_new_tokens=LONGEST,
        forced_bos_token_id=tokenizer.language_id(TGT),
    )
    return [tokenizer.decode(row) for row in sequences.tolist()]


def translated(base: BaseModel, converted: Any, tokens: Sequence[str], lines: Lines) -> Lines:
    """By CTranslate2, whose vocabulary are the ``tokens`` by id."""
    tokenizer = base.tokenizer
    rows = [
        [tokens[index] for index in tokenizer.source_ids(tokenizer.encode(line), SRC, TGT)] for line in lines
    ]
    language = tokens[tokenizer.language_id(TGT)]
    results = converted.translate_batch(
        rows, target_prefix=[[language]] * len(rows), beam_size=BEAM, max_decoding_length=LONGEST
    )
    ids = {token: index for index, token in enumerate(tokens)}
    return [tokenizer.decode([ids[token] for token in result.hypotheses[0]]) for result in results]


if __name__ == "__main__":
    main()
