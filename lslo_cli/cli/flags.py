"""Options as dataclasses: each field is one flag, and ``Key`` names the recipe key that it sets."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, dataclass, fields
from functools import cache, wraps
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_type_hints

import typer
from typer.core import TyperCommand, TyperOption
from typer.models import ParameterInfo

from lslo_cli.cli.completion import offered
from lslo_cli.errors import LsloError, UsageError
from lslo_cli.home import with_home


@dataclass(frozen=True)
class Key:
    """The recipe key that a flag sets, and how the flag's value is read."""

    name: str
    read: Callable[[Any], Any] = lambda value: value


class Flag(NamedTuple):
    """One field of an options class, as the command line sees it."""

    field: str
    option: ParameterInfo
    key: Key | None
    default: Any

    @property
    def name(self) -> str:
        """The flag as typed; typer keeps the first name of an annotated option as its default."""
        return str(self.option.default)

    def parameter(self, annotation: Any) -> inspect.Parameter:
        """The parameter that typer makes this flag from; one without a default is required."""
        default = inspect.Parameter.empty if self.default is MISSING else self.default
        return inspect.Parameter(
            self.field, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
        )


@cache
def _hints(options_class: type) -> dict[str, Any]:
    return get_type_hints(options_class, include_extras=True)


def flags_of(options_class: type) -> Iterator[Flag]:
    """Every flag of a class of options, in the order of its fields."""
    hints = _hints(options_class)
    for field in fields(options_class):
        option, *rest = hints[field.name].__metadata__
        yield Flag(field.name, option, rest[0] if rest else None, field.default)


def number_or_word(text: str) -> int | str:
    """Read ``4000`` as a number and ``auto`` as a word."""
    try:
        return int(text)
    except ValueError:
        return text


def fraction_or_word(text: str) -> float | str:
    """Read ``0.9`` as a number and ``auto`` as a word."""
    try:
        return float(text)
    except ValueError:
        return text


def commas_or_auto(text: str) -> tuple[str, ...] | str:
    """Read ``high,medium`` as a list and ``auto`` as a word."""
    return text if text == "auto" else split_commas(text)


def split_commas(text: str) -> tuple[str, ...]:
    """Read ``high,medium``; an empty text is an empty tuple."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def seed_list(text: str | None) -> tuple[int, ...]:
    """Read ``2,3,4``. Raises UsageError for anything but seeds, each once."""
    from lslo_cli.recipe.section import LARGEST_SEED

    seeds: list[int] = []
    for part in split_commas(text or ""):
        seed = number_or_word(part)
        if not (isinstance(seed, int) and 0 <= seed <= LARGEST_SEED):
            raise UsageError(
                f"--seeds names '{part}', which is not a whole number from 0 to {LARGEST_SEED}",
                "write --seeds 2,3,4",
            )
        if seed in seeds:
            raise UsageError(f"--seeds names {seed} twice", "name each seed once, as --seeds 2,3,4")
        seeds.append(seed)
    return tuple(seeds)


class App(typer.Typer):
    """A group of commands whose flags take their help from the recipe keys that they set."""

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Any], Any]:
        return super().command(name, **{"cls": StrictCommand, **settings})


def _expanded(value: Any) -> Any:
    """A value with ``~`` in paths expanded: a shell does not expand it in quotes."""
    if isinstance(value, list):
        return [_expanded(item) for item in value]
    if value == Path("-"):
        raise UsageError(
            "'-' is not read as stdin, nor written as stdout",
            "name a path, or leave the option out: --help says what is read or written then",
        )
    return with_home(value) if isinstance(value, Path) else value


class StrictCommand(TyperCommand):
    """A command that refuses an option given twice, where the last would silently count.

    It reads the recipe for its help only when help is shown, since that imports pydantic.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        typed = list(args)
        left = super().parse_args(ctx, args)
        if not ctx.resilient_parsing:
            self._check_once(ctx, typed)
        return left

    def _check_once(self, ctx: Any, args: list[str]) -> None:
        """Raise UsageError for an option with several values, unless it takes several."""
        single = [
            option
            for option in self.params
            if isinstance(option, TyperOption) and not (option.is_flag or option.multiple or option.count)
        ]
        parser = self.make_parser(ctx)
        for option in single:  # keeps all values in place of the last
            parser.add_option(option, option.opts, option.name, action="append", nargs=option.nargs)
        given, _, _ = parser.parse_args(args)
        for option in single:
            values = list(dict.fromkeys(given.get(option.name, ())))
            if len(values) > 1:
                named = " and ".join(f"'{value}'" for value in values)
                raise UsageError(
                    f"{max(option.opts, key=len)} takes one value, not {named}", "leave out all but one"
                )

    def format_help(self, context: Any, formatter: Any) -> None:
        describe(self)
        hide_types_of_switches(self.get_params(context))
        self.help = reflowed(self.help or "")
        super().format_help(context, formatter)


LABEL = re.compile(r"[A-Z]\w+: ")
"""A label that begins a new line, such as ``Reads: ``."""


def reflowed(text: str) -> str:
    """Help text with one line per paragraph or label, for the terminal to wrap."""
    paragraphs = []
    for paragraph in text.split("\n\n"):
        lines: list[str] = []
        for line in map(str.strip, paragraph.splitlines()):
            if lines and not LABEL.match(line):
                lines[-1] += f" {line}"
            else:
                lines.append(line)
        paragraphs.append("\n".join(lines))
    return "\n\n".join(paragraphs)


def describe(command: Any) -> None:
    """Give every flag that sets a recipe key the key's meaning, choices and default as its help."""
    from lslo_cli.recipe.keys import key_facts

    options_class = getattr(command.callback, "options_class", None)
    parameters = {parameter.name: parameter for parameter in command.params}
    for flag in flags_of(options_class) if options_class else ():
        if flag.key:
            facts, parameter = key_facts(flag.key.name), parameters[flag.field]
            parameter.help = flag.option.help or facts.help
            parameter.metavar = flag.option.metavar or "|".join(facts.choices) or None


def hide_types_of_switches(parameters: Iterable[Any]) -> None:
    """Show no type beside options that take no value, where typer has ``<bool>``."""
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""


Options = TypeVar("Options")


def takes(options_class: type[Options]) -> Callable[[Callable[[Options], None]], Callable[..., None]]:
    """Turn ``command(options)`` into a function with one parameter per flag, the form that typer reads.

    ``options_class`` is a :class:`~.command_options.CommandOptions`, which completes what errors suggest.
    A command's own flags come before those it shares with others, as its help should show them.
    """
    options_type: type = options_class  # typed so that mypy knows it can be hashed
    own = options_type.__annotations__
    own_first = sorted(flags_of(options_type), key=lambda flag: flag.field not in own)
    hints = _hints(options_type)
    for flag in own_first:
        if flag.option.autocompletion is None:
            flag.option.autocompletion = offered(flag.option, flag.key.name if flag.key else "")

    def decorate(command: Callable[[Options], None]) -> Callable[..., None]:
        @wraps(command)
        def run(**values: Any) -> None:
            options: Any = options_class(**{name: _expanded(value) for name, value in values.items()})
            try:
                command(options)
            except LsloError as error:
                options.complete(error)
                raise

        parameters = [flag.parameter(hints[flag.field]) for flag in own_first]
        run.__annotations__ = hints
        vars(run).update(options_class=options_class, __signature__=inspect.Signature(parameters))
        return run

    return decorate
