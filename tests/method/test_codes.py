import pytest

from lslo_cli.method.codes import MODEL_LANGUAGES, model_code
from lslo_cli.method.vocabularies import M2M_124, MBART_50, NLLB_200


@pytest.mark.parametrize(
    ("name", "code"),
    [
        *(("nb", "no"), ("iw", "he"), ("in", "id"), ("jw", "jv"), ("mo", "ro"), ("fil", "tl"), ("sh", "sh")),
        *(("zh_cn", "zh"), ("zh-Hans", "zh"), ("ZHO_HANS", "zh"), ("pt-BR", "pt"), ("pt_br", "pt")),
        *(("en-US", "en"), ("EN", "en"), ("sr-Cyrl", "sr"), ("iw-IL", "he"), ("Wol_latn", "wo")),
        ("ACE_ARAB", "ace_Arab"),
    ],
)
def test_a_language_is_found_under_each_of_its_names(name, code):
    assert model_code(name) == code


@pytest.mark.parametrize("other", ["zh-Hant", "zh_TW", "zh-HK", "sr-Latn", "nn", "en-x", "qsa-FR"])
def test_another_script_or_an_unknown_subtag_is_not_taken_for_the_language(other):
    assert model_code(other) == other


@pytest.mark.parametrize("vocabulary", [M2M_124, NLLB_200, MBART_50])
def test_no_two_languages_of_a_model_have_one_code(vocabulary):
    codes = [model_code(name) for name in vocabulary]
    assert len(set(codes)) == len(codes)
    assert [model_code(code) for code in codes] == codes
    assert set(codes) <= set(MODEL_LANGUAGES)
