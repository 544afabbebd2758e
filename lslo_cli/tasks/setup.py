"""The setup of every stage: languages, base model, text, device."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import nn

from lslo_cli.architectures import architecture_of
from lslo_cli.artifacts.provenance import digest_of
from lslo_cli.artifacts.schema import DataIdentity, ModelIdentity
from lslo_cli.data.corpus import Corpus
from lslo_cli.data.splits import DEV_ROWS, check_text, with_splits
from lslo_cli.data.text import read_text
from lslo_cli.errors import InputError
from lslo_cli.events import OnEvent, Warned, ignore
from lslo_cli.method.languages import Direction, Language, Resource, choose_directions, directions
from lslo_cli.models.base import BaseModel, add_languages, load_base
from lslo_cli.models.encoder import encode_once
from lslo_cli.models.places import find_model
from lslo_cli.nn.loss import TranslationLoss, encode_rows
from lslo_cli.nn.recompute import recompute
from lslo_cli.nn.route import Route
from lslo_cli.recipe import Recipe
from lslo_cli.tasks.freshness import arithmetic
from lslo_cli.tasks.session import Session
from lslo_cli.tasks.trained_text import check_trained
from lslo_cli.training.batches import EpochBatches
from lslo_cli.training.checkpoint import TrainingCheckpoint, continue_with_threads
from lslo_cli.training.device import Machine, attention_for, check_base_dtype, length_multiple, open_device
from lslo_cli.training.metrics import logged
from lslo_cli.training.optimisation import Optimisation
from lslo_cli.training.tokenized import TokenizedCorpus
from lslo_cli.training.trainer import Callback, Trainer
from lslo_cli.training.validation import Validation
from lslo_cli.wording import counted, several


@dataclass(kw_only=True)
class Setup(Session):
    """The session of one stage, with its base model.

    With ``resume`` training continues from the checkpoint. ``log`` is the file that training logs to, None
    for none.
    """

    base: BaseModel
    log: Path | None = None
    resume: bool = False

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(language.code for language in self.languages)

    @property
    def directions(self) -> tuple[Direction, ...]:
        return directions(self.languages)

    @property
    def training_directions(self) -> tuple[Direction, ...]:
        """The directions that the recipe trains on. Raises UsageError for one outside the experiment."""
        return choose_directions(self.recipe.data.directions, self.languages)

    @property
    def model_identity(self) -> ModelIdentity:
        return self.base.identity

    def digest_now(self, text: DataIdentity) -> str:
        return self.read(text.split, text.limit).digest

    @property
    def max_length(self) -> int:
        """The most tokens of a sentence, specials included: the recipe's limit, or the model's own."""
        return self.base.longest(self.recipe.data.max_length)

    def length_limit(self, limit: int) -> str:
        """A limit on length in words, with its cause if that is the model."""
        is_models = limit == self.max_length < self.recipe.data.max_length
        return f"{limit} tokens" + (", the number of positions of the base model" if is_models else "")

    def read(self, split: str, rows: int | None = None) -> Corpus:
        """Read a split of the recipe's text; ``rows`` keeps the first of each section."""
        corpus = read_text(self.recipe, self.codes, split)
        return corpus if rows is None else corpus.limit(rows)

    def corpus(self, split: str, rows: int | None = None) -> Corpus:
        """Read a split as :meth:`read` does, and note its identity for the artifact."""
        corpus = self.read(split, rows)
        is_trained_on = split in (self.recipe.data.train, DEV_ROWS)
        serves = self.training_directions if is_trained_on else self.directions
        self.data.append(
            DataIdentity(
                path=self.recipe.data.path,
                split=split,
                rows=sum(len(section) for section in corpus.sections),
                limit=rows,
                hold_out=self.recipe.data.hold_out,
                examples=sum(corpus.size(direction) for direction in serves),
                digest=corpus.digest,
            )
        )
        return corpus

    def new_rows(self) -> list[nn.Parameter]:
        """The embeddings of new languages, made trainable, to train with the adapters."""
        rows = self.base.new_rows
        if rows is None:
            return []
        rows.weight.requires_grad_(True)
        return [rows.weight]

    def training_batches(
        self, directions: Sequence[Direction] | None = None, adapted: Collection[str] | None = None
    ) -> EpochBatches:
        """Batches of the training split over ``directions``, by default those that the recipe trains on.

        ``adapted`` are the languages with adapters of their own, by default all. Raises InputError if one of
        them has no sentence pair, since its adapters would stay as they begin; for others a note suffices.
        """
        recipe = self.recipe
        batches = self.batches(self.corpus(recipe.data.train, recipe.data.train_rows), directions)
        limit = self.length_limit(min(self.max_length, recipe.fit.batch_tokens))
        if batches.skipped:
            self.on_event(Warned(f"left out {counted(batches.skipped, 'sentence pair')} longer than {limit}"))
        check_trained(batches, self.codes if adapted is None else adapted, recipe.data, limit, self.on_event)
        return batches

    def dev_loss(
        self, route: Route | None, directions: Sequence[Direction] | None = None
    ) -> Validation | None:
        """The loss on the dev rows over ``directions``, by default those of training.

        None if the recipe has no dev rows. Raises InputError if none of them is of these directions.
        """
        if not self.recipe.data.dev_rows:
            return None
        corpus, wanted = self.corpus(DEV_ROWS), self.training_directions if directions is None else directions
        if not any(map(corpus.size, wanted)):
            raise InputError(
                f"{counted(self.recipe.data.dev_rows, 'dev row')} without a sentence pair in "
                f"{several([*map(str, wanted)])}",
                "hold out more rows: --dev-rows, or none: --dev-rows 0",
            )
        batches = self.batches(corpus, directions)
        return Validation(self.base, batches, self.accelerator, self.on_event, route)

    def batches(self, corpus: Corpus, directions: Sequence[Direction] | None = None) -> EpochBatches:
        """Batches of any text over ``directions``, by default those that the recipe trains on."""
        recipe = self.recipe
        return EpochBatches(
            TokenizedCorpus(corpus, self.base.tokenizer),
            self.training_directions if directions is None else directions,
            self.codes,
            max_tokens=recipe.fit.batch_tokens,
            max_length=self.max_length,
            temperature=recipe.data.temperature,
            seed=recipe.seed,
            multiple=length_multiple(self.accelerator),
        )

    def fit(
        self,
        parameters: Iterable[torch.nn.Parameter],
        batches: EpochBatches,
        settings: Optimisation,
        *,
        task: str,
        route: Route | None,
        callbacks: Sequence[Callback],
        depends_on: object = None,
    ) -> Trainer:
        """A training run of the base model with its adapters, with the recipe's dropout.

        ``depends_on`` is what the run depends on besides seed, text, base model and optimisation: a
        checkpoint made with another value is refused.
        """
        recipe = self.recipe
        dropout = recipe.fit.dropout, recipe.fit.attention_dropout, recipe.fit.activation_dropout
        architecture_of(self.base.model).set_dropout(self.base.model, *dropout)
        if recipe.run.recompute:
            recompute(self.base.model, (route or Route()).recomputing)
        encode = partial(encode_once, route=route) if recipe.run.share_sources else encode_rows
        return Trainer(
            objective=TranslationLoss(self.base.model, settings.label_smoothing, encode),
            parameters=list(parameters),
            batches=batches,
            settings=settings,
            accelerator=self.accelerator,
            seed=recipe.seed,
            route=route,
            callbacks=logged(callbacks, self.log, recipe, f"{task}, seed {recipe.seed}", self.accelerator)
            if self.log
            else callbacks,
            checkpoint=TrainingCheckpoint(
                self.work,
                self._fingerprint(task, settings, depends_on),
                Machine.of(self.accelerator),
                recipe.fit.model_dump(include={"max_tokens", "accumulate"}),
            )
            if self.work
            else None,
            task=task,
            on_event=self.on_event,
        )

    def _fingerprint(self, task: str, settings: Optimisation, depends_on: object) -> Callable[[Machine], str]:
        """A digest of all that a training run's weights depend on, by the machine."""
        recipe = self.recipe
        known = [
            task,
            recipe.seed,
            recipe.data.model_dump(mode="json", include={"temperature", "max_length"}),
            *recipe.data.directions,
            recipe.fit.model_dump(mode="json", exclude={"lr", "lr_full", "epochs"}),  # settings has its own
            recipe.adapters.model_dump(mode="json"),
            arithmetic(recipe.run, "share_sources"),
            asdict(settings),
            [(language.code, language.resource) for language in self.languages],
            recipe.new_languages,
            [identity.digest for identity in self.data],
            self.base.identity.digest,
            self.base.identity.settings,
        ]
        return lambda machine: digest_of([*known, *machine, depends_on])


