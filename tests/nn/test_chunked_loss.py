"""The loss without logits against the plain formula, and what it leaves in memory."""

from types import SimpleNamespace

import pytest
import torch

from benchmarks.loss import label_smoothed_loss
from lslo_cli.nn import loss as module
from lslo_cli.nn.loss import TranslationLoss, projected_loss

TOKENS, D, VOCABULARY = 23, 8, 61


def tensors(dtype=torch.float32):
    torch.manual_seed(1)
    hidden = torch.randn(TOKENS, D, dtype=dtype, requires_grad=True)
    weight = torch.randn(VOCABULARY, D, dtype=dtype, requires_grad=True)
    return hidden, weight, torch.randint(VOCABULARY, (TOKENS,))


def plain(hidden, weight, labels, smoothing):
    return label_smoothed_loss(hidden @ weight.T, labels, smoothing)


chunks = pytest.mark.parametrize("chunk", [1, 5, 8, 22, 23, 1000, None])


@chunks
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.2, 0.9])
def test_loss_and_gradients_are_those_of_the_plain_formula(smoothing, chunk):
    hidden, weight, labels = tensors()
    ours, theirs = (
        projected_loss(hidden, weight, labels, smoothing, chunk),
        plain(hidden, weight, labels, smoothing),
    )
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-6)
    for got, wanted in zip(
        torch.autograd.grad(ours, (hidden, weight)),
        torch.autograd.grad(theirs, (hidden, weight)),
        strict=True,
    ):
        torch.testing.assert_close(got, wanted, rtol=0, atol=2e-6 * wanted.abs().max().item())


@chunks
def test_in_double_precision_they_agree_to_the_last_digits(chunk):
    hidden, weight, labels = tensors(torch.double)
    ours = projected_loss(hidden, weight, labels, 0.2, chunk)
    logits = hidden @ weight.T
    log_probabilities = logits.log_softmax(dim=-1)
    f = 0.2 / (VOCABULARY - 1)
    nll = -log_probabilities.gather(1, labels[:, None]).squeeze(1)
    theirs = ((1 - 0.2 - f) * nll - f * log_probabilities.sum(dim=-1)).sum()
    torch.testing.assert_close(ours, theirs, rtol=1e-13, atol=0)
    for got, wanted in zip(
        torch.autograd.grad(ours, (hidden, weight)),
        torch.autograd.grad(theirs, (hidden, weight)),
        strict=True,
    ):
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-12)


def test_logits_that_overflow_an_exponential_do_no_harm():
    hidden, weight, labels = tensors()
    with torch.no_grad():
        hidden *= 100
    ours, theirs = projected_loss(hidden, weight, labels, 0.2, 5), plain(hidden, weight, labels, 0.2)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-6)
    assert torch.isfinite(torch.autograd.grad(ours, hidden)[0]).all()


def test_gradients_are_scaled_by_what_is_done_with_the_loss():
    hidden, weight, labels = tensors()
    (projected_loss(hidden, weight, labels, 0.2, 5) / 7).backward()
    once = torch.autograd.grad(projected_loss(hidden, weight, labels, 0.2, 5), (hidden, weight))
    torch.testing.assert_close(hidden.grad, once[0] / 7)
    torch.testing.assert_close(weight.grad, once[1] / 7)


def test_a_second_backward_is_refused_rather_than_wrong():
    hidden, weight, labels = tensors()
    loss = projected_loss(hidden, weight, labels, 0.2, 5)
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("trained", [0, 1])
def test_what_is_frozen_gets_no_gradient(trained):
    *matrices, labels = tensors()
    matrices[1 - trained].requires_grad_(False)
    wanted = torch.autograd.grad(plain(*matrices, labels, 0.2), matrices[trained])[0]
    projected_loss(*matrices, labels, 0.2, 5).backward()
    torch.testing.assert_close(matrices[trained].grad, wanted, rtol=1e-5, atol=1e-6)
    assert matrices[1 - trained].grad is None


def test_without_gradients_the_loss_is_the_same():
    hidden, weight, labels = tensors()
    with torch.no_grad():
        loss = projected_loss(hidden, weight, labels, 0.2, 5)
    assert not loss.requires_grad
    torch.testing.assert_close(loss, plain(hidden, weight, labels, 0.2).detach())


def test_no_logits_are_kept_for_backward():
    hidden, weight, labels = tensors()
    weight.requires_grad_(False)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.shape) or t, lambda t: t):
        projected_loss(hidden, weight, labels, 0.2, 5)
    assert kept == [hidden.shape]


def test_under_autocast_only_the_products_are_rounded():
    hidden, weight, labels = tensors()
    with torch.autocast("cpu", torch.bfloat16):
        ours = projected_loss(hidden, weight, labels, 0.2, 5)
    theirs = plain(hidden, weight, labels, 0.2)
    assert ours.dtype is torch.float32
    assert ours.item() == pytest.approx(theirs.item(), rel=2e-3)
    for got, wanted in zip(
        torch.autograd.grad(ours, (hidden, weight)),
        torch.autograd.grad(theirs, (hidden, weight)),
        strict=True,
    ):
        assert got.dtype is torch.float32
        torch.testing.assert_close(got, wanted, rtol=0, atol=0.02 * wanted.abs().max().item())


def test_the_tied_embedding_of_a_model_gets_the_same_gradient_from_both(model, monkeypatch):
    ids = torch.randint(4, 30, (3, 6), generator=torch.Generator().manual_seed(2))
    batch = SimpleNamespace(input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids.flip(1))
    losses, gradients = [], []
    for loss in (projected_loss, lambda hidden, weight, *rest: plain(hidden, weight, *rest)):
        monkeypatch.setattr(module, "projected_loss", loss)
        model.zero_grad()
        value = TranslationLoss(model, 0.2)(batch)
        value.backward()
        losses.append(value.detach())
        gradients.append([parameter.grad.clone() for parameter in model.parameters()])
    torch.testing.assert_close(*losses)
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
