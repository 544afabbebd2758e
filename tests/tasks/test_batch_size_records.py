"""Batches as large as memory allows: what is recorded of them, and what that is good for."""

import pytest

from lslo_cli import tasks

AUTO = {"fit.max_tokens": "auto", "fit.accumulate": 2}


@pytest.mark.parametrize(
    "command", [tasks.weight_learn, tasks.estimate_subspace, tasks.train], ids=lambda c: c.__name__
)
def test_the_chosen_numbers_are_recorded_and_repeat_the_run(fresh, heard, command):
    chosen = command(fresh(**AUTO), on_event=heard)
    fit = chosen.artifact.recipe["fit"]
    assert fit["max_tokens"] * fit["accumulate"] == 2 * 4000
    assert any(note.startswith(f"batches of {fit['max_tokens']:,} tokens") for note in heard.notes)
    again = command(
        fresh(**{"fit.max_tokens": fit["max_tokens"], "fit.accumulate": fit["accumulate"]}), reuse=True
    )
    assert again.up_to_date
    assert command(fresh(**AUTO), reuse=True).up_to_date


def test_a_plan_shows_the_chosen_numbers(fresh):
    facts = dict(tasks.plan(fresh(**AUTO), "weight-learn").facts)
    assert facts["updates"].endswith("each of up to 1 x 8,000 tokens")
