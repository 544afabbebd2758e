from pathlib import Path

import pytest

from lslo_cli.data.splits import DEV_ROWS, HELD_OUT, check_text, note_on_text, with_splits
from lslo_cli.data.text import read_text
from lslo_cli.errors import InputError, UsageError
from lslo_cli.recipe import resolve


def text_at(folder, *splits, rows=30):
    for split in splits:
        for code in ("en", "fr"):
            lines = "".join(f"{split} {code} {row}\n" for row in range(rows))
            (folder / f"{split}.{code}").write_text(lines)
    return folder


def chosen(folder, **given):
    data = with_splits(resolve(given={"data.path": str(folder)} | given)).data
    return data.train, data.test


@pytest.mark.parametrize(
    ("splits", "train", "test"),
    [
        (("train", "dev", "test"), "train", "test"),
        (("train", "dev"), "train", "dev"),
        (("dev", "devtest"), "dev", "devtest"),
        (("dev", "test"), "dev", "test"),
        (("train", "validation"), "train", "validation"),
        (("dev",), "dev", "devtest"),
    ],
)
def test_the_splits_that_are_there_are_taken_and_none_serves_twice(tmp_path, splits, train, test):
    assert chosen(text_at(tmp_path, *splits)) == (train, test)


def test_splits_that_are_given_are_kept(tmp_path):
    folder = text_at(tmp_path, "train", "dev", "test")
    assert chosen(folder, **{"data.train": "dev"}) == ("dev", "test")
    assert chosen(folder, **{"data.test": "dev"}) == ("train", "dev")
    assert chosen("world") == ("train", "test")


def test_text_without_splits_is_divided_and_read_in_two_parts(tmp_path):
    for code in ("en", "fr"):
        (tmp_path / f"{code}.txt").write_text("".join(f"{code} {row}\n" for row in range(30)))
    recipe = with_splits(resolve(given={"data.path": str(tmp_path), "data.hold_out": 5}))
    assert (recipe.data.train, recipe.data.test) == ("", HELD_OUT)
    train, test = (read_text(recipe, ("en", "fr"), split) for split in ("", HELD_OUT))
    assert [len(part.sections[0]) for part in (train, test)] == [25, 5]
    assert set(train.sections[0].text["en"]).isdisjoint(test.sections[0].text["en"])
    again = with_splits(recipe)
    assert read_text(again, ("en", "fr"), HELD_OUT).digest == test.digest


def test_two_texts_to_test_on_are_refused(tmp_path):
    with pytest.raises(UsageError, match="two texts to test on"):
        chosen(text_at(tmp_path, "train", "test"), **{"data.test": "test", "data.hold_out": 5})


@pytest.mark.parametrize(
    ("given", "of_training", "of_testing"),
    [
        ({"data.train": "dev", "data.test": "dev"}, False, False),
        ({"data.train": "", "data.test": ""}, False, False),
        ({"data.test": "dev"}, False, True),  # of the base model alone
        ({"data.train": "devtest"}, True, True),
        ({"data.train": "devtest", "data.test": "dev"}, True, True),
    ],
)
def test_a_split_is_not_both_trained_and_tested_on(tmp_path, given, of_training, of_testing):
    folder = text_at(tmp_path, "dev", "devtest")
    recipe = resolve(given={"data.path": str(folder), "langs": "en,fr"} | given)
    for testing, allowed in ((False, of_training), (True, of_testing)):
        if allowed:
            check_text(recipe, testing)
        else:
            with pytest.raises(UsageError, match="would be both trained and tested on"):
                check_text(recipe, testing)


def test_the_only_split_is_not_tested_on_once_it_is_trained_on(tmp_path):
    folder = text_at(tmp_path, "devtest")
    recipe = resolve(given={"data.path": str(folder), "langs": "en,fr", "data.train": "devtest"})
    check_text(recipe)
    with pytest.raises(UsageError, match="'devtest' of .* both trained and tested on"):
        check_text(recipe, testing=True)


