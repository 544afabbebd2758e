"""Flags of the steps of the pipeline, and of those that train."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

from typer import Option

from lslo_cli.cli import console
from lslo_cli.cli.command_options import EXPERIMENT, key_of
from lslo_cli.cli.experiment_options import ExperimentOptions
from lslo_cli.cli.flags import Key, number_or_word, split_commas
from lslo_cli.cli.options import (
    TRAINING,
    BaseModelName,
    ClassOptions,
    DryRun,
    MachineOptions,
    SpanName,
    TestSplit,
    TrackerName,
    TrainingTextOptions,
)
from lslo_cli.errors import InputError

if TYPE_CHECKING:
    from lslo_cli.recipe import Memory, Recipe


def say_unread(recipe: Recipe, quiet: bool, testing: bool = True) -> None:
    """Say what text at the recipe's path is not read, unless ``quiet``."""
    from lslo_cli.data.splits import note_on_text

    if not quiet and (note := note_on_text(recipe, testing)):
        console.say(note)


@dataclass(frozen=True, kw_only=True)
class StageOptions(MachineOptions, TrainingTextOptions, ClassOptions, ExperimentOptions):
    """The flags of every step of the pipeline."""

    model: BaseModelName = None
    test: TestSplit = None
    dry_run: DryRun = False


@dataclass(frozen=True, kw_only=True)
class ModelOptions(StageOptions):
    """The flags of every step with a base model and text."""

    tests: ClassVar[bool] = False
    """Whether the command reads the test text first, not the training text."""

    @classmethod
    def has_effect(cls, assignment: str) -> bool:
        """Whether the command reads the key of a ``--set``: any but those of training a base."""
        return key_of(assignment).partition(".")[0] != "base"

    def to_remember(self, recipe: Recipe) -> Memory:
        """All but a test on the training text, which is one of the base model alone."""
        from lslo_cli.data.splits import is_test_trained_on

        now = super().to_remember(recipe)
        if not is_test_trained_on(recipe):
            return now
        return replace(now, given={key: value for key, value in now.given.items() if key != "data.test"})

    def check(self, recipe: Recipe) -> None:
        """Raise InputError for a named model folder, language or text that does not exist."""
        from lslo_cli.data.splits import check_text
        from lslo_cli.models.model_languages import check_model_languages

        if folder := recipe.model.missing_folder:
            raise InputError(
                f"no folder '{recipe.model.name}' with a base model (looked at {folder.absolute()})",
                "check --model; docs/models.md lists models with size and licence",
            )
        check_model_languages(recipe)
        if "path" in recipe.data.model_fields_set and not self.dry_run:
            check_text(recipe, self.tests)
            say_unread(recipe, self.quiet)


@dataclass(frozen=True, kw_only=True)
class FitOptions(ModelOptions):
    """The flags of every step that trains."""

    span: SpanName = None
    initialisation: Annotated[
        str | None, Option("--initialisation", rich_help_panel=TRAINING), Key("adapters.initialisation")
    ] = None
    directions: Annotated[
        str | None,
        Option("--directions", metavar="LIST", rich_help_panel=EXPERIMENT),
        Key("data.directions", split_commas),
    ] = None
    lr: Annotated[float | None, Option("--lr", rich_help_panel=TRAINING), Key("fit.lr")] = None
    max_tokens: Annotated[
        str | None, Option("--max-tokens", rich_help_panel=TRAINING), Key("fit.max_tokens", number_or_word)
    ] = None
    accumulate: Annotated[
        int | None, Option("--accumulate", rich_help_panel=TRAINING), Key("fit.accumulate")
    ] = None
    track: TrackerName = None
    resume: Annotated[bool, Option("--resume", help="Continue after the last finished epoch.")] = False
