import json

import pytest

from lslo_cli.data.tabular import guess_languages, read_header, read_table
from lslo_cli.errors import InputError


def refusal(read, *args):
    with pytest.raises(InputError) as error:
        read(*args)
    assert error.value.hint
    return error.value.message


def test_a_byte_order_mark_is_no_text(write):
    folder = write({"t.tsv": b"\xef\xbb\xbfen\tfr\na\tb\n", "j.jsonl": b'\xef\xbb\xbf{"en": "a", "fr": "b"}'})
    for path in folder.iterdir():
        assert read_header(path) == ["en", "fr"]
        assert read_table(path, ("en",)) == {"en": ["a"]}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.tsv", "en\tfr\r\na\tb\r\n"),
        ("t.csv", "en,fr\r\na,b\r\n"),
        ("t.jsonl", '{"en": "a", "fr": "b"}\r\n'),
    ],
)
def test_windows_line_endings_leave_no_trace(write, name, content):
    path = write({name: content}) / name
    assert read_header(path) == ["en", "fr"]
    assert read_table(path, ("en", "fr")) == {"en": ["a"], "fr": ["b"]}


def test_a_header_is_read_even_where_later_rows_are_damaged(write):
    folder = write({"t.tsv": b"en\tfr\n\xff\n", "t.jsonl": b'{"en": "a"}\n{"fr": "b"}\n{"wo": \xff'})
    assert read_header(folder / "t.tsv") == read_header(folder / "t.jsonl") == ["en", "fr"]


def test_a_list_in_a_jsonl_file_is_refused_before_its_languages_are_missed(write):
    path = write({"t.jsonl": '[{"en": "a"}]\n'}) / "t.jsonl"
    assert refusal(read_header, path) == f"{path}: line 1 is a JSON list, not an object"


def test_a_tsv_takes_quotes_as_text_and_empty_cells_as_gaps(write):
    path = write({"t.tsv": 'id\tfra_Latn\tzh\ten\r\n1\t"a\t\t b \r\n2\t\tc\t\n'}) / "t.tsv"
    assert read_table(path, ("en", "fr", "wo")) == {"en": ["b", ""], "fr": ['"a', ""]}
    assert read_header(path) == ["id", "fra_Latn", "zh", "en"]


def test_a_csv_takes_quoted_commas(write):
    path = write({"t.csv": 'en,fr\n"a, ""b""",c\n,d\n'}) / "t.csv"
    assert read_table(path, ("en", "fr")) == {"en": ['a, "b"', ""], "fr": ["c", "d"]}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "en,fr\na,b\nc,\n"),
        ("t.tsv", "en\tfr\na\tb\nc\t\n"),
        ("t.jsonl", '{"en": "a", "fr": "b"}\n{"en": "c"}\n'),
    ],
)
def test_blank_lines_at_the_end_are_no_rows(write, name, content, end):
    path = write({name: content + end}) / name
    assert read_table(path, ("en", "fr")) == {"en": ["a", "c"], "fr": ["b", ""]}


def test_a_blank_line_is_a_gap_of_a_table_with_one_column(write):
    folder = write({"t.tsv": "en\na\n\n", "t.csv": "en\na\n\nb\n"})
    assert read_table(folder / "t.tsv", ("en",)) == {"en": ["a", ""]}
    assert read_table(folder / "t.csv", ("en",)) == {"en": ["a", "", "b"]}


def test_a_line_separator_inside_a_table_cell_splits_nothing(write):
    folder = write(
        {
            "t.tsv": "en\tfr\na\u2028b\tc\n",
            "t.csv": "en,fr\na\u2028b,c\n",
            "t.jsonl": '{"en": "a\u2028b", "fr": "c"}\n',
        }
    )
    for path in folder.iterdir():
        assert read_table(path, ("en", "fr")) == {"en": ["a\u2028b"], "fr": ["c"]}


