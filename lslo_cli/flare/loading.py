"""Load task models from folders and hub ids."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    MT5EncoderModel,
    PreTrainedModel,
    T5EncoderModel,
)

from lslo_cli.errors import InputError, RunError, UsageError, is_out_of_memory
from lslo_cli.flare.architectures import decodes_only
from lslo_cli.flare.base_encoder import MODEL_TYPES, load_base_encoder
from lslo_cli.flare.head_model import HeadModel
from lslo_cli.flare.heads import Classifier, SpanFinder
from lslo_cli.flare.prompted_model import PromptedModel
from lslo_cli.flare.source import Side
from lslo_cli.flare.task_model import TaskModel
from lslo_cli.flare.tasks import Task
from lslo_cli.method.flare import SOURCE
from lslo_cli.models.model_languages import WORLD, WORLD_FOLDER
from lslo_cli.models.pretrained import moved, pretrained
from lslo_cli.nn.files import first_not_finite, unreadable_reason
from lslo_cli.world import PIVOT

CLASSES = {"mt5": MT5EncoderModel, "t5": T5EncoderModel}
"""The encoder class, for architectures whose headless model has another one."""

AGAIN = "copy the model again, whole"


def load_task_model(
    name: str,
    task: Task,
    *,
    dropout: float | None = None,
    answer_tokens: int = 32,
    attention: str | None = None,
    device: torch.device | str = "cpu",
    revision: str | None = None,
) -> TaskModel:
    """Load a folder or a hub id in float32: an encoder with a new head, or a decoder that answers in words.

    A translation model, such as ``world``, gives its encoder, with its own dropout.

    The head is drawn from torch's global generator. ``dropout`` None keeps the model's own; a decoder answers
    a question in at most ``answer_tokens`` tokens. Raises InputError if there is no such model or FLARE does
    not support it.
    """
    backbone, tokenizer, writes = _read(name, revision, attention)
    if not (task.labels or writes or getattr(tokenizer, "is_fast", False)):
        raise UsageError(
            f"the tokenizer of '{name}' lacks the positions of tokens in a text, by which answers are found",
            "choose a task with labels, or another --model",
        )
    if dropout is not None:
        for module in backbone.modules():
            if isinstance(module, nn.Dropout):
                module.p = dropout
    moved(backbone, device).eval()
    if writes:
        return PromptedModel(backbone, _writing(tokenizer, name), Side.LEFT, task, answer_tokens)
    width = backbone.config.hidden_size
    head = Classifier(width, len(task.labels)) if task.labels else SpanFinder(width)
    return HeadModel(backbone, tokenizer, Side.RIGHT, head.to(device))


def _read(name: str, revision: str | None, attention: str | None) -> tuple[PreTrainedModel, Any, bool]:
    """A model (of translation models the encoder), its tokenizer, and whether it answers in words."""
    try:
        config = pretrained(AutoConfig, str(WORLD_FOLDER) if name == WORLD else name, revision=revision)
        if config.model_type in MODEL_TYPES:
            languages = (SOURCE, PIVOT)
            return *load_base_encoder(name, languages, revision=revision, attention=attention), False
        writes = decodes_only(config.model_type)
        kind = AutoModelForCausalLM if writes else CLASSES.get(config.model_type, AutoModel)
        options: dict[str, Any] = {} if attention is None else {"attn_implementation": attention}
        options |= {"revision": revision, "dtype": torch.float32, "output_loading_info": True}
        backbone, report = pretrained(kind, name, **options)
        tokenizer = pretrained(AutoTokenizer, name, revision=revision)
    except (InputError, UsageError):
        raise
    except Exception as error:  # safetensors, pickle, tokenizers and transformers each raise their own
        if is_out_of_memory(error):
            raise RunError(f"memory ran out while loading '{name}'", "choose a smaller model") from None
        raise InputError(
            f"cannot load the task model '{name}': {unreadable_reason(error)}",
            "give a folder with config.json, weights and tokenizer, or a hub id",
        ) from None
    _check(name, backbone, report["missing_keys"], len(tokenizer))
    return backbone, tokenizer, writes


def _check(name: str, backbone: PreTrainedModel, missing: Iterable[str], words: int) -> None:
    """Raise InputError if weights are missing, which would be random, or not finite, or if the tokenizer has
    more tokens than the model.

    :class:`~lslo_cli.models.checkpoint.Checkpoint` checks more of a base model: its embeddings are tied.
    """
    lacking = sorted(key for key in missing if "pooler" not in key)  # unused here
    if lacking:
        raise InputError(
            f"the weights of '{name}' lack {len(lacking)} of the model's tensors, the first {lacking[0]}",
            AGAIN,
        )
    if broken := first_not_finite(backbone.state_dict()):
        raise InputError(f"the weights of '{name}' are not finite, the first in {broken}", AGAIN)
    rows = cast(nn.Embedding, backbone.get_input_embeddings()).num_embeddings
    if words > rows:
        raise InputError(f"the tokenizer of '{name}' has {words:,} tokens, its model {rows:,}", AGAIN)


def _writing(tokenizer: Any, name: str) -> Any:
    """A decoder's tokenizer, which needs an end-of-text token and may lack padding."""
    if tokenizer.eos_token_id is None:
        raise InputError(
            f"the tokenizer of '{name}' has no token for the end of a text, which ends an answer",
            "name one as eos_token in its tokenizer_config.json",
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer
