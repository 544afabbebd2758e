"""Jobs on Slurm, whose commands are played by scripts: one remembers what is submitted, one tells states.

``test_real_slurm.py`` does it on a real one.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lslo_cli.errors import InputError, RunError, UsageError
from lslo_cli.events import Advanced, Finished, Noted, Started
from lslo_cli.reproduce import (
    cluster,
    execute_on_slurm,
    find_targets,
    jobs_of,
    only,
    outstanding,
    submissions,
)
from lslo_cli.reproduce.job import FlareJob
from lslo_cli.reproduce.slurm import QueuedJob, queued_jobs

LINE = ("lslo", "reproduce", "table-3")

SBATCH = """
[ -e refuses ] && { cat refuses >&2; exit 1; }
number=$((10 + $(ls | grep -c ^job-)))
for word; do
    echo "$word"
    case "$word" in --job-name=*) echo "${word#*=}" >name-$number;; esac
done >job-$number
echo "$number;cluster"
"""
SQUEUE = """
look=$(cat look)
[ -e queue-$((look + 1)) ] && echo $((look + 1)) >look
while read -r number state; do
    [ $number = away ] && { echo "slurm_load_jobs error: Unable to contact slurm controller" >&2; exit 1; }
    echo "$number|$state|$(cat name-$number)"
done <queue-$look
"""


class FakeSlurm:
    """``sbatch``, which numbers jobs from 10, and ``squeue``, which tells states by number, look by look."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir()
        for name, body in (("sbatch", SBATCH), ("squeue", SQUEUE)):
            (folder / name).write_text(f"#!/bin/sh\ncd '{folder}'\n{body}")
            (folder / name).chmod(0o755)
        self.tells()

    def tells(self, *looks: dict[int, str] | None) -> None:
        """What each look at the queue finds, the first before anything is submitted, the last for good.

        None is a look at which Slurm does not answer.
        """
        for path in self.folder.glob("queue-*"):
            path.unlink()
        (self.folder / "look").write_text("0")
        for number, look in enumerate([{}, *looks]):
            lines = ["away"] if look is None else [f"{job} {state}" for job, state in look.items()]
            (self.folder / f"queue-{number}").write_text("".join(f"{line}\n" for line in lines))

    def has(self, name: str, state: str) -> None:
        """A job was submitted before."""
        number = 10 + len(self.submitted)
        (self.folder / f"job-{number}").write_text(f"--job-name={name}\n")
        (self.folder / f"name-{number}").write_text(name)
        with open(self.folder / "queue-0", "a", encoding="utf-8") as queue:
            queue.write(f"{number} {state}\n")

    @property
    def submitted(self) -> list[list[str]]:
        """The words after ``sbatch`` of every job."""
        return [path.read_text().splitlines() for path in sorted(self.folder.glob("job-*"))]


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    fake = FakeSlurm(tmp_path / "slurm")
    monkeypatch.setenv("PATH", str(fake.folder), prepend=os.pathsep)
    monkeypatch.setattr(cluster, "ASKED_EVERY", 0.0)
    return fake


@pytest.fixture
def three(jobs):
    """Weight learning, a run that needs it, and one that does not."""
    return only(jobs("table-3"), ["full", "2-2-8-gps0.9"])


def notes(events):
    return [event.text for event in events if isinstance(event, Noted)]


def option(words, name):
    return next((word.partition("=")[2] for word in words if word.startswith(f"--{name}=")), None)


def test_every_job_is_submitted_behind_those_that_it_needs(slurm, three, tmp_path):
    assert list(three) == ["small/full", "small/weight-learn", "small/2-2-8-gps0.9"]
    slurm.tells(dict.fromkeys((10, 11, 12), "COMPLETED"))
    execute_on_slurm(three, LINE)
    logs = tmp_path / "results" / "small" / "logs"
    assert logs.is_dir()
    assert [option(words, "dependency") for words in slurm.submitted] == [None, None, "afterok:11"]
    for words, label in zip(slurm.submitted, three, strict=True):
        assert option(words, "job-name").startswith(f"{label}.")
        assert option(words, "output") == str(logs / f"{label.partition('/')[2]}.log")
        assert option(words, "wrap") == f"exec lslo reproduce table-3 --only {label}"
        assert {"--parsable", "--open-mode=append", "--kill-on-invalid-dep=yes"} < set(words)


