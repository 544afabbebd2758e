"""Beam search: fairseq's semantics through transformers' generate, or transformers' own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from transformers import (
    DynamicCache,
    EncoderDecoderCache,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
)

from lslo_cli.models.tokenizer import BOS, EOS, PAD
from lslo_cli.recipe import SearchMode
from lslo_cli.search.prediction import writes_language

if TYPE_CHECKING:
    from lslo_cli.models.base import BaseModel
    from lslo_cli.search.stream import TranslationBatch


class FairseqConstraints(LogitsProcessor):
    """What fairseq allows at a step, as a mask on log-probabilities, which otherwise stay as they are.

    The first token is the row's language token, and its log-probability counts; transformers' forced tokens
    count 0. ``<pad>`` is never chosen. The last token of a hypothesis of full length is ``</s>``.
    """

    def __init__(self, languages: torch.Tensor, max_length: int):
        """``languages``: (rows, 1) ids of language tokens, or (rows, 0) where none is written.

        ``max_length`` counts the leading ``</s>`` too.
        """
        self._languages = languages
        self._max_length = max_length

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """``input_ids`` (rows, length so far), ``scores`` (rows, vocabulary)."""
        scores[:, PAD] = -torch.inf
        length = input_ids.shape[1]
        if length == 1 and self._languages.shape[1]:
            return _only(self._languages, scores)
        if length == self._max_length - 1:
            return _only(torch.full_like(input_ids[:, :1], EOS), scores)
        return scores


class BeamCache(EncoderDecoderCache):
    """Keys and values of both attentions. All beams of a sentence see the same encoder states, so a new order
    of the beams concerns self-attention only; transformers would copy the others at every step too.
    """

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        """Put the beams in the order ``beam_idx`` (rows,), each within its sentence."""
        self.self_attention_cache.reorder_cache(beam_idx)


def translate(
    base: BaseModel,
    batch: TranslationBatch,
    *,
    mode: SearchMode = SearchMode.FAIRSEQ,
    beam: int = 5,
    max_length_a: float = 0.0,
    max_length_b: int = 200,
    length_penalty: float = 1.0,
) -> list[list[int]]:
    """The best hypothesis of every sentence of ``batch``: ids of its pieces, without any special token.

    Each row is translated into the language that ends its prompt, so a batch may mix target languages. A
    hypothesis has at most ``max_length_a * source length + max_length_b`` tokens before ``</s>``, language
    token included, where source length is the padded length of the batch, as in fairseq.

    ``FAIRSEQ`` scores a hypothesis by the sum of its log-probabilities, those of language token and ``</s>``
    included, over their number to the power ``length_penalty``; a sentence is done once it has ``beam``
    finished hypotheses. ``PLAIN`` gives ``</s> __tgt__`` as a prompt, which does not count, and stops as
    transformers does. The token of a new language has no probability, and is a prompt in both. The caller
    sets the route of the batch; the model must be in eval mode.
    """
    model = base.model
    if model.training:
        raise ValueError("the model is in training mode: call model.eval() before translating")
    input_ids = batch.input_ids.to(model.device)
    prompt = batch.prompt_ids.to(model.device)  # (batch, 2): </s> __tgt__; or (batch, 1)
    fairseq = mode is SearchMode.FAIRSEQ
    given = 1 if fairseq and writes_language(model.lm_head, prompt) else prompt.shape[1]
    written = prompt[:, given:]
    longest = int(max_length_a * input_ids.shape[1] + max_length_b)
    max_length = min(longest, model.config.max_position_embeddings - 1) + 2  # </s> at both ends
    sequences = model.generate(
        input_ids=input_ids,
        attention_mask=batch.attention_mask.to(model.device),
        decoder_input_ids=prompt[:, :given],
        past_key_values=BeamCache(DynamicCache(config=model.config), DynamicCache(config=model.config)),
        generation_config=GenerationConfig(
            num_beams=beam,
            do_sample=False,
            early_stopping=fairseq,
            length_penalty=length_penalty,
            max_length=max_length,
            decoder_start_token_id=EOS,
            bos_token_id=BOS,
            pad_token_id=PAD,
            eos_token_id=EOS,
        ),
        logits_processor=LogitsProcessorList(
            [FairseqConstraints(written.repeat_interleave(beam, dim=0), max_length)] if fairseq else []
        ),
    )
    return [_pieces(row) for row in sequences[:, prompt.shape[1] :].tolist()]


def _only(column: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """Keep one score per row: ``column`` (rows, 1) says which."""
    kept = scores.gather(1, column)
    return torch.full_like(scores, -torch.inf).scatter_(1, column, kept)


def _pieces(row: list[int]) -> list[int]:
    """What comes before ``</s>``, or before the padding of a hypothesis that was cut short."""
    return row[: next((position for position, token in enumerate(row) if token in (EOS, PAD)), len(row))]
