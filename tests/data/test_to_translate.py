"""Text to translate: lines, tables and folders, with the languages of each line."""

from __future__ import annotations

import gzip
import io
import os
import re
import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from lslo_cli.data.to_translate import Columns, Line, files_to_translate, read_to_translate
from lslo_cli.errors import InputError, UsageError


def test_a_file_has_a_line_for_each_of_its_lines(write):
    folder = write({"a.txt": "one\r\n\n  \u200b \nfour\u2028still four", "empty.txt": ""})
    lines = list(read_to_translate(folder / "a.txt", "en", ["fr", "wo"]))
    assert [line.text for line in lines] == ["one", "", "", "four\u2028still four"]
    assert {(line.src, line.targets) for line in lines} == {("en", ("fr", "wo"))}
    assert list(read_to_translate(folder / "empty.txt", "en", ["fr"])) == []


def test_stdin_is_read_line_by_line(monkeypatch):
    pipe = io.BytesIO(b"one\n\nthree")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=pipe))
    lines = read_to_translate(None, "en", ["fr"])
    assert next(lines).text == "one"
    assert pipe.tell() == 4
    assert [line.text for line in lines] == ["", "three"]


@pytest.mark.parametrize("content", [b"one\n\nthree", gzip.compress(b"one\n\nthree", mtime=0), b""])
def test_a_named_pipe_is_read_to_its_end(tmp_path, content):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(content))
    writer.start()
    lines = [line.text for line in read_to_translate(pipe, "en", ["fr"])]
    writer.join()
    assert lines == (["one", "", "three"] if content else [])


def test_a_text_that_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(InputError, match="cannot read .*missing.txt: No such file"):
        list(read_to_translate(tmp_path / "missing.txt", "en", ["fr"]))


@pytest.mark.parametrize(
    ("names", "target"), [(("a.txt", "a.txt.gz"), "a.txt"), (("b.json", "b.jsonl"), "b.jsonl")]
)
def test_two_texts_with_one_translation_are_refused(write, names, target):
    folder = write({f"in/{name}": "x" for name in names})
    with pytest.raises(UsageError, match=rf"in/{names[0]} and .*in/{names[1]} would both .* to .*{target}"):
        files_to_translate(folder / "in", folder / "out")


def test_a_translation_never_overwrites_a_text(write):
    folder = write({"in/a.txt": "x", "up/in/a.txt": "x", "up/in/in/a.txt": "x", "b.txt": "x"})
    (folder / "link.txt").symlink_to("b.txt")
    for source, output in [("in", "in"), ("up/in", "up"), ("b.txt", "b.txt"), ("b.txt", "link.txt")]:
        with pytest.raises(UsageError, match="would overwrite"):
            files_to_translate(folder / source, folder / output)
    assert files_to_translate(folder / "b.txt", Path("/dev/null")) == [(folder / "b.txt", Path("/dev/null"))]


def test_translations_inside_the_folder_are_not_translated_again(write, monkeypatch):
    monkeypatch.chdir(write({"a.txt": "x", "translated/a.txt": "x", "deep/b.txt": "x"}))
    found = files_to_translate(Path(), Path("translated"))
    assert [source for source, _ in found] == [Path("a.txt"), Path("deep/b.txt")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.tsv", "id\teng\tlang\tinto\n1\tHello\ten\tfr,wo\n2\t\tde\tfr\n"),
        ("t.csv", 'id,eng,lang,into\n1,Hello,en,"fr,wo"\n2,,de,fr\n'),
        ("t.jsonl", '{"eng": "Hello", "lang": "en", "into": "fr,wo"}\n{"lang": "de", "into": "fr"}\n'),
        ("t.json", '[{"eng": "Hello", "lang": "en", "into": "fr,wo"}, {"lang": "de", "into": "fr"}]'),
    ],
)
def test_a_table_has_its_text_and_languages_in_columns_or_keys(write, name, content):
    path = write({name: content}) / name
    columns = Columns(text="eng", src="lang", tgt="into")
    assert list(read_to_translate(path, None, (), columns)) == [
        Line("Hello", "en", ("fr", "wo")),
        Line("", "de", ("fr",)),
    ]
    by_code = list(read_to_translate(path, "en", ["fr"]))
    assert by_code == [Line("Hello", "en", ("fr",)), Line("", "en", ("fr",))]