def test_a_job_asks_for_what_the_recipe_says_of_it(small, jobs):
    with open(small, "a", encoding="utf-8") as recipe:
        recipe.write(
            '[slurm]\npartition = "long"\ntime = 02:00:00\ncpus = 4\ngpus = 1\nextra = ["--qos=high"]\n'
            '[slurm.jobs.full]\nmemory = "64G"\ntime = "1-0"\n'
        )
    given = submissions(jobs("table-3", "figure-2"), LINE)
    assert given["small/weight-learn"].options == [
        *("--partition=long", "--time=02:00:00", "--cpus-per-task=4", "--gpus=1", "--qos=high")
    ]
    assert given["small/full"].options == [
        *("--partition=long", "--time=1-0", "--cpus-per-task=4", "--gpus=1", "--mem=64G", "--qos=high")
    ]
    assert not [word for word in given["small/heatmap"].options if "gpus" in word]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("fulll", r"\[slurm\.jobs\.fulll\] is for a job that there is not\. Did you mean 'full'\?"),
        ("weight_learn", r"there is not\. Did you mean 'weight-learn'\?"),
        ("small/full", "there is not"),
    ],
)
def test_resources_of_a_job_that_cannot_be_are_refused(small, name, said):
    given = {"slurm.jobs": {name: {"cpus": 4}}}
    with pytest.raises(UsageError, match=said) as caught:
        jobs_of(find_targets(["table-3"], small, given), Path("results"), (), "lslo test")
    assert caught.value.hint.startswith("the jobs of this line: base, full, weight-learn, 2-2-8-gps0.9")


@pytest.mark.parametrize(
    "name",
    [
        *("full", "weight-learn", "2-2-8-gps0.9", "8-8-8", "full-lr1e-4", "heatmap", "prune-report", "base"),
        *(
            "estimate-by-language",
            "8-8-8-8-gps0.9",
            "lora",
            "flare-add-relu-1~0.4",
            "flare-mt-lslo",
            "tuning",
        ),
    ],
)
def test_resources_may_be_for_jobs_of_other_targets(small, name):
    given = {"slurm.jobs": {name: {"cpus": 4}}, "train.ranks": "8,8,8,8"}
    found = jobs_of(find_targets(["table-3"], small, given), Path("results"), (), "lslo test")
    assert found["small/full"].experiment.recipe.slurm.of(name).cpus == 4


def test_progress_is_told_in_one_task(slurm, three):
    slurm.tells(
        {10: "PENDING", 11: "RUNNING", 12: "PENDING"},
        {10: "RUNNING", 11: "COMPLETED", 12: "PENDING"},
        {10: "RUNNING", 11: "COMPLETED", 12: "PENDING"},
        {10: "COMPLETED", 11: "COMPLETED", 12: "COMPLETING"},
        {10: "COMPLETED", 11: "COMPLETED", 12: "COMPLETED"},
    )
    events = []
    execute_on_slurm(three, LINE, events.append)
    assert [event for event in events if not isinstance(event, Noted)] == [
        Started("slurm", 3, "jobs", 0),
        Advanced("slurm", 0, "2 pending, 1 running"),
        Advanced("slurm", 1, "1 running, 1 pending"),
        Advanced("slurm", 2, "1 completing"),
        Advanced("slurm", 3, ""),
        Finished("slurm", ""),
    ]
    told = notes(events)
    assert told[0] == "3 jobs submitted, 0 in the queue already, 0 up to date"
    assert told[1].startswith("logs: ")
    assert told[2:] == [
        "running: small/weight-learn, job 11",
        "running: small/full, job 10",
        "done: small/weight-learn",
        "done: small/full",
        "done: small/2-2-8-gps0.9",
    ]


