"""Base models: load one from the package, a folder or the hub, make a new one, save it, add languages."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

import torch
from transformers import GenerationConfig, M2M100Config, M2M100ForConditionalGeneration, PreTrainedModel

from lslo_cli.architectures import architecture_of
from lslo_cli.artifacts.schema import ModelIdentity
from lslo_cli.data.codes import check_known, check_new_languages
from lslo_cli.errors import InputError, UsageError
from lslo_cli.method.base_dtype import BaseDtype
from lslo_cli.models.checkpoint import Checkpoint, find_checkpoint, weight_files, write_checkpoint
from lslo_cli.models.pretrained import moved
from lslo_cli.models.tokenizer import BOS, EOS, PAD, Tokenizer
from lslo_cli.nn.compact import compact
from lslo_cli.nn.embedding import NewRows, absorb_rows, extend_embedding
from lslo_cli.recipe import BaseSection


class Dtype(StrEnum):
    """Number format of weights in a file."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"

    @property
    def torch(self) -> torch.dtype:
        """The torch dtype of the same name."""
        return getattr(torch, self.value)


RESERVED_POSITIONS = 2
"""Unused rows of a table of learned positions, as in fairseq."""

WRITTEN_LENGTH = 200
"""The limit on the length of translations, for transformers, of a model that names none."""


@dataclass(frozen=True)
class BaseModel:
    """A translation model with its tokenizer; ``folder`` holds its files and is None for a new one.

    ``generation`` are its own settings of transformers' search, which are written with it, and which lslo's
    searches never see. ``new_rows`` are the embeddings of languages that were added to it, None if there are
    none.
    """

    model: PreTrainedModel
    tokenizer: Tokenizer
    identity: ModelIdentity
    folder: Path | None
    generation: GenerationConfig
    new_rows: NewRows | None = None

    def longest(self, max_length: int) -> int:
        """``max_length``, or the number of tokens with learned positions if that is smaller."""
        rows = self.identity.learned_positions
        return min(max_length, rows - RESERVED_POSITIONS) if rows else max_length

    def check_languages(self, codes: Iterable[str]) -> None:
        """Raise InputError if languages have no token, naming all of them."""
        check_known(codes, self.tokenizer.languages, self.identity.name)


def load_base(
    model: str,
    *,
    revision: str | None = None,
    attn: str | None = None,
    weights: bool = True,
    frozen: BaseDtype = BaseDtype.FLOAT32,
    device: torch.device | None = None,
) -> BaseModel:
    """Load ``world`` (the base that comes with lslo), a folder, or a model of the hub, in eval mode.

    ``attn`` names one of transformers' attention implementations. Layerdrop is 0, and the network lacks the
    model's own generation settings, which would change the search silently. Without ``weights`` none are
    read: the model is an outline, for planning. A model ``frozen`` in fewer bits than float32 still computes
    in float32, see :mod:`lslo_cli.nn.compact`; in 4 bits it is on ``device``.

    Raises InputError if there is no such model, if a file is missing or damaged, if its architecture cannot
    be adapted, or if dictionary and embedding differ in length; UsageError for an attention implementation
    that is not available.
    """
    checkpoint = find_checkpoint(model, revision)
    rows = int(checkpoint.config()["vocab_size"])
    tokenizer = checkpoint.tokenizer()
    if tokenizer.vocab_size != rows:
        raise InputError(
            f"the dictionary in {checkpoint.folder} has {tokenizer.vocab_size:,} entries with specials and "
            f"language tokens, but the model's embedding has {rows:,} rows",
            "take the dictionary that the model was trained with",
        )
    if not weights:
        network = checkpoint.outline()
    elif frozen is BaseDtype.FLOAT32:
        network = checkpoint.load_weights(torch.float32)
    else:
        quantised_on = device if frozen is BaseDtype.FOUR_BIT else None
        network = checkpoint.load_weights(torch.bfloat16, quantised_on)
    generation, network.generation_config = network.generation_config, GenerationConfig()
    for settings in (network.config, network.generation_config, generation):
        settings.decoder_start_token_id = tokenizer.start_id  # mBART's own settings have none
        settings.pad_token_id, settings.eos_token_id = tokenizer.pad_id, tokenizer.eos_id
    if attn is not None:
        try:
            network.set_attn_implementation(attn)
        except (ImportError, ValueError) as error:
            message = f"attention '{attn}' is not available here: {str(error).splitlines()[0]}"
            raise UsageError(message, "use sdpa or eager") from error
    digest = checkpoint.digest(tokenizer) if weights else ""
    identity = _identify(network, model, checkpoint.commit, digest)
    if weights and frozen is not BaseDtype.FLOAT32:
        compact(network)
        architecture_of(network).compute_positions(network)
    # Files of it are read later too, when the working folder may be another one.
    return BaseModel(network, tokenizer, identity, checkpoint.folder.absolute(), generation)


def digest_on_disk(base: BaseModel) -> str:
    """The digest of a base that was loaded without weights, from its files; empty without weights there."""
    folder = base.folder
    if folder is None or not weight_files(folder):
        return ""
    checkpoint = Checkpoint(folder)
    return checkpoint.digest(checkpoint.tokenizer())


