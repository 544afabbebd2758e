"""Evaluating what is there."""

import json
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lslo_cli.artifacts import store
from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.folder import BASE_RUN, RunFolder
from lslo_cli.data.corpus import Corpus, CorpusSection
from lslo_cli.errors import InputError, UsageError
from lslo_cli.events import Advanced, Started
from lslo_cli.method.languages import Direction
from lslo_cli.recipe import MEMORY_FILE, Memory, Recipe, read_memory
from lslo_cli.tasks import commands as tasks
from lslo_cli.tasks.evaluate_folder import run_at
from lslo_cli.tasks.evaluations import Extent, place
from lslo_cli.tasks.translations import aligned
from lslo_cli.training.device import StageAccelerator
from tests.forked import PIPE, Popen

RUN = "2-2-8-gps0.9"

SMALL = {"evaluate.max_tokens": 30}
"""Batches of a sentence or three, so that there is a middle to interrupt in."""

EVALUATE = """
import sys
from pathlib import Path
from lslo_cli.tasks import commands as tasks
from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.recipe import Recipe
recipe = Recipe.model_validate_json(sys.stdin.read())
tasks.evaluate(tasks.Experiment(recipe, ExperimentFolder(Path(sys.argv[1])), "test"), runs=["base"])
"""


@pytest.fixture(scope="module")
def evaluated(experiments_in, finished, tmp_path_factory):
    """The finished folder with the base model and a run with adapters evaluated in small batches."""
    runs = ["base", "2-2-8-gps0.9"]
    folder = shutil.copytree(finished[0], tmp_path_factory.mktemp("evaluated") / "tiny")
    return folder, tasks.evaluate(experiments_in(folder)(**SMALL), runs=runs, force=True)


@pytest.fixture
def uninterrupted(finished_experiment, evaluated):
    """Their evaluations, which are ``there`` too, and their translations by file."""
    folder, written = evaluated
    shutil.rmtree(finished_experiment().folder.path)
    shutil.copytree(folder, finished_experiment().folder.path)
    return {item.artifact.result.run: (item.artifact.digest, translations(item.path)) for item in written}


def test_an_evaluation_has_the_seed_of_its_training(finished_experiment):
    base, run = tasks.evaluate(finished_experiment(seed=7, **{"data.test_rows": 1}), runs=["base", RUN])
    assert (base.artifact.seed, run.artifact.seed) == (7, 2)
    assert run.artifact.recipe["seed"] == 2
    assert tasks.evaluate(finished_experiment(seed=8, **{"data.test_rows": 1}), runs=[RUN])[0].up_to_date


def translations(evaluation):
    return {path.name: path.read_bytes() for path in RunFolder(evaluation.parent).whole.hypotheses.iterdir()}


def interrupt_after(batches):
    """A listener that presses Ctrl-C when so many batches are done."""
    seen = []

    def listen(event):
        seen.append(event)
        if len([event for event in seen if isinstance(event, Advanced)]) == batches:
            raise KeyboardInterrupt

    return listen


def assert_goes_on(written, uninterrupted, heard):
    """It was not done anew, ended as if nothing had happened, and left nothing behind."""
    (written,) = written
    digest, files = uninterrupted[written.artifact.result.run]
    (started,) = [event for event in heard if isinstance(event, Started)]
    assert 0 < started.completed < started.total
    assert written.artifact.digest == digest
    assert translations(written.path) == files
    assert not (written.path.parent / "checkpoint").exists()


def test_an_interrupted_evaluation_goes_on_to_the_same_artifact(finished_experiment, uninterrupted, heard):
    experiment = finished_experiment(**SMALL)
    experiment.folder.run("2-2-8-gps0.9").evaluation.unlink()
    for batches in (2, 3):
        with pytest.raises(KeyboardInterrupt):
            tasks.evaluate(experiment, runs=["2-2-8-gps0.9"], on_event=interrupt_after(batches))
    assert_goes_on(tasks.evaluate(experiment, runs=["2-2-8-gps0.9"], on_event=heard), uninterrupted, heard)


