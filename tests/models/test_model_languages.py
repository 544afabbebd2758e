"""The languages of a base model, told by its tokenizer's files, and the names that a recipe has for them."""

import json

import pytest

from lslo_cli.errors import InputError, UsageError
from lslo_cli.method.codes import MODEL_LANGUAGES
from lslo_cli.method.families import FAMILIES
from lslo_cli.method.languages import Resource
from lslo_cli.models.model_languages import (
    check_model_languages,
    model_languages,
    with_languages,
    with_model_languages,
)
from lslo_cli.models.tokenizer_files import language_ids
from lslo_cli.recipe import resolve

TOKENS = ["<s>", "<pad>", "</s>", "<unk>", "a", "b"]
LANGUAGES = ["eng_Latn", "kaz_Cyrl", "tyv_Cyrl", "crh_Latn", "aaa_Latn", "aaa_Cyrl"]


@pytest.fixture
def folder(tmp_path):
    """The tokenizer of a model of the NLLB kind with a language that no table has."""
    ids = {token: number for number, token in enumerate([*TOKENS, *LANGUAGES])}
    added = [{"content": token, "id": ids[token]} for token in LANGUAGES]
    content = {"model": {"vocab": {token: ids[token] for token in TOKENS}}, "added_tokens": added}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "NllbTokenizer"}')
    return tmp_path


def recipe(folder, langs, **settings):
    return resolve(None, {"model.name": str(folder), "langs": langs} | settings)


def codes(recipe):
    return [language.code for language in recipe.selected_languages()]


def test_a_folder_a_published_model_and_the_built_in_one_tell_their_languages(folder):
    assert model_languages(str(folder))[:3] == ("en", "kk", "tyv_Cyrl")
    assert "wo" in model_languages("facebook/nllb-200-distilled-600M")
    assert len(model_languages("world")) == 12
    assert model_languages("someone/a-model") == ()


def test_files_of_another_type_of_model_are_refused_by_the_type(tmp_path):
    """Those of opus-mt, whose vocabulary begins otherwise."""
    (tmp_path / "vocab.json").write_text('{"</s>": 0, "<unk>": 1, "a": 2, "<pad>": 3}')
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "MarianTokenizer"}')
    with pytest.raises(InputError, match="vocab.json are not 0 to"):
        model_languages(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "marian"}')
    with pytest.raises(InputError, match="of type 'marian', not 'm2m_100'"):
        model_languages(str(tmp_path))


@pytest.mark.parametrize("name", ["tyv", "TYV", "tyv_Cyrl"])
def test_a_language_that_only_the_model_has_is_taken_under_its_names(folder, name):
    found = with_model_languages(recipe(folder, f"en,{name}"))
    assert codes(found) == ["en", "tyv_Cyrl"]
    assert found.selected_languages()[1].resource is Resource.UNLABELLED
    assert found.experiment == f"en-{name}"
    check_model_languages(found)


def test_it_keeps_the_class_that_it_is_given(folder):
    given = recipe(folder, "en,tyv", **{"languages.tyv.resource": "low"})
    assert with_model_languages(given).selected_languages()[1].resource is Resource.LOW


def test_a_new_language_beside_it_is_once_in_the_name(folder):
    given = recipe(folder, "en,tyv", **{"new_languages.kom": "kk"})
    assert with_model_languages(given).experiment == given.experiment == "en-tyv-kom"
    many = ",".join([*sorted(MODEL_LANGUAGES)[:50], "tyv"])
    given = recipe(folder, many, **{"new_languages.kom": "kk"})
    assert with_model_languages(given).experiment == given.experiment
    assert given.experiment.startswith("52-languages-")


def test_a_bare_code_of_two_scripts_is_not_guessed(folder):
    with pytest.raises(UsageError, match="unknown language 'aaa'. Did you mean 'aaa_Latn'"):
        check_model_languages(with_model_languages(recipe(folder, "en,aaa")))


def test_what_is_no_language_is_refused_with_what_the_model_has(folder):
    with pytest.raises(UsageError, match="unknown language 'tyv_Cyr'. Did you mean 'tyv_Cyrl'") as caught:
        check_model_languages(with_model_languages(recipe(folder, "en,tyv_Cyr")))
    assert "en, kk, tyv_Cyrl" in caught.value.hint


def test_a_language_that_the_model_lacks_is_refused_and_may_be_added(folder):
    with pytest.raises(InputError, match="no token for wo"):
        check_model_languages(recipe(folder, "en,wo"))
    check_model_languages(recipe(folder, "en,kk", **{"new_languages.wo": "en"}))
    with pytest.raises(UsageError, match="knows this language already"):
        check_model_languages(recipe(folder, "en,kk", **{"new_languages.kaz": "en"}))


def test_a_recipe_whose_languages_the_tables_have_stays_as_it_is(folder):
    known = recipe(folder, "en,kk")
    assert with_model_languages(known) is known


@pytest.mark.parametrize(
    ("own", "codes"),
    [
        ("az az_RU", "az az_RU"),
        ("ckb ku", "ku kmr"),  # Sorani, Kurmanji
        ("ku ckb", "kmr ku"),
        ("ku", "ku"),
        ("ckb", "ku"),
        ("ku kmr", "ku kmr"),
    ],
)
def test_codes_of_a_model_have_other_names_here_and_none_is_lost(own, codes):
    ids = {f"<2{code}>": number for number, code in enumerate(own.split())}
    found = language_ids(ids, FAMILIES["madlad-400"])
    assert sorted(found, key=found.__getitem__) == codes.split()


def test_a_language_that_only_the_model_has_is_classed_by_its_text(folder, write):
    text = write({f"text/train.{code}": "a b\n" * 3 for code in ("en", "tyv_Cyrl", "kk")}) / "text"
    given = recipe(folder, "en,tyv,kk", **{"classes": "text", "data.path": str(text)})
    found = [language.resource for language in with_languages(given).selected_languages()]
    assert found == [Resource.HIGH, Resource.VERY_LOW, Resource.VERY_LOW]
    named = recipe(
        folder, "en,tyv", **{"classes": "text", "data.path": str(text), "languages.tyv.resource": "low"}
    )
    assert with_languages(named).selected_languages()[1].resource is Resource.LOW


def test_what_a_check_refuses_is_refused_before_the_text_is_read(folder, tmp_path):
    given = recipe(folder, "en,tr", **{"classes": "text", "data.path": str(tmp_path / "no-text")})
    with pytest.raises(InputError, match="no token for tr"):
        with_languages(given, check_model_languages)
    with pytest.raises(InputError, match="no-text"):
        with_languages(given)
