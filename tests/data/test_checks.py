"""Checks of small data sets with one thing wrong in each."""

import json
from pathlib import Path

import pytest

from lslo_cli.artifacts.data_check import Check, Severity
from lslo_cli.data.checks import check_data
from lslo_cli.data.corpus import load_corpus
from lslo_cli.errors import InputError

EN = "".join(f"The sentence number {row} is about boats.\n" for row in range(30))
FR = "".join(f"La phrase numéro {row} parle de bateaux.\n" for row in range(30))
WO = "".join(f"Baat bi ci {row} mooy wax ci gaal yi.\n" for row in range(30))
DEV = {"dev/eng.dev": EN, "dev/fra.dev": FR, "dev/wol.dev": WO}


def found(result, severity=None):
    """What was found, shortly: (check, split, lines by language)."""
    return [
        (finding.check, finding.split, finding.languages)
        for finding in result.findings
        if severity in (None, finding.severity)
    ]


def problem(result):
    """The message of the only problem."""
    assert not result.usable
    (finding,) = result.problems
    assert finding is result.findings[0]  # the gravest first
    return finding.message


def test_sound_text_is_usable_and_counted(write):
    result = check_data(write(DEV))
    assert result.usable and result.findings == [] and result.overlaps == []
    assert result.languages == ["en", "fr", "wo"]
    (split,) = result.splits
    assert (split.split, split.sections) == ("dev", ["dev"])
    assert [(each.language, each.names, each.lines) for each in split.languages] == [
        ("en", ["eng"], 30),
        ("fr", ["fra"], 30),
        ("wo", ["wol"], 30),
    ]
    assert [(pair.languages, pair.rows, pair.identical) for pair in split.pairs] == [
        (("en", "fr"), 30, 0),
        (("en", "wo"), 30, 0),
        (("fr", "wo"), 30, 0),
    ]


def test_languages_and_split_can_be_chosen(write):
    folder = write({**DEV, "devtest/eng.devtest": "x\n", "devtest/fra.devtest": "y\n"})
    result = check_data(folder, ["fr", "en"], "dev")
    assert (result.languages, [split.split for split in result.splits]) == (["fr", "en"], ["dev"])
    assert check_data(folder / "dev").languages == ["en", "fr", "wo"]


