"""The loss against fairseq's formula, written out, and against transformers' own."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from lslo_cli.nn.loss import IGNORED, TranslationLoss, projected_loss

PAD, EOS = 1, 2


def loss_of(logits, labels, smoothing):
    """The loss of given logits: as hidden states, which the identity matrix projects to themselves."""
    return projected_loss(logits, torch.eye(logits.shape[-1], dtype=logits.dtype), labels, smoothing)


def fairseq_loss(logits, labels, smoothing):
    """(1 - s - s_i) nll + s_i * sum of nll over the vocabulary, s_i = s / (V - 1), summed over tokens."""
    log_probabilities = F.log_softmax(logits, dim=-1)
    nll = -log_probabilities.gather(1, labels[:, None]).squeeze(1)
    smooth = -log_probabilities.sum(dim=-1)
    s_i = smoothing / (logits.shape[-1] - 1)
    return ((1 - smoothing - s_i) * nll + s_i * smooth).sum()


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.2, 0.9])
@pytest.mark.parametrize("vocabulary", [11, 187])
def test_smoothing_and_its_gradient_are_fairseqs(smoothing, vocabulary):
    torch.manual_seed(1)
    logits = torch.randn(6, vocabulary, requires_grad=True)
    labels = torch.randint(vocabulary, (6,))
    ours = loss_of(logits, labels, smoothing)
    theirs = fairseq_loss(logits, labels, smoothing)
    torch.testing.assert_close(ours, theirs)
    gradients = [torch.autograd.grad(loss, logits)[0] for loss in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-6)


def test_torchs_own_smoothing_is_another_one():
    torch.manual_seed(1)
    logits, labels = torch.randn(6, 11), torch.randint(11, (6,))
    torchs = F.cross_entropy(logits, labels, label_smoothing=0.2, reduction="sum")
    assert abs(loss_of(logits, labels, 0.2) - torchs) > 0.01


def test_the_loss_of_half_precision_logits_is_computed_in_float32():
    torch.manual_seed(1)
    logits, labels = torch.randn(6, 50).bfloat16(), torch.randint(50, (6,))
    loss = loss_of(logits, labels, 0.2)
    assert loss.dtype is torch.float32
    torch.testing.assert_close(loss, loss_of(logits.float(), labels, 0.2))


def batch_of(lengths, target_lengths, wider=0):
    """A batch of random sentences; ``wider`` adds columns of padding on both sides."""
    torch.manual_seed(2)
    source, target = max(lengths) + wider, max(target_lengths) + wider
    all_ids, all_labels = torch.randint(4, 30, (len(lengths), 20)), torch.randint(4, 30, (len(lengths), 20))
    mask = torch.arange(source) < torch.tensor(lengths)[:, None]
    real = torch.arange(target) < torch.tensor(target_lengths)[:, None]
    return SimpleNamespace(
        input_ids=all_ids[:, :source].masked_fill(~mask, PAD),
        attention_mask=mask.long(),
        labels=all_labels[:, :target].masked_fill(~real, IGNORED),
        tokens=int(real.sum()),
    )


def test_without_smoothing_the_loss_is_transformers_own_over_the_real_tokens(model):
    batch = batch_of([5, 3, 7], [4, 6, 2])
    reference = model(
        input_ids=batch.input_ids, attention_mask=batch.attention_mask, labels=batch.labels
    ).loss
    torch.testing.assert_close(TranslationLoss(model, 0.0)(batch) / batch.tokens, reference)


def test_with_smoothing_it_is_fairseqs_over_the_real_tokens_language_token_included(model):
    batch = batch_of([5, 3, 7], [4, 6, 2])
    logits = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, labels=batch.labels).logits
    real = batch.labels != IGNORED
    assert real[:, 0].all()  # the column of the language tokens
    expected = fairseq_loss(logits[real], batch.labels[real], 0.2)
    torch.testing.assert_close(TranslationLoss(model, 0.2)(batch), expected)


def test_padding_changes_neither_loss_nor_gradient(model):
    losses, gradients = [], []
    for wider in (0, 5):
        model.zero_grad()
        loss = TranslationLoss(model, 0.2)(batch_of([5, 3, 7], [4, 6, 2], wider))
        loss.backward()
        losses.append(loss.detach())
        gradients.append(model.model.decoder.layers[0].fc1.weight.grad.clone())
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)


def test_the_loss_of_a_batch_is_the_sum_over_its_sentences(model):
    batch = batch_of([5, 3, 7], [4, 6, 2])
    loss = TranslationLoss(model, 0.2)
    alone = [
        loss(
            SimpleNamespace(
                **{name: value[row : row + 1] for name, value in vars(batch).items() if name != "tokens"}
            )
        )
        for row in range(3)
    ]
    torch.testing.assert_close(loss(batch), torch.stack(alone).sum())
