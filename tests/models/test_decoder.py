"""The incremental decoder against one pass of the model over each hypothesis."""

import pytest
import torch

from lslo_cli.architectures import architecture_of
from lslo_cli.models import slots
from lslo_cli.models.decoder import IncrementalDecoder
from lslo_cli.nn.route import Route

EOS, LANGUAGE = 2, 29
CODES = ("en", "fr")


@pytest.fixture
def model(network):
    return network(1, 2).requires_grad_(False)


@pytest.fixture
def sources():
    torch.manual_seed(4)
    mask = torch.ones(4, 6, dtype=torch.long)
    mask[1, 3:] = mask[3, 1:] = 0
    return torch.randint(4, 30, (4, 6)).masked_fill(mask == 0, 1), mask


@pytest.mark.parametrize("steps_between_drops", [1, 2, 16])
def test_hidden_states_are_those_of_a_pass_over_the_whole_hypothesis(
    model, sources, steps_between_drops, monkeypatch
):
    monkeypatch.setattr(slots, "STEPS", steps_between_drops)
    input_ids, mask = sources
    languages = torch.zeros(2, 4, dtype=torch.long)
    decoder = IncrementalDecoder(model, input_ids, mask, Route(), (languages[0], languages[1]))
    prompt = torch.tensor([[EOS, LANGUAGE]]).repeat(4, 1)

    def expected(hypotheses):
        """Last hidden states of hypotheses (sentences, n, length)."""
        rows = hypotheses.shape[1]
        states = model.get_encoder()(input_ids=input_ids, attention_mask=mask).last_hidden_state
        output = model.get_decoder()(
            input_ids=hypotheses.flatten(0, 1),
            encoder_hidden_states=states.repeat_interleave(rows, 0),
            encoder_attention_mask=mask.repeat_interleave(rows, 0),
        )
        hidden = architecture_of(model).head_input(model, output.last_hidden_state)
        return hidden[:, -1].view(len(input_ids), rows, -1)

    after_prompt = decoder.read_prompt(prompt)
    torch.testing.assert_close(after_prompt[:, :1], expected(prompt[:, None, :1]), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(after_prompt[:, 1:], expected(prompt[:, None]), atol=1e-5, rtol=1e-5)
    hypotheses = prompt[:, None]
    for step in range(8):
        if step == 5:
            kept = torch.tensor([0, 1, 3])
            decoder.keep(kept)
            hypotheses, input_ids, mask = hypotheses[kept], input_ids[kept], mask[kept]
        parents = torch.randint(hypotheses.shape[1], (len(hypotheses), 3))
        tokens = torch.randint(4, 30, parents.shape)
        continued = hypotheses.gather(1, parents[:, :, None].expand(-1, -1, hypotheses.shape[2]))
        hypotheses = torch.cat((continued, tokens[:, :, None]), dim=2)
        torch.testing.assert_close(decoder.read(tokens, parents), expected(hypotheses), atol=1e-5, rtol=1e-5)


def test_what_hypotheses_share_is_stored_once():
    cache = slots.SlotCache(sentences=1, prompt=2, device=torch.device("cpu"))
    cache.put(0, torch.zeros(1, 2, 4), torch.zeros(1, 2, 4))
    cache.end_prompt()
    stored = []
    for step in range(1, 60):
        cache.begin_step(torch.zeros(1, 5, dtype=torch.long))  # all go on from the first, the others die
        keys, _ = cache.put(0, torch.full((1, 5, 4), step), torch.zeros(1, 5, 4))
        assert keys[0, cache.paths[0, 3], 0].tolist() == [0, 0, *range(1, step + 1)]
        stored.append(keys.shape[1])
    assert max(stored) <= 2 + 60 + 4 * (slots.STEPS + 1)