def test_an_evaluation_goes_on_in_another_number_of_processes(
    finished_experiment, uninterrupted, heard, monkeypatch
):
    experiment = finished_experiment(**SMALL)
    experiment.folder.run(RUN).evaluation.unlink()
    with monkeypatch.context() as three:
        three.setattr(StageAccelerator, "num_processes", 3)
        three.setattr(StageAccelerator, "process_index", 2)
        with pytest.raises(KeyboardInterrupt):
            tasks.evaluate(experiment, runs=[RUN], on_event=interrupt_after(2))
    assert_goes_on(tasks.evaluate(experiment, runs=[RUN], on_event=heard), uninterrupted, heard)


def test_training_that_is_up_to_date_leaves_an_interrupted_evaluation_to_go_on(
    finished_experiment, uninterrupted, heard
):
    trained = {**SMALL, "train.ranks": "2,2,8", "train.gps": 0.9}
    finished_experiment().folder.run(RUN).evaluation.unlink()
    with pytest.raises(KeyboardInterrupt):
        tasks.evaluate(finished_experiment(**SMALL), runs=[RUN], on_event=interrupt_after(2))
    assert tasks.train(finished_experiment(**trained), reuse=True).up_to_date
    assert_goes_on(
        tasks.evaluate(finished_experiment(**SMALL), runs=[RUN], on_event=heard), uninterrupted, heard
    )


def test_an_interrupted_evaluation_of_other_weights_begins_anew(finished_experiment, heard):
    finished_experiment().folder.run(RUN).evaluation.unlink()
    with pytest.raises(KeyboardInterrupt):
        tasks.evaluate(finished_experiment(**SMALL), runs=[RUN], on_event=interrupt_after(2))
    tasks.train(finished_experiment(**{"train.ranks": "2,2,8", "train.gps": 0.9, "fit.lr": 0.01}))
    (written,) = tasks.evaluate(finished_experiment(**SMALL), runs=[RUN], on_event=heard)
    (started,) = [event for event in heard if isinstance(event, Started)]
    assert started.completed == 0
    assert not (written.path.parent / "checkpoint").exists()


def test_an_evaluation_that_was_killed_goes_on_to_the_same_artifact(
    finished_experiment, uninterrupted, heard
):
    experiment = finished_experiment(**SMALL)
    folder = experiment.folder.run("base")
    folder.evaluation.unlink()
    log = folder.whole.checkpoint / "translations-0.jsonl"
    command = [sys.executable, "-c", EVALUATE, str(experiment.folder.path)]
    with Popen(command, stdin=PIPE, text=True) as process:
        process.stdin.write(experiment.recipe.model_dump_json())
        process.stdin.close()
        while process.poll() is None and (not log.exists() or log.read_bytes().count(b"\n") < 4):
            time.sleep(0.001)
        process.kill()
    assert not folder.evaluation.exists()
    assert_goes_on(tasks.evaluate(experiment, runs=["base"], on_event=heard), uninterrupted, heard)


@pytest.mark.parametrize("changes", [{"evaluate.beam": 3}, {"run.precision": "bf16"}, {"data.test_rows": 2}])
def test_an_interrupted_evaluation_with_other_settings_begins_anew(finished_experiment, heard, changes):
    with pytest.raises(KeyboardInterrupt):
        tasks.evaluate(finished_experiment(**SMALL), runs=["base"], force=True, on_event=interrupt_after(2))
    tasks.evaluate(finished_experiment(**SMALL, **changes), runs=["base"], on_event=heard)
    (started,) = [event for event in heard if isinstance(event, Started)]
    assert started.completed == 0


def test_an_interrupted_force_goes_on_with_the_next_and_then_begins_anew(
    finished_experiment, uninterrupted, heard
):
    experiment = finished_experiment(**SMALL)
    with pytest.raises(KeyboardInterrupt):
        tasks.evaluate(experiment, runs=["base"], force=True, on_event=interrupt_after(2))
    assert_goes_on(
        tasks.evaluate(experiment, runs=["base"], force=True, on_event=heard), uninterrupted, heard
    )
    heard.clear()
    tasks.evaluate(experiment, runs=["base"], force=True, on_event=heard)
    (started,) = [event for event in heard if isinstance(event, Started)]
    assert started.completed == 0


