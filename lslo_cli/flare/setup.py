"""The setup of a FLARE experiment: a task in two languages, its model, and the transfer methods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import torch

from lslo_cli.artifacts.schema import DataIdentity, ModelIdentity
from lslo_cli.errors import InputError, UsageError, nearest
from lslo_cli.events import Noted, OnEvent, Warned, ignore
from lslo_cli.flare.attach import FlareAdapters, FlareSettings, attach_flare, detach, merge
from lslo_cli.flare.examples import Pairs
from lslo_cli.flare.files import restore_flare
from lslo_cli.flare.head_model import HeadModel
from lslo_cli.flare.identity import find_task_model, identify
from lslo_cli.flare.inputs import digest_of_split, pairs_of
from lslo_cli.flare.latent import TargetEncoder, load_target_encoder
from lslo_cli.flare.loading import load_task_model
from lslo_cli.flare.mixup import XMixup
from lslo_cli.flare.source_cache import SourceCache
from lslo_cli.flare.task_model import TaskModel, check_lengths
from lslo_cli.flare.tasks import Task, task_named
from lslo_cli.flare.transfer_methods import (
    PLAIN_METHODS,
    FusionMethod,
    MixupMethod,
    TransferMethod,
    TranslatorMethod,
)
from lslo_cli.flare.translations import TranslationRecord
from lslo_cli.flare.translator import LatentTranslation
from lslo_cli.method.base_dtype import BaseDtype
from lslo_cli.method.flare import SOURCE, FlareMethod, FlareRun
from lslo_cli.models.pretrained import moved
from lslo_cli.nn.recompute import recompute
from lslo_cli.recipe import Precision, Recipe
from lslo_cli.recipe.flare import FlareSection
from lslo_cli.tasks.session import Session
from lslo_cli.training.device import attention_for, open_device
from lslo_cli.wording import counted

FROZEN = {Precision.FP32: torch.float32, Precision.BF16: torch.bfloat16, Precision.FP16: torch.float16}
"""The dtype of frozen weights, and so of the forward pass; trained weights are float32."""


@dataclass
class FlareSetup(Session):
    """One seed of a FLARE experiment.

    ``data`` identifies the text read for the current artifact, and ``translations`` are the records of those
    of its splits that are translations.
    """

    translations: dict[str, TranslationRecord] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._captured = SourceCache()
        self._translators: dict[str, tuple[str, Sequence[str]]] = {}  # their digests and languages, by name
        self._text_digests: dict[str, str] = {}
        self._told: set[str] = set()
        self._loaded: TaskModel | None = None
        self._identity: ModelIdentity | None = None

    @property
    def settings(self) -> FlareSection:
        return self.recipe.flare

    @property
    def seed(self) -> int:
        return self.recipe.seed

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of frozen weights."""
        return FROZEN[self.recipe.run.precision]

    @property
    def model_identity(self) -> ModelIdentity:
        """The task model before tuning."""
        if self._identity is None:
            self._loaded = self._load()
        assert self._identity
        return self._identity

    @cached_property
    def task(self) -> Task:
        """The recipe's task. Raises UsageError for an unknown one."""
        return task_named(self.settings.task)

    def pairs(self, language: str, split: str) -> Pairs:
        """A split of a language paired with the source language's; the source language is paired with itself.

        Its identity is recorded for the artifact, and rows with an empty text are counted in a note.
        """
        pairs = pairs_of(self.settings, language, split)
        rows = len(pairs.target)
        identity = DataIdentity(
            path=self.settings.data,
            split=f"{language}/{split}",
            rows=rows + pairs.left_out,
            examples=rows,
            digest=pairs.digest,
            limit=self.settings.train_rows if split == "train" else None,
        )
        if identity not in self.data:
            self.data.append(identity)
        if pairs.translation:
            self.translations[identity.split] = pairs.translation
        if pairs.blank:
            self.on_event(
                Noted(f"{identity.split}: an empty text in {pairs.blank} of {counted(rows, 'row')}")
            )
        return pairs

    def warn_once(self, text: str) -> None:
        """Tell a warning, but not again for every run."""
        if text not in self._told:
            self._told.add(text)
            self.on_event(Warned(text))

    def digest_now(self, text: DataIdentity) -> str:
        if text.split not in self._text_digests:
            self._text_digests[text.split] = digest_of_split(self.settings, text.split)
        return self._text_digests[text.split]

    def new_model(self) -> TaskModel:
        """The task model before tuning, in float32; the head of an encoder is drawn from the seed."""
        model, self._loaded = self._loaded, None
        return model or self._load()

    def check_runs(self, runs: Iterable[FlareRun]) -> None:
        """Attach every run to the task model once, which stays loaded for what comes next.

        Raises UsageError or InputError for a run that is not for this model or task, or whose translation
        model is missing.
        """
        model = self.new_model()
        for run in runs:
            with self.transfer_method(model, run, SOURCE):
                pass
        self._loaded = model

    def _load(self) -> TaskModel:
        torch.manual_seed(self.seed)
        settings = self.settings
        place = find_task_model(settings.model, settings.revision)
        model = load_task_model(
            settings.model,
            self.task,
            dropout=settings.dropout,
            answer_tokens=settings.answer_tokens,
            attention=attention_for(self.accelerator),
            device=self.accelerator.device,
            revision=place.commit,  # a branch of the hub may move
        )
        self._identity = self._identity or identify(settings.model, place, model.backbone)
        return model

    def tuned_model(self, weights: Path) -> TaskModel:
        """The model tuned on the source language: its adapters merged in float32, then in ``dtype``."""
        self._captured.clear()
        model = self.new_model()
        with _attached(self, model, _settings(self, None)) as adapters:
            restore_flare(weights, adapters, model.modules())
            merge(model.backbone, adapters)
        moved(model.backbone, self.dtype)
        return model

    @contextmanager
    def tuning(self) -> Iterator[TransferMethod]:
        """A plain LoRA on the task model, for the source language.

        Raises UsageError if a run of the recipe would read more than the model does.
        """
        model = self.new_model()
        for run in self.settings.parsed_runs():  # or some would be trained before another is refused
            check_lengths(model, run.method, self.settings)
        moved(model.backbone, self.dtype)
        with _attached(self, model, _settings(self, None)) as adapters:
            yield TransferMethod(model, adapters, self.settings.max_length)

    @contextmanager
    def transfer_method(self, tuned: TaskModel, run: FlareRun, language: str) -> Iterator[TransferMethod]:
        """A method on the tuned model, with fresh adapters and its own head; removed at the end.

        Raises UsageError if it would read more than the model does.
        """
        check_lengths(tuned, run.method, self.settings)
        model = tuned.fresh()
        if not run.method.trains:
            yield self._method(model, None, run, language)
            return
        with _attached(self, model, _settings(self, run if run.method.fuses else None)) as adapters:
            method = self._method(model, adapters, run, language)
            try:
                yield method
            finally:
                method.detach()

    def _method(
        self, model: TaskModel, adapters: FlareAdapters | None, run: FlareRun, language: str
    ) -> TransferMethod:
        length = self.settings.max_length
        if plain := PLAIN_METHODS.get(run.method):
            return plain(model, adapters, length)
        assert adapters  # all others train them
        match run.method:
            case FlareMethod.X_MIXUP:
                return self._mixup_method(model, adapters)
            case FlareMethod.FLARE_MT:
                return self._translator_method(model, adapters, run, language)
        return FusionMethod(model, adapters, length, self._captured)

    def _mixup_method(self, model: TaskModel, adapters: FlareAdapters) -> MixupMethod:
        """X-Mixup in the recipe's block, the middle one by default."""
        if not (self.task.labels and isinstance(model, HeadModel)):
            raise UsageError(
                "x-mixup compares the probabilities of labels, and the answers here are "
                + ("spans" if isinstance(model, HeadModel) else "words"),
                "leave x-mixup out of --runs",
            )
        block = self.settings.mixup_block or (model.backbone.config.num_hidden_layers + 1) // 2
        return MixupMethod(model, adapters, self.settings.max_length, XMixup(model.backbone, block))

    def _translator_method(
        self, model: TaskModel, adapters: FlareAdapters, run: FlareRun, language: str
    ) -> TranslatorMethod:
        encoder = self.target_encoder(run.translator)
        # Those of all targets, so that one that cannot be read is refused before the first is trained.
        read_as = {each: self._read_as(run.translator, each) for each in self.settings.languages}
        encode = partial(encoder.states, language=read_as.get(language, self.settings.translator_reads_as))
        projection = LatentTranslation(encoder.width, model.width, adapters.blocks)
        projection.to(self.accelerator.device)
        return TranslatorMethod(model, adapters, self.settings.max_length, projection, encode)

    def translator_of(self, run: FlareRun, language: str) -> str:
        """A run's translation model, and what it reads texts of ``language`` as; empty for other methods.

        Raises UsageError if the recipe has none of that name, InputError if it cannot read the language.
        """
        read_as = self.read_as(run, language)
        return f"{self._translator_folder(run.translator)} as {read_as}" if read_as else ""

    def read_as(self, run: FlareRun, language: str) -> str:
        """What a run's translation model reads texts of ``language`` as; empty for other methods.

        Raises as :meth:`translator_of` does.
        """
        return self._read_as(run.translator, language) if run.method is FlareMethod.FLARE_MT else ""

    def translator_digest(self, run: FlareRun) -> str:
        """The digest of the current weights of a run's translation model; empty for other methods."""
        if run.method is not FlareMethod.FLARE_MT:
            return ""
        digest, _ = self._translator_facts(run.translator)
        return digest

    def _read_as(self, name: str, language: str) -> str:
        """The language that a translation model reads texts of ``language`` as."""
        _, known = self._translator_facts(name)
        code = self.settings.read_as(language, known)
        if code is None:
            raise InputError(
                f"translation model '{self._translator_folder(name)}' knows neither '{language}' nor "
                f"'{self.settings.translator_reads_as}', the recipe's flare.translator_reads_as",
                f"name one of its {len(known)} languages: --set flare.translator_reads_as=CODE, with CODE "
                f"among {', '.join(known)}",
            )
        return code

    def _translator_facts(self, name: str) -> tuple[str, Sequence[str]]:
        """The digest of a translation model's weights, and the languages that it reads."""
        if name not in self._translators:
            self.target_encoder(name)
        return self._translators[name]

    def target_encoder(self, name: str) -> TargetEncoder:
        """A translation model of the recipe by name."""
        settings = self.settings
        encoder = load_target_encoder(
            self._translator_folder(name), max_length=settings.max_length, accelerator=self.accelerator
        )
        self._translators[name] = encoder.digest or "", encoder.languages
        return encoder

    def _translator_folder(self, name: str) -> str:
        folder, known = self.settings.translator(name), self.settings.translators
        if folder is None:
            raise UsageError(
                f"no translation model '{name}' in flare.translators.{nearest(name, known)}",
                f"known: {', '.join(known)}" if known else "name one as flare.translators.NAME=FOLDER",
            )
        return folder


def prepare(recipe: Recipe, on_event: OnEvent = ignore) -> FlareSetup:
    """Choose the device for one seed of a FLARE experiment. Models and texts are loaded when needed.

    Raises UsageError for an unavailable device or precision, and for a dtype of the base.
    """
    if recipe.run.base_dtype is not BaseDtype.FLOAT32:
        raise UsageError(
            f"run.base_dtype {recipe.run.base_dtype} is for translation models; FLARE's task model has "
            "the dtype of --precision",
            "leave out run.base_dtype, and use --precision bf16 for half the memory",
        )
    accelerator = open_device(recipe, autocast=False)
    return FlareSetup(recipe, accelerator, on_event if accelerator.is_main_process else ignore)


@contextmanager
def _attached(setup: FlareSetup, model: TaskModel, settings: FlareSettings) -> Iterator[FlareAdapters]:
    """Adapters drawn from the seed, attached to the model for the ``with`` block, unless merged in it."""
    torch.manual_seed(setup.seed)
    adapters = attach_flare(model.backbone, settings)
    if setup.recipe.run.recompute:
        recompute(model.backbone, adapters.source.recomputing)
        model.backbone.config.use_cache = False  # or transformers warns that training has no cache
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
