"""The list of runs: what each row says, sorting, conditions, damage."""

import json
from datetime import timedelta
from itertools import product

import pytest

from lslo_cli.artifacts import store
from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.provenance import digest_of
from lslo_cli.artifacts.schema import Input
from lslo_cli.errors import InputError, UsageError
from lslo_cli.method.metrics import CHRF_PLUS_PLUS
from lslo_cli.report.overview import age, chosen, find_runs, runs_table, size_on_disk

GROUPS = list(map("2".join, product("HMLV", repeat=2)))


@pytest.fixture
def results(written, tmp_path):
    """Table 3's runs, in ``results/lang12``."""
    written(tmp_path / "results" / "lang12").table(3)
    return tmp_path / "results"


def test_a_row_says_how_a_run_was_trained_and_what_it_scores(results):
    (run,) = chosen(find_runs(results), ["run=full"])
    assert (run.experiment, run.method, run.ranks, run.pruned) == ("lang12", "full", None, None)
    assert run.parameters == 614_990_848 and run.epochs == 2 and run.seed == 2
    assert run.score is not None and run.groups["V2V"] < run.groups["H2H"]
    assert run.size == sum(path.stat().st_size for path in (results / "lang12/runs/full").iterdir())


def test_ranks_are_those_of_the_classes_or_a_span(written, results):
    runs = {run.run: run.ranks for run in find_runs(results)}
    assert runs["2-2-8-gps0.9"] == "2;2;8"
    experiment = written(results / "mine")
    for name, ranks in {"a": {"en": 2, "fr": 3}, "b": {"en": 4, "fr": 4}, "c": {"en": 8, "wo": 2}}.items():
        experiment.training(name, ranks=ranks)
    found = {run.run: run.ranks for run in find_runs(results / "mine")}
    assert found == {"a": "2 to 3", "b": "4", "c": "8;2"}


def test_experiments_behind_links_are_found_once(results, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "linked").symlink_to(results / "lang12")
    names = {run.run for run in find_runs(results)}
    linked = find_runs(tmp_path / "out")
    assert {run.run for run in linked} == names and {run.experiment for run in linked} == {"linked"}
    (results / "again").symlink_to(results / "lang12")
    assert len(find_runs(results)) == len(names)


def test_the_base_has_scores_alone(results):
    (base,) = chosen(find_runs(results), ["run=base"])
    assert base.method is None and base.parameters is None and base.score is not None


def test_runs_are_sorted_best_first_and_those_without_a_value_come_last(results):
    scores = [run.score for run in chosen(find_runs(results), sort="score")]
    assert scores == sorted(scores, reverse=True)
    assert chosen(find_runs(results), sort="parameters")[-1].run == "base"
    names = [run.run for run in chosen(find_runs(results), sort="run")]
    assert names == sorted(names)


def test_conditions_join_and_reach_groups(results):
    everything = find_runs(results)
    limit = sorted(run.groups["V2V"] for run in everything)[2]
    kept = chosen(everything, [f"V2V>={limit}", "method=lslo"])
    assert kept and all(run.groups["V2V"] >= limit and run.method == "lslo" for run in kept)
    assert chosen(everything, ["run=nothing"]) == []


@pytest.mark.parametrize(
    ("where", "sort", "said"),
    [
        (["scroe>4"], None, "no column 'scroe'. Did you mean 'score'"),
        ([], "ages", "no column 'ages'"),
        (["score"], None, "'score' is not a condition"),
        (["score>high"], None, "'high' is not a number"),
    ],
)
def test_a_condition_or_column_that_cannot_be_is_refused(results, where, sort, said):
    with pytest.raises(UsageError, match=said.replace("?", ".")):
        chosen(find_runs(results), where, sort)


def test_a_damaged_artifact_leaves_its_values_out_and_says_why(results):
    (results / "lang12/runs/full/training.json").write_text("{", encoding="utf-8")
    (run,) = chosen(find_runs(results), ["run=full"])
    assert run.parameters is None and run.score is not None
    assert "training.json is damaged" in run.problem


def test_a_score_of_an_earlier_training_is_left_out_and_said_to_be_stale(written, tmp_path):
    experiment = written(tmp_path / "results" / "lang12")
    digest = json.loads(experiment.training("full").read_text(encoding="utf-8"))["digest"]
    made_from = Input(role="training", path="training.json", digest=digest)
    experiment.evaluation("full", dict.fromkeys(GROUPS, 20.0), inputs=[made_from])
    (run,) = find_runs(tmp_path / "results")
    assert (run.score, run.problem) == (20.0, "")
    experiment.training("full", trainable_parameters=1)
    (run,) = find_runs(tmp_path / "results")
    assert run.score is None and run.groups == {} and run.parameters == 1
    assert "evaluation.json is stale: it was made from another training" in run.problem


def test_a_run_without_spbleu_is_listed_without_a_score_and_says_why(results):
    path = results / "lang12/runs/full/evaluation.json"
    artifact = store.read(path, EvaluationResult)
    chrf = {CHRF_PLUS_PLUS: artifact.result.metrics[CHRF_PLUS_PLUS]}
    result = artifact.result.model_copy(update={"metrics": chrf})
    digest = digest_of(result.model_dump(mode="json"))
    store.write(path, artifact.model_copy(update={"result": result, "digest": digest}))
    (run,) = chosen(find_runs(results), ["run=full"])
    assert run.score is None and run.groups == {} and run.parameters is not None
    assert run.problem == "run full was not scored by spBLEU, only by chrF++"
    assert len(find_runs(results)) > 1


def test_a_missing_folder_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="no folder"):
        find_runs(tmp_path / "nowhere")
    assert find_runs(tmp_path) == []


def test_the_table_has_a_column_for_every_group(results):
    runs = find_runs(results)
    newest = max(run.made for run in runs)
    table = runs_table(runs, newest + timedelta(days=2))
    assert len(table.rows) == len(runs)
    assert {"H2H", "V2V", "score", "age"} <= set(table.header)
    assert "2 days" in table.text_rows()[0]


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(seconds=20), "now"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(hours=30), "1 day"),
        (timedelta(hours=5), "5 hours"),
    ],
)
def test_an_age_is_told_in_its_largest_unit(span, said):
    assert age(span) == said


@pytest.mark.parametrize(
    ("size", "said"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (126_000, "126 kB"), (2.5e12, "2.5 TB")]
)
def test_a_size_is_told_with_two_digits_at_least(size, said):
    assert size_on_disk(size) == said
