"""Target texts encoded by a translation encoder, with or without the adapters of a run."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from accelerate import Accelerator

from lslo_cli.artifacts.provenance import digest_of
from lslo_cli.errors import InputError
from lslo_cli.flare.texts import Texts
from lslo_cli.flare.translator import LatentTexts, read_target
from lslo_cli.models.base import BaseModel, load_base
from lslo_cli.nn.route import Route
from lslo_cli.tasks.adapter_folder import open_folder, weights_digest

ROWS = 32
"""Texts encoded at a time."""


class TargetEncoder:
    """A translation model's encoder, by which FLARE-MT encodes target texts."""

    def __init__(
        self,
        base: BaseModel,
        language: str,
        *,
        max_length: int,
        digest: str | None = None,
        route: Route | None = None,
        languages: Sequence[str] = (),
    ):
        """``language`` is the language that texts are read as; ``languages`` are the route's, in its order.

        ``digest`` is over the weights, including the adapters'.

        Raises InputError if the model has no token for ``language`` or no adapter of it.
        """
        base.check_languages([language])
        if route and language not in languages:
            raise InputError(
                f"the adapters know no language '{language}'", f"read as one of {', '.join(languages)}"
            )
        self.encoder = base.model.get_encoder().requires_grad_(False)
        self.digest = digest
        self._base = base
        self._language = language
        self._route = route
        self._index = languages.index(language) if route else 0
        self._max_length = max_length

    @property
    def width(self) -> int:
        """d_mt."""
        return self.encoder.config.d_model

    def __call__(self, texts: Sequence[str]) -> LatentTexts:
        """States of all texts, (rows, longest, d_mt)."""
        tokenizer = self._base.tokenizer
        rows = [
            tokenizer.source_ids(
                tokenizer.encode(text)[: self._max_length - 2], self._language, self._language
            )
            for text in texts
        ]
        encoded = Texts(tuple(map(tuple, rows)), tokenizer.pad_id)
        device = self.encoder.device
        parts, masks = [], []
        for start in range(0, len(rows), ROWS):
            inputs = encoded.padded(range(start, min(start + ROWS, len(rows))), encoded.longest)
            masks.append(inputs["attention_mask"].to(device))
            index = torch.full((len(inputs["input_ids"]),), self._index, device=device)
            parts.append(
                read_target(
                    self.encoder,
                    inputs["input_ids"].to(device),
                    inputs["attention_mask"].to(device),
                    route=self._route,
                    languages=(index, index) if self._route else None,
                )
            )
        return LatentTexts(torch.cat(parts), torch.cat(masks))


def load_target_encoder(
    name: str, language: str, *, max_length: int, accelerator: Accelerator
) -> TargetEncoder:
    """A base model of lslo by folder or hub id, with the adapters of a run as ``BASE@RUN``.

    RUN is a run's folder, or a folder or hub id of adapters. Raises InputError if either is missing or
    damaged, or the run was made with another base.
    """
    model, _, run = name.partition("@")
    if not run:
        base = load_base(model)
        base.model.to(accelerator.device)
        return TargetEncoder(base, language, max_length=max_length, digest=base.identity.digest)
    setup, route = open_folder(run, {"model.name": model, "model.revision": None}, accelerator=accelerator)
    return TargetEncoder(
        setup.base,
        language,
        max_length=max_length,
        digest=digest_of([setup.base.identity.digest, weights_digest(run)]),
        route=route,
        languages=setup.codes,
    )
