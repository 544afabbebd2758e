"""What a model's files say about it without its weights: config.json and the headers of safetensors."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

from lslo_cli.errors import InputError
from lslo_cli.method.shapes import ModelShape
from lslo_cli.models.checkpoint import CONFIG, find_checkpoint
from lslo_cli.models.tokenizer import Tokenizer
from lslo_cli.parsing import parse_json

HEADER_LIMIT = 100_000_000
"""The longest header, in bytes, that the safetensors format allows."""

_TIED = {"lm_head.weight", "model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"}
_BUFFERS = ("embed_positions.weights", "final_logits_bias")


@dataclass(frozen=True)
class BaseHeader:
    """A model as its files announce it; ``source`` names those that were read."""

    family: str
    model_type: str
    shape: ModelShape
    parameters: int
    languages: tuple[str, ...]
    source: str


def read_header(name: str, revision: str | None = None) -> BaseHeader:
    """The header of a folder, or of a hub id at ``revision``, whose weights are not fetched.

    Raises InputError where a file is missing or damaged, or where the weights are not as many as
    config.json announces.
    """
    checkpoint = find_checkpoint(name, revision)
    shape = checkpoint.shape()
    tokenizer = Tokenizer.load(checkpoint.folder, rows=shape.vocab_size)
    files = sorted(checkpoint.folder.glob("model*.safetensors"))
    if files:
        counted = sum(map(count_parameters, files))
        if counted != shape.parameters:
            raise InputError(
                f"the weights in {checkpoint.folder} are {counted:,} parameters; {CONFIG} announces "
                f"{shape.parameters:,}",
                "copy or download the model again",
            )
    return BaseHeader(
        family=tokenizer.family.name,
        model_type=checkpoint.architecture(),
        shape=shape,
        parameters=shape.parameters,
        languages=tokenizer.languages,
        source=f"{CONFIG} and safetensors headers ({len(files)})" if files else CONFIG,
    )


def count_parameters(path: Path) -> int:
    """The parameters in a safetensors file by its header; a tied embedding counts once, buffers not at all.

    Raises InputError where the file has no readable header.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= HEADER_LIMIT:
                raise ValueError(f"its header would be {length:,} bytes long")
            tensors = parse_json(file.read(length))
        tensors.pop("__metadata__", None)
        tied = _TIED if "model.shared.weight" in tensors else set()
        return sum(
            prod(tensor["shape"])
            for name, tensor in tensors.items()
            if name not in tied and not name.endswith(_BUFFERS)
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{path} is no safetensors file: {error}", "copy or download the model again"
        ) from error
