"""The demo's parts: run names, and a small study of two seeds."""

from __future__ import annotations

import re

import pytest

from lslo_cli import demo
from lslo_cli.errors import UsageError

TINY = """
extends = "demo"
langs = "qta,qso,qki,qka,qsi"

[data]
train_rows = 4
test_rows = 2

[fit]
epochs = 2

[estimate-subspace]
duration = 1

[train]
gps_duration = 1
curve_rows = 1
"""


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("full", {"train.method": "full"}),
        ("full-lr2e-4", {"train.method": "full", "fit.lr_full": 2e-4}),
        ("8-8-8", {"train.ranks": "8,8,8"}),
        ("2-2-8-gps0.9", {"train.ranks": "2,2,8", "train.gps": 0.9}),
    ],
)
def test_a_run_name_says_what_is_trained(name, settings):
    assert demo.run_settings(name) == settings


@pytest.mark.parametrize("name", ["", "ful", "2;2;8", "2-2-8-gps", "2-2-8-gpsx", "full-lr"])
def test_a_name_of_no_known_form_is_refused_with_the_forms(name):
    with pytest.raises(UsageError, match="cannot read the run") as error:
        demo.run_settings(name)
    assert "2-2-8-gps0.9" in error.value.hint


def test_a_study_of_two_seeds_has_every_table_and_is_not_run_twice(tmp_path, monkeypatch):
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(TINY)
    monkeypatch.setattr(demo, "RECIPE", str(recipe))
    runs = ["full", "2-2-4-gps0.5"]

    first = demo.run_demo(tmp_path / "results", [1, 2], runs)

    text = first.study.read_text()
    assert "Seeds 1, 2" in text and len(re.findall(r"\| 2-2-4-gps0.5 \| [\d.]+M", text)) == 3  # mean, seeds
    assert [summary.folder.name for summary in first.seeds] == ["seed-1", "seed-2"]
    assert {path.stem for path in first.seeds[0].figures} == {
        "weights", "heatmap", "heatmap-by-layer", "epochs", "matrices",
    }  # fmt: skip
    assert [result.run for result in first.seeds[0].evaluations] == ["base", *runs]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("training.json")}
    assert len(before) == 4

    monkeypatch.setattr(demo, "_draw", lambda *arguments: [])  # drawing is slow, and seen above
    again = demo.run_demo(tmp_path / "results", [1, 2], runs)

    assert again.study.read_text() == text
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("training.json")} == before
