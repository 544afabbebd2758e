"""The flags that commands share.

A flag that was not given is None and leaves its recipe key alone, so ``--gps 0`` overrides a recipe's 0.9.
"""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from typer import Option

from lslo_cli.artifacts.folder import RESULTS
from lslo_cli.cli import console
from lslo_cli.cli.flags import Key, flags_of, number_or_word, split_commas
from lslo_cli.errors import InputError, UsageError
from lslo_cli.method.metrics import metric_named

if TYPE_CHECKING:
    from lslo_cli.artifacts.folder import ExperimentFolder
    from lslo_cli.recipe import Memory, Recipe
    from lslo_cli.tasks import Experiment

EXPERIMENT = "Experiment"
TRAINING = "Optimisation"
MACHINE = "Machine and output"


def command_line() -> str:
    """What was typed, for the record."""
    return shlex.join(["lslo", *sys.argv[1:]])


def classes_by_key(text: str | None) -> dict[str, str]:
    """Read ``tr=low,kk=very-low``, or ``text``, as values by recipe key.

    Raises UsageError for another form.
    """
    from lslo_cli.method.codes import model_code

    if text == "text":
        return {"classes": text}
    classes: dict[str, str] = {}
    for item in split_commas(text or ""):
        code, _, resource = (part.strip() for part in item.partition("="))
        if not (code and resource) or "." in code:
            raise UsageError(
                f"--resource names '{item}', which is not CODE=CLASS", "write --resource tr=low,kk=low"
            )
        key = f"languages.{model_code(code)}.resource"
        if key in classes:
            raise UsageError(f"--resource names '{model_code(code)}' twice", "give each language one class")
        classes[key] = resource
    return classes


def _value_at(recipe: Recipe, key: str) -> object:
    """The value at a dotted key of a recipe."""
    value: Any = recipe
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else getattr(value, part, None)
    return list(value) if isinstance(value, tuple) else value


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def metric_option(name: str) -> str:
    """The metric that ``--metric`` names. Raises UsageError for one that is not in the list."""
    try:
        return metric_named(name).name
    except ValueError as error:
        raise UsageError(f"--metric: {error}", "name one that the runs were scored by") from None


BaseModelName = Annotated[
    str | None,
    Option("--model", metavar="NAME|FOLDER", rich_help_panel=EXPERIMENT),
    Key("model.name"),
]


SpanName = Annotated[
    str | None,
    Option("--span", rich_help_panel=TRAINING),
    Key("adapters.span"),
]


@dataclass(frozen=True, kw_only=True)
class SettingsOptions:
    """Settings: a recipe, and what overrides it."""

    recipe: Annotated[
        str | None,
        Option(
            "--recipe",
            envvar="LSLO_RECIPE",
            metavar="NAME|FILE",
            rich_help_panel=EXPERIMENT,
            help="Settings to start from; `lslo recipe` lists those that come with lslo.",
        ),
    ] = None
    assignments: Annotated[
        list[str] | None,
        Option(
            "--set",
            metavar="KEY=VALUE",
            rich_help_panel=EXPERIMENT,
            help="Set any recipe key, such as fit.warmup=100. Repeatable; default: none.",
        ),
    ] = None

    def given(self) -> dict[str, Any]:
        """The given values by recipe key."""
        values = ((flag.key, getattr(self, flag.field)) for flag in flags_of(type(self)))
        return {key.name: key.read(value) for key, value in values if key and value is not None}

    def resolve(self, memory: Memory | None = None) -> Recipe:
        """The recipe with these options applied, and below them what ``memory`` has of the experiment.

        Raises UsageError, naming the flag that is at fault.
        """
        from lslo_cli.recipe import Memory, resolve

        given = self.given()
        try:
            return resolve(self.recipe, given, self.assignments or (), memory or Memory())
        except UsageError as error:
            message = error.message
            for flag in flags_of(type(self)):
                if flag.key and flag.key.name in given:
                    message = message.replace(f"'{flag.key.name}'", flag.name)
            raise UsageError(message, error.hint) from None


