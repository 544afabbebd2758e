from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.results import CorrelationRow
from lslo_cli.cli import console
from lslo_cli.cli.commands.demo import show_summary
from lslo_cli.errors import InputError
from lslo_cli.method.languages import directions, resolve_languages
from lslo_cli.reproduce.demo import DemoSummary, SeedSummary
from lslo_cli.world import WORLD
from tests.scored import scored

LANGUAGES = resolve_languages(list(WORLD), WORLD)
SIGNATURE = "nrefs:1|case:mixed|eff:no|tok:spm-local-62a8df76|smooth:exp|version:2.6.0"


def evaluation(run: str, spbleu: float) -> EvaluationResult:
    return scored(run, LANGUAGES, dict.fromkeys(directions(LANGUAGES), spbleu), SIGNATURE)


def seed(number: int) -> SeedSummary:
    total = CorrelationRow(
        stack="all", kind="total", n=11, pearson=0.5, pearson_p=0.117, pearson_log=0.87, pearson_log_p=0.0003,
        spearman=0.8, spearman_p=0.003,
    )  # fmt: skip
    average = total.model_copy(update={"stack": "encoder", "kind": "avg", "pearson_log": 0.11})
    return SeedSummary(
        seed=number,
        folder=Path(f"results/demo/seed-{number}"),
        evaluations=[evaluation("base", 20.0), evaluation("2-2-8-gps0.9", 20.0 + number)],
        trainings=[],
        correlations=[average, total],
        figures=[Path(f"results/demo/seed-{number}/figures/weights.{kind}") for kind in ("png", "pdf")],
    )


def printed(capsys: Any, *seeds: int) -> list[str]:
    show_summary(
        DemoSummary(Path("results/demo"), [seed(number) for number in seeds], None, Path("report.html"))
    )
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("seeds", [(2,), (2, 3, 4)])
def test_the_summary_fits_eighty_columns(capsys, monkeypatch, seeds):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(console.results, "width", 80)
    assert max(map(len, printed(capsys, *seeds))) <= 80


def test_one_seed_shows_runs_by_groups_and_the_correlation_over_all_matrices(capsys):
    lines = printed(capsys, 2)
    assert any(line.split()[::11] == ["2-2-8-gps0.9", "22.00"] for line in lines)
    assert lines[-4].split() == ["2", "11", "0.50", "0.117", "0.87", "0.0003", "0.80", "0.003"]


def test_several_seeds_show_mean_and_spread_and_every_correlation(capsys):
    lines = printed(capsys, 2, 3, 4)
    assert any("23.00 ± 1.00" in line for line in lines)
    assert [line.split()[0] for line in lines[-8:-5]] == ["2", "3", "4"]


def test_the_summary_ends_with_where_the_figures_are(capsys):
    assert [line.split() for line in printed(capsys, 2, 3)[-3:-1]] == [
        ["figures", "results/demo/seed-2/figures"],
        ["figures", "results/demo/seed-3/figures"],
    ]


def test_seeds_that_are_no_numbers_are_refused(lslo):
    result = lslo("demo", "--seeds", "2,x")
    assert result.exit_code == 2
    said = "error: --seeds names 'x', which is not a whole number from 0 to 4294967295"
    assert result.stderr == f"{said}\n\nhint: write --seeds 2,3,4\n"


@pytest.mark.parametrize(
    ("flags", "cores", "processes"), [((), 1, 1), ((), 2, 2), ((), 64, 2), (("--jobs", "3"), 1, 3)]
)
def test_the_demo_uses_the_cores_that_it_has(lslo, monkeypatch, flags, cores, processes):
    seen = []

    def run_demo(results, seeds, runs, processes, command, on_event):
        seen.append(processes)
        raise InputError("enough", "")

    monkeypatch.setattr("lslo_cli.reproduce.demo.run_demo", run_demo)
    monkeypatch.setattr("lslo_cli.cli.commands.demo.cores", lambda: cores)
    assert lslo("demo", *flags).exit_code == 3
    assert seen == [processes]


@pytest.mark.parametrize("seeds", [(2,), (2, 3)])
def test_the_line_that_the_demo_ends_with_finds_its_experiment(lslo, monkeypatch, seeds):
    summary = DemoSummary(Path("results/demo"), [seed(number) for number in seeds], None, Path("report.html"))
    monkeypatch.setattr("lslo_cli.reproduce.demo.run_demo", lambda *arguments: summary)
    then = shlex.split(lslo("demo", "--results", "results").stderr.rpartition("next: lslo ")[2])
    run = lslo(*then)
    assert run.exit_code == 3 and "results/demo/seed-2/subspace.json" in run.stderr  # which was not made
