"""Worlds with other sizes of bitext: what changes, and that nothing else does."""

import pytest

from lslo_cli.data.text import read_text
from lslo_cli.method.languages import Resource
from lslo_cli.recipe import resolve
from lslo_cli.world import PIVOT, ROWS, WORLD, Sizes, WorldSplit, sentences, world


def sizes_of(languages):
    return {code: language.bitext for code, language in languages.items() if code != PIVOT}


def test_the_world_as_shipped_is_the_default():
    assert world() == world(Sizes.SHIPPED) == WORLD


def test_rotated_sizes_are_the_same_sizes_in_other_places():
    rotated = world(Sizes.ROTATED)
    assert sorted(sizes_of(rotated).values()) == sorted(sizes_of(WORLD).values())
    assert not any(rotated[code].bitext == size for code, size in sizes_of(WORLD).items())
    assert [each.resource for each in rotated.values()] == [each.resource for each in WORLD.values()]
    very_low = [each.bitext for each in rotated.values() if each.resource is Resource.VERY_LOW]
    others = [
        each.bitext for each in rotated.values() if each.bitext and each.resource is not Resource.VERY_LOW
    ]
    assert min(very_low) > max(others)


def test_equal_sizes_are_about_as_much_bitext_in_all():
    (size,) = set(sizes_of(world(Sizes.EQUAL)).values())
    assert size * 11 == pytest.approx(sum(sizes_of(WORLD).values()), rel=0.01)


def test_related_sizes_leave_every_very_low_language_a_better_off_relative():
    def without_relative(languages):
        return [
            each.code
            for each in languages.values()
            if each.resource is Resource.VERY_LOW
            and not any(
                other.family == each.family and other.resource is not Resource.VERY_LOW
                for other in languages.values()
            )
        ]

    assert without_relative(WORLD) == ["qha", "qhe"]
    related = world(Sizes.RELATED)
    assert without_relative(related) == []
    assert sorted(sizes_of(related).values()) == sorted(sizes_of(WORLD).values())
    ordered = sorted(related.values(), key=lambda each: -(each.bitext or 10**9))
    assert [each.resource for each in ordered] == [each.resource for each in WORLD.values()]


@pytest.mark.parametrize("sizes", Sizes)
def test_sizes_change_the_text_behind_the_base_and_no_other(sizes):
    codes = ("qta", "qgi", "qha")
    text = sentences(WorldSplit.PRETRAIN, codes=codes, sizes=sizes)
    for code in codes:
        assert sum(map(bool, text[code])) == (world(sizes)[code].bitext or ROWS[WorldSplit.PRETRAIN])
    assert sentences(WorldSplit.TRAIN, codes=codes, sizes=sizes) == sentences(WorldSplit.TRAIN, codes=codes)


@pytest.mark.parametrize("sizes", [Sizes.ROTATED, Sizes.EQUAL, Sizes.RELATED])
def test_every_control_has_a_recipe_and_one_for_its_base(sizes):
    recipe, base = resolve(f"world-{sizes}"), resolve(f"world-{sizes}-base")
    shipped = resolve("world-base")
    assert (recipe.data.world, base.data.world) == (sizes, sizes)
    assert {each.code: each for each in recipe.selected_languages()} == world(sizes)
    assert base.base == shipped.base and base.fit == shipped.fit
    assert recipe.model.name == f"models/{recipe.name}"
    text = read_text(base, ["qgi", "qha"], base.data.train).sections[0].text
    assert sum(map(bool, text["qha"])) == world(sizes)["qha"].bitext
