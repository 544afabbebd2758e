import pytest


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["results/none"], 3, "no experiment at results/none"),
        (["results/none", "-o", "report.docx"], 2, "report.docx does not say its format"),
        (["results/none", "-o", "report.txt", "--format", "xml"], 2, "unknown format 'xml'"),
        (["results/none", "-o", "-"], 2, "leave the option out: --help says"),
    ],
)
def test_what_cannot_be_reported_is_refused(arguments, code, said, lslo, tmp_path):
    run = lslo("flare", "report", *arguments)
    assert run.exit_code == code
    assert said in run.stderr
    assert not list(tmp_path.iterdir())


def made(folder, *files):
    """Files with nothing in them, in a folder."""
    for file in files:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    return str(folder)


def test_an_experiment_of_the_first_paper_is_reported_by_the_other_command(lslo, tmp_path):
    folder = made(tmp_path / "first", "seed-1/runs/base/evaluation.json")
    run = lslo("flare", "report", folder)
    assert run.exit_code == 3
    assert f"{folder} is no FLARE experiment" in run.stderr and f"lslo report {folder}" in run.stderr


def test_one_that_is_trained_only_needs_its_tests(lslo, tmp_path):
    folder = made(tmp_path / "second", "seed-1/jv/training.json")
    run = lslo("flare", "report", folder)
    assert run.exit_code == 3 and f"no evaluation in {folder}" in run.stderr


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--task", "nusax"], "so --task has no effect"),
        (["--name", "mine"], "so --name has no effect"),
        (["--results", "elsewhere"], "so --results has no effect"),
        (["--recipe", "flare-demo"], "so --recipe has no effect"),
        (["--set", "flare.rank=99"], "so --set has no effect"),
    ],
)
def test_a_folder_and_what_names_another_are_refused_together(flags, said, lslo, tmp_path):
    folder = made(tmp_path / "second", "seed-1/jv/training.json")
    run = lslo("flare", "report", folder, *flags)
    assert run.exit_code == 2 and said in run.stderr


def test_settings_without_effect_on_a_report_are_refused(lslo, monkeypatch, tmp_path):
    run = lslo("flare", "report", "--set", "flare.rank=99")
    assert run.exit_code == 2 and "'--set flare.rank=99' has no effect" in run.stderr
    assert "no experiment at out/flare-world" in lslo("flare", "report", "--set", "flare.task=world").stderr
    monkeypatch.setenv("LSLO_RECIPE", "flare-demo")  # a default, not a wish
    folder = made(tmp_path / "second", "seed-1/jv/training.json")
    assert lslo("flare", "report", folder).exit_code == 3


@pytest.mark.parametrize(("form", "begins"), [("md", "# A study"), ("html", "<!DOCTYPE html>")])
def test_a_format_without_an_output_is_printed(form, begins, lslo, tmp_path, monkeypatch):
    from lslo_cli.flare import reporting
    from lslo_cli.report.document import ReportDocument

    monkeypatch.setattr(reporting, "document_of_all", lambda *_: ReportDocument("A study", ()))
    folder = made(tmp_path / "second", "seed-1/jv/training.json")
    run = lslo("flare", "report", folder, "--format", form)
    assert run.exit_code == 0 and run.stdout.lower().startswith(begins.lower()), run.output
    assert not (tmp_path / "second/report.md").exists()
    assert "unknown format 'xml'" in lslo("flare", "report", folder, "--format", "xml").stderr


def test_the_first_papers_options_are_refused_for_flare(lslo, tmp_path, monkeypatch):
    from lslo_cli.flare import reporting

    monkeypatch.setattr(reporting, "document_of_all", lambda *_: None)
    folder = made(tmp_path / "second", "seed-1/jv/training.json")
    for flags, said in ((["--metric", "chrf++"], "not chrF++"), (["--table", "3"], "has no table 3")):
        run = lslo("report", folder, *flags)
        assert (
            run.exit_code == 2
            and said.lower() in run.stderr.lower()
            and f"leave out {flags[0]}" in run.stderr
        )


@pytest.mark.parametrize("is_there", [False, True])
def test_runs_of_flare_are_compared_in_its_report(is_there, lslo, tmp_path):
    if is_there:
        made(tmp_path / "out" / "flare-demo", "seed-1/jv/training.json")
    run = lslo("compare", "lora", "flare", "--recipe", "flare-demo")
    assert run.exit_code == 2
    assert "out/flare-demo is a FLARE experiment" in run.stderr
    assert "lslo flare report out/flare-demo" in run.stderr
