"""Exports, loaded by other libraries alone, compared with their runs.

    python -m benchmarks.exports [--base NAME ...] [--json FILE]

Adapters are put on each base model, at all sites or the feed-forward ones, pruned and not, and exported:
merged, for each of 20 directions, and for PEFT. Beside the folders are the routed model's logits and
translations of some sentences. Another process, which imports nothing of lslo, loads the folders by
transformers, and by PEFT if it is installed, and compares. The adapters have random numbers in all their
matrices, since those of a fresh run add nothing.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice, permutations
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from benchmarks import measure
from benchmarks.families import write_family
from benchmarks.models import ADAPTERS
from lslo_cli.method.adapters import Span
from lslo_cli.method.families import FAMILIES
from lslo_cli.method.languages import Direction
from lslo_cli.method.ranks import RankMap
from lslo_cli.method.sites import SiteSet
from lslo_cli.method.strategy import Index, paper
from lslo_cli.models.base import BaseModel, load_base
from lslo_cli.nn.attach import Adapters, attach
from lslo_cli.search.beam import best, ranked_search
from lslo_cli.search.stream import TranslationBatch
from lslo_cli.tasks.export import save_merged, write_lora

DIRECTIONS = 20
PRUNED = 0.6
RANKS = (2, 3, 8)
LONGEST = 8
SEED = 1
SPREAD = 0.3
"""Standard deviation of the random numbers, large enough that adapters change translations."""

ALONE = Path(__file__).with_name("exports_alone.py")
"""The script of the other process."""


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument(
        "--base",
        nargs="+",
        default=["world", *FAMILIES],
        metavar="NAME",
        help="world, a family, of which a small random model is made, or a folder; default: world and all",
    )
    flags.add_argument("--json", type=Path, metavar="FILE", help="also write the result here")
    given = flags.parse_args()
    torch.set_num_threads(1)
    rows = [row for base in given.base for row in run(base)]
    print(measure.table(rows))
    if given.json:
        measure.write_json(given.json, {"machine": measure.machine(), "seed": SEED, "rows": rows})


def run(
    name: str,
    sites: Sequence[SiteSet] = (SiteSet.ALL, SiteSet.FEED_FORWARD),
    pruned: Sequence[float] = (0.0, PRUNED),
) -> list[dict[str, Any]]:
    """Compare the exports of a base model with adapters on ``sites``, with shares of their entries zero."""
    with TemporaryDirectory() as place:
        model = str(write_family(Path(place, "model"), name, SPREAD)) if name in FAMILIES else name
        cases = {Path(place, f"{some}-{share}"): (some, share) for some in sites for share in pruned}
        for folder, (some, share) in cases.items():
            write_case(model, some, share, folder)
        command = [sys.executable, "-P", str(ALONE), *map(str, cases)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr[-2000:]}")
    return [
        {"base": name, "sites": str(some), "pruned": share, "export": form, **found}
        for (some, share), line in zip(cases.values(), done.stdout.splitlines(), strict=True)
        for form, found in json.loads(line).items()
    ]


def write_case(name: str, sites: SiteSet, pruned: float, folder: Path) -> None:
    """Write both exports of a base model with adapters, and the routed model's outputs in each direction."""
    base = load_base(name)
    codes = base.tokenizer.languages[:5]
    adapters = add_adapters(base, codes, sites, pruned)
    pick = random.Random(SEED)
    silent = {base.tokenizer.language_id(code) for code in base.tokenizer.languages}
    pieces = [index for index in range(8, 60) if index not in silent]
    examples: dict[str, dict[str, Any]] = {}
    expected: dict[str, torch.Tensor] = {}
    for src, tgt in islice(permutations(codes, 2), DIRECTIONS):
        prompt = base.tokenizer.decoder_prompt(src, tgt)
        source = base.tokenizer.source_ids(pick.choices(pieces, k=9), src, tgt)
        target = [*prompt, *pick.choices(pieces, k=6)]
        expected[f"{src}-{tgt}"] = routed_logits(base, adapters, codes, (src, tgt), source, target)
        examples[f"{src}-{tgt}"] = {
            "source": source,
            "target": target,
            "prompt": prompt,
            "translation": translation(base, adapters, codes, (src, tgt), source),
            "adapters": [f"{Index.SOURCE}-{src}", f"{Index.TARGET}-{tgt}"],
        }
    setup: Any = SimpleNamespace(base=base, codes=codes)
    for number, code in enumerate(codes):
        for side in Index:
            write_lora(setup, side, number, folder / "peft" / f"{side}-{code}")
    for direction in examples:
        src, _, tgt = direction.partition("-")
        copied: Any = SimpleNamespace(base=replace(base, model=copy.deepcopy(base.model)), codes=codes)
        save_merged(copied, {Index.SOURCE: src, Index.TARGET: tgt}, folder / "merged" / direction)
    search = {
        "decoder_start_token_id": base.tokenizer.start_id,
        "pad_token_id": base.tokenizer.pad_id,
        "eos_token_id": base.tokenizer.eos_id,
        "forced_eos_token_id": base.tokenizer.eos_id,
        "suppress_tokens": [base.tokenizer.pad_id, *base.tokenizer.unused],
        "max_length": 1 + LONGEST + 1,
    }
    case = {"base": str(base.folder), "search": search, "examples": examples}
    (folder / "case.json").write_text(json.dumps(case), encoding="utf-8")
    torch.save(expected, folder / "expected.pt")


def add_adapters(
    base: BaseModel,
    codes: Sequence[str],
    sites: SiteSet = SiteSet.FEED_FORWARD,
    pruned: float = 0.0,
    spread: float = SPREAD,
) -> Adapters:
    """Put random adapters on a base model, a share of their entries zero; the same each time."""
    ranks = RankMap({code: RANKS[number % len(RANKS)] for number, code in enumerate(codes)})
    shape = base.identity.encoder_layers, base.identity.decoder_layers
    adapters = attach(base.model, paper(*shape), ranks, codes, replace(ADAPTERS, sites=sites, span=Span.ALL))
    torch.manual_seed(SEED)
    for parameter in adapters.parameters():
        nn.init.normal_(parameter.requires_grad_(False), std=spread)
        parameter[torch.rand_like(parameter) < pruned] = 0.0
    return adapters


@torch.no_grad()
def routed_logits(
    base: BaseModel,
    adapters: Adapters,
    codes: Sequence[str],
    direction: tuple[str, str],
    source: list[int],
    target: list[int],
) -> torch.Tensor:
    """The logits (length, ids) of one sentence pair."""
    src, tgt = (torch.tensor([codes.index(code)]) for code in direction)
    with adapters.route.of(src, tgt):
        inputs = {"input_ids": torch.tensor([source]), "decoder_input_ids": torch.tensor([target])}
        return base.model(**inputs, use_cache=False).logits[0]


def translation(
    base: BaseModel, adapters: Adapters, codes: Sequence[str], direction: tuple[str, str], source: list[int]
) -> list[int]:
    """The pieces of the greedy translation."""
    ids = torch.tensor([source])
    src, tgt = (torch.tensor([codes.index(code)]) for code in direction)
    prompt = torch.tensor([base.tokenizer.decoder_prompt(*direction)])
    batch = TranslationBatch(ids, torch.ones_like(ids), prompt, src, tgt, ((Direction(*direction), 0),))
    return best(ranked_search(base, batch, adapters.route, beam=1, max_length_b=LONGEST))[0]


if __name__ == "__main__":
    main()
