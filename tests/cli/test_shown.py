"""Every kind of artifact can be shown."""

from lslo_cli.artifacts.schema import Result
from lslo_cli.cli.shown import SHOWN


def test_every_kind_of_artifact_is_in_the_table():
    kinds, classes = set(), [Result]
    while classes:
        kind = classes.pop()
        classes += kind.__subclasses__()
        if "kind" in vars(kind) and kind.__module__.startswith("lslo_cli."):
            kinds.add(kind)
    assert set(SHOWN) == kinds
