"""Masks against torch.nn.utils.prune, used as it should be."""

import copy
from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from lslo_cli.method.importance import Pool, importance_score
from lslo_cli.method.ranks import RankMap
from lslo_cli.method.schedule import GradualPruning
from lslo_cli.method.sites import Site
from lslo_cli.method.strategy import Index, paper
from lslo_cli.nn.attach import AdapterMatrix, attach
from lslo_cli.nn.groups import Slots
from lslo_cli.nn.lslo import RoutedLoRA
from lslo_cli.nn.pruning import Pruner, estimation_pruner, gradual_pruner
from lslo_cli.nn.route import Route
from tests.adapters import ADAPTERS

LANGUAGES = ("en", "de", "wo")
SITE = Site.parse("encoder.1.q")
ratios = pytest.mark.parametrize("ratio", [0.1, 0.35, 0.5, 0.9])


@pytest.fixture
def adapters(model):
    """Adapters with random weights, as if trained."""
    adapters = attach(model, paper(2, 1), RankMap({"en": 2, "de": 2, "wo": 4}), LANGUAGES, ADAPTERS)
    torch.manual_seed(8)
    for adapter in adapters.by_site.values():
        nn.init.normal_(adapter.lora_B)
    return adapters


def matrix(*shape):
    """Something to prune that is no part of a model."""
    return SimpleNamespace(weight=torch.randn(shape))


def as_module(weight):
    """A module that torch's pruning takes, with a copy of ``weight``."""
    module = nn.Module()
    module.weight = nn.Parameter(weight.clone())
    return module


def prune_more(module, name, count):
    """Prune ``count`` of what is left, by the weights as they are now: torch's own copy is that of the last
    forward pass.
    """
    for hook in module._forward_pre_hooks.values():
        hook(module, None)
    if count:
        prune.l1_unstructured(module, name, amount=count)


def b_of(adapters):
    return [member for member in adapters.matrices() if member.name == "B"]


def pruned_counts(pruner, adapters):
    return {f"{m.site}.{m.language}.{name}": m.pruned for m, name in pruner.counts(adapters.matrices())}


# One pool


@ratios
def test_a_pool_of_one_is_pruned_as_torchs_l1_unstructured_does(ratio):
    torch.manual_seed(1)
    member = matrix(7, 9)
    expected = prune.l1_unstructured(as_module(member.weight), "weight", amount=ratio).weight
    Pruner([[member]]).prune_to(ratio)
    assert torch.equal(member.weight, expected)


@ratios
def test_a_pool_of_several_is_pruned_as_torchs_global_unstructured_does(ratio):
    torch.manual_seed(2)
    members = [matrix(5, 8), matrix(3, 20), matrix(16, 2)]
    modules = [as_module(member.weight) for member in members]
    prune.global_unstructured([(module, "weight") for module in modules], prune.L1Unstructured, amount=ratio)
    Pruner([members]).prune_to(ratio)
    for member, module in zip(members, modules, strict=True):
        assert torch.equal(member.weight, module.weight)


def test_pools_do_not_see_each_other():
    small, large = matrix(4, 5), matrix(4, 5)
    large.weight.add_(100)
    Pruner([[small], [large]]).prune_to(0.5)
    assert int((small.weight == 0).sum()) == int((large.weight == 0).sum()) == 10


def test_ratios_are_absolute_so_repeating_one_changes_nothing():
    torch.manual_seed(3)
    member = matrix(10, 10)
    pruner = Pruner([[member]])
    pruner.prune_to(0.9)
    once = member.weight.clone()
    for _ in range(5):
        pruner.prune_to(0.9)
    assert torch.equal(member.weight, once)
    assert int((once == 0).sum()) == 90


def test_a_lower_ratio_gives_nothing_back():
    torch.manual_seed(4)
    member = matrix(10, 10)
    pruner = Pruner([[member]])
    pruner.prune_to(0.6)
    pruner.prune_to(0.2)
    assert int((member.weight == 0).sum()) == 60


def test_a_gradual_rise_prunes_as_torch_does_when_asked_for_the_difference():
    """After every epoch weights move, and what was pruned stays pruned."""
    torch.manual_seed(5)
    member = matrix(12, 10)
    module = as_module(member.weight)
    pruner, schedule, before = Pruner([[member]]), GradualPruning(0.9, 2, 8, 15), 0
    for epoch in range(1, 16):
        ratio = schedule.ratio_at(epoch)
        pruner.prune_to(ratio)
        wanted = round(ratio * 120)
        prune_more(module, "weight", wanted - before)
        before = wanted
        assert int((member.weight == 0).sum()) == wanted
        if wanted:
            assert torch.equal(member.weight, module.weight)
        step = torch.randn(12, 10)
        member.weight.add_(step)
        pruner.apply()
        (module.weight_orig if wanted else module.weight).data.add_(step)
    assert before == 108


