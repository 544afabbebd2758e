"""Evaluating what is there."""

import subprocess
import sys
import time

import pytest

from lslo_cli import tasks
from lslo_cli.artifacts.folder import RunFolder
from lslo_cli.errors import UsageError
from lslo_cli.events import Advanced, Started

SMALL = {"evaluate.max_tokens": 30}
"""Batches of a sentence or three, so that there is a middle to interrupt in."""

EVALUATE = """
import sys
from pathlib import Path
from lslo_cli import tasks
from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.recipe import Recipe
recipe = Recipe.model_validate_json(sys.stdin.read())
tasks.evaluate(tasks.Experiment(recipe, ExperimentFolder(Path(sys.argv[1])), "test"), runs=["base"])
"""


@pytest.fixture
def uninterrupted(there):
    """Evaluations of the base model and of a run with adapters, and their translations by file."""
    runs = ["base", "2-2-8-gps0.9"]
    written = tasks.evaluate(there(**SMALL), runs=runs, force=True)
    return {item.artifact.result.run: (item.artifact.digest, translations(item.path)) for item in written}


def translations(evaluation):
    return {path.name: path.read_bytes() for path in RunFolder(evaluation.parent).hypotheses.iterdir()}


def interrupt_after(batches):
    """A listener that presses Ctrl-C when so many batches are done."""
    seen = []

    def listen(event):
        seen.append(event)
        if len([event for event in seen if isinstance(event, Advanced)]) == batches:
            raise KeyboardInterrupt

    return listen


def assert_goes_on(written, uninterrupted, heard):
    """It was not done anew, ended as if nothing had happened, and left nothing behind."""
    (written,) = written
    digest, files = uninterrupted[written.artifact.result.run]
    (started,) = [event for event in heard if isinstance(event, Started)]
    assert 0 < started.completed < started.total
    assert written.artifact.digest == digest
    assert translations(written.path) == files
    assert not (written.path.parent / "checkpoint").exists()


def test_an_interrupted_evaluation_goes_on_to_the_same_artifact(there, uninterrupted, heard):
    there = there(**SMALL)
    there.folder.run("2-2-8-gps0.9").evaluation.unlink()
    for batches in (2, 3):
        with pytest.raises(KeyboardInterrupt):
            tasks.evaluate(there, runs=["2-2-8-gps0.9"], on_event=interrupt_after(batches))
    assert_goes_on(tasks.evaluate(there, runs=["2-2-8-gps0.9"], on_event=heard), uninterrupted, heard)


def test_an_evaluation_that_was_killed_goes_on_to_the_same_artifact(there, uninterrupted, heard):
    there = there(**SMALL)
    folder = there.folder.run("base")
    folder.evaluation.unlink()
    log = folder.evaluation_checkpoint / "translations-0.jsonl"
    command = [sys.executable, "-c", EVALUATE, str(there.folder.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as process:
        process.stdin.write(there.recipe.model_dump_json())
        process.stdin.close()
        while process.poll() is None and (not log.exists() or log.read_bytes().count(b"\n") < 4):
            time.sleep(0.001)
        process.kill()
    assert not folder.evaluation.exists()
    assert_goes_on(tasks.evaluate(there, runs=["base"], on_event=heard), uninterrupted, heard)


@pytest.mark.parametrize("changes", [{"evaluate.beam": 3}, {"run.precision": "bf16"}, {"data.test_rows": 2}])
def test_an_interrupted_evaluation_with_other_settings_begins_anew(there, heard, changes):
    with pytest.raises(KeyboardInterrupt):
        tasks.evaluate(there(**SMALL), runs=["base"], force=True, on_event=interrupt_after(2))
    tasks.evaluate(there(**SMALL, **changes), runs=["base"], on_event=heard)
    (started,) = [event for event in heard if isinstance(event, Started)]
    assert started.completed == 0


def test_force_begins_anew(there, heard):
    with pytest.raises(KeyboardInterrupt):
        tasks.evaluate(there(**SMALL), runs=["base"], force=True, on_event=interrupt_after(2))
    tasks.evaluate(there(**SMALL), runs=["base"], force=True, on_event=heard)
    (started,) = [event for event in heard if isinstance(event, Started)]
    assert started.completed == 0


def test_notes_about_the_metric_come_once_for_all_runs(there, tmp_path, monkeypatch, heard):
    monkeypatch.setenv("SACREBLEU", str(tmp_path))
    tasks.evaluate(there(**{"evaluate.metric_model": None}), on_event=heard)
    assert len([note for note in heard.notes if "no FLORES-101" in note]) == 1


def test_evaluating_before_training_scores_the_base_model(fresh):
    (written,) = tasks.evaluate(fresh())
    assert written.artifact.result.run == "base"


def test_rows_that_a_run_may_have_been_trained_on_are_not_held_out_to_test_it(fresh):
    held_out = {"data.hold_out": 2, "data.test": "held out"}
    with_all = {"train.ranks": "2,2,8"}
    tasks.train(fresh(**with_all), run="all-rows")
    tasks.train(fresh(**with_all, **held_out), run="divided")
    with pytest.raises(UsageError, match="'all-rows' may have been trained on the 2 rows") as error:
        tasks.evaluate(fresh(**held_out), runs=["all-rows"])
    assert "--hold-out 2" in error.value.hint
    with pytest.raises(UsageError, match="'divided' may have been trained"):
        tasks.evaluate(fresh(**held_out, seed=5), runs=["divided"])
    (written,) = tasks.evaluate(fresh(**held_out), runs=["divided"])
    assert [text.rows for text in written.artifact.data] == [2]
