"""Events of long work as a progress bar on a terminal, and as sparse plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from lslo_cli.cli.console import messages, say
from lslo_cli.events import Advanced, Event, Finished, Noted, OnEvent, Started, ignore

STEPS = 10
"""Plain lines for one task, besides its first and its last."""


@contextmanager
def listening(quiet: bool = False) -> Iterator[OnEvent]:
    """Yield a listener for the events of the work inside, suited to where stderr goes."""
    if quiet:
        yield ignore
    elif messages.is_terminal:
        with Progress(*_columns(), console=messages, transient=True) as bars:
            yield Bars(bars)
    else:
        yield Lines()


class Bars:
    """One bar for each running task. A finished task leaves one line."""

    def __init__(self, bars: Progress):
        self._bars = bars
        self._running: dict[str, tuple[TaskID, Clock]] = {}

    def __call__(self, event: Event) -> None:
        match event:
            case Started(task, total, unit, completed):
                bar = self._bars.add_task(task, total=total, completed=completed, unit=unit, note="")
                self._running[task] = bar, Clock(event)
            case Advanced(task, completed, note):
                self._bars.update(self._running[task][0], completed=completed, note=note)
            case Finished(task, note):
                bar, clock = self._running.pop(task)
                self._bars.remove_task(bar)
                say(clock.summary(note))
            case Noted(text):
                say(text)


class Lines:
    """A line when a task starts, at every tenth of it, and when it ends."""

    def __init__(self) -> None:
        self._running: dict[str, Clock] = {}
        self._shown: dict[str, int] = {}

    def __call__(self, event: Event) -> None:
        match event:
            case Started(task, total, unit, completed):
                self._running[task] = Clock(event)
                self._shown[task] = _tenths(completed, total)
                say(f"{task}: {total:,} {unit}")
            case Advanced(task, completed, note):
                clock = self._running[task]
                tenths = _tenths(completed, clock.start.total)
                if tenths > self._shown[task] and completed < clock.start.total:
                    self._shown[task] = tenths
                    say(clock.progress(completed, note))
            case Finished(task, note):
                say(self._running.pop(task).summary(note))
            case Noted(text):
                say(text)


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
            f"{rate:.3g} {unit}/s",
            left,
            note,
        ]
        return f"{self.start.task}: " + ", ".join(part for part in parts if part)

    def summary(self, note: str) -> str:
        """``training: 2,040 updates in 2:46, loss 2.10``"""
        text = f"{self.start.task}: {self.start.total:,} {self.start.unit} in {duration(self.seconds)}"
        return f"{text}, {note}" if note else text


class Count(ProgressColumn):
    """Units done of all, and how fast."""

    def render(self, task: Task) -> Text:
        rate = task.finished_speed or task.speed
        speed = f"  {rate:.3g}/s" if rate else ""
        return Text(f"{int(task.completed):,}/{int(task.total or 0):,} {task.fields['unit']}{speed}")


class TimeLeft(ProgressColumn):
    """The time that the rest will take at the present rate."""

    def render(self, task: Task) -> Text:
        return Text("" if task.time_remaining is None else f"{duration(task.time_remaining)} left")


def duration(seconds: float) -> str:
    """``2:05`` or ``1:02:05``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _columns() -> tuple[ProgressColumn, ...]:
    return (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        Count(),
        TimeLeft(),
        TextColumn("{task.fields[note]}", markup=False),
    )


def _tenths(completed: int, total: int) -> int:
    return STEPS * completed // total if total else STEPS
