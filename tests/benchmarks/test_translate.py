"""Text in, text out: the contenders translate the same lines, and what is measured is compared."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from benchmarks import measure, translate


def test_every_contender_gives_a_line_for_each_line_and_generate_those_of_the_merged_model(monkeypatch):
    own = measure.installed
    monkeypatch.setattr(measure, "installed", lambda name: None if name == "ctranslate2" else own(name))
    rows = translate.run(count=3, repeats=1)
    assert rows.keys() == {"speed"}
    ours, generate = rows["speed"]
    assert (ours["what"], ours["time over ours"], ours["translations that differ"]) == (
        "lslo translate",
        1,
        0,
    )
    assert ours["directions"] == 12 * 11 and ours["KiB"] > generate["KiB"]
    assert generate["what"] == "generate" and generate["sentences per second"] > 0


def test_lines_come_back_in_their_order():
    assert translate.by_length(["ccc", "a", "bb"], lambda lines: [line.upper() for line in lines]) == [
        "CCC",
        "A",
        "BB",
    ]


def test_ctranslate2_finds_our_translations_where_both_searches_mean_the_same():
    pytest.importorskip("ctranslate2", reason="its translations are compared")
    translator, _ = translate.adapted_world()
    with TemporaryDirectory() as folder:
        merged = translate.Merged(translator, translate.LANGUAGES[:2], Path(folder))
        for name, differ in zip(translate.SEARCHES, (0, 0, None), strict=True):
            row = translate.searched(translator, [merged], name, translate.SEARCHES[name], 20)
            assert row["that differ"] == (row["by the score alone"] if differ is None else differ)
