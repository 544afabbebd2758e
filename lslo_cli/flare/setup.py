"""What a FLARE experiment starts from: a task in two languages, its model, and a reading for every method."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch

from lslo_cli.errors import UsageError, nearest
from lslo_cli.events import OnEvent, ignore
from lslo_cli.flare.attach import FlareAdapters, FlareSettings, attach_flare, detach, merge
from lslo_cli.flare.examples import Pairs
from lslo_cli.flare.files import restore_flare
from lslo_cli.flare.head_model import HeadModel
from lslo_cli.flare.latent import TargetEncoder, load_target_encoder, translator_digest
from lslo_cli.flare.loading import load_task_model
from lslo_cli.flare.mixup import XMixup
from lslo_cli.flare.readings import (
    FlareReading,
    JoinedReading,
    MixupReading,
    Reading,
    SourceReading,
    TranslatorReading,
)
from lslo_cli.flare.source import SourceStates
from lslo_cli.flare.task_model import TaskModel
from lslo_cli.flare.tasks import TASKS, Task
from lslo_cli.flare.translator import LatentTranslation
from lslo_cli.method.flare import FlareMethod, FlareRun
from lslo_cli.recipe.flare import FlareSection


@dataclass
class FlareSetup:
    """One seed of a FLARE experiment. ``dtype`` is that of frozen weights; what is trained is float32."""

    settings: FlareSection
    seed: int
    device: torch.device
    dtype: torch.dtype = torch.float32
    attention: str | None = None
    on_event: OnEvent = ignore

    def __post_init__(self) -> None:
        self._captured: dict[Hashable, SourceStates] = {}

    @cached_property
    def task(self) -> Task:
        """The recipe's task. Raises UsageError for one that is not known."""
        name = self.settings.task
        if name not in TASKS:
            raise UsageError(f"unknown task '{name}'.{nearest(name, TASKS)}", f"tasks: {', '.join(TASKS)}")
        return TASKS[name]

    def pairs(self, language: str, split: str) -> Pairs:
        """A split of a target language beside the source language's, of the source language beside itself."""
        pairs = self.task.pairs(Path(self.settings.data), language, split)
        rows = self.settings.train_rows if split == "train" else None
        return replace(pairs, source=pairs.source[:rows], target=pairs.target[:rows])

    def new_model(self) -> TaskModel:
        """The task model as it comes, in float32; the head of an encoder is drawn from the seed."""
        torch.manual_seed(self.seed)
        settings = self.settings
        return load_task_model(
            settings.model,
            self.task,
            dropout=settings.dropout,
            answer_tokens=settings.answer_tokens,
            attention=self.attention,
            device=self.device,
            revision=settings.revision,
        )

    def tuned_model(self, weights: Path) -> TaskModel:
        """The model tuned on the source language: its adapters merged in float32, then in ``dtype``."""
        self._captured.clear()
        model = self.new_model()
        with _attached(self, model, _settings(self, None)) as adapters:
            restore_flare(weights, adapters, model.modules())
            merge(model.backbone, adapters)
        model.backbone.to(self.dtype)
        return model

    @contextmanager
    def tuning(self) -> Iterator[Reading]:
        """A plain LoRA on the task model, for the source language."""
        model = self.new_model()
        model.backbone.to(self.dtype)
        with _attached(self, model, _settings(self, None)) as adapters:
            yield Reading(model, adapters, self.settings.max_length)

    @contextmanager
    def reading(self, tuned: TaskModel, run: FlareRun, language: str) -> Iterator[Reading]:
        """A method on the tuned model, with fresh adapters and a head of its own; taken out at the end."""
        model = tuned.fresh()
        length = self.settings.max_length
        if run.method is FlareMethod.ZERO_SHOT:
            yield Reading(model, None, length)
            return
        if run.method is FlareMethod.TRANSLATE_TEST:
            yield SourceReading(model, None, length)
            return
        with _attached(self, model, _settings(self, run if run.method.fuses else None)) as adapters:
            match run.method:
                case FlareMethod.LORA:
                    yield Reading(model, adapters, length)
                case FlareMethod.INPUT_FUSION:
                    yield JoinedReading(model, adapters, length)
                case FlareMethod.X_MIXUP:
                    if not (self.task.labels and isinstance(model, HeadModel)):
                        raise UsageError(
                            "x-mixup compares the probabilities of labels, and the answers here are "
                            + ("spans" if isinstance(model, HeadModel) else "words"),
                            "leave it out of --runs",
                        )
                    mixup = XMixup(model.backbone, self._mixup_block(model))
                    try:
                        yield MixupReading(model, adapters, length, mixup)
                    finally:
                        mixup.detach()
                case FlareMethod.FLARE | FlareMethod.FLARE_SHUFFLED:
                    yield FlareReading(model, adapters, length, self._captured)
                case FlareMethod.FLARE_MT:
                    yield self._translator_reading(model, adapters, run)

    def _translator_reading(
        self, model: TaskModel, adapters: FlareAdapters, run: FlareRun
    ) -> TranslatorReading:
        encoder = self.target_encoder(run.translator)
        projection = LatentTranslation(encoder.width, model.width, adapters.blocks).to(self.device)
        return TranslatorReading(model, adapters, self.settings.max_length, projection, encoder)

    def translator_of(self, run: FlareRun) -> str:
        """The translation model that a run reads with and as which language; empty for other methods.

        Raises UsageError where the recipe has none of that name.
        """
        if run.method is not FlareMethod.FLARE_MT:
            return ""
        return f"{self._translator_folder(run.translator)} as {self.settings.translator_reads_as}"

    def translator_digest(self, run: FlareRun) -> str:
        """Of the weights that the translation model of a run has now; empty for other methods."""
        if run.method is not FlareMethod.FLARE_MT:
            return ""
        return translator_digest(self._translator_folder(run.translator))

    def target_encoder(self, name: str) -> TargetEncoder:
        """A translation model of the recipe by name."""
        settings = self.settings
        return load_target_encoder(
            self._translator_folder(name),
            settings.translator_reads_as,
            max_length=settings.max_length,
            device=self.device,
        )

    def _translator_folder(self, name: str) -> str:
        known = self.settings.translators
        key = name.replace("-", "_")  # as recipes read their keys
        if key not in known:
            raise UsageError(
                f"no translation model '{name}' in flare.translators.{nearest(key, known)}",
                f"known: {', '.join(known)}" if known else "name one as flare.translators.NAME=FOLDER",
            )
        return known[key]

    def _mixup_block(self, model: TaskModel) -> int:
        """The middle block, where the recipe names none."""
        return self.settings.mixup_block or (model.backbone.config.num_hidden_layers + 1) // 2


@contextmanager
def _attached(setup: FlareSetup, model: TaskModel, settings: FlareSettings) -> Iterator[FlareAdapters]:
    """Adapters drawn from the seed, on the model for the block; merged ones are out already."""
    torch.manual_seed(setup.seed)
    adapters = attach_flare(model.backbone, settings)
    try:
        yield adapters
    finally:
        detach(model.backbone, adapters)


def _settings(setup: FlareSetup, run: FlareRun | None) -> FlareSettings:
    recipe = setup.settings
    return FlareSettings(
        phi=run.phi if run else None,
        rank=recipe.rank,
        alpha=recipe.alpha,
        source_layer_offset=run.source_layer_offset if run else 1,
        source_norm=recipe.source_norm,
        mask_padding=recipe.mask_padding,
        elsewhere=recipe.elsewhere,
    )
