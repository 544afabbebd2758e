"""The reference of our search: transformers' generate with fairseq's rules at every step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from transformers import DynamicCache, GenerationConfig, LogitsProcessor, LogitsProcessorList

from lslo_cli.search.generate import BeamCache, target_limit, without_specials
from lslo_cli.search.prediction import writes_language

if TYPE_CHECKING:
    from lslo_cli.models.base import BaseModel
    from lslo_cli.search.stream import TranslationBatch


class FairseqConstraints(LogitsProcessor):
    """The tokens that fairseq allows at a step, as a mask on otherwise unchanged log-probabilities.

    The first token is the row's language token, and its log-probability counts; transformers' forced tokens
    count 0. Padding is never chosen. The last token of a hypothesis of full length is ``</s>``.
    """

    def __init__(self, languages: torch.Tensor, max_length: int, pad: int, end: int):
        """``languages``: (rows, 1) ids of language tokens, or (rows, 0) for none.

        ``max_length`` includes the decoder's start token.
        """
        self._languages = languages
        self._max_length = max_length
        self._pad = pad
        self._end = end

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """``input_ids`` (rows, length so far), ``scores`` (rows, vocabulary)."""
        scores[:, self._pad] = -torch.inf
        length = input_ids.shape[1]
        if length == 1 and self._languages.shape[1]:
            return _only(self._languages, scores)
        if length == self._max_length - 1:
            return _only(torch.full_like(input_ids[:, :1], self._end), scores)
        return scores


def translate(
    base: BaseModel,
    batch: TranslationBatch,
    *,
    beam: int = 5,
    max_length_a: float = 0.0,
    max_length_b: int = 200,
    length_penalty: float = 1.0,
) -> list[list[int]]:
    """The expected result of :func:`lslo_cli.search.beam.ranked_search`; the caller sets the route."""
    model = base.model
    config = model.config
    input_ids, prompt = batch.input_ids.to(model.device), batch.prompt_ids.to(model.device)
    given = 1 if writes_language(model.lm_head, prompt) else prompt.shape[1]
    written = prompt[:, given:].repeat_interleave(beam, dim=0)
    max_length = target_limit(model, int(max_length_a * input_ids.shape[1] + max_length_b)) + 2
    sequences = model.generate(
        input_ids=input_ids,
        attention_mask=batch.attention_mask.to(model.device),
        decoder_input_ids=prompt[:, :given],
        past_key_values=BeamCache(DynamicCache(config=config), DynamicCache(config=config)),
        generation_config=GenerationConfig(
            num_beams=beam,
            do_sample=False,
            early_stopping=True,
            length_penalty=length_penalty,
            max_length=max_length,  # includes the decoder's start token and </s>
            decoder_start_token_id=config.decoder_start_token_id,
            pad_token_id=config.pad_token_id,
            eos_token_id=config.eos_token_id,
            suppress_tokens=base.tokenizer.unused or None,
        ),
        logits_processor=LogitsProcessorList(
            [FairseqConstraints(written, max_length, config.pad_token_id, config.eos_token_id)]
        ),
    )
    return without_specials(model, sequences[:, prompt.shape[1] :])


def _only(column: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """Mask all scores but the one of ``column`` (rows, 1) in each row."""
    kept = scores.gather(1, column)
    return torch.full_like(scores, -torch.inf).scatter_(1, column, kept)
