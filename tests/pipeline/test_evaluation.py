"""Evaluating what is there."""

from lslo_cli import pipeline


def test_notes_about_the_metric_come_once_for_all_runs(there, tmp_path, monkeypatch, heard):
    monkeypatch.setenv("SACREBLEU", str(tmp_path))
    pipeline.evaluate(there(**{"evaluate.metric_model": None}), on_event=heard)
    assert len([note for note in heard.notes if "no FLORES-101" in note]) == 1


def test_evaluating_before_training_scores_the_base_model(fresh):
    (written,) = pipeline.evaluate(fresh())
    assert written.artifact.result.run == "base"
