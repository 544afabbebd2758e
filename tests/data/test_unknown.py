"""What a base model cannot read of a text, by a tokenizer that knows ASCII and nothing else."""

import pytest

from lslo_cli.artifacts.data_check import Check, Severity
from lslo_cli.data.checks import check_data
from lslo_cli.data.unknown import Base, described, unknown_rows


class Ascii:
    unk_id = 3
    languages = ("en", "kk", "fr")

    def encode(self, text):
        return [ord(character) + 4 if character.isascii() else 3 for character in text.replace("é", "e")]


def test_rows_and_characters_that_become_unk_are_counted():
    rows, causes = unknown_rows(["a", "бb", "", "cafés", "бв\u200d"], Ascii())
    assert rows == [1, 4]
    assert causes == {"б": 2, "в": 1, "\u200d": 1}
    assert described(causes) == "б 2, в 1, U+200D 1"


def test_a_text_that_is_read_whole_has_none():
    assert unknown_rows(["a", "", "é"], Ascii()) == ([], {})


def test_many_characters_are_cut_after_the_commonest():
    _, causes = unknown_rows(["абвгдежзик", "к"], Ascii())
    assert described(causes).startswith("к 2, а 1") and described(causes).endswith("and 2 more")


def test_they_are_counted_by_language_and_named_with_their_places(write):
    folder = write({"text/en.txt": "a\nb\nc\n", "text/kk.txt": "әb\nz\nә ғ\n"})
    result = check_data(folder / "text", base=Base("mine", Ascii()))
    assert {each.language: each.unknown for each in result.splits[0].languages} == {"en": 0, "kk": 2}
    (finding,) = [finding for finding in result.findings if finding.check is Check.UNKNOWN]
    assert finding.severity is Severity.WARNING and finding.languages == {"kk": 2}
    assert "kk ә 2, ғ 1" in finding.message
    assert finding.where == [f"{folder}/text/kk.txt:1", f"{folder}/text/kk.txt:3"]
    assert result.usable


def test_without_a_model_nothing_is_read_by_one(write):
    folder = write({"en.txt": "a\n", "kk.txt": "ә\n"})
    assert {each.unknown for each in check_data(folder).splits[0].languages} == {None}


@pytest.mark.parametrize(
    ("base", "names", "message"),
    [
        (Base(), ("en", "de", "xqx"), "no published model has a token for xqx"),
        (Base(), ("xqy", "xqx"), "no published model has a token for xqx, xqy"),
        (Base("mine", Ascii()), ("en", "fr", "de", "xqx"), "base model 'mine' has no token for de, xqx"),
    ],
)
def test_languages_without_a_token_are_named(write, base, names, message):
    folder = write({f"{name}.txt": f"{name}\n" * 2 for name in names})
    (note,) = [each for each in check_data(folder, base=base).findings if each.check is Check.LANGUAGE]
    assert note.severity is Severity.NOTE and note.message.startswith(message)


@pytest.mark.parametrize("names", [("en", "de", "xqx"), ("de", "xqx")])
def test_a_text_of_which_a_model_has_fewer_than_two_languages_is_not_usable(write, names):
    folder = write({f"{name}.txt": f"{name} 1\n{name} 2\n" for name in names})
    result = check_data(folder, base=Base("mine", Ascii()))
    assert not result.usable
    (problem,) = result.problems
    assert problem.message.startswith("base model 'mine' has no token for de, xqx")
