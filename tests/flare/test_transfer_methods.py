"""How each method reads pairs of texts."""

from dataclasses import replace

import pytest
import torch

from lslo_cli.flare.attach import FlareSettings, attach_flare, detach
from lslo_cli.flare.examples import Example, Pairs
from lslo_cli.flare.head_model import HeadModel
from lslo_cli.flare.heads import Classifier
from lslo_cli.flare.mixup import XMixup
from lslo_cli.flare.probe import activations
from lslo_cli.flare.source import Side
from lslo_cli.flare.source_cache import SourceCache
from lslo_cli.flare.transfer_methods import (
    FusionMethod,
    InputFusionMethod,
    MixupMethod,
    TransferMethod,
    TranslateTestMethod,
    TranslatorMethod,
)
from lslo_cli.flare.translator import LatentTexts, LatentTranslation
from lslo_cli.method.flare import Phi, SourceGiven


class Words:
    """A tokenizer whose texts are numbers: 1 begins a text, 2 ends each part."""

    pad_token_id = 0

    def __call__(self, first, second, truncation=False, max_length=None, verbose=True):
        ids = [1, *map(int, first.split()), 2, *([*map(int, second.split()), 2] if second else [])]
        return {"input_ids": ids[:max_length]}


PAIRS = Pairs(
    source=(Example("1", "10 11 12", 0), Example("2", "13", 1), Example("3", "14 15", 2)),
    target=(Example("1", "20", 0), Example("2", "21 22 23", 1), Example("3", "24 25", 2)),
)


@pytest.fixture
def model(xlmr):
    torch.manual_seed(1)
    return HeadModel(xlmr.model(), Words(), Side.RIGHT, Classifier(16, 3, dropout=0.0))


def fusing(model, settings=None):
    adapters = attach_flare(model.backbone, settings or FlareSettings())
    for adapter in adapters.by_name.values():
        adapter.lora_B.data.normal_(0, 0.3, generator=torch.Generator().manual_seed(5))
    return adapters


def test_a_plain_reading_sees_the_target_and_translate_test_the_source(model):
    target, source = TransferMethod(model, None, 8), TranslateTestMethod(model, None, 8)
    assert target.prepare(PAIRS).texts.ids[0] == (1, 20, 2)
    assert source.prepare(PAIRS).texts.ids[0] == (1, 10, 11, 12, 2)
    assert source.prepare(PAIRS).labels.tolist() == [0, 1, 2]


def test_input_fusion_reads_both_in_twice_the_length(model):
    split = InputFusionMethod(model, None, 4).prepare(PAIRS)
    assert split.texts.ids[0] == (1, 10, 11, 12, 2, 20, 2)
    assert all(len(row) <= 8 for row in split.texts.ids)


def test_answers_do_not_depend_on_the_batches(model):
    method = FusionMethod(model, fusing(model), 8)
    split = method.prepare(PAIRS)
    assert method.predict(split, size=1) == method.predict(split, size=3)


@pytest.mark.parametrize("offset", [0, 1])
def test_states_that_are_kept_are_those_that_would_be_made_for_a_batch(model, offset):
    method = FusionMethod(model, fusing(model, FlareSettings(source_layer_offset=offset)), 8)
    kept = method.prepare(PAIRS)
    method.captured.limit = 0
    made = method.prepare(PAIRS)
    for rows in ([0], [2, 0], [0, 1, 2]):
        torch.testing.assert_close(method.logits(kept, rows), method.logits(made, rows))
    shuffled = [1, 2, 0]
    torch.testing.assert_close(
        method.logits(kept.given(SourceGiven.SHUFFLED, shuffled), [0, 1]),
        method.logits(made.given(SourceGiven.SHUFFLED, shuffled), [0, 1]),
    )


def test_runs_on_one_model_share_the_states_of_an_offset(model):
    captured = SourceCache()
    for phi, offset in ((Phi.ADD, 1), (Phi.MUL, 1), (Phi.ADD, 0)):
        adapters = fusing(model, FlareSettings(phi=phi, source_layer_offset=offset))
        FusionMethod(model, adapters, 8, captured).prepare(PAIRS)
        detach(model.backbone, adapters)
    assert len(captured) == 2


