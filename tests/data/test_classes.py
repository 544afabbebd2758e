"""Classes for languages that nobody classed: asked for at once, or by the size of the text."""

import pytest

from lslo_cli.data.classes import class_of, with_classes
from lslo_cli.method.codes import MODEL_LANGUAGES
from lslo_cli.method.languages import LANGUAGES, Resource
from lslo_cli.method.relations import _CODES, FAMILY_OF
from lslo_cli.recipe import resolve


def test_every_language_of_a_published_model_has_one_family():
    listed = [code for codes in _CODES.values() for code in codes.split()]
    assert len(listed) == len(set(listed))
    assert set(listed) == set(MODEL_LANGUAGES) - set(LANGUAGES)
    assert all(language.family for language in LANGUAGES.values())


def test_a_family_is_known_where_only_the_class_is_given():
    classes = {f"languages.{code}.resource": "medium" for code in ("tr", "fi")}
    languages = resolve(given={"langs": "en,tr,fi", **classes}).selected_languages()
    assert [language.family for language in languages] == ["Germanic", FAMILY_OF["tr"], "Uralic"]


@pytest.mark.parametrize(
    ("pairs", "resource"),
    [
        (100_000_001, "high"),
        (100_000_000, "medium"),
        (1_000_000, "low"),
        (100_000, "very-low"),
        (0, "very-low"),
    ],
)
def test_the_thresholds_are_those_of_flores_101(pairs, resource):
    assert class_of(pairs) is Resource(resource)


def test_the_text_gives_classes_to_languages_without_and_leaves_the_others(write):
    """Rows count in which another language is there too."""
    rows = {"en": ["a", "b", "", "d"], "tr": ["a", "b", "c", ""], "kk": ["a", "", "", "d"]}
    text = write({f"train.{code}": "\n".join(lines) + "\n" for code, lines in rows.items()})
    given = {
        "langs": "en,tr,kk",
        "classes": "text",
        "data.path": str(text),
        "languages.kk.resource": "medium",
    }
    classed = with_classes(resolve(given=given))
    assert {language.code: language.resource for language in classed.selected_languages()} == {
        "en": Resource.HIGH, "tr": Resource.VERY_LOW, "kk": Resource.MEDIUM
    }  # fmt: skip


def test_a_large_text_makes_a_language_low_instead_of_very_low(write):
    size = 100_001
    text = write({f"train.{code}": "a b\n" * size for code in ("en", "tr")})
    recipe = resolve(given={"langs": "en,tr", "classes": "text", "data.path": str(text)})
    assert with_classes(recipe).selected_languages()[1].resource is Resource.LOW
