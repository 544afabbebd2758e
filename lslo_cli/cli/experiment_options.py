"""Flags that select an experiment, and the settings that the experiment remembers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from lslo_cli.artifacts.folder import RESULTS, ExperimentFolder
from lslo_cli.cli import console
from lslo_cli.cli.command_options import EXPERIMENT, options_of
from lslo_cli.cli.flags import Key, flags_of
from lslo_cli.cli.options import NewLanguageOptions, SettingsOptions
from lslo_cli.cli.record import line_for_record
from lslo_cli.errors import LsloError

if TYPE_CHECKING:
    from lslo_cli.recipe import Memory, Recipe
    from lslo_cli.tasks.experiment import Experiment


@dataclass(frozen=True, kw_only=True)
class FolderOptions(SettingsOptions):
    """Which experiment, in which folder."""

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
    name: Annotated[str | None, Option("--name", metavar="NAME", rich_help_panel=EXPERIMENT), Key("name")] = (
        None
    )

    def folder(self, recipe: Recipe) -> ExperimentFolder:
        """The folder of the experiment."""
        return ExperimentFolder(self.results / recipe.experiment)

    def experiment(self) -> Experiment:
        """The experiment these options describe. The recipe is checked before anything heavy is imported."""
        recipe = self.resolve()
        from lslo_cli.tasks.experiment import Experiment

        return Experiment(recipe, self.folder(recipe), line_for_record(self, recipe))


@dataclass(frozen=True, kw_only=True)
class ExperimentOptions(FolderOptions, NewLanguageOptions):
    """An experiment on translation between the recipe's languages."""

    remembers = True
    """Whether settings given to earlier commands of the experiment apply to this one."""

    def in_seed(self, name: str) -> list[str]:
        """The flags by which another command works on the first seed of the study that this one reads.

        Without them what it makes would be beside the seeds, where nothing of the study reads it.
        """
        from lslo_cli.artifacts.again import seed_flags

        other = options_of(name)
        if not self.reads_seeds or other.reads_seeds or name.startswith("flare "):
            return []
        try:
            seeds = self._place().seed_folders()
        except LsloError:
            return []
        has_seed = any(flag.name == "--seed" for flag in flags_of(other))
        return seed_flags(next(iter(seeds.values()), Path()), by_number=has_seed)

    def resolve(self, memory: Memory | None = None) -> Recipe:
        """The recipe with the settings that the experiment remembers, which a note lists.

        If no option selects an experiment, it is the one that was worked on last in --results.
        """
        memory = self.memory() if memory is None and self.remembers else memory
        recipe = super().resolve(memory)
        if memory:
            recipe = recipe.in_folder(self._place().path.name)
        if memory and not getattr(self, "quiet", False):
            self._say_memory(memory, recipe)
        return recipe

    def memory(self) -> Memory:
        """The settings given to earlier commands of the experiment, or of a study to those of its seeds.

        Where a seed is given now and none was before, it is that of what was trained there.
        """
        from lslo_cli.artifacts.store import seeds_in
        from lslo_cli.recipe import Memory, read_memory

        folder = self._place()
        remembering = self._remembering(folder)
        memory = read_memory(remembering.path)
        if remembering != folder:
            return memory.of_study()
        seeds = seeds_in(folder) if memory and "seed" in self._now().given.keys() - memory.given else []
        return memory.adding(Memory(given={"seed": seeds[0]})) if len(seeds) == 1 else memory

    def _place(self) -> ExperimentFolder:
        """The folder that the given options select: what it remembers does not choose another."""
        from lslo_cli.recipe import last_experiment, placed

        last = None if self._chooses() else last_experiment(self.results)
        return ExperimentFolder(last) if last else self.folder(placed(super().resolve(), self.results))

    def _remembering(self, folder: ExperimentFolder) -> ExperimentFolder:
        """The folder whose memory counts: this one, but for a study without a memory its first seed's."""
        from lslo_cli.recipe import MEMORY_FILE

        own = not self.reads_seeds or (folder.path / MEMORY_FILE).exists()
        return folder if own else folder.seeds()[0]

    def _now(self) -> Memory:
        from lslo_cli.recipe import given_now

        return given_now(self.recipe, self.given(), self.assignments or ())

    def _chooses(self) -> bool:
        """Whether any given option selects an experiment."""
        from lslo_cli.recipe import CHOOSING

        now = self._now()
        return now.recipe is not None or any(key.partition(".")[0] in CHOOSING for key in now.given)

    def _say_memory(self, memory: Memory, recipe: Recipe) -> None:
        from lslo_cli.recipe import MEMORY_FILE

        path, now = self._remembering(self.folder(recipe)).path / MEMORY_FILE, self._now()
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
        classes = [key for key in same if key.startswith("languages.") and key.endswith(".resource")]
        if classes and now.given.get("classes") == same.get("classes") == "text":
            console.say(
                "classes are counted once in an experiment, and stay if the text grows; to count again, "
                f"remove {', '.join(classes)} from {path}"
            )
        for key in held.keys() - same.keys() - {"name"}:  # the folder's, whatever it was called before
            console.say(
                f"{flags.get(key, key)} is {_shown(values[key])} for this command; "
                f"the experiment was started with {_shown(held[key])} ({path})"
            )

    def experiment(self) -> Experiment:
        """The experiment these options describe, with what it will remember of them.

        Languages, text and model are checked as far as that takes no heavy import.
        """
        from lslo_cli.models.model_languages import with_languages

        memory = self.memory() if self.remembers else None
        recipe = with_languages(self.resolve(memory), self.check)
        from lslo_cli.tasks.experiment import Experiment

        if memory is not None:
            memory = memory.adding(self.to_remember(recipe)).with_counted_classes(recipe)
        return Experiment(recipe, self.folder(recipe), line_for_record(self, recipe), memory, self.as_typed())

    def to_remember(self, recipe: Recipe) -> Memory:
        """What later commands of the experiment will take as given of these options."""
        return self._now()

    def check(self, recipe: Recipe) -> None:
        """Raise InputError for what can be seen to be missing without heavy imports."""


def _value_at(recipe: Recipe, key: str) -> object:
    """The value at a dotted key of a recipe."""
    value: Any = recipe
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else getattr(value, part, None)
    return list(value) if isinstance(value, tuple) else value


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
