"""Conversion of M2M-124 as published, a fairseq checkpoint, to a folder that ``load_base`` reads."""

from __future__ import annotations

import pickle
import re
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import M2M100Config, M2M100ForConditionalGeneration

from lslo_cli.errors import InputError
from lslo_cli.method.vocabularies import M2M_124
from lslo_cli.models.base import BaseModel, Dtype, save_base, unsaved_base
from lslo_cli.models.checkpoint import check_replaceable
from lslo_cli.models.segmentation import SENTENCEPIECE
from lslo_cli.models.tokenizer import BOS, EOS, PAD, Tokenizer
from lslo_cli.models.tokenizer_files import DICTIONARY
from lslo_cli.wording import several

MODEL = "model.pt"
FILES = (MODEL, DICTIONARY, SENTENCEPIECE)

EMBEDDING = "encoder.embed_tokens.weight"
TIED = ("decoder.embed_tokens.weight", "decoder.output_projection.weight")
"""Copies of the embedding, which the published models share."""

# Non-weights in fairseq's state: format versions, and the device of computed positions.
BUFFERS = re.compile(r"(en|de)coder\.(version|embed_positions\.(_float_tensor|weights))")

SETTINGS: Mapping[str, object] = {
    "encoder_normalize_before": True,
    "decoder_normalize_before": True,
    "encoder_learned_pos": False,
    "decoder_learned_pos": False,
    "no_token_positional_embeddings": False,
    "cross_self_attention": False,
    "layernorm_embedding": False,
    "share_all_embeddings": True,
    "activation_fn": "relu",
}
"""The settings of fairseq's transformer that define an M2M100."""

_OFFICIAL = "use the folder of the official archive, unpacked"


def convert_fairseq(folder: Path, out: Path, dtype: Dtype | None = None) -> BaseModel:
    """Convert the folder of a published model (model.pt, dict.txt, sentencepiece.bpe.model) to ``out``.

    The weights keep their number format unless ``dtype`` gives another. Language tokens that the dictionary
    lacks are appended in alphabetical order, as fairseq appends them when it loads one. Layerdrop is 0.
    ``out`` gets the complete model or nothing.

    Raises InputError if a file is missing or damaged, if model.pt holds other Python objects than tensors and
    settings (it is never unpickled unsafely), if it is not an M2M100, or if dictionary and embedding differ
    in length. Raises UsageError if ``out`` holds a model that lslo did not write.
    """
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        present = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        raise InputError(
            f"no {', '.join(missing)} in {folder}; it holds {', '.join(present) or 'nothing'}", _OFFICIAL
        )
    if out.resolve() == folder.resolve():
        raise InputError(f"{out} is the folder to convert", "choose another folder for --out")
    check_replaceable(out)
    path = folder / MODEL
    settings, state = _read(path)
    embedding = state.get(EMBEDDING)
    if embedding is None:
        raise InputError(f"{path} lacks {EMBEDDING}", _OFFICIAL)
    tokenizer = _tokenizer(folder, len(embedding))
    stored = dtype or Dtype(str(embedding.dtype).removeprefix("torch."))
    model = _model(_config(settings, len(embedding), path), state, path)
    return save_base(unsaved_base(model, tokenizer, str(folder)), out, stored)


