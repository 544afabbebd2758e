"""FLARE-MT's translation model reads a text as its own language, or as the substitute for an unknown one."""

import pytest
import torch

from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.errors import InputError
from lslo_cli.flare import commands
from lslo_cli.flare.plan import plan
from lslo_cli.flare.setup import prepare
from lslo_cli.method.flare import SOURCE, FlareRun
from lslo_cli.recipe import resolve
from lslo_cli.recipe.flare import FlareSection
from lslo_cli.tasks.experiment import Experiment

RUN = FlareRun.parse("flare-mt:w")


@pytest.fixture
def experiment(tmp_path):
    """FLARE-MT on the built-in world, with its own base as the translation model."""

    def made(**changes):
        settings = {"flare.task": "world", "flare.model": "world", "flare.translators": {"w": "world"}}
        settings |= {"flare.languages": ("qsi", "qne"), "flare.seeds": (1,), "flare.runs": (str(RUN),)}
        settings |= {"flare.train_rows": 8, "flare.epochs": 1, "flare.max_length": 16, "flare.rank": 2}
        settings |= {"run.device": "cpu", "run.threads": 1}
        return Experiment(resolve(None, {**settings, **changes}), ExperimentFolder(tmp_path), "lslo flare")

    return made


def test_a_language_is_read_as_itself_or_as_the_substitute():
    settings = FlareSection(translator_reads_as="id")
    assert settings.read_as("jv", ("id", "jv")) == "jv"
    assert settings.read_as("jav_Latn", ("id", "jv")) == "jav_Latn"  # another name of the same
    assert settings.read_as("ban", ("id", "jv")) == "id"
    assert settings.read_as("ban", ("en", "jv")) is None


def test_a_run_is_trained_in_the_language_of_its_text_and_says_so(experiment):
    made = experiment()
    assert plan(made, "train").files
    _, qsi, qne = commands.train(made)
    for written, code in ((qsi, "qsi"), (qne, "qne")):
        assert written.artifact.result.runs[0].translator == f"world as {code}"
    assert all(written.up_to_date for written in commands.train(made))
    tested = [len(written.artifact.result.predictions) for written in commands.evaluate(made)]
    assert tested == [4, 4]


def test_a_method_encodes_its_texts_as_their_language(experiment):
    setup = prepare(experiment().recipe)
    encoder, model = setup.target_encoder("w"), setup.new_model()
    texts = [("taro lopaba", "")]
    for language in ("qsi", "qne"):
        with setup.transfer_method(model, RUN, language) as method:
            found = method.encode_targets(texts).states
        assert torch.equal(found, encoder.states(texts, language).states)
    assert not torch.equal(encoder.states(texts, "qsi").states, encoder.states(texts, "qne").states)


def test_of_a_long_pair_the_translation_model_reads_both_texts(experiment):
    encoder = prepare(experiment().recipe).target_encoder("w")
    whole, cut = (
        encoder.states([("taro lopaba", "miro")], "qsi"),
        encoder.states([("taro lopaba miro",)], "qsi"),
    )
    assert torch.equal(whole.states, cut.states)
    one, other = (encoder.states([("taro " * 200, text)], "qsi") for text in ("miro", "lopaba"))
    assert one.mask.shape == (1, encoder._max_length)
    assert not torch.equal(one.states, other.states)


def test_a_language_that_cannot_be_read_is_refused_before_training_with_a_hint_that_helps(experiment):
    setup = prepare(experiment(**{"flare.task": "nusax", "flare.languages": ("qsi", "jv")}).recipe)
    model = setup.new_model()
    with (
        pytest.raises(InputError, match="'world' knows neither 'jv' nor 'id'") as caught,
        setup.transfer_method(model, RUN, SOURCE),
    ):
        pass
    assert "--set flare.translator_reads_as=CODE" in caught.value.hint and "qso" in caught.value.hint
    substitute = {"flare.languages": ("qsi", "jv"), "flare.translator_reads_as": "qso"}
    setup = prepare(experiment(**substitute).recipe)
    assert setup.translator_of(RUN, "jv") == "world as qso"
    assert setup.translator_of(RUN, "qsi") == "world as qsi"
    assert setup.translator_of(FlareRun.parse("lora"), "jv") == ""
