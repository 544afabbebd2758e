"""Quality curves over text in which not every pair of languages has a sentence."""

import pytest

from lslo_cli.errors import InputError, UsageError
from lslo_cli.tasks import commands as tasks
from lslo_cli.tasks.quality_curve import QualityCurve

CURVE = {"train.ranks": "2,2,8", "train.curve_rows": 2, "fit.epochs": 1}


def test_what_has_no_text_is_left_out_of_the_means_and_of_the_curve(new_experiment, text_with, heard):
    """Neither qso nor qki has text in the first two rows."""
    groups = ["H2V", "V2H", "H2M", "qta-qka"]
    changes = {"data.path": text_with("test", qso=[5], qki=[5]), "train.curve_groups": groups, **CURVE}
    curve = tasks.train(new_experiment(**changes), on_event=heard).artifact.result.curve
    for point in curve.points:
        assert list(point.spbleu) == ["H2V", "V2H", "qta-qka"]
        assert point.spbleu["H2V"] == point.spbleu["qta-qka"]
    (told,) = (note for note in heard.notes if "leaves out" in note)
    assert "leaves out H2M, qso-qka, qka-qso: its sample has no text for it" in told


@pytest.mark.parametrize(
    ("langs", "shown", "absent"), [("qta,qka", "H2V, V2H", "H2H, V2V"), ("qta,qso,qka", "H2H", "V2V")]
)
def test_default_groups_that_are_not_here_are_left_out_with_a_note(setup, heard, langs, shown, absent):
    curve = QualityCurve(setup(heard.append, langs=langs, **{"train.curve_rows": 2}), None)
    assert ", ".join(curve.names) == shown
    assert f"the quality curve shows {shown}: no direction here is of {absent}" in heard.notes


def test_a_plan_names_the_groups_that_the_curve_will_show(new_experiment):
    plan = tasks.plan(new_experiment(langs="qta,qka", **CURVE | {"train.ranks": "2,8"}), "train")
    assert dict(plan.facts)["quality curve"].startswith("H2V, V2H: 2 sentences")


def test_groups_that_are_offered_are_there(setup):
    asked = {"train.curve_rows": 2, "train.curve_groups": ["L2L"]}
    with pytest.raises(UsageError, match="is called 'L2L'") as error:
        QualityCurve(setup(langs="qta,qka", **asked), None)
    assert error.value.hint.startswith("groups here: H2V, V2H; or ")


@pytest.mark.parametrize(("split", "dev_rows", "sample"), [("test", 0, "test"), ("train", 3, "dev rows")])
def test_a_curve_without_any_text_is_refused_before_training(
    new_experiment, text_with, tmp_path, split, dev_rows, sample
):
    """Both languages have text, but never in the same row."""
    path = text_with(split, qso=range(0, 80, 2), qki=range(1, 80, 2))
    changes = {"data.path": path, "train.curve_groups": ["qso-qki"], "data.dev_rows": dev_rows, **CURVE}
    for ask in (tasks.train, lambda experiment: tasks.plan(experiment, "train")):
        with pytest.raises(InputError, match=f"curve .* '{sample}' has no pair for qso-qki") as error:
            ask(new_experiment(**changes))
        assert "--curve-groups" in error.value.hint
    assert not (tmp_path / "results").exists()
