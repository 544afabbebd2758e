"""``lslo translate`` as typed: files, pipes, columns, and what it refuses."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
from pathlib import Path

import pytest

from lslo_cli.data.to_translate import read_to_translate
from lslo_cli.errors import InputError
from lslo_cli.models.base import add_languages, load_base, save_base, with_known_languages
from lslo_cli.training.device import StageAccelerator
from tests.forked import PIPE, Popen

LINE = ("translate", "--recipe", "demo", "--src", "qta", "--beam", "1", "--quiet")


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("taro\n\ntaro taro\n", encoding="utf-8")
    return path


def test_a_file_becomes_a_file_of_as_many_lines(lslo, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = lslo(*LINE, "--tgt", "qki", "-i", str(text), "-o", "out.txt")
    assert run.exit_code == 0, run.stderr
    lines = (tmp_path / "out.txt").read_text(encoding="utf-8").split("\n")
    assert (len(lines), lines[1], lines[3]) == (4, "", "")
    assert lines[0] and lines[2]
    assert run.stdout == ""


def test_several_targets_are_columns_and_objects_with_json(lslo, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    columns = lslo(*LINE, "--tgt", "qki,qso", "-i", str(text)).stdout.splitlines()
    objects = lslo(*LINE, "--tgt", "qki,qso", "-i", str(text), "--json").stdout.splitlines()
    rows = [json.loads(line) for line in objects]
    assert [row["source"] for row in rows] == ["taro", "", "taro taro"]
    assert [line.split("\t") for line in columns] == [
        [best[0]["text"] for best in row["translations"].values()] for row in rows
    ]
    assert list(rows[0]["translations"]) == ["qki", "qso"]
    assert rows[0]["translations"]["qki"][0]["score"] < 0


def test_text_may_come_through_a_pipe(text, tmp_path, monkeypatch):
    piped = Popen(
        [sys.executable, "-m", "lslo_cli", *LINE, "--tgt", "qki"],
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    translations, messages = piped.communicate(text.read_bytes())
    assert piped.returncode == 0, messages
    assert translations.decode().count("\n") == 3


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--tgt", "xx"), 2, "'xx' is not among the languages of base"),
        (("--tgt", "qta"), 2, "nothing to translate from qta"),
        (("--tgt", "qki", "-i", "missing.txt"), 3, "cannot read missing.txt"),
        (("--tgt", "qki", "--run", "never-trained"), 3, "never-trained"),
        (("--tgt", "qki", "--run", "./nowhere"), 3, "no folder './nowhere'"),
        (("--tgt", "qki", "--nbest", "2"), 2, "several translations per line"),
        (("--tgt", "qki", "--nbest", "2", "--json"), 2, "a beam of 1 has no 2 best translations"),
        (("--tgt", "qki", "--column", "text"), 2, "has no column 'text'"),
        (("--tgt", "qki", "--json", "-o", "out.csv"), 2, "out.csv is a table, and --json writes an object"),
        ((), 2, "no language to translate into"),
        (("--tgt", "qki", "--src-column", "src"), 2, "--src qta and --src-column src both say"),
        (("--tgt", "qki", "--tgt-column", "to"), 2, "--tgt qki and --tgt-column to both say"),
        (("--tgt", "qki", "-o", "-"), 2, "'-' is not read as stdin, nor written as stdout"),
        (("--tgt", "qki", "-i", "-"), 2, "'-' is not read as stdin, nor written as stdout"),
    ],
)
def test_what_cannot_be_translated_is_one_message(
    lslo, text, tmp_path, monkeypatch, arguments, code, message
):
    monkeypatch.chdir(tmp_path)
    given = arguments if "-i" in arguments else (*arguments, "-i", str(text))
    run = lslo(*LINE, *given)
    assert run.exit_code == code
    assert message in run.stderr


def test_a_failed_translation_leaves_the_old_output_alone(lslo, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out.txt").write_text("old\n")
    text.write_bytes(b"\xff\xfe\xff\n")
    run = lslo(*LINE, "--tgt", "qki", "-i", str(text), "-o", "out.txt")
    assert run.exit_code == 3
    assert (tmp_path / "out.txt").read_text() == "old\n"


def test_an_output_is_packed_and_a_table_by_a_suffix_in_any_case(lslo, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = lslo(*LINE, "--tgt", "qki,qso", "-i", str(text), "-o", "O.CSV.GZ")
    assert run.exit_code == 0, run.stderr
    assert gzip.decompress((tmp_path / "O.CSV.GZ").read_bytes()).startswith(b"qki,qso\n")


def test_a_pipe_that_is_not_utf_8_is_converted_in_the_pipe(monkeypatch):
    piped = io.TextIOWrapper(io.BytesIO("de\ncafé\n".encode("latin1")))
    monkeypatch.setattr(sys, "stdin", piped)
    with pytest.raises(InputError, match=r"stdin \(line 2\) is not UTF-8") as refused:
        list(read_to_translate(None, "fr", ["en"]))
    assert "`| iconv -f latin1 -t utf-8 | lslo`" in refused.value.hint
    assert "mv" not in refused.value.hint


def test_a_base_that_is_given_is_in_no_experiment(lslo, text, tmp_path, monkeypatch):
    """As a merged model that knows the language which the experiment of its run added."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LSLO_RECIPE", raising=False)
    new = {"qsu": "qso"}
    save_base(with_known_languages(add_languages(load_base("world"), new)), tmp_path / "merged")
    memory = tmp_path / "out" / "demo-qsu" / "experiment.toml"
    memory.parent.mkdir(parents=True)
    memory.write_text('recipe = "new-language"\n', encoding="utf-8")
    line = ("translate", "--src", "qta", "--tgt", "qsu", "--beam", "1", "-i", str(text))
    run = lslo(*line, "--model", "merged")
    assert run.exit_code == 0, run.stderr
    assert str(memory.relative_to(tmp_path)) not in run.stderr and run.stdout.count("\n") == 3
    of_the_experiment = lslo(*line)
    assert of_the_experiment.exit_code == 0, of_the_experiment.stderr
    assert f"{memory.relative_to(tmp_path)}: --recipe new-language" in of_the_experiment.stderr
    assert of_the_experiment.stdout == run.stdout  # its token begins as its relative's


