import threading
import time
from contextlib import closing
from itertools import count, islice

import pytest

from lslo_cli.training.prefetch import made_ahead


def makers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("made-ahead")]


def within_a_second(condition):
    deadline = time.monotonic() + 1
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.001)
    return condition()


@pytest.mark.parametrize("size", [0, 1, 2, 3, 50])
@pytest.mark.parametrize("depth", [1, 2, 5])
def test_items_come_in_their_order_each_once(size, depth):
    assert list(made_ahead(range(size), depth)) == list(range(size))


def test_items_are_made_while_another_is_in_use_but_only_so_many():
    made = []
    with closing(made_ahead((made.append(number) or number for number in count()), depth=3)) as items:
        assert next(items) == 0
        assert within_a_second(lambda: made == [0, 1, 2, 3])
        time.sleep(0.02)
        assert made == [0, 1, 2, 3]


def test_items_are_made_in_another_thread():
    (name,) = made_ahead(threading.current_thread().name for _ in range(1))
    assert name.startswith("made-ahead")


def test_an_error_is_raised_where_the_item_would_have_been():
    def broken():
        yield 1
        yield 2
        raise ValueError("no third")

    items = made_ahead(broken(), depth=5)
    assert list(islice(items, 2)) == [1, 2]
    with pytest.raises(ValueError, match="no third"):
        next(items)
    assert not makers()


def test_the_thread_ends_with_the_last_item():
    assert list(made_ahead("ab")) == ["a", "b"]
    assert not makers()


def test_stopping_early_ends_the_thread_even_at_an_interrupt():
    with pytest.raises(KeyboardInterrupt), closing(made_ahead(count())) as items:
        for number in items:
            assert makers()
            if number == 3:
                raise KeyboardInterrupt
    assert not makers()


def test_nothing_is_made_before_the_first_item_is_asked_for():
    made = []
    items = made_ahead(made.append(number) for number in range(3))
    assert not made and not makers()
    items.close()