def test_evaluating_before_training_scores_the_base_model(new_experiment):
    (written,) = tasks.evaluate(new_experiment())
    assert written.artifact.result.run == "base"


def test_runs_of_other_languages_are_left_out_with_the_line_that_evaluates_them(finished_experiment, heard):
    fewer = finished_experiment(langs="qta,qka")
    written = tasks.evaluate(fewer, on_event=heard)
    assert [item.artifact.result.run for item in written] == ["base"]
    results = fewer.folder.path.parent
    for run in (RUN, "full"):
        assert (
            f"left out {run}, which was trained for qta, qso, qki, qka; to evaluate it: lslo evaluate --run "
            f"{fewer.folder.run(run).path} --results {results}"
        ) in heard.notes
        (again,) = [tasks.evaluate_run(*run_at(str(fewer.folder.run(run).path), results), False, heard)]
        assert again.up_to_date and again.path == fewer.folder.run(run).evaluation
    assert dict(tasks.plan(fewer, "evaluate").facts)["runs"] == "base"


def test_a_run_that_was_trained_with_another_seed_is_evaluated_with_a_note(finished_experiment, heard):
    tasks.evaluate(
        finished_experiment(seed=5, **{"evaluate.directions": ["qta-qso"]}),
        runs=["base", "full"],
        on_event=heard,
    )
    (note,) = [note for note in heard.notes if "seed" in note]
    assert note.startswith("full was trained with seed 2, and the experiment's is 5: ")


def test_a_run_of_other_languages_that_is_named_is_refused_with_its_folder(finished_experiment):
    fewer = finished_experiment(langs="qta,qka")
    with pytest.raises(UsageError, match="was trained for qta, qso, qki, qka, not qta, qka") as error:
        tasks.evaluate(fewer, runs=[RUN])
    assert f"--run {fewer.folder.run(RUN).path}" in error.value.hint


def test_rows_that_a_run_may_have_been_trained_on_are_not_held_out_to_test_it(new_experiment):
    held_out = {"data.hold_out": 2, "data.test": "held out"}
    with_all = {"train.ranks": "2,2,8"}
    tasks.train(new_experiment(**with_all), run="all-rows")
    tasks.train(new_experiment(**with_all, **held_out), run="divided")
    with pytest.raises(UsageError, match="'all-rows' may have been trained on the 2 rows") as error:
        tasks.evaluate(new_experiment(**held_out), runs=["all-rows"])
    assert "--hold-out 2" in error.value.hint
    remembering = replace(new_experiment(**held_out), memory=Memory(given={"data.hold_out": 2}))
    with pytest.raises(UsageError, match="may have been trained"):
        tasks.evaluate(remembering, runs=["all-rows"])
    with pytest.raises(UsageError, match="'all-rows' may have been trained"):
        tasks.evaluate(remembering)
    assert not (remembering.folder.path / MEMORY_FILE).exists()
    assert not remembering.folder.run(BASE_RUN).evaluation.exists()
    with pytest.raises(UsageError, match="'divided' may have been trained"):
        tasks.evaluate(new_experiment(**held_out, seed=5), runs=["divided"])
    (written,) = tasks.evaluate(remembering, runs=["divided"])
    assert [text.rows for text in written.artifact.data] == [2]
    assert read_memory(remembering.folder.path).given == {"data.hold_out": 2}


@pytest.fixture
def own_text(tiny, tmp_path):
    """A copy of the tiny text, to change."""
    return Path(shutil.copytree(tiny.text, tmp_path / "text"))


