import gzip
import os
import re
import subprocess

import pytest

from lslo_cli.data.encodings import in_place
from lslo_cli.data.readers import read_aligned, read_lines
from lslo_cli.data.tabular import read_header
from lslo_cli.errors import InputError


def refusal(read, *args):
    with pytest.raises(InputError) as error:
        read(*args)
    assert error.value.hint
    return error.value.message


def test_only_a_newline_ends_a_line(write):
    path = write({"en": "one\u2028still one\x0cand\x85on\r\n two \n\nthree"}) / "en"
    assert read_lines(path) == ["one\u2028still one\x0cand\x85on", "two", "", "three"]


def test_a_byte_order_mark_is_no_text(write):
    assert read_lines(write({"en": b"\xef\xbb\xbfhello\n"}) / "en") == ["hello"]


def test_text_is_otherwise_left_as_it_is(write):
    text = 'e\u0301 \u00e9 ﬁ "quoted"  two  spaces \u200b'
    assert read_lines(write({"en": f"{text}\n"}) / "en") == [text]


def test_bytes_that_are_not_utf8_are_located(write):
    path = write({"en": "één\ntwo ".encode() + b"\xff\n"}) / "en"
    assert refusal(read_lines, path) == f"{path} is not UTF-8: line 2, byte offset 10 (0xff)"


@pytest.mark.parametrize(
    ("encoding", "iconv"),
    [("utf-16", "utf-16"), ("utf-16-be", "utf-16be"), ("utf-16-le", "utf-16le"), ("utf-32", "utf-32")],
)
def test_utf16_is_told_from_a_bad_byte(write, encoding, iconv):
    path = write({"en": "hello\n".encode(encoding)}) / "en"
    with pytest.raises(InputError) as error:
        read_lines(path)
    assert error.value.message == f"{path} is not UTF-8: it looks like {iconv[:6].upper()}, or is not text"
    assert f"iconv -f {iconv} " in error.value.hint
    table = write({"t.csv": "en,fr\na,b\n".encode(encoding)}) / "t.csv"
    assert "it looks like" in refusal(read_header, table)


@pytest.mark.parametrize(
    ("name", "text", "encoding"),
    [
        ("train.ru", "Кошка видит дом.", "cp1251"),
        ("rus_Cyrl.txt", "Кошка видит дом.", "cp1251"),
        ("zh.txt", "猫看见房子。", "gb18030"),
        ("train.ja", "猫は家を見る。", "shift_jis"),
        ("ell.dev", "Η γάτα βλέπει.", "cp1253"),
    ],
)
def test_the_usual_encoding_of_the_language_is_named_where_it_fits(write, name, text, encoding):
    with pytest.raises(InputError) as error:
        read_lines(write({name: f"{text}\n".encode(encoding)}) / name)
    assert f"iconv -f {encoding} " in error.value.hint and "West European" not in error.value.hint


def test_gzip_is_known_by_its_content(write):
    assert read_lines(write({"train.en": gzip.compress(b"a\nb\n")}) / "train.en") == ["a", "b"]


def test_a_character_cut_in_half_at_the_end_of_a_file_is_located(write):
    path = write({"en": "one\nété".encode()[:-1]}) / "en"
    assert refusal(read_lines, path) == f"{path} is not UTF-8: line 2, byte offset 7 (0xc3)"


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


def test_a_file_that_ends_too_early_is_refused_by_its_line_count(write):
    text = "one\ntwo\nthree\n"
    folder = write({"en": text, "fr": text[:7]})
    message = refusal(read_aligned, {"en": folder / "en", "fr": folder / "fr"})
    assert message == f"{folder / 'en'} has 3 lines, {folder / 'fr'} has 2"


def test_windows_line_endings_leave_no_trace(write):
    folder = write({"en": "a\r\nb\r\n", "fr": "c\n\r\n"})
    assert read_aligned({"en": folder / "en", "fr": folder / "fr"}) == {"en": ["a", "b"], "fr": ["c", ""]}


def test_a_line_without_anything_to_read_is_a_gap(write):
    path = write({"en": "a\n\u200b\n\ufeff\u200e\nb\u200b\n"}) / "en"
    assert read_lines(path) == ["a", "", "", "b\u200b"]


def test_line_ends_of_cr_alone_are_refused_by_name_and_crlf_is_not(write):
    path = write({"en": "a\rb\rc\r"}) / "en"
    with pytest.raises(InputError, match="en has 3 CR line ends") as error:
        read_lines(path)
    assert "tr" in error.value.hint
    assert read_lines(write({"fr": "a\r\nb\r\n"}) / "fr") == ["a", "b"]


@pytest.mark.parametrize(("text", "encoding"), [("\u201cété\u201d", "cp1252"), ("été", "latin1")])
def test_quotes_of_cp1252_are_told_from_latin1(write, text, encoding):
    with pytest.raises(InputError) as error:
        read_lines(write({"fr": f"é {text}\n".encode("cp1252")}) / "fr")
    assert f"iconv -f {encoding} " in error.value.hint


@pytest.mark.parametrize("name", ["fr.txt", "fr.txt.gz"])
def test_the_line_that_converts_a_gzip_file_leaves_a_gzip_file(write, name):
    path = write({name: gzip.compress("été\n".encode("latin1"))}) / name
    with pytest.raises(InputError) as error:
        read_lines(path)
    subprocess.run(re.search("`(.*)`", error.value.hint)[1], shell=True, check=True)
    assert path.read_bytes().startswith(b"\x1f\x8b") and read_lines(path) == ["été"]


