import pytest

from lslo_cli.data.codes import file_codes, is_language_code
from lslo_cli.method.codes import flores200_code, model_code
from lslo_cli.method.vocabularies import M2M_124, NLLB_200


@pytest.mark.parametrize(
    ("code", "flores101", "flores200"),
    [
        ("en", "eng", "eng_Latn"),
        ("zh", "zho_simpl", "zho_Hans"),
        ("no", "nob", "nob_Latn"),
        ("ff", "ful", "fuv_Latn"),
        ("ar", "ara", "arb_Arab"),
        ("or", "ory", "ory_Orya"),
    ],
)
def test_the_codes_that_differ_by_more_than_a_suffix_are_mapped_both_ways(code, flores101, flores200):
    assert (file_codes(code)[0], flores200_code(code)) == (flores101, flores200)
    assert model_code(flores101) == model_code(flores200) == model_code(code) == code


def test_every_language_of_m2m_124_has_names_of_its_own_that_lead_back_to_it():
    taken = set()
    for code in M2M_124:
        names = file_codes(code)
        assert {file_codes(code)[0], flores200_code(code)} <= set(names)
        assert code in names
        assert {model_code(name) for name in names} == {code}
        assert not taken.intersection(names)
        taken.update(names)


def test_nllb_knows_every_language_of_m2m_124_but_breton_and_frisian_by_its_flores_200_code():
    assert {code for code in M2M_124 if flores200_code(code) not in NLLB_200} == {"br", "fy"}


def test_flores_101_has_101_languages_beside_traditional_chinese():
    with_files = [code for code in M2M_124 if file_codes(code)[0] not in (code, flores200_code(code))]
    shared_names = {"ast", "ceb", "kam", "kea", "luo", "umb"}  # whose two codes are one
    assert len(with_files) + len(shared_names) == 101


@pytest.mark.parametrize(
    ("code", "ntrex"),
    [
        *(("en", "eng"), ("ar", "arb"), ("zh", "zho-CN"), ("no", "nob"), ("pt", "por"), ("sn", "sna-Latn")),
        *(("sd", "snd-Arab"), ("wo", "wol"), ("he", "heb"), ("sw", "swa"), ("sr", "srp-Cyrl"), ("tl", "fil")),
    ],
)
def test_the_names_of_ntrex_are_known(code, ntrex):
    assert ntrex in file_codes(code)
    assert model_code(ntrex) == code


@pytest.mark.parametrize("other", ["fuc", "por-BR", "srp-Latn", "spa-MX", "eng-GB"])
def test_another_variety_is_a_language_of_its_own(other):
    assert model_code(other) == other


def test_any_name_of_a_language_gives_the_same_candidates_in_the_same_order():
    expected = ("zho_simpl", "zho_Hans", "zho-CN", "zh")
    assert file_codes("zh") == file_codes("zho_Hans") == file_codes("zho-CN") == expected


@pytest.mark.parametrize(
    "name",
    [
        *("en", "wo", "kam", "wol_Latn", "zho-CN", "snd-Arab", "zho_simpl", "qta", "qta_Latn"),
        *("EN", "Fr", "zh_cn", "pt_br", "ENG_LATN", "zh-Hans-CN", "es-419", "eo", "KIN"),
    ],
)
def test_a_language_code_is_known_by_its_form(name):
    assert is_language_code(name)


@pytest.mark.parametrize(
    "name",
    ["README", "keys", "id", "Id", "url", "URL", "english", "e", "en.", "metadata_dev", "LICENSE", "en-fr"],
)
def test_other_names_are_no_language_codes(name):
    assert not is_language_code(name)


def test_an_unmapped_code_is_its_own_only_name():
    assert file_codes("qta") == ("qta",)
    assert file_codes("qta")[0] == flores200_code("qta") == model_code("qta") == "qta"


@pytest.mark.parametrize(
    ("name", "token"),
    [
        ("sat_Olck", "sat_Beng"),
        ("apc_Arab_nort3139", "apc_Arab"),
        ("apc_Arab_sout3123", "ajp_Arab"),
        ("twi_Latn_akua1239", "aka_Latn"),
        ("twi_Latn_asan1239", "twi_Latn"),
        ("ktu_Latn", "kon_Latn"),
        ("zgh_Tfng", "tzm_Tfng"),
        ("cmn_Hant", "zho_Hant"),
        ("ekk_Latn", "est_Latn"),
        ("fil_Latn", "tgl_Latn"),
        ("gug_Latn", "grn_Latn"),
    ],
)
def test_texts_of_flores_200_that_flores_plus_renamed_have_the_tokens_of_nllb(name, token):
    assert token in NLLB_200
    assert model_code(name) == model_code(token)


@pytest.mark.parametrize(
    "name", ["arb_Latn", "min_Arab", "cat_Latn_vale1252", "mni_Mtei", "tyv_Cyrl", "gom_Deva"]
)
def test_a_text_that_nllb_has_no_token_for_is_not_taken_for_another(name):
    assert model_code(name) == name
