import pytest

from lslo_cli.method.languages import LANG30
from lslo_cli.mt.codes import file_codes, flores101_code, flores200_code, model_code


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
    assert (flores101_code(code), flores200_code(code)) == (flores101, flores200)
    assert model_code(flores101) == model_code(flores200) == model_code(code) == code


def test_every_language_of_the_paper_has_three_names_that_lead_back_to_it():
    for code in LANG30:
        names = file_codes(code)
        assert names == tuple(dict.fromkeys((flores101_code(code), flores200_code(code), code)))
        assert {model_code(name) for name in names} == {code}
    assert (
        len({name for code in LANG30 for name in file_codes(code)}) == 3 * 30 - 1
    )  # kam is kam in FLORES-101


def test_any_name_of_a_language_gives_the_same_candidates_in_the_same_order():
    assert file_codes("zh") == file_codes("zho_Hans") == ("zho_simpl", "zho_Hans", "zh")


def test_an_unmapped_code_is_its_own_only_name():
    assert file_codes("qta") == ("qta",)
    assert flores101_code("qta") == flores200_code("qta") == model_code("qta") == "qta"