@dataclass(frozen=True, kw_only=True)
class RecipeOptions(SettingsOptions):
    """Settings, and between which languages."""

    langs: Annotated[
        str | None,
        Option("--langs", metavar="SET|CODES", rich_help_panel=EXPERIMENT),
        Key("langs"),
    ] = None
    resource: Annotated[
        str | None,
        Option(
            "--resource",
            metavar="CODE=CLASS,...|text",
            rich_help_panel=EXPERIMENT,
            help="Resource classes of languages outside the paper's 30: tr=medium,kk=low; or by the size of "
            "your text; default: none.",
        ),
    ] = None

    def given(self) -> dict[str, Any]:
        """The given values by recipe key."""
        return super().given() | classes_by_key(self.resource)


@dataclass(frozen=True, kw_only=True)
class LanguageOptions(RecipeOptions):
    """Languages that the base model does not know."""

    add_lang: Annotated[
        list[str] | None,
        Option(
            "--add-lang",
            metavar="CODES",
            rich_help_panel=EXPERIMENT,
            help="Languages the model does not know: tyv,crh. Repeatable, see --like; default: none.",
        ),
    ] = None
    like: Annotated[
        list[str] | None,
        Option(
            "--like",
            metavar="CODES",
            rich_help_panel=EXPERIMENT,
            help="A known language for each of --add-lang, whose token it begins with: kk,tr; default: none.",
        ),
    ] = None

    def given(self) -> dict[str, Any]:
        """The given values by recipe key. Raises UsageError where new languages have no relatives."""
        added, relatives = (
            [code for text in texts or () for code in split_commas(text)]
            for texts in (self.add_lang, self.like)
        )
        if len(added) != len(relatives):
            raise UsageError(
                f"--add-lang names {', '.join(added) or 'no language'}, "
                f"and --like {', '.join(relatives) or 'none'}",
                "give each new language a relative that the model knows: --add-lang tyv --like kk",
            )
        if repeated := next((code for code in added if added.count(code) > 1), None):
            raise UsageError(f"--add-lang names '{repeated}' twice", "name each new language once")
        pairs = zip(added, relatives, strict=True)
        return super().given() | {f"new_languages.{code}": relative for code, relative in pairs}


@dataclass(frozen=True, kw_only=True)
class FolderOptions(SettingsOptions):
    """Which experiment is meant, and where it lies."""

    results: Annotated[
        Path,
        Option(
            "--results",
            envvar="LSLO_RESULTS",
            metavar="FOLDER",
            rich_help_panel=EXPERIMENT,
            help="Folder that holds the experiments.",
        ),
    ] = RESULTS
    name: Annotated[
        str | None,
        Option("--name", metavar="NAME", rich_help_panel=EXPERIMENT),
        Key("name"),
    ] = None

    def folder(self, recipe: Recipe) -> ExperimentFolder:
        """The folder of the experiment."""
        from lslo_cli.artifacts.folder import ExperimentFolder

        return ExperimentFolder(self.results / recipe.experiment)

    def experiment(self) -> Experiment:
        """The experiment these options describe. The recipe is checked before anything heavy is imported."""
        recipe = self.resolve()
        from lslo_cli.tasks import Experiment

        return Experiment(recipe, self.folder(recipe), command_line())

    def command(self, name: str) -> str:
        """The line that runs another command on this experiment, with the flags that chose it."""
        words = ["lslo", *name.split()]
        for flag in flags_of(type(self)):
            value = getattr(self, flag.field)
            from_environment = str(value) == os.environ.get(str(flag.option.envvar))
            if flag.option.rich_help_panel == EXPERIMENT and value != flag.default and not from_environment:
                for item in value if isinstance(value, list) else [value]:
                    words += [flag.name, str(item)]
        return shlex.join(words)


