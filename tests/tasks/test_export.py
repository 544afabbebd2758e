"""Exports, loaded by other libraries alone and compared with the run."""

from itertools import permutations
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from transformers import M2M100ForConditionalGeneration

from lslo_cli.data.corpus import Corpus, CorpusSection
from lslo_cli.errors import InputError, RunError, UsageError
from lslo_cli.method.languages import LANG12, LANG30, LANGUAGES, directions
from lslo_cli.method.strategy import Index
from lslo_cli.models.segmentation import AddedWord, WordsAndPieces
from lslo_cli.tasks import commands as tasks
from lslo_cli.tasks import export as stage
from lslo_cli.tasks.export import export
from lslo_cli.tasks.export_check import (
    CHECKED_DIRECTIONS,
    QUANTIZED_PERPLEXITY,
    examples_of,
    perplexity_ratio,
    representative,
)
from lslo_cli.tasks.translate import open_translator

RUN = "2-2-8-gps0.9"


@pytest.fixture
def by_source(experiments_in, tmp_path):
    """An experiment and the name of its unpruned run, whose encoder is selected by the source language."""
    experiment = experiments_in(tmp_path / "by-source")
    written = tasks.train(experiment(**{"train.ranks": "2,2,8", "train.index": "source"}))
    return experiment(), written.artifact.result.run


def test_a_merged_model_of_a_direction_is_one_of_transformers(finished_experiment, tmp_path):
    folder = tmp_path / "merged"
    assert export(finished_experiment(), RUN, folder, "merged", source="qta", target="qso") < 1e-3
    model = M2M100ForConditionalGeneration.from_pretrained(folder)
    assert "adapter" not in " ".join(model.state_dict())
    assert {"config.json", "model.safetensors", "sentencepiece.bpe.model"} <= {
        path.name for path in folder.iterdir()
    }
    other = tmp_path / "other"
    export(finished_experiment(), RUN, other, "merged", source="qta", target="qki")
    one, two = (load_file(path / "model.safetensors") for path in (folder, other))
    assert one.keys() == two.keys()
    assert any(not torch.equal(one[name], two[name]) for name in one)


def test_the_source_chooses_what_is_folded_into_the_encoder(by_source, tmp_path):
    folders = {source: tmp_path / source for source in ("qta", "qki")}
    for source, folder in folders.items():
        assert export(*by_source, folder, "merged", source=source, target="qso") < 1e-3
    one, two = (load_file(folder / "model.safetensors") for folder in folders.values())
    differing = {name.split(".")[1] for name in one if not torch.equal(one[name], two[name])}
    assert differing == {"encoder"}


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # asked for by PEFT
def test_adapters_of_both_sides_serve_every_direction(by_source, tmp_path):
    pytest.importorskip("peft", reason="the export is loaded by PEFT")
    assert export(*by_source, tmp_path / "peft", "peft") < 1e-3
    weights = {
        path.parent.name: load_file(path) for path in (tmp_path / "peft").glob("*/adapter_model.safetensors")
    }
    assert weights.keys() == {
        f"{side}-{code}" for side in ("source", "target") for code in ("qta", "qso", "qki", "qka")
    }
    assert any(matrix.any() for key, matrix in weights["source-qta"].items() if "_B" in key)


def test_a_model_that_was_trained_whole_needs_no_language(finished_experiment, tmp_path):
    assert export(finished_experiment(), "full", tmp_path / "full", "merged") == 0


