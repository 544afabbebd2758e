"""A model's facts without its weights, from config.json and the headers of safetensors files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import prod
from pathlib import Path

from lslo_cli.architectures import TRANSLATION
from lslo_cli.errors import InputError
from lslo_cli.method.shapes import BaseFacts
from lslo_cli.models.checkpoint import COMPUTED, find_checkpoint
from lslo_cli.models.places import CONFIG
from lslo_cli.parsing import parse_json

HEADER_LIMIT = 100_000_000
"""The longest header, in bytes, that the safetensors format allows."""

EMBEDDINGS = ("shared.weight", "embed_tokens.weight")
HEADS = ("lm_head.weight",)
_BUFFERS = (*COMPUTED, "final_logits_bias")


def read_header(name: str, revision: str | None = None) -> BaseFacts:
    """The facts of a folder, or of a hub id at ``revision``, whose weights are not downloaded.

    Raises InputError if a file is missing or damaged, or if the number of weights is not that of config.json.
    """
    checkpoint = find_checkpoint(name, revision)
    shape = checkpoint.shape()
    tokenizer = checkpoint.tokenizer()
    model_type = checkpoint.config()["model_type"]
    files = sorted(checkpoint.folder.glob("model*.safetensors"))
    if files:
        counted = count_parameters(files, TRANSLATION[model_type].ties_head)
        own_head = 0 if TRANSLATION[model_type].ties_head else shape.vocab_size * shape.d_model
        if counted == shape.parameters + own_head:
            shape = replace(shape, parameters=counted)
        if counted != shape.parameters:
            raise InputError(
                f"the weights in {checkpoint.folder} have {counted:,} parameters; {CONFIG} describes "
                f"{shape.parameters:,}",
                "copy or download the model again",
            )
    return BaseFacts(
        name=name,
        family=tokenizer.family.name,
        architecture=model_type,
        shape=shape,
        parameters=shape.parameters,
        languages=tokenizer.languages,
        source=f"{CONFIG} and safetensors headers ({len(files)})" if files else CONFIG,
    )


def count_parameters(files: Iterable[Path], ties_head: bool) -> int:
    """The number of parameters in safetensors files by their headers: tied ones once, and no buffers.

    Raises InputError if a file has no readable header.
    """
    sizes = {name: size for path in files for name, size in _sizes(path).items()}
    shared = EMBEDDINGS + HEADS if ties_head else EMBEDDINGS
    embeddings = {size for name, size in sizes.items() if name.endswith(shared)}
    others = (size for name, size in sizes.items() if not name.endswith((*shared, *_BUFFERS)))
    return sum(others) + max(embeddings, default=0)


def _sizes(path: Path) -> dict[str, int]:
    """The number of entries of every tensor in a file."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= HEADER_LIMIT:
                raise ValueError(f"its header would be {length:,} bytes long")
            tensors = parse_json(file.read(length))
        tensors.pop("__metadata__", None)
        return {name: prod(tensor["shape"]) for name, tensor in tensors.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{path} is not a safetensors file: {error}", "copy or download the model again"
        ) from error