def test_states_of_other_texts_make_room_and_come_out_the_same_again(model):
    captured = SourceCache()
    method = FusionMethod(model, fusing(model), 8, captured)
    others = [
        replace(PAIRS, source=tuple(replace(row, text=f"{n} 11") for row in PAIRS.source))
        for n in (10, 12, 13)
    ]
    first = method.logits(method.prepare(PAIRS), [0, 1, 2])
    captured.limit = 2 * 3 * 8 * 16 * 4 * 3  # two splits of three rows, eight positions, and three blocks
    for other in others:
        method.prepare(other)
        assert len(captured) <= 2
    assert torch.equal(method.logits(method.prepare(PAIRS), [0, 1, 2]), first)


def test_another_source_gives_other_answers_and_none_is_where_it_is_added_plain_lora(model):
    adapters = fusing(model, FlareSettings(phi=Phi.ADD))
    method = FusionMethod(model, adapters, 8)
    split = method.prepare(PAIRS)
    matched = method.logits(split, [0, 1, 2])
    assert not torch.allclose(matched, method.logits(split.given(SourceGiven.SHUFFLED, [1, 2, 0]), [0, 1, 2]))
    nothing = method.logits(split.given(SourceGiven.ZERO, []), [0, 1, 2])
    detach(model.backbone, adapters)
    plain = attach_flare(model.backbone, FlareSettings(phi=None))
    plain.load_state_dict(adapters.state_dict())
    torch.testing.assert_close(nothing, model.read(split.texts.padded([0, 1, 2]))[0])


def test_the_mean_source_is_over_tokens_that_no_text_is_long_enough_for_too(model):
    pairs = Pairs(*([replace(e, text=text) for e in PAIRS.target] for text in ("20 21 22 23", "24")))
    split = FusionMethod(model, fusing(model), 8).prepare(pairs)
    assert split.texts.longest < split.longest_source
    found = split.given(SourceGiven.MEAN, []).sources([0], 2).by_block["encoder.1"][0, 0]
    states = split.sources([0], split.longest_source).by_block["encoder.1"][0]
    torch.testing.assert_close(found, states.mean(dim=0))


def test_flare_mt_reads_no_source_text_and_trains_the_projection(model):
    adapters = fusing(model)
    projection = LatentTranslation(6, 16, adapters.blocks)
    seen = []

    def encode_targets(texts):
        seen.extend(texts)
        states = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(2))
        return LatentTexts(states, torch.ones(3, 4, dtype=torch.long))

    method = TranslatorMethod(model, adapters, 8, projection, encode_targets)
    method.loss(method.prepare(PAIRS), [0, 1, 2]).backward()
    assert seen == [("20", ""), ("21 22 23", ""), ("24 25", "")]
    assert projection.projection.weight.grad.abs().sum() > 0
    assert set(map(id, projection.parameters())) <= set(map(id, method.parameters()))


def test_x_mixup_trains_adapters_head_and_ratio(model):
    adapters = fusing(model, FlareSettings(phi=None))
    method = MixupMethod(model, adapters, 8, XMixup(model.backbone, 2))
    method.loss(method.prepare(PAIRS), [0, 1, 2]).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in method.parameters())
    assert len(method.parameters()) == 2 * 6 + 2 + 2


def test_activations_are_means_of_relu_in_the_bottleneck(model):
    method = FusionMethod(model, fusing(model), 8)
    split = method.prepare(PAIRS)
    found = activations(method, split, size=3)
    assert len(found) == 6
    adapter = method.adapters.by_name["encoder.1.attention.self.query"]
    states = split.sources([0, 1, 2], 5).by_block["encoder.1"]
    tokens = split.texts.padded([0, 1, 2])["attention_mask"].bool()
    expected = (states @ adapter.lora_A.T).relu()[tokens].mean(dim=0)
    assert found[adapter.name][0] == pytest.approx(expected.tolist(), rel=1e-4)