def check_heads(section: BaseSection) -> None:
    """Raise UsageError if the heads of a base that is to be trained do not divide its width."""
    d_model, heads = section.d_model, section.heads
    if d_model % (2 * heads):
        raise UsageError(
            f"d_model {d_model} cannot be split into {heads} heads of even width",
            f"choose a multiple of {2 * heads}, such as {2 * heads * max(1, round(d_model / (2 * heads)))}",
        )


def new_base(tokenizer: Tokenizer, section: BaseSection, seed: int) -> BaseModel:
    """A random model of the section's shape for ``tokenizer``, in eval mode. The same seed, the same weights.

    Weights are normal with standard deviation ``d_model ** -0.5``: fairseq's for embeddings, and that of
    Xavier initialisation for square matrices. Raises what :func:`check_heads` does.
    """
    check_heads(section)
    d_model, heads = section.d_model, section.heads
    config = M2M100Config(
        vocab_size=tokenizer.vocab_size,
        d_model=d_model,
        encoder_layers=section.encoder_layers,
        decoder_layers=section.decoder_layers,
        encoder_ffn_dim=section.ffn_dim,
        decoder_ffn_dim=section.ffn_dim,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_layerdrop=0.0,
        decoder_layerdrop=0.0,
        dropout=section.dropout,
        attention_dropout=section.dropout,
        activation_dropout=0.0,
        init_std=d_model**-0.5,
        bos_token_id=BOS,
        pad_token_id=PAD,
        eos_token_id=EOS,
        decoder_start_token_id=EOS,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = M2M100ForConditionalGeneration(config).eval()
    return unsaved_base(network, tokenizer, "new")


def unsaved_base(network: PreTrainedModel, tokenizer: Tokenizer, name: str) -> BaseModel:
    """A base model in memory only."""
    return BaseModel(network, tokenizer, _identify(network, name, None, ""), None, network.generation_config)


def save_base(base: BaseModel, folder: Path, dtype: str = Dtype.FLOAT32) -> BaseModel:
    """Write model and tokenizer to ``folder``, for ``load_base`` and for transformers to read.

    A reader finds the complete model or none. Where its generation settings have no limit on length, they get
    one of 200: transformers' is 20 tokens. Returns the same base with its new identity; its weights in
    memory keep their format. Raises InputError if the folder cannot be written to.
    """
    model, stored_dtype = base.model, Dtype(dtype).torch
    if model.dtype != stored_dtype:
        model = moved(copy.deepcopy(model), stored_dtype)
    generation = copy.deepcopy(base.generation)
    if generation.max_length is None and generation.max_new_tokens is None:
        generation.max_length = base.longest(WRITTEN_LENGTH)
    checkpoint = write_checkpoint(model, base.tokenizer, generation, Path(folder))
    digest = checkpoint.digest(base.tokenizer)
    identity = base.identity.model_copy(update={"name": str(folder), "revision": None, "digest": digest})
    return replace(base, identity=identity, folder=checkpoint.folder)


def _identify(network: PreTrainedModel, name: str, revision: str | None, digest: str) -> ModelIdentity:
    architecture = architecture_of(network)
    shape = architecture.shape(network.config, network.num_parameters())
    positions = getattr(network.get_encoder(), "embed_positions", None)
    return ModelIdentity(
        name=name,
        revision=revision,
        digest=digest,
        learned_positions=getattr(positions, "num_embeddings", 0),
        settings={name: getattr(network.config, name) for name in architecture.arithmetic},
        **asdict(shape),
    )


def add_languages(base: BaseModel, relatives: Mapping[str, str]) -> BaseModel:
    """The same base with a token for each new language, initialised as that of its relative.

    ``relatives`` maps new codes to relatives' codes. The network is extended in place; its own parameters and
    its identity do not change. Raises UsageError for a language that the base knows, or a relative that it
    does not.
    """
    if not relatives:
        return base
    check_new_languages(relatives, base.tokenizer.languages, base.identity.name)
    ids = {code: base.tokenizer.language_id(relative) for code, relative in relatives.items()}
    tokenizer = base.tokenizer.with_languages(relatives)
    return replace(base, tokenizer=tokenizer, new_rows=extend_embedding(base.model, ids))


def check_can_be_known(base: BaseModel, codes: Iterable[str]) -> None:
    """Raise UsageError for added languages that no written model can have.

    Its vocabulary may have no place for them, or their tokens be like words, which stock tokenizers would
    find in texts.
    """
    family, codes = base.tokenizer.family, list(codes)
    if codes and family.sentencepiece_ids:
        raise UsageError(
            f"the vocabulary of {family.name} is its sentencepiece model, which has no place for the added "
            + ", ".join(codes),
            "translate with lslo",
        )
    if family.is_bare and (plain := next((code for code in codes if "_" not in code), None)):
        raise UsageError(
            f"the token of the added language '{plain}' is like a word, and {family.name}'s tokenizer would "
            "find it in texts",
            f"translate with lslo; or train with its script in the code, as {plain}_Latn or {plain}_Cyrl",
        )


def with_known_languages(base: BaseModel) -> BaseModel:
    """The same base with its added languages as known ones, for :func:`save_base`. Changes the network.

    Raises what :func:`check_can_be_known` does.
    """
    if base.new_rows is None:
        return base
    check_can_be_known(base, base.new_rows.codes)
    absorb_rows(base.model, base.new_rows)
    return replace(base, new_rows=None)
