"""``lslo recipe``."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from lslo_cli.cli import console


def recipe(
    name: Annotated[str | None, Argument(metavar="[NAME|FILE]", help="A recipe; default: list all.")] = None,
    assignments: Annotated[
        list[str] | None,
        Option("--set", metavar="KEY=VALUE", help="Set a recipe key. Repeatable; default: none."),
    ] = None,
) -> None:
    """List the recipes, or show one with every key and its value.

    A recipe is a TOML file with the settings of an experiment. Save what this prints, change it, and use it
    with --recipe FILE.

    Example: lslo recipe demo > mine.toml
    """
    from lslo_cli.recipe import recipe_names, resolve, to_toml

    if name is not None:
        print(to_toml(resolve(name, assignments=assignments or ())), end="")
        return
    rows = [(each, resolve(each).description) for each in recipe_names()]
    console.show_facts(rows, "Recipes")
    console.say("next: lslo recipe NAME")
