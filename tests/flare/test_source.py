"""Source states: cutting, padding, choosing rows; and generation, with and without a cache."""

from dataclasses import replace

import pytest
import torch

from lslo_cli.flare.attach import FlareSettings, attach_flare
from lslo_cli.flare.capture import capture
from lslo_cli.flare.source import Side, SourceStates

STATES = SourceStates({"encoder.1": torch.arange(6.0).reshape(2, 3, 1)})


def values(states: SourceStates, block: str = "encoder.1") -> list:
    return states.by_block[block].squeeze(-1).tolist()


def test_resizing_cuts_or_fills_up_with_zeros_on_the_side_of_padding():
    assert values(STATES.resized(2)) == [[0, 1], [3, 4]]
    assert values(STATES.resized(4)) == [[0, 1, 2, 0], [3, 4, 5, 0]]
    left = replace(STATES, side=Side.LEFT)
    assert values(left.resized(2)) == [[1, 2], [4, 5]]
    assert values(left.resized(4)) == [[0, 0, 1, 2], [0, 3, 4, 5]]
    assert values(STATES.resized(9, stack="decoder")) == values(STATES)


def test_a_mask_goes_with_its_states():
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]])
    states = SourceStates.same(STATES.by_block["encoder.1"], ["encoder.1", "encoder.2"], mask)
    assert values(states.masked()) == [[0, 1, 0], [3, 0, 0]]
    assert values(states.rows([1, 0]).resized(4).masked(), "encoder.2") == [[3, 0, 0, 0], [0, 1, 0, 0]]
    assert values(states.zeros()) == [[0, 0, 0], [0, 0, 0]]
    total, tokens = states.sums()["encoder.1"].tolist()
    assert (total, tokens) == (4, 3)
    assert values(states.filled({"encoder.1": torch.tensor([7.0]), "encoder.2": torch.tensor([8.0])})) == [
        [7, 7, 0],
        [7, 0, 0],
    ]


def test_rows_are_chosen_in_order_and_joined():
    assert values(STATES.rows([1, 0])) == [[3, 4, 5], [0, 1, 2]]
    assert values(SourceStates.joined([STATES.rows([1]), STATES])) == [[3, 4, 5], [0, 1, 2], [3, 4, 5]]


def test_a_decoder_goes_on_with_the_last_state_and_an_encoder_stays_whole():
    both = SourceStates(
        {"encoder.1": STATES.by_block["encoder.1"], "decoder.1": STATES.by_block["encoder.1"]}
    )
    window = both.window(1, 5)
    assert values(window, "decoder.1") == [[1, 2, 2, 2], [4, 5, 5, 5]]
    assert values(window) == values(STATES)


def test_a_tensor_that_blocks_share_stays_shared():
    shared = SourceStates.same(torch.ones(1, 2, 3), ["encoder.1", "encoder.2"]).resized(5)
    assert shared.by_block["encoder.1"] is shared.by_block["encoder.2"]


@pytest.fixture
def generating(decoder):
    """A tiny decoder with trained adapters, a prompt, and the states of its source prompt."""
    model, prompt = decoder.model(), decoder.inputs()
    adapters = attach_flare(model, FlareSettings())
    for adapter in adapters.by_name.values():
        adapter.lora_B.data.normal_(0, 3, generator=torch.Generator().manual_seed(4))
    return model, adapters, prompt, capture(model, adapters, decoder.inputs(seed=2))


def generate(model, adapters, prompt, states, **settings):
    with adapters.source.generating(model, states):
        return model.generate(**prompt, max_new_tokens=6, min_new_tokens=6, do_sample=False, **settings)


def test_generation_with_a_cache_equals_generation_without(generating):
    cached, uncached = (generate(*generating, use_cache=use_cache) for use_cache in (True, False))
    assert cached.shape == (2, 13)
    assert torch.equal(cached, uncached)


def test_generation_is_greedy_search_over_the_fused_model(generating):
    model, adapters, prompt, states = generating
    ids, mask = prompt["input_ids"], prompt["attention_mask"]
    for _ in range(6):
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        with adapters.source.of(states.window(0, ids.shape[1])), torch.no_grad():
            logits = model(input_ids=ids, attention_mask=mask, position_ids=positions).logits[:, -1]
        logits[:, model.generation_config.eos_token_id] = -torch.inf
        ids = torch.cat([ids, logits.argmax(-1, keepdim=True)], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
    assert torch.equal(generate(*generating), ids)


def test_generation_depends_on_the_source_and_beams_share_it(generating, decoder):
    model, adapters, prompt, states = generating
    other = capture(model, adapters, decoder.inputs(seed=9))
    assert not torch.equal(generate(*generating), generate(model, adapters, prompt, other))
    beams = generate(*generating, num_beams=3)
    alone = [
        generate(
            model, adapters, {k: v[row : row + 1] for k, v in prompt.items()}, states.rows([row]), num_beams=3
        )
        for row in (0, 1)
    ]
    assert torch.equal(beams, torch.cat(alone))
