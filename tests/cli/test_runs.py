import json

import pytest

from lslo_cli.artifacts.evaluations import ComparedRow, ComparisonResult
from lslo_cli.cli import console
from lslo_cli.method.statistics import Significance


@pytest.fixture
def experiment(written, tmp_path):
    experiment = written(tmp_path / "out" / "lang12").table(3)
    experiment.prune_report()
    return experiment


def test_runs_are_listed_best_first(lslo, experiment):
    run = lslo("runs", "--sort", "score", "--where", "method=lslo")
    assert run.exit_code == 0
    title, heading, _, *rows = run.stdout.splitlines()
    assert title == "Runs of lang12"
    assert heading.split()[:3] == ["run", "score", "method"]
    end = heading.index("score") + len("score")
    scores = [float(row[:end].split()[-1]) for row in rows]
    assert scores and scores == sorted(scores, reverse=True)


def test_runs_of_several_experiments_name_each(lslo, experiment, written, tmp_path):
    written(tmp_path / "out" / "other").table(3)
    title, heading, *_ = lslo("runs").stdout.splitlines()
    assert title == "Runs" and heading.split()[:3] == ["experiment", "run", "score"]


@pytest.mark.parametrize("width", ["40", "60", "80", "110"])
def test_the_list_of_runs_is_never_cut_and_keeps_its_names(lslo, experiment, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", width)
    monkeypatch.setattr(console.results, "width", int(width))
    lines = lslo("runs").stdout.splitlines()
    assert max(map(len, lines)) <= int(width) and "…" not in "".join(lines)
    blocks = [line.split() for line in lines if line.startswith("run ")]
    assert [name for block in blocks for name in block[1:]][:3] == ["score", "method", "ranks"]
    assert sum(line.startswith("full ") for line in lines) == len(blocks)


def test_runs_as_json_have_every_column(lslo, experiment):
    rows = json.loads(lslo("runs", "--json").stdout)
    full = next(row for row in rows if row["run"] == "full")
    assert full["method"] == "full" and full["V2V"] > 0 and full["made"].startswith("2026-01-01")


def test_without_runs_the_next_step_is_named(lslo, tmp_path):
    (tmp_path / "out").mkdir()
    run = lslo("runs")
    assert run.exit_code == 0 and run.stderr == "no runs in out; next: lslo demo\n"


def test_conditions_that_no_run_meets_name_the_list(lslo, experiment):
    assert lslo("runs", "--where", "score>99").stderr.endswith("next: lslo runs\n")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("runs/full", ["training", "evaluation", "method", "By direction", "en-fr"]),
        ("prune-report.json", ["prune-report", "encoder", "seed 2", "m2m-124-615m"]),
    ],
)
def test_an_artifact_is_shown_with_where_it_came_from(lslo, experiment, path, said):
    run = lslo("show", f"out/lang12/{path}")
    assert run.exit_code == 0
    assert all(word in run.stdout for word in [*said, "lslo test"])


def test_a_comparison_is_shown_as_it_was_printed(lslo, experiment):
    interval = {"over_sentences": (0.5, 1.5), "over_seeds": None, "verdict": Significance.ONE_SEED}
    rows = [
        ComparedRow(scope=scope, name=name, directions=1, difference=1.25, by_seed=[1.25], **interval)
        for scope, name in (("average", "AVG"), ("direction", "en-fr"))
    ]
    result = ComparisonResult(
        run="full", other="base", seeds=[2], resamples=100, spbleu_signature="tok:a", rows=rows
    )
    experiment.write("comparisons/full-vs-base.json", result)
    shown = lslo("show", "out/lang12/comparisons/full-vs-base.json").stdout
    assert "full against base: spBLEU, 95 % intervals, 1 seed" in shown
    assert "+1.25" in shown and "+0.50 to +1.50" in shown


def test_runs_of_the_folder_one_is_in_have_its_name(lslo, experiment, monkeypatch):
    monkeypatch.chdir(experiment.path)
    assert lslo("runs", "--results", ".").stdout.splitlines()[0] == "Runs of lang12"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("file.json", "{", "file.json is damaged"),
        ("file.json", "{}", "holds no lslo artifact"),
        ("file.json", '{"schema_id": "lslo/else"}', "holds lslo/else"),
        ("experiment.toml", "[given]", "experiment.toml is not an artifact"),
        ("metrics.jsonl", "{}\n{}\n", "metrics.jsonl is not an artifact"),
    ],
)
def test_what_is_no_artifact_is_refused(lslo, tmp_path, name, content, said):
    (tmp_path / name).write_text(content, encoding="utf-8")
    run = lslo("show", name)
    assert run.exit_code == 3 and said in run.stderr


def test_what_makes_a_changed_artifact_again_names_its_experiment(lslo, experiment):
    path = experiment.path / "prune-report.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"digest": "', '"digest": "0'), encoding="utf-8")
    run = lslo("show", "out/lang12/prune-report.json")
    assert run.exit_code == 3
    assert "lslo prune-report --results out --name lang12" in " ".join(run.stderr.split())


def test_a_folder_without_artifacts_is_refused(lslo, tmp_path):
    (tmp_path / "empty").mkdir()
    run = lslo("show", "empty")
    assert run.exit_code == 2 and "holds no artifact" in run.stderr
    assert lslo("show", "nowhere.json").exit_code == 3
