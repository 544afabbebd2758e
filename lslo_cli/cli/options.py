"""The flags that commands share.

A flag that was not given is None and leaves its recipe key alone, so ``--gps 0`` overrides a recipe's 0.9. A
command takes the classes of options whose every flag has an effect on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from lslo_cli.cli import console
from lslo_cli.cli.command_options import EXPERIMENT, CommandOptions
from lslo_cli.cli.flags import Key, flags_of, split_commas
from lslo_cli.errors import UsageError
from lslo_cli.method.metrics import metric_named
from lslo_cli.wording import Command

if TYPE_CHECKING:
    from lslo_cli.recipe import Memory, Recipe

TRAINING = "Optimisation"
MACHINE = "Machine and output"

BaseModelName = Annotated[
    str | None, Option("--model", metavar="NAME|FOLDER", rich_help_panel=EXPERIMENT), Key("model.name")
]
SpanName = Annotated[str | None, Option("--span", rich_help_panel=TRAINING), Key("adapters.span")]
DataPath = Annotated[
    str | None, Option("--data", metavar="PATH", rich_help_panel=EXPERIMENT), Key("data.path")
]
TestSplit = Annotated[
    str | None, Option("--test", metavar="SPLIT", rich_help_panel=EXPERIMENT), Key("data.test")
]
Ranks = Annotated[str | None, Option("--ranks", metavar="RANKS"), Key("train.ranks")]
Sites = Annotated[str | None, Option("--sites"), Key("train.sites")]
MaxTokens = Annotated[int | None, Option("--max-tokens"), Key("evaluate.max_tokens")]
TrackerName = Annotated[str | None, Option("--track", rich_help_panel=MACHINE), Key("run.track")]
DryRun = Annotated[
    bool, Option("--dry-run", rich_help_panel=MACHINE, help="Check all, print the plan, write nothing.")
]


def classes_by_key(text: str | None) -> dict[str, str]:
    """Read ``tr=low,kk=very-low``, or ``text``, as values by recipe key.

    Raises UsageError for any other form.
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


def metric_option(name: str) -> str:
    """The metric that ``--metric`` names. Raises UsageError for an unknown one."""
    try:
        return metric_named(name).name
    except ValueError as error:
        raise UsageError(f"--metric: {error}", "name one that the runs were scored with") from None


@dataclass(frozen=True, kw_only=True)
class SettingsOptions(CommandOptions):
    """A recipe, and settings that override it."""

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

    def of_run(self) -> Mapping[str, Any]:
        """The settings of an earlier run that are taken, by recipe key."""
        return {}

    def as_typed(self) -> dict[str, str]:
        """The recipe keys that ``--set`` and flags set, each with what was typed for it."""
        from lslo_cli.recipe import assigned_keys

        texts = {key: f"--set {text}" for text in self.assignments or () for key in assigned_keys(text)}
        for flag in flags_of(type(self)):
            if flag.key and (value := getattr(self, flag.field)) is not None:
                texts[flag.key.name] = f"{flag.name} {value}"
        return texts

    def given_for(self, run: str) -> dict[str, Any]:
        """The given values by recipe key, those of ``--set`` included, for a run that brings its own recipe.

        A note says that ``--recipe`` has no effect on one named by a folder or a hub id.
        """
        from lslo_cli.artifacts.adapter_config import is_elsewhere
        from lslo_cli.recipe import given_values

        if self.recipe is not None and is_elsewhere(run) and not getattr(self, "quiet", False):
            console.say(f"{run} brings its own settings, so --recipe {self.recipe} has no effect on it")
        return given_values(self.given(), self.assignments or ())

    def resolve(self, memory: Memory | None = None) -> Recipe:
        """The recipe with these options applied over what ``memory`` remembers of the experiment.

        Raises UsageError, naming the flag at fault.
        """
        from lslo_cli.recipe import Memory, resolve

        given = self.given()
        try:
            return resolve(self.recipe, given, self.assignments or (), memory or Memory(), self.of_run())
        except UsageError as error:
            message = error.message
            for flag in flags_of(type(self)):
                if flag.key and flag.key.name in given:
                    message = message.replace(f"'{flag.key.name}'", flag.name)
            raise error.saying(message) from None

    def place_of(self, line: Command) -> list[str]:
        """The flags that choose the experiment that a suggested command works on, beside its own."""
        name, *words = map(str, line.words)
        return [] if "--name" in words else self.in_seed(name)

    def in_seed(self, name: str) -> list[str]:
        """The flags by which another command works on a seed of the study that this one reads, if it does."""
        return []


@dataclass(frozen=True, kw_only=True)
class LanguageOptions(SettingsOptions):
    """Settings, and the languages to translate between."""

    langs: Annotated[
        str | None, Option("--langs", metavar="SET|CODES", rich_help_panel=EXPERIMENT), Key("langs")
    ] = None


@dataclass(frozen=True, kw_only=True)
class ClassOptions(LanguageOptions):
    """The resource classes of the languages."""

    resource: Annotated[
        str | None,
        Option(
            "--resource",
            metavar="CODE=CLASS,...|text",
            rich_help_panel=EXPERIMENT,
            help="Resource classes of languages outside the paper's 30: tr=medium,kk=low; text: by the size "
            "of your text; default: none.",
        ),
    ] = None

    def given(self) -> dict[str, Any]:
        """The given values by recipe key."""
        return super().given() | classes_by_key(self.resource)


@dataclass(frozen=True, kw_only=True)
class NewLanguageOptions(LanguageOptions):
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
            help="A known language for each of --add-lang, whose token it starts from: kk,tr; default: none.",
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
class OutputOptions(SettingsOptions):
    """What to print."""

    json: Annotated[
        bool, Option("--json", rich_help_panel=MACHINE, help="Print the artifact on stdout, nothing else.")
    ] = False
    quiet: Annotated[
        bool, Option("--quiet", rich_help_panel=MACHINE, help="Nothing on stderr but errors.")
    ] = False


@dataclass(frozen=True, kw_only=True)
class MachineOptions(OutputOptions):
    """What to compute on, and how."""

    device: Annotated[str | None, Option("--device", rich_help_panel=MACHINE), Key("run.device")] = None
    precision: Annotated[str | None, Option("--precision", rich_help_panel=MACHINE), Key("run.precision")] = (
        None
    )
    threads: Annotated[int | None, Option("--threads", rich_help_panel=MACHINE), Key("run.threads")] = None


@dataclass(frozen=True, kw_only=True)
class TextOptions(LanguageOptions):
    """The text, and how much of it is held out for testing."""

    data: DataPath = None
    train: Annotated[
        str | None, Option("--train", metavar="SPLIT", rich_help_panel=EXPERIMENT), Key("data.train")
    ] = None
    hold_out: Annotated[
        int | None, Option("--hold-out", rich_help_panel=EXPERIMENT), Key("data.hold_out")
    ] = None


@dataclass(frozen=True, kw_only=True)
class TrainingTextOptions(TextOptions):
    """The dev rows of the training text, and the seed of everything random."""

    dev_rows: Annotated[
        int | None, Option("--dev-rows", rich_help_panel=EXPERIMENT), Key("data.dev_rows")
    ] = None
    seed: Annotated[int | None, Option("--seed", rich_help_panel=EXPERIMENT), Key("seed")] = None
