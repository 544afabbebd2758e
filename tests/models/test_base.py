"""Base models: made, saved, loaded from each kind of place, and refused for each kind of fault."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import M2M100ForConditionalGeneration

from lslo_cli.architectures import architecture_of
from lslo_cli.errors import InputError, UsageError
from lslo_cli.models import places
from lslo_cli.models.base import load_base, new_base, save_base
from lslo_cli.models.segmentation import SENTENCEPIECE
from lslo_cli.models.tokenizer_files import DICTIONARY
from lslo_cli.models.vocabulary import train_vocabulary
from lslo_cli.recipe import BaseSection

LINES = {"en": ["the cat sees the small house"] * 3, "fr": ["le chat voit la petite maison"] * 3}
SHAPE = BaseSection(encoder_layers=1, decoder_layers=2, d_model=16, ffn_dim=32, heads=2, dropout=0.1)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return train_vocabulary(LINES, 40, tmp_path_factory.mktemp("vocabulary"))


@pytest.fixture(scope="module")
def base(tokenizer):
    return new_base(tokenizer, SHAPE, seed=1)


@pytest.fixture
def folder(base, tmp_path):
    return save_base(base, tmp_path / "base").folder


def test_a_new_base_has_the_shape_asked_for(base, tokenizer):
    rows, width, ffn = tokenizer.vocab_size, 16, 32
    attention, norm, feed = 4 * (width * width + width), 2 * width, 2 * width * ffn + width + ffn
    layers = (attention + feed + 2 * norm) + 2 * (2 * attention + feed + 3 * norm)
    assert base.identity.parameters == rows * width + layers + 2 * norm
    assert base.identity.vocab_size == rows == base.model.model.shared.weight.shape[0]
    assert (base.identity.encoder_layers, base.identity.decoder_layers) == (1, 2)
    assert (base.identity.d_model, base.identity.ffn_dim) == (16, 32)
    assert base.identity.digest == "" and base.folder is None
    assert not base.model.training


def test_the_seed_decides_the_weights_and_leaves_the_global_generator_alone(tokenizer):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    one, same, other = (new_base(tokenizer, SHAPE, seed=seed).model for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.lm_head.weight, same.lm_head.weight)
    assert not torch.equal(one.lm_head.weight, other.lm_head.weight)


def test_heads_that_do_not_divide_the_width_are_refused(tokenizer):
    with pytest.raises(UsageError, match="d_model 16 cannot be split into 3 heads") as caught:
        new_base(tokenizer, SHAPE.model_copy(update={"heads": 3}), seed=1)
    assert "such as 18" in caught.value.hint


def test_a_saved_base_loads_as_the_same_model_with_layers_never_dropped(base, folder):
    edit_config(folder, encoder_layerdrop=0.05, decoder_layerdrop=0.05)
    loaded = load_base(str(folder))
    assert torch.equal(logits(loaded), logits(base))
    assert not loaded.model.training
    assert loaded.model.model.encoder.layerdrop == loaded.model.model.decoder.layerdrop == 0
    assert loaded.model.lm_head.weight is loaded.model.model.shared.weight
    assert loaded.tokenizer.digest == base.tokenizer.digest
    assert loaded.folder == folder and (folder / SENTENCEPIECE).is_file()


def test_the_digest_follows_weights_and_tokenizer_and_nothing_else(base, folder, tokenizer, tmp_path):
    digest = load_base(str(folder)).identity.digest
    assert save_base(base, tmp_path / "again").identity.digest == digest
    assert save_base(new_base(tokenizer, SHAPE, seed=2), tmp_path / "other").identity.digest != digest
    edit_config(folder, dropout=0.3)
    assert load_base(str(folder)).identity.digest == digest
    lines = (folder / DICTIONARY).read_text(encoding="utf-8").splitlines()
    (folder / DICTIONARY).write_text("\n".join(reversed(lines)) + "\n", encoding="utf-8")
    assert load_base(str(folder)).identity.digest != digest


def test_half_precision_halves_the_file_and_loads_as_float32(base, folder, tmp_path):
    half = save_base(base, tmp_path / "half", dtype="float16")
    assert base.model.dtype is torch.float32
    assert load_file(half.folder / "model.safetensors")["model.shared.weight"].dtype is torch.float16
    loaded = load_base(str(half.folder))
    assert loaded.model.dtype is torch.float32
    torch.testing.assert_close(loaded.model.lm_head.weight, base.model.lm_head.weight, rtol=1e-3, atol=1e-4)
    assert loaded.identity.digest == half.identity.digest != load_base(str(folder)).identity.digest


def test_attention_can_be_computed_another_way(base, folder):
    eager = load_base(str(folder), attn="eager")
    assert eager.model.config._attn_implementation == "eager"
    torch.testing.assert_close(logits(eager), logits(base), rtol=1e-4, atol=1e-5)
    with pytest.raises(UsageError, match="attention 'telepathy' is not available"):
        load_base(str(folder), attn="telepathy")


def test_transformers_reads_what_we_save(base, folder):
    model = M2M100ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    assert torch.equal(model.lm_head.weight, base.model.lm_head.weight)


def test_saving_over_a_base_replaces_it_and_leaves_other_files(base, folder, tokenizer, capfd):
    (folder / "notes.txt").write_text("mine")
    other = new_base(tokenizer, SHAPE, seed=2)
    save_base(other, folder)
    assert torch.equal(load_base(str(folder)).model.lm_head.weight, other.model.lm_head.weight)
    assert (folder / "notes.txt").read_text() == "mine"
    assert [path.name for path in folder.parent.iterdir()] == ["base"]
    assert capfd.readouterr() == ("", "")


def test_an_interrupted_save_leaves_no_model_to_be_read(base, tokenizer, tmp_path, monkeypatch):
    def interrupted(self, folder):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(tokenizer), "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_base(base, tmp_path / "base")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_one_clear_error(base, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot (lock|write)"):
        save_base(base, tmp_path / "file" / "base")


def test_transformers_translates_whole_sentences_with_what_is_written(base, folder, tmp_path):
    settings = json.loads((folder / "generation_config.json").read_text())
    assert settings["max_length"] == 200
    # transformers warns of these together when it reads them, and refuses to write them when changed
    own = {"max_length": 60, "early_stopping": True, "num_beams": 1}
    (folder / "generation_config.json").write_text(json.dumps(settings | own))
    loaded = load_base(str(folder))
    assert loaded.model.generation_config.max_length is None
    written = save_base(loaded, tmp_path / "again").folder
    assert own.items() <= json.loads((written / "generation_config.json").read_text()).items()


def test_a_snapshot_in_the_layout_of_the_hub_loads_with_our_tokenizer(base, folder):
    lines = (folder / DICTIONARY).read_text(encoding="utf-8").splitlines()
    ids = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
    ids |= {line.rsplit(" ", 1)[0]: 4 + row for row, line in enumerate(lines)}
    added = {token: index for token, index in ids.items() if token.startswith("__")}
    vocabulary = {token: index for token, index in ids.items() if token not in added}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "added_tokens.json").write_text(json.dumps(added))
    (folder / DICTIONARY).unlink()
    loaded = load_base(str(folder))
    assert loaded.tokenizer.languages == ("en", "fr")
    assert loaded.identity == load_base(str(folder)).identity
    assert torch.equal(logits(loaded), logits(base))


def test_a_model_in_the_cache_of_the_hub_is_loaded_offline_at_its_commit(folder, tmp_path, monkeypatch):
    commit = "0123456789abcdef0123456789abcdef01234567"
    stored = tmp_path / "hub" / "models--someone--tiny"
    shutil.copytree(folder, stored / "snapshots" / commit)
    (stored / "refs").mkdir()
    (stored / "refs" / "main").write_text(commit)
    switch_off_the_hub(monkeypatch, tmp_path / "hub")
    loaded = load_base("someone/tiny")
    assert (loaded.identity.name, loaded.identity.revision) == ("someone/tiny", commit)
    assert loaded.identity.digest == load_base(str(folder)).identity.digest


def test_a_model_that_is_neither_folder_nor_reachable_says_where_it_was_looked_for(tmp_path, monkeypatch):
    switch_off_the_hub(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="'someone/nothing' is neither a folder") as caught:
        load_base("someone/nothing")
    assert str(tmp_path / "someone" / "nothing") in caught.value.message
    assert "huggingface.co" in caught.value.message
    for way in ("--model FOLDER", "in Python model=", "--recipe demo"):
        assert way in caught.value.hint


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("m2m-100-418m", "give --model facebook/m2m100_418M or --model FOLDER"),
        (
            "nllb-200-1.3b",
            "give --model facebook/nllb-200-distilled-1.3B or --model facebook/nllb-200-1.3B "
            "or --model FOLDER",
        ),
        ("madlad-400-3b", "give --model FOLDER"),
    ],
)
def test_a_shape_known_by_name_is_no_model_and_the_ids_that_are_one_are_named(name, hint, monkeypatch):
    monkeypatch.setattr(places, "hub_folder", None)
    with pytest.raises(InputError, match=f"'{name}' names a published shape") as caught:
        load_base(name)
    assert caught.value.hint == hint


@pytest.mark.parametrize("name", ["./nothing", "/no/such/base", "a/b/c"])
def test_a_path_is_never_looked_for_on_the_hub(name, monkeypatch):
    monkeypatch.setattr(places, "hub_folder", None)
    with pytest.raises(InputError, match="no folder"):
        load_base(name)


def test_a_missing_built_in_base_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "WORLD_FOLDER", tmp_path)
    with pytest.raises(InputError, match="built-in world's base model is not in this installation"):
        load_base("world")


def test_languages_without_a_token_are_named_together(base):
    base.check_languages(["en", "fr"])
    with pytest.raises(InputError, match=r"no token for enn, wo\. Did you mean 'en'"):
        base.check_languages(["fr", "enn", "wo"])


def test_a_dictionary_of_another_length_is_refused_with_both_numbers(folder, base):
    with (folder / DICTIONARY).open("a", encoding="utf-8") as file:
        file.write("more 1\n")
    rows = base.identity.vocab_size
    with pytest.raises(InputError, match=f"has {rows + 1} entries.*has {rows} rows"):
        load_base(str(folder))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "bart"}, "of type 'bart', not 'm2m_100'"),
        ({"tie_word_embeddings": False}, "does not tie its embeddings"),
        ({"decoder_layers": 3}, "they lack model.decoder.layers.2"),
        ({"decoder_layers": 1}, "they have, unexpectedly, model.decoder.layers.1"),
        ({"decoder_ffn_dim": 48}, "cannot be loaded"),
        ({"d_model": "wide"}, "config.json is damaged"),
        ({"vocab_size": None}, "config.json is damaged"),
    ],
)
def test_a_config_that_does_not_describe_the_weights_is_refused(folder, changes, message, capfd):
    edit_config(folder, **changes)
    with pytest.raises(InputError, match=message) as caught:
        load_base(str(folder))
    assert caught.value.hint
    assert capfd.readouterr() == ("", "")


def test_an_output_projection_of_its_own_is_refused(folder):
    weights = load_file(folder / "model.safetensors")
    weights["lm_head.weight"] = torch.zeros_like(weights["model.shared.weight"])
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="does not tie its embeddings"):
        load_base(str(folder))


@pytest.mark.parametrize("kept", [0, 100, 0.5])
def test_damaged_weights_are_one_clear_error(folder, kept):
    weights = folder / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(InputError, match=r"weights in .* cannot be loaded") as caught:
        load_base(str(folder))
    assert "again" in caught.value.hint


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_one_clear_error(folder, name):
    (folder / name).unlink()
    with pytest.raises(InputError):
        load_base(str(folder))


def test_a_config_that_is_not_json_is_one_clear_error(folder):
    (folder / "config.json").write_text("{")
    with pytest.raises(InputError, match=r"config.json is damaged"):
        load_base(str(folder))


def test_dropout_is_set_everywhere_and_nowhere_else(tokenizer):
    base = new_base(tokenizer, SHAPE, seed=1)
    base.model.get_encoder().layerdrop = base.model.get_decoder().layerdrop = 0.05
    architecture_of(base.model).set_dropout(base.model, 0.25, attention=0.5, activation=0.75)
    found = {
        (type(module).__name__, name): value
        for module in base.model.modules()
        for name in ("dropout", "activation_dropout", "layerdrop")
        if (value := getattr(module, name, None)) is not None
    }
    assert found == {
        ("M2M100Encoder", "dropout"): 0.25,
        ("M2M100Encoder", "layerdrop"): 0.0,
        ("M2M100EncoderLayer", "dropout"): 0.25,
        ("M2M100EncoderLayer", "activation_dropout"): 0.75,
        ("M2M100Attention", "dropout"): 0.5,
        ("M2M100Decoder", "dropout"): 0.25,
        ("M2M100Decoder", "layerdrop"): 0.0,
        ("M2M100DecoderLayer", "dropout"): 0.25,
        ("M2M100DecoderLayer", "activation_dropout"): 0.75,
    }


def logits(base):
    ids = torch.tensor([[base.tokenizer.language_id("en"), 10, 11, 2]])
    with torch.no_grad():
        return base.model(input_ids=ids, attention_mask=torch.ones_like(ids), decoder_input_ids=ids).logits


def edit_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def switch_off_the_hub(monkeypatch, cache):
    """What HF_HUB_OFFLINE=1 and HF_HUB_CACHE set, for libraries that have read them already."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
