from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool

import pytest

from lslo_cli.cli import console
from lslo_cli.cli.app import explain

WAITING = """
import signal, sys, time
from lslo_cli.cli import app
def waits(*arguments, **settings):
    print("ready", flush=True)
    try:
        time.sleep(30)
    finally:
        signal.raise_signal(signal.SIGTERM)  # a second one, while the first is dealt with
        if FAILS:
            raise RuntimeError("unexpected pos 78558")  # as torch does where its writing is cut short
import lslo_cli.recipe
lslo_cli.recipe.recipe_names = waits
sys.argv = ["lslo", "recipe"]
app.app()
"""
LSLO = [sys.executable, "-c", "from lslo_cli.cli.app import app; app()"]


@pytest.mark.parametrize(
    ("name", "code", "fails"),
    [("SIGINT", 130, False), ("SIGTERM", 143, False), ("SIGTERM", 143, True), ("SIGHUP", 129, False)],
)
def test_a_signal_says_how_to_go_on_and_a_second_does_no_harm(name, code, fails):
    number = getattr(signal, name)
    with subprocess.Popen(
        [sys.executable, "-c", WAITING.replace("FAILS", str(fails))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # the tests may run under nohup
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    assert errors == "interrupted; run the same line again\n"
    assert process.returncode == code


def test_ctrl_c_before_the_command_line_listens_ends_it_without_a_word():
    loading = """
import builtins, signal, sys
from lslo_cli.__main__ import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # the tests may run under nohup
sys.modules["typer"] = None  # loading ends here, if it is not interrupted
real = builtins.__import__
def interrupted(name, *rest, **named):
    if name == "lslo_cli.cli.app":
        signal.raise_signal(signal.SIGINT)
    return real(name, *rest, **named)
builtins.__import__ = interrupted
main()
"""
    ended = subprocess.run([sys.executable, "-c", loading], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")


def test_a_full_disk_under_stdout_is_an_input_error():
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [*LSLO, "recipe", "demo"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert ended.returncode == 3
    assert "disk full: No space left" in ended.stderr
    assert "Traceback" not in ended.stderr


def _ended(*arguments: str | bytes, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*LSLO, *arguments], capture_output=True, text=True, timeout=60, env=os.environ | environment
    )


@pytest.mark.parametrize(
    "arguments", [("recipe", b"\xff\xfe"), ("report", "x" * 5000), ("data", "fetch", "--url", "http://[::1")]
)
def test_arguments_that_no_file_can_have_are_refused(arguments):
    ended = _ended(*arguments)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr


def test_what_an_encoding_cannot_show_is_replaced():
    ended = _ended("recipe", "d\u00e9mo\u4e00", PYTHONIOENCODING="ascii")
    assert ended.returncode in (2, 3)
    assert "d?mo?" in ended.stderr


def test_a_process_that_died_is_no_bug(monkeypatch, capsys):
    monkeypatch.setenv("RANK", "0")
    assert explain(RuntimeError("[gloo] Connection closed by peer [127.0.0.1]:1")) == 4
    assert "continue with --resume, or run the same line again if" in capsys.readouterr().err
    monkeypatch.delenv("RANK")
    assert explain(BrokenProcessPool("a process in the pool was terminated abruptly")) == 4
    assert "or run the same line again" in capsys.readouterr().err


@pytest.mark.parametrize("width", [40, 60, 80, 110])
def test_descriptions_are_readable_at_any_width(monkeypatch, capsys, width):
    words = "a sentence of many words that has to be wrapped somewhere on a narrow terminal " * 2
    monkeypatch.setattr(
        console, "results", console.Console(width=width, force_terminal=True, color_system=None)
    )
    console.show_facts([("a-name-of-sixteen", words)], "Recipes")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    assert " ".join(" ".join(lines[1:]).split()) == f"a-name-of-sixteen {words.strip()}"


def test_closed_outputs_take_nothing_from_the_work():
    for closed in (">&-", "2>&-", ">&- 2>&-"):
        line = shlex.join([*LSLO, "recipe", "demo"])
        done = subprocess.run(["bash", "-c", f"{line} {closed}"], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
