import pytest

from lslo_cli.stages.setup import prepare


@pytest.fixture
def setup(tiny):
    """Prepare a stage of the tiny experiment, with other settings by dotted key."""

    def setup(on_event=None, **changes):
        rest = {"on_event": on_event} if on_event else {}
        return prepare(tiny.recipe(**changes), **rest)

    return setup
