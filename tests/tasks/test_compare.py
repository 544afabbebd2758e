"""Comparing evaluated runs, in one seed and in several."""

import shutil
from statistics import fmean

import pytest

from lslo_cli.artifacts import store
from lslo_cli.artifacts.evaluations import ComparisonResult, EvaluationResult
from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.artifacts.lock import locked
from lslo_cli.artifacts.results import TrainingResult
from lslo_cli.errors import InputError, UsageError
from lslo_cli.method.statistics import Significance
from lslo_cli.tasks import commands as tasks

RUN = "2-2-8-gps0.9"


@pytest.fixture
def seeds(experiments_in, finished, tmp_path):
    """An experiment of two seeds that found the same."""
    for seed in (2, 10):
        folder = shutil.copytree(finished[0], tmp_path / "tiny" / f"seed-{seed}")
        for run in ExperimentFolder(folder).evaluated_runs():
            doctored(run.evaluation, EvaluationResult, seed=seed)
        for run in ExperimentFolder(folder).trained_runs():
            doctored(run.training, TrainingResult, seed=seed)
    return experiments_in(tmp_path / "tiny")


def scores(finished, run):
    return finished[1][f"runs/{run}/evaluation.json"].result


def test_one_seed_has_differences_and_shows_nothing(finished_experiment, finished):
    (written,) = tasks.compare(finished_experiment(), [RUN, "base"], resamples=200)
    assert written.path.name == f"{RUN}-vs-base.json"
    result = store.read(written.path, ComparisonResult).result
    ours, theirs = scores(finished, RUN), scores(finished, "base")
    rows = {row.name: row for row in result.rows}
    assert rows["AVG"].difference == pytest.approx(ours.metric().average - theirs.metric().average)
    assert rows["H2V"].difference == pytest.approx(
        ours.metric().groups["H2V"] - theirs.metric().groups["H2V"]
    )
    assert rows["qta-qso"].difference == pytest.approx(
        ours.scores()[ours.directions[0].direction] - theirs.scores()[ours.directions[0].direction]
    )
    assert (rows["AVG"].directions, rows["H2H"].directions, len(rows)) == (12, 2, 1 + 7 + 12)
    assert {row.verdict for row in result.rows} == {Significance.ONE_SEED}
    assert {row.over_seeds for row in result.rows} == {None}
    low, high = rows["AVG"].over_sentences
    assert low < high


def test_a_run_against_itself_differs_by_nothing_on_any_resample(finished_experiment):
    shutil.copytree(
        finished_experiment().folder.run("base").path, finished_experiment().folder.run("copy").path
    )
    (written,) = tasks.compare(finished_experiment(), ["base", "copy"], resamples=100)
    assert {(row.difference, row.over_sentences) for row in written.artifact.result.rows} == {(0, (0, 0))}


def test_seeds_are_paired_and_may_be_chosen(seeds):
    written = tasks.compare(seeds(), [RUN, "base", "full"], resamples=100)
    assert [item.path.name for item in written] == [f"{RUN}-vs-base.json", f"{RUN}-vs-full.json"]
    result = written[0].artifact.result
    assert len(result.seeds) == 2 and len(written[0].artifact.inputs) == 4
    for row in result.rows:
        assert len(row.by_seed) == 2
        assert row.over_seeds == pytest.approx((row.difference, row.difference))  # the seeds are copies
        assert row.verdict is not Significance.ONE_SEED
    everything = written[0].path.read_bytes()
    (one,) = tasks.compare(seeds(), [RUN, "base"], seeds=[10], resamples=100)
    assert one.path.name == f"{RUN}-vs-base-seed-10.json"
    assert written[0].path.read_bytes() == everything
    (all_named,) = tasks.compare(seeds(), [RUN, "base"], seeds=[10, 2], resamples=100)
    assert all_named.path == written[0].path
    assert {row.verdict for row in one.artifact.result.rows} == {Significance.ONE_SEED}
    assert one.artifact.result.rows[0].over_sentences == pytest.approx(result.rows[0].over_sentences)


def test_the_average_on_a_resample_is_the_mean_over_directions_of_that_resample(finished_experiment):
    (written,) = tasks.compare(finished_experiment(), [RUN, "base"], resamples=100)
    rows = [row for row in written.artifact.result.rows if row.scope == "direction"]
    (average,) = [row for row in written.artifact.result.rows if row.scope == "average"]
    assert average.difference == pytest.approx(fmean(row.difference for row in rows))
    widest = max(row.over_sentences[1] - row.over_sentences[0] for row in rows)
    assert average.over_sentences[1] - average.over_sentences[0] < widest


def test_the_lock_is_free_while_runs_are_compared(finished_experiment):
    """A lock that is held would not be waited for here: the wait fails at once."""
    experiment, heard = finished_experiment(), []
    path = experiment.folder.comparison(RUN, "base")

    def listen(event):
        with locked(path, on_wait=pytest.fail):
            heard.append(event)

    (written,) = tasks.compare(experiment, [RUN, "base"], resamples=100, on_event=listen)
    assert len(heard) == 3 and written.path == path and path.is_file()


def test_fewer_than_two_runs_are_refused(finished_experiment):
    with pytest.raises(UsageError, match="takes two runs or more"):
        tasks.compare(finished_experiment(), ["base", "base"])


def test_a_seed_does_not_count_twice(finished_experiment, seeds):
    with pytest.raises(UsageError, match="seed 2 is named twice"):
        tasks.compare(finished_experiment(), [RUN, "base"], seeds=[2, 2])