def test_masks_only_grow():
    torch.manual_seed(6)
    member = matrix(20, 5)
    pruner, gone = Pruner([[member]]), torch.zeros(20, 5, dtype=torch.bool)
    for ratio in (0.1, 0.3, 0.5, 0.7):
        pruner.prune_to(ratio)
        now = member.weight == 0
        assert (now | ~gone).all()
        gone = now
        member.weight.copy_(torch.randn(20, 5))  # what was small may be large now
        pruner.apply()


def test_ties_go_by_position():
    member = SimpleNamespace(weight=torch.ones(2, 4))
    Pruner([[member]]).prune_to(0.5)
    assert member.weight.tolist() == [[0, 0, 0, 0], [1, 1, 1, 1]]


def test_of_many_ties_across_several_rounds_the_earliest_go_first():
    torch.manual_seed(7)
    magnitudes = torch.randint(4, (40,)).float()
    member = SimpleNamespace(weight=magnitudes.clone(), key="m")
    pruner, gone = Pruner([[member]]), torch.zeros(40, dtype=torch.bool)
    for wanted in (5, 6, 17, 18, 33, 39):
        pruner.prune_to(wanted / 40)
        rest = [place for place in magnitudes.sort(stable=True).indices.tolist() if not gone[place]]
        gone[rest[: wanted - int(gone.sum())]] = True
        assert torch.equal(pruner.state_dict()["m"], gone)


def test_an_empty_pruner_does_nothing():
    pruner = Pruner(())
    pruner.prune_to(0.9)
    pruner.apply()
    assert pruner.state_dict() == {}


# Beside training


def training(adapter, optimizer, updates, seed):
    """Updates on random regression data; yields after each."""
    generator = torch.Generator().manual_seed(seed)
    route = adapter.route
    for _ in range(updates):
        x, y = torch.randn(4, 3, 6, generator=generator), torch.randn(4, 3, 5, generator=generator)
        with route.of(torch.zeros(4, dtype=torch.long), torch.zeros(4, dtype=torch.long)):
            loss = (adapter(x) - y).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield


def adapter_of_one_language():
    torch.manual_seed(9)
    return RoutedLoRA(6, 5, Slots((4,), (0,)), Index.SOURCE, Route(), ADAPTERS.initialisation)


def views(adapter):
    return [AdapterMatrix(SITE, "en", name, adapter, 0) for name in ("A", "B")]


def test_survivors_train_exactly_as_with_torchs_masks_in_the_forward_pass():
    ours, theirs = adapter_of_one_language(), adapter_of_one_language()
    pruner = Pruner([view] for view in views(ours))
    schedule, done = GradualPruning(0.8, 1, 3, 5), Counter()
    optimizer = torch.optim.Adam(ours.parameters(), lr=0.05)
    reference = torch.optim.Adam(theirs.parameters(), lr=0.05)
    for epoch in range(1, 6):
        pruner.prune_to(schedule.ratio_at(epoch))
        for name, size in (("lora_A", 24), ("lora_B", 20)):
            wanted = round(schedule.ratio_at(epoch) * size)
            prune_more(theirs, name, wanted - done[name])
            done[name] = wanted
        for _ in training(ours, optimizer, 6, seed=epoch):
            pruner.apply()
        for _ in training(theirs, reference, 6, seed=epoch):
            pass
        for name in done:
            prune_more(theirs, name, 0)
            torch.testing.assert_close(getattr(ours, name), getattr(theirs, name), rtol=1e-6, atol=1e-7)
    assert int((ours.lora_B == 0).sum()) == 16


def test_adams_momentum_does_not_bring_back_what_was_pruned():
    adapter = adapter_of_one_language()
    pruner = Pruner([view] for view in views(adapter))
    optimizer = torch.optim.Adam(adapter.parameters(), lr=0.05)
    list(training(adapter, optimizer, 10, seed=1))
    pruner.prune_to(0.9)
    pruned = adapter.lora_B == 0
    for _ in training(adapter, optimizer, 10, seed=2):
        pruner.apply()
        assert torch.equal(adapter.lora_B == 0, pruned)
    assert int(pruned.sum()) == 18


