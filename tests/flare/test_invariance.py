"""An answer depends on its own row alone: not on who shares the batch, nor on what was kept in memory."""

from contextlib import suppress

import pytest
import torch

from lslo_cli.flare.attach import FlareSettings, attach_flare
from lslo_cli.flare.mixup import XMixup
from lslo_cli.flare.source import Side
from lslo_cli.flare.transfer_methods import (
    FusionMethod,
    InputFusionMethod,
    MixupMethod,
    TransferMethod,
    TranslatorMethod,
)
from lslo_cli.flare.translator import LatentTexts, LatentTranslation
from lslo_cli.method.flare import SourceGiven

from .conftest import PAIRS, Family, trained

LENGTH = 12
EVERY = (0, 1, 2, 3)
BATCHES = ([2, 0], [3, 2, 1, 0])
LATENT = (3, 7, 4, 9)
"""Tokens of each row as the translation encoder sees it: fewer than the task model's, or more."""


def by_row(method, split, rows=EVERY):
    """Each row's logits in a batch of its own."""
    return torch.cat([method.logits(split, [row]) for row in rows])


@torch.no_grad()
def assert_rows_stand_alone(method, split):
    alone = by_row(method, split)
    for rows in BATCHES:
        torch.testing.assert_close(method.logits(split, rows), alone[rows], rtol=1e-4, atol=1e-5)
    return alone


@pytest.mark.parametrize(("offset", "mask_padding"), [(0, True), (1, True), (1, False)])
@torch.no_grad()
def test_flare_answers_alike_in_every_batch_with_states_kept_or_read_again(family, offset, mask_padding):
    for phi in family.functions():
        settings = FlareSettings(phi=phi, source_layer_offset=offset, mask_padding=mask_padding)
        model = family.model()
        method = FusionMethod(model, trained(attach_flare(model.backbone, settings)), LENGTH)
        kept = method.prepare(PAIRS)
        method.captured.limit = 0
        read = method.prepare(PAIRS)
        alone = assert_rows_stand_alone(method, kept)
        torch.testing.assert_close(assert_rows_stand_alone(method, read), alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("source", list(SourceGiven))
@torch.no_grad()
def test_every_control_is_given_alike_in_every_batch(family, source):
    for phi in family.functions():
        model = family.model()
        method = FusionMethod(model, trained(attach_flare(model.backbone, FlareSettings(phi=phi))), LENGTH)
        split = method.prepare(PAIRS)
        alone = assert_rows_stand_alone(method, split.given(source, [1, 2, 3, 0]))
        assert torch.allclose(alone, by_row(method, split)) == (source is SourceGiven.MATCHED)


@torch.no_grad()
def test_without_a_source_the_function_is_that_of_a_source_of_zeros(family):
    for phi in family.functions():
        model = family.model()
        adapters = trained(attach_flare(model.backbone, FlareSettings(phi=phi)))
        method = FusionMethod(model, adapters, LENGTH)
        split = method.prepare(PAIRS).given(SourceGiven.ZERO, [])
        entering = []
        first = adapters.by_name[adapters.source.readers[0]]
        first.register_forward_pre_hook(lambda _, args, seen=entering: seen.append(args[0]))
        method.logits(split, [0, 1])
        with suppress(RuntimeError), adapters.source.of(method.batch(split, [0, 1]).states):
            S, T = first.bottleneck(entering[0])
        assert not S.any() and T.any()


def latents(seed=2):
    states = torch.randn(4, max(LATENT), 6, generator=torch.Generator().manual_seed(seed))
    mask = torch.stack([torch.arange(max(LATENT)) < length for length in LATENT]).long()
    return LatentTexts(states, mask)


def latent_method(family, phi, given):
    model = family.model()
    adapters = trained(attach_flare(model.backbone, FlareSettings(phi=phi)))
    torch.manual_seed(3)
    return TranslatorMethod(
        model, adapters, LENGTH, LatentTranslation(6, 16, adapters.blocks), lambda _: given
    )


@torch.no_grad()
def test_flare_mt_answers_alike_in_every_batch(family):
    for phi in family.functions():
        method = latent_method(family, phi, latents())
        assert_rows_stand_alone(method, method.prepare(PAIRS))


def test_every_state_of_a_translation_encoder_reaches_its_own_row_and_padding_none(family):
    for phi in family.functions():
        given = latents()
        given.states.requires_grad_()
        method = latent_method(family, phi, given)
        logits = method.logits(method.prepare(PAIRS), EVERY)
        for row in EVERY:
            (reach,) = torch.autograd.grad(logits[row].square().sum(), given.states, retain_graph=True)
            expected = torch.zeros_like(given.mask)
            expected[row, : LATENT[row]] = 1
            assert torch.equal(reach.abs().amax(dim=-1) > 0, expected.bool()), (phi, row)


def test_states_are_turned_to_the_side_of_the_model_and_surplus_ones_averaged():
    given = LatentTexts(torch.arange(4.0).repeat(2, 1)[..., None], torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]]))
    model = Family("llama").model()
    short = model.texts(PAIRS.target[:1], LENGTH)  # begin, word, cue: three tokens
    left = given.rows([0]).beside(short)
    assert left.side is Side.LEFT
    assert left.states.squeeze().tolist() == [0.5, 1.5, 2.5]
    long = model.texts(PAIRS.target[1:2], LENGTH)
    both = given.beside(model.texts(PAIRS.target[1:2] * 2, LENGTH))
    assert len(long.ids[0]) > 4
    assert both.states.squeeze(-1).tolist() == [[0, 1, 2, 3], [0, 0, 0, 1]]
    assert both.mask.tolist() == [[1, 1, 1, 1], [0, 0, 1, 1]]


@pytest.mark.parametrize("kind", [TransferMethod, InputFusionMethod])
@torch.no_grad()
def test_lora_and_input_fusion_answer_alike_in_every_batch(family, kind):
    model = family.model()
    method = kind(model, trained(attach_flare(model.backbone, FlareSettings(phi=None))), LENGTH)
    assert_rows_stand_alone(method, method.prepare(PAIRS))


@pytest.mark.parametrize("name", ["bert", "xlm-roberta"])
@torch.no_grad()
def test_x_mixup_answers_alike_in_every_batch(name):
    model = Family(name).model()
    adapters = trained(attach_flare(model.backbone, FlareSettings(phi=None)))
    mixup = XMixup(model.backbone, 2)
    mixup.mixed.ratio.weight.data.fill_(5)
    method = MixupMethod(model, adapters, LENGTH, mixup)
    assert_rows_stand_alone(method, method.prepare(PAIRS))


def test_a_loss_is_the_mean_of_its_rows(family):
    for phi in family.functions():
        model = family.model()
        method = FusionMethod(model, trained(attach_flare(model.backbone, FlareSettings(phi=phi))), LENGTH)
        split = method.prepare(PAIRS)
        alone = torch.stack([method.loss(split, [row]) for row in EVERY])
        torch.testing.assert_close(method.loss(split, EVERY), alone.mean(), rtol=1e-4, atol=1e-5)
