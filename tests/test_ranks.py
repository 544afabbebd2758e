"""The study of rank maps: its lines parse, and its tables are those of the artifacts that lie beside them."""

import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from lslo_cli.artifacts import store
from lslo_cli.artifacts.results import SubspaceResult, TrainingResult
from lslo_cli.cli.app import app
from lslo_cli.method.allocation import Rule, allocate

ROOT = Path(__file__).parent.parent
SCRIPTS = ROOT / "results" / "ranks"
needs_results = pytest.mark.skipif(not (SCRIPTS / "shipped").is_dir(), reason="no results in this copy")


@pytest.fixture
def study(load_script):
    return load_script(SCRIPTS / "study.py")


def test_every_line_of_the_study_parses_and_none_is_said_twice(study, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    study.Study(["shipped", "related"], [2], study.RUNS, dry_run=True).do()
    lines = capsys.readouterr().out.splitlines()
    # One base; two worlds with base and runs, an estimate each; borrowing in one of them.
    runs = len(study.RUNS) - 1
    assert len(lines) == 1 + 2 * (1 + 2 * runs + 1) + 2 + len(study.RATES["lora"])
    assert len(set(lines)) == len(lines)
    for line in lines:
        command = get_command(app)
        context = command.make_context("lslo", shlex.split(line)[1:])
        while hasattr(command, "commands"):
            name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
            context = command.make_context(name, list(rest), parent=context)
    assert not list(tmp_path.iterdir())


def test_a_language_that_borrows_uses_the_adapter_of_another(study):
    from lslo_cli.method.ranks import RankMap
    from lslo_cli.nn import attach

    own = attach._slots
    with study.lending({"c": "a"}):
        slots = attach._slots(RankMap({"a": 6, "b": 2}), ("a", "b", "c"))
        assert slots.by_language == (0, 1, 0)
    assert attach._slots is own
    assert own(RankMap({"a": 6, "b": 2}), ("a", "b", "c")).by_language == (0, 1, 2)


@needs_results
def test_the_tables_are_those_of_the_artifacts(study, load_script, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    load_script(SCRIPTS / "summary.py").main()
    assert capsys.readouterr().out == (SCRIPTS / "summary.md").read_text(encoding="utf-8")


@needs_results
def test_cheaper_estimates_are_compared_as_the_table_says(study, load_script, monkeypatch):
    quick = load_script(SCRIPTS / "quick.py")
    monkeypatch.chdir(ROOT)
    assert quick.table(quick.WORLDS) == (SCRIPTS / "quick.md").read_text(encoding="utf-8")


@needs_results
def test_the_maps_of_the_study_are_those_of_the_rules():
    found = set()
    for path in sorted(SCRIPTS.glob("*/seed-?/subspace.json")):
        estimate = store.read(path, SubspaceResult).result.estimate()
        for rule in Rule:
            trained = path.parent / f"runs/auto-{rule}-gpsauto/training.json"
            if trained.exists():
                ranks = {code: rank for code, rank in allocate(estimate, 48, rule).ranks.items() if rank}
                assert ranks == store.read(trained, TrainingResult).result.ranks, trained
                found.add(rule)
    assert found == set(Rule)
