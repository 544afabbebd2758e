"""The built-in synthetic world: twelve languages made by code, with text at every resource level."""

from lslo_cli.world.languages import NAMES, PIVOT, WORLD
from lslo_cli.world.text import ROWS, Split, sentences, write_world

__all__ = ["NAMES", "PIVOT", "ROWS", "WORLD", "Split", "sentences", "write_world"]
