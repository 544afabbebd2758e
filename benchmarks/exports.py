"""Exports, loaded by other libraries alone, beside the runs they come from.

    python -m benchmarks.exports [--base world FOLDER ...] [--json FILE]

Adapters are put on each base model, at all sites or the feed-forward ones, pruned and not, and exported:
merged, for each of 20 directions, and for PEFT. Beside the folders lie what the routed model says of some
sentences and how it translates them. Another process, which imports nothing of lslo, loads the folders by
transformers and PEFT and compares. The adapters have random numbers in all their matrices, since those of a
fresh run add nothing.
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
from lslo_cli.method.languages import Direction
from lslo_cli.method.ranks import RankMap
from lslo_cli.method.sites import SiteSet
from lslo_cli.method.strategy import Index, paper
from lslo_cli.models.base import BaseModel, load_base
from lslo_cli.nn.attach import Adapters, attach
from lslo_cli.search.beam import beam_search
from lslo_cli.search.stream import TranslationBatch
from lslo_cli.tasks.export import save_merged, write_lora

DIRECTIONS = 20
PRUNED = 0.6
RANKS = (2, 3, 8)
LONGEST = 8

ALONE = r"""
import json, sys
from pathlib import Path
import torch
from transformers import AutoModelForSeq2SeqLM
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()
folder = Path(sys.argv[1])
case = json.loads((folder / "case.json").read_text())
expected = torch.load(folder / "expected.pt")


def load_model(path):
    return AutoModelForSeq2SeqLM.from_pretrained(path, dtype=torch.float32, trust_remote_code=False)


@torch.no_grad()
def logits_of(model, source, target):
    inputs = {"input_ids": torch.tensor([source]), "decoder_input_ids": torch.tensor([target])}
    return model(**inputs, use_cache=False).logits[0]


def greedy(model, source, prompt, length):
    ids = list(prompt)
    for _ in range(length):
        last = logits_of(model, source, ids)[-1]
        last[case["pad"]] = -torch.inf
        ids.append(int(last.argmax()))
    return ids[len(prompt):]


def compare(model_of):
    worst, same = 0.0, 0
    for name, example in case["examples"].items():
        model = model_of(name, example).eval()
        difference = logits_of(model, example["source"], example["target"]) - expected[name]
        worst = max(worst, float(difference.abs().max() / expected[name].abs().max()))
        translation = greedy(model, example["source"], example["prompt"], len(example["translation"]))
        same += translation == example["translation"]
    return {"directions": len(case["examples"]), "largest difference": worst, "same translations": same}


found = {"merged": compare(lambda name, _: load_model(folder / "merged" / name))}
try:
    from peft import PeftModel
except ImportError:
    pass
else:
    names = sorted(path.name for path in (folder / "peft").iterdir())
    paths = {name: str(folder / "peft" / name) for name in names}
    model = PeftModel.from_pretrained(load_model(case["base"]), paths[names[0]], adapter_name=names[0])
    for name in names[1:]:
        model.load_adapter(paths[name], adapter_name=name)

    def with_adapters(_, example):
        model.base_model.set_adapter([name for name in example["adapters"] if name in names])
        return model

    found["PEFT"] = compare(with_adapters)
assert not [name for name in sys.modules if name.startswith("lslo")]
print(json.dumps(found))
"""
"""What the other process runs."""


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument(
        "--base", nargs="+", default=["world"], metavar="FOLDER", help="base models; default: world"
    )
    flags.add_argument("--json", type=Path, metavar="FILE", help="also write the result here")
    given = flags.parse_args()
    torch.set_num_threads(1)
    rows = [row for base in given.base for row in run(base)]
    print(measure.table(rows))
    if given.json:
        measure.write_json(given.json, {"machine": measure.machine(), "rows": rows})


def run(name: str) -> list[dict[str, Any]]:
    """Compare the exports of a base model with adapters on every kind of sites, pruned and not."""
    rows = []
    for sites in (SiteSet.ALL, SiteSet.FEED_FORWARD):
        for pruned in (0.0, PRUNED):
            with TemporaryDirectory() as folder:
                write_case(name, sites, pruned, Path(folder))
                command = [sys.executable, "-c", ALONE, folder]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"{name}, {sites}: {done.stderr[-2000:]}")
            for form, found in json.loads(done.stdout.splitlines()[-1]).items():
                rows.append({"base": name, "sites": str(sites), "pruned": pruned, "export": form, **found})
    return rows


def write_case(name: str, sites: SiteSet, pruned: float, folder: Path) -> None:
    """Write both exports of a base model with adapters, and what the routed model makes of each direction."""
    base, adapters, codes = adapted_base(name, sites, pruned)
    pick = random.Random(1)
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
        save_merged(copied, src, tgt, folder / "merged" / direction)
    case = {"base": str(base.folder), "pad": base.model.config.pad_token_id, "examples": examples}
    (folder / "case.json").write_text(json.dumps(case), encoding="utf-8")
    torch.save(expected, folder / "expected.pt")


def adapted_base(name: str, sites: SiteSet, pruned: float) -> tuple[BaseModel, Adapters, tuple[str, ...]]:
    """A base model with adapters, some of whose entries are zero; the same each time."""
    base = load_base(name)
    codes = base.tokenizer.languages[:5]
    ranks = RankMap({code: RANKS[number % len(RANKS)] for number, code in enumerate(codes)})
    shape = base.identity.encoder_layers, base.identity.decoder_layers
    adapters = attach(base.model, paper(*shape), ranks, codes, sites)
    torch.manual_seed(1)
    for parameter in adapters.parameters():
        nn.init.normal_(parameter.requires_grad_(False), std=0.1)
        parameter[torch.rand_like(parameter) < pruned] = 0.0
    return base, adapters, codes


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
    return beam_search(base, batch, adapters.route, beam=1, max_length_b=LONGEST)[0]


if __name__ == "__main__":
    main()