def test_a_run_or_a_seed_that_is_not_there_is_named(finished_experiment, seeds):
    with pytest.raises(InputError, match="evaluations of both 'base' and 'nothing'") as error:
        tasks.compare(finished_experiment(), ["base", "nothing"])
    assert f"evaluated there: {RUN}, base, full" in error.value.message
    place = f"--results {finished_experiment().folder.path} --name seed-2 --seed 2"
    assert error.value.hint == f"evaluate them: lslo evaluate {place} --run base --run nothing"
    with pytest.raises(InputError, match="no seed 7 in") as error:
        tasks.compare(seeds(), ["base", "full"], seeds=[7])
    assert "seeds there: 2, 10" in error.value.hint


def test_translations_that_were_changed_are_refused(finished_experiment):
    path = finished_experiment().folder.run("base").whole.hypotheses / "qta-qso.txt"
    path.write_text(path.read_text(encoding="utf-8").replace("\n", " x\n"), encoding="utf-8")
    with pytest.raises(InputError, match="are not those that evaluation.json was made from") as error:
        tasks.compare(finished_experiment(), [RUN, "base"], resamples=100)
    assert "--run base --force" in error.value.hint
    path.unlink()
    with pytest.raises(InputError, match="cannot read the translations"):
        tasks.compare(finished_experiment(), [RUN, "base"], resamples=100)


def test_other_text_or_another_metric_than_was_scored_with_is_refused(finished_experiment, tiny, tmp_path):
    text = shutil.copytree(tiny.text, tmp_path / "text")
    line = (text / "test" / "qta.test").read_text(encoding="utf-8")
    (text / "test" / "qta.test").write_text(f"another {line}", encoding="utf-8")
    with pytest.raises(InputError, match="was scored on other text"):
        tasks.compare(finished_experiment(**{"data.path": str(text)}), [RUN, "base"], resamples=100)
    other = tiny.folder / "nowhere.model"
    with pytest.raises(InputError, match="no sentencepiece model"):
        tasks.compare(
            finished_experiment(**{"evaluate.metric_model": str(other)}), [RUN, "base"], resamples=100
        )
    finished_experiment().folder.run(
        "full"
    ).evaluation.unlink()  # else an evaluation of fewer rows lies beside it
    tasks.evaluate(finished_experiment(**{"data.test_rows": 2}), runs=["full"])
    with pytest.raises(InputError, match=r"different test texts: .* 3 rows \(.*\) and .* 2 rows"):
        tasks.compare(finished_experiment(), [RUN, "full"], resamples=100)


def doctored(path, kind, **parts):
    """Change parts of an artifact beside its result, which its digest does not cover."""
    artifact = store.read(path, kind)
    store.write(path, artifact.model_copy(update=parts))


def test_another_search_or_base_model_is_refused_as_a_report_does(finished_experiment):
    run = finished_experiment().folder.run("full")
    artifact = store.read(run.evaluation, EvaluationResult)
    other = artifact.model.model_copy(update={"digest": "c" * 64})
    doctored(run.evaluation, EvaluationResult, model=other)
    with pytest.raises(InputError, match="with different base models: .*cccccc.* and ") as error:
        tasks.compare(finished_experiment(), ["full", "base"], resamples=100)
    assert "keep each base model in its own experiment" in error.value.hint
    run.evaluation.unlink()
    tasks.evaluate(finished_experiment(**{"evaluate.beam": 1}), runs=["full"])
    with pytest.raises(InputError, match="with different search settings: beam 1 and beam 2"):
        tasks.compare(finished_experiment(), ["full", "base"], resamples=100)


def test_a_copy_of_a_seed_is_no_other_seed(seeds):
    folder = seeds().folder
    shutil.copytree(folder.path / "seed-2", folder.path / "seed-3")
    artifact = tasks.compare(seeds(), [RUN, "base"], seeds=(10,), resamples=100)[0].artifact
    assert artifact.seed == artifact.recipe["seed"] == 10  # the experiment's is 2
    result = tasks.compare(seeds(), [RUN, "base"], resamples=100)[0].artifact.result
    assert result.seeds == [2, 10] and {len(row.by_seed) for row in result.rows} == {2}


def test_seeds_whose_adapters_were_made_differently_are_refused(seeds):
    path = seeds().folder.path / "seed-10" / "runs" / RUN / "training.json"
    recipe = store.read(path, TrainingResult).recipe
    adapters = {**recipe["adapters"], "initialisation": "gaussian"}
    doctored(path, TrainingResult, recipe={**recipe, "adapters": adapters})
    with pytest.raises(InputError, match="different adapters.initialisation: uniform and gaussian"):
        tasks.compare(seeds(), [RUN, "base"], resamples=100)
    assert tasks.compare(seeds(), ["full", "base"], resamples=100)


def test_a_folder_that_mixes_seeds_is_refused_as_in_a_report(seeds):
    experiment = seeds()
    copied, base = (experiment.folder.path / f"seed-{seed}/runs/base/evaluation.json" for seed in (10, 2))
    copied.write_bytes(base.read_bytes())
    with pytest.raises(InputError, match=r"seed-10 mixes seed 10 and seed 2 \(evaluation\)"):
        tasks.compare(experiment, [RUN, "base"], resamples=100)


def test_one_training_that_was_evaluated_as_two_seeds_is_refused(seeds):
    path = seeds().folder.path
    doctored(path / "seed-10" / "runs" / RUN / "training.json", TrainingResult, seed=2)
    with pytest.raises(InputError, match=r"seed-10 mixes seed 10 and seed 2 \(training\)"):
        tasks.compare(seeds(), [RUN, "base"], resamples=100)
    assert tasks.compare(seeds(), ["full", "base"], resamples=100)
