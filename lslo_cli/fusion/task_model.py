"""A stock model with a task head: what is tuned on English and transferred to other languages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, MT5EncoderModel
from transformers.utils import logging

from lslo_cli.errors import InputError
from lslo_cli.fusion.architectures import architecture_of
from lslo_cli.fusion.heads import Classifier, Pooling, SpanFinder, pooled
from lslo_cli.fusion.source import Side

CLASSES = {"mt5": MT5EncoderModel}
"""Where the model without its head is not what reads a text for a label."""


@dataclass
class TaskModel:
    """``backbone`` gives states, ``head`` logits; the tokenizer belongs to both."""

    backbone: nn.Module
    head: Classifier | SpanFinder
    tokenizer: Any
    side: Side

    def read(self, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Logits of the head and pooled states (rows, d) of texts."""
        inputs = {name: tensor.to(self.backbone.device) for name, tensor in inputs.items()}
        context = inputs.pop("context_mask", inputs["attention_mask"])
        states = self.backbone(**inputs).last_hidden_state
        return self.head(states, context), pooled(states.float(), inputs["attention_mask"], self.head.pooling)

    def train(self, mode: bool) -> None:
        self.backbone.train(mode)
        self.head.train(mode)

    @property
    def width(self) -> int:
        return self.head.linear.in_features


def load_task_model(
    name: str,
    classes: int,
    *,
    pooling: Pooling | None = None,
    dropout: float | None = None,
    attention: str | None = None,
    device: torch.device | str = "cpu",
    revision: str | None = None,
) -> TaskModel:
    """Load a folder or a hub id in float32, with a new head drawn from torch's global generator.

    Without ``classes`` the head finds answers in a context, which takes an encoder. ``pooling`` None takes
    the mean of the tokens in encoders and the last one in decoders; ``dropout`` None keeps the
    model's own. Raises InputError where there is no such model or fusion does not know it.
    """
    logging.disable_progress_bar()  # what a run has to say goes through its events
    try:
        config = AutoConfig.from_pretrained(name, revision=revision)
        loader = CLASSES.get(config.model_type, AutoModel)
        options = {} if attention is None else {"attn_implementation": attention}
        backbone = loader.from_pretrained(name, revision=revision, dtype=torch.float32, **options)
        tokenizer = AutoTokenizer.from_pretrained(name, revision=revision)
    except (OSError, ValueError, KeyError) as error:
        reason = next(iter(str(error).splitlines()), repr(error))
        raise InputError(
            f"cannot load the task model '{name}': {reason}",
            "give a folder with config.json, weights and tokenizer, or a hub id",
        ) from None
    decodes = "encoder" not in architecture_of(backbone).blocks
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if dropout is not None:
        for module in backbone.modules():
            if isinstance(module, nn.Dropout):
                module.p = dropout
    if decodes and not classes:
        raise InputError(
            f"'{name}' is a decoder, which has no head that finds answers in a context",
            "choose an encoder, such as FacebookAI/xlm-roberta-large",
        )
    pooling = pooling or (Pooling.LAST if decodes else Pooling.MEAN)
    width = backbone.config.hidden_size
    head = Classifier(width, classes, pooling) if classes else SpanFinder(width)
    return TaskModel(
        backbone.to(device).eval(), head.to(device), tokenizer, Side.LEFT if decodes else Side.RIGHT
    )


def weight_files(name: str) -> list[Path]:
    """The weight files of a folder, in order; none for a hub id."""
    folder = Path(name)
    return sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin")) if folder.is_dir() else []
