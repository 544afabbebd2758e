"""The architectures, for both papers: each has its own file and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from transformers import PreTrainedModel

from lslo_cli.architectures.layout import Layout
from lslo_cli.architectures.m2m_100 import M2M100
from lslo_cli.architectures.mbart import MBart
from lslo_cli.architectures.t5 import T5
from lslo_cli.architectures.tasks import BERT, LLAMA
from lslo_cli.architectures.translation import TranslationArchitecture
from lslo_cli.errors import InputError
from lslo_cli.method.sites import Stack

TRANSLATION: Mapping[str, TranslationArchitecture] = {
    each.model_type: each for each in (M2M100(), MBart(), T5())
}
"""Architectures of translation models, by the ``model_type`` of config.json."""

TASK_LAYOUTS: Mapping[str, Layout] = {
    "bert": BERT,
    "roberta": BERT,
    "xlm-roberta": BERT,
    "t5": T5.layout,
    "mt5": T5.layout,
    "llama": LLAMA,
    "gemma2": LLAMA,
    "m2m_100": replace(M2M100.layout, layers={Stack.ENCODER: "layers"}),
    "mbart": replace(MBart.layout, layers={Stack.ENCODER: "layers"}),
}
"""Layouts of the models that FLARE adapts, by the ``model_type`` of config.json.

For translation models they describe the encoder, loaded alone.
"""


def architecture_of(model: PreTrainedModel) -> TranslationArchitecture:
    """The architecture of a loaded translation model. Raises InputError for one that is not listed."""
    model_type = model.config.model_type
    if model_type not in TRANSLATION:
        raise InputError(
            f"'{model_type}' is not an architecture of translation models that lslo adapts",
            f"use a model of {' or '.join(TRANSLATION)}",
        )
    return TRANSLATION[model_type]
