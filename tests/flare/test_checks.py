"""What is refused before anything is trained: texts of any language, and runs that cannot be attached."""

from functools import partial

import pytest

from lslo_cli.errors import InputError, RunError
from lslo_cli.events import ignore
from lslo_cli.flare import commands, setup
from lslo_cli.flare.plan import plan

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