def _read(path: Path) -> tuple[Mapping[str, Any], dict[str, Tensor]]:
    """fairseq's settings and the weights, by fairseq's names."""
    try:
        with torch.serialization.safe_globals([Namespace]):
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        what = re.search(r"GLOBAL ([\w.]+)", str(error))
        holds = f"holds a Python object that is not safe to load ({what[1]})" if what else "is damaged"
        raise InputError(
            f"{path} {holds}", "only tensors and argparse.Namespace are read: take the official file"
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError) as error:
        reason = next(iter(str(error).splitlines()), "it is empty")
        raise InputError(f"{path} cannot be read: {reason}", _OFFICIAL) from error
    try:
        settings = checkpoint.get("args") or checkpoint["cfg"]["model"]
        settings = vars(settings) if isinstance(settings, Namespace) else dict(settings)
        return settings, dict(checkpoint["model"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is not a fairseq checkpoint: no {error} in it", _OFFICIAL) from error


def _tokenizer(folder: Path, rows: int) -> Tokenizer:
    tokenizer = Tokenizer.load(folder)
    if tokenizer.vocab_size < rows:
        tokenizer = Tokenizer.load(folder, languages=M2M_124)
    if tokenizer.vocab_size != rows:
        raise InputError(
            f"{folder / DICTIONARY} gives {tokenizer.vocab_size:,} ids with specials and "
            f"{len(tokenizer.languages)} language tokens, but the embedding has {rows:,} rows",
            "take the dictionary that came with the model",
        )
    return tokenizer


def _config(settings: Mapping[str, Any], rows: int, path: Path) -> M2M100Config:
    """transformers' settings from fairseq's; raises InputError for those that an M2M100 does not have."""
    for name, wanted in SETTINGS.items():
        if settings.get(name, wanted) != wanted:
            raise InputError(
                f"{path} is not an M2M100: its {name} is {settings[name]}, not {wanted}",
                "convert M2M-124, 615M or 175M",
            )
    try:
        return M2M100Config(
            vocab_size=rows,
            d_model=settings["encoder_embed_dim"],
            encoder_layers=settings["encoder_layers"],
            decoder_layers=settings["decoder_layers"],
            encoder_ffn_dim=settings["encoder_ffn_embed_dim"],
            decoder_ffn_dim=settings["decoder_ffn_embed_dim"],
            encoder_attention_heads=settings["encoder_attention_heads"],
            decoder_attention_heads=settings["decoder_attention_heads"],
            max_position_embeddings=settings.get("max_source_positions", 1024),
            scale_embedding=not settings.get("no_scale_embedding", False),
            dropout=settings.get("dropout", 0.1),
            attention_dropout=settings.get("attention_dropout", 0.0),
            activation_dropout=settings.get("activation_dropout", 0.0),
            encoder_layerdrop=0.0,
            decoder_layerdrop=0.0,
            tie_word_embeddings=True,
            bos_token_id=BOS,
            pad_token_id=PAD,
            eos_token_id=EOS,
            decoder_start_token_id=EOS,
        )
    except KeyError as error:
        raise InputError(f"the settings in {path} do not give {error}", _OFFICIAL) from error


def _model(config: M2M100Config, state: dict[str, Tensor], path: Path) -> M2M100ForConditionalGeneration:
    """The model with fairseq's weights in float32; transformers uses the same names."""
    embedding = state[EMBEDDING]
    for name in TIED:
        if not torch.equal(state.pop(name, embedding), embedding):
            raise InputError(f"{name} in {path} is not the encoder's embedding", _OFFICIAL)
    weights = {name: tensor for name, tensor in state.items() if not BUFFERS.fullmatch(name)}
    weights["shared.weight"] = weights["decoder.embed_tokens.weight"] = embedding
    with torch.device("meta"):
        expected = M2M100ForConditionalGeneration(config).model.state_dict()
    _refuse(path, "lacks", expected.keys() - weights.keys())
    _refuse(path, "has, besides an M2M100's weights,", weights.keys() - expected.keys())
    for name, tensor in expected.items():
        if weights[name].shape != tensor.shape:
            raise InputError(
                f"{name} in {path} is {(*weights[name].shape,)}; its settings say {(*tensor.shape,)}",
                _OFFICIAL,
            )
    model = M2M100ForConditionalGeneration(config)
    model.model.load_state_dict(weights)
    model.tie_weights()
    return model.eval()


def _refuse(path: Path, problem: str, names: set[str]) -> None:
    """Raise InputError with the first few names, if there are any."""
    if names:
        raise InputError(f"{path} {problem} {several(sorted(names), most=3)}", _OFFICIAL)
