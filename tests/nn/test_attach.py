import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from lslo_cli.errors import InputError
from lslo_cli.method.adapters import Initialisation
from lslo_cli.method.ranks import SHARED, RankMap
from lslo_cli.method.sites import Layer, Site, SiteSet, sites
from lslo_cli.method.strategy import Index, paper, uniform
from lslo_cli.nn.attach import attach, attach_mixture, model_sites, site_module
from lslo_cli.nn.lslo import IndexMixture, LSLo
from tests.adapters import ADAPTERS

LANGUAGES = ("en", "de", "wo")
RANKS = RankMap({"en": 2, "de": 1, "wo": 4})
STRATEGY = paper(2, 1)

NAMES = {  # written out, so that a wrong address cannot agree with itself
    "encoder.1.q": "model.encoder.layers.0.self_attn.q_proj",
    "encoder.1.k": "model.encoder.layers.0.self_attn.k_proj",
    "encoder.1.v": "model.encoder.layers.0.self_attn.v_proj",
    "encoder.1.fc1": "model.encoder.layers.0.fc1",
    "encoder.1.fc2": "model.encoder.layers.0.fc2",
    "encoder.2.q": "model.encoder.layers.1.self_attn.q_proj",
    "encoder.2.k": "model.encoder.layers.1.self_attn.k_proj",
    "encoder.2.v": "model.encoder.layers.1.self_attn.v_proj",
    "encoder.2.fc1": "model.encoder.layers.1.fc1",
    "encoder.2.fc2": "model.encoder.layers.1.fc2",
    "decoder.1.q": "model.decoder.layers.0.self_attn.q_proj",
    "decoder.1.k": "model.decoder.layers.0.self_attn.k_proj",
    "decoder.1.v": "model.decoder.layers.0.self_attn.v_proj",
    "decoder.1.c-q": "model.decoder.layers.0.encoder_attn.q_proj",
    "decoder.1.c-k": "model.decoder.layers.0.encoder_attn.k_proj",
    "decoder.1.c-v": "model.decoder.layers.0.encoder_attn.v_proj",
    "decoder.1.fc1": "model.decoder.layers.0.fc1",
    "decoder.1.fc2": "model.decoder.layers.0.fc2",
}


def inputs(rows=4):
    torch.manual_seed(6)
    ids = torch.randint(4, 30, (rows, 5))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "decoder_input_ids": ids.flip(1)}


def fill(adapters):
    """Give every B numbers, as training would."""
    torch.manual_seed(7)
    for adapter in adapters.by_site.values():
        torch.nn.init.normal_(adapter.lora_B, std=0.3)
    return adapters


def route_of(adapters):
    return adapters.route.of(torch.tensor([0, 1, 2, 2]), torch.tensor([2, 0, 0, 1]))


def test_every_site_is_found_once_under_its_own_name(model):
    modules = dict(model.named_modules())
    assert [str(site) for site in model_sites(model, SiteSet.ALL)] == list(NAMES)
    for address, name in NAMES.items():
        assert site_module(model, Site.parse(address)) is modules[name]


@pytest.mark.parametrize("site_set", list(SiteSet))
def test_adapters_sit_on_the_sites_of_the_set_and_nowhere_else(model, site_set):
    adapters = attach(model, STRATEGY, RANKS, LANGUAGES, replace(ADAPTERS, sites=site_set))
    wanted = set(sites(2, 1, site_set))
    assert set(adapters.by_site) == wanted
    found = {name for name, module in model.named_modules() if isinstance(module, LSLo)}
    assert found == {NAMES[str(site)] for site in wanted}


@pytest.mark.parametrize("site_set", list(SiteSet))
def test_the_number_of_parameters_is_that_of_the_rank_map(model, shape, site_set):
    adapters = attach(model, STRATEGY, RANKS, LANGUAGES, replace(ADAPTERS, sites=site_set))
    assert sum(parameter.numel() for parameter in adapters.parameters()) == RANKS.parameters(shape, site_set)


def test_only_the_adapters_can_be_trained(model):
    adapters = attach(model, STRATEGY, RANKS, LANGUAGES, ADAPTERS)
    trainable = {id(p) for p in model.parameters() if p.requires_grad}
    assert trainable == {id(p) for p in adapters.parameters()}
    with route_of(fill(adapters)):
        model(**inputs()).logits.sum().backward()
    assert all((p.grad is not None) == p.requires_grad for p in model.parameters())


