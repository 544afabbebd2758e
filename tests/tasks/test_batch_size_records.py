"""Batches as large as memory allows: what is recorded of them, and what that is good for."""

import pytest

from lslo_cli.events import Advanced
from lslo_cli.tasks import commands as tasks

AUTO = {"fit.max_tokens": "auto", "fit.accumulate": 2}


@pytest.mark.parametrize(
    "command", [tasks.weight_learn, tasks.estimate_subspace, tasks.train], ids=lambda c: c.__name__
)
def test_the_chosen_numbers_are_recorded_and_repeat_the_run(new_experiment, heard, command):
    chosen = command(new_experiment(**AUTO), on_event=heard)
    fit = chosen.artifact.recipe["fit"]
    assert fit["max_tokens"] * fit["accumulate"] == 2 * 4000
    assert any(note.startswith(f"batches of {fit['max_tokens']:,} tokens") for note in heard.notes)
    again = command(
        new_experiment(**{"fit.max_tokens": fit["max_tokens"], "fit.accumulate": fit["accumulate"]}),
        reuse=True,
    )
    assert again.up_to_date
    assert command(new_experiment(**AUTO), reuse=True).up_to_date


def test_a_plan_shows_the_chosen_numbers(new_experiment):
    facts = dict(tasks.plan(new_experiment(**AUTO), "weight-learn").facts)
    assert facts["updates"].endswith("each of up to 1 x 8,000 tokens")


@pytest.fixture
def batches_fit(monkeypatch):
    """Let so many bytes be free, as on another machine or beside another process."""
    return lambda free: monkeypatch.setattr("lslo_cli.tasks.batch_size.free_memory", lambda device: free)


def test_a_run_is_up_to_date_whatever_memory_is_free(new_experiment, batches_fit):
    batches_fit(2**40)
    chosen = tasks.weight_learn(new_experiment(**AUTO))
    batches_fit(0)  # nothing would fit
    assert tasks.weight_learn(new_experiment(**AUTO), reuse=True).up_to_date
    assert chosen.artifact.recipe["fit"]["accumulate"] == 1


def test_an_interrupted_run_is_resumed_with_its_batches_whatever_memory_is_free(new_experiment, batches_fit):
    def interrupt(event):
        if isinstance(event, Advanced) and event.note.startswith("epoch 2/"):
            raise KeyboardInterrupt

    batches_fit(2**40)
    with pytest.raises(KeyboardInterrupt):
        tasks.weight_learn(new_experiment(**AUTO), on_event=interrupt)
    batches_fit(0)
    resumed = tasks.weight_learn(new_experiment(**AUTO), resume=True)
    batches_fit(2**40)
    whole = tasks.weight_learn(new_experiment(**AUTO))
    assert resumed.artifact.recipe["fit"] == whole.artifact.recipe["fit"]
    assert resumed.artifact.digest == whole.artifact.digest
