"""Another process, without lslo, loads exports of a small model and finds what the routed model found."""

import pytest

from benchmarks import exports
from lslo_cli.method.sites import SiteSet


def test_other_libraries_alone_find_the_same_logits_and_translations():
    rows = exports.run("mbart-50", [SiteSet.ALL], [exports.PRUNED])
    base, *found = rows
    assert base["largest difference"] > 0.1 and base["same translations"] < exports.DIRECTIONS
    assert found[0]["export"] == "merged"
    for row in found:
        assert row["directions"] == row["same translations"] == exports.DIRECTIONS
        assert row["largest difference"] < 1e-5


def test_what_the_other_process_says_last_is_in_the_error(monkeypatch, tmp_path):
    script = tmp_path / "alone.py"
    script.write_text("raise SystemExit('cannot load it')")
    monkeypatch.setattr(exports, "ALONE", script)
    monkeypatch.setattr(exports, "write_case", lambda *_: None)
    with pytest.raises(RuntimeError, match=r"(?s)world.*cannot load it"):
        exports.run("world")


def test_the_other_process_imports_nothing_of_lslo():
    assert "lslo_cli" not in exports.ALONE.read_text(encoding="utf-8")
    assert 'startswith("lslo")' in exports.ALONE.read_text(encoding="utf-8")
