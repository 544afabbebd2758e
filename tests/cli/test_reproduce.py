import json
import os
import shlex
import subprocess

import pytest
from typer.main import get_command

from lslo_cli.cli.app import app


def line_of(text):
    """Parse a printed line as the shell and the command would, without running it."""
    words = shlex.split(text)
    assert words[:2] == ["lslo", "reproduce"]
    return get_command(app).commands["reproduce"].make_context("reproduce", words[2:]).params


def test_a_dry_run_shows_every_run_with_its_cost_and_writes_nothing(lslo, tmp_path):
    result = lslo("reproduce", "table-1", "--dry-run")
    assert result.exit_code == 0
    rows = {line.split()[0]: line.split() for line in result.stdout.splitlines() if line.strip()}
    assert rows["2-2-8-gps0.9"] == ["2-2-8-gps0.9", "15", "~395", "15.34M", "-", "11.8", "GiB"]
    assert rows["full"][3] == "614.99M"
    assert len(rows) >= 15
    assert "updates are estimated from the size of FLORES-101" in result.stderr
    assert "dry run: nothing was written" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("targets", [("tables",), ("figures",), ("all",)])
def test_a_plan_fits_eighty_columns(lslo, targets):
    result = lslo("reproduce", *targets, "--dry-run")
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "2-2-8-gps0.9" in result.stdout


def test_a_plan_as_json_is_unrounded(lslo):
    result = lslo("reproduce", "figure-1", "--dry-run", "--json", "--model", "m2m-124-175m")
    (learning, figure) = json.loads(result.stdout)
    assert (learning["label"], learning["epochs"], learning["current"]) == ("lang12/weight-learn", 15, False)
    assert learning["memory"]["weights"] == 4 * (175_276_544 + learning["trainable"])
    assert (figure["label"], figure["epochs"]) == ("lang12/weights", 0)


def test_jobs_are_lines_of_their_own_with_the_flags_that_were_given(lslo):
    flags = [
        "--recipe",
        "demo",
        "--results",
        "out put",
        "--seeds",
        "2,3",
        "--device",
        "cpu",
        "--set",
        "fit.lr=1e-3",
    ]
    result = lslo("reproduce", "table-3", "table-9", *flags, "--print-jobs", "--jobs", "4")
    lines = result.stdout.splitlines()
    parsed = [line_of(line) for line in lines]
    assert [line["only"] for line in parsed[:4]] == [
        [f"demo/seed-{seed}/{stage}"] for seed in (2, 3) for stage in ("weight-learn", "estimate-subspace")
    ]
    assert len(lines) == 2 * (2 + 5 + 1)
    for line in parsed:
        assert line["targets"] == ["table-3", "table-9"]
        assert (line["recipe"], str(line["results"]), line["seeds"]) == ("demo", "out put", "2,3")
        assert (line["device"], line["assignments"], line["jobs"]) == ("cpu", ["fit.lr=1e-3"], 1)
    assert result.stderr.splitlines() == [
        "lines 1 to 4: in this order before all others",
        "lines 5 to 14: in any order or all at once",
        "lines 15 to 16: after all others",
    ]


def test_each_printed_line_is_one_part_with_what_it_needs(lslo):
    line = lslo("reproduce", "tables", "--print-jobs", "--only", "8-8-8-8", "--quiet").stdout
    words = shlex.split(line)
    result = lslo(*words[1:], "--dry-run", "--json")
    assert [row["label"] for row in json.loads(result.stdout)] == ["lang30/8-8-8-8"]


def test_the_recipe_of_the_environment_is_for_tables_and_not_for_experiments_of_ones_own(
    lslo, tmp_path, monkeypatch
):
    (tmp_path / "mine.toml").write_text(
        'extends = "demo"\nname = "mine"\nlangs = "qta,qki"\n[reproduce]\nruns = ["base"]'
    )
    (tmp_path / "row.toml").write_text('extends = "lang12"\n[reproduce]\nruns = ["base"]')
    monkeypatch.setenv("LSLO_RECIPE", "demo")

    def made(*line):
        result = lslo("reproduce", *line, "--dry-run", "--json")
        return {row["label"].partition("/")[0] for row in json.loads(result.stdout)}, result.stderr

    labels, said = made("row.toml")
    assert labels == {"demo"} and "is not applied" not in said
    labels, said = made("mine.toml")
    assert labels == {"mine"}
    assert "LSLO_RECIPE=demo is not applied: mine.toml has settings of its own; --recipe demo would" in said
    monkeypatch.setenv("LSLO_RECIPE", "lang12")
    labels, said = made("mine.toml", "--recipe", "demo")
    assert labels == {"demo"} and "is not applied" not in said


SLURM = ["--set", "slurm.time=02:00:00", "--set", "slurm.gpus=1"]


