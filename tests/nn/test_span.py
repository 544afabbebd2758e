"""The authors' adapters, of the first d_model feed-forward units: every path against a plain reading of them.

Theirs is computed here a sentence at a time, from what each layer is said to do: an adapter has d_model
inputs and outputs wherever it sits. In fc1 it reads the layer's input and is added to the first d_model of
the inner units; in fc2 it reads the first d_model of these and is added to the layer's output.
"""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn
from transformers import M2M100Config, M2M100ForConditionalGeneration

from lslo_cli.method.adapters import Span
from lslo_cli.method.importance import Pool
from lslo_cli.method.ranks import SHARED, RankMap
from lslo_cli.method.shapes import ModelShape
from lslo_cli.method.sites import Kind, SiteSet
from lslo_cli.method.strategy import Index, paper
from lslo_cli.models.decoder import IncrementalDecoder
from lslo_cli.models.encoder import encode_once
from lslo_cli.nn.attach import attach, attach_mixture, site_module
from lslo_cli.nn.folding import factors, fold
from lslo_cli.nn.groups import Slots
from lslo_cli.nn.lslo import LSLo, RoutedLoRA
from lslo_cli.nn.pruning import estimation_pruner, gradual_pruner
from lslo_cli.nn.route import Route
from tests.adapters import ADAPTERS

D_MODEL, VOCABULARY = 16, 30
SHAPE = ModelShape(1, 2, D_MODEL, 4 * D_MODEL, VOCABULARY, 0)
CODES = ("en", "de", "zh", "wo")
RANKS = RankMap({"en": 2, "de": 1, "wo": 5})  # zh has no adapter
STRATEGY = paper(1, 2)
SOURCE, TARGET = torch.tensor([0, 3, 0, 2, 3]), torch.tensor([3, 0, 3, 3, 2])  # de is absent


def adapted_linear(sentence, frozen, A, B):
    """One sentence (length, inputs) through a frozen map and its language's A (r, d) and B (d, r)."""
    d = A.shape[1]
    outputs = [frozen(token) for token in sentence]
    updates = [B @ (A @ token[:d]) for token in sentence]
    return torch.stack(
        [torch.cat((y[:d] + update, y[d:])) for y, update in zip(outputs, updates, strict=True)]
    )


class BySentence(nn.Module):
    """An adapted map as its adapter's tensors and the route define it, with gradients through both."""

    def __init__(self, layer: LSLo):
        super().__init__()
        self.base, self.adapter = layer.base, layer.adapter

    def forward(self, x):
        adapter = self.adapter
        languages = adapter.route.languages(adapter.index, len(x)).tolist()
        own = [adapter.slots.columns[adapter.slots.by_language[language]] for language in languages]
        A, B = adapter.lora_A, adapter.lora_B
        return torch.stack(
            [adapted_linear(row, self.base, A[of], B[:, of]) for row, of in zip(x, own, strict=True)]
        )


@pytest.fixture
def model():
    """A random model in double precision whose feed-forward blocks are four times as wide as the rest."""
    torch.manual_seed(3)
    config = M2M100Config(
        vocab_size=VOCABULARY,
        d_model=D_MODEL,
        encoder_layers=1,
        decoder_layers=2,
        encoder_ffn_dim=4 * D_MODEL,
        decoder_ffn_dim=4 * D_MODEL,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        dropout=0.0,
        attention_dropout=0.0,
        init_std=0.3,
    )
    return M2M100ForConditionalGeneration(config).double().eval()


def adapted(model, ranks=RANKS):
    """Adapters of the first d_model units, every B filled, and a third of the entries of two pruned."""
    adapters = attach(model, STRATEGY, ranks, CODES, replace(ADAPTERS, span=Span.D_MODEL))
    torch.manual_seed(5)
    for adapter in adapters.by_site.values():
        adapter.double()
        nn.init.normal_(adapter.lora_B, std=0.5)
    gradual_pruner(adapters, ("de", "wo")).prune_to(1 / 3)
    return adapters


