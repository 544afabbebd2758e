"""Numbers with nouns, lists, and command lines, in messages."""

import shlex
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path


def counted(number: int, noun: str, plural: str = "") -> str:
    """``1 job``, ``2 jobs``, ``1,012 sentences``; ``plural`` is for irregular ones."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def several(things: Iterable[object], most: int = 6) -> str:
    """``a, b``, or, for more things than ``most``, ``a, b, c, d, e, f and 3 more``."""
    words = [str(thing) for thing in things]
    more = f" and {len(words) - most:,} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def over(what: str, counts: Collection[int], noun: str = "seed") -> str:
    """``what`` over several seeds, as ``95 % interval over 2 to 3 seeds``, or ``one seed``, which has none.

    ``counts`` are the numbers of seeds of every value that is shown.
    """
    low, high = min(counts), max(counts)
    if high == 1:
        return f"one {noun}"
    return f"{what} over {f'{low:,} to ' if low < high else ''}{counted(high, noun)}"


def of_most(counts: Mapping[str, int], noun: str = "seed") -> str:
    """``3 seeds``, or ``3 seeds, lora of 1`` where a run has fewer: what is shown side by side by name."""
    most = max(counts.values())
    fewer = [f"{name} of {count}" for name, count in counts.items() if count < most]
    return ", ".join((counted(most, noun), *([several(fewer)] if fewer else ())))


def typed(*words: object) -> str:
    """``lslo evaluate --run 'my run'``: the words of a command line as typed, quoted where a shell needs it.

    The first words of a command may be one: ``typed("plot heatmap", "--text")``.
    """
    first, *rest = map(str, words)
    return shlex.join(["lslo", *first.split(), *rest])


class Command:
    """A command that an error suggests, without the flags that choose its experiment, which a caller adds.

    Its name, which may be of two words, and its own flags: ``Command("flare evaluate", "--runs", "lora")``.
    ``folder`` is that of the experiment, for a caller that was given folders instead of flags.
    """

    def __init__(self, *words: object, folder: Path | None = None) -> None:
        self.words, self.folder = words, folder

    def __str__(self) -> str:
        return typed(*self.words)


Hint = tuple[str] | tuple[str, Command]
"""What an error advises, and the command that does it."""
