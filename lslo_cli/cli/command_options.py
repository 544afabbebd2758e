"""What the options of every command can do: name the line of another command on the same experiment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lslo_cli.cli.flags import Flag, flags_of
from lslo_cli.errors import LsloError
from lslo_cli.wording import Command, typed

EXPERIMENT = "Experiment"
"""The panel of the flags that choose an experiment, which other commands on it share."""


def key_of(assignment: str) -> str:
    """The recipe key of a ``--set``, in the spelling of Python."""
    from lslo_cli.recipe.layers import with_underscores

    return with_underscores(assignment.partition("=")[0].strip())


@dataclass(frozen=True, kw_only=True)
class CommandOptions:
    """The flags of a command, with which it completes the line that an error suggests."""

    reads_seeds = False
    """Whether it reads the seeds of a study, where the experiment's folder holds them as ``seed-N/``."""

    def command(self, name: str, *more: object) -> str:
        """The line that runs another command on this experiment: the flags that chose it, then ``more``.

        Left out are those that the other command does not have, or has with another meaning, those without
        effect in it, and those that ``more`` sets. ``name`` is like ``plot heatmap``.
        """
        other = options_of(name)
        known = {meaning for _, meaning in _meanings(other)}
        anew = {key_of(word) for word in map(str, more) if "=" in word}
        anew |= {part for meaning in known if meaning[0] in more for part in meaning if part} - {"--set"}
        words: list[object] = []
        for flag, meaning in _meanings(type(self)):
            if self.repeats(flag) and meaning in known and self.was_given(flag) and anew.isdisjoint(meaning):
                value = getattr(self, flag.field)
                if flag.field == "assignments":
                    value = [text for text in value if other.has_effect(text) and key_of(text) not in anew]
                for item in value if isinstance(value, list) else [value]:
                    words += [flag.name, item]
        return typed(name, *words, *more)

    def complete(self, error: LsloError) -> None:
        """Complete the command that an error suggests: on this experiment, or on a seed that was read."""
        if isinstance(error.line, Command):
            name, *words = map(str, error.line.words)
            error.line = self.command(name, *self.place_of(error.line), *words)

    def place_of(self, line: Command) -> list[str]:
        """The flags that choose the experiment that a suggested command works on, beside its own."""
        return flags_of_place(line, line.folder) if line.folder else []

    @classmethod
    def has_effect(cls, assignment: str) -> bool:
        """Whether the command reads the key of a ``--set``."""
        return True

    def repeats(self, flag: Flag) -> bool:
        """Whether a line that continues the experiment repeats a flag that was given."""
        return flag.option.rich_help_panel == EXPERIMENT

    def was_given(self, flag: Flag) -> bool:
        """Whether a flag was typed: its value is neither the default nor the environment's."""
        value = getattr(self, flag.field)
        return bool(value != flag.default and str(value) != os.environ.get(str(flag.option.envvar)))


def _meanings(options_class: type) -> Iterator[tuple[Flag, tuple[str, str | None]]]:
    """The flags of a class of options, each with its name and the recipe key that it sets."""
    return ((flag, (flag.name, flag.key.name if flag.key else None)) for flag in flags_of(options_class))


def options_of(name: str) -> Any:
    """The class of a command's options; None for a name that is no command's."""
    from lslo_cli.cli.app import app

    group: Any = app
    command = None
    for word in name.split():
        command = next((each.callback for each in group.registered_commands if each.name == word), command)
        group = next((each.typer_instance for each in group.registered_groups if each.name == word), group)
    return getattr(command, "options_class", None)


def flags_of_place(line: Command, folder: Path) -> list[str]:
    """The flags by which a suggested command works on the experiment in a folder, as far as it has them."""
    from lslo_cli.artifacts.again import place_flags

    name, *words = map(str, line.words)
    if name.startswith("flare "):  # all seeds and languages are one experiment, which is not in ``folder``
        return []
    flags = place_flags(folder)
    known = {flag.name for flag in flags_of(options_of(name))} - set(words)
    pairs = zip(flags[::2], flags[1::2], strict=True)
    return [word for flag, value in pairs if flag in known for word in (flag, value)]