def test_a_merged_model_needs_every_side_that_selects_adapters(finished_experiment, tmp_path):
    with pytest.raises(UsageError, match="selected by the target language"):
        export(finished_experiment(), RUN, tmp_path / "merged", "merged", source="qta")
    assert not (tmp_path / "merged").exists()


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # asked for by PEFT
@pytest.mark.parametrize("compact", [False, True])
def test_two_adapters_per_language_serve_every_direction(finished_experiment, tmp_path, compact):
    pytest.importorskip("peft", reason="the export is loaded by PEFT")
    folder = tmp_path / "peft"
    assert export(finished_experiment(), RUN, folder, "peft", compact=compact) < 1e-3
    names = {path.name for path in folder.iterdir() if path.is_dir()}
    codes = ("qta", "qso", "qki", "qka")
    assert len(list(permutations(codes, 2))) <= CHECKED_DIRECTIONS  # so that all were compared
    assert names <= {f"{side}-{code}" for side in ("source", "target") for code in codes}
    weights = [load_file(path) for path in folder.glob("*/adapter_model.safetensors")]
    useless = [
        not matrix.any(dim=0).all() for state in weights for key, matrix in state.items() if "_B" in key
    ]
    assert any(useless) is not compact


def test_an_export_that_differs_is_not_written(finished_experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "fold", lambda model, languages: model.lm_head.weight.data.mul_(2))
    with pytest.raises(RunError, match="differ from the routed model's"):
        export(finished_experiment(), "full", tmp_path / "out" / "full", "merged")
    assert not (tmp_path / "out").exists()


def test_words_at_which_transformers_would_split_otherwise_are_refused_by_name(
    finished_experiment, tmp_path, monkeypatch
):
    def with_a_word(*arguments):
        trained = open_translator(*arguments)
        tokenizer = trained.setup.base.tokenizer
        words = WordsAndPieces(tokenizer.segmenter.content, [AddedWord("zebra", single_word=True)])
        monkeypatch.setattr(tokenizer, "segmenter", words)
        monkeypatch.setattr(tokenizer, "tokens", [*tokenizer.tokens, "zebra"])
        return trained

    monkeypatch.setattr(stage, "open_translator", with_a_word)
    with pytest.raises(InputError, match="with the added token 'zebra'") as caught:
        export(finished_experiment(), "full", tmp_path / "out" / "full", "merged")
    assert "translate with lslo" in caught.value.hint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"form": "onnx"}, "unknown export format 'onnx'"),
        ({"form": "peft", "source": "qta"}, "serve all directions"),
        ({"form": "merged", "compact": True}, "no ranks to drop"),
        ({"form": "merged", "source": "xx"}, "has no language 'xx'"),
        ({"form": "merged", "source": "qta", "target": "qta"}, "--source and --target are both 'qta'"),
    ],
)
def test_choices_that_do_not_fit_are_refused(finished_experiment, tmp_path, choices, message):
    with pytest.raises(UsageError, match=message):
        export(finished_experiment(), RUN, tmp_path / "out", **choices)


def test_a_folder_that_exists_is_left_alone(finished_experiment, tmp_path):
    (tmp_path / "kept").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        export(finished_experiment(), "full", tmp_path / "kept", "merged")
    assert (tmp_path / "kept").read_text() == "mine"


def test_the_base_model_is_no_export(finished_experiment, tmp_path):
    with pytest.raises(UsageError, match="the base model has no adapters to export"):
        export(finished_experiment(), "base", tmp_path / "to", "merged")
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize(("quantization", "most"), [("float32", 1e-3), ("int8", QUANTIZED_PERPLEXITY)])
def test_ctranslate2_says_of_a_direction_what_the_run_says(finished_experiment, tmp_path, quantization, most):
    ctranslate2 = pytest.importorskip("ctranslate2", reason="its converter writes the export")
    folder = tmp_path / "ct2"
    choices = {"source": "qta", "target": "qso", "quantization": quantization}
    assert export(finished_experiment(), RUN, folder, "ct2", **choices) < most
    assert {"model.bin", "config.json", "shared_vocabulary.json", "tokenizer.json"} <= {
        path.name for path in folder.iterdir()
    }
    assert not list(folder.glob("*.safetensors"))
    translator = ctranslate2.Translator(str(folder), device="cpu")
    (found,) = translator.translate_batch([["__qta__", "</s>"]], target_prefix=[["__qso__"]], beam_size=1)
    assert found.hypotheses[0][0] == "__qso__"


