"""Training a run that is there already."""

import json
import shutil
from dataclasses import replace
from threading import Thread

import pytest

from lslo_cli.errors import InputError
from lslo_cli.events import Started
from lslo_cli.recipe import Memory, read_memory
from lslo_cli.tasks import commands as tasks

RUN = {"train.ranks": "2,2,2"}


def replaced(notes):
    return [note for note in notes if note.startswith("this replaces run")]


def test_what_a_run_was_trained_with_is_said_before_another_takes_its_place(new_experiment, heard):
    tasks.train(new_experiment(**RUN), on_event=heard)
    assert not replaced(heard.notes)
    other = {**RUN, "fit.lr": 0.003, "fit.epochs": 4, "data.dev_rows": 4, "train.keep": "best", "seed": 7}
    said = [
        "this replaces run 2-2-2, trained with seed=2, data.dev_rows=0, fit.epochs=3, fit.lr=0.02, "
        'train.keep="last"'
    ]
    facts = tasks.plan(new_experiment(**other), "train").facts
    assert replaced(text for name, text in facts if name == "note") == said
    tasks.train(new_experiment(**other), on_event=heard)
    assert replaced(heard.notes) == said
    texts = [getattr(event, "text", "") for event in heard]
    trainings = [number for number, event in enumerate(heard) if isinstance(event, Started)]
    assert trainings[0] < texts.index(said[0]) < trainings[-1]


def test_another_base_or_other_languages_are_not_the_same_settings(new_experiment, heard, tiny, tmp_path):
    tasks.train(new_experiment(**RUN))
    tasks.train(new_experiment(**RUN), on_event=heard)
    assert replaced(heard.notes) == ["this replaces run 2-2-2, trained with the same settings"]
    heard.clear()
    other = shutil.copytree(tiny.base, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"scale_embedding": False}))
    tasks.train(
        new_experiment(**RUN, **{"model.name": str(other), "langs": "qso,qta,qki,qka"}), on_event=heard
    )
    (note,) = replaced(heard.notes)
    assert f'model.name="{tiny.base}"' in note and 'langs="qta,qso,qki,qka"' in note


def test_a_run_of_the_text_that_was_there_before_is_said_to_be_of_other_text(
    new_experiment, heard, tiny, tmp_path
):
    text = shutil.copytree(tiny.text, tmp_path / "text")
    tasks.train(new_experiment(**RUN, **{"data.path": str(text)}))
    (path,) = (text / "train").glob("qta.*")
    first, second, *others = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([second, first, *others]) + "\n", encoding="utf-8")
    tasks.train(new_experiment(**RUN, **{"data.path": str(text)}), on_event=heard)
    assert replaced(heard.notes) == ["this replaces run 2-2-2, trained with other text"]


def test_a_run_that_prunes_other_classes_or_matrices_stands_beside_the_papers(new_experiment, heard):
    pruned = {
        written.path.parent.name: written.artifact.result.pruned_languages
        for changes in ({}, {"train.gps_classes": ["very-low"]}, {"train.prune_targets": "B"})
        for written in [tasks.train(new_experiment(**changes), on_event=heard)]
    }
    assert pruned == {
        "2-2-8-gps0.9": ["qta", "qso", "qki"],
        "2-2-8-gps0.9-very-low": ["qka"],
        "2-2-8-gps0.9-B": ["qta", "qso", "qki"],
    }
    assert not replaced(heard.notes)


def test_a_run_that_is_kept_replaces_nothing(new_experiment, heard):
    tasks.train(new_experiment(**RUN))
    tasks.train(new_experiment(**RUN), reuse=True, on_event=heard)
    assert not replaced(heard.notes)


def test_of_two_at_once_the_second_says_that_it_replaces_the_first(new_experiment, heard):
    second = Thread(target=lambda: tasks.train(new_experiment(**RUN, **{"fit.lr": 0.01}), on_event=heard))

    def start_another(event):
        if not second.ident:
            second.start()

    tasks.train(new_experiment(**RUN), on_event=start_another)
    second.join()
    assert any(note.startswith("waiting for another process") for note in heard.notes)
    assert replaced(heard.notes) == ["this replaces run 2-2-2, trained with fit.lr=0.02"]


def test_of_two_at_once_the_second_does_not_replace_a_run_that_is_named_by_other_settings(new_experiment):
    """Alone it would be refused before anything else; here the other run is not there yet."""
    refused = []

    def another():
        with pytest.raises(
            InputError, match="trained as 2-2-2, which this one, 4-4-4, would replace"
        ) as error:
            tasks.train(new_experiment(**{"train.ranks": "4,4,4"}), run="x")
        refused.append(error)

    second = Thread(target=another)

    def start_another(event):
        if not second.ident:
            second.start()

    first = tasks.train(new_experiment(**RUN), run="x", on_event=start_another)
    second.join()
    assert refused and json.loads(first.path.read_text())["digest"] == first.artifact.digest


def test_what_another_command_has_made_an_experiment_remember_stays(new_experiment):
    both = [
        replace(new_experiment(), memory=Memory(given=given)) for given in ({"seed": 3}, {"data.dev_rows": 2})
    ]
    for each in both:  # each read an empty memory when it began
        each.remember()
    assert read_memory(both[0].folder.path).given == {"seed": 3, "data.dev_rows": 2}


def test_a_run_that_is_stale_is_left_out_and_keeps_no_other_from_being_evaluated(finished_experiment, heard):
    tasks.weight_learn(finished_experiment(**{"weight_learn.epochs": 1}))
    written = tasks.evaluate(finished_experiment(), on_event=heard)
    assert [each.path.parent.name for each in written] == ["base", "full"]
    (note,) = [note for note in heard.notes if note.startswith("left out 2-2-8-gps0.9: ")]
    assert "is stale: it was made from another" in note
    assert note.endswith("; --run 2-2-8-gps0.9 gives the line that trains it again")
    with pytest.raises(InputError, match="is stale") as error:
        tasks.evaluate(finished_experiment(), runs=["2-2-8-gps0.9"])
    assert "lslo train" in error.value.hint


def test_a_run_that_cannot_be_read_is_replaced_with_a_note_and_blocks_no_other(new_experiment, heard):
    damaged = tasks.train(new_experiment(**RUN)).path
    kept = tasks.train(new_experiment(**RUN), run="other").path
    damaged.write_text("{")
    written = tasks.evaluate(new_experiment(), on_event=heard)
    assert [each.path.parent.name for each in written] == ["base", kept.parent.name]
    (note,) = [note for note in heard.notes if note.startswith("left out 2-2-2: ")]
    assert "training.json is damaged" in note
    with pytest.raises(InputError, match="is damaged"):
        tasks.evaluate(new_experiment(), runs=["2-2-2"])
    heard.clear()
    tasks.train(new_experiment(**RUN), on_event=heard)
    assert replaced(heard.notes) == ["this replaces run 2-2-2, which cannot be read"]
