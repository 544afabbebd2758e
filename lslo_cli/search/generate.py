"""Beam search by transformers' rules: its ``generate`` after a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache, GenerationConfig, PreTrainedModel

from lslo_cli.architectures import architecture_of

if TYPE_CHECKING:
    from lslo_cli.models.base import BaseModel
    from lslo_cli.search.beam import Ranked
    from lslo_cli.search.stream import TranslationBatch


class BeamCache(EncoderDecoderCache):
    """Keys and values of both attentions. All beams of a sentence see the same encoder states, so reordering
    beams only concerns self-attention; transformers would also copy the others at every step.
    """

    def reorder_cache(self, beam_idx: torch.LongTensor) -> None:
        """Put the beams in the order ``beam_idx`` (rows,), each within its sentence."""
        self.self_attention_cache.reorder_cache(beam_idx)


def ranked_translations(
    base: BaseModel,
    batch: TranslationBatch,
    *,
    count: int = 1,
    beam: int = 5,
    max_length_a: float = 0.0,
    max_length_b: int = 200,
    length_penalty: float = 1.0,
    no_repeat_ngram: int = 0,
) -> list[list[Ranked]]:
    """The ``count`` best hypotheses of every sentence, best first, with transformers' scores.

    The settings are those of :func:`lslo_cli.search.beam.ranked_search`, but ``</s> __tgt__`` is a prompt,
    whose tokens count nowhere, and the search stops as transformers does. The caller sets the route of the
    batch. Raises ValueError for a model in training mode.
    """
    model = base.model
    if model.training:
        raise ValueError("the model is in training mode: call model.eval() before translating")
    config = model.config
    input_ids, prompt = batch.input_ids.to(model.device), batch.prompt_ids.to(model.device)
    longest = target_limit(model, int(max_length_a * input_ids.shape[1] + max_length_b))
    generator: Any = model  # these models can generate, which their common type does not say
    found = generator.generate(
        input_ids=input_ids,
        attention_mask=batch.attention_mask.to(model.device),
        decoder_input_ids=prompt,
        past_key_values=BeamCache(DynamicCache(config=config), DynamicCache(config=config)),
        generation_config=GenerationConfig(
            num_beams=beam,
            num_return_sequences=count,
            no_repeat_ngram_size=no_repeat_ngram or None,
            use_cache=True,
            return_dict_in_generate=True,
            output_scores=beam > 1,  # of which the scores of hypotheses are made
            output_logits=beam == 1,
            do_sample=False,
            early_stopping=False,
            length_penalty=length_penalty,
            max_length=longest + 2,  # the token that the decoder starts from and </s> included
            decoder_start_token_id=config.decoder_start_token_id,
            pad_token_id=config.pad_token_id,
            eos_token_id=config.eos_token_id,
            suppress_tokens=base.tokenizer.unused or None,
        ),
    )
    pieces = without_specials(model, found.sequences[:, prompt.shape[1] - batch.prefix :])
    scores = (
        found.sequences_scores
        if beam > 1
        else greedy_scores(found.logits, found.sequences[:, prompt.shape[1] :], model, length_penalty)
    )
    ranked = list(zip(pieces, scores.tolist(), strict=True))
    return [ranked[start : start + count] for start in range(0, len(ranked), count)]


def greedy_scores(
    logits: Sequence[Tensor], tokens: Tensor, model: PreTrainedModel, length_penalty: float
) -> Tensor:
    """The scores (rows,) of greedy hypotheses, which transformers gives with several beams only.

    They are those of beam search: the sum of the log-probabilities of ``tokens`` (rows, steps) up to
    ``</s>``, over their number to the power ``length_penalty``. ``logits`` (rows, ids) are by step.
    """
    log_probs = torch.stack(
        [
            step.float().log_softmax(dim=1).gather(1, chosen[:, None])[:, 0]
            for step, chosen in zip(logits, tokens.T, strict=True)
        ],
        dim=1,
    )
    ends = (tokens == model.config.eos_token_id).long()
    written = ends.cumsum(dim=1) - ends == 0  # (rows, steps)
    summed = torch.where(written, log_probs, 0.0).sum(dim=1)
    return summed / written.sum(dim=1) ** length_penalty


def target_limit(model: PreTrainedModel, longest: int) -> int:
    """``longest``, or the number of tokens that fit between the decoder's start and ``</s>`` if smaller."""
    positions = architecture_of(model).longest_target(model)
    return longest if positions is None else min(longest, positions - 1)


def without_specials(model: PreTrainedModel, rows: torch.Tensor) -> list[list[int]]:
    """Each row up to ``</s>``, or up to the padding of a truncated hypothesis."""
    ends = {model.config.eos_token_id, model.config.pad_token_id}
    return [
        row[: next((position for position, token in enumerate(row) if token in ends), len(row))]
        for row in rows.tolist()
    ]