def test_eight_bits_may_cost_a_little_perplexity_and_no_more(tmp_path):
    said = [torch.tensor([-1.0, -3.0]), torch.tensor([-2.0])]
    assert perplexity_ratio(said, (part - 0.1 for part in said), tmp_path) == pytest.approx(1.105, abs=1e-3)
    assert perplexity_ratio(said, [part + 0.5 for part in said], tmp_path) < 1
    for much in (0.3, torch.nan):
        with pytest.raises(RunError, match="perplexity of references is"):
            perplexity_ratio(said, [part - much for part in said], tmp_path)


def test_eight_bits_are_for_ctranslate2_alone(finished_experiment, tmp_path):
    with pytest.raises(UsageError, match="no export of format 'merged' has int8 weights"):
        export(finished_experiment(), RUN, tmp_path / "out", "merged", quantization="int8")


def test_a_run_is_exported_by_its_folder(finished_experiment, tmp_path):
    folder = finished_experiment().folder.run(RUN).path / "adapter"
    given = {"run.device": "cpu", "data.path": finished_experiment().recipe.data.path}
    difference = export(
        finished_experiment(),
        str(folder),
        tmp_path / "merged",
        "merged",
        source="qta",
        target="qso",
        given=given,
    )
    assert difference < 1e-3


def test_a_comparison_has_every_language_on_both_sides():
    thirty = directions(LANGUAGES[code] for code in LANG30)
    chosen = representative(thirty)
    assert {each.src for each in chosen} == {each.tgt for each in chosen} == set(LANG30)
    assert len(chosen) == len(set(chosen)) == 30
    from_one = [each for each in thirty if each.src == "wo"]
    assert representative(from_one) == from_one  # a merged model of one source
    few = thirty[:12]
    assert set(representative(few)) == set(few)
    assert len(representative(directions(LANGUAGES[code] for code in LANG12))) == CHECKED_DIRECTIONS


def test_a_comparison_is_made_on_directions_that_have_text(setup):
    """Those without are passed over, however many they are."""
    stage = setup()
    english_only = Corpus((CorpusSection("text", {"qki": ["taro"], "qka": ["miro"]}),))
    read = stage.read
    stage.read = lambda split, rows=None: english_only
    found = examples_of(stage, stage.directions, pairs=4)
    assert {str(direction) for direction, *_ in found} == {"qki-qka", "qka-qki"}
    stage.read = lambda split, rows=None: Corpus((CorpusSection("text", {"qki": ["taro"], "qka": [""]}),))
    with pytest.raises(InputError, match="no sentence pair to compare the export on"):
        examples_of(stage, stage.directions)
    long = Corpus((CorpusSection("text", {"qki": ["taro " * 300, "taro"], "qka": ["miro", "miro"]}),))
    stage.read = lambda split, rows=None: long
    found = examples_of(stage, stage.directions)  # without the pair that training leaves out
    assert len(found) == 2 and all(len(source) < 10 for _, source, _ in found)
    stage.read = read
    assert len(examples_of(stage, stage.directions, pairs=36)) == 36


def test_sides_are_given_by_any_name_of_their_language(monkeypatch):
    class Stop(Exception):
        pass

    asked = []

    def merged(setup, route, chosen, folder):
        asked.append((chosen[Index.SOURCE], chosen[Index.TARGET]))
        raise Stop

    opened = SimpleNamespace(setup=SimpleNamespace(codes=("wo", "en")), route=None)
    monkeypatch.setattr(stage, "open_translator", lambda *_: opened)
    monkeypatch.setattr(stage, "export_merged", merged)
    with pytest.raises(Stop):
        export(None, RUN, None, "merged", source="wol_Latn", target="eng")
    assert asked == [("wo", "en")]