def by_sentence(model):
    """A copy of an adapted model that computes every adapted map as the authors' layer does."""
    twin = copy.deepcopy(model)
    for name, module in list(twin.named_modules()):
        if isinstance(module, LSLo):
            twin.set_submodule(name, BySentence(module))
    return twin


def route_of(model):
    """The route that the adapters of a model, or of a copy, follow."""
    return next(module.route for module in model.modules() if isinstance(module, RoutedLoRA))


def batch():
    torch.manual_seed(6)
    mask = torch.ones(5, 6, dtype=torch.long)
    mask[1, 3:] = mask[4, 2:] = 0
    ids = torch.randint(4, VOCABULARY, (5, 6)).masked_fill(mask == 0, 1)
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "decoder_input_ids": torch.randint(4, VOCABULARY, (5, 4)),
    }


def logits_and_gradients(model):
    """Of all adapters, by the name of the site's module."""
    with route_of(model).of(SOURCE, TARGET):
        logits = model(**batch()).logits
    torch.manual_seed(7)
    (logits * torch.randn_like(logits)).sum().backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if "lora" in name}
    return logits, gradients


@pytest.mark.parametrize("ranks", [RANKS, RankMap({SHARED: 3})], ids=["by language", "shared"])
def test_training_is_that_of_the_authors_layer_in_every_gradient(model, ranks):
    adapted(model, ranks)
    expected, wanted = logits_and_gradients(by_sentence(model))
    got, gradients = logits_and_gradients(model)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-11)
    assert gradients.keys() == wanted.keys() and len(gradients) == 2 * (5 + 2 * 8)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, wanted[name], rtol=0, atol=1e-9)


def test_the_span_changes_what_a_model_computes(model):
    """Else all of the above would hold of adapters of all units too."""
    adapters = adapted(model)
    before, _ = logits_and_gradients(model)
    for site, adapter in adapters.by_site.items():
        if site.kind is Kind.FC1:
            adapter.lora_B.data = adapter.lora_B.data.roll(1, 0)
    after, _ = logits_and_gradients(model)
    assert not torch.allclose(before, after)


def test_sources_that_are_encoded_once_read_the_same_adapters(model):
    adapted(model)
    twin, inputs = by_sentence(model), batch()
    rows = torch.tensor([0, 0, 1, 3, 3])
    ids, mask = inputs["input_ids"][rows], inputs["attention_mask"][rows]
    with route_of(model).of(SOURCE[rows], TARGET):
        got = encode_once(model, ids, mask, route_of(model))
    with route_of(twin).of(SOURCE[rows], TARGET):
        expected = twin.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-11)


def test_decoding_is_that_of_the_authors_layer_over_the_whole_hypothesis(model):
    adapted(model)
    twin, inputs = by_sentence(model), batch()
    ids, mask, hypotheses = inputs["input_ids"], inputs["attention_mask"], inputs["decoder_input_ids"]
    with torch.no_grad():
        decoder = IncrementalDecoder(model, ids, mask, route_of(model), (SOURCE, TARGET))
        got = [*decoder.read_prompt(hypotheses[:, :2]).unbind(1)]
        for step in (2, 3):
            parents = torch.zeros(5, 2, dtype=torch.long)
            states = decoder.read(hypotheses[:, step : step + 1].expand(-1, 2), parents)
            torch.testing.assert_close(states[:, 0], states[:, 1], rtol=0, atol=1e-12)
            got.append(states[:, 0])
        with route_of(twin).of(SOURCE, TARGET):
            expected = twin.model(**inputs).last_hidden_state
    torch.testing.assert_close(torch.stack(got, dim=1), expected, rtol=0, atol=1e-11)