def test_what_is_up_to_date_is_not_submitted(slurm, three, monkeypatch):
    monkeypatch.setattr(cluster, "is_current", lambda job: job.name in ("full", "weight-learn"))
    slurm.tells({10: "COMPLETED"})
    events = []
    execute_on_slurm(three, LINE, events.append)
    (words,) = slurm.submitted
    assert option(words, "job-name").startswith("small/2-2-8-gps0.9.")
    assert option(words, "dependency") is None
    assert Started("slurm", 3, "jobs", 2) in events
    assert notes(events)[0] == "1 job submitted, 0 in the queue already, 2 up to date"


def test_what_needs_a_job_that_is_made_anew_is_submitted_too(jobs, monkeypatch):
    figure = only(jobs("figure-2"), ["heatmap"])
    (job,) = (job for job in figure.values() if job.name == "heatmap")
    made = set(figure)
    monkeypatch.setattr(cluster, "is_current", lambda job: job.label in made)
    assert outstanding(figure) == ["small/heatmap"]
    folder = job.experiment.folder
    folder.figures.mkdir(parents=True)
    folder.subspace.touch()
    (folder.figures / "heatmap.png").touch()
    assert outstanding(figure) == []
    made.remove("small/weight-learn")
    assert outstanding(figure) == ["small/weight-learn", "small/estimate-subspace", "small/heatmap"]


@pytest.mark.parametrize(("target", "name"), [("figure-3", "epochs"), ("flare-demo", "report")])
def test_a_figure_or_report_older_than_the_scores_in_it_is_made_again(jobs, monkeypatch, target, name):
    needed = only(jobs(target, recipe=None), [name])
    monkeypatch.setattr(cluster, "is_current", lambda job: True)
    label, job = list(needed.items())[-1]
    folder = job.experiment.folder
    made = [folder.path / "report.md"] if name == "report" else [folder.figures / f"{name}.png"]
    for need in (needed[label] for label in job.needs):
        if isinstance(need, FlareJob):
            seed = need.experiment.recipe.seed
            made.append(folder.path / f"seed-{seed}" / need.language / "evaluation.json")
        else:
            made += [folder.run(need.name).training, folder.run(need.name).evaluation]
    for path in made:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (1000, 1000))
    assert len(made) > 1 and outstanding(needed) == []
    os.utime(made[-1], (1001, 1001))
    assert outstanding(needed) == [label]


def test_with_nothing_to_make_nothing_is_submitted(slurm, three, monkeypatch):
    monkeypatch.setattr(cluster, "is_current", lambda job: True)
    events = []
    execute_on_slurm(three, LINE, events.append)
    assert slurm.submitted == []
    assert events[-1] == Finished("slurm", "")


def test_a_job_that_is_in_the_queue_is_not_submitted_again(slurm, three):
    given = submissions(three, ("lslo", "reproduce", "tables"))  # another line that wants the same
    slurm.tells({10: "COMPLETED", 11: "COMPLETED", 12: "COMPLETED", 13: "COMPLETED"})
    slurm.has(given["small/weight-learn"].name, "RUNNING")
    slurm.has(given["small/full"].name, "CANCELLED")
    events = []
    execute_on_slurm(three, LINE, events.append)
    names = [option(words, "job-name").rpartition(".")[0] for words in slurm.submitted[2:]]
    assert names == ["small/full", "small/2-2-8-gps0.9"]
    assert option(slurm.submitted[3], "dependency") == "afterok:10"
    assert notes(events)[0] == "2 jobs submitted, 1 in the queue already, 0 up to date"


def test_a_job_has_its_name_of_its_place_and_settings(small, jobs, tmp_path):
    def name(results="results", **settings):
        given = {key.replace("__", "."): value for key, value in settings.items()}
        found = jobs_of(find_targets(["table-3"], small, given), tmp_path / results, (), "lslo test")
        return submissions(found, LINE)["small/full"].name

    assert name() == name(slurm__time="90")
    assert len({name(), name(fit__epochs=4), name(seed=5), name("other")}) == 4


