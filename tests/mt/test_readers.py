import json

import pytest

from lslo_cli.errors import InputError
from lslo_cli.mt.readers import read_aligned, read_lines, read_table


def refusal(read, *args):
    with pytest.raises(InputError) as error:
        read(*args)
    assert error.value.hint
    return error.value.message


def test_only_a_newline_ends_a_line(write):
    path = write({"en": "one\u2028still one\x0cand\x85on\r\n two \n\nthree"}) / "en"
    assert read_lines(path) == ["one\u2028still one\x0cand\x85on", "two", "", "three"]


def test_a_byte_order_mark_is_no_text(write):
    folder = write(
        {
            "en": b"\xef\xbb\xbfhello\n",
            "t.tsv": b"\xef\xbb\xbfen\tfr\na\tb\n",
            "j.jsonl": b'\xef\xbb\xbf{"en": "a"}',
        }
    )
    assert read_lines(folder / "en") == ["hello"]
    assert read_table(folder / "t.tsv", ("en",))[0] == {"en": ["a"]}
    assert read_table(folder / "j.jsonl", ("en",))[0] == {"en": ["a"]}


def test_text_is_otherwise_left_as_it_is(write):
    text = 'e\u0301 \u00e9 ﬁ "quoted"  two  spaces \u200b'
    assert read_lines(write({"en": f"{text}\n"}) / "en") == [text]


def test_bytes_that_are_not_utf8_are_located(write):
    path = write({"en": "één\ntwo ".encode() + b"\xff\n"}) / "en"
    assert refusal(read_lines, path) == f"{path} is not UTF-8: line 2, byte offset 10 (0xff)"


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(write, content):
    path = write({"en": content}) / "en"
    assert refusal(read_lines, path) == f"{path} is empty"


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    assert refusal(read_lines, tmp_path) == f"cannot read {tmp_path}: Is a directory"


def test_unequal_line_counts_name_both_files_and_both_numbers(write):
    folder = write({"en": "a\nb\n", "fr": "a\nb\nc\n"})
    message = refusal(read_aligned, {"en": folder / "en", "fr": folder / "fr"})
    assert message == f"{folder / 'en'} has 2 lines, {folder / 'fr'} has 3"


def test_a_tsv_takes_quotes_as_text_and_empty_cells_as_gaps(write):
    path = write({"t.tsv": 'id\tfra_Latn\tzh\ten\r\n1\t"a\t\t b \r\n2\t\tc\t\n'}) / "t.tsv"
    text, codes = read_table(path, ("en", "fr", "wo"))
    assert text == {"en": ["b", ""], "fr": ['"a', ""]}
    assert codes == ["id", "fra_Latn", "zh", "en"]


def test_a_csv_takes_quoted_commas(write):
    path = write({"t.csv": 'en,fr\n"a, ""b""",c\n,d\n'}) / "t.csv"
    assert read_table(path, ("en", "fr"))[0] == {"en": ['a, "b"', ""], "fr": ["c", "d"]}


def test_a_line_separator_inside_a_table_cell_splits_nothing(write):
    folder = write(
        {
            "t.tsv": "en\tfr\na\u2028b\tc\n",
            "t.csv": "en,fr\na\u2028b,c\n",
            "t.jsonl": '{"en": "a\u2028b", "fr": "c"}\n',
        }
    )
    for path in folder.iterdir():
        assert read_table(path, ("en", "fr"))[0] == {"en": ["a\u2028b"], "fr": ["c"]}


def test_jsonl_keys_may_be_missing_null_or_empty(write):
    rows = [{"eng": "a", "fr": "b", "id": 1}, {"eng": " c "}, {"eng": None, "fr": ""}]
    path = write({"t.jsonl": "\r\n".join(json.dumps(row) for row in rows)}) / "t.jsonl"
    text, codes = read_table(path, ("en", "fr"))
    assert text == {"en": ["a", "c", ""], "fr": ["b", "", ""]}
    assert codes == ["eng", "fr", "id"]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("t.tsv", "en\tfr\na\tb\nc\n", ": line 3 has 1 columns, the header has 2"),
        ("t.tsv", "en\tfr\na\tb\tc\n", ": line 2 has 3 columns, the header has 2"),
        ("t.csv", "en,fr\na,b\n\nc,d\n", ": line 3 has 0 columns, the header has 2"),
        ("t.csv", 'en,fr\na,b\n"c,d\n', ": line 3 is not CSV: unexpected end of data"),
        ("t.csv", 'en,fr\n"a\nb",c\n', ": line 3, 'en' holds a line break or an unpaired surrogate"),
        ("t.tsv", "en\tfr\ten\na\tb\tc\n", ": column 'en' occurs twice"),
        ("t.tsv", "en\tfr\n", " has a header and no rows"),
        ("t.tsv", "", " is empty"),
        ("t.jsonl", '{"en": "a"}\n{"en": \n', ": line 2 is not JSON: Expecting value at column 8"),
        ("t.jsonl", '{"en": "a"}\n\n{"en": "b"}\n', ": line 2 is not JSON: Expecting value at column 1"),
        ("t.jsonl", '{"en": "a"}\n["b"]\n', ": line 2 is a JSON list, not an object"),
        ("t.jsonl", '{"en": "a", "en": "b"}\n', ": line 1 has a key twice"),
        ("t.jsonl", '{"en": ["a"]}\n', ": line 1, 'en' is [\"a\"], not text"),
        ("t.jsonl", '{"en": "a\\nb"}\n', ": line 1, 'en' holds a line break or an unpaired surrogate"),
        ("t.jsonl", '{"en": "a\\ud800b"}\n', ": line 1, 'en' holds a line break or an unpaired surrogate"),
    ],
)
def test_a_malformed_table_is_refused_with_file_and_line(write, name, content, complaint):
    path = write({name: content}) / name
    assert refusal(read_table, path, ("en", "fr")) == f"{path}{complaint}"


def test_a_table_without_a_requested_language_is_not_examined_further(write):
    path = write({"metadata.tsv": "URL\tdomain\nx\ty\tz\n"}) / "metadata.tsv"
    assert read_table(path, ("en", "fr")) == ({}, ["URL", "domain"])
