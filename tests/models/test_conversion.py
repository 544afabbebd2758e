"""Conversion of fairseq's folder: the same logits, the same ids, and every broken folder refused."""

from __future__ import annotations

import json
import math
import shutil
from argparse import Namespace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lslo_cli.errors import InputError, UsageError
from lslo_cli.method.vocabularies import M2M_124
from lslo_cli.models.base import Dtype, load_base
from lslo_cli.models.checkpoint import check_replaceable
from lslo_cli.models.conversion import convert_fairseq
from lslo_cli.models.segmentation import SENTENCEPIECE
from lslo_cli.models.tokenizer_files import DICTIONARY
from lslo_cli.models.vocabulary import train_vocabulary

SENTENCES = ["the cat sees the small house", "le chat voit la petite maison", "de kat ziet het kleine huis"]

D, FFN, HEADS, ENCODER, DECODER = 16, 24, 2, 2, 3
PAD = 1

SETTINGS = {
    "arch": "transformer_wmt_en_de_big",
    "encoder_embed_dim": D,
    "decoder_embed_dim": D,
    "encoder_ffn_embed_dim": FFN,
    "decoder_ffn_embed_dim": FFN,
    "encoder_layers": ENCODER,
    "decoder_layers": DECODER,
    "encoder_attention_heads": HEADS,
    "decoder_attention_heads": HEADS,
    "encoder_normalize_before": True,
    "decoder_normalize_before": True,
    "encoder_learned_pos": False,
    "decoder_learned_pos": False,
    "share_all_embeddings": True,
    "no_scale_embedding": False,
    "activation_fn": "relu",
    "encoder_layerdrop": 0.05,
    "decoder_layerdrop": 0.05,
    "dropout": 0.1,
    "max_source_positions": 1024,
}


def fairseq_checkpoint(rows: int, dtype: torch.dtype = torch.float32) -> dict[str, object]:
    """What fairseq saves: settings as a Namespace, and weights by fairseq's names."""
    generator = torch.Generator().manual_seed(3)

    def normal(*shape: int) -> Tensor:
        return (torch.randn(*shape, generator=generator) * 0.5).to(dtype)

    embedding = normal(rows, D)
    model = {
        "encoder.version": torch.tensor([3.0]),
        "decoder.version": torch.tensor([3.0]),
        "encoder.embed_positions._float_tensor": torch.tensor([0.0]),
        "decoder.embed_positions._float_tensor": torch.tensor([0.0]),
        "encoder.embed_tokens.weight": embedding,
        "decoder.embed_tokens.weight": embedding.clone(),
        "decoder.output_projection.weight": embedding.clone(),
    }
    for stack, depth in (("encoder", ENCODER), ("decoder", DECODER)):
        for layer in range(depth):
            prefix = f"{stack}.layers.{layer}."
            for attention in ("self_attn", *(["encoder_attn"] if stack == "decoder" else [])):
                for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
                    model[f"{prefix}{attention}.{name}.weight"] = normal(D, D)
                    model[f"{prefix}{attention}.{name}.bias"] = normal(D)
                model[f"{prefix}{attention}_layer_norm.weight"] = normal(D)
                model[f"{prefix}{attention}_layer_norm.bias"] = normal(D)
            for name, shape in (("fc1", (FFN, D)), ("fc2", (D, FFN))):
                model[f"{prefix}{name}.weight"] = normal(*shape)
                model[f"{prefix}{name}.bias"] = normal(shape[0])
            model[f"{prefix}final_layer_norm.weight"] = normal(D)
            model[f"{prefix}final_layer_norm.bias"] = normal(D)
        model[f"{stack}.layer_norm.weight"] = normal(D)
        model[f"{stack}.layer_norm.bias"] = normal(D)
    return {"args": Namespace(**SETTINGS), "model": model, "extra_state": {"epoch": 1}}