def test_every_row_check_counts_by_language_and_names_places(write):
    lines = FR.split("\n")
    lines[1], lines[2], lines[3] = "", lines[0], "caf\ufffd " + lines[3]
    lines[4], lines[5] = EN.split("\n")[4], "Oui."
    folder = write({"dev/eng.dev": EN, "dev/fra.dev": "\r\n".join(lines)})
    result = check_data(folder)
    assert result.usable
    assert found(result, Severity.WARNING) == [
        (Check.CHARACTERS, "dev", {"fr": 1}),
        (Check.DUPLICATES, "dev", {"fr": 1}),
        (Check.LENGTHS, "dev", {"fr": 1}),
        (Check.UNTRANSLATED, "dev", {"fr": 1}),
    ]
    assert found(result, Severity.NOTE) == [
        (Check.LINE_ENDINGS, "dev", {"fr": 30}),
        (Check.EMPTY, "dev", {"fr": 1}),
    ]
    where = {finding.check: finding.where for finding in result.findings}
    assert where[Check.LENGTHS] == [f"{folder / 'dev/fra.dev'}:6"]
    assert where[Check.EMPTY] == [f"{folder / 'dev/fra.dev'}:2"]
    (split,) = result.splits
    counts = split.languages[1]
    assert (counts.empty, counts.crlf, counts.characters) == (1, 30, 1)
    assert (counts.duplicates, counts.lengths, counts.untranslated) == (1, 1, 1)
    assert (split.pairs[0].rows, split.pairs[0].identical) == (29, 1)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"dev/fra.dev": b""}, "{}/dev/fra.dev is empty"),
        ({"dev/fra.dev": FR.encode("latin1")}, "{}/dev/fra.dev is not UTF-8: line 1, byte offset 13 (0xe9)"),
        (
            {"dev/fra.dev": FR.encode("utf-16")},
            "{}/dev/fra.dev is not UTF-8: it looks like UTF-16, or is not text",
        ),
        ({"dev/fra.dev": FR.encode()[: len(FR) // 2]}, "2 of 3 files in dev have 30 lines; fra.dev has 15"),
        ({"dev/wol.dev": WO + "more\n"}, "2 of 3 files in dev have 30 lines; wol.dev has 31"),
        ({"dev/wol.dev": "\n" * 30}, "no sentence of 'wo' has a translation in another language"),
    ],
)
def test_what_stops_a_run_is_a_problem(write, damage, message):
    folder = write({**DEV, **damage})
    assert (
        problem(check_data(folder, ["en", "fr", "wo"])).partition(";")[0]
        == message.format(folder).partition(";")[0]
    )
    with pytest.raises(InputError):
        load_corpus(folder, ["en", "fr", "wo"], "dev")


def test_several_problems_are_all_reported(write):
    folder = write({**DEV, "dev/fra.dev": FR.encode("latin1"), "dev/wol.dev": ""})
    assert len(check_data(folder).problems) == 2


def test_a_language_that_was_asked_for_and_is_missing_is_a_problem(write):
    message = problem(check_data(write(DEV), ["en", "fr", "oc"]))
    assert "has no text for oc: tried the names oci, oci_Latn, oc; it holds eng, fra, wol" in message


def test_a_language_that_one_split_lacks_is_a_problem_of_that_split(write):
    folder = write({**DEV, "test/eng.test": "x y z\n", "test/fra.test": "a b c\n"})
    result = check_data(folder)
    assert "no text for wo" in problem(result)
    assert result.problems[0].split == "test"


def test_text_without_two_languages_is_a_problem(write):
    message = problem(check_data(write({"dev.tsv": "en\ttext\nHello\tBonjour\n"})))
    said, _, hint = message.rpartition(";")
    assert said == "translation needs two languages; of the names en, text these are language codes: en"
    assert "columns en, fr" in hint


def test_a_file_that_ends_in_a_line_without_its_end_may_be_cut_off(write):
    result = check_data(write({**DEV, "dev/wol.dev": WO[:-12]}))
    assert result.usable
    assert found(result) == [(Check.LAST_LINE, "dev", {})]
    assert "wol.dev" in result.findings[0].message


def test_lines_of_one_split_are_looked_for_in_those_before_it(write):
    test = {
        "test/eng.test": "the sentence  number 3 is about boats.\nnew\n",
        "test/fra.test": f"{FR[:36]}\nneuf\n",
    }
    result = check_data(write({**DEV, **test}), ["en", "fr"])
    assert result.usable
    assert found(result) == [(Check.OVERLAP, "test", {"en": 1, "fr": 1})]
    assert result.findings[0].where == [f"{result.path}/test/eng.test:1", f"{result.path}/test/fra.test:1"]
    rows = [
        (row.train, row.test, row.language, row.lines, row.exact, row.normalised) for row in result.overlaps
    ]
    assert rows == [("dev", "test", "en", 2, 0, 1), ("dev", "test", "fr", 2, 1, 1)]


def test_lines_of_other_text_are_looked_for_in_every_split(write):
    folder = write({**DEV, "bible/en.txt": EN, "bible/fr.txt": FR, "t.tsv": "en\tfr\nnew\tneuf\n"})
    for against, lines in ((folder / "dev", 30), (folder / "t.tsv", 0)):
        result = check_data(folder / "bible", against=against)
        assert result.against == str(against)
        assert [row.exact for row in result.overlaps] == [lines, lines]
    split = write(
        {"other/eng.dev": EN, "other/fra.dev": FR, "other/eng.test": "x\n", "other/fra.test": "y\n"}
    )
    assert [row.exact for row in check_data(folder / "bible", against=split / "other/dev").overlaps] == [
        30,
        30,
    ]


@pytest.mark.parametrize("name", ["dev.tsv", "dev.csv", "dev.jsonl"])
def test_tables_are_checked_like_files(write, name):
    rows = list(zip(EN.split("\n"), FR.split("\n"), strict=True))[:-1]
    rows[4] = rows[4][0], ""
    if name.endswith("jsonl"):
        text = "".join(f'{{"en": "{en}", "fr": "{fr}"}}\n' for en, fr in rows)
    else:
        tab = "\t" if name.endswith("tsv") else ","
        text = "".join(f"{en}{tab}{fr}\n" for en, fr in [("en", "fr"), *rows])
    folder = write({name: text})
    for path in (folder, folder / name):
        result = check_data(path)
        assert found(result) == [(Check.EMPTY, "dev", {"fr": 1})]
        assert result.findings[0].where == [f"{folder / name}:{5 if name.endswith('jsonl') else 6}"]
    (folder / name).write_text(text + "{", encoding="utf-8")
    assert f"{name}: line" in problem(check_data(folder))


def test_a_place_in_a_json_list_is_a_row_however_many_lines_it_has(write):
    rows = [{"en": en, "fr": fr} for en, fr in zip(EN.splitlines(), FR.splitlines(), strict=True)]
    rows[4]["fr"] = ""
    folder = write({"dev.json": json.dumps(rows, indent=1)})
    assert check_data(folder).findings[0].where == [f"{folder / 'dev.json'}, row 5"]


def test_bitext_is_counted_by_pair(write):
    files = {"en-fr.en": EN, "en-fr.fr": FR, "en-wo.en": "x\nz\n", "en-wo.wo": "y\nw\n"}
    result = check_data(write(files))
    (split,) = result.splits
    assert split.sections == ["en-fr", "en-wo"]
    assert [pair.rows for pair in split.pairs] == [30, 2, 0]
    assert [finding.message for finding in result.findings] == [
        "without a sentence in common: 1 of 3 pairs of languages"
    ]


def test_where_nothing_can_be_found_the_readers_own_error_comes(write):
    with pytest.raises(InputError, match="no counterpart"):
        check_data(write({"en-fr.en": EN}))
    with pytest.raises(InputError, match="no data folder"):
        check_data(write({}) / "nowhere")
    with pytest.raises(InputError, match="no split 'dev'"):
        check_data(write({"train.tsv": "en\tfr\na\tb\n"}), split="dev")


def test_row_numbers_under_the_code_of_a_language_are_a_problem(write):
    rows = "".join(f"{row},a {row} b,c {row} d\n" for row in range(30))
    folder = write({"train.csv": f"id,en,fr\n{rows}"})
    assert check_data(folder, ["en", "fr"]).usable
    assert "'id' is not text: no letter in any of its cells" in problem(
        check_data(folder, ["en", "fr", "id"])
    )


TABLE = "en\tfr\n" + "".join(f"a {row} b\tc {row} d\n" for row in range(30))


@pytest.mark.parametrize(
    ("files", "unread"),
    [
        (
            {"train.en": EN, "train.fr": FR, "bible/train.en": EN, "bible/train.fr": FR},
            "bible/train.en, bible/train.fr",
        ),
        ({"en.txt": EN, "fr.txt": FR, "more.tsv": TABLE}, "more.tsv"),
        ({"en.txt": EN, "fr.txt": FR, "a/b/en.txt": EN, "a/b/fr.txt": FR}, "a/b/en.txt, a/b/fr.txt"),
        ({"train.tsv": TABLE, "more.tsv": TABLE}, "more.tsv"),
        ({"train/en.txt": EN, "train/fr.txt": FR, "train/more.tsv": TABLE}, "train/more.tsv"),
        (
            {"train.en": EN, "train.fr": FR, "train.en.txt": EN, "train.fr.txt": FR},
            "train.en.txt, train.fr.txt",
        ),
        (
            {
                "en.txt": EN,
                "fr.txt": FR,
                **{f"{n}/{code}.txt": EN for n in range(5) for code in ("en", "fr")},
            },
            "0/en.txt, 0/fr.txt, 1/en.txt, 1/fr.txt, 2/en.txt, 2/fr.txt and 4 more",
        ),
    ],
)
def test_text_beside_or_below_other_text_that_is_not_read_is_noted_once(write, files, unread):
    folder = write(files)
    for languages in (["en", "fr"], None):
        result = check_data(folder, languages)
        notes = [each.message for each in result.findings if each.check is Check.FILE]
        assert result.usable and len(notes) == 1
        assert notes[0].startswith(f"not read: {unread}, since other text of {folder} was found first")


def test_what_was_passed_over_is_read_from_a_folder_of_its_own(write):
    folder = write({f"{place}train.{code}": EN for place in ("", "bible/") for code in ("en", "fr")})
    assert [each.check for each in check_data(folder).findings].count(Check.FILE) == 1
    (folder / "news").mkdir()
    for code in ("en", "fr"):
        (folder / f"train.{code}").rename(folder / f"news/train.{code}")
    result = check_data(folder)
    assert [each.lines for each in result.splits[0].languages] == [60, 60]
    assert Check.FILE not in [each.check for each in result.findings]


def test_other_splits_and_what_describes_the_text_are_not_noted_as_unread(write):
    dev = {"dev/eng.dev": EN, "dev/fra.dev": FR, "README": "x\n", "README.md": "x\n"}
    folder = write({**dev, "devtest/eng.devtest": "x y\n", "devtest/fra.devtest": "z a\n"})
    write({"metadata_dev.tsv": "URL\tdomain\nx\ty\n", "dev/index.tsv": "id\ten\n1\t2\n", "en/notes": "x\n"})
    write({"other/vocabulary.json": '{"en": 1, "fr": 2}', "other/numbers.tsv": "en\tfr\n1\t2\n"})
    write({"dev/wol.dev": WO, "other/en.txt": EN, "other/wo.txt": WO})
    write({f"dev/README.{code}.txt": "about\n" for code in ("en", "fr")})
    for split in (None, "dev"):
        result = check_data(folder, ["en", "fr"], split)
        assert not [each for each in result.findings if each.check is Check.FILE]
    assert "not read: other/en.txt, other/wo.txt" in str(check_data(folder, None, "dev").findings)


def test_what_is_noted_as_unread_beside_a_split_with_a_name_of_its_own_has_that_name(write):
    folder = write({f"{split}.{code}": EN for split in ("news", "wiki") for code in ("en", "fr")})
    write({f"old/news.{code}": EN for code in ("en", "fr")})
    findings = check_data(folder, ["en", "fr"], "news").findings
    (message,) = [each.message for each in findings if each.check is Check.FILE]
    assert message.startswith("not read: old/news.en, old/news.fr, since")


def test_flores_is_usable(flores):
    result = check_data(flores)
    assert result.usable
    assert len(result.languages) >= 30
    assert [split.languages[0].lines for split in result.splits] == [997, 1012]
    assert not [finding for finding in result.findings if sum(finding.languages.values()) > 60]


@pytest.mark.parametrize(
    ("given", "problem", "flag"),
    [
        ({"split": "nope"}, "has no split 'nope'; it holds dev", "--split"),
        ({"against": "nope"}, "no text at {}/nope, and no split 'nope'", "--against"),
    ],
)
def test_text_that_is_not_there_is_said_with_flags_of_this_command(write, given, problem, flag):
    folder = write({"dev/eng.dev": EN, "dev/fra.dev": FR})
    with pytest.raises(InputError) as error:
        check_data(
            folder, **{key: folder / value if key == "against" else value for key, value in given.items()}
        )
    assert problem.format(folder) in error.value.message and flag in error.value.hint
    assert not any(word in error.value.hint for word in ("--train", "--test", "--hold-out"))
    with pytest.raises(InputError, match="no text at /nonexist") as error:
        check_data(folder, against=Path("/nonexist"))
    assert "bin" not in error.value.message
