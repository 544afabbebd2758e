import pytest

from lslo_cli.errors import UsageError
from lslo_cli.method.languages import (
    LANG12,
    LANG30,
    LANGUAGES,
    Direction,
    Language,
    Resource,
    directions,
    grouping,
    groups,
    resolve_languages,
    resource_classes,
)

TWELVE = resolve_languages("lang12", LANGUAGES)
THIRTY = resolve_languages("lang30", LANGUAGES)


def in_class(languages, resource):
    return [language.code for language in languages if language.resource == resource]


def test_lang12_has_four_languages_of_each_of_three_classes():
    assert in_class(TWELVE, "high") == ["en", "fr", "de", "it"]
    assert in_class(TWELVE, "medium") == ["zh", "nl", "ja", "ko"]
    assert in_class(TWELVE, "very-low") == ["oc", "or", "sd", "wo"]


def test_lang30_has_the_class_sizes_of_table_6():
    assert [len(in_class(THIRTY, resource)) for resource in Resource] == [7, 9, 8, 6, 0]


def test_lang12_is_part_of_lang30():
    assert set(LANG12) < set(LANG30)


def test_only_english_has_no_bitext():
    assert [language.code for language in THIRTY if language.bitext is None] == ["en"]


@pytest.mark.parametrize(("languages", "count"), [(TWELVE, 132), (THIRTY, 870)])
def test_every_ordered_pair_of_different_languages_is_a_direction(languages, count):
    pairs = directions(languages)
    assert len(set(pairs)) == len(pairs) == count
    assert all(pair.src != pair.tgt for pair in pairs)


def test_groups_stand_in_the_order_of_the_tables():
    assert groups(TWELVE) == ("H2H", "H2M", "H2V", "M2H", "M2M", "M2V", "V2H", "V2M", "V2V")
    assert len(groups(THIRTY)) == 16


def test_a_group_of_one_class_has_12_directions_of_lang12_and_any_other_16():
    sizes, group_of = dict.fromkeys(groups(TWELVE), 0), grouping(TWELVE)
    for direction in directions(TWELVE):
        sizes[group_of(direction)] += 1
    assert sizes == {name: 12 if name[0] == name[2] else 16 for name in groups(TWELVE)}


def test_classes_that_do_not_occur_are_left_out():
    assert resource_classes(TWELVE) == (Resource.HIGH, Resource.MEDIUM, Resource.VERY_LOW)
    assert resource_classes(reversed(THIRTY)) == tuple(Resource)[:4]


@pytest.mark.parametrize("names", ["wo,en, fr", ["wo", "en", "fr"]])
def test_languages_keep_the_order_in_which_they_are_named(names):
    assert [language.code for language in resolve_languages(names, LANGUAGES)] == ["wo", "en", "fr"]


def test_an_unknown_language_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match=r"unknown language 'kamm'\. Did you mean 'kam'\?") as caught:
        resolve_languages("en,kamm", LANGUAGES)
    assert "lang12" in caught.value.hint and "--resource kamm=low" in caught.value.hint


def test_a_misspelt_set_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match=r"Did you mean 'lang12'\?"):
        resolve_languages("lang21", LANGUAGES)


def test_a_described_language_is_known():
    known = {**LANGUAGES, "xx": Language("xx", Resource.LOW)}
    assert resolve_languages("en,xx", known)[1].resource is Resource.LOW


def test_a_repeated_language_is_refused():
    with pytest.raises(UsageError, match="'fr' is named twice"):
        resolve_languages("en,fr,fr", LANGUAGES)


def test_a_language_may_have_any_of_its_names():
    named = resolve_languages("EN,nb,zh-Hans,wol_Latn", LANGUAGES)
    assert [language.code for language in named] == ["en", "no", "zh", "wo"]


def test_one_language_under_two_names_is_refused():
    with pytest.raises(UsageError, match="language 'no' is named twice, as no and nb"):
        resolve_languages("en,no,nb", LANGUAGES)


def test_languages_of_published_models_need_no_resource_class():
    named = resolve_languages("en,tr,kaz_Cyrl,ace_Arab", LANGUAGES)
    assert [language.code for language in named] == ["en", "tr", "kk", "ace_Arab"]
    assert [language.resource for language in named] == [Resource.HIGH, *[Resource.UNLABELLED] * 3]
    assert groups(named) == ("H2H", "H2U", "U2H", "U2U")


def test_suggestions_come_from_all_that_the_published_models_know():
    with pytest.raises(UsageError, match="unknown language 'uzb_Lat'. Did you mean"):
        resolve_languages("en,uzb_Lat", LANGUAGES)


@pytest.mark.parametrize(("names", "count"), [("en", 1), ("", 0)])
def test_fewer_than_two_languages_are_refused(names, count):
    with pytest.raises(UsageError, match=f"at least two languages, got {count}"):
        resolve_languages(names, LANGUAGES)


def test_a_direction_reads_back_what_it_writes():
    assert Direction.parse("en-wo") == Direction("en", "wo")
    assert str(Direction("en", "wo")) == "en-wo"


@pytest.mark.parametrize("text", ["", "en", "en-", "-wo", "en-wo-fr", "en>wo"])
def test_what_is_no_direction_is_refused(text):
    with pytest.raises(UsageError, match=f"'{text}' is not a direction"):
        Direction.parse(text)
