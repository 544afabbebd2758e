"""``lslo recipe``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from typer import Argument, Option

from lslo_cli.cli import console
from lslo_cli.cli.command_options import CommandOptions
from lslo_cli.cli.completion import offering, recipes
from lslo_cli.cli.flags import takes


@dataclass(frozen=True, kw_only=True)
class RecipeOptions(CommandOptions):
    name: Annotated[
        str | None,
        Argument(
            metavar="[NAME|FILE]", autocompletion=offering(recipes), help="A recipe; default: list all."
        ),
    ] = None
    assignments: Annotated[
        list[str] | None,
        Option("--set", metavar="KEY=VALUE", help="Set a recipe key. Repeatable; default: none."),
    ] = None


@takes(RecipeOptions)
def recipe(options: RecipeOptions) -> None:
    """List the recipes, or show one with every key and its value.

    A recipe is a TOML file with the settings of an experiment. Save what this prints, change it, and use it
    with --recipe FILE.

    Example: lslo recipe demo > mine.toml
    """
    from lslo_cli.recipe import recipe_names, resolve, to_toml

    if options.name is not None:
        print(to_toml(resolve(options.name, assignments=options.assignments or ())), end="")
        return
    rows = [(each, resolve(each).description) for each in recipe_names()]
    console.show_facts(rows, "Recipes")
    console.say("next: lslo recipe NAME")