def test_rows_are_not_held_out_of_text_that_has_changed_since_training(new_experiment, own_text):
    held_out = {"data.path": str(own_text), "data.hold_out": 2, "data.test": "held out"}
    given = {**held_out, "data.dev_rows": 2, "train.ranks": "2,2,8"}
    tasks.train(new_experiment(**given), run="divided")
    without_dev = {**given, "data.dev_rows": 0}
    (written,) = tasks.evaluate(new_experiment(**without_dev), runs=["divided"])
    assert [text.rows for text in written.artifact.data] == [2]
    for path in (own_text / "train").iterdir():
        path.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[::-1]))
    with pytest.raises(UsageError, match="is not as run 'divided' was trained on it") as error:
        tasks.evaluate(new_experiment(**given), runs=["divided"])
    assert "restore the text" in error.value.hint
    assert tasks.evaluate(new_experiment(**given), runs=["base"])


def test_a_run_is_not_tested_on_its_training_text(new_experiment, own_text):
    tasks.train(new_experiment(**{"data.path": str(own_text), "train.ranks": "2,2,8"}), run="trained")
    on_train = {"data.path": str(own_text), "data.test": "train", "data.train": "test", "data.test_rows": 2}
    with pytest.raises(UsageError, match="run 'trained' was trained on 'train' of"):
        tasks.evaluate(new_experiment(**on_train), runs=["trained"])
    assert tasks.evaluate(new_experiment(**on_train), runs=["base"])
    shutil.copytree(own_text / "train", own_text.parent / "copy" / "devtest")
    copied = {"data.path": str(own_text.parent / "copy"), "data.test": "devtest"}
    with pytest.raises(UsageError, match="run 'trained' was trained on 'devtest' of .*, or on a copy of it"):
        tasks.evaluate(new_experiment(**copied), runs=["trained"])
    same = {"data.path": str(own_text), "data.train": "train", "data.test": "train"}
    for command in (tasks.evaluate, tasks.weight_learn):
        with pytest.raises(UsageError, match="'train' of .* would be both trained and tested on") as error:
            command(new_experiment(**same))
        assert "--hold-out" in error.value.hint


def test_an_evaluation_of_a_part_is_kept_beside_the_whole(finished_experiment, listing):
    folder = finished_experiment().folder.run(RUN)
    before = listing(folder.path)
    few = {"evaluate.directions": ("qta-qki", "qki-qta")}
    (of_two,) = tasks.evaluate(finished_experiment(**few), runs=[RUN])
    (of_a_row,) = tasks.evaluate(finished_experiment(**{"data.test_rows": 1}), runs=[RUN])
    after = listing(folder.path)
    assert {path: content for path, content in after.items() if path in before} == before
    parts = [written.path.parent for written in (of_two, of_a_row)]
    assert len(set(parts)) == 2 and {path.parent for path in parts} == {folder.path / "evaluations"}
    assert parts[0].name.startswith("qki-qta+qta-qki.rows-3")
    assert len(of_two.artifact.result.directions) == 2
    assert tasks.evaluate(finished_experiment(**few), runs=[RUN])[0].up_to_date
    (whole,) = tasks.evaluate(finished_experiment(), runs=[RUN])
    assert whole.up_to_date and whole.path == folder.evaluation


def test_a_part_that_waited_for_the_whole_is_kept_beside_it(finished_experiment, monkeypatch):
    """It was asked for before the whole was there, and has the lock after that."""
    folder = finished_experiment().folder.run("base")
    before = folder.evaluation.read_bytes()
    places = iter([folder.whole])
    monkeypatch.setattr("lslo_cli.tasks.evaluate.place", lambda *asked: next(places, None) or place(*asked))
    (part,) = tasks.evaluate(finished_experiment(**{"evaluate.directions": ("qta-qki",)}), runs=["base"])
    assert part.path.parent.parent == folder.path / "evaluations"
    assert folder.evaluation.read_bytes() == before


def test_a_part_is_a_part_however_its_directions_are_spelt(finished_experiment):
    folder = finished_experiment().folder.run(RUN)
    places = set()
    for spelt in (("qta-*",), ("qta-qso", "qta-qki", "qta-qka")):
        (part,) = tasks.evaluate(finished_experiment(**{"evaluate.directions": spelt}), runs=[RUN])
        places.add(part.path)
    assert len(places) == 1 and folder.evaluation not in places
    (whole,) = tasks.evaluate(finished_experiment(**{"evaluate.directions": ("*-*",)}), runs=[RUN])
    assert whole.path == folder.evaluation and len(whole.artifact.result.directions) == 12
    with pytest.raises(UsageError, match="direction 'qta-xx' is not among"):
        tasks.evaluate(finished_experiment(**{"evaluate.directions": ("qta-xx",)}), runs=[RUN])


