"""What is refused before anything is trained: texts of any language, and runs that cannot be attached."""

import shutil
from functools import partial

import pytest

from lslo_cli.errors import InputError, RunError
from lslo_cli.events import Noted, ignore
from lslo_cli.flare import commands, setup
from lslo_cli.flare.plan import plan
from lslo_cli.flare.reporting import report

EVERY = ("zero-shot", "lora", "input-fusion", "x-mixup", "flare:cross-attention", "flare-mt:tiny")


@pytest.fixture
def untrained(monkeypatch):
    """Fail if anything is trained."""
    monkeypatch.setattr(commands, "tune", lambda *a: pytest.fail("trained"))


@pytest.fixture
def both(quick_flare, tmp_path, untrained):
    """How training and its dry run are refused, by what is changed in the experiment."""

    def refused(**changes):
        experiment = quick_flare(tmp_path / "results", **changes)
        errors = []
        for work in (lambda: list(commands.train(experiment)), partial(plan, experiment, "train")):
            with pytest.raises(InputError) as caught:
                work()
            errors.append(caught.value)
        assert not (tmp_path / "results").exists()
        return errors

    return refused


def test_a_run_that_the_model_cannot_take_is_refused_before_the_runs_beside_it(both):
    world = {"flare.task": "world", "flare.model": "world", "flare.languages": ("qsi",)}
    for error in both(**world, **{"flare.runs": ("lora", "x-mixup")}):
        assert error.message == "X-Mixup cannot mix in block 2 of a 'm2m_100' model"
        assert error.hint == "leave x-mixup out of --runs, or choose a BERT-like encoder as --model"


@pytest.mark.parametrize(
    ("language", "said"),
    [("jw", "NusaX has no language 'jw'. Did you mean 'jv'?"), ("ace", "nusax/acehnese/train.csv")],
)
def test_a_language_that_is_unknown_or_missing_is_refused_before_the_first_is_trained(both, language, said):
    for error in both(**{"flare.languages": ("jv", language), "flare.runs": ("lora",)}):
        assert said in error.message


def test_translations_that_are_missing_are_said_before_training(both, tmp_path):
    translated = {"flare.translated": ("test",), "flare.translations": str(tmp_path / "none")}
    for error in both(**translated, **{"flare.runs": ("lora",)}):
        assert error.message == f"no translation at {tmp_path / 'none' / 'jv-en' / 'test.csv'}"
        assert "lslo flare translate" in error.hint


def shorten(folder, split):
    """Leave a single row in a split of NusaX's files."""
    for path in folder.glob(f"*/{split}.csv"):
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))


def with_one_row(nusax_model, folder, split):
    shorten(shutil.copytree(nusax_model / "nusax", folder), split)
    return {"flare.data": str(folder)}


@pytest.mark.parametrize(("split", "run"), [("test", "flare"), ("train", "flare-shuffled")])
def test_a_text_of_one_row_is_refused_where_a_run_needs_the_source_of_another(
    both, nusax_model, tmp_path, split, run
):
    for error in both(
        **with_one_row(nusax_model, tmp_path / "nusax", split), **{"flare.runs": ("lora", run)}
    ):
        assert error.message.startswith(f"the {split} text in jv has 1 row, and the control with shuffled")
        assert "leave out of --runs" in error.hint


def test_runs_that_fuse_nothing_are_trained_and_tested_on_one_row(quick_flare, nusax_model, tmp_path):
    changes = with_one_row(nusax_model, tmp_path / "nusax", "test") | {
        "flare.runs": ("translate-test", "lora")
    }
    experiment = quick_flare(tmp_path / "results", **changes)
    list(commands.train(experiment))
    assert len(plan(experiment, "evaluate").files) == 1
    (tested,) = commands.evaluate(experiment)
    assert tested.artifact.result.shuffled == [] and len(tested.artifact.result.predictions) == 2
    document, _ = report(experiment.folder)
    assert document.sections


def test_the_dry_run_of_a_test_refuses_one_row_for_a_run_that_fuses(quick_flare, nusax_model, tmp_path):
    data = shutil.copytree(nusax_model / "nusax", tmp_path / "nusax")
    experiment = quick_flare(tmp_path / "results", **{"flare.data": str(data), "flare.runs": ("flare",)})
    list(commands.train(experiment))
    shorten(data, "test")
    with pytest.raises(InputError, match="the test text in jv has 1 row"):
        plan(experiment, "evaluate")


def test_rows_with_an_empty_text_are_counted_in_a_note(quick_flare, nusax_model, tmp_path):
    data = shutil.copytree(nusax_model / "nusax", tmp_path / "nusax")
    path, notes = data / "javanese" / "train.csv", []
    path.write_text(path.read_text().replace("0,ala lan,", "0,  ,"))
    experiment = quick_flare(tmp_path / "results", **{"flare.data": str(data), "flare.runs": ("zero-shot",)})
    list(commands.train(experiment, notes.append))
    said = [note.text for note in notes if isinstance(note, Noted) and "empty" in note.text]
    assert set(said) == {"jv/train: an empty text in 1 of 24 rows"}


def test_memory_that_runs_out_in_the_check_is_said_with_what_to_lower(quick_flare, tmp_path, monkeypatch):
    def no_memory(*arguments, **settings):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")

    monkeypatch.setattr(setup.FlareSetup, "check_runs", no_memory)
    with pytest.raises(RunError, match="memory ran out") as caught:
        list(commands.train(quick_flare(tmp_path)))
    assert "flare.batch_size" in caught.value.hint


def test_the_check_leaves_the_model_as_it_was_and_it_is_loaded_once(quick_flare, tiny, tmp_path, monkeypatch):
    loads = []

    def load(*arguments, **settings):
        loads.append(arguments)
        return load_task_model(*arguments, **settings)

    load_task_model = setup.load_task_model
    monkeypatch.setattr(setup, "load_task_model", load)
    translators = {"flare.translators": {"tiny": str(tiny.base)}, "flare.translator_reads_as": "qta"}
    experiment = partial(quick_flare, **{"flare.runs": EVERY, "run.recompute": True, **translators})

    def tuned(folder, checked):
        seed = commands.SeedRun(experiment(tmp_path / folder), 1, ignore)
        if checked:
            commands.check_ahead(seed, ("jv", "su"), seed.setup.settings.parsed_runs())
        written = commands.tuned(seed)
        return written.artifact.result.run("tuning"), [text.split for text in written.artifact.data]

    (one, texts), (other, same) = tuned("one", checked=True), tuned("other", checked=False)
    assert one.weights.digest == other.weights.digest
    assert texts == same == ["en/train", "en/dev"]
    assert len(loads) == 2
