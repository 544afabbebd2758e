"""Encoding equal sources together, against the model's own encoder."""

from functools import partial

import pytest
import torch
from torch import nn

from lslo_cli.architectures import architecture_of
from lslo_cli.method.ranks import RankMap
from lslo_cli.method.sites import Stack
from lslo_cli.method.strategy import Index, paper, uniform
from lslo_cli.models.encoder import encode_once, target_blind_layers
from lslo_cli.nn.attach import attach, attach_mixture, stack_layers
from tests.adapters import ADAPTERS

LANGUAGES = ("en", "de", "wo")
INPUT_IDS = torch.tensor(
    [[6, 9, 8, 2], [5, 9, 8, 2], [6, 9, 8, 2], [4, 7, 2, 1], [5, 9, 8, 2], [6, 7, 2, 1], [6, 9, 8, 2]]
)
"""Four different sources, of which two are there twice or more; 4, 5 and 6 are the languages' tokens."""
SOURCES, TARGETS = INPUT_IDS[:, 0] - 4, torch.tensor([0, 0, 0, 1, 1, 1, 2])
STRATEGIES = {
    "paper": paper(3, 1),
    "source": uniform(Index.SOURCE, 3, 1),
    "target": uniform(Index.TARGET, 3, 1),
}


@pytest.fixture
def model(network):
    return network(3, 1).double()


@pytest.fixture
def exact(model):
    """To within rounding; T5's norms compute in float32 whatever the model is in."""
    atol = 5e-5 if model.config.model_type == "t5" else 1e-10
    return partial(torch.testing.assert_close, rtol=1e-5 if atol > 1e-6 else 0, atol=atol)


def attached(model, strategy):
    adapters = attach(model, strategy, RankMap({"en": 2, "de": 3, "wo": 4}), LANGUAGES, ADAPTERS)
    torch.manual_seed(4)
    for parameter in adapters.parameters():
        nn.init.normal_(parameter)
    model.double()
    return adapters


@pytest.mark.parametrize(("name", "first", "others"), [("paper", 4, 7), ("source", 4, 4), ("target", 7, 7)])
def test_states_and_gradients_are_those_of_the_encoder(model, exact, name, first, others):
    adapters = attached(model, STRATEGIES[name])
    mask = (INPUT_IDS != 1).long()
    rows = []
    with adapters.route.of(SOURCES, TARGETS):
        wanted = model.get_encoder()(INPUT_IDS, mask).last_hidden_state
        for layer in stack_layers(model, Stack.ENCODER):
            layer.register_forward_pre_hook(lambda layer, inputs: rows.append(len(inputs[0])))
        got = encode_once(model, INPUT_IDS, mask, adapters.route)
    assert rows == [first, first, others]
    exact(got[mask.bool()], wanted[mask.bool()])
    weights = torch.randn_like(wanted) * mask[:, :, None]
    parameters = [p for site, a in adapters.by_site.items() if "encoder" in str(site) for p in a.parameters()]
    for one, other in zip(
        torch.autograd.grad((got * weights).sum(), parameters),
        torch.autograd.grad((wanted * weights).sum(), parameters),
        strict=True,
    ):
        exact(one, other)


def test_a_text_in_two_languages_is_two_sources_where_the_encoder_reads_the_targets_token(model, exact):
    """As in SMaLL-100 and MADLAD-400: a name or a number has the same ids from every language."""
    adapters = attached(model, STRATEGIES["source"])
    ids, target = torch.tensor([[6, 9, 8, 2]] * 3), torch.full((3,), 2)
    mask, rows = torch.ones_like(ids), []
    with adapters.route.of(torch.tensor([0, 1, 0]), target):
        wanted = model.get_encoder()(ids, mask).last_hidden_state
        stack_layers(model, Stack.ENCODER)[0].register_forward_pre_hook(
            lambda layer, inputs: rows.append(len(inputs[0]))
        )
        got = encode_once(model, ids, mask, adapters.route)
    assert rows == [2]
    assert not torch.equal(wanted[0], wanted[1])
    exact(got, wanted)


def test_without_adapters_all_layers_are_shared(model, exact):
    mask = (INPUT_IDS != 1).long()
    assert target_blind_layers(stack_layers(model, Stack.ENCODER)) == 3
    wanted = model.get_encoder()(INPUT_IDS, mask).last_hidden_state
    got = encode_once(model, INPUT_IDS, mask)
    exact(got[mask.bool()], wanted[mask.bool()])


def test_while_both_indices_are_weighed_no_layer_is_shared(model):
    attach_mixture(model, 2, LANGUAGES, ADAPTERS)
    assert target_blind_layers(stack_layers(model, Stack.ENCODER)) == 0


def test_rows_of_a_source_have_their_dropout_in_common_where_they_are_shared(model):
    model.get_encoder().train()
    architecture_of(model).set_dropout(model, 0.0, attention=0.5, activation=0.5)
    states = encode_once(model, INPUT_IDS, (INPUT_IDS != 1).long())
    assert torch.equal(states[0], states[2])
    assert not torch.equal(states[0], encode_once(model, INPUT_IDS, (INPUT_IDS != 1).long())[0])
