from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lslo_cli.errors import InputError, RunError
from lslo_cli.events import Advanced, Finished, Noted, Started, ignore
from lslo_cli.method.importance import Pool
from lslo_cli.processes import context
from lslo_cli.reproduce import execute, find_targets, jobs_of, only
from lslo_cli.reproduce.job import JobKind
from lslo_cli.reproduce.making import is_current, make
from lslo_cli.reproduce.progress import EVALUATION


def small_jobs(recipe, results, *names, **given):
    """Jobs of tables 3 and 9 by name, with what they need."""
    settings = {key.replace("__", "."): value for key, value in given.items()}
    jobs = jobs_of(find_targets(["table-3", "table-9"], recipe, settings), results, (), "lslo test")
    return only(jobs, names) if names else jobs


def results_of(folder: Path) -> dict[str, object]:
    """What every artifact below a folder found."""
    return {
        str(path.relative_to(folder)): json.loads(path.read_text())["result"]
        for path in folder.rglob("*.json")
        if path.parent.name not in ("adapter", "model")
    }


def times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.json")}


def test_everything_is_made_once_and_then_kept(small, tmp_path):
    jobs, events = small_jobs(small, tmp_path, "base", "prune-report"), []
    assert not any(is_current(job) for job in jobs.values())

    execute(jobs, on_event=events.append)

    assert all(is_current(job) for job in jobs.values())
    steps = 3 * 3 + 2 * EVALUATION  # three trainings of three epochs; two runs are tested
    assert events[0] == Started("all", steps, "steps", 0)
    done = [event.completed for event in events if isinstance(event, Advanced) and event.task == "all"]
    assert done == sorted(set(done)) and done[-1] == steps and len(done) > 5
    assert events[-1] == Finished("all")
    before, events = times(tmp_path), []
    assert {path.name for path in before} >= {"index-strategy.json", "evaluation.json", "prune-report.json"}

    execute(jobs, on_event=events.append)

    assert times(tmp_path) == before
    assert events[0] == Started("all", steps, "steps", steps)
    assert [
        event.text for event in events if isinstance(event, Noted) and event.text.startswith("up to")
    ] == [f"up to date: {label}" for label in jobs]


def test_other_settings_make_only_what_depends_on_them(small, tmp_path):
    execute(small_jobs(small, tmp_path, "weight-learn", "estimate-subspace"))
    before = times(tmp_path)
    changed = small_jobs(small, tmp_path, "estimate-subspace", estimate_subspace__target_ratio=0.5)
    assert [is_current(job) for job in changed.values()] == [True, False]
    execute(changed)
    after = times(tmp_path)
    assert {path.name for path in before if before[path] != after[path]} == {"subspace.json"}


def test_a_bitext_size_makes_only_the_report_that_reads_it_and_a_class_makes_all(small, tmp_path):
    execute(small_jobs(small, tmp_path, "prune-report"))
    before = times(tmp_path)
    other = small_jobs(small, tmp_path, "prune-report", languages__qso={"resource": "medium"})
    assert not any(is_current(job) for job in other.values())
    sizes = {"resource": "very-low", "bitext": 7}
    changed = small_jobs(small, tmp_path, "prune-report", languages__qsi=sizes)
    assert [job.name for job in changed.values() if not is_current(job)] == ["prune-report"]
    execute(changed)
    after = times(tmp_path)
    assert {path.name for path in before if before[path] != after[path]} == {"prune-report.json"}
    assert all(is_current(job) for job in changed.values())


def test_pruning_is_no_setting_of_full_fine_tuning(small, tmp_path):
    execute(small_jobs(small, tmp_path, "full"))
    before = times(tmp_path)
    execute(changed := small_jobs(small, tmp_path, "full", train__gps_classes=["high"], fit__lr=0.5))
    assert times(tmp_path) == before and all(is_current(job) for job in changed.values())


def test_processes_side_by_side_find_the_same(small, tmp_path):
    events = []
    execute(small_jobs(small, tmp_path / "one", "prune-report", "2-2-8-source-gps0.9"))
    parts = small_jobs(small, tmp_path / "two", "prune-report", "2-2-8-source-gps0.9")
    execute(parts, processes=2, on_event=events.append)
    assert results_of(tmp_path / "two") == results_of(tmp_path / "one")
    tasks = {event.task for event in events if isinstance(event, Started)}
    assert {"all", "small/weight-learn: weight learning"} < tasks


