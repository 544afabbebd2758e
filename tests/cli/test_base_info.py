"""``lslo base info`` from the command line."""

import json

from lslo_cli.errors import InputError


def test_it_prints_the_published_and_the_counted_numbers(lslo_process):
    result = lslo_process("base", "info", "m2m-124-615m", "--langs", "lang12", "--ranks", "2,2,8")
    assert result.returncode == 0, result.stderr
    for number in ("614,990,848", "15,335,424", "256,125", "124:"):
        assert number in result.stdout
    assert "counted as the paper does" not in result.stdout
    assert result.stderr == ""


def test_adapters_of_all_units_are_counted_the_papers_way_too(lslo):
    lang12 = ("--langs", "lang12", "--ranks", "2,2,8", "--span", "all")
    result = lslo("base", "info", "m2m-124-615m", *lang12)
    assert result.exit_code == 0, result.stderr
    assert "22,413,312 parameters" in result.stdout
    assert "15,335,424" in result.stdout and "counted as the paper does" in result.stdout


def test_as_json_it_gives_the_same_facts(lslo):
    recipe = ("--langs", "en,wo", "--ranks", "2,8", "--sites", "fc")
    result = lslo("base", "info", "nllb-200-600m", *recipe, "--json")
    facts = json.loads(result.stdout)
    assert facts["base"]["parameters"] == 615_073_792
    assert facts["base"]["shape"]["encoder_layers"] == 12
    assert facts["adapters"]["sites"] == 48
    assert facts["adapters"]["parameters"] == 10 * 24 * 2 * 2048


def test_a_shape_loads_no_torch(python):
    code = (
        "import sys; from lslo_cli.models.base_info import base_facts; base_facts('m2m-124-615m'); "
        "print('torch' in sys.modules)"
    )
    assert python(code).stdout.strip() == "False"


def test_a_misspelt_shape_ends_with_a_usage_error(lslo):
    result = lslo("base", "info", "m2m-124-61m")
    assert result.exit_code == 2 and "Did you mean" in result.stderr


def test_a_new_language_costs_its_adapters_and_one_row(lslo):
    added = ("--langs", "lang12", "--add-lang", "tyv", "--like", "kk")
    facts = json.loads(lslo("base", "info", "m2m-124-615m", *added, "--json").stdout)
    one = json.loads(
        lslo("base", "info", "m2m-124-615m", "--langs", "en,wo", "--ranks", "1,8", "--json").stdout
    )
    of_wolof = one["adapters"]["by_language"][1][3]
    assert facts["adapters"]["by_language"] == [["tyv", "very-low", 8, of_wolof + 1024]]
    assert facts["adapters"]["parameters"] == of_wolof + 1024
    assert facts["adapters"]["unknown"] == []


def test_a_new_language_that_the_model_knows_is_refused(lslo):
    result = lslo("base", "info", "m2m-124-615m", "--langs", "lang12", "--add-lang", "ky", "--like", "kk")
    assert result.exit_code == 2 and "knows this language already" in result.stderr


def test_the_facts_are_those_of_the_revision_that_is_asked_for(lslo, tmp_path, monkeypatch):
    asked = []

    def read(name, revision):
        asked.append((name, revision))
        raise InputError("nothing is read here", "none")

    monkeypatch.setattr("lslo_cli.models.header.read_header", read)
    lslo("base", "info", "someone/model", "--set", "model.revision=v2")
    assert asked == [("someone/model", "v2")]


def test_classes_by_the_size_of_a_text_are_those_of_the_text_that_is_named(lslo, write):
    text = write({f"train.{code}": "a b\n" * 3 for code in ("en", "tr")})
    by_text = ("base", "info", "m2m-124-615m", "--langs", "en,tr", "--resource", "text")
    facts = json.loads(lslo(*by_text, "--set", f"data.path={text}", "--json").stdout)
    assert [row[:3] for row in facts["adapters"]["by_language"]] == [["en", "high", 2], ["tr", "very-low", 8]]
    refused = lslo(*by_text)
    assert refused.exit_code == 2 and "--set data.path=FOLDER" in refused.stderr.replace("\n", " ")