def fairseq_logits(state: dict[str, Tensor], source: Tensor, target: Tensor) -> Tensor:
    """fairseq's transformer: pre-norm, ReLU, sinusoids from position PAD + 1, scaled embeddings."""
    source_pads = source == PAD
    x = embed(state, source)
    for layer in range(ENCODER):
        at = f"encoder.layers.{layer}."
        normed = norm(state, f"{at}self_attn_layer_norm", x)
        x = x + attend(state, f"{at}self_attn", normed, normed, source_pads[:, None])
        x = x + feed_forward(state, at, x)
    memory = norm(state, "encoder.layer_norm", x)
    x = embed(state, target)
    future = torch.ones(target.shape[1], target.shape[1]).triu(1).bool()[None]
    for layer in range(DECODER):
        at = f"decoder.layers.{layer}."
        normed = norm(state, f"{at}self_attn_layer_norm", x)
        x = x + attend(state, f"{at}self_attn", normed, normed, future)
        normed = norm(state, f"{at}encoder_attn_layer_norm", x)
        x = x + attend(state, f"{at}encoder_attn", normed, memory, source_pads[:, None])
        x = x + feed_forward(state, at, x)
    return norm(state, "decoder.layer_norm", x) @ state["encoder.embed_tokens.weight"].T


def embed(state: dict[str, Tensor], ids: Tensor) -> Tensor:
    """sqrt(d) times the embedding, plus sinusoids; pads are skipped in counting and have none."""
    real = (ids != PAD).long()
    places = real.cumsum(1) * real + PAD
    frequencies = torch.exp(torch.arange(D // 2) * -(math.log(10_000) / (D // 2 - 1)))
    angles = places[..., None] * frequencies
    sinusoids = torch.cat((angles.sin(), angles.cos()), dim=-1) * real[..., None]
    return math.sqrt(D) * state["encoder.embed_tokens.weight"][ids] + sinusoids


def norm(state: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    scaled = centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()
    return scaled * state[f"{name}.weight"] + state[f"{name}.bias"]


def linear(state: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def feed_forward(state: dict[str, Tensor], at: str, x: Tensor) -> Tensor:
    normed = norm(state, f"{at}final_layer_norm", x)
    return linear(state, f"{at}fc2", F.relu(linear(state, f"{at}fc1", normed)))


def attend(state: dict[str, Tensor], at: str, x: Tensor, memory: Tensor, hidden: Tensor) -> Tensor:
    """Attention of ``x`` (b, t, d) to ``memory`` (b, s, d), blind where ``hidden`` (b or 1, t or 1, s)."""
    heads = [
        linear(state, f"{at}.{name}", y).unflatten(-1, (HEADS, D // HEADS)).transpose(1, 2)
        for name, y in (("q_proj", x), ("k_proj", memory), ("v_proj", memory))
    ]
    queries, keys, values = heads
    scores = queries @ keys.transpose(2, 3) / math.sqrt(D // HEADS)
    weights = scores.masked_fill(hidden[:, None], -math.inf).softmax(-1)
    return linear(state, f"{at}.out_proj", (weights @ values).transpose(1, 2).flatten(2))


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    """A folder as the archive unpacks: 124 language tokens in the dictionary, and a small random model."""
    folder = tmp_path_factory.mktemp("official")
    tokenizer = train_vocabulary({"en": SENTENCES * 3}, 40, folder, languages=M2M_124)
    torch.save(fairseq_checkpoint(tokenizer.vocab_size), folder / "model.pt")
    return folder


@pytest.fixture
def folder(official, tmp_path):
    """A copy to break."""
    return Path(shutil.copytree(official, tmp_path / "copy"))


@pytest.fixture(scope="module")
def converted(official, tmp_path_factory):
    return convert_fairseq(official, tmp_path_factory.mktemp("converted") / "base")


def change(folder, **changes):
    """Write model.pt again with other settings."""
    checkpoint = torch.load(folder / "model.pt", weights_only=False)
    vars(checkpoint["args"]).update(changes)
    torch.save(checkpoint, folder / "model.pt")


def change_weights(folder, edit):
    checkpoint = torch.load(folder / "model.pt", weights_only=False)
    edit(checkpoint["model"])
    torch.save(checkpoint, folder / "model.pt")


def test_a_converted_model_gives_fairseqs_logits(official, converted):
    state = torch.load(official / "model.pt", weights_only=False)["model"]
    generator = torch.Generator().manual_seed(5)
    source = torch.randint(4, converted.tokenizer.vocab_size, (3, 9), generator=generator)
    source[0, 5:] = source[2, 7:] = PAD
    target = torch.randint(4, converted.tokenizer.vocab_size, (3, 6), generator=generator)
    loaded = load_base(str(converted.folder))
    with torch.no_grad():
        ours = loaded.model(
            input_ids=source, attention_mask=(source != PAD).long(), decoder_input_ids=target
        ).logits
    theirs = fairseq_logits(state, source, target)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    assert theirs.std() > 1


def test_its_embeddings_are_one_and_no_layer_is_ever_dropped(converted):
    model = load_base(str(converted.folder)).model
    assert model.lm_head.weight is model.model.shared.weight is model.model.decoder.embed_tokens.weight
    config = json.loads((converted.folder / "config.json").read_text())
    assert config["encoder_layerdrop"] == config["decoder_layerdrop"] == 0
    assert (converted.folder / "model.safetensors").is_file()


@pytest.mark.parametrize("code", M2M_124)
def test_text_of_every_language_survives_saving_loading_and_tokenising(converted, code):
    tokenizer = converted.tokenizer
    pieces = tokenizer.encode(SENTENCES[0])
    ids = tokenizer.source_ids(pieces, code, "en")
    assert ids[0] == tokenizer.vocab_size - 124 + M2M_124.index(code)
    assert tokenizer.decode(ids) == SENTENCES[0]
    assert tokenizer.decoder_prompt("en", code) == [2, ids[0]]


def test_the_saved_tokenizer_is_the_same(converted):
    assert load_base(str(converted.folder)).tokenizer.digest == converted.tokenizer.digest
    assert converted.tokenizer.languages == M2M_124


def test_language_tokens_that_the_dictionary_lacks_are_appended(folder, converted, tmp_path):
    lines = (folder / DICTIONARY).read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / DICTIONARY).write_text("".join(lines[:-124]), encoding="utf-8")
    base = convert_fairseq(folder, tmp_path / "out")
    assert base.tokenizer.digest == converted.tokenizer.digest


def test_half_precision_stays_half_unless_another_format_is_asked_for(folder, tmp_path, converted):
    torch.save(fairseq_checkpoint(converted.tokenizer.vocab_size, torch.float16), folder / "model.pt")
    convert_fairseq(folder, tmp_path / "half")
    assert json.loads((tmp_path / "half/config.json").read_text())["dtype"] == "float16"
    convert_fairseq(folder, tmp_path / "full", Dtype.FLOAT32)
    assert json.loads((tmp_path / "full/config.json").read_text())["dtype"] == "float32"


def test_a_file_in_torchs_older_format_converts_too(folder, tmp_path, converted):
    checkpoint = fairseq_checkpoint(converted.tokenizer.vocab_size)
    torch.save(checkpoint, folder / "model.pt", _use_new_zipfile_serialization=False)
    assert convert_fairseq(folder, tmp_path / "out").identity.digest == converted.identity.digest


def test_settings_may_lie_where_newer_versions_put_them(folder, tmp_path):
    checkpoint = torch.load(folder / "model.pt", weights_only=False)
    checkpoint["cfg"] = {"model": vars(checkpoint.pop("args"))}
    torch.save(checkpoint | {"args": None}, folder / "model.pt")
    convert_fairseq(folder, tmp_path / "out")
    assert load_base(str(tmp_path / "out")).identity.decoder_layers == 3


@pytest.mark.parametrize("name", ["model.pt", DICTIONARY, SENTENCEPIECE])
def test_a_missing_file_is_named_beside_those_that_are_there(folder, tmp_path, name):
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"no {name} in .*it holds") as caught:
        convert_fairseq(folder, tmp_path / "out")
    assert caught.value.hint and not (tmp_path / "out").exists()


def test_no_folder_at_all_is_one_message(tmp_path):
    with pytest.raises(InputError, match="it holds nothing"):
        convert_fairseq(tmp_path / "nowhere", tmp_path / "out")


def test_a_pickle_with_other_objects_is_refused_and_not_run(folder, tmp_path):
    class Malice:
        def __reduce__(self):
            return Path.touch, (tmp_path / "touched",)

    torch.save({"args": Malice(), "model": {}}, folder / "model.pt")
    with pytest.raises(InputError, match="not safe to load"):
        convert_fairseq(folder, tmp_path / "out")
    assert not (tmp_path / "touched").exists() and not (tmp_path / "out").exists()


@pytest.mark.parametrize("cut", [0, 10, 5000])
def test_a_truncated_checkpoint_is_refused(folder, tmp_path, cut):
    (folder / "model.pt").write_bytes((folder / "model.pt").read_bytes()[:cut])
    with pytest.raises(InputError, match=r"model\.pt (is damaged|cannot be read)"):
        convert_fairseq(folder, tmp_path / "out")


@pytest.mark.parametrize("content", [[1, 2], {"model": {}}, {"args": None, "cfg": {}, "model": {}}])
def test_a_file_of_something_else_is_refused(folder, tmp_path, content):
    torch.save(content, folder / "model.pt")
    with pytest.raises(InputError, match="is not a fairseq checkpoint"):
        convert_fairseq(folder, tmp_path / "out")


def test_a_dictionary_of_another_length_is_refused_with_both_numbers(folder, tmp_path):
    with (folder / DICTIONARY).open("a", encoding="utf-8") as file:
        file.write("more 1\n")
    with pytest.raises(InputError, match=r"gives 166 ids.*124 language tokens.*has 165 rows"):
        convert_fairseq(folder, tmp_path / "out")


def test_missing_weights_are_named(folder, tmp_path):
    def edit(state):
        for name in [name for name in state if "layers.1.fc" in name]:
            del state[name]

    change_weights(folder, edit)
    names = r"decoder.layers.1.fc1.bias, decoder.layers.1.fc1.weight, decoder.layers.1.fc2.bias and 5 more"
    with pytest.raises(InputError, match=f"lacks {names}"):
        convert_fairseq(folder, tmp_path / "out")
    change_weights(folder, lambda state: state.pop("encoder.embed_tokens.weight"))
    with pytest.raises(InputError, match="lacks encoder.embed_tokens.weight"):
        convert_fairseq(folder, tmp_path / "out")


def test_weights_that_an_m2m100_has_no_place_for_are_named(folder, tmp_path):
    change_weights(folder, lambda state: state.update({"encoder.layernorm_embedding.bias": torch.zeros(16)}))
    with pytest.raises(InputError, match="besides an M2M100's weights, encoder.layernorm_embedding.bias"):
        convert_fairseq(folder, tmp_path / "out")


def test_weights_of_another_shape_are_refused(folder, tmp_path):
    change(folder, encoder_ffn_embed_dim=32)
    with pytest.raises(InputError, match=r"fc1.weight in .* is \(24, 16\); its settings say \(32, 16\)"):
        convert_fairseq(folder, tmp_path / "out")


def test_embeddings_that_differ_are_refused(folder, tmp_path):
    change_weights(folder, lambda state: state["decoder.embed_tokens.weight"].add_(1))
    with pytest.raises(InputError, match="is not the encoder's embedding"):
        convert_fairseq(folder, tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("encoder_normalize_before", False),
        ("activation_fn", "gelu"),
        ("decoder_learned_pos", True),
        ("no_token_positional_embeddings", True),
        ("cross_self_attention", True),
    ],
)
def test_another_architecture_is_refused(folder, tmp_path, name, value):
    change(folder, **{name: value})
    with pytest.raises(InputError, match=f"is not an M2M100: its {name} is {value}"):
        convert_fairseq(folder, tmp_path / "out")


def test_a_folder_is_not_converted_into_itself(folder):
    with pytest.raises(InputError, match="is the folder to convert"):
        convert_fairseq(folder, folder)


def test_a_model_that_lslo_did_not_write_is_not_replaced(folder, tmp_path):
    out = tmp_path / "out"
    convert_fairseq(folder, out)
    before = load_base(str(out)).identity.digest
    assert convert_fairseq(folder, out).identity.digest == before
    settings = json.loads((out / "tokenizer_config.json").read_text())
    del settings["lslo_family"]
    (out / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(UsageError, match="holds a model that lslo did not write") as error:
        convert_fairseq(folder, out)
    assert "--out" in error.value.hint
    (out / "tokenizer_config.json").unlink()
    check_replaceable(out)
    (out / "pytorch_model.bin").touch()
    with pytest.raises(UsageError):
        check_replaceable(out)
    (out / "pytorch_model.bin").unlink()
    (out / DICTIONARY).unlink()
    with pytest.raises(UsageError):
        check_replaceable(out)
    check_replaceable(tmp_path / "new")