def run(recipe: str, results: Path, name: str) -> None:
    execute(small_jobs(recipe, results, name))


def test_two_commands_at_once_make_what_they_share_once(small, tmp_path):
    workers = context()
    names = ("2-2-8-gps0.9", "estimate-subspace")
    commands = [workers.Process(target=run, args=(small, tmp_path / "results", name)) for name in names]
    for command in commands:
        command.start()
    for command in commands:
        command.join()
    assert [command.exitcode for command in commands] == [0, 0]
    folder = tmp_path / "results" / "small"
    digest = json.loads((folder / "index-strategy.json").read_text())["digest"]
    for made in ("subspace.json", "runs/2-2-8-gps0.9/training.json"):
        assert json.loads((folder / made).read_text())["inputs"][0]["digest"] == digest
    assert not list(folder.rglob(".*"))


def test_a_run_that_diverges_stops_only_what_needs_it(small, tmp_path):
    jobs, events = small_jobs(small, tmp_path, "full", "base", fit__lr_full=1e38), []
    with pytest.raises(RunError, match="small/full not made; small/full: .*diverged"):
        execute(jobs, on_event=events.append)
    assert [is_current(job) for job in jobs.values()] == [True, False]
    assert any(isinstance(event, Noted) and event.text.startswith("small/full failed") for event in events)


@pytest.mark.parametrize("processes", [1, 2])
def test_what_all_runs_would_fail_at_ends_it_at_once(small, tmp_path, processes):
    jobs = small_jobs(small, tmp_path / "results", model__name="./nowhere")
    with pytest.raises(InputError, match="./nowhere"):
        execute(jobs, processes)
    # Of two processes one is ended by the other's failure, wherever it is: a lock file that it leaves locks
    # nothing, and a folder may be made at the moment when the first to end would remove it.
    files = [path for path in (tmp_path / "results").rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix != ".lock"]
    assert processes > 1 or not (tmp_path / "results").exists()


def test_a_checkpoint_of_other_settings_is_not_continued(small, tmp_path):
    (job,) = small_jobs(small, tmp_path, "full").values()
    left = job.experiment.folder.run("full").checkpoint / "state.pt"
    left.parent.mkdir(parents=True)
    torch.save({"fingerprint": "another"}, left)
    notes = []
    assert make(job, notes.append)
    assert is_current(job) and not left.exists()
    assert any("starting small/full again" in note.text for note in notes if isinstance(note, Noted))


def test_a_checkpoint_of_another_number_of_threads_is_kept(small, tmp_path):
    def interrupt(event):
        if getattr(event, "note", "").startswith("epoch 2/3"):
            raise KeyboardInterrupt

    (job,) = small_jobs(small, tmp_path, "full").values()
    with pytest.raises(KeyboardInterrupt):
        make(job, interrupt)
    left = job.experiment.folder.run("full").checkpoint / "state.pt"
    content = left.read_bytes()
    (other,) = small_jobs(small, tmp_path, "full", run__threads=3).values()
    with pytest.raises(InputError, match=r"with 1 thread, and this is 1 process with 3 threads"):
        make(other, ignore)
    assert left.read_bytes() == content


def test_figures_4_and_6_show_the_estimate_with_a_pool_for_every_language(small, tmp_path, monkeypatch):
    from lslo_cli.plots import files, maps

    drawn = []

    def seen(results, languages, **flags):
        drawn.append(([result.pool for result in results], {name for name, on in flags.items() if on}))

    monkeypatch.setattr(maps, "matrices", seen)
    monkeypatch.setattr(maps, "heatmap", seen)
    monkeypatch.setattr(files, "save", lambda figure, folder, stem: [folder / stem])
    execute(jobs_of(find_targets(["figure-2", "figure-4", "figure-6"], small), tmp_path, (), "lslo test"))
    assert drawn == [([Pool.LAYER], set()), ([Pool.LANGUAGE], set()), ([Pool.LANGUAGE], {"by_language"})]


def test_a_figure_of_a_run_that_there_is_not_is_left_out_with_a_note(small, tmp_path):
    (whole,) = {
        job.experiment.folder.path: job for job in small_jobs(small, tmp_path, "base").values()
    }.values()
    notes = []
    make(replace(whole, label="small/schedule", kind=JobKind.FIGURE), lambda event: notes.append(event.text))
    (note,) = notes
    assert note.startswith("no schedule: ") and "lslo train" in note
