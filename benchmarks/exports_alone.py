"""Load exports by transformers and PEFT alone, and compare them with the expected outputs beside them.

    python -P benchmarks/exports_alone.py FOLDER ...

Each folder was written by ``benchmarks.exports``. Prints a line of JSON for each: by form of the export, the
largest difference of a logit over the largest logit of its sentence, and the number of equal translations.
The base model alone, without adapters, shows their effect.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSeq2SeqLM, GenerationConfig, PreTrainedModel
from transformers.utils import logging

ModelOf = Callable[[str], PreTrainedModel]
"""From a direction to the model that serves it."""


def main(folders: Sequence[str]) -> None:
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    for folder in map(Path, folders):
        found = {"none: the base alone": compare(folder, base_alone(folder))}
        found["merged"] = compare(folder, merged(folder))
        if find_spec("peft"):
            found["PEFT"] = compare(folder, with_adapters(folder))
        print(json.dumps(found))
    assert not any(name.startswith("lslo") for name in sys.modules)


def compare(folder: Path, model_of: ModelOf) -> dict[str, Any]:
    """The models' outputs in every direction, compared with the expected ones."""
    case = read_case(folder)
    logits = torch.load(folder / "expected.pt")
    worst, same = 0.0, 0
    for direction, example in case["examples"].items():
        model = model_of(direction).eval()
        difference = logits_of(model, example["source"], example["target"]) - logits[direction]
        worst = max(worst, float(difference.abs().max() / logits[direction].abs().max()))
        found = translation(model, example["source"], example["prompt"], case["search"])
        same += found == example["translation"]
    return {"directions": len(logits), "largest difference": worst, "same translations": same}


def base_alone(folder: Path) -> ModelOf:
    """The base model, whatever the direction."""
    model = load(read_case(folder)["base"])
    return lambda _: model


def merged(folder: Path) -> ModelOf:
    """The merged model of a direction."""
    return lambda direction: load(folder / "merged" / direction)


def with_adapters(folder: Path) -> ModelOf:
    """One base model with all adapters; those of a direction are active."""
    from peft import PeftModel

    case = read_case(folder)
    first, *others = paths = sorted((folder / "peft").iterdir())
    model = PeftModel.from_pretrained(load(case["base"]), str(first), adapter_name=first.name)
    for path in others:
        model.load_adapter(str(path), adapter_name=path.name)
    names = {path.name for path in paths}

    def model_of(direction: str) -> PreTrainedModel:
        wanted = case["examples"][direction]["adapters"]
        model.base_model.set_adapter([name for name in wanted if name in names])
        return model

    return model_of


def read_case(folder: Path) -> dict[str, Any]:
    """The base model, the settings of the search and the examples by direction."""
    return json.loads((folder / "case.json").read_text(encoding="utf-8"))


def load(path: str | Path) -> PreTrainedModel:
    return AutoModelForSeq2SeqLM.from_pretrained(path, dtype=torch.float32, trust_remote_code=False)


@torch.no_grad()
def logits_of(model: PreTrainedModel, source: list[int], target: list[int]) -> torch.Tensor:
    """The logits (length, ids) of one sentence pair."""
    inputs = {"input_ids": torch.tensor([source]), "decoder_input_ids": torch.tensor([target])}
    return model(**inputs, use_cache=False).logits[0]


def translation(
    model: PreTrainedModel, source: list[int], prompt: list[int], search: dict[str, Any]
) -> list[int]:
    """The pieces of the greedy translation."""
    ids = torch.tensor([source])
    found = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        decoder_input_ids=torch.tensor([prompt]),
        generation_config=GenerationConfig(**search, num_beams=1, do_sample=False),
    )
    pieces = found[0, len(prompt) :].tolist()
    end = search["eos_token_id"]
    return pieces[: pieces.index(end)] if end in pieces else pieces


if __name__ == "__main__":
    main(sys.argv[1:])
