import json
import random

import pytest

from benchmarks.faults import disks, inputs, kills, limits, ranks, servers
from benchmarks.faults.mutations import distorted
from benchmarks.faults.trials import Trials
from lslo_cli.artifacts.provenance import digest_of


def test_a_stage_that_is_killed_or_finds_no_room_ends_with_the_same_bytes_when_it_is_run_again(tmp_path):
    trials = Trials()
    kills.run(trials, tmp_path / "kills", seed=3, only=["translate"], at_changes=3, at_random=0)
    disks.run(trials, tmp_path / "disks", seed=3, only=["translate"], free_kib=(), at_writes=2)
    assert trials.faults == []
    assert trials.outcomes["translate"] == {"the same (at a change)": 3}
    assert trials.outcomes["disk full at a write: translate"]["refused, then the same"] >= 1


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["weight-learn", "train, over a run", "flare train"])
def test_every_kind_of_stage_goes_on_after_a_kill(tmp_path, stage):
    trials = Trials()
    kills.run(trials, tmp_path, seed=3, only=[stage], at_changes=5, at_random=1)
    assert trials.faults == []


def test_hostile_servers_and_archives_leave_nothing_behind(tmp_path):
    trials, tried = Trials(), ["ends early", "sends a page", "archive: a link above", "archive: a path above"]
    servers.run(trials, tmp_path, seed=3, only=tried)
    assert trials.faults == []
    assert trials.outcomes == {name: {"exit code 3": 1} for name in tried}
    content = servers.flip(servers.archive(), random.Random(3))
    servers.fetch(trials, tmp_path, "bits flipped", servers.answer(content), servers.archive())
    assert trials.faults == []


@pytest.mark.slow
def test_limits_and_signals_and_two_processes(tmp_path):
    trials = Trials()
    limits.run(trials, tmp_path / "limits", seed=3, only=["weight-learn"], memory_kib=(4,), moments=1)
    ranks.run(trials, tmp_path / "ranks", seed=3, only=["weight-learn"], deaths=1)
    assert trials.faults == []
    assert trials.outcomes["two against one: weight-learn"] == {"as one": 1}


@pytest.mark.slow
def test_damaged_files_under_command_lines_are_read_or_refused(tmp_path):
    trials = Trials()
    inputs.run(trials, tmp_path, seed=3, of_readers=0, of_commands=60)
    assert trials.faults == []


def test_a_trial_that_goes_wrong_is_kept_with_its_reason():
    trials = Trials(deadline=0)
    trials.note("train", "the same", ["a file is left"], "at change 3")
    assert trials.faults == ["train, at change 3: a file is left"]
    assert trials.rows() == [{"tried": "train", "fault": 1}]
    assert list(trials.within([1, 2])) == []


def test_damaged_inputs_are_read_or_refused_and_equal_seeds_do_the_same(tmp_path):
    first, second = Trials(), Trials()
    for trials in (first, second):
        inputs.run(trials, tmp_path, seed=7, of_readers=120, of_commands=0)
    assert first.faults == []
    assert first.total == 120
    assert first.outcomes.keys() == {f"reader of {kind}" for kind in inputs.SOUND}
    assert second == first


def test_a_distorted_artifact_says_something_else_and_its_digest_fits():
    content = json.dumps({"digest": "", "result": {"scores": [1.0, 2.0], "run": "a"}}).encode()
    seen = {distorted(content, random.Random(seed)) for seed in range(30)}
    assert len(seen) > 15
    for document in map(json.loads, seen):
        if "result" in document and "digest" in document:
            assert document["digest"] == digest_of(document["result"])
