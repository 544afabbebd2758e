"""Recipe files: finding one by name or path, and reading it with those it extends."""

from __future__ import annotations

from pathlib import Path

from lslo_cli.errors import InputError, UsageError, nearest
from lslo_cli.home import with_home
from lslo_cli.parsing import parse_toml
from lslo_cli.recipe.layers import SettingsLayer, normalise


def recipe_folder() -> Path:
    """The folder of the recipes that come with lslo: inside the package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "recipes"
    return inside if inside.is_dir() else package.parent / "recipes"


def recipe_names() -> list[str]:
    """The names that ``--recipe`` takes besides paths."""
    return sorted(path.stem for path in recipe_folder().glob("*.toml"))


def find_recipe(name: str, extending: Path | None = None) -> Path:
    """The file of a recipe given by path or by name; a path in ``extends`` is relative to its file.

    Raises InputError, listing the known names.
    """
    path = (extending.parent if extending else Path()) / with_home(name)
    if path.suffix == ".toml" and path.is_file():
        return path
    if name in recipe_names():
        return recipe_folder() / f"{name}.toml"
    wanted = f"'{name}', which {extending} extends." if extending else f"'{name}'."
    raise InputError(
        f"no recipe {wanted}{nearest(name, recipe_names())}",
        f"give a path to a .toml file, or one of: {', '.join(recipe_names())}",
    )


def has_settings(name: str) -> bool:
    """Whether this names a recipe that itself sets more than what to reproduce."""
    try:
        own = recipe_layers(find_recipe(name))[-1].values
    except InputError:
        return False
    return not own.keys() <= {"description", "reproduce"}


def recipe_layers(path: Path, extended_by: tuple[Path, ...] = ()) -> list[SettingsLayer]:
    """The values of a recipe, after those of the recipe it extends.

    Raises InputError if a file is missing or not TOML, UsageError if ``extends`` is circular
    or a key is given in two spellings.
    """
    if path.resolve() in extended_by:
        raise UsageError(f"recipe {path} extends itself", "remove the circle in the 'extends' keys")
    try:
        values = normalise(parse_toml(path.read_text(encoding="utf-8-sig")), f" in recipe {path}")
    except ValueError as error:
        raise InputError(f"recipe {path} is not valid TOML: {error}", "fix the line it names") from None
    except OSError as error:
        raise InputError(
            f"cannot read recipe {path}: {error.strerror}", "check the file's permissions"
        ) from None
    parent = values.pop("extends", None)
    layer = SettingsLayer(f" in recipe {path}", values)
    if parent is None:
        return [layer]
    if not isinstance(parent, str):
        raise UsageError(
            f"'extends' cannot be {parent!r}{layer.where}", "give the name or path of one recipe"
        )
    return [*recipe_layers(find_recipe(parent, extending=path), (*extended_by, path.resolve())), layer]
