"""Activation recomputation: the same losses and gradients bit by bit, for less kept in memory."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from lslo_cli.architectures import architecture_of
from lslo_cli.method.ranks import SHARED, RankMap
from lslo_cli.method.strategy import paper
from lslo_cli.models.encoder import encode_once
from lslo_cli.nn.attach import attach, attach_mixture
from lslo_cli.nn.loss import TranslationLoss, encode_rows
from lslo_cli.nn.recompute import recompute
from lslo_cli.nn.route import Route
from tests.adapters import ADAPTERS

LANGUAGES = ("en", "de", "wo")
INPUT_IDS = torch.tensor([[6, 9, 8, 2], [5, 9, 8, 2], [6, 9, 8, 2], [4, 7, 2, 1], [6, 7, 2, 1]])
"""Four different sources; 4, 5 and 6 are the languages' tokens."""
SOURCES, TARGETS = INPUT_IDS[:, 0] - 4, torch.tensor([0, 0, 1, 1, 2])
LABELS = torch.tensor([[9, 8, 2], [7, 2, -100], [9, 9, 2], [11, 12, 2], [9, 2, -100]])
BATCH = SimpleNamespace(input_ids=INPUT_IDS, attention_mask=(INPUT_IDS != 1).long(), labels=LABELS)


def _attach_by_language(model):
    return attach(model, paper(3, 2), RankMap({"en": 2, "de": 3, "wo": 4}), LANGUAGES, ADAPTERS)


def _attach_shared(model):
    return attach(model, paper(3, 2), RankMap({SHARED: 4}), LANGUAGES, ADAPTERS)


def _attach_mixed(model):
    return attach_mixture(model, 2, LANGUAGES, ADAPTERS)


def _attach_nothing(model):
    return SimpleNamespace(route=Route(), parameters=lambda: [*model.parameters()])


def stepped(model, put_on, again, shares_sources=False, precision=None, attention=0.2):
    """A loss, the gradients of what is trained, and the bytes that the loss kept for backward."""
    model.config.decoder_start_token_id = 2
    for parameter in model.parameters():  # norms that are not those of a new model
        nn.init.normal_(parameter, 0.5 if parameter.dim() == 1 else 0.0, 0.3)
    adapters = put_on(model)
    torch.manual_seed(4)
    for parameter in adapters.parameters() if put_on is not _attach_nothing else ():
        nn.init.normal_(parameter, std=0.3)
    architecture_of(model).set_dropout(model, 0.3, attention=attention, activation=0.1)
    model.train()
    if again:
        recompute(model, adapters.route.recomputing)
    encode = partial(encode_once, route=adapters.route) if shares_sources else encode_rows
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    torch.manual_seed(8)
    with (
        adapters.route.of(SOURCES, TARGETS),
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", precision, enabled=precision is not None),
    ):
        loss = TranslationLoss(model, 0.1, encode)(BATCH)
    loss.backward()  # the layers run once more here, when no language is set
    gradients = [parameter.grad for parameter in adapters.parameters() if parameter.grad is not None]
    return loss.detach(), gradients, sum(kept.values())


@pytest.mark.parametrize("put_on", [_attach_by_language, _attach_shared, _attach_mixed, _attach_nothing])
@pytest.mark.parametrize("shares_sources", [False, True])
def test_losses_and_gradients_are_the_same_bit_by_bit(network, put_on, shares_sources, caplog):
    loss, gradients, _ = stepped(network(3, 2), put_on, False, shares_sources)
    again, recomputed, _ = stepped(network(3, 2), put_on, True, shares_sources)
    assert torch.equal(loss, again)
    assert gradients and len(gradients) == len(recomputed)
    assert all(map(torch.equal, gradients, recomputed))
    assert any(gradient.abs().sum() > 0 for gradient in gradients)
    assert not caplog.records  # transformers has nothing to warn of


def test_so_they_are_in_bf16(network):
    results = [
        stepped(network(3, 2), _attach_by_language, again, precision=torch.bfloat16)
        for again in (False, True)
    ]
    assert torch.equal(results[0][0], results[1][0])
    assert all(map(torch.equal, results[0][1], results[1][1]))


@pytest.mark.parametrize("put_on", [_attach_by_language, _attach_nothing])
def test_so_they_are_where_attention_has_no_dropout_and_another_kernel(network, put_on):
    results = [stepped(network(3, 2), put_on, again, attention=0.0) for again in (False, True)]
    assert torch.equal(results[0][0], results[1][0])
    assert all(map(torch.equal, results[0][1], results[1][1]))


def test_less_is_kept_for_backward(network):
    kept = [stepped(network(3, 2), _attach_by_language, again)[2] for again in (False, True)]
    assert kept[1] < 0.2 * kept[0]


def test_nothing_is_computed_again_in_evaluation(network):
    model = network(3, 2)
    model.config.decoder_start_token_id = 2
    adapters = _attach_by_language(model)
    recompute(model, lambda: pytest.fail("asked for the contexts of a second computation"))
    with adapters.route.of(SOURCES, TARGETS):
        TranslationLoss(model, 0.1)(BATCH)


def test_without_the_languages_the_second_computation_is_an_error_and_no_guess(network):
    model = network(3, 2)
    model.config.decoder_start_token_id = 2
    adapters = _attach_by_language(model)
    recompute(model.train(), Route().recomputing)
    with adapters.route.of(SOURCES, TARGETS):
        loss = TranslationLoss(model, 0.1)(BATCH)
    with pytest.raises(RuntimeError, match=r"outside of Route\.of"):
        loss.backward()
