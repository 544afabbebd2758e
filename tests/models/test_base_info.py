"""Base models on paper: what is said of one without its weights, and that it is so."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from lslo_cli.architectures import TRANSLATION
from lslo_cli.errors import InputError, UsageError
from lslo_cli.method.families import FAMILIES, SHAPES, published
from lslo_cli.models.base_info import adapter_facts, base_facts, shape_without_folder
from lslo_cli.recipe import resolve
from lslo_cli.world import WORLD

COUNTS = {
    "m2m-124-615m": 614_990_848,
    "m2m-124-175m": 175_276_544,
    "m2m-100-418m": 483_905_536,
    "m2m-100-1.2b": 1_239_470_080,
    "nllb-200-600m": 615_073_792,
    "nllb-200-1.3b": 1_370_638_336,
    "nllb-200-3.3b": 3_344_863_232,
    "small-100": 332_735_488,
    "mbart-50": 610_879_488,
    "madlad-400-3b": 2_940_374_016,
}


def _fairseq(shape):
    return {
        "vocab_size": shape.vocab_size,
        "d_model": shape.d_model,
        "encoder_layers": shape.encoder_layers,
        "decoder_layers": shape.decoder_layers,
        "encoder_ffn_dim": shape.ffn_dim,
        "decoder_ffn_dim": shape.ffn_dim,
    }


def _t5(shape):
    return {
        "vocab_size": shape.vocab_size,
        "d_model": shape.d_model,
        "num_layers": shape.encoder_layers,
        "num_decoder_layers": shape.decoder_layers,
        "d_ff": shape.ffn_dim,
        "d_kv": shape.attention_dim // 16,
        "num_heads": 16,
        "feed_forward_proj": "gated-gelu",
    }


SETTINGS = {"m2m_100": _fairseq, "mbart": _fairseq, "t5": _t5}


@pytest.mark.parametrize("name", SHAPES)
def test_a_published_shape_has_as_many_parameters_as_the_model_that_transformers_builds(name):
    family, shape = published(name)
    network = TRANSLATION[family.model_type].network
    with torch.device("meta"):
        model = network(network.config_class(**SETTINGS[family.model_type](shape)))
    own_head = 0 if TRANSLATION[family.model_type].ties_head else shape.vocab_size * shape.d_model
    assert TRANSLATION[family.model_type].shape(model.config, COUNTS[name]) == shape
    assert base_facts(name).parameters == COUNTS[name]
    assert model.num_parameters() + own_head == COUNTS[name]


@pytest.mark.parametrize(
    ("name", "count", "some"),
    [
        ("m2m-124-615m", 124, ("en", "kam", "wo")),
        ("m2m-100-418m", 100, ("en", "wo")),
        ("small-100", 100, ("en", "wo")),
        ("nllb-200-600m", 202, ("en", "kam", "wo", "zh", "ace_Latn", "zho_Hant")),
        ("mbart-50", 52, ("en", "zh", "gl")),
    ],
)
def test_languages_are_named_as_experiments_name_them(name, count, some):
    languages = base_facts(name).languages
    assert len(set(languages)) == count
    assert set(some) <= set(languages)


def test_the_counts_of_2_2_8_are_the_papers_and_the_true_ones():
    base = base_facts("m2m-124-615m")
    lang12 = {"langs": "lang12", "train.ranks": "2,2,8"}
    facts = adapter_facts(base, resolve(given=lang12))
    assert (facts.parameters, facts.parameters_paper_style) == (15_335_424, None)
    assert sum(row[3] for row in facts.by_language) == facts.parameters
    assert facts.by_language[0] == ("en", "high", 2, 638_976)
    assert facts.sites == 156 and not facts.unknown
    facts = adapter_facts(base, resolve(given={**lang12, "adapters.span": "all"}))
    assert (facts.parameters, facts.parameters_paper_style) == (22_413_312, 15_335_424)


def test_without_ranks_the_papers_count_and_sites_can_be_chosen():
    base = base_facts("m2m-124-615m")
    assert adapter_facts(base, resolve(given={"langs": "lang30"})).parameters == 46_006_272
    attention = adapter_facts(base, resolve(given={"langs": "lang12", "train.sites": "attn"}))
    assert attention.parameters == 10_616_832


def test_a_batch_size_that_memory_decides_is_planned_as_the_default():
    base = base_facts("m2m-124-615m")
    facts = adapter_facts(base, resolve(given={"langs": "lang12", "fit.max_tokens": "auto"}))
    assert facts == adapter_facts(base, resolve(given={"langs": "lang12"}))
    assert facts.max_tokens == 4000


def test_languages_that_a_model_does_not_know_are_told():
    facts = adapter_facts(base_facts("mbart-50"), resolve(given={"langs": "lang12"}))
    assert facts.unknown == ("oc", "or", "sd", "wo")


def test_a_folder_is_described_by_its_headers(tiny, tmp_path):
    facts = base_facts(str(tiny.base))
    assert facts.parameters == json.loads((tiny.base / "training.json").read_text())["model"]["parameters"]
    assert facts.languages and "safetensors" in facts.source


def test_weights_that_are_not_those_announced_are_refused(tiny, tmp_path):
    folder = tmp_path / "base"
    shutil.copytree(tiny.base, folder)
    state = load_file(folder / "model.safetensors")
    state.pop("model.encoder.layer_norm.bias")
    save_file(state, folder / "model.safetensors")
    with pytest.raises(InputError, match=r"config.json describes"):
        base_facts(str(folder))
    for damage in (b"", b"\xff" * 20, b"\x08\0\0\0\0\0\0\0not json"):
        (folder / "model.safetensors").write_bytes(damage)
        with pytest.raises(InputError, match="is not a safetensors file"):
            base_facts(str(folder))


def test_without_weights_the_config_decides(tiny, tmp_path):
    folder = tmp_path / "base"
    shutil.copytree(tiny.base, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    facts = base_facts(str(folder))
    assert facts.parameters == base_facts(str(tiny.base)).parameters and facts.source == "config.json"


def test_a_misspelt_shape_gets_the_nearest_one():
    with pytest.raises(UsageError, match="Did you mean 'm2m-124-615m'") as caught:
        base_facts("m2m-124-615")
    assert "nllb-200-600m" in caught.value.hint
    with pytest.raises(InputError, match="no folder"):
        base_facts("./m2m")


def test_every_shape_belongs_to_a_family():
    assert {published(name)[0].name for name in SHAPES} == {family.name for family in FAMILIES.values()}


def test_the_built_in_world_is_known_by_name_too():
    facts = base_facts("world")
    assert (facts.family, facts.shape.encoder_layers, facts.shape.d_model) == ("M2M-124", 3, 64)
    assert facts.languages == tuple(sorted(WORLD))


def test_a_folder_wins_over_the_published_shape_of_its_name(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shape_without_folder("m2m-124-615m") == SHAPES["m2m-124-615m"]
    shutil.copytree(tiny.base, "m2m-124-615m")
    assert base_facts("m2m-124-615m").shape == base_facts(str(tiny.base)).shape
    assert shape_without_folder("m2m-124-615m") is None
