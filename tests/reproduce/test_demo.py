"""The demo: a small study of two seeds."""

from __future__ import annotations

import re

from lslo_cli.reproduce import demo

TINY = """
extends = "demo"
langs = "qta,qso,qki,qka,qsi"

[data]
train_rows = 4
test_rows = 2
dev_rows = 2

[fit]
epochs = 2

[weight-learn]
epochs = 3

[estimate-subspace]
duration = 1

[train]
gps_duration = 1
curve_rows = 1

[evaluate]
beam = 1
max_new_tokens = 6
"""


def test_a_study_of_two_seeds_has_every_table_and_is_not_run_twice(tmp_path, monkeypatch):
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(TINY)
    monkeypatch.setattr(demo, "RECIPE", str(recipe))
    runs = ["full", "2-2-4-gps0.5"]

    first = demo.run_demo(tmp_path / "results", [1, 2], runs)

    text = first.study.read_text()
    assert "Seeds 1, 2" in text and len(re.findall(r"\| 2-2-4-gps0.5 \| [\d.]+M", text)) == 3  # mean, seeds
    page = first.report.read_text(encoding="utf-8")
    assert first.report.name == "report.html" and "data:image/svg+xml" in page and "full" in page
    assert [summary.folder.name for summary in first.seeds] == ["seed-1", "seed-2"]
    assert {path.stem for path in first.seeds[0].figures} == {
        "weights", "heatmap", "heatmap-by-layer", "epochs",
    }  # fmt: skip
    assert all(path.is_file() for path in first.seeds[0].figures)
    assert [result.run for result in first.seeds[0].evaluations] == ["base", *runs]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("training.json")}
    assert len(before) == 4

    monkeypatch.setattr("lslo_cli.reproduce.making.draw", lambda *_: None)  # slow, and seen above
    again = demo.run_demo(tmp_path / "results", [1, 2], runs)

    assert again.study.read_text() == text
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("training.json")} == before
