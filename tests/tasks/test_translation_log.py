"""The log of an interrupted evaluation: what is kept, what is dropped, when it is begun anew."""

import pytest

from lslo_cli.errors import InputError
from lslo_cli.tasks.translation_log import TranslationLog

FIRST, SECOND = ["wo bi\u2028", ""], ["\u00e9t\u00e9"]


@pytest.fixture
def path(tmp_path):
    """A log of two batches."""
    log = TranslationLog(tmp_path / "work" / "log.jsonl", "this")
    log.add(0, FIRST)
    log.add(7, SECOND)
    return tmp_path / "work" / "log.jsonl"


def test_a_log_has_what_was_added_to_it_before(path):
    assert TranslationLog(path, "this").finished == {0: FIRST, 7: SECOND}


def test_a_batch_that_was_being_written_is_dropped_and_written_again(path):
    content = path.read_bytes()
    path.write_bytes(content[:-3])
    log = TranslationLog(path, "this")
    assert log.finished == {0: FIRST}
    log.add(7, SECOND)
    assert path.read_bytes() == content


def test_what_other_processes_have_logged_is_finished_too(path):
    others = [path.with_name(name) for name in ("1", "2", "3")]
    TranslationLog(others[0], "this").add(1, SECOND)
    TranslationLog(others[1], "other").add(2, SECOND)
    assert TranslationLog(path, "this", others).finished == {0: FIRST, 1: SECOND, 7: SECOND}
    assert TranslationLog(path, "this").finished == {0: FIRST, 7: SECOND}
    assert not others[2].exists()


def test_a_log_of_other_translations_is_begun_anew(path):
    assert TranslationLog(path, "other").finished == {}
    assert TranslationLog(path, "this").finished == {}


@pytest.mark.parametrize("damage", [b"", b"\n", b"\xff\n", b"no json\n", b"3\n", b"[[1], 2]\n"])
@pytest.mark.parametrize("line", [0, 1])
def test_a_damaged_log_is_begun_anew(path, damage, line):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:line], damage or b"{\n", *lines[line + 1 :]]))
    assert TranslationLog(path, "this").finished == {}


def test_what_cannot_be_written_is_an_error_that_names_the_file(path):
    log = TranslationLog(path, "this")
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match=f"cannot write {path}"):
        log.add(8, FIRST)