def test_the_line_that_converts_a_pipe_does_not_read_it(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "gunzip" not in in_place("iconv", tmp_path / "pipe")
    assert "gunzip" in in_place("iconv", tmp_path / "missing.gz")


@pytest.mark.parametrize("name", ["en", "en.gz"])
def test_a_nul_byte_in_a_text_is_named_and_its_removal_leaves_the_rest(write, name):
    content = "one\na\0é\n".encode() + b"two\n" * 20
    path = write({name: gzip.compress(content) if name.endswith("gz") else content}) / name
    with pytest.raises(InputError, match="has a NUL byte in line 2") as error:
        read_lines(path)
    subprocess.run(re.search("`(.*)`", error.value.hint)[1], shell=True, check=True)
    assert read_lines(path) == ["one", "aé", *["two"] * 20]
    assert os.listdir(path.parent) == [name]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le"])
@pytest.mark.parametrize("text", ["one two\nthree\n", "猫看见房子。\n狗睡觉。\n" * 9, "Кошка видит дом.\n"])
def test_wide_text_without_a_mark_is_told_from_a_nul(write, encoding, text):
    path = write({"en": text.encode(encoding)}) / "en"
    with pytest.raises(InputError, match="it looks like UTF-") as error:
        read_lines(path)
    assert f"iconv -f {encoding.replace('-le', 'le').replace('-be', 'be')} " in error.value.hint


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", "a picture (PNG)"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "a picture (JPEG)"),
        (b"PK\x03\x04\x14\0\x06\0", "a zip archive, as documents of Word and Excel are"),
        (b"BZh91AY&SY\xaa\xbb", "an archive (bzip2)"),
        (b"name\0".ljust(257, b"\0") + b"ustar\0", "an archive (tar)"),
    ],
)
def test_a_file_that_is_not_text_is_named_without_a_line_that_converts_it(write, content, kind):
    path = write({"en": content}) / "en"
    with pytest.raises(InputError) as error:
        read_lines(path)
    assert error.value.message == f"{path} is not text but {kind}" and "`" not in error.value.hint
    assert read_lines(write({"fr": "BZh is text, as is GIF8\n"}) / "fr") == ["BZh is text, as is GIF8"]
    unknown = write({"wo": bytes(range(254, -1, -1))}) / "wo"
    with pytest.raises(InputError) as error:
        read_lines(unknown)
    assert "`" not in error.value.hint


def test_a_text_with_one_bad_byte_is_not_converted(write):
    path = write({"fr": "été, déjà\n".encode() * 9 + b"\xe9\n"}) / "fr"
    with pytest.raises(InputError, match=r"line 10, .* \(0xe9\)") as error:
        read_lines(path)
    assert error.value.hint == "mend what is not, since the rest is UTF-8"


def test_a_conversion_that_fails_leaves_a_gzip_file_as_it_was(write):
    path = write({"en.gz": gzip.compress(b"one\n" * 99)}) / "en.gz"
    before = path.read_bytes()
    line = in_place("false", path).strip("`")
    assert subprocess.run(line, shell=True).returncode and path.read_bytes() == before


def test_cr_beside_newlines_is_not_turned_into_more_lines(write):
    with pytest.raises(InputError, match="has 3 CR line ends") as error:
        read_lines(write({"en": "a\rb\rc\nd\re\n"}) / "en")
    assert error.value.hint == "end every line with a newline alone"


def test_the_hint_for_a_pipe_is_that_of_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert in_place("iconv", tmp_path / "pipe") == "`| iconv | lslo`"


def repair_of(path):
    """The hint for a text that is refused, and what its line makes of the file, None without a line."""
    with pytest.raises(InputError) as error:
        read_lines(path)
    line = re.search("`(.*)`", error.value.hint)
    if line:
        subprocess.run(line[1], shell=True, check=True)
    return error.value.hint, path.read_bytes() if line else None


@pytest.mark.parametrize(
    "content",
    [
        b"caf\xc3\xa9 ouvert\nd\xe9part\nplain\n",
        b"\xef\xbb\xbfplain\nd\xe9part d\xe9j\xe0\n",
        b"caf\xc3\xa9\nd\xe9part d\xe9j\xe0 \xe9t\xe9\n",
    ],
)
def test_text_of_which_a_part_is_utf8_is_not_converted(write, content):
    hint = "mend what is not, since the rest is UTF-8"
    assert repair_of(write({"fr": content}) / "fr") == (hint, None)


def test_pairs_that_are_utf8_by_chance_do_not_hide_gb18030(write):
    text = "模糊模样\n" + "猫看见房子。\n" * 3
    assert b"\xc4\xa3" in text.encode("gb18030")  # UTF-8, too
    assert repair_of(write({"zh": text.encode("gb18030")}) / "zh")[1] == text.encode()


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text", ["你好，世界。\n第二行。\n三\n", "不一。\n一上下不，\n", "これは\nねこです\n", "Кот и дом\n"]
)
def test_the_order_of_bytes_is_that_of_the_newlines(write, text, encoding):
    assert repair_of(write({"zh": text.encode(encoding)}) / "zh")[1] == text.encode()


@pytest.mark.parametrize(
    "content", ["不一。".encode("utf-16-le"), b"x\0\n", "Кот и дом\n".encode("utf-16-le")[:-1]]
)
def test_no_line_is_given_for_utf16_in_doubt_or_cut(write, content):
    hint, made = repair_of(write({"zh": content}) / "zh")
    assert made is None and "utf-16le" in hint


def test_a_file_that_is_compressed_twice_is_unpacked_once(write):
    path = write({"en.gz": gzip.compress(gzip.compress(b"one\ntwo\n"))}) / "en.gz"
    assert gzip.decompress(repair_of(path)[1]) == b"one\ntwo\n"