def test_each_layer_is_indexed_as_the_strategy_says(model):
    adapters = attach(model, STRATEGY, RANKS, LANGUAGES, ADAPTERS)
    for site, adapter in adapters.by_site.items():
        assert adapter.index is STRATEGY.of(site.layer)
    assert {adapter.index for adapter in adapters.by_site.values()} == set(Index)


def test_new_adapters_leave_the_model_as_it_was_bit_for_bit(model):
    before = model(**inputs()).logits
    adapters = attach(model, STRATEGY, RANKS, LANGUAGES, ADAPTERS)
    with route_of(adapters):
        assert torch.equal(model(**inputs()).logits, before)


def test_each_sentence_is_computed_as_by_a_model_with_its_updates_merged_in(model):
    plain = copy.deepcopy(model)
    adapters = fill(attach(model, STRATEGY, RANKS, LANGUAGES, ADAPTERS))
    batch = inputs()
    with route_of(adapters), torch.no_grad():
        mixed = model(**batch).logits
    for row, (src, tgt) in enumerate([(0, 2), (1, 0), (2, 0), (2, 1)]):
        merged = copy.deepcopy(plain)
        for site, adapter in adapters.by_site.items():
            matrices = adapter.matrices(src if adapter.index is Index.SOURCE else tgt)
            site_module(merged, site).weight.data += matrices["B"] @ matrices["A"]
        with torch.no_grad():
            alone = merged(**{name: value[row : row + 1] for name, value in batch.items()}).logits
        torch.testing.assert_close(mixed[row : row + 1], alone)


def test_the_ranks_need_not_come_in_the_order_of_the_route(model):
    ranks = RankMap({"wo": 4, "en": 2, "de": 1})
    adapters = fill(attach(model, uniform(Index.SOURCE, 2, 1), ranks, LANGUAGES, ADAPTERS))
    site = Site.parse("encoder.1.q")
    layer = site_module(model, site)
    state = adapters.state_dict()
    x = torch.randn(1, 2, 16)
    for index, code in enumerate(LANGUAGES):
        with adapters.route.of(torch.tensor([index]), torch.tensor([index])):
            output = layer(x)
        update = state[f"{site}.{code}.lora_B"] @ state[f"{site}.{code}.lora_A"]
        torch.testing.assert_close(output, layer.base(x) + F.linear(x, update))


def test_one_shared_adapter_serves_all_languages(model, shape):
    ranks = RankMap({SHARED: 3})
    adapters = fill(attach(model, STRATEGY, ranks, LANGUAGES, ADAPTERS))
    assert adapters.languages == (SHARED,)
    assert sum(p.numel() for p in adapters.parameters()) == ranks.parameters(shape)
    with route_of(adapters):
        mixed = model(**inputs()).logits
    with adapters.route.of(torch.zeros(4, dtype=torch.long), torch.zeros(4, dtype=torch.long)):
        assert torch.equal(model(**inputs()).logits, mixed)