def test_a_row_of_a_table_with_a_wrong_language_is_named_before_anything_is_printed(lslo, tmp_path):
    (tmp_path / "t.tsv").write_text("text\tto\ntaro\tqki\ntaro\tzzz\n", encoding="utf-8")
    line = (*LINE, "-i", "t.tsv", "--column", "text", "--tgt-column", "to", "--buffer", "1")
    for given in ((), ("--json",)):
        run = lslo(*line, *given)
        assert (run.exit_code, run.stdout) == (2, "")
        assert "row 2: 'zzz' is not among the languages of base" in run.stderr


def test_several_translations_of_a_line_need_objects_and_no_flag(lslo, tmp_path):
    (tmp_path / "t.jsonl").write_text('{"qta": "taro"}\n', encoding="utf-8")
    line = ("translate", "--recipe", "demo", "--src", "qta", "--tgt", "qki", "--nbest", "2", "-i", "t.jsonl")
    run = lslo(*line, "-o", "out.jsonl")
    assert run.exit_code == 0, run.stderr
    (row,) = map(json.loads, (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines())
    assert len(row["translations"]["qki"]) == 2
    assert lslo(*line, "-o", "out.tsv").exit_code == 2


def test_a_pipe_is_refused_by_several_processes_which_would_share_it(lslo, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(StageAccelerator, "num_processes", 2)
    for given in ((), ("-i", "/dev/stdin")):
        run = lslo(*LINE, "--tgt", "qki", *given)
        assert (run.exit_code, run.stdout) == (2, "")
        assert "several processes cannot translate a pipe" in run.stderr and "--input" in run.stderr