@dataclass(frozen=True, kw_only=True)
class ExperimentOptions(FolderOptions, LanguageOptions):
    """An experiment on translation between the recipe's languages."""

    remembers = True
    """Whether settings that earlier commands of the experiment were given hold for this one."""

    def resolve(self, memory: Memory | None = None) -> Recipe:
        """The recipe, with what the experiment remembers, of which a note says what it is.

        Where nothing says which experiment is meant, it is the one that was worked on last in --results.
        """
        memory = self.memory() if memory is None and self.remembers else memory
        recipe = super().resolve(memory)
        if memory and not getattr(self, "quiet", False):
            self._say_memory(memory, recipe)
        return recipe

    def memory(self) -> Memory:
        """What earlier commands of the experiment were given."""
        from lslo_cli.recipe import last_experiment, read_memory

        last = None if self._chooses() else last_experiment(self.results)
        return read_memory(last or self.folder(super().resolve()).path)

    def _now(self) -> Memory:
        from lslo_cli.recipe import given_now

        return given_now(self.recipe, self.given(), self.assignments or ())

    def _chooses(self) -> bool:
        """Whether anything that was given says which experiment is meant."""
        from lslo_cli.recipe import CHOOSING

        now = self._now()
        return now.recipe is not None or any(key.partition(".")[0] in CHOOSING for key in now.given)

    def _say_memory(self, memory: Memory, recipe: Recipe) -> None:
        from lslo_cli.recipe import MEMORY_FILE

        path, now = self.folder(recipe).path / MEMORY_FILE, self._now()
        flags = {flag.key.name: flag.name for flag in flags_of(type(self)) if flag.key}
        held = {**memory.environment, **memory.given}
        values = {key: _value_at(recipe, key) for key in held}
        same = {key: value for key, value in held.items() if str(values[key]) == str(value)}
        taken = [
            f"{flags.get(key, key)} {_shown(value)}" for key, value in same.items() if key not in now.given
        ]
        if memory.recipe and self.recipe is None:
            taken.insert(0, f"--recipe {memory.recipe}")
        if taken:
            console.say(f"{path}: {', '.join(taken)}, as given before")
        for key in held.keys() - same.keys():
            console.say(
                f"{flags.get(key, key)} is {_shown(values[key])} for this command; "
                f"the experiment was begun with {_shown(held[key])} ({path})"
            )

    def experiment(self) -> Experiment:
        """The experiment these options describe, with what it will remember of them.

        Languages, text and model are checked as far as that needs nothing heavy.
        """
        from lslo_cli.data.classes import with_classes
        from lslo_cli.models.spoken import with_spoken
        from lslo_cli.recipe import Memory

        memory = self.memory() if self.remembers else None
        recipe = with_spoken(self.resolve(memory))
        self.check(recipe)
        recipe.selected_languages()
        recipe = with_classes(recipe)
        from lslo_cli.tasks import Experiment

        remembered = memory.adding(self._now()) if memory is not None else None
        if remembered is not None and recipe.classes == "text":
            entries = recipe.languages.items()
            counted = {f"languages.{code}.resource": str(entry.resource) for code, entry in entries}
            remembered = remembered.adding(Memory(given=counted))
        return Experiment(recipe, self.folder(recipe), command_line(), remembered)

    def check(self, recipe: Recipe) -> None:
        """Refuse what can be seen to be missing without loading anything heavy."""


@dataclass(frozen=True, kw_only=True)
class MachineOptions(SettingsOptions):
    """With what to compute, and what to print."""

    device: Annotated[
        str | None,
        Option("--device", rich_help_panel=MACHINE),
        Key("run.device"),
    ] = None
    precision: Annotated[
        str | None,
        Option("--precision", rich_help_panel=MACHINE),
        Key("run.precision"),
    ] = None
    threads: Annotated[int | None, Option("--threads", rich_help_panel=MACHINE), Key("run.threads")] = None
    json: Annotated[
        bool, Option("--json", rich_help_panel=MACHINE, help="Print the artifact on stdout, nothing else.")
    ] = False
    quiet: Annotated[
        bool, Option("--quiet", rich_help_panel=MACHINE, help="Nothing on stderr but errors.")
    ] = False


