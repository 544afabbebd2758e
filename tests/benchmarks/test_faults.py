import pytest

from benchmarks.faults import disks, inputs, kills
from benchmarks.faults.trials import Trials


def test_a_stage_that_is_killed_or_finds_no_room_ends_with_the_same_bytes_when_it_is_run_again(tmp_path):
    trials = Trials()
    kills.run(trials, tmp_path / "kills", seed=3, only=["translate"], at_changes=3, at_random=0)
    disks.run(trials, tmp_path / "disks", seed=3, only=["translate"], room=(), at_writes=2)
    assert trials.faults == []
    assert trials.outcomes["translate"] == {"the same (at a change)": 3}
    assert trials.outcomes["disk full at a write: translate"]["refused, then the same"] >= 1


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["weight-learn", "train, over a run", "flare train"])
def test_every_kind_of_stage_goes_on_after_a_kill(tmp_path, stage):
    trials = Trials()
    kills.run(trials, tmp_path, seed=3, only=[stage], at_changes=5, at_random=1)
    assert trials.faults == []


def test_a_trial_that_goes_wrong_is_kept_with_its_reason():
    trials = Trials(deadline=0)
    trials.note("train", "the same", ["a file is left"], "at change 3")
    assert trials.faults == ["train, at change 3: a file is left"]
    assert trials.rows() == [{"tried": "train", "fault": 1}]
    assert list(trials.within([1, 2])) == []


def test_damaged_inputs_are_read_or_refused_and_equal_seeds_do_the_same():
    outcomes, faults = inputs.run(trials=120, seed=7)
    assert faults == []
    assert outcomes.total() == 120 and {name.partition(":")[0] for name in outcomes} == set(inputs.SOUND)
    assert inputs.run(trials=120, seed=7) == (outcomes, faults)