# Which matrices


def test_gradual_pruning_takes_the_ratio_from_every_matrix_of_the_named_languages(adapters):
    pruner = gradual_pruner(adapters, ["en", "de"])
    pruner.prune_to(0.9)
    for member, name in pruner.counts(adapters.matrices()):
        assert member.pruned == (0 if member.language == "wo" else round(0.9 * member.size)), name
    for member in adapters.matrices():
        zeros = int((member.weight == 0).sum())
        assert zeros == (0 if member.language == "wo" else round(0.9 * member.weight.numel()))


def test_gradual_pruning_of_b_leaves_a_alone(adapters):
    pruner = gradual_pruner(adapters, ["en"], ("B",))
    pruner.prune_to(0.5)
    kinds = {(member.language, name) for member, name in pruner.counts(adapters.matrices()) if member.pruned}
    assert kinds == {("en", "B")}


@pytest.mark.parametrize(
    ("pool", "of"),
    [
        (Pool.LAYER, lambda m: str(m.site.layer)),
        (Pool.LAYER_KIND, lambda m: str(m.site)),
        (Pool.LANGUAGE, lambda m: m.language),
    ],
)
def test_an_estimate_ranks_all_b_of_a_pool_against_each_other(adapters, pool, of):
    before = {member.key: member.weight.clone() for member in adapters.matrices()}
    pools = {}
    for member in adapters.matrices():
        if member.name == "B":
            pools.setdefault(of(member), []).append(member)
    pruner = estimation_pruner(b_of(adapters), pool)
    pruner.prune_to(0.7)
    for members in pools.values():
        modules = [as_module(before[member.key]) for member in members]
        prune.global_unstructured([(m, "weight") for m in modules], prune.L1Unstructured, amount=0.7)
        for member, module in zip(members, modules, strict=True):
            assert torch.equal(member.weight, module.weight)
    for member in adapters.matrices():
        if member.name == "A":
            assert torch.equal(member.weight, before[member.key])


@pytest.mark.parametrize("pool", list(Pool))
def test_the_scores_of_a_pool_sum_to_zero_but_for_rounding(adapters, pool):
    pruner = estimation_pruner(b_of(adapters), pool)
    pruner.prune_to(0.7)
    totals = Counter()
    for member, name in pruner.counts(adapters.matrices()):
        if name == "B":
            totals[pool.key(member.site, member.language)] += importance_score(member, 0.7)
    assert len(totals) == {Pool.LAYER: 3, Pool.LAYER_KIND: 18, Pool.LANGUAGE: 3}[pool]
    assert all(abs(total) <= 0.5 + 1e-9 for total in totals.values())


def test_a_language_with_larger_weights_keeps_more_of_a_layer_than_one_with_smaller(adapters):
    for member in adapters.matrices():
        member.weight.mul_({"en": 0.1, "de": 1.0, "wo": 3.0}[member.language])
    pruner = estimation_pruner(b_of(adapters), Pool.LAYER)
    pruner.prune_to(0.5)
    pruned, size = Counter(), Counter()
    for member, name in pruner.counts(adapters.matrices()):
        if name == "B":
            pruned[member.language] += member.pruned
            size[member.language] += member.size
    fractions = [pruned[code] / size[code] for code in LANGUAGES]
    assert fractions == sorted(fractions, reverse=True)
    assert fractions[0] > 0.9


# State


def test_parameters_may_get_other_memory_after_the_pruner_was_made(adapters):
    """As wrapping a model for distribution does."""
    pruner = gradual_pruner(adapters, ["en"])
    for parameter in adapters.parameters():
        parameter.data = parameter.data.clone()
    pruner.prune_to(0.5)
    for member in adapters.matrices():
        zeros = int((member.weight == 0).sum())
        assert zeros == (member.weight.numel() // 2 if member.language == "en" else 0)


def test_masks_are_restored_with_their_zeros(model, adapters):
    pruner = gradual_pruner(adapters, ["en"])
    pruner.prune_to(0.5)
    state = copy.deepcopy(pruner.state_dict())
    counts = pruned_counts(pruner, adapters)
    for member in adapters.matrices():
        member.weight.fill_(1.0)
    restored = gradual_pruner(adapters, ["en"])
    restored.load_state_dict(state)
    assert pruned_counts(restored, adapters) == counts
    assert all(
        torch.equal(member.weight == 0, state[member.key])
        for member in adapters.matrices()
        if member.language == "en"
    )
