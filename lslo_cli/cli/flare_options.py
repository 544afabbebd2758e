"""Flags of ``lslo flare``: the experiment, the task and its data, and the methods to compare."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

from typer import Option

from lslo_cli.cli.command_options import EXPERIMENT, key_of, options_of
from lslo_cli.cli.experiment_options import FolderOptions
from lslo_cli.cli.flags import Flag, Key, flags_of, seed_list, split_commas
from lslo_cli.cli.options import DryRun, MachineOptions
from lslo_cli.errors import UsageError

if TYPE_CHECKING:
    from lslo_cli.method.flare import FlareRun
    from lslo_cli.recipe import Memory, Recipe


@dataclass(frozen=True, kw_only=True)
class FlareFolderOptions(FolderOptions):
    """Which experiment, by its name or by its task."""

    set_hint: ClassVar[str] = (
        "set keys of [flare], such as flare.rank=4, or of [run]; --seeds names the seeds"
    )
    reads: ClassVar[tuple[str, ...]] = ("flare", "run", "name", "description")
    """The parts of a recipe that the command reads: sections, or dotted keys."""

    name: Annotated[
        str | None,
        Option(
            "--name",
            metavar="NAME",
            rich_help_panel=EXPERIMENT,
            help="The experiment's folder in --results; default: the recipe's name or flare-TASK.",
        ),
        Key("name"),
    ] = None
    task: Annotated[
        str | None, Option("--task", metavar="NAME", rich_help_panel=EXPERIMENT), Key("flare.task")
    ] = None

    def resolve(self, memory: Memory | None = None) -> Recipe:
        """The recipe with these options applied. Raises UsageError for a ``--set`` that has no effect."""
        for assignment in self.assignments or ():
            if not self.has_effect(assignment):
                raise UsageError(f"'--set {assignment}' has no effect in lslo flare", self.set_hint)
        return super().resolve(memory).named_for_flare()

    def command(self, name: str, *more: object) -> str:
        """The line of another command, with the settings that have an effect in it.

        Those of flags that the other command does not have become ``--set``: trainings and tests need the
        same ones.
        """
        flags = {flag.name for flag in flags_of(options_of(name))}
        assignments = [*(self.assignments or ()), *self._as_assignments(flags)]
        return FolderOptions.command(replace(self, assignments=assignments or None), name, *more)

    def _as_assignments(self, but_for: Collection[str]) -> Iterator[str]:
        """The given settings of [flare] as ``key=value``, but for those of some flags."""
        for flag in flags_of(type(self)):
            key = flag.key.name if flag.key else ""
            if key.startswith("flare.") and flag.name not in but_for and self.was_given(flag):
                yield f"{key}={getattr(self, flag.field)}"

    def repeats(self, flag: Flag) -> bool:
        """Whether to repeat a flag: also the precision, which artifacts that belong together share."""
        return super().repeats(flag) or flag.name == "--precision"

    @classmethod
    def has_effect(cls, assignment: str) -> bool:
        """Whether the command reads the key of a ``--set``."""
        key = key_of(assignment)
        return any(key == part or key.startswith(f"{part}.") for part in cls.reads)


@dataclass(frozen=True, kw_only=True)
class TaskOptions(MachineOptions, FlareFolderOptions):
    """The data of the task, and the target languages."""

    data: Annotated[
        str | None, Option("--data", metavar="FOLDER", rich_help_panel=EXPERIMENT), Key("flare.data")
    ] = None
    targets: Annotated[
        str | None,
        Option("--targets", metavar="CODES", rich_help_panel=EXPERIMENT),
        Key("flare.languages", split_commas),
    ] = None


@dataclass(frozen=True, kw_only=True)
class FlareOptions(TaskOptions):
    """The model, and the methods and seeds to compare."""

    model: Annotated[
        str | None, Option("--model", metavar="FOLDER|ID", rich_help_panel=EXPERIMENT), Key("flare.model")
    ] = None
    runs: Annotated[
        str | None,
        Option("--runs", metavar="NAMES", rich_help_panel=EXPERIMENT),
        Key("flare.runs", split_commas),
    ] = None
    seeds: Annotated[
        str | None,
        Option("--seeds", metavar="NUMBERS", rich_help_panel=EXPERIMENT),
        Key("flare.seeds", seed_list),
    ] = None
    dry_run: DryRun = False

    def resolve(self, memory: Memory | None = None) -> Recipe:
        """The recipe with these options applied. Raises UsageError for a setting that has no effect."""
        recipe = super().resolve(memory)
        recipe.flare.check_given(set(map(key_of, self.assignments or ())))
        return recipe

    def asked(self) -> tuple[FlareRun, ...]:
        """The runs that --runs or --set names; empty if the recipe does."""
        names_runs = self.runs is not None or "flare.runs" in map(key_of, self.assignments or ())
        return self.resolve().flare.parsed_runs() if names_runs else ()
