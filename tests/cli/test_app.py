from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from typer.main import get_command

from lslo_cli import __version__
from lslo_cli.cli.app import app, explain
from lslo_cli.cli.flags import StrictCommand, reflowed
from lslo_cli.errors import InputError, RunError, UsageError

STAGES = ("weight-learn", "estimate-subspace", "train", "prune-report", "evaluate")
FIGURES = ("weights", "heatmap", "matrices", "epochs", "directions", "pareto", "schedule")
HEAVY = "torch transformers pandas scipy seaborn matplotlib sacrebleu sentencepiece numpy accelerate"


@pytest.mark.parametrize("line", [["--help"], ["train", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(python, line):
    code = f"""
import sys
from lslo_cli.cli.app import app
try:
    app()
finally:
    print(*sorted(set({HEAVY.split()}) & set(sys.modules)), file=sys.stderr)
"""
    ended = python(code, *line)
    assert (ended.returncode, ended.stderr.strip()) == (0, "")


def test_version_is_printed_on_stdout(lslo):
    assert lslo("--version").stdout == f"lslo {__version__}\n"


def test_of_processes_for_one_command_the_first_shows_results_and_each_its_errors(lslo_process):
    first, second = (lslo_process("recipe", "demo", RANK=rank) for rank in ("0", "1"))
    assert "[train]" in first.stdout and second.stdout == ""
    failed = lslo_process("recipe", "demmo", RANK="1")
    assert failed.returncode == 2 or failed.returncode == 3
    assert "demmo" in failed.stderr


def test_without_a_command_the_help_is_shown(lslo):
    assert lslo().exit_code == 0
    assert lslo().stdout == lslo("--help").stdout


@pytest.mark.parametrize("command", [*STAGES, "plot", "recipe", "base", "demo"])
def test_help_lists_every_command(lslo, command):
    assert re.search(rf"^│ {command} ", lslo("--help").stdout, re.MULTILINE)


@pytest.mark.parametrize("name", FIGURES)
def test_help_of_plot_lists_every_figure(lslo, name):
    assert re.search(rf"^│ {name} ", lslo("plot", "--help").stdout, re.MULTILINE)


@pytest.mark.parametrize("command", [*STAGES, *(f"plot {name}" for name in FIGURES), "base train", "demo"])
def test_help_of_a_command_says_what_it_reads_and_shows_a_line_that_parses(lslo, command):
    text = lslo(*command.split(), "--help").stdout
    assert "Reads:" in text
    example = re.search(rf"Example: lslo ({command}.*)", text)
    assert example
    assert lslo(*example.group(1).split(), "--help").exit_code == 0


@pytest.mark.parametrize(
    "command", [(), *((stage,) for stage in STAGES), ("plot", "heatmap"), ("base", "train")]
)
def test_help_fits_eighty_columns(lslo_process, command):
    lines = lslo_process(*command, "--help", COLUMNS="80").stdout.splitlines()
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("error", "code"),
    [(UsageError("what", "do"), 2), (InputError("what", "do"), 3), (RunError("what", "do"), 4)],
)
def test_an_error_is_a_message_a_blank_line_and_a_hint_on_stderr(capsys, error, code):
    assert explain(error) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "error: what\n\nhint: do\n"


def test_an_error_without_a_hint_is_one_line(capsys):
    explain(RunError("what"))
    assert capsys.readouterr().err == "error: what\n"


def test_paths_in_errors_are_neither_wrapped_nor_taken_for_markup(capsys):
    path = "/data/" + "a-long-folder/" * 10 + "[bold]file.json"
    explain(InputError(f"no subspace at {path}"))
    assert capsys.readouterr().err == f"error: no subspace at {path}\n"


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 64 bytes"
        ),
    ],
)
def test_running_out_of_memory_asks_for_smaller_batches(capsys, error):
    assert explain(error) == 4
    printed = capsys.readouterr().err
    assert printed.startswith("error: memory ran out: ")
    assert printed.endswith("hint: end other programs, or use a machine with more memory\n")


def test_any_other_exception_is_called_a_bug_and_shows_where_it_happened(capsys):
    try:
        raise KeyError("lost")
    except KeyError as error:
        assert explain(error) == 1
    printed = capsys.readouterr().err
    assert "Traceback" in printed
    assert "test_app.py" in printed
    assert "error: this is a bug in lslo: KeyError: 'lost'\n" in printed


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("trian", "no such command 'trian'. Did you mean 'train'?", "see lslo --help"),
        ("plot heatmp", "no such command 'heatmp'. Did you mean 'heatmap'?", "see lslo plot --help"),
        ("train --gsp 0.9", "no such option: --gsp. Did you mean '--gps'?", "see lslo train --help"),
        ("train --ranks", "option '--ranks' requires an argument", "see lslo --help"),
        ("base train", "missing option '--out'", "see lslo base train --help"),
        ("plot", "missing command", "see lslo plot --help"),
    ],
)
def test_a_misspelt_line_is_refused_with_the_nearest_name(lslo, line, message, hint):
    result = lslo(*line.split())
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == f"error: {message}\n\nhint: {hint}\n"


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("train --gps 1.5", 2, "--gps cannot be 1.5"),
        ("train --epochs 0", 2, "--epochs cannot be 0"),
        ("train --sites attention", 2, "--sites cannot be 'attention'"),
        ("estimate-subspace --pool layers", 2, "--pool cannot be 'layers'"),
        ("train --set train.rank=3", 2, "unknown key 'train.rank' in --set. Did you mean"),
        ("train --set gps", 2, "--set gps"),
        ("train --recipe flores-base", 3, "no recipe 'flores-base'. Did you mean 'flores-small-base'?"),
    ],
)
def test_a_wrong_value_is_refused_with_one_message_and_one_hint(lslo, line, code, message):
    result = lslo(*line.split())
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert "\n\nhint: " in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("train --ranks 2 --ranks 4", "--ranks takes one value, not '2' and '4'"),
        (
            "train --ranks=2 --lr 1 --ranks=2 --ranks 8 --ranks 4",
            "--ranks takes one value, not '2' and '8' and '4'",
        ),
        ("diff full base -o a.tsv --output b.tsv", "--output takes one value, not 'a.tsv' and 'b.tsv'"),
        ("data check text --model a --model b", "--model takes one value, not 'a' and 'b'"),
        (
            "base convert folder --out a --dtype float16 --dtype float32 --out a",
            "--dtype takes one value, not 'float16' and 'float32'",
        ),
        ("flare train --task world --task nusax", "--task takes one value, not 'world' and 'nusax'"),
        ("plot heatmap --name a --name b", "--name takes one value, not 'a' and 'b'"),
        ("runs --results a --results b", "--results takes one value, not 'a' and 'b'"),
        ("reproduce demo --jobs 1 --jobs 2", "--jobs takes one value, not '1' and '2'"),
    ],
)
def test_an_option_of_one_value_that_is_given_two_is_refused(lslo, line, said):
    run = lslo(*line.split())
    assert (run.exit_code, run.stdout) == (2, "")
    assert f"error: {said}" in " ".join(run.stderr.split())
    assert "hint: leave out all but one" in run.stderr


