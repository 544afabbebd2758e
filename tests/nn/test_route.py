import pytest
import torch

from lslo_cli.method.strategy import Index
from lslo_cli.nn.route import Route

SOURCE, TARGET = torch.tensor([0, 2, 1]), torch.tensor([1, 0, 2])


def test_a_route_gives_each_row_its_language_on_either_side():
    route = Route()
    with route.of(SOURCE, TARGET):
        assert route.languages(Index.SOURCE, 3).tolist() == [0, 2, 1]
        assert route.languages(Index.TARGET, 3).tolist() == [1, 0, 2]


def test_beams_are_neighbouring_rows_of_their_sentence():
    route = Route()
    with route.of(SOURCE, TARGET):
        assert route.languages(Index.TARGET, 6).tolist() == [1, 1, 0, 0, 2, 2]


def test_without_a_batch_there_is_no_language_to_guess():
    route = Route()
    with pytest.raises(RuntimeError, match="outside of Route.of"):
        route.languages(Index.SOURCE, 3)
    with route.of(SOURCE, TARGET):
        pass
    with pytest.raises(RuntimeError, match="outside of Route.of"):
        route.languages(Index.SOURCE, 3)


@pytest.mark.parametrize("rows", [2, 4, 7])
def test_rows_that_are_no_multiple_of_the_batch_are_refused(rows):
    route = Route()
    with route.of(SOURCE, TARGET), pytest.raises(RuntimeError, match=f"{rows} rows .* 3 sentences"):
        route.languages(Index.SOURCE, rows)


def test_a_route_within_a_route_gives_way_to_the_outer_one_even_after_an_error():
    route = Route()
    with route.of(SOURCE, TARGET):
        with pytest.raises(ValueError), route.of(TARGET, SOURCE):
            assert route.languages(Index.SOURCE, 3).tolist() == [1, 0, 2]
            raise ValueError
        assert route.languages(Index.SOURCE, 3).tolist() == [0, 2, 1]