def check_at_hand(recipe: Recipe, testing: bool = False) -> None:
    """Raise InputError if the text is missing, before weights are loaded.

    If the base model is missing too, the error names both.
    """
    try:
        check_text(recipe, testing)
    except InputError as no_text:
        try:
            find_model(recipe.model.name, recipe.model.revision)
        except InputError as no_model:
            raise InputError(
                f"{no_model.message}; and {no_text.message}", f"{no_text.hint}; {no_model.hint}"
            ) from None
        raise


def prepare(
    recipe: Recipe,
    work: Path | None = None,
    log: Path | None = None,
    resume: bool = False,
    on_event: OnEvent = ignore,
    all_languages: bool = False,
    accelerator: Accelerator | None = None,
    weights: bool = True,
) -> Setup:
    """Choose the device, seed everything, load the base model and check that it knows the languages.

    New languages are added to it first. With ``all_languages`` the languages are those of the base model,
    whatever the recipe names. A model that helps another one uses its ``accelerator``, and nothing is seeded.
    Without ``weights`` the model has no values, for planning. Raises UsageError for an unknown language or
    device, InputError for a base model that cannot be used.
    """
    recipe = with_splits(recipe)
    languages = recipe.selected_languages()
    is_alone = accelerator is None
    if accelerator is None:
        accelerator = opened = open_device(recipe)
        if resume and work:
            continue_with_threads(recipe, opened, work, on_event if opened.is_main_process else ignore)
    if weights:
        check_base_dtype(recipe.run.base_dtype, accelerator.device)
    base = load_as_prepared(recipe, accelerator, weights)
    base = add_languages(base, recipe.new_languages)
    if all_languages:
        known = recipe.known_languages()
        languages = tuple(known.get(code, Language(code, Resource.LOW)) for code in base.tokenizer.languages)
    base.check_languages(language.code for language in languages)
    if weights:
        base.model.to(accelerator.device)
    if is_alone:
        set_seed(recipe.seed)
    listener = on_event if accelerator.is_main_process else ignore
    return Setup(
        recipe, accelerator, listener, languages=languages, work=work, base=base, log=log, resume=resume
    )


def load_as_prepared(recipe: Recipe, accelerator: Accelerator, weights: bool = True) -> BaseModel:
    """The recipe's base model in the recipe's number format."""
    return load_base(
        recipe.model.name,
        revision=recipe.model.revision,
        attn=attention_for(accelerator),
        weights=weights,
        frozen=recipe.run.base_dtype,
        device=accelerator.device,
    )
