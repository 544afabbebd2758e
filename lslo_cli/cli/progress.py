"""Events of long work as a progress bar on a terminal, and as sparse plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from lslo_cli.cli.console import messages, say
from lslo_cli.events import Advanced, Event, Finished, Noted, OnEvent, Started, ignore
from lslo_cli.wording import counted

STEPS = 10
"""Into how many steps the plain lines of a task divide it."""
PAUSE = 1.0
"""The fewest seconds between two plain lines of a task."""
MINUTES = 120.0
"""Seconds per unit from which on a pace is shown in minutes and seconds."""
LONGEST_EPOCH = 3600.0
"""Seconds over which a bar's rate is averaged, so that one that moves epoch by epoch has a rate too."""


@contextmanager
def listening(quiet: bool = False) -> Iterator[OnEvent]:
    """Yield a listener for the events of the work inside, suited to where stderr goes."""
    if quiet:
        yield ignore
    elif messages.is_terminal:
        with Progress(
            *columns(), console=messages, transient=True, speed_estimate_period=LONGEST_EPOCH
        ) as progress:
            yield Bars(progress)
    else:
        yield Lines()


class Listener:
    """Keeps a clock for each running task; prints every note once, and one line for a finished task."""

    def __init__(self) -> None:
        self._running: dict[str, Clock] = {}
        self._noted: set[str] = set()

    def __call__(self, event: Event) -> None:
        match event:
            case Started(task):
                self._running[task] = Clock(event)
                self.started(event)
            case Advanced(task):
                self.advanced(event, self._running[task])
            case Finished(task, note):
                self.finished(event)
                say(self._running.pop(task).summary(note))
            case Noted(text) if text not in self._noted:
                self._noted.add(text)
                say(text)

    def started(self, event: Started) -> None: ...

    def advanced(self, event: Advanced, clock: Clock) -> None: ...

    def finished(self, event: Finished) -> None: ...


class Bars(Listener):
    """A bar for each running task."""

    def __init__(self, progress: Progress):
        super().__init__()
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    def started(self, event: Started) -> None:
        self._bars[event.task] = self._progress.add_task(
            event.task, total=event.total, completed=event.completed, unit=event.unit, note=""
        )

    def advanced(self, event: Advanced, clock: Clock) -> None:
        self._progress.update(self._bars[event.task], completed=event.completed, note=event.note)

    def finished(self, event: Finished) -> None:
        self._progress.remove_task(self._bars.pop(event.task))


class Lines(Listener):
    """A plain line when a task starts and at every tenth of it, but none in quick succession."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, tuple[int, float]] = {}
        """Tenths and seconds of each task at its last line."""

    def started(self, event: Started) -> None:
        self._last[event.task] = _tenths(event.completed, event.total), 0.0
        say(f"{event.task}: {units(event.total, event.unit)}")

    def advanced(self, event: Advanced, clock: Clock) -> None:
        tenths, seconds = _tenths(event.completed, clock.start.total), clock.seconds
        last_tenths, last_seconds = self._last[event.task]
        if last_tenths < tenths < STEPS and seconds - last_seconds >= PAUSE:
            self._last[event.task] = tenths, seconds
            say(clock.progress(event.completed, event.note))


class Clock:
    """How fast a task goes, counted from where it started or was resumed."""

    def __init__(self, start: Started):
        self.start = start
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def progress(self, completed: int, note: str) -> str:
        """``training: 200/2,040 updates (10 %), 12.3 updates/s, 2:30 left, loss 3.21``"""
        total, unit = self.start.total, self.start.unit
        done = completed - self.start.completed
        rate = done / self.seconds if self.seconds else 0.0
        left = f"{duration((total - completed) / rate)} left" if rate else ""
        parts = [
            f"{completed:,}/{total:,} {unit} ({100 * completed // total} %)",
            pace(rate, unit),
            left,
            note,
        ]
        return f"{self.start.task}: " + ", ".join(part for part in parts if part)

    def summary(self, note: str) -> str:
        """``training: 2,040 updates in 2:46, loss 2.10``"""
        done = units(self.start.total, self.start.unit)
        text = f"{self.start.task}: {done} in {duration(self.seconds)}"
        return f"{text}, {note}" if note else text


class Pace(ProgressColumn):
    """Units done and in total, the pace, and the time left."""

    def render(self, task: Task) -> Text:
        parts = [f"{int(task.completed):,}/{int(task.total or 0):,}"]
        if task.speed:
            fast = task.speed >= 1  # a narrow terminal has no room for the unit
            parts.append(f"{_figure(task.speed)}/s" if fast else pace(task.speed, task.fields["unit"]))
        if task.time_remaining is not None:
            parts.append(f"{duration(task.time_remaining)} left")
        return Text("  ".join(parts))


def units(number: int, unit: str) -> str:
    """``2,040 updates``, or ``1 update``, from the plural of an event's unit."""
    return counted(number, unit.removesuffix("s"), unit)


def duration(seconds: float) -> str:
    """``2:05`` or ``1:02:05``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def pace(rate: float, unit: str) -> str:
    """``12.3 updates/s``, or below one ``34.4 s/update``, and ``2:05/update`` from two minutes on.

    ``unit`` is a plural. Empty where there is no rate yet.
    """
    if rate >= 1:
        return f"{_figure(rate)} {unit}/s"
    if rate <= 0:
        return ""
    seconds = 1 / rate
    return f"{duration(seconds) if seconds >= MINUTES else f'{seconds:.3g} s'}/{unit.removesuffix('s')}"


def _figure(rate: float) -> str:
    """``0.123``, ``12.3``, ``1,234``: three digits, or all digits before the point."""
    return f"{rate:,.0f}" if rate >= 1000 else f"{rate:.3g}"


def columns() -> tuple[ProgressColumn, ...]:
    """The columns of a bar, of which only the bar itself shrinks on a narrow terminal."""
    return (
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
        BarColumn(bar_width=None),
        Pace(table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[note]}", markup=False, table_column=Column(no_wrap=True)),
    )


def _tenths(completed: int, total: int) -> int:
    return STEPS * completed // total if total else STEPS