def test_a_job_that_fails_is_named_with_its_log_and_stops_only_what_needs_it(slurm, three, tmp_path):
    slurm.tells(
        {10: "RUNNING", 11: "TIMEOUT", 12: "PENDING"}, {10: "COMPLETED", 11: "TIMEOUT", 12: "CANCELLED"}
    )
    events = []
    with pytest.raises(RunError) as caught:
        execute_on_slurm(three, LINE, events.append)
    log = tmp_path / "results" / "small" / "logs" / "weight-learn.log"
    assert caught.value.message == (
        "small/weight-learn, small/2-2-8-gps0.9 not made; "
        f"small/weight-learn: job 11 ended as TIMEOUT, log in {log}"
    )
    assert "more time in [slurm]" in caught.value.hint and "checkpoint" in caught.value.hint
    told = notes(events)
    assert f"failed: small/weight-learn: job 11 ended as TIMEOUT, log in {log}" in told
    assert [text for text in told if text.startswith("failed")] == [told[-2]]
    assert told[-1] == "done: small/full"
    assert events[-1] == Finished("slurm", "2 not made")


@pytest.mark.parametrize("state", ["CANCELLED", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED"])
def test_a_job_may_end_badly_in_several_ways(slurm, three, state):
    slurm.tells({10: state, 11: "COMPLETED", 12: "COMPLETED"})
    with pytest.raises(RunError, match=f"small/full not made; small/full: job 10 ended as {state}, log in"):
        execute_on_slurm(three, LINE)


def test_a_job_that_slurm_has_forgotten_is_done_where_it_made_something(slurm, three, monkeypatch):
    made = set()
    monkeypatch.setattr(cluster, "is_current", lambda job: job.name in made)

    def sleep(seconds):
        made.update(("full", "weight-learn"))

    monkeypatch.setattr(cluster.time, "sleep", sleep)
    slurm.tells(dict.fromkeys((10, 11, 12), "RUNNING"), {})
    with pytest.raises(
        RunError, match="^small/2-2-8-gps0.9 not made; small/2-2-8-gps0.9: job 12 ended as LOST"
    ):
        execute_on_slurm(three, LINE)


def test_who_stops_watching_is_told_how_to_look_again_and_to_cancel(slurm, three, monkeypatch):
    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(cluster.time, "sleep", interrupt)
    slurm.tells({10: "COMPLETED", 11: "RUNNING", 12: "PENDING"})
    events = []
    with pytest.raises(KeyboardInterrupt):
        execute_on_slurm(three, LINE, events.append)
    assert notes(events)[-1] == (
        "still with Slurm: 2 jobs; run the same line again to follow, `scancel 11 12` to cancel"
    )


def test_a_controller_that_is_away_for_a_while_is_asked_again(slurm, three, monkeypatch):
    done = dict.fromkeys((10, 11, 12), "COMPLETED")
    slurm.tells(None, None, done)
    events = []
    execute_on_slurm(three, LINE, events.append)
    assert (
        notes(events).count(
            "squeue failed: slurm_load_jobs error: Unable to contact slurm controller; asking again"
        )
        == 2
    )
    monkeypatch.setattr(cluster, "PATIENCE", 2)
    slurm.tells(None)
    with pytest.raises(RunError, match="Unable to contact"):
        execute_on_slurm(three, LINE, events.append)
    assert "still with Slurm: 3 jobs" in notes(events)[-1]


def test_a_job_that_slurm_refuses_is_said_in_its_words(slurm, three):
    (slurm.folder / "refuses").write_text("sbatch: error: invalid partition specified: nowhere")
    with pytest.raises(RunError, match="sbatch failed: .*invalid partition specified: nowhere") as caught:
        execute_on_slurm(three, LINE)
    assert "[slurm]" in caught.value.hint


def test_without_slurm_it_is_said_which_command_is_missing(three, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="squeue is not on PATH, so no job can be submitted to Slurm"):
        execute_on_slurm(three, LINE)
    assert not (tmp_path / "results").exists()


def test_a_job_without_a_name_is_among_the_others(slurm):
    slurm.has("mine", "RUNNING")
    slurm.has("", "PENDING")
    assert queued_jobs() == [QueuedJob("10", "RUNNING", "mine"), QueuedJob("11", "PENDING", "")]