def test_jobs_for_slurm_are_a_script_that_submits_each_behind_what_it_needs(lslo, tmp_path):
    flags = ["--recipe", "demo", "--results", "out put", *SLURM]
    result = lslo("reproduce", "table-3", "figure-1", *flags, "--on", "slurm", "--print-jobs")
    assert (result.exit_code, result.stderr) == (0, "")
    (tmp_path / "sbatch").write_text(
        '#!/bin/sh\nfor word; do printf "%s\\t" "$word"; done >>calls; echo >>calls\nwc -l <calls\n'
    )
    (tmp_path / "sbatch").chmod(0o755)
    path = os.pathsep.join((str(tmp_path), os.environ["PATH"]))
    subprocess.run(
        ["sh", "-eu"], input=result.stdout, text=True, check=True, env={**os.environ, "PATH": path}
    )
    assert (tmp_path / "out put" / "demo" / "logs").is_dir()
    calls = [line.split("\t") for line in (tmp_path / "calls").read_text().splitlines()]
    labels = [next(word for word in call if word.startswith("--wrap")).split()[-1] for call in calls]
    waits = {label: [w for w in call if "afterok" in w] for label, call in zip(labels, calls, strict=True)}
    learning = f"--dependency=afterok:{labels.index('demo/weight-learn') + 1}"
    assert waits["demo/full"] == waits["demo/2-2-8-source-gps0.9"] == []
    assert waits["demo/2-2-8-gps0.9"] == waits["demo/weights"] == [learning]
    assert all("--time=02:00:00" in call for call in calls)
    assert [label for label, call in zip(labels, calls, strict=True) if "--gpus=1" not in call] == [
        "demo/weights"
    ]


def test_the_line_of_a_job_is_parsed_as_that_part(lslo):
    flags = ["--recipe", "demo", "--results", "out put", "--seeds", "2,3", "--device", "cpu", *SLURM]
    script = lslo("reproduce", "table-3", *flags, "--on", "slurm", "--print-jobs").stdout
    words = shlex.split(script.splitlines()[-1].partition("=$(")[2].removesuffix(")"))
    (wrapped,) = (word for word in words if word.startswith("--wrap=exec "))
    _, module, name, *rest = shlex.split(wrapped.removeprefix("--wrap=exec "))
    assert (module, name) == ("-m", "lslo_cli")
    parsed = line_of(shlex.join(["lslo", *rest]))
    assert (parsed["targets"], parsed["seeds"], parsed["device"]) == (["table-3"], "2,3", "cpu")
    assert (str(parsed["results"]), parsed["on"]) == ("out put", None)
    assert parsed["only"][0].startswith("demo/seed-3/")


def test_a_dry_run_on_slurm_shows_what_sbatch_would_be_told(lslo, tmp_path):
    flags = ["--recipe", "demo", "--only", "weights", "--only", "full", "--on", "slurm", *SLURM]
    result = lslo("reproduce", "table-3", "figure-1", *flags, "--dry-run")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-2:] == [
        "sbatch  2 jobs: --time=02:00:00 --gpus=1",
        "sbatch  1 job: --time=02:00:00",
    ]
    assert not list(tmp_path.iterdir())


def test_without_slurm_one_message_says_so(lslo, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    result = lslo("reproduce", "table-3", "--recipe", "demo", "--on", "slurm")
    assert result.exit_code == 3
    assert "error: squeue is not on PATH, so no job can be submitted to Slurm" in result.stderr
    assert result.stderr.count("error:") == 1 and "leave out --on slurm" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["table1"], 3, "no recipe 'table1'. Did you mean 'table-1'?"),
        (["table-1", "--only", "9-9-9"], 2, "--only 9-9-9: there is no such part"),
        (["table-1", "--seeds", "2,x"], 2, "--seeds names 'x', which is not a whole number"),
        (["table-2", "--recipe", "demo"], 2, "--ranks 8,8,8,8 gives 4 ranks for 3 resource classes"),
        (["table-1", "--set", "fit.epochs=5"], 2, "the pruning schedule does not fit"),
        (["table-1", "--jobs", "0"], 2, "invalid value for '--jobs'"),
        (["table-1", "--langs", "lang31"], 2, "lang31"),
        (["table-1", "--on", "slurm", "--jobs", "2"], 2, "--jobs counts processes on this machine"),
        (["table-1", "--on", "moon"], 2, "invalid value for '--on'"),
        (["table-1", "--on", "slurm", "--set", "slurm.cpus=0"], 2, "'slurm.cpus' cannot be 0"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_runs(lslo, tmp_path, arguments, code, message):
    result = lslo("reproduce", *arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stderr.count("error:") == 1 and "hint:" in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_missing_base_model_is_said_once(lslo, tmp_path):
    result = lslo("reproduce", "table-1", "--model", "./nowhere")
    assert result.exit_code == 3
    assert result.stderr.count("error:") == 1 and "./nowhere" in result.stderr
    assert not list(tmp_path.iterdir())
