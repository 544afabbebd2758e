import time

import pytest

from lslo_cli.errors import InputError, UsageError
from lslo_cli.parsing import DEPTH, parse_json, parse_toml
from lslo_cli.recipe.resolution import resolve


def test_values_are_read_as_they_are():
    assert parse_json(b'{"a": [1, 2.5, "\\u00e9", null]}') == {"a": [1, 2.5, "é", None]}
    assert parse_json('"\\ud83d\\ude00"') == "😀"
    assert parse_toml('a.b = [1, 2]\nc = "x.y"') == {"a": {"b": [1, 2]}, "c": "x.y"}


def test_many_brackets_side_by_side_are_not_deep():
    assert parse_json("[" + ",".join(["[]"] * 5000) + "]") == [[]] * 5000
    assert parse_json("[" * DEPTH + "]" * DEPTH)


@pytest.mark.parametrize("depth", [DEPTH + 1, 900, 2_000, 200_000])
@pytest.mark.parametrize("brackets", [("[", "]"), ('{"a":', "}")])
def test_json_nested_too_deep_is_refused_at_once(depth, brackets):
    opening, closing = brackets
    begin = time.process_time()
    with pytest.raises(ValueError, match="deep"):
        parse_json(opening * depth + "1" + closing * depth)
    assert time.process_time() - begin < 2


@pytest.mark.parametrize(
    "text",
    [
        "1e400",
        "-1e400",
        "NaN",
        "Infinity",
        '"\\ud800"',
        '{"\\udfff": 1}',
        b"\xff\xfe",
        "9" * 101,
        "9" * 9999,
        "",
    ],
)
def test_json_that_no_file_can_hold_is_refused(text):
    with pytest.raises(ValueError):
        parse_json(text)


@pytest.mark.parametrize("depth", [DEPTH + 2, 900, 2_000, 100_000])
@pytest.mark.parametrize("write", [lambda n: f"a = {'[' * n}{']' * n}", lambda n: f"{'a.' * n}b = 1"])
def test_toml_nested_too_deep_is_refused_at_once(depth, write):
    begin = time.process_time()
    with pytest.raises(ValueError, match="deep"):
        parse_toml(write(depth))
    assert time.process_time() - begin < 2


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{a=" * 100_000, "[" * 100 + "]" * 100, "9" * 400, "x" * 5000]
)
def test_an_assignment_that_cannot_be_meant_is_refused_in_a_few_words(text):
    with pytest.raises(UsageError) as caught:
        resolve(None, {"languages": "en,fr"}, [f"fit.lr={text}"])
    assert len(caught.value.message) < 2000


@pytest.mark.parametrize("dots", [4, 2_000, 100_000])
def test_a_key_with_many_dots_is_unknown(dots):
    with pytest.raises(UsageError, match="unknown key"):
        resolve(None, {}, [f"{'a.' * dots}b=1"])


def test_a_recipe_nested_too_deep_is_refused(tmp_path):
    path = tmp_path / "deep.toml"
    path.write_text(f"{'a.' * 100_000}b = 1\n")
    with pytest.raises(InputError, match="deep"):
        resolve(str(path))


def test_long_values_are_shortened_and_short_ones_are_not():
    assert InputError(f"no file {'x' * 300}").message == f"no file {'x' * 300}"
    error = InputError(f"no file {'x' * 5000} here", "y" * 5000)
    assert error.message.startswith("no file xxx") and error.message.endswith("xxx here")
    assert "4,740 characters" in error.message and len(error.message) < 400 and len(error.hint) < 400
    assert len(InputError("word " * 5000).message) < 2000


@pytest.mark.parametrize("name", ["../x", "../../x", "a/b", "/x", ".hidden", "..", "", "a\\b", "a\nb"])
def test_an_experiment_cannot_be_named_into_another_folder(tmp_path, name):
    with pytest.raises(UsageError, match="'name' cannot be"):
        resolve(None, {"name": name})
    path = tmp_path / "a.toml"
    path.write_text(f"name = '{name}'\n" if "\n" not in name else f'name = "{name!r}"\n')
    with pytest.raises((UsageError, InputError)):
        resolve(str(path))
