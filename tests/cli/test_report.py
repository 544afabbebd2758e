import csv
import io

import pytest

from lslo_cli.paper import printed_table


@pytest.fixture
def experiment(written, tmp_path):
    languages = ("en", "fr", "zh", "nl", "oc", "wo")  # figures of few are drawn sooner
    experiment = written(tmp_path / "out" / "lang12", languages=languages).table(3)
    experiment.prune_report()
    return experiment


def test_a_report_is_printed_as_markdown(lslo, experiment):
    run = lslo("report", "out/lang12", "--table", "3")
    assert run.exit_code == 0
    assert run.stdout.startswith("# The paper's tables and ours\n")
    assert "**Table 3. Index strategies" in run.stdout and "Table 1." not in run.stdout


def test_without_a_folder_the_recipes_experiment_is_meant(lslo, experiment):
    run = lslo("report", "--recipe", "lang12", "--format", "csv", "--table", "3")
    assert run.exit_code == 0
    rows = list(csv.DictReader(io.StringIO(run.stdout)))
    average = next(
        row["value"] for row in rows
        if (row["run"], row["source"], row["column"]) == ("full", "paper", "AVG")
    )  # fmt: skip
    assert float(average) == printed_table(3).row("full").average


def test_outputs_are_written_each_in_the_format_of_its_name(lslo, experiment, tmp_path):
    run = lslo("report", "out/lang12", "-o", "out/r.md", "-o", "out/r.tex", "-o", "out/r.csv", "-o", "r.html")
    assert run.exit_code == 0
    assert run.stdout.split() == ["out/r.md", "out/r.tex", "out/r.csv", "r.html"]
    starts = {"out/r.md": "# ", "out/r.tex": "% ", "out/r.csv": "study,", "r.html": "<!doctype html>"}
    for name, start in starts.items():
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)


def test_a_format_overrides_what_the_name_says(lslo, experiment, tmp_path):
    assert lslo("report", "out/lang12", "--format", "latex", "-o", "report.txt").exit_code == 0
    assert "\\toprule" in (tmp_path / "report.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "report.docx"], "report.docx does not say its format"),
        (["--format", "html5"], "unknown format 'html5'. Did you mean 'html'?"),
        (["--table", "one"], "--table names 'one', which is not a number"),
        (["--table", "6"], "table 6 cannot be reported"),
    ],
)
def test_what_cannot_be_written_is_refused(arguments, said, lslo, experiment, tmp_path):
    run = lslo("report", "out/lang12", *arguments)
    assert run.exit_code == 2
    assert said in run.stderr and not list(tmp_path.glob("report*"))


@pytest.mark.parametrize("tables", [",", ""])
def test_a_list_of_no_table_is_refused(tables, lslo, experiment):
    run = lslo("report", "out/lang12", "--table", tables)
    assert run.exit_code == 2 and "--table names no table" in run.stderr


def test_a_missing_experiment_is_an_input_error(lslo):
    run = lslo("report", "results/nowhere")
    assert run.exit_code == 3
    assert "no experiment at results/nowhere" in run.stderr


def test_the_runs_that_come_with_a_clone_are_not_reported_in_place_of_the_users(lslo, written, tmp_path):
    written(tmp_path / "results" / "lang12").table(3)
    run = lslo("report", "--langs", "lang12")
    assert run.exit_code == 3 and "no experiment at out/lang12" in run.stderr
    assert "no folder out" in lslo("runs").stderr
