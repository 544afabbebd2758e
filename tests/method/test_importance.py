from collections import defaultdict

import pytest

from lslo_cli.method.importance import (
    Pool,
    PrunedMatrix,
    importance_score,
    mean_demand,
    mean_demand_by_layer,
    scores_by_language,
)
from lslo_cli.method.shapes import ModelShape
from lslo_cli.method.sites import Kind, Layer, Site, Stack, sites

SHAPE = ModelShape(2, 2, 8, 16, 50, 0)
CODES = ("en", "fr", "wo")
RANK = 5
TARGET = 0.75


def prune_exactly(pool):
    """Every B, with the pool it is in, after each pool has lost ``TARGET`` of its entries from its start."""
    members = defaultdict(list)
    for site in sites(2, 2):
        for code in CODES:
            members[pool.key(site, code)].append((site, code, SHAPE.matrix(site)[0] * RANK))
    matrices = []
    for key, pooled in members.items():
        budget = TARGET * sum(size for _, _, size in pooled)
        assert budget == int(budget)
        for site, code, size in pooled:
            lost = min(size, int(budget))
            budget -= lost
            matrices.append((key, PrunedMatrix(site, code, lost, size)))
    return matrices


def test_the_score_is_positive_where_more_was_pruned_than_asked():
    site = Site.parse("encoder.1.q")
    assert importance_score(PrunedMatrix(site, "en", 80, 100), 0.7) == pytest.approx(10)
    assert importance_score(PrunedMatrix(site, "wo", 60, 100), 0.7) == pytest.approx(-10)


@pytest.mark.parametrize("pool", Pool)
def test_the_scores_of_every_pool_sum_to_zero_when_it_is_pruned_to_the_target(pool):
    sums = defaultdict(float)
    for key, matrix in prune_exactly(pool):
        sums[key] += importance_score(matrix, TARGET)
    assert all(total == pytest.approx(0) for total in sums.values())


@pytest.mark.parametrize(
    ("pool", "count"), [(Pool.LAYER, 4), (Pool.LAYER_KIND, 2 * 5 + 2 * 8), (Pool.LANGUAGE, 3)]
)
def test_there_are_as_many_pools_as_layers_matrices_or_languages(pool, count):
    assert len({pool.key(site, code) for site in sites(2, 2) for code in CODES}) == count


def test_a_pool_is_named_after_what_it_gathers():
    site = Site.parse("decoder.2.c-v")
    assert [pool.key(site, "wo") for pool in Pool] == ["decoder.2", "decoder.2.c-v", "wo"]


def test_scores_are_summed_over_the_sites_of_a_language():
    matrices = [
        PrunedMatrix(Site.parse("encoder.1.q"), "en", 9, 10),
        PrunedMatrix(Site.parse("decoder.1.fc1"), "en", 30, 40),
        PrunedMatrix(Site.parse("encoder.1.q"), "wo", 1, 10),
    ]
    assert scores_by_language(matrices, 0.5) == pytest.approx({"en": 14, "wo": -4})


def test_demand_is_the_negative_score_averaged_over_the_layers_of_one_stack():
    matrices = [
        PrunedMatrix(Site.parse("encoder.1.q"), "wo", 1, 10),
        PrunedMatrix(Site.parse("encoder.2.q"), "wo", 3, 10),
        PrunedMatrix(Site.parse("decoder.1.q"), "wo", 10, 10),
    ]
    assert mean_demand(matrices, 0.5, Stack.ENCODER) == pytest.approx({("wo", Kind.Q): 3})
    assert mean_demand(matrices, 0.5, Stack.DECODER) == pytest.approx({("wo", Kind.Q): -5})


def test_demand_by_layer_is_averaged_over_languages():
    matrices = [
        PrunedMatrix(Site.parse("encoder.1.q"), "wo", 1, 10),
        PrunedMatrix(Site.parse("encoder.1.q"), "en", 7, 10),
    ]
    assert mean_demand_by_layer(matrices, 0.5) == pytest.approx({(Layer(Stack.ENCODER, 1), Kind.Q): 1})