@pytest.mark.parametrize(("train", "test"), [("train", ""), ("", "train")])
def test_the_whole_of_a_text_is_its_only_split(tmp_path, train, test):
    (tmp_path / "train").mkdir()
    text_at(tmp_path / "train", "train")
    given = {"data.path": str(tmp_path), "langs": "en,fr", "data.train": train, "data.test": test}
    for testing in (False, True):
        with pytest.raises(UsageError, match="the split 'train' of .* both trained and tested on"):
            check_text(resolve(given=given), testing)
    for code in ("en", "fr"):  # beside which the split is not read
        (tmp_path / f"{code}.txt").write_text("a\n")
    check_text(resolve(given=given), testing=True)


def test_text_without_splits_that_is_not_divided_is_refused_with_the_way_out(tmp_path):
    for code in ("en", "fr"):
        (tmp_path / f"{code}.txt").write_text("a\n")
    recipe = with_splits(resolve(given={"data.path": str(tmp_path)}))
    with pytest.raises(InputError) as error:
        read_text(recipe, ("en", "fr"), recipe.data.train)
    assert "--hold-out" in error.value.hint


def test_a_tilde_is_the_home_of_the_user(monkeypatch):
    home = str(Path("~").expanduser())
    assert resolve(given={"data.path": "~/text"}).data.path == f"{home}/text"
    for key in ("data", "translations"):
        assert getattr(resolve(given={f"flare.{key}": "~/text"}).flare, key) == f"{home}/text"
    monkeypatch.setenv("LSLO_DATA", "~/other")
    assert resolve().data.path == f"{home}/other"


def test_dev_rows_are_neither_trained_nor_tested_on(tmp_path):
    for code in ("en", "fr"):
        (tmp_path / f"{code}.txt").write_text("".join(f"{code} {row}\n" for row in range(30)))
    given = {"data.path": str(tmp_path), "data.hold_out": 5, "data.dev_rows": 4}
    recipe = with_splits(resolve(given=given))
    parts = [
        read_text(recipe, ("en", "fr"), split).sections[0].text["en"] for split in ("", DEV_ROWS, HELD_OUT)
    ]
    assert [len(part) for part in parts] == [21, 4, 5]
    assert sorted(line for part in parts for line in part) == sorted(f"en {row}" for row in range(30))
    again = read_text(recipe.model_copy(update={"seed": 9}), ("en", "fr"), DEV_ROWS)
    assert again.sections[0].text["en"] != parts[1]


def test_dev_rows_come_from_what_train_rows_leaves_unused(tmp_path):
    folder = text_at(tmp_path, "train", "test")
    whole = resolve(given={"data.path": str(folder), "data.train": "train", "data.train_rows": 20})
    divided = resolve(
        given={"data.path": str(folder), "data.train": "train", "data.train_rows": 20, "data.dev_rows": 10}
    )
    texts = [read_text(recipe, ("en", "fr"), "train").limit(20).digest for recipe in (whole, divided)]
    assert texts[0] == texts[1]
    assert len(read_text(divided, ("en", "fr"), DEV_ROWS).sections[0]) == 10


def test_text_that_neither_split_of_a_recipe_has_is_noted(tmp_path):
    folder = text_at(tmp_path, "train", "test", "dev")
    given = {"data.path": str(folder), "langs": "en,fr"}
    assert note_on_text(resolve(given=given)) == ""
    assert note_on_text(resolve(given={"data.path": "world"})) == ""
    (folder / "bible").mkdir()
    text_at(folder / "bible", "train", "dev")
    for more in ({}, {"data.hold_out": 3}, {"data.test": "nosuch"}):
        note = note_on_text(resolve(given=given | more))
        assert note.startswith("not read: bible/train.en, bible/train.fr, since")
    assert note_on_text(resolve(given=given | {"langs": "en,wo"})) == ""