def test_a_seed_fixes_the_adapters(model):
    first, second = copy.deepcopy(model), copy.deepcopy(model)
    states = []
    for network in (first, second):
        torch.manual_seed(11)
        states.append(attach(network, STRATEGY, RANKS, LANGUAGES, ADAPTERS).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_strategy_for_a_shallower_model_is_refused(model):
    with pytest.raises(InputError, match="has no entry for encoder.2"):
        attach(model, paper(1, 1), RANKS, LANGUAGES, ADAPTERS)


# State


def test_the_state_names_every_matrix_of_every_language(model):
    state = attach(model, STRATEGY, RANKS, LANGUAGES, ADAPTERS).state_dict()
    assert len(state) == len(NAMES) * 3 * 2
    assert state["decoder.1.fc1.wo.lora_A"].shape == (4, 16)
    assert state["decoder.1.fc1.wo.lora_B"].shape == (24, 4)
    assert state["encoder.2.fc2.de.lora_A"].shape == (1, 24)
    assert state["encoder.2.fc2.de.lora_B"].shape == (16, 1)


def test_a_loaded_state_computes_what_the_saved_one_did(model):
    other = copy.deepcopy(model)
    adapters = fill(attach(model, STRATEGY, RANKS, LANGUAGES, ADAPTERS))
    loaded = attach(other, STRATEGY, RANKS, LANGUAGES, ADAPTERS)
    loaded.load_state_dict(adapters.state_dict())
    with route_of(adapters):
        expected = model(**inputs()).logits
    with route_of(loaded):
        assert torch.equal(other(**inputs()).logits, expected)


def test_a_saved_state_does_not_change_with_the_weights(model):
    adapters = attach(model, STRATEGY, RANKS, LANGUAGES, ADAPTERS)
    state = adapters.state_dict()
    fill(adapters)
    assert not state["encoder.1.q.en.lora_B"].any()


def test_a_state_without_a_matrix_is_refused(model):
    adapters = attach(model, STRATEGY, RANKS, LANGUAGES, ADAPTERS)
    state = adapters.state_dict()
    del state["decoder.1.c-v.wo.lora_B"]
    with pytest.raises(KeyError, match="decoder.1.c-v.wo.lora_B"):
        adapters.load_state_dict(state)


@pytest.mark.parametrize("shape", [(1, 15), (1, 1), (16,), (2, 16)])
def test_a_matrix_of_another_shape_is_refused(model, shape):
    adapters = attach(model, STRATEGY, RANKS, LANGUAGES, ADAPTERS)
    state = adapters.state_dict() | {"encoder.1.q.de.lora_A": torch.ones(shape)}
    with pytest.raises(RuntimeError, match="encoder.1.q.de.lora_A"):
        adapters.load_state_dict(state)


# Weight learning


def test_a_mixture_sits_on_every_site_with_one_weighting_per_layer(model):
    adapters = attach_mixture(model, 2, LANGUAGES, ADAPTERS)
    mixtures = {name: module for name, module in model.named_modules() if isinstance(module, IndexMixture)}
    assert set(mixtures) == set(NAMES.values())
    layers = [Layer.parse(text) for text in ("encoder.1", "encoder.2", "decoder.1")]
    assert list(adapters.weightings) == layers
    for address, name in NAMES.items():
        assert mixtures[name].weighting is adapters.weightings[Site.parse(address).layer]
        assert mixtures[name].source.index is Index.SOURCE
        assert mixtures[name].target.index is Index.TARGET


def test_a_mixture_trains_both_sides_and_two_weights_per_layer(model, shape):
    adapters = attach_mixture(model, 2, LANGUAGES, ADAPTERS)
    both = 2 * RankMap(dict.fromkeys(LANGUAGES, 2)).parameters(shape)
    assert sum(p.numel() for p in adapters.parameters()) == both + 2 * 3
    trainable = {id(p) for p in model.parameters() if p.requires_grad}
    assert trainable == {id(p) for p in adapters.parameters()}


def test_a_new_mixture_leaves_the_model_as_it_was_bit_for_bit(model):
    before = model(**inputs()).logits
    adapters = attach_mixture(model, 2, LANGUAGES, ADAPTERS)
    with route_of(adapters):
        assert torch.equal(model(**inputs()).logits, before)


@pytest.mark.parametrize("kind", ["gaussian", "uniform"])
def test_a_starts_as_wide_as_its_initialisation_says_and_b_at_zero(model, kind):
    torch.manual_seed(3)
    adapters = attach(
        model, STRATEGY, RANKS, LANGUAGES, replace(ADAPTERS, initialisation=Initialisation(kind))
    )
    for matrix in adapters.matrices():
        if matrix.name == "B":
            assert not matrix.weight.any()
    for slot, code in enumerate(LANGUAGES):
        of_code = [m for m in adapters.matrices() if m.slot == slot and m.name == "A"]
        if kind == "uniform":
            entries = torch.cat([m.weight.flatten() for m in of_code]) * RANKS.by_language[code] ** 0.5
            assert entries.abs().max() <= 1 + 1e-6
            width = 3**-0.5
        else:
            entries = torch.cat([m.weight.flatten() * m.weight.shape[1] ** 0.5 for m in of_code])
            assert entries.abs().max() > 2
            width = 1
        assert entries.std() == pytest.approx(width, rel=0.15)
        assert abs(entries.mean()) < 0.2


def test_the_mixture_starts_with_the_same_initialisation(model):
    mixture = attach_mixture(model, 4, LANGUAGES, replace(ADAPTERS, initialisation=Initialisation.UNIFORM))
    largest = max(side.lora_A.abs().max() for m in mixture.modules for side in (m.source, m.target))
    assert 0.45 < largest <= 0.5 + 1e-6