TrackerName = Annotated[str | None, Option("--track", rich_help_panel=MACHINE), Key("run.track")]


@dataclass(frozen=True, kw_only=True)
class ComputeOptions(MachineOptions, RecipeOptions):
    """On which text to compute, and with which seed."""

    data: Annotated[
        str | None,
        Option("--data", metavar="PATH", rich_help_panel=EXPERIMENT),
        Key("data.path"),
    ] = None
    train: Annotated[
        str | None,
        Option("--train", metavar="SPLIT", rich_help_panel=EXPERIMENT),
        Key("data.train"),
    ] = None
    test: Annotated[
        str | None,
        Option("--test", metavar="SPLIT", rich_help_panel=EXPERIMENT),
        Key("data.test"),
    ] = None
    hold_out: Annotated[
        int | None,
        Option("--hold-out", metavar="ROWS", rich_help_panel=EXPERIMENT),
        Key("data.hold_out"),
    ] = None
    dev_rows: Annotated[
        int | None,
        Option("--dev-rows", metavar="ROWS", rich_help_panel=EXPERIMENT),
        Key("data.dev_rows"),
    ] = None
    seed: Annotated[
        int | None,
        Option("--seed", rich_help_panel=EXPERIMENT),
        Key("seed"),
    ] = None


@dataclass(frozen=True, kw_only=True)
class StageOptions(ComputeOptions, ExperimentOptions):
    """What every step of the pipeline takes."""

    model: BaseModelName = None
    dry_run: Annotated[
        bool, Option("--dry-run", rich_help_panel=MACHINE, help="Check all, print the plan, write nothing.")
    ] = False


@dataclass(frozen=True, kw_only=True)
class ModelOptions(StageOptions):
    """What every step with a base model and text takes."""

    tests: ClassVar[bool] = False
    """Whether the text that is read first is the one to test on."""

    def check(self, recipe: Recipe) -> None:
        """Refuse a folder of a model, a language or a text that was named and is not there."""
        from lslo_cli.data.text import check_text
        from lslo_cli.models.spoken import check_spoken

        if folder := recipe.model.missing_folder:
            raise InputError(
                f"no folder '{recipe.model.name}' with a base model (looked at {folder.absolute()})",
                "check --model; docs/models.md lists models with size and licence",
            )
        check_spoken(recipe)
        if "path" in recipe.data.model_fields_set and not self.dry_run:
            check_text(recipe, self.tests)


@dataclass(frozen=True, kw_only=True)
class FitOptions(ModelOptions):
    """What every step that trains takes."""

    span: SpanName = None
    initialisation: Annotated[
        str | None,
        Option("--initialisation", rich_help_panel=TRAINING),
        Key("adapters.initialisation"),
    ] = None
    directions: Annotated[
        str | None,
        Option(
            "--directions",
            metavar="LIST",
            rich_help_panel=EXPERIMENT,
        ),
        Key("data.directions", split_commas),
    ] = None
    lr: Annotated[float | None, Option("--lr", rich_help_panel=TRAINING), Key("fit.lr")] = None
    max_tokens: Annotated[
        str | None,
        Option("--max-tokens", rich_help_panel=TRAINING),
        Key("fit.max_tokens", number_or_word),
    ] = None
    accumulate: Annotated[
        int | None,
        Option("--accumulate", rich_help_panel=TRAINING),
        Key("fit.accumulate"),
    ] = None
    track: TrackerName = None
    resume: Annotated[bool, Option("--resume", help="Continue after the last finished epoch.")] = False