def test_a_folded_model_is_the_adapted_one(model):
    adapters = adapted(model)
    source, target = torch.tensor([0]), torch.tensor([3])
    inputs = {name: value[:1] for name, value in batch().items()}
    fc1 = next(site for site in adapters.by_site if site.kind is Kind.FC1)
    A, B = factors(site_module(model, fc1), 3)
    assert A.shape == (5, D_MODEL) and B.shape == (4 * D_MODEL, 5)
    assert B[:D_MODEL].any() and not B[D_MODEL:].any()
    twin = by_sentence(model)
    with torch.no_grad():
        with route_of(twin).of(source, target):
            expected = twin(**inputs).logits
        fold(model, {Index.SOURCE: 0, Index.TARGET: 3})
        torch.testing.assert_close(model(**inputs).logits, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("site_set", list(SiteSet))
@pytest.mark.parametrize("span", list(Span))
def test_adapters_have_the_shapes_and_the_number_of_parameters_that_are_counted(model, site_set, span):
    adapters = attach(model, STRATEGY, RANKS, CODES, replace(ADAPTERS, sites=site_set, span=span))
    for matrix in adapters.matrices():
        d_out, d_in = SHAPE.adapter(matrix.site, span)
        rank = RANKS.of(matrix.language)
        assert matrix.weight.shape == ((rank, d_in) if matrix.name == "A" else (d_out, rank))
    counted = RANKS.parameters(SHAPE, site_set, span)
    assert sum(parameter.numel() for parameter in adapters.parameters()) == counted


def test_all_b_of_an_estimate_are_of_one_size(model):
    ranks = RankMap(dict.fromkeys(CODES, 2))
    adapters = attach(model, STRATEGY, ranks, CODES, replace(ADAPTERS, span=Span.D_MODEL))
    pruner = estimation_pruner([m for m in adapters.matrices() if m.name == "B"], Pool.LAYER)
    pruner.prune_to(0.5)
    sizes = {matrix.size for matrix, name in pruner.counts(adapters.matrices()) if name == "B"}
    assert sizes == {2 * D_MODEL}


def test_a_mixture_adds_both_updates_to_the_first_units(model):
    base = copy.deepcopy(model)
    mixed = attach_mixture(model, 2, CODES, replace(ADAPTERS, span=Span.D_MODEL))
    torch.manual_seed(8)
    for module in mixed.modules:
        for side in (module.source, module.target):
            nn.init.normal_(side.double().lora_B, std=0.5)
    for weighting in mixed.weightings.values():
        weighting.logits.data = torch.tensor([0.3, -0.4])
    share = torch.tensor([0.3, -0.4]).softmax(0).tolist()
    for site in SHAPE.sites():
        module, frozen = site_module(model, site), site_module(base, site)
        x = torch.randn(5, 3, frozen.in_features, dtype=torch.double)
        with mixed.route.of(SOURCE, TARGET), torch.no_grad():
            got = module(x)
        for row, source, target, y in zip(x, SOURCE.tolist(), TARGET.tolist(), got, strict=True):
            pairs = [module.source.matrices(source), module.target.matrices(target)]
            updates = [adapted_linear(row, frozen, pair["A"], pair["B"]) - frozen(row) for pair in pairs]
            expected = frozen(row) + share[0] * updates[0] + share[1] * updates[1]
            torch.testing.assert_close(y, expected, rtol=0, atol=1e-6)


def test_gradients_of_a_narrower_adapter_agree_with_finite_differences():
    torch.manual_seed(9)
    route, slots = Route(), Slots((2, 1), (0, 1))
    for inputs, outputs in ((3, 7), (7, 3)):
        adapter = RoutedLoRA(3, 3, slots, Index.SOURCE, route, ADAPTERS.initialisation).double()
        nn.init.normal_(adapter.lora_B)
        layer = LSLo(nn.Linear(inputs, outputs).double().requires_grad_(False), adapter)
        x = torch.randn(3, 2, inputs, dtype=torch.double, requires_grad=True)
        with route.of(torch.tensor([1, 0, 1]), torch.tensor([0, 0, 0])):
            assert torch.autograd.gradcheck(lambda x, *_, layer=layer: layer(x), (x, *adapter.parameters()))
