import pytest


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["results/none"], 3, "no evaluation in results/none"),
        (["results/none", "-o", "report.docx"], 2, "report.docx does not say its format"),
        (["results/none", "-o", "report.txt", "--format", "xml"], 2, "unknown format 'xml'"),
    ],
)
def test_what_cannot_be_reported_is_refused(arguments, code, said, lslo, tmp_path):
    run = lslo("flare", "report", *arguments)
    assert run.exit_code == code
    assert said in run.stderr
    assert not list(tmp_path.iterdir())
