"""Target texts encoded by a translation encoder, with or without the adapters of a run."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from accelerate import Accelerator

from lslo_cli.artifacts.provenance import digest_of
from lslo_cli.flare.parts import shares
from lslo_cli.flare.texts import Texts
from lslo_cli.flare.translator import LatentTexts, read_target
from lslo_cli.method.codes import find_code
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
        *,
        max_length: int,
        digest: str | None = None,
        route: Route | None = None,
        languages: Sequence[str] = (),
    ):
        """``languages`` are the route's, in its order; ``digest`` is over the weights, the adapters' too.

        A text is cut to ``max_length`` tokens, or to those that the model has positions for; of two each
        keeps its share.
        """
        self.languages = tuple(languages) if route else base.tokenizer.languages
        """The languages that it reads: those of the adapters, or of the model without any."""
        self.encoder = base.model.get_encoder().requires_grad_(False)
        self.digest = digest
        self._base = base
        self._route = route
        self._max_length = base.longest(max_length)

    @property
    def width(self) -> int:
        """d_mt."""
        return self.encoder.config.d_model

    def states(self, texts: Sequence[Sequence[str]], language: str) -> LatentTexts:
        """States of all texts, each of one or more parts, read as ``language``, (rows, longest, d_mt)."""
        tokenizer, code = self._base.tokenizer, find_code(language, self.languages)
        place = self.languages.index(code)
        pieces = [[tokenizer.encode(part.strip()) for part in parts] for parts in texts]
        kept = [self._kept(parts) for parts in pieces]
        cut = sum(len(ids) < sum(map(len, parts)) for ids, parts in zip(kept, pieces, strict=True))
        rows = [tokenizer.source_ids(ids, code, code) for ids in kept]
        encoded = Texts(tuple(map(tuple, rows)), tokenizer.pad_id)
        device = self.encoder.device
        states, masks = [], []
        for start in range(0, len(rows), ROWS):
            inputs = encoded.padded(range(start, min(start + ROWS, len(rows))), encoded.longest)
            masks.append(inputs["attention_mask"].to(device))
            index = torch.full((len(inputs["input_ids"]),), place, device=device)
            states.append(
                read_target(
                    self.encoder,
                    inputs["input_ids"].to(device),
                    inputs["attention_mask"].to(device),
                    route=self._route,
                    languages=(index, index) if self._route else None,
                )
            )
        return LatentTexts(torch.cat(states), torch.cat(masks), cut=cut)

    def _kept(self, parts: Sequence[Sequence[int]]) -> list[int]:
        """The ids of parts one after the other, each cut to its share of the room."""
        counts = shares(list(map(len, parts)), self._max_length - 2)  # without language and end
        return [piece for ids, count in zip(parts, counts, strict=True) for piece in ids[:count]]


def load_target_encoder(name: str, *, max_length: int, accelerator: Accelerator) -> TargetEncoder:
    """A base model of lslo by folder or hub id, with the adapters of a run as ``BASE@RUN``.

    RUN is a run's folder, or a folder or hub id of adapters. Raises InputError if either is missing or
    damaged, or the run was made with another base.
    """
    model, _, run = name.partition("@")
    if not run:
        base = load_base(model)
        base.model.to(accelerator.device)
        return TargetEncoder(base, max_length=max_length, digest=base.identity.digest)
    setup, route = open_folder(run, {"model.name": model}, accelerator=accelerator)
    return TargetEncoder(
        setup.base,
        max_length=max_length,
        digest=digest_of([setup.base.identity.digest, weights_digest(run)]),
        route=route,
        languages=setup.codes,
    )
