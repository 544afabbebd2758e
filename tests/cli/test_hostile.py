"""Values, files and pipes that no command expects: each is a message and no traceback."""

from __future__ import annotations

import sys

import pytest
from typer.main import get_command

from lslo_cli.cli.app import app
from lslo_cli.recipe.section import LARGEST_SEED

DEMO = ("--recipe", "demo", "--quiet")
TRAIN = ("train", *DEMO, "--dry-run")
TRANSLATE = ("translate", *DEMO, "--src", "qta", "--tgt", "qki")
HUGE = "9" * 20


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ((*TRAIN, "--method", "lora", "--ranks", "2,2,8"), "one LoRA for all languages has one rank"),
        (("train", "--method", "lora", "--ranks", "2,8", "--langs", "en,fr", "--dry-run"), "has one rank"),
        ((*TRAIN, "--seed", str(LARGEST_SEED + 1)), "--seed"),
        ((*TRAIN, "--max-tokens=--5"), "--max-tokens"),
        ((*TRAIN, "--curve-rows=--5"), "--curve-rows"),
        ((*TRAIN, "--threads", "1000000000000"), "--threads"),
        ((*TRAIN, "--epochs", HUGE), "--epochs"),
        ((*TRANSLATE, "--beam", HUGE), "--beam"),
        ((*TRANSLATE, "--buffer", HUGE), "--buffer"),
        (("compare", "a", "b", "--resamples", HUGE), "--resamples"),
        (("demo", "--seeds", str(LARGEST_SEED + 1)), "--seeds names '4294967296'"),
        (
            ("flare", "train", "--recipe", "flare-demo", "--seeds", "9" * 5000, "--dry-run"),
            "--seeds names '9",
        ),
    ],
)
def test_a_number_that_nothing_can_be_made_of_is_a_usage_error(lslo, line, said):
    run = lslo(*line)
    assert run.exit_code == 2, run.output
    assert said in " ".join(run.stderr.split())


def test_the_largest_seed_is_taken(lslo):
    assert lslo(*TRAIN, "--seed", str(LARGEST_SEED)).exit_code == 0


@pytest.mark.parametrize(
    ("header", "hint"),
    [("en,fr\rHello,Bonjour\rYes,Oui\n", "tr '\\r' '\\n' < 'my text.csv'"), ('"' + "a" * 140_000, "quotes")],
    ids=["bare CRs", "a cell without an end"],
)
def test_a_csv_whose_first_line_is_no_row_is_a_message(lslo, write, header, hint):
    write({"my text.csv": header + "\n"})
    for line in (("data", "check", "my text.csv"), (*TRANSLATE, "--column", "en", "-i", "my text.csv")):
        run = lslo(*line)
        said = " ".join(run.output.split())
        assert run.exit_code == 3, run.output
        assert "line 1 is not CSV" in said and hint in said


def test_a_closed_stdin_is_an_empty_one(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)  # as Python has it after `<&-`
    with pytest.raises(SystemExit, match="0"):
        get_command(app).main(["--version"])
    with sys.stdin as stdin:
        assert list(stdin.buffer) == []


def test_a_pipe_that_its_reader_closes_ends_a_command_without_a_word(python):
    closed = "import os; read, write = os.pipe(); os.close(read); os.dup2(write, 1)"
    done = python(f"{closed}; from lslo_cli.cli.app import app; app()", "recipe", "demo")
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("data", "check", "~nosuchuser/x"), "no data folder at ~nosuchuser/x"),
        (("recipe", "~nosuchuser/x.toml"), "no recipe '~nosuchuser/x.toml'"),
        (("train", "--langs", "en,fr", "--model", "~nosuchuser/m"), "no folder '~nosuchuser/m'"),
        (("base", "info", "~nosuchuser/m"), "no folder '~nosuchuser/m'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_the_home_of_a_user_that_does_not_exist_is_a_missing_path(lslo, line, said):
    run = lslo(*line)
    assert run.exit_code == 3, run.output
    assert said in " ".join(run.stderr.split())
