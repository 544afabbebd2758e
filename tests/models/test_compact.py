"""A frozen base in bfloat16: what is computed is what the same rounded values give in float32."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from lslo_cli.method.base_dtype import BaseDtype
from lslo_cli.method.languages import Direction
from lslo_cli.method.ranks import RankMap
from lslo_cli.method.sites import SiteSet
from lslo_cli.method.strategy import paper
from lslo_cli.models.base import add_languages, load_base, save_base
from lslo_cli.nn.attach import attach, attach_mixture
from lslo_cli.nn.compact import CompactLinear, frozen_matrix, restore
from lslo_cli.nn.loss import TranslationLoss
from lslo_cli.nn.lslo import Adapted
from lslo_cli.nn.recompute import recompute
from lslo_cli.search.beam import ranked_search
from lslo_cli.search.stream import TranslationBatches
from tests.adapters import ADAPTERS

LANGUAGES = ("en", "fr", "nl")
KINDS = ("nllb-200", "mbart-50", "madlad-400")
"""A family of every architecture."""


@pytest.fixture(scope="module", params=KINDS)
def folder(request, tmp_path_factory, write_model):
    return write_model(tmp_path_factory.mktemp("models") / request.param, request.param)


@pytest.fixture
def compact_base(folder):
    return load_base(str(folder), frozen=BaseDtype.BFLOAT16)


@pytest.fixture
def rounded_base(folder):
    """The model in float32, of which every value has been rounded to bfloat16."""
    base = load_base(str(folder))
    for parameter in base.model.parameters():
        parameter.data = parameter.data.bfloat16().float()
    return base


def batch_of(base):
    tokenizer = base.tokenizer
    pairs = [("en", "fr", [9, 8, 10]), ("fr", "en", [7, 9]), ("nl", "en", [9])]
    sources = [tokenizer.source_ids(ids, src, tgt) for src, tgt, ids in pairs]
    targets = [tokenizer.target_ids([*ids, 11], src, tgt) for src, tgt, ids in pairs]

    def padded(rows, value):
        longest = max(map(len, rows))
        return torch.tensor([[*row, *[value] * (longest - len(row))] for row in rows])

    ids = padded(sources, tokenizer.pad_id)
    mask = (ids != tokenizer.pad_id).long()
    languages = [torch.tensor([LANGUAGES.index(pair[side]) for pair in pairs]) for side in (0, 1)]
    batch = SimpleNamespace(input_ids=ids, attention_mask=mask, labels=padded(targets, -100))
    return batch, languages


def stepped(base, put_on, precision=None, again=False):
    """The loss of a batch in training, and the gradients of the adapters."""
    depths = (base.identity.encoder_layers, base.identity.decoder_layers)
    adapters = put_on(base.model, *depths)
    torch.manual_seed(4)
    for parameter in adapters.parameters():
        nn.init.normal_(parameter, std=0.3)
    if again:
        recompute(base.model, adapters.route.recomputing)
    base.model.train()
    batch, languages = batch_of(base)
    with (
        adapters.route.of(*languages),
        torch.autocast("cpu", precision or torch.bfloat16, enabled=precision is not None),
    ):
        loss = TranslationLoss(base.model, 0.1)(batch)
    loss.backward()
    return loss.detach(), [parameter.grad for parameter in adapters.parameters()]


def _all_sites(model, *depths):
    return attach(model, paper(*depths), RankMap(dict.fromkeys(LANGUAGES, 2)), LANGUAGES, ADAPTERS)


def _some_sites(model, *depths):
    return attach(
        model,
        paper(*depths),
        RankMap(dict.fromkeys(LANGUAGES, 2)),
        LANGUAGES,
        replace(ADAPTERS, sites=SiteSet.ATTENTION),
    )


def _mixed(model, *depths):
    return attach_mixture(model, 2, LANGUAGES, ADAPTERS)


def test_matrices_lie_in_bfloat16_and_all_else_in_float32(compact_base):
    model = compact_base.model
    matrices = {id(module.weight) for module in model.modules() if isinstance(module, nn.Linear)}
    for parameter in model.parameters():
        is_matrix = id(parameter) in matrices or parameter is model.get_input_embeddings().weight
        assert parameter.dtype is (torch.bfloat16 if is_matrix else torch.float32)
        assert not parameter.requires_grad
    assert {buffer.dtype for buffer in model.buffers() if buffer.is_floating_point()} <= {torch.float32}
    embedding = model.get_input_embeddings().weight
    assert embedding.dtype is torch.bfloat16
    assert all(stack.embed_tokens.weight is embedding for stack in (model.get_encoder(), model.get_decoder()))
    head = frozen_matrix(model.get_output_embeddings())
    assert head is embedding or compact_base.tokenizer.family.name == "MADLAD-400"


@pytest.mark.parametrize("put_on", [_all_sites, _some_sites, _mixed])
def test_loss_and_gradients_are_those_of_the_rounded_values_bit_by_bit(compact_base, rounded_base, put_on):
    loss, gradients = stepped(compact_base, put_on)
    wanted, wanted_gradients = stepped(rounded_base, put_on)
    assert torch.equal(loss, wanted)
    assert all(map(torch.equal, gradients, wanted_gradients))
    assert {gradient.dtype for gradient in gradients} == {loss.dtype} == {torch.float32}


def test_recomputation_gives_the_same_bits(folder):
    kept, again = (
        stepped(load_base(str(folder), frozen=BaseDtype.BFLOAT16), _all_sites, again=again)
        for again in (False, True)
    )
    assert torch.equal(kept[0], again[0])
    assert all(map(torch.equal, kept[1], again[1]))


def test_in_bf16_arithmetic_the_loss_is_near_that_of_float32(compact_base, folder):
    loss, _ = stepped(compact_base, _all_sites, torch.bfloat16)
    wanted, _ = stepped(load_base(str(folder)), _all_sites)
    torch.testing.assert_close(loss, wanted, rtol=0.02, atol=0)


def test_translations_and_scores_are_those_of_the_rounded_values(compact_base, rounded_base):
    found = []
    for base in (compact_base, rounded_base):
        sources = {Direction("en", "fr"): ["the cat"], Direction("en", "nl"): ["the cat", "a dog"]}
        (batch,) = TranslationBatches(sources, base.tokenizer, LANGUAGES, max_tokens=200, max_length=20)
        found.append(ranked_search(base, batch, beam=2, max_length_b=6))
    assert found[0] == found[1]


def test_a_new_language_can_be_added(compact_base, rounded_base):
    ids = torch.tensor([[9, compact_base.identity.vocab_size]])
    rows = [
        add_languages(base, {"tyv": "fr"}).model.get_encoder().embed_tokens(ids)
        for base in (compact_base, rounded_base)
    ]
    assert torch.equal(*rows)


def test_restoring_gives_the_model_back_with_rounded_values(compact_base, rounded_base):
    restore(compact_base.model)
    wanted, found = rounded_base.model.state_dict(), compact_base.model.state_dict()
    assert wanted.keys() == found.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())
    assert list(map(type, compact_base.model.modules())) == list(map(type, rounded_base.model.modules()))
    shared = compact_base.model.get_input_embeddings().weight
    assert compact_base.model.get_encoder().embed_tokens.weight is shared


def test_nothing_of_the_input_is_kept_for_backward():
    linear = CompactLinear(nn.Linear(8, 4).bfloat16().requires_grad_(False))
    kept = []
    x = torch.randn(2, 3, 8, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(kept.append, lambda nothing: nothing):
        y = linear(x)
    assert y.dtype is torch.float32 and not kept


def test_four_bits_give_what_their_values_give_in_float32_bit_by_bit(folder, tmp_path):
    """bitsandbytes computes on a CPU too, which is enough to see what becomes of its matrices."""
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    base, plain, recomputed = (
        load_base(str(folder), frozen=BaseDtype.FOUR_BIT, device=torch.device("cpu")) for _ in range(3)
    )
    assert torch.uint8 in {parameter.dtype for parameter in base.model.parameters()}
    restore(plain.model)
    assert load_base(str(save_base(plain, tmp_path / "saved").folder)).model.dtype is torch.float32
    assert {parameter.dtype for parameter in plain.model.parameters()} == {torch.float32}
    loss, gradients = stepped(base, _all_sites)
    for other, again in ((plain, False), (recomputed, True)):
        wanted, wanted_gradients = stepped(other, _all_sites, again=again)
        assert torch.equal(loss, wanted)
        assert all(map(torch.equal, gradients, wanted_gradients))


@pytest.mark.parametrize("adapted", [True, False])
def test_asking_for_the_format_of_a_matrix_decodes_nothing(compact_base, monkeypatch, adapted):
    """T5 asks before each product of its feed-forward layers."""
    if adapted:
        attach(compact_base.model, paper(2, 1), RankMap({"en": 1}), ("en",), ADAPTERS)
    monkeypatch.setattr("lslo_cli.nn.compact.decoded", lambda *_: pytest.fail("decoded"))
    linear = [
        module for module in compact_base.model.modules() if isinstance(module, CompactLinear | Adapted)
    ]
    assert len(linear) > 10
    for module in linear:
        base = module if isinstance(module, CompactLinear) else module.base
        assert module.weight.dtype is torch.float32
        assert module.weight.shape == (base.out_features, base.in_features)
