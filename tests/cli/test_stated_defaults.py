"""The defaults that help texts state are those that a plain command gets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import MISSING
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from lslo_cli.cli.app import app
from lslo_cli.cli.flags import describe, flags_of
from lslo_cli.data.splits import TEST, TRAIN, with_splits
from lslo_cli.method.languages import Resource
from lslo_cli.recipe import Recipe, resolve
from lslo_cli.recipe.keys import key_facts

DEFAULT = re.compile(r"default: (.+)\.$", re.IGNORECASE)
OF_FLARE = {
    "name": "the recipe's name or flare-TASK",
    "flare.translations": "the recipe's flare.translations",
}
IN_WORDS = {
    "data.train": "the first there is of train, dev, valid",
    "data.test": "the first there is of test, devtest, dev, valid, but for that of --train",
    "train.ranks": "2 for high and medium, 8 for low and very-low",
    "train.gps": "0.9 without --ranks, else 0",
}
"""What help says of keys whose default depends on other settings, each with a test below."""


def commands(group: Any, prefix: str = "lslo") -> Iterator[Any]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix} {name}")
        elif hasattr(getattr(command.callback, "options_class", None), "resolve"):
            yield pytest.param(command, id=f"{prefix} {name}")


def value_at(recipe: Recipe, key: str) -> Any:
    value: Any = recipe
    for part in key.split("."):
        value = getattr(value, part)
    return value


@pytest.mark.parametrize("command", list(commands(get_command(app))))
def test_a_default_that_help_states_is_what_a_plain_command_gets(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    describe(command)
    options_class = command.callback.options_class
    required = {flag.field: Path("x") for flag in flags_of(options_class) if flag.default is MISSING}
    recipe = options_class(**required).resolve()
    said = {parameter.name: parameter.help for parameter in command.params}
    for flag in flags_of(options_class):
        key = flag.key.name if flag.key else ""
        found = DEFAULT.search(said[flag.field]) if key else None
        if found is None or found[1] == IN_WORDS.get(key) or found[1] == OF_FLARE.get(key):
            continue
        value = value_at(recipe, key)
        if value in (None, ()):
            assert not re.match(r"\d", found[1]), flag.name
        else:
            assert value_at(resolve(assignments=[f"{key}={found[1]}"]), key) == value, flag.name


@pytest.mark.parametrize("key", IN_WORDS)
def test_a_default_in_words_is_the_only_one_in_its_help(key):
    assert key_facts(key).help.lower().count("default") == 1
    assert key_facts(key).help.lower().endswith(f"default: {IN_WORDS[key]}.")


@pytest.mark.parametrize("langs", ["lang12", "lang30", "world12", "en,fr"])
def test_the_default_ranks_are_those_that_help_states(langs):
    recipe = resolve(given={"langs": langs})
    ranks = recipe.given_ranks()
    for each in recipe.selected_languages():
        assert ranks.of(each.code) == (2 if each.resource in (Resource.HIGH, Resource.MEDIUM) else 8)


@pytest.mark.parametrize(
    ("given", "ratio"),
    [
        ({}, 0.9),
        ({"train.ranks": "2,2,8"}, 0),
        ({"train.ranks": "auto"}, 0),
        ({"train.gps": "auto"}, 0.9),
        ({"train.method": "lora"}, 0),
        ({"train.method": "full"}, 0),
        ({"new_languages": {"tyv": "kk"}}, 0),
    ],
)
def test_the_default_ratio_of_pruning_is_the_one_that_help_states(given, ratio):
    assert resolve(given=given).train.gps == ratio


@pytest.mark.parametrize(
    ("recipe", "given", "ratio"),
    [
        ("lang12", {"train.method": "full"}, 0),
        ("lang12", {"train.method": "full", "train.gps": 0.5}, 0.5),
        ("lang12", {"train.method": "lslo"}, 0.9),
    ],
)
def test_a_baseline_leaves_the_ratio_of_its_recipe_out_in_python_too(recipe, given, ratio):
    assert resolve(recipe, given).train.gps == ratio
    assignments = [f"{key}={value}" for key, value in given.items()]
    assert resolve(recipe, assignments=assignments).train.gps == ratio


@pytest.mark.parametrize("key", ["train", "test"])
def test_the_default_splits_are_those_that_help_states(key, tmp_path):
    order = TRAIN if key == "train" else TEST
    stated = re.search(r"there is of ([\w, ]+?)(, but|$)", IN_WORDS[f"data.{key}"])
    assert stated and tuple(stated[1].split(", ")) == order[: stated[1].count(",") + 1]
    for split in ("dev", "devtest"):
        (tmp_path / split).mkdir()
        (tmp_path / split / f"eng.{split}").write_text("one\n")
    data = with_splits(resolve(given={"data.path": str(tmp_path)})).data
    assert (data.train, data.test) == ("dev", "devtest")


@pytest.mark.parametrize("line", ["", "train", "plot", "plot heatmap", "data check"])
def test_a_switch_has_no_type(line):
    shown = CliRunner().invoke(app, [*line.split(), "--help"], env={"COLUMNS": "200"}).output
    assert "--help" in shown
    assert "<bool>" not in shown
    assert "INTEGER" not in shown