@pytest.mark.parametrize(
    ("name", "content", "column"),
    [
        ("t.csv", "No,nb,en\n1,Hei,Hi\n2,Ja,Yes\n", "nb"),
        ("t.tsv", "id\tind\n1\tHei\n2\tJa\n", "ind"),
        ("t.jsonl", '{"id": "1", "ind": "Hei"}\n{"id": "2", "ind": "Ja"}\n', "ind"),
    ],
)
def test_the_column_that_is_named_is_read_beside_another_of_its_language(write, name, content, column):
    path = write({name: content}) / name
    for columns in (Columns(text=column), Columns()):
        lines = read_to_translate(path, column, ["en"], columns)
        assert [line.text for line in lines] == ["Hei", "Ja"]


def test_of_two_columns_of_a_language_the_one_that_is_meant_is_asked_for(write):
    path = write({"t.csv": "No,nb,en\n1,Hei,Hi\n"}) / "t.csv"
    with pytest.raises(InputError, match="t.csv has two columns or keys for 'no': 'No' and 'nb'"):
        list(read_to_translate(path, "no", ["en"]))
    assert [line.text for line in read_to_translate(path, "no", ["en"], Columns(text="nb"))] == ["Hei"]


def test_row_numbers_are_not_translated_unless_their_column_is_named(write):
    path = write({"t.csv": "id,text\n1,Halo\n2,Ya\n"}) / "t.csv"
    with pytest.raises(
        InputError, match="t.csv: 'id' is not text: no letter in any of its cells, such as '1'"
    ):
        list(read_to_translate(path, "id", ["en"]))
    assert [line.text for line in read_to_translate(path, "id", ["en"], Columns(text="id"))] == ["1", "2"]


def test_a_folder_stands_for_its_files(write):
    names = ("in/b.csv", "in/c.json", "in/deep/a.txt.gz", "in/.hidden", "file", "none/.x")
    folder = write(dict.fromkeys(names, "x"))
    into = Path("translated")
    assert files_to_translate(folder / "in", into) == [
        (folder / "in/b.csv", into / "b.csv"),
        (folder / "in/c.json", into / "c.jsonl"),
        (folder / "in/deep/a.txt.gz", into / "deep/a.txt"),
    ]
    targets = [target for _, target in files_to_translate(folder / "in", into, as_json=True)]
    assert targets == [into / "b.jsonl", into / "c.jsonl", into / "deep/a.txt"]
    assert files_to_translate(None, None) == [(None, None)]
    with pytest.raises(UsageError, match="need a folder for their translations"):
        files_to_translate(folder / "in", None)
    with pytest.raises(UsageError, match="need a folder"):
        files_to_translate(folder / "in", folder / "file")
    with pytest.raises(InputError, match="no file in"):
        files_to_translate(folder / "none", into)
    for one in (folder / "file", None):
        with pytest.raises(UsageError, match="none is a folder") as error:
            files_to_translate(one, folder / "none")
        assert "--output" in error.value.hint


@pytest.mark.parametrize(
    ("src", "targets", "columns", "error", "message"),
    [
        (None, ["fr"], Columns(), UsageError, "the language of the text is not given"),
        ("en", [], Columns(), UsageError, "no language to translate into"),
        ("en", ["fr"], Columns(text="nope"), InputError, "no column or key 'nope'; it has en, lang"),
        ("en", ["fr"], Columns(src="lang"), InputError, "t.tsv: row 2 has no language in 'lang'"),
        ("en", [], Columns(tgt="lang"), InputError, "t.tsv: row 2 has no language in 'lang'"),
    ],
)
def test_a_language_or_column_that_is_missing_is_named(write, src, targets, columns, error, message):
    path = write({"t.tsv": "en\tlang\nHello\ten\nBye\t\n"}) / "t.tsv"
    with pytest.raises(error, match=message):
        list(read_to_translate(path, src, targets, columns))


