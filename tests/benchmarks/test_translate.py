"""Text in, text out: the contenders translate the same lines, and what is measured is compared."""

from benchmarks import measure, translate


def test_every_contender_gives_a_line_for_each_line(monkeypatch):
    own = measure.installed
    monkeypatch.setattr(measure, "installed", lambda name: None if name == "ctranslate2" else own(name))
    ours, generate = translate.run(count=3, repeats=1)
    assert (ours["what"], ours["time over ours"], ours["translations that differ"]) == (
        "lslo translate",
        1,
        0,
    )
    assert generate["what"] == "generate" and generate["sentences per second"] > 0
    assert translate.by_length(["ccc", "a", "bb"], lambda lines: [line.upper() for line in lines]) == [
        "CCC",
        "A",
        "BB",
    ]
