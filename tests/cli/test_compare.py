"""What ``lslo compare`` prints."""

import pytest

from lslo_cli.artifacts.evaluations import ComparedRow, ComparisonResult
from lslo_cli.cli.commands.compare import show_comparison


def row(scope, name, verdict, over_seeds=(0.1, 1.5)):
    return ComparedRow(
        scope=scope, name=name, directions=1, difference=0.8, by_seed=[0.8], over_sentences=(0.2, 1.25),
        over_seeds=over_seeds, verdict=verdict,
    )  # fmt: skip


def comparison(rows, seeds=(2, 3)):
    return ComparisonResult(
        run="auto", other="2-2-8", seeds=seeds, resamples=1000, spbleu_signature="tok:flores101", rows=rows
    )


def test_groups_have_both_intervals_and_a_verdict_in_words(capsys):
    rows = [
        row("average", "AVG", "higher"),
        row("group", "H2H", "not told apart"),
        row("direction", "qta-qso", "lower"),
    ]
    show_comparison(comparison(rows))
    shown = capsys.readouterr().out
    assert "auto against 2-2-8: spBLEU, 95 % intervals, 2 seeds" in shown
    (average,) = [line for line in shown.splitlines() if "AVG" in line]
    assert all(text in average for text in ("+0.80", "+0.20 to +1.25", "+0.10 to +1.50", "higher"))
    assert "qta-qso" not in shown and "1 lower" in shown
    show_comparison(comparison(rows), by_direction=True)
    assert "qta-qso" in capsys.readouterr().out


def test_one_seed_says_that_it_shows_nothing(capsys):
    show_comparison(comparison([row("average", "AVG", "one seed shows nothing", None)], seeds=(2,)))
    shown = capsys.readouterr().out
    assert "one seed shows nothing" in shown and "95 % intervals, 1 seed" in shown


@pytest.mark.parametrize("text", ["2,2", "2,3,02", "0,0"])
def test_a_seed_is_named_once(lslo, text):
    for command in (["compare", "full", "base"], ["demo"], ["flare", "train", "--task", "world"]):
        run = lslo(*command, "--seeds", text)
        assert run.exit_code == 2
        assert f"--seeds names {int(text[0])} twice" in run.stderr
    for text in ("2,x", "1.5"):
        assert "which is not a whole number" in lslo("flare", "train", "--seeds", text).stderr
    in_recipe = lslo("flare", "train", "--task", "world", "--set", "flare.seeds=2,2")
    assert in_recipe.exit_code == 2 and "2 occurs twice" in in_recipe.stderr
