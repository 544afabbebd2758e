"""Target texts as a translation encoder reads them, with or without the adapters of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from lslo_cli.artifacts import store
from lslo_cli.artifacts.provenance import digest_of, digest_of_file
from lslo_cli.artifacts.results import TrainingResult
from lslo_cli.errors import InputError
from lslo_cli.flare.loading import weight_files
from lslo_cli.flare.texts import Texts
from lslo_cli.flare.translator import LatentTexts, read_target
from lslo_cli.method.ranks import RankMap
from lslo_cli.method.sites import Layer, SiteSet
from lslo_cli.method.strategy import IndexStrategy
from lslo_cli.models.base import BaseModel, load_base
from lslo_cli.nn.attach import attach
from lslo_cli.nn.files import read_tensors
from lslo_cli.nn.route import Route

ROWS = 32
"""Texts that are read at a time."""


class TargetEncoder:
    """A translation model's encoder as FLARE-MT's reader of target texts."""

    def __init__(
        self,
        base: BaseModel,
        language: str,
        *,
        max_length: int,
        route: Route | None = None,
        languages: Sequence[str] = (),
    ):
        """``language`` is the one that texts are read as; ``languages`` are the route's, in its order.

        Raises InputError where the model has no token for ``language`` or no adapter of it.
        """
        base.check_languages([language])
        if route and language not in languages:
            raise InputError(
                f"the adapters know no language '{language}'", f"read as one of {', '.join(languages)}"
            )
        self.encoder = base.model.get_encoder().requires_grad_(False)
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
                    *(tensor.to(device) for tensor in inputs.values()),
                    route=self._route,
                    languages=(index, index) if self._route else None,
                )
            )
        return LatentTexts(torch.cat(parts), torch.cat(masks))


def translator_digest(name: str) -> str:
    """sha256 over the weight files of what :func:`load_target_encoder` loads; of a hub id over its name.

    Raises InputError where the run is missing.
    """
    model, _, run = name.partition("@")
    parts = [digest_of_file(path) for path in weight_files(model)] or [model]
    if run:
        parts.append(store.read(Path(run) / "training.json", TrainingResult).result.weights.digest)
    return digest_of(parts)


def load_target_encoder(name: str, language: str, *, max_length: int, device: torch.device) -> TargetEncoder:
    """A base model of lslo by folder or hub id, or with the adapters of a run as ``BASE@RUN``.

    RUN is the folder of a training run. Raises InputError where either is missing, or the run was made with
    another base or by a method without routed adapters.
    """
    model, _, run = name.partition("@")
    base = load_base(model)
    route, codes = None, ()
    if run:
        path = Path(run) / "training.json"
        artifact = store.read(path, TrainingResult)
        codes = tuple(record.code for record in artifact.languages)
        store.check_belongs(path, artifact, base.identity.digest, list(codes), TrainingResult.command)
        result = artifact.result
        if not result.index:
            raise InputError(f"{path} has no adapters by language", "name a run of `lslo train`")
        adapters = attach(
            base.model,
            IndexStrategy({Layer.parse(layer): index for layer, index in result.index.items()}),
            RankMap(result.ranks),
            codes,
            SiteSet(result.sites),
            span=result.span,
        )
        adapters.load_state_dict(
            read_tensors(store.read_tensor_path(path, result.weights), "train the run again")
        )
        route = adapters.route
    base.model.to(device)
    return TargetEncoder(base, language, max_length=max_length, route=route, languages=codes)