@pytest.mark.parametrize(
    "line",
    [
        "train --recipe demo --recipe demo --ranks 2,2,8 --quiet --quiet --dry-run",
        "train --recipe demo --set fit.lr=1 --set fit.lr=0.001 --ranks 2,2,8 --dry-run",
        "reproduce table-3 --recipe demo --only full --only base --dry-run",
        "train --ranks 2 --ranks 4 --help",
    ],
)
def test_the_same_value_and_options_of_several_values_may_come_again(lslo, line):
    assert lslo(*line.split()).exit_code == 0


def test_every_command_is_of_the_class_that_refuses_repetitions():
    def commands(group):
        for command in group.commands.values():
            yield from commands(command) if hasattr(command, "commands") else (command,)

    found = [*commands(get_command(app))]
    assert len(found) >= 40 and all(isinstance(command, StrictCommand) for command in found)


SAYS_IF_TORCH_IS_LOADED = (
    "from lslo_cli.cli.app import app; import atexit, sys; "
    "atexit.register(lambda: print('torch' in sys.modules)); app()"
)


def test_a_wrong_value_is_refused_before_torch_is_loaded(python):
    assert python(SAYS_IF_TORCH_IS_LOADED, "train", "--gps", "1.5").stdout == "False\n"


NO_TRANSLATIONS = 3
"""The exit code for runs without translations: those that come with a clone have none."""


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("prune-report --name seed-2", 0),
        ("report out", 0),
        ("runs", 0),
        ("show out/seed-2", 0),
        ("plot heatmap --text --name seed-2", 0),
        ("diff full base --name seed-2", NO_TRANSLATIONS),
        ("compare full base --name seed-2 --recipe demo", NO_TRANSLATIONS),
    ],
)
def test_a_command_that_only_reads_results_does_not_wait_for_torch(
    python, tmp_path, monkeypatch, command, code
):
    committed = Path(__file__).parents[2] / "results/demo/seed-2"
    shutil.copytree(committed, tmp_path / "out/seed-2")
    monkeypatch.chdir(tmp_path)
    done = python(SAYS_IF_TORCH_IS_LOADED, *command.split(), LSLO_RESULTS="out")
    assert (done.returncode, done.stdout[-6:]) == (code, "False\n"), done.stderr
    assert code == 0 or "translations" in done.stderr


def test_no_color_leaves_no_escape_sequences_even_where_colour_is_forced(lslo_process):
    coloured = lslo_process("trian", FORCE_COLOR="1").stderr
    plain = lslo_process("trian", FORCE_COLOR="1", NO_COLOR="1").stderr
    assert "\x1b[1;31m" in coloured
    assert "\x1b[1;31m" not in plain
    assert "31m" not in plain


def test_help_fills_the_terminal_but_keeps_paragraphs_and_labels():
    text = "One line.\n\nThis goes on\nand on.\nReads: what\nis there.\nWrites: nothing."
    assert reflowed(text) == "One line.\n\nThis goes on and on.\nReads: what is there.\nWrites: nothing."


def test_a_tilde_in_a_path_is_the_users_home_wherever_it_comes_from(lslo, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    for name in ("text", "model"):
        assert str(tmp_path / "home" / name) in lslo("data", "check", f"~/{name}").stderr.replace("\n", "")
    monkeypatch.setenv("LSLO_RESULTS", "~/results")
    assert f"no folder {tmp_path / 'home' / 'results'}" in lslo("runs").stderr.replace("\n", "")
    (tmp_path / "home" / "mine.toml").write_text('langs = "en,frr"\n')
    assert "unknown language 'frr'" in lslo("train", "--recipe", "~/mine.toml").stderr


def test_results_in_a_pipe_are_utf8_in_every_locale(lslo_process, tmp_path):
    (tmp_path / "r.toml").write_text('description = "été, kɔnɔ"\n', encoding="utf-8")
    run = lslo_process("recipe", "r.toml", PYTHONIOENCODING="latin-1", PYTHONUTF8="0")
    assert run.returncode == 0 and "été, kɔnɔ" in run.stdout
