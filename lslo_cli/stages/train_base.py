"""Training a small base model from scratch: vocabulary, random weights, many-to-many bitext."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed

from lslo_cli.artifacts.provenance import digest_of
from lslo_cli.artifacts.schema import BaseTrainingResult, DataIdentity
from lslo_cli.events import Noted, OnEvent, ignore
from lslo_cli.fit import Callback, Checkpoint, Fit, Optimisation
from lslo_cli.method.languages import Direction
from lslo_cli.mt.base import BaseModel, new_base
from lslo_cli.mt.batches import Batch, EpochBatches
from lslo_cli.mt.corpus import Corpus, split_off
from lslo_cli.mt.tokenized import TokenizedCorpus
from lslo_cli.mt.tokenizer import Tokenizer
from lslo_cli.mt.vocabulary import train_vocabulary
from lslo_cli.nn.loss import TranslationLoss
from lslo_cli.recipe import BaseSection, Recipe
from lslo_cli.stages.setup import open_device, read_corpus


def train_base(
    recipe: Recipe, work: Path, resume: bool = False, on_event: OnEvent = ignore
) -> tuple[BaseModel, BaseTrainingResult, DataIdentity]:
    """Train a model on every direction that the recipe's text has, and return it in eval mode.

    ``work`` is a folder for the vocabulary and the checkpoint, which a resumed run finds there.
    """
    section = recipe.base
    codes = tuple(language.code for language in recipe.selected_languages())
    accelerator = open_device(recipe)
    corpus = read_corpus(recipe.data.path, codes, recipe.data.train)
    train, held_out = split_off(corpus, section.held_out, recipe.seed)
    tokenizer = _tokenizer(train, codes, work / "vocabulary", section, recipe.seed, resume, on_event)
    base = new_base(
        tokenizer,
        encoder_layers=section.encoder_layers,
        decoder_layers=section.decoder_layers,
        d_model=section.d_model,
        ffn_dim=section.ffn_dim,
        heads=section.heads,
        dropout=section.dropout,
        seed=recipe.seed,
    )
    base.model.to(accelerator.device)
    set_seed(recipe.seed)
    batches = _batches(train, tokenizer, codes, section, recipe.seed)
    validation = _Validation(base, _batches(held_out, tokenizer, codes, section, recipe.seed), accelerator, on_event)
    on_event(
        Noted(
            f"{base.identity.parameters:,} parameters, {len(batches.examples):,} sentence pairs in "
            f"{len(batches.directions)} directions, {batches.skipped:,} too long"
        )
    )
    fit = Fit(
        model=base.model,
        parameters=list(base.model.parameters()),
        batches=_Slices(batches, section.updates * section.accumulate * accelerator.num_processes),
        settings=_optimisation(section),
        accelerator=accelerator,
        callbacks=[validation],
        checkpoint=Checkpoint(work, digest_of([section.model_dump(mode="json"), recipe.seed, codes, corpus.digest])),
        task="base training",
        on_event=on_event,
    )
    history = fit.run(resume)
    result = BaseTrainingResult(
        history=history,
        validation=validation.losses,
        sentence_pairs=len(batches.examples),
        skipped_sentences=batches.skipped,
    )
    rows = sum(len(part) for part in corpus.sections)
    examples = len(batches.examples) + batches.skipped
    base.model.eval()
    identity = DataIdentity(
        path=recipe.data.path, split=recipe.data.train, rows=rows, examples=examples, digest=corpus.digest
    )
    return base, result, identity


def _tokenizer(
    corpus: Corpus, codes: tuple[str, ...], folder: Path, section: BaseSection, seed: int, resume: bool, on_event: OnEvent
) -> Tokenizer:
    if resume and folder.is_dir():
        return Tokenizer.load(folder)
    on_event(Noted(f"training a vocabulary of {section.vocabulary:,} pieces"))
    text = {
        code: [line for part in corpus.sections if code in part.text for line in part.text[code]] for code in codes
    }
    return train_vocabulary(text, section.vocabulary, folder, languages=codes, seed=seed)


def _batches(corpus: Corpus, tokenizer: Tokenizer, codes: tuple[str, ...], section: BaseSection, seed: int) -> EpochBatches:
    return EpochBatches(
        TokenizedCorpus(corpus, tokenizer),
        _directions_with_text(corpus),
        codes,
        max_tokens=section.max_tokens,
        max_length=section.max_length,
        temperature=section.temperature,
        seed=seed,
    )


def _directions_with_text(corpus: Corpus) -> list[Direction]:
    """Ordered pairs of languages that stand side by side in some section."""
    pairs = {
        Direction(src, tgt)
        for section in corpus.sections
        for src in section.text
        for tgt in section.text
        if src != tgt and (section.present[src] & section.present[tgt]).any()
    }
    return sorted(pairs, key=str)


def _optimisation(section: BaseSection) -> Optimisation:
    return Optimisation(
        epochs=section.epochs,
        lr=section.lr,
        warmup=section.warmup,
        beta1=0.9,
        beta2=0.98,
        clip_norm=section.clip_norm,
        label_smoothing=section.label_smoothing,
        accumulate=section.accumulate,
    )


class _Slices:
    """Epochs of a fixed number of batches, cut from the endless sequence of a corpus's own epochs."""

    def __init__(self, source: EpochBatches, size: int):
        self._source = source
        self._size = size
        self._ends: list[int] = []

    def batches(self, epoch: int) -> list[None]:
        """Only its length is asked for; the tensors come from :meth:`updates`."""
        return [None] * self._size

    def updates(self, epoch: int, accumulate: int) -> Iterator[list[Batch]]:
        start, stop = (epoch - 1) * self._size, epoch * self._size
        for first in range(start, stop, accumulate):
            yield [self._batch(position) for position in range(first, min(first + accumulate, stop))]

    def _batch(self, position: int) -> Batch:
        """The batch at a position of the endless sequence."""
        while not self._ends or position >= self._ends[-1]:
            self._current = self._source.batches(len(self._ends) + 1)
            self._ends.append((self._ends[-1] if self._ends else 0) + len(self._current))
        begin = self._ends[-2] if len(self._ends) > 1 else 0
        return self._current[position - begin]


class _Validation(Callback):
    """Mean loss per token on the held-out rows after each epoch, without smoothing or dropout."""

    def __init__(self, base: BaseModel, batches: EpochBatches, accelerator: Accelerator, on_event: OnEvent):
        self._objective = TranslationLoss(base.model, smoothing=0.0)
        self._batches = batches.batches(1)
        self._accelerator = accelerator
        self._on_event = on_event
        self.losses: list[float] = []

    @torch.no_grad()
    def after_epoch(self, epoch: int) -> None:
        self._objective.eval()
        loss = tokens = 0.0
        for batch in self._batches:
            with self._accelerator.autocast():
                loss += float(self._objective(batch.to(self._accelerator.device)))
            tokens += batch.tokens
        self.losses.append(loss / tokens)
        self._on_event(Noted(f"epoch {epoch}: validation loss {self.losses[-1]:.4f} per token"))

    def state_dict(self) -> dict[str, Any]:
        return {"losses": self.losses}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.losses[:] = state["losses"]
