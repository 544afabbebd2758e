"""The splits that an experiment trains and tests on, and whether they exist."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from lslo_cli.data.layouts import find_sections, find_splits
from lslo_cli.data.passed_over import note_on_unread
from lslo_cli.errors import InputError, UsageError
from lslo_cli.recipe import Recipe
from lslo_cli.wording import typed

WORLD_NAME = "world"
"""The path that means the built-in world."""
TRAIN = ("train", "dev", "valid", "validation", "val")
TEST = ("test", "devtest", "dev", "valid", "validation", "val")
"""The default splits for training and for testing, in order of preference."""
HELD_OUT = "held out"
"""The split that ``data.hold_out`` makes of the training text."""
DEV_ROWS = "dev rows"
"""The split that ``data.dev_rows`` makes of the training text: for choosing, never for testing."""


def with_splits(recipe: Recipe, testing: bool = True) -> Recipe:
    """The recipe with the splits that its text has, unless it gives its own.

    Text without splits is trained on as a whole if it is divided, or without ``testing``. No split is both
    trained and tested on: text with only a dev split has no test split. If nothing fits, the recipe's default
    stays, and reading it raises. Raises UsageError for two test texts.
    """
    data = recipe.data
    given = data.model_fields_set
    if data.hold_out and "test" in given and data.test != HELD_OUT:
        raise UsageError(
            f"data.hold_out = {data.hold_out} and data.test = '{data.test}' are two texts to test on",
            "leave out --hold-out or --test",
        )
    there = ["train", "test"] if data.path == WORLD_NAME else find_splits(Path(data.path))
    chosen = {}
    if "train" not in given:
        found = [split for split in TRAIN if split in there]
        if found or ((data.hold_out or not testing) and not there):
            chosen["train"] = found[0] if found else ""
    train = chosen.get("train", data.train)
    if data.hold_out:
        chosen["test"] = HELD_OUT
    elif "test" not in given and (found := [split for split in TEST if split in there and split != train]):
        chosen["test"] = found[0]
    return recipe.model_copy(update={"data": data.model_copy(update=chosen)}) if chosen else recipe


def is_test_trained_on(recipe: Recipe) -> bool:
    """Whether the text to test on is the training text, as the base model alone may be tested on it.

    The whole of a text, the split '', may be its only split.
    """
    data = with_splits(recipe).data
    if data.train == data.test or "" not in (data.train, data.test) or data.path == WORLD_NAME:
        return data.train == data.test
    return not _files(recipe, data.train).isdisjoint(_files(recipe, data.test))


def _files(recipe: Recipe, split: str) -> set[Path]:
    """The files of a split; none where it is not there, which is said where it is read."""
    languages = [language.code for language in recipe.selected_languages()]
    with suppress(InputError):
        found = find_sections(Path(recipe.data.path), languages, split or None)
        return {path for section in found for path in section.files.values()}
    return set()


def check_splits(recipe: Recipe, testing: bool = False) -> None:
    """Raise UsageError if one split is given to train and test on; the base model alone may use any."""
    given = recipe.data.model_fields_set
    if ("train" if testing else "test") in given and is_test_trained_on(recipe):
        data = with_splits(recipe).data
        raise UsageError(
            f"the split '{data.test or data.train}' of {data.path} would be both trained and tested on",
            "name another split with --test, or leave out --test and divide the text with --hold-out ROWS",
        )


def check_text(recipe: Recipe, testing: bool = False) -> None:
    """Raise InputError if the text to train or test on is clearly missing, without reading it.

    Raises UsageError as :func:`check_splits` does.
    """
    check_splits(recipe, testing)
    data = with_splits(recipe).data
    if data.path == WORLD_NAME:
        return
    path = Path(data.path)
    if not path.exists() and "path" not in data.model_fields_set:
        raise InputError(
            f"no text at {path}, the default",
            f"`{typed('data fetch', 'flores101', '--to', path)}` fetches the paper's, or give --data PATH",
        )
    split = data.train if not testing or data.test == HELD_OUT else data.test
    find_sections(path, [language.code for language in recipe.selected_languages()], split or None)


def note_on_text(recipe: Recipe, testing: bool = True) -> str:
    """A note on text at the recipe's path that its splits do not have, "" for none."""
    data = with_splits(recipe, testing).data
    path = Path(data.path)
    if data.path == WORLD_NAME or not path.is_dir():
        return ""
    languages = [language.code for language in recipe.selected_languages()]
    splits = [split for split in (data.train, data.test)[: 1 + testing] if split != HELD_OUT]
    found = []
    for split in splits:
        with suppress(InputError):  # what is missing is said where it is read
            found += find_sections(path, languages, split or None)
    return note_on_unread(path, languages, list(filter(None, splits)), found)
