"""Source states that are kept for other runs."""

import pytest
import torch

from lslo_cli.flare.source import SourceStates
from lslo_cli.flare.source_cache import CACHED_BYTES, SourceCache


@pytest.fixture
def computed():
    """The names of states in the order in which they were computed."""
    return []


def ask(cache, computed, name, size=10):
    def compute():
        computed.append(name)
        return SourceStates({"encoder.1": torch.zeros(1, 1, size)})

    return cache.states(name, size, compute)


def test_what_is_kept_is_not_computed_again(computed):
    cache = SourceCache()
    assert cache.limit == CACHED_BYTES
    assert ask(cache, computed, "a") is ask(cache, computed, "a")
    assert computed == ["a"] and len(cache) == 1


def test_the_longest_unused_make_room_so_that_all_together_stay_within_the_limit(computed):
    cache = SourceCache(limit=25)
    for name in ("a", "b", "a", "c", "a", "b"):
        ask(cache, computed, name)
        assert len(cache) <= 2
    assert computed == ["a", "b", "c", "b"]  # c took the room of b, then b that of c
    ask(cache, computed, "large", 25)
    assert len(cache) == 1


def test_nothing_is_kept_once_it_is_cleared(computed):
    cache = SourceCache()
    ask(cache, computed, "a")
    cache.clear()
    ask(cache, computed, "a")
    assert computed == ["a", "a"]
