"""The built-in synthetic world: twelve generated languages of all resource levels, and a new language."""

from lslo_cli.world.languages import NAMES, NEWCOMERS, PIVOT, WORLD
from lslo_cli.world.sizes import Sizes, world
from lslo_cli.world.text import ROWS, WorldSplit, sentences, write_world

__all__ = [
    "NAMES",
    "NEWCOMERS",
    "PIVOT",
    "ROWS",
    "WORLD",
    "Sizes",
    "WorldSplit",
    "sentences",
    "world",
    "write_world",
]
