"""The prune report."""

import pytest

from lslo_cli.artifacts import store
from lslo_cli.artifacts.lock import locked
from lslo_cli.artifacts.provenance import digest_of
from lslo_cli.artifacts.results import SubspaceResult
from lslo_cli.errors import InputError
from lslo_cli.tasks import commands as tasks

GPS = {"train.ranks": "2,2,8", "train.gps": 0.9}
GPS_RUN = "2-2-8-gps0.9"


def test_the_report_takes_the_latest_run_with_adapters_by_language(finished_experiment, heard):
    report = tasks.prune_report(finished_experiment(), on_event=heard).artifact.result
    assert heard.notes == [f"reporting on run {GPS_RUN}"]
    pruned = {row.language: row.pruned / row.parameters for row in report.sizes}
    assert pruned["qka"] == 0
    assert all(pruned[code] == pytest.approx(0.9, abs=0.02) for code in ("qta", "qso", "qki"))


def test_the_lock_is_free_while_the_report_is_made(finished_experiment):
    """A lock that is held would not be waited for here: the wait fails at once."""
    experiment, heard = finished_experiment(), []

    def listen(event):
        with locked(experiment.folder.prune_report, on_wait=pytest.fail):
            heard.append(event)

    written = tasks.prune_report(experiment, on_event=listen)
    assert heard and written.path.is_file()


def test_a_report_has_the_seed_of_its_estimate(new_experiment):
    tasks.estimate_subspace(new_experiment(seed=5))
    written = tasks.prune_report(new_experiment(seed=6))
    assert written.artifact.seed == 5


def test_a_report_has_the_languages_of_its_estimate_with_the_recipes_bitext_sizes(
    finished_experiment, finished, heard
):
    recipe = {"languages.qka": {"resource": "low", "bitext": 5}}
    before = tasks.prune_report(finished_experiment(), reuse=True)
    written = tasks.prune_report(finished_experiment(**recipe), reuse=True, on_event=heard)
    *others, qka = finished[1]["subspace.json"].languages
    assert written.artifact.languages == [*others, qka.model_copy(update={"bitext": 5})]
    assert before.up_to_date and not written.up_to_date
    assert written.artifact.result.correlations != before.artifact.result.correlations
    assert heard.notes[0].endswith("subspace.json was made: qka 5")
    assert tasks.prune_report(finished_experiment(**recipe), reuse=True).up_to_date


def test_without_a_run_the_report_is_on_the_estimate_alone(new_experiment):
    tasks.estimate_subspace(new_experiment())
    written = tasks.prune_report(new_experiment())
    assert written.artifact.result.run is None
    assert [item.role for item in written.artifact.inputs] == ["subspace"]


def test_without_an_estimate_there_is_no_report(new_experiment, tmp_path):
    with pytest.raises(InputError, match="no subspace at"):
        tasks.prune_report(new_experiment())
    assert list(tmp_path.iterdir()) == []


def test_the_base_is_no_run_that_trained_anything(finished_experiment):
    with pytest.raises(InputError, match="'base' is the base model, which trained nothing") as error:
        tasks.prune_report(finished_experiment(), run="base")
    names = error.value.hint.partition(": ")[2].split(", ")
    assert GPS_RUN in names and "base" not in names


def test_a_report_has_the_sizes_of_languages_that_the_estimate_lacks(finished_experiment, finished):
    experiment = finished_experiment()
    path = experiment.folder.subspace
    estimate = store.read(path, SubspaceResult)
    result, kept = estimate.result, [each.code for each in estimate.languages][1:]
    fewer = {
        name: {code: value for code, value in getattr(result, name).items() if code in kept}
        for name in ("scores", "ranks")
    }
    rows = [row for row in result.pruned.rows if row[1] in kept]
    fewer["pruned"] = result.pruned.model_copy(update={"rows": rows})
    changed = result.model_copy(update=fewer)
    store.write(path, estimate.model_copy(update={
        "languages": estimate.languages[1:],
        "result": changed,
        "digest": digest_of(changed.model_dump(mode="json")),
    }))  # fmt: skip
    report = tasks.prune_report(experiment, run=GPS_RUN).artifact.result
    assert {row.language for row in report.sizes} == {each.code for each in estimate.languages}
    assert set(report.scores) == set(kept)


def test_a_report_on_two_languages_says_why_it_has_no_correlations(new_experiment, heard):
    two = {"langs": "qta,qso"}
    tasks.estimate_subspace(new_experiment(**two))
    assert not tasks.prune_report(new_experiment(**two), on_event=heard).artifact.result.correlations
    said = "no correlation with bitext size: a correlation needs 3 languages with a bitext size"
    assert said in heard.notes
