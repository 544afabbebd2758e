from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from lslo_cli.cli import console, progress
from lslo_cli.cli.progress import Bars, columns, duration, listening, pace
from lslo_cli.events import Advanced, Finished, Noted, Started


class Time:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    clock = Time()
    monkeypatch.setattr(progress, "time", clock)
    return clock


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A terminal of 80 columns in place of stderr."""
    written = io.StringIO()
    messages = Console(file=written, force_terminal=True, width=80, color_system=None, legacy_windows=False)
    monkeypatch.setattr(console, "messages", messages)
    monkeypatch.setattr(progress, "messages", messages)
    return written


def train(on_event, time, updates=1000, seconds=0.1, first=0):
    on_event(Started("training", updates, "updates", first))
    for update in range(first + 1, updates + 1):
        time.now += seconds
        on_event(Advanced("training", update, f"loss {5 - update / updates:.2f}"))
    on_event(Finished("training", "loss 4.00"))


def test_without_a_terminal_a_task_is_a_line_at_its_start_at_every_tenth_and_at_its_end(capsys, time):
    with listening() as on_event:
        train(on_event, time)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11
    assert lines[0] == "training: 1,000 updates"
    assert lines[1] == "training: 100/1,000 updates (10 %), 10 updates/s, 1:30 left, loss 4.90"
    assert lines[-1] == "training: 1,000 updates in 1:40, loss 4.00"


def test_what_takes_longer_than_a_second_is_told_in_seconds_for_each(capsys, time):
    with listening() as on_event:
        train(on_event, time, updates=20, seconds=34.4)
    assert "training: 2/20 updates (10 %), 34.4 s/update, 10:19 left, loss 4.90" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (1234.5, "1,234 epochs/s"),
        (1.0, "1 epochs/s"),
        (0.9, "1.11 s/epoch"),
        (0.0291, "34.4 s/epoch"),
        (1 / 119, "119 s/epoch"),
        (1 / 125, "2:05/epoch"),
        (0.0, ""),
    ],
)
def test_a_rate_is_a_number_above_one(rate, text):
    assert pace(rate, "epochs") == text


def test_on_a_terminal_a_slow_task_is_told_in_seconds_for_each(terminal, time):
    bars = Progress(
        *columns(),
        console=progress.messages,
        auto_refresh=False,
        get_time=time.monotonic,
        speed_estimate_period=progress.LONGEST_EPOCH,
    )
    with bars:
        on_event = Bars(bars)
        on_event(Started("all", 60, "steps"))
        for step in range(1, 4):
            time.now += 34.4
            on_event(Advanced("all", step))
        bars.refresh()
    assert "3/60  34.4 s/step  32:41 left" in terminal.getvalue()


def test_a_task_of_a_moment_leaves_only_its_start_and_its_end(capsys, time):
    with listening() as on_event:
        train(on_event, time, seconds=0.0001)
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_rate_and_time_left_count_from_where_a_run_was_resumed(capsys, time):
    with listening() as on_event:
        train(on_event, time, first=500)
    lines = capsys.readouterr().err.splitlines()
    assert lines[1] == "training: 600/1,000 updates (60 %), 10 updates/s, 0:40 left, loss 4.40"
    assert lines[-1] == "training: 1,000 updates in 0:50, loss 4.00"


def test_a_task_inside_a_task_keeps_its_own_count(capsys, time):
    with listening() as on_event:
        on_event(Started("training", 2, "updates"))
        on_event(Advanced("training", 1))
        on_event(Started("translating", 30, "sentences"))
        on_event(Advanced("translating", 30))
        on_event(Finished("translating"))
        on_event(Advanced("training", 2))
        on_event(Finished("training"))
    lines = capsys.readouterr().err.splitlines()
    assert lines[-2:] == ["translating: 30 sentences in 0:00", "training: 2 updates in 0:00"]


def test_a_note_is_said_once(capsys):
    with listening() as on_event:
        on_event(Noted("using the paper's strategy"))
        on_event(Noted("using the paper's strategy"))
    assert capsys.readouterr().err == "using the paper's strategy\n"


def test_quiet_says_nothing(capsys, time):
    with listening(quiet=True) as on_event:
        on_event(Noted("a note"))
        train(on_event, time)
    assert capsys.readouterr().err == ""


def test_on_a_terminal_a_task_is_a_bar_with_count_and_note(terminal):
    bars = Progress(*columns(), console=progress.messages, auto_refresh=False)
    with bars:
        on_event = Bars(bars)
        on_event(Started("training", 1000, "updates"))
        on_event(Advanced("training", 500, "loss 4.50"))
        bars.refresh()
    last = terminal.getvalue().splitlines()[-2]
    assert "training ━" in last
    assert "500/1,000" in last
    assert "loss 4.50" in last


def test_on_a_terminal_a_finished_task_leaves_one_line(terminal, time):
    with listening() as on_event:
        train(on_event, time)
    assert "training: 1,000 updates in 1:40, loss 4.00" in terminal.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0:00"), (59.6, "1:00"), (125, "2:05"), (3725, "1:02:05"), (90000, "25:00:00")],
)
def test_durations_read_as_clocks_do(seconds, text):
    assert duration(seconds) == text