def test_an_evaluation_by_other_metrics_is_a_part_or_the_whole_all_the_same(finished_experiment):
    folder, few, ter = (
        finished_experiment().folder.run("base"),
        {"evaluate.directions": ("qta-qki",)},
        ("TER",),
    )
    before = folder.evaluation.read_bytes()
    (part,) = tasks.evaluate(finished_experiment(**few, **{"evaluate.metrics": ter}), runs=["base"])
    assert part.path.parent.parent == folder.path / "evaluations"
    assert folder.evaluation.read_bytes() == before
    (whole,) = tasks.evaluate(finished_experiment(**{"evaluate.metrics": ter}), runs=["base"])
    assert whole.path == folder.evaluation and "TER" in whole.artifact.result.metrics
    (again,) = tasks.evaluate(finished_experiment(**few), runs=["base"])
    assert again.path == part.path
    assert list(again.artifact.result.metrics) == ["TER", "spBLEU", "chrF++"]
    assert store.read(folder.evaluation, EvaluationResult).digest == whole.artifact.digest


def test_an_evaluation_that_was_kept_is_found_under_the_name_that_it_was_given():
    recipe = Recipe()
    by_ter = recipe.model_copy(update={"evaluate": recipe.evaluate.model_copy(update={"metrics": ("TER",)})})
    for each in (recipe, by_ter):
        assert Extent.of(each).name == "132-directions.all-rows.ce2f57d3"


def test_an_evaluation_of_more_or_of_other_search_keeps_the_one_before(finished_experiment, listing):
    folder = finished_experiment().folder.run(RUN)
    texts = {path: path.read_bytes() for path in folder.whole.hypotheses.iterdir()}
    (greedy,) = tasks.evaluate(finished_experiment(**{"evaluate.beam": 1}), runs=[RUN])
    assert greedy.path == folder.evaluation and greedy.artifact.result.search["beam"] == 1
    (kept,) = (folder.path / "evaluations").iterdir()
    assert {path.name for path in (kept / "hypotheses").iterdir()} == {path.name for path in texts}
    (again,) = tasks.evaluate(finished_experiment(), runs=[RUN])
    assert again.up_to_date and again.path == folder.evaluation
    assert {path: path.read_bytes() for path in folder.whole.hypotheses.iterdir()} == texts
    assert [item.path for item in again.artifact.inputs] == ["training.json"]
    (more,) = tasks.evaluate(finished_experiment(**{"data.test_rows": 4}), runs=[RUN])
    assert more.path == folder.evaluation and len(list((folder.path / "evaluations").iterdir())) == 2


def test_a_move_that_was_interrupted_between_its_folders_loses_none(finished_experiment, tiny, monkeypatch):
    folder, moves, replace = finished_experiment().folder.run("base"), [], Path.replace
    texts = {path.name: path.read_bytes() for path in folder.whole.hypotheses.iterdir()}

    def interrupted(path, target):
        if path.is_dir() and path.name in ("hypotheses", "sources"):
            moves.append(path)
            if len(moves) == 2:
                raise KeyboardInterrupt
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    other = finished_experiment(**{"evaluate.beam": 1, "data.test_rows": 1})
    with pytest.raises(KeyboardInterrupt):
        tasks.evaluate(other, runs=["base"])
    tasks.evaluate(other, runs=["base"])
    (kept,) = (folder.path / "evaluations").iterdir()
    assert {path.name: path.read_bytes() for path in (kept / "hypotheses").iterdir()} == texts


def test_what_was_kept_to_go_on_from_is_removed_where_the_evaluation_is_there_already(finished_experiment):
    folder = finished_experiment().folder.run("base")
    log = folder.checkpoint / "evaluation" / "translations-0.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text("of a process that was killed after its last word")
    (again,) = tasks.evaluate(finished_experiment(), runs=["base"])
    assert again.up_to_date and not folder.checkpoint.exists()


