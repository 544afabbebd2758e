"""``lslo base check`` from the command line, with an anchor that a tiny model can reach."""

import json

import pytest

from lslo_cli.method.languages import Direction
from lslo_cli.tasks import check_base


def with_anchor(monkeypatch, tiny, spbleu, tolerance):
    """Put one anchor, and the tiny experiment's settings, in place of the published ones."""
    anchor = check_base.Anchor("nobody", (Direction("qta", "qso"),), spbleu, tolerance)
    monkeypatch.setattr(check_base, "ANCHORS", {"fake": anchor})
    found = check_base.check_base
    monkeypatch.setattr(
        check_base, "check_base", lambda recipe, anchors, on_event: found(tiny.recipe(), anchors, on_event)
    )
    # the languages of the built-in world are no settings of the recipe that the command makes
    monkeypatch.setattr("lslo_cli.cli.commands.base_check.BaseCheckOptions.given", lambda self: {})


@pytest.mark.parametrize(("tolerance", "code", "word"), [(100, 0, "pass"), (0, 4, "FAIL")])
def test_it_says_pass_or_fail_and_ends_accordingly(lslo, tiny, monkeypatch, tolerance, code, word):
    with_anchor(monkeypatch, tiny, 77.7, tolerance)
    result = lslo("base", "check", "--quiet")
    assert result.exit_code == code, result.output
    assert word in result.stdout and "77.7" in result.stdout
    assert ("1 of 1 published scores were not reached: fake" in result.stderr) == (code == 4)


def test_as_json_it_gives_the_verdicts(lslo, tiny, monkeypatch):
    with_anchor(monkeypatch, tiny, 50, 100)
    (verdict,) = json.loads(lslo("base", "check", "--json", "--quiet").stdout)
    assert verdict["passed"] and verdict["published_spbleu"] == 50


def test_an_unknown_anchor_is_a_usage_error(lslo):
    result = lslo("base", "check", "--anchor", "sw-ny")
    assert result.exit_code == 2 and "ny-sw" in result.stderr


def test_without_the_model_nothing_is_claimed(lslo):
    result = lslo("base", "check", "--model", "./nowhere", "--anchor", "ny-sw")
    assert result.exit_code == 3 and "no folder './nowhere'" in result.stderr
