"""Quality curves over text in which not every pair of languages has a sentence."""

import pytest

from lslo_cli import tasks
from lslo_cli.errors import InputError

CURVE = {"train.ranks": "2,2,8", "train.curve_rows": 2, "fit.epochs": 1}


def test_what_has_no_text_is_left_out_of_the_means_and_of_the_curve(fresh, text_with, heard):
    """Neither qso nor qki has text in the first two rows."""
    groups = ["H2V", "V2H", "H2M", "qta-qka"]
    changes = {"data.path": text_with("test", qso=[5], qki=[5]), "train.curve_groups": groups, **CURVE}
    curve = tasks.train(fresh(**changes), on_event=heard).artifact.result.curve
    for point in curve.points:
        assert list(point.spbleu) == ["H2V", "V2H", "qta-qka"]
        assert point.spbleu["H2V"] == point.spbleu["qta-qka"]
    (told,) = (note for note in heard.notes if "leaves out" in note)
    assert "leaves out H2M, qso-qka, qka-qso: its sample has no text for it" in told


@pytest.mark.parametrize(("split", "dev_rows", "sample"), [("test", 0, "test"), ("train", 3, "dev rows")])
def test_a_curve_without_any_text_is_refused_before_training(
    fresh, text_with, tmp_path, split, dev_rows, sample
):
    """Both languages have text, but never in the same row."""
    path = text_with(split, qso=range(0, 80, 2), qki=range(1, 80, 2))
    changes = {"data.path": path, "train.curve_groups": ["qso-qki"], "data.dev_rows": dev_rows, **CURVE}
    for ask in (tasks.train, lambda experiment: tasks.plan(experiment, "train")):
        with pytest.raises(InputError, match=f"curve .* '{sample}' has no pair for qso-qki") as error:
            ask(fresh(**changes))
        assert "--curve-groups" in error.value.hint
    assert not (tmp_path / "results").exists()
