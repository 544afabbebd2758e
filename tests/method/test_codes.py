import pytest

from lslo_cli.method.codes import MODEL_LANGUAGES, is_listed, model_code
from lslo_cli.method.vocabularies import M2M_124, MBART_50, NLLB_200


@pytest.mark.parametrize(
    ("name", "code"),
    [
        *(("nb", "no"), ("iw", "he"), ("in", "id"), ("jw", "jv"), ("mo", "ro"), ("fil", "tl"), ("sh", "sh")),
        *(("zh_cn", "zh"), ("zh-Hans", "zh"), ("ZHO_HANS", "zh"), ("pt-BR", "pt"), ("pt_br", "pt")),
        *(("en-US", "en"), ("EN", "en"), ("sr-Cyrl", "sr"), ("iw-IL", "he"), ("Wol_latn", "wo")),
        *(("ACE_ARAB", "ace_Arab"), ("ace", "ace_Latn"), ("ks-Deva", "kas_Deva"), ("KS", "kas_Arab")),
        *(
            ("eo", "epo_Latn"),
            ("epo", "epo_Latn"),
            ("eu-ES", "eus_Latn"),
            ("rw", "kin_Latn"),
            ("tt", "tat_Cyrl"),
        ),
        *(("zh-Hant", "zho_Hant"), ("zh_TW", "zho_Hant"), ("zh-HK", "zho_Hant"), ("zho_trad", "zho_Hant")),
        *(("zh-yue", "yue_Hant"), ("yue-HK", "yue_Hant"), ("zh-Hans-TW", "zh"), ("zh_hans_cn", "zh")),
        *(
            ("nn", "nno_Latn"),
            ("fa-AF", "prs_Arab"),
            ("es-419", "es"),
            ("de-CH-1996", "de"),
            ("ekk_Latn", "et"),
        ),
        *(
            ("fre", "fr"),
            ("ger", "de"),
            ("ekk_Latn", "et"),
            ("baq", "eus_Latn"),
            ("per", "fa"),
            ("cmn_Hant", "zho_Hant"),
        ),
    ],
)
def test_a_language_is_found_under_each_of_its_names(name, code):
    assert model_code(name) == code


@pytest.mark.parametrize("other", ["sr-Latn", "az-Cyrl", "zh-Latn", "en-x", "qsa-FR", "gsw"])
def test_another_script_or_an_unknown_subtag_is_not_taken_for_the_language(other):
    assert model_code(other) == other


@pytest.mark.parametrize("vocabulary", [M2M_124, NLLB_200, MBART_50])
def test_no_two_languages_of_a_model_have_one_code(vocabulary):
    codes = [model_code(name) for name in vocabulary]
    assert len(set(codes)) == len(codes)
    assert [model_code(code) for code in codes] == codes
    assert set(codes) <= set(MODEL_LANGUAGES)


def test_every_language_of_nllb_is_meant_by_its_iso_639_code():
    """A language in two scripts has one of them under the bare code."""
    for code in NLLB_200:
        bare = model_code(code.partition("_")[0])
        assert bare in MODEL_LANGUAGES
        assert bare == model_code(code) or code.partition("_")[0] in (
            "ace",
            "bjn",
            "kas",
            "knc",
            "taq",
            "zho",
        )


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        *((name, True) for name in ("en", "EN", "Zh_cn", "kin", "eo")),
        *((w, False) for w in ("run", "in", "src", "qta")),
    ],
)
def test_words_are_not_taken_for_the_languages_that_are_called_so(name, listed):
    assert is_listed(name) is listed
