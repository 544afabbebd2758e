"""The pipeline on languages without resource classes, from the estimate to groups to report by."""

import pytest

from lslo_cli.cli import console
from lslo_cli.cli.commands.estimate_subspace import classes_by_need, show_ranks
from lslo_cli.errors import UsageError
from lslo_cli.method.allocation import allocate
from lslo_cli.method.languages import Resource
from lslo_cli.tasks import commands as tasks

CODES = ("qta", "qso", "qki", "qka")
UNLABELLED = {f"languages.{code}.resource": "unlabelled" for code in CODES}


def test_ranks_and_pruning_come_from_the_estimate_alone(new_experiment, capsys):
    written = tasks.estimate_subspace(new_experiment(**UNLABELLED, **{"data.dev_rows": 4}))
    result = written.artifact.result
    show_ranks(result, written.artifact.languages)
    shown = capsys.readouterr().out
    assert "gain on dev" in shown and "classes by need, for reports" in shown

    changes = {**UNLABELLED, "data.dev_rows": 4, "train.ranks": "auto", "train.gps": "auto"}
    run = tasks.train(new_experiment(**changes)).artifact.result
    divided = allocate(result.estimate(), 16)
    assert run.ranks == divided.rank_map.by_language
    assert run.pruned_languages == [code for code in divided.pruned if divided.ranks[code]]

    evaluated = tasks.evaluate(new_experiment(**changes), runs=[run.run])[0].artifact.result
    assert evaluated.metric().groups.keys() == {"U2U"}
    labels = dict(item.split("=") for item in classes_by_need(result, CODES).split(","))
    labelled = {f"languages.{code}.resource": name for code, name in labels.items()}
    (again,) = tasks.evaluate(new_experiment(**{**changes, **labelled}), runs=[run.run], force=True)
    assert again.artifact.result.hypotheses_digest == evaluated.hypotheses_digest
    assert again.artifact.result.metric().groups.keys() <= {"H2H", "H2V", "V2H", "V2V"}


def test_without_an_estimate_all_get_the_mean_rank_of_the_papers(new_experiment, heard):
    written = tasks.train(new_experiment(**UNLABELLED), on_event=heard)
    assert written.artifact.result.ranks == dict.fromkeys(CODES, 4)
    assert written.artifact.result.pruned_languages == []
    assert any("--ranks auto --gps auto needs none" in note for note in heard.notes)


def test_ranks_by_class_need_classes(new_experiment):
    with pytest.raises(UsageError, match="3 ranks for 1 resource class: unlabelled"):
        tasks.train(new_experiment(**UNLABELLED, **{"train.ranks": "2,2,8"}))


def test_classes_are_named_for_languages_without_one_on_one_line(finished, capsys, monkeypatch):
    monkeypatch.setattr(console.results, "width", 40)
    artifact = finished[1]["subspace.json"]
    first, *others = artifact.languages
    rest = [each.model_copy(update={"resource": Resource.UNLABELLED}) for each in others]
    show_ranks(artifact.result, [first, *rest])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "classes by need" in line]
    *_, classes = line.split()
    assert [item.partition("=")[0] for item in classes.split(",")] == [each.code for each in rest]
