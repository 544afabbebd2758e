"""A baseline of decoding: CTranslate2, which has no adapters: each direction needs a merged export."""

from __future__ import annotations

import copy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch
from transformers import M2M100ForConditionalGeneration

from lslo_cli.method.strategy import Index
from lslo_cli.nn.attach import Adapters, site_module
from lslo_cli.search.stream import TranslationBatch

if TYPE_CHECKING:
    import ctranslate2

SPECIALS = ["<s>", "<pad>", "</s>", "<unk>"]


def export(model: M2M100ForConditionalGeneration, folder: Path) -> None:
    """Write a model in CTranslate2's format, float32; its tokens are their ids in digits."""
    from ctranslate2.converters.transformers import M2M100Loader

    loader = M2M100Loader()
    with torch.no_grad():
        spec = loader.get_model_spec(model)
    tokens = SPECIALS + [str(number) for number in range(len(SPECIALS), model.config.vocab_size)]
    loader.set_vocabulary(spec, tokens)
    spec.config.bos_token, spec.config.eos_token, spec.config.unk_token = "<s>", "</s>", "<unk>"
    spec.config.decoder_start_token = "</s>"
    spec.validate()
    spec.optimize(quantization="float32")
    spec.save(str(folder))


def open_model(folder: Path, device: str) -> ctranslate2.Translator:
    """An exported model, with one thread on a CPU."""
    import ctranslate2

    return ctranslate2.Translator(
        str(folder), device=device, compute_type="float32", inter_threads=1, intra_threads=1
    )


def translate(
    translator: ctranslate2.Translator, batch: TranslationBatch, beam: int, longest: int
) -> list[list[int]]:
    """Translate a batch unchanged: ids of the pieces of each best hypothesis."""
    sources = [
        [_token(number) for number in row[mask.bool()].tolist()]
        for row, mask in zip(batch.input_ids, batch.attention_mask, strict=True)
    ]
    results = translator.translate_batch(
        sources,
        target_prefix=[[_token(number)] for number in batch.prompt_ids[:, 1].tolist()],
        beam_size=beam,
        max_decoding_length=longest,
        length_penalty=1.0,
    )
    return [[_number(token) for token in result.hypotheses[0][1:]] for result in results]


def merged(
    base: M2M100ForConditionalGeneration, adapters: Adapters, source: int, target: int
) -> M2M100ForConditionalGeneration:
    """A copy of the base model with one direction's updates added to its weights."""
    model = copy.deepcopy(base)
    for site, adapter in adapters.by_site.items():
        language = source if adapter.index is Index.SOURCE else target
        A, B = adapter.matrices(adapter.slots.by_language[language]).values()
        with torch.no_grad():
            site_module(model, site).weight[: len(B), : A.shape[1]] += B @ A
    return model


class MergedSearch:
    """Translates batches of one direction each: the direction's updates are merged, exported and opened."""

    def __init__(
        self,
        base: M2M100ForConditionalGeneration,
        adapters: Adapters,
        *,
        device: str,
        beam: int,
        longest: int,
    ):
        self._base = base
        self._adapters = adapters
        self._device = device
        self._settings = {"beam": beam, "longest": longest}
        self._direction = (-1, -1)

    def __call__(self, batch: TranslationBatch) -> list[list[int]]:
        direction = int(batch.source_language[0]), int(batch.target_language[0])
        if direction != self._direction:
            self._direction = direction
            with TemporaryDirectory() as folder:
                export(merged(self._base, self._adapters, *direction), Path(folder))
                self._translator = open_model(Path(folder), self._device)
        return translate(self._translator, batch, **self._settings)


def _token(number: int) -> str:
    return SPECIALS[number] if number < len(SPECIALS) else str(number)


def _number(token: str) -> int:
    return SPECIALS.index(token) if token in SPECIALS else int(token)