@pytest.mark.parametrize("name", ["A.TSV", "A.TSV.GZ", "A.CSV", "A.Json"])
def test_the_kind_of_a_file_is_told_by_its_suffix_in_any_case(write, name):
    content = {"A.CSV": "eng,x\nHello,1\n", "A.Json": '[{"eng": "Hello"}]'}.get(
        name, "eng\tx\nHello\t1\n"
    ).encode()
    folder = write({f"in/{name}": gzip.compress(content) if name.endswith("GZ") else content})
    assert [line.text for line in read_to_translate(folder / "in" / name, "eng", ["fr"])] == ["Hello"]
    ((_, target),) = files_to_translate(folder / "in", folder / "out")
    assert target == folder / "out" / name.removesuffix(".GZ").replace(".Json", ".jsonl")


def test_a_line_of_stdin_may_have_crs_as_a_line_of_a_file(monkeypatch, write):
    content = b"one\ntwo\rand\rmore\nthree\n" + b"four\n" * 3
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    piped = [line.text for line in read_to_translate(None, "en", ["fr"])]
    assert piped == [
        line.text for line in read_to_translate(write({"a.txt": content}) / "a.txt", "en", ["fr"])
    ]
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"one\rtwo\rthree")))
    with pytest.raises(InputError, match="has 2 CR line ends") as refused:
        list(read_to_translate(None, "en", ["fr"]))
    assert refused.value.hint.endswith(r"`| tr '\r' '\n' | lslo`")


def test_damage_in_a_json_list_is_located(write):
    path = write({"a.json": '[{"eng": "Hello"},\n{"eng": "Yes"},\n]\n'}) / "a.json"
    with pytest.raises(InputError, match=r"a.json is not complete JSON: line \d, column \d") as refused:
        list(read_to_translate(path, "eng", ["fr"]))
    assert "line 3" in refused.value.message or "line 2" in refused.value.message


def refusal_of_stdin(content, monkeypatch):
    """The message and hint for what is piped, and what the hint's line makes of it, None without one."""
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    with pytest.raises(InputError) as refused:
        list(read_to_translate(None, "en", ["fr"]))
    line = re.search(r"`\| (.*) \| lslo`", refused.value.hint)
    made = (
        subprocess.run(line[1], shell=True, check=True, input=content, capture_output=True) if line else None
    )
    return refused.value.message, refused.value.hint, made.stdout if made else None


@pytest.mark.parametrize(
    "content", [b"a line\nb\0\nthird lines\n", b"a line\nx\0y\0\n", b"third line of text\0\nb\n"]
)
def test_a_nul_on_stdin_is_not_taken_for_utf16(monkeypatch, content):
    message, _, made = refusal_of_stdin(content, monkeypatch)
    assert "has a NUL byte" in message and made == content.replace(b"\0", b"")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16le", "utf-16be", "utf-32", "utf-32le", "utf-32be"])
@pytest.mark.parametrize("text", ["a line\nb\nthird lines\n", "été ici, là\nà\n"])
def test_utf16_on_stdin_is_known_by_its_first_line(monkeypatch, text, encoding):
    message, _, made = refusal_of_stdin(text.encode(encoding), monkeypatch)
    assert message.startswith("stdin (line 1) is not UTF-8") and made == text.encode()


@pytest.mark.parametrize("content", [b"b\0\nthird lines\n", "\nКот и дом\n".encode("utf-16le")])
def test_no_conversion_of_stdin_is_given_in_doubt(monkeypatch, content):
    _, hint, made = refusal_of_stdin(content, monkeypatch)
    assert made is None and "utf-16" in hint.lower()


def test_utf8_in_earlier_lines_of_stdin_is_not_spoilt(monkeypatch):
    content = b"caf\xc3\xa9 ouvert\nplain\nd\xe9part d\xe9j\xe0\n"
    message, hint, made = refusal_of_stdin(content, monkeypatch)
    assert message == "stdin (line 3) is not UTF-8: byte offset 1 (0xe9)"
    assert (hint, made) == ("mend what is not, since the rest is UTF-8", None)


def test_gzip_on_stdin_is_unpacked_by_the_hint(monkeypatch):
    content = gzip.compress("été\n".encode() * 9)
    message, _, made = refusal_of_stdin(content, monkeypatch)
    assert message == "stdin (line 1) is compressed with gzip" and made == "été\n".encode() * 9
