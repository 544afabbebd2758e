"""Flags and settings of ``lslo flare`` that would change nothing are not accepted."""

import pytest


@pytest.mark.parametrize("flag", ["--langs", "--resource", "--add-lang", "--like", "--seed"])
def test_flags_without_effect_are_not_there(flag, lslo):
    run = lslo("flare", "train", flag, "en")
    assert run.exit_code == 2 and f"no such option: {flag}" in run.stderr


@pytest.mark.parametrize("assignment", ["fit.lr=0.1", "seed=3", "langs=en,fr", "evaluate.beam=1"])
@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_settings_without_effect_are_refused(assignment, command, lslo):
    run = lslo("flare", command, "--set", assignment)
    assert run.exit_code == 2
    assert f"'--set {assignment}' has no effect in lslo flare" in run.stderr