def test_an_interrupted_evaluation_leaves_the_other_one_where_it_is(finished_experiment):
    folder = finished_experiment().folder.run("base")
    before = folder.evaluation.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        tasks.evaluate(
            finished_experiment(**SMALL, **{"evaluate.beam": 1}), runs=["base"], on_event=interrupt_after(2)
        )
    assert folder.evaluation.read_bytes() == before


def test_beside_every_hypothesis_is_what_it_was_made_from(finished_experiment, tiny):
    experiment = finished_experiment(**{"evaluate.directions": ("qta-qki",)})
    (written,) = tasks.evaluate(experiment, runs=["base"])
    folder = written.path.parent
    hypotheses, sources, references = (
        (folder / name / "qta-qki.txt").read_text(encoding="utf-8").splitlines()
        for name in ("hypotheses", "sources", "references")
    )
    files = [
        next((tiny.text / "test").glob(f"{code}*")).read_text(encoding="utf-8").splitlines()[:3]
        for code in ("qta", "qki")
    ]
    assert [sources, references] == files
    rows = [
        json.loads(line) for line in (folder / "aligned" / "qta-qki.jsonl").read_text("utf-8").splitlines()
    ]
    assert [row["row"] for row in rows] == [1, 2, 3]
    assert [row["hypothesis"] for row in rows] == hypotheses
    assert [row["source"] for row in rows] == sources


def test_gaps_are_rows_of_the_aligned_file_under_the_numbers_of_the_users_files():
    section = CorpusSection("bible", {"en": ["a", "b", "", "d"], "wo": ["A", "", "C", "D"]})
    corpus = Corpus((section.select([1, 2, 3]), CorpusSection("other", {"en": ["e"], "fr": ["E"]})))
    rows = [json.loads(line) for line in aligned(corpus, Direction("en", "wo"), ["Dd"])]
    assert [(row["row"], row["source"], row["reference"], row["hypothesis"]) for row in rows] == [
        (2, "b", "", None),
        (3, "", "C", None),
        (4, "d", "D", "Dd"),
    ]


def test_more_metrics_score_the_translations_that_are_there(finished_experiment, uninterrupted, monkeypatch):
    before = store.read(finished_experiment().folder.run("base").evaluation, EvaluationResult).result
    monkeypatch.setattr(
        sys.modules["lslo_cli.tasks.evaluate"], "translate_all", None
    )  # nothing is translated
    more = finished_experiment(**SMALL, **{"evaluate.metrics": ("TER", "spBLEU")})
    (written,) = tasks.evaluate(more, runs=["base"])
    after = written.artifact.result
    assert list(after.metrics) == ["spBLEU", "chrF++", "TER"]
    assert {name: after.metrics[name] for name in before.metrics} == before.metrics
    assert after.scores() == before.scores()
    assert all(row.scores["TER"] > 0 and row.totals for row in after.directions)
    assert "|case:" in after.metric("TER").signature
    (again,) = tasks.evaluate(more, runs=["base"])
    assert again.up_to_date and again.artifact.digest == written.artifact.digest


def test_translations_that_were_changed_are_not_scored_but_made_again(
    finished_experiment, uninterrupted, heard
):
    folder = finished_experiment().folder.run("base")
    path = next(folder.whole.hypotheses.iterdir())
    path.write_text(path.read_text() + "one line more\n")
    tasks.evaluate(
        finished_experiment(**SMALL, **{"evaluate.metrics": ("TER",)}), runs=["base"], on_event=heard
    )
    assert any(isinstance(event, Started) for event in heard)
    assert (path.name, path.read_bytes()) in uninterrupted["base"][1].items()


def test_a_metric_that_a_run_was_not_scored_by_names_the_command(finished_experiment):
    result = store.read(finished_experiment().folder.run("base").evaluation, EvaluationResult).result
    with pytest.raises(InputError, match="run base was not scored by TER, only by spBLEU") as error:
        result.metric("TER")
    assert error.value.hint == "score it: lslo evaluate --run base --metrics TER"
