import json

import pytest

from lslo_cli.method.languages import groups


@pytest.fixture
def experiment(written, tmp_path):
    """Two evaluated runs of ``lang12`` that differ in one sentence."""
    lang12 = written(tmp_path / "out/lang12")
    for run, hypothesis in (("base", "dara"), ("tuned", "nit ki")):
        path = tmp_path / "out/lang12/runs" / run / "aligned" / "en-wo.jsonl"
        path.parent.mkdir(parents=True)
        row = {"section": "", "row": 1, "source": "the man", "reference": "nit ki", "hypothesis": hypothesis}
        path.write_text(json.dumps(row) + "\n", encoding="utf-8")
        lang12.evaluation(run, dict.fromkeys(groups(lang12.languages), 20.0))


def test_a_sentence_is_shown_with_both_translations(lslo, experiment):
    run = lslo("diff", "tuned", "base")
    assert run.exit_code == 0
    assert run.stdout.splitlines()[0].startswith("en-wo H2V, row 1: +")
    assert all(word in run.stdout for word in ("the man", "dara", "tuned (100.0)"))
    assert run.stderr.startswith(
        "1 sentence changed: tuned is better by chrF++ in 1, worse in 0; next: lslo compare"
    )


@pytest.mark.parametrize("name", ["changes.tsv", "changes.html", "changes.json"])
def test_all_of_them_are_written_in_the_format_of_the_name(lslo, experiment, tmp_path, name):
    assert lslo("diff", "tuned", "base", "-o", name).stdout == f"{name}\n"
    text = (tmp_path / name).read_text(encoding="utf-8")
    assert "nit ki" in text
    assert text.startswith({"tsv": "direction\t", "html": "<!doctype", "json": "["}[name.rpartition(".")[2]])


def test_another_format_is_refused(lslo, experiment):
    run = lslo("diff", "tuned", "base", "-o", "changes.docx")
    assert run.exit_code == 2 and "does not say its format" in run.stderr


def test_printing_and_writing_at_once_is_refused_and_the_way_out_works(lslo, experiment, tmp_path):
    run = lslo("diff", "tuned", "base", "--json", "-o", "changes.json")
    assert run.exit_code == 2 and "--json prints the sentences, and -o changes.json writes them" in run.stderr
    assert not (tmp_path / "changes.json").exists()
    assert lslo("diff", "tuned", "base", "-o", "changes.json").exit_code == 0
    printed = json.loads(lslo("diff", "tuned", "base", "--json").stdout)
    assert json.loads((tmp_path / "changes.json").read_text(encoding="utf-8")) == printed


def test_a_run_that_is_missing_is_an_input_error(lslo, experiment):
    run = lslo("diff", "tuned", "nothing")
    assert run.exit_code == 3 and "lslo evaluate --run nothing" in run.stderr


def test_languages_are_those_that_the_runs_were_evaluated_in(lslo, experiment):
    run = lslo("diff", "tuned", "base", "--name", "lang12", "--langs", "en,fr")
    assert run.exit_code == 0
    assert run.stdout.splitlines()[0].startswith("en-wo H2V, row 1: +")
