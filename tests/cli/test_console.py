from __future__ import annotations

import io
import re

import pytest

from lslo_cli.cli import console

LANG12_GROUPS = [f"{src}2{tgt}" for src in "HMV" for tgt in "HMV"]
LANG30_GROUPS = [f"{src}2{tgt}" for src in "HMLV" for tgt in "HMLV"]


def test_the_quality_table_of_lang12_fits_eighty_columns_with_a_run_in_each_row(capsys):
    rows = [(run, "22.4M", *["17.70"] * 9, "17.70") for run in ("base", "full", "2-2-8-gps0.9")]
    console.show_table("spBLEU", ["Run", "#Params", *LANG12_GROUPS, "AVG"], rows)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) == 1 + 2 + 3
    assert lines[1].split() == ["Run", "#Params", *LANG12_GROUPS, "AVG"]
    assert lines[5].split()[0] == "2-2-8-gps0.9"


WIDE = [(run, *["17.70"] * 16, "17.70") for run in ("base", "full", "2-2-8-8-gps0.9")]


@pytest.mark.parametrize("width", [40, 60, 80, 110])
def test_a_table_that_is_too_wide_goes_on_below_under_the_same_names(capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(console.results, "width", width)
    console.show_table("spBLEU", ["Run", *LANG30_GROUPS, "AVG"], WIDE)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    heads = [line.split() for line in lines if line.startswith("Run ")]
    assert [name for head in heads for name in head[1:]] == [*LANG30_GROUPS, "AVG"]
    assert sum(line.startswith("2-2-8-8-gps0.9 ") for line in lines) == len(heads)
    assert sum(line.count("17.70") for line in lines) == 3 * 17


def written_in(encoding, monkeypatch, **console_settings):
    """A table of a mean with its spread on a terminal of another encoding, as it reads there."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace")
    narrow = console.Console(file=stream, width=60, force_terminal=True, **console_settings)
    monkeypatch.setattr(console, "results", narrow)
    console.show_table("Scores", ["run", "spBLEU"], [("full", "40.0 ± 0.2"), ("2-2-8", "43.3 ± 0.3")])
    console.show_sentences(["More than chance: 3.8 ± 0.2…"])
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)


@pytest.mark.parametrize(
    ("encoding", "spread"), [("utf-8", "40.0 ± 0.2"), ("cp1252", "40.0 ± 0.2"), ("ascii", "40.0 +- 0.2")]
)
def test_a_terminal_of_another_encoding_shows_every_sign_and_straight_columns(monkeypatch, encoding, spread):
    shown = written_in(encoding, monkeypatch, color_system=None)
    assert "?" not in shown and spread in shown
    table = shown.splitlines()[1:5]
    assert len({len(line.rstrip()) for line in table}) == 1
    assert ("─" in shown) == (encoding == "utf-8")


@pytest.mark.parametrize("colours", ["standard", "256", "truecolor"])
def test_a_terminal_of_sixteen_colours_is_asked_for_no_others(monkeypatch, colours):
    stream = io.StringIO()
    terminal = console.Console(file=stream, width=60, force_terminal=True, color_system=colours)
    monkeypatch.setattr(console, "messages", terminal)
    console.problem("no run 'x'", "name one")
    codes = re.findall(r"\x1b\[([\d;]*)m", stream.getvalue())
    assert codes and all(set(code.split(";")) <= {"0", "1", "31", "36"} for code in codes)


def test_a_table_in_a_pipe_is_whole(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    console.show_table("spBLEU", ["Run", *LANG30_GROUPS, "AVG"], WIDE)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["Run", *LANG30_GROUPS, "AVG"]
    assert len(lines) == 1 + 2 + 3


def test_what_has_no_value_is_a_dash_and_thousands_are_apart(capsys):
    console.show_table("Counts", ("name", "count"), [("small", None), ("large", 1234567)])
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()[3:]] == ["-", "1,234,567"]


@pytest.mark.parametrize("text", ["[bold]", "[/]", "a [red]b[/red]", ":warning:"])
def test_names_that_look_like_markup_are_shown_as_they_are(capsys, text):
    console.show_table(text, (text, "n"), [(text, 1)])
    console.show_facts([(text, text)])
    console.say(text)
    printed = capsys.readouterr()
    assert printed.out.count(text) == 5
    assert printed.err == f"{text}\n"


def test_facts_stand_one_to_a_line(capsys):
    console.show_facts([("run", "full"), ("parameters", 49504)])
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["run", "full"],
        ["parameters", "49,504"],
    ]


def test_a_value_is_never_broken_into_digits_on_a_narrow_console(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(console.results, "width", 40)
    console.show_facts([("trainable, counted as the paper does", 1_044_480), ("run", "full")])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == ["trainable, counted as the paper does", "  1,044,480", "run", "  full"]