def test_jsonl_keys_may_be_missing_null_or_empty(write):
    rows = [{"eng": "a", "fr": "b", "id": 1}, {"eng": " c "}, {"eng": None, "fr": ""}]
    path = write({"t.jsonl": "\r\n".join(json.dumps(row) for row in rows)}) / "t.jsonl"
    assert read_table(path, ("en", "fr")) == {"en": ["a", "c", ""], "fr": ["b", "", ""]}
    assert read_header(path) == ["eng", "fr", "id"]


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
        ("t.tsv", "en\tfr\na\tb\nc", ": line 3 has 1 columns, the header has 2"),
        ("t.tsv", b"en\tfr\na\t\xe9\n", " is not UTF-8: line 2, byte offset 8 (0xe9)"),
        ("t.csv", b"en,fr\na,\xe9\n", " is not UTF-8: line 2, byte offset 8 (0xe9)"),
        ("t.csv", "", " is empty"),
        ("t.jsonl", "", " is empty"),
        ("t.jsonl", b'{"en": "\xe9"}\n', " is not UTF-8: line 1, byte offset 8 (0xe9)"),
        (
            "t.jsonl",
            '{"en": "a"}\n{"en": "b',
            ": line 2 is not JSON: Unterminated string starting at column 8",
        ),
        ("t.jsonl", '{"en": "a"}\n{"en": \n', ": line 2 is not JSON: Expecting value at column 8"),
        ("t.jsonl", '{"en": "a"}\n\n{"en": "b"}\n', ": line 2 is not JSON: Expecting value at column 1"),
        ("t.jsonl", '{"en": "a"}\n["b"]\n', ": line 2 is a JSON list, not an object"),
        ("t.jsonl", '{"en": "a", "en": "b"}\n', ": line 1 has a key twice"),
        ("t.json", '[{"en": "a", "fr": "b"}, {"en": "a", "fr": "b", "en": "c"}]', ": row 2 has a key twice"),
        ("t.json", '[{"translation": {"en": "a", "fr": "b", "en": "c"}}]', ": row 1 has a key twice"),
        ("t.tsv", "en\tfr\na\t1\nb\t22\n", ": 'fr' is not text: no letter in any of its cells, such as '1'"),
        ("t.csv", "en,fra\na,\nb,2\n", ": 'fra' is not text: no letter in any of its cells, such as '2'"),
        (
            "t.jsonl",
            '{"en": "a", "fr": "1"}\n',
            ": 'fr' is not text: no letter in any of its cells, such as '1'",
        ),
        ("t.json", '[{"en": "a"},\n\n{"en": 3}]', ": row 2, 'en' is 3, not text"),
        ("t.json", '[\n"a"]', ": row 1 is not JSON: Expecting value at column 1"),
        ("t.jsonl", '{"en": ["a"]}\n', ": line 1, 'en' is [\"a\"], not text"),
        ("t.jsonl", '{"en": "a\\nb"}\n', ": line 1, 'en' holds a line break or an unpaired surrogate"),
        ("t.jsonl", '{"en": "a\\ud800b"}\n', ": line 1 cannot be read: it holds an unpaired surrogate"),
    ],
)
def test_a_malformed_table_is_refused_with_file_and_line(write, name, content, complaint):
    path = write({name: content}) / name
    assert refusal(read_table, path, ("en", "fr")) == f"{path}{complaint}"


def test_a_table_without_a_requested_language_is_not_examined_further(write):
    path = write({"metadata.tsv": "URL\tdomain\nx\ty\tz\n"}) / "metadata.tsv"
    assert read_table(path, ("en", "fr")) == {}
    assert read_header(path) == ["URL", "domain"]


def test_columns_that_are_no_language_are_found_by_name_and_by_what_they_hold(write):
    header = ["en", "fr", "src", "doc", "no"]
    path = write({"t.tsv": "en\tfr\tsrc\tdoc\tno\na\tb\tnews\td1\t0\nc\td\tnews\td1\t1\n"}) / "t.tsv"
    assert guess_languages(path, header) == ["en", "fr"]
    path = write({"t.tsv": "en\tfr\tno\na\tb\tc\n"}) / "t.tsv"
    assert guess_languages(path, ["en", "fr", "no"]) == ["en", "fr", "no"]
    path = write({"t.tsv": "en\tqqq\na\tb\n"}) / "t.tsv"
    assert guess_languages(path, ["en", "qqq"]) == ["en", "qqq"]


def test_a_csv_may_have_semicolons_and_keep_commas_in_its_cells(write):
    path = write({"t.csv": 'en;fr\n"a, b";c\n'}) / "t.csv"
    assert read_table(path, ("en", "fr")) == {"en": ["a, b"], "fr": ["c"]}
