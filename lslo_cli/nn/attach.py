"""Attach adapters to a model's matrices and freeze the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from lslo_cli.architectures import architecture_of
from lslo_cli.architectures.layout import Layout
from lslo_cli.method.adapters import AdapterSettings
from lslo_cli.method.ranks import SHARED, RankMap
from lslo_cli.method.sites import Layer, Site, SiteSet, Stack, sites
from lslo_cli.method.strategy import Index, IndexStrategy
from lslo_cli.nn.compact import frozen_matrix
from lslo_cli.nn.files import copy_into
from lslo_cli.nn.groups import Slots
from lslo_cli.nn.lslo import Frozen, IndexMixture, LayerWeighting, LSLo, RoutedLoRA
from lslo_cli.nn.norms import note_inputs
from lslo_cli.nn.route import Route

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class AdapterMatrix:
    """One language's A or B at one site: ``name`` is A or B, ``slot`` the language's index in ``adapter``."""

    site: Site
    language: str
    name: str
    adapter: RoutedLoRA
    slot: int

    @property
    def weight(self) -> torch.Tensor:
        """A (r, d_in) or B (d_out, r), as a view that writes through.

        Looked up on each call: wrapping a model for distribution may move its parameters.
        """
        return self.adapter.matrices(self.slot)[self.name]

    @property
    def key(self) -> str:
        """Its name in a state dict, such as ``decoder.3.c-q.wo.lora_A``."""
        return f"{self.site}.{self.language}.lora_{self.name}"


@dataclass(frozen=True)
class Adapters:
    """The adapters of a model: by site, with the route that selects among them.

    ``languages`` names them in order: one per language, or only ``shared`` for ordinary LoRA.
    """

    route: Route
    languages: tuple[str, ...]
    by_site: dict[Site, RoutedLoRA]

    def parameters(self) -> list[nn.Parameter]:
        return [parameter for adapter in self.by_site.values() for parameter in adapter.parameters()]

    def matrices(self) -> Iterator[AdapterMatrix]:
        """Every A and B of every language at every site."""
        for site, adapter in self.by_site.items():
            for slot, language in enumerate(self.languages):
                yield AdapterMatrix(site, language, "A", adapter, slot)
                yield AdapterMatrix(site, language, "B", adapter, slot)

    def used_b(self, idle: Mapping[Index, Sequence[str]]) -> list[AdapterMatrix]:
        """Every B but those of languages that are ``idle`` where their side selects."""
        return [
            matrix
            for matrix in self.matrices()
            if matrix.name == "B" and matrix.language not in idle[matrix.adapter.index]
        ]

    def state_dict(self) -> dict[str, torch.Tensor]:
        """A copy of every matrix by key, one per language, so that a language can be extracted."""
        return {matrix.key: matrix.weight.clone() for matrix in self.matrices()}

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """Copy weights in. Raises KeyError for a missing matrix and RuntimeError for one of another shape."""
        for matrix in self.matrices():
            copy_into(matrix.weight, state[matrix.key], matrix.key)


@dataclass(frozen=True)
class MixedAdapters:
    """Source- and target-indexed adapters side by side, with the weights being learned."""

    route: Route
    weightings: dict[Layer, LayerWeighting]
    modules: tuple[IndexMixture, ...]

    def parameters(self) -> list[nn.Parameter]:
        adapters = [
            p for module in self.modules for lora in (module.source, module.target) for p in lora.parameters()
        ]
        return adapters + [weighting.logits for weighting in self.weightings.values()]


def attach(
    model: PreTrainedModel,
    strategy: IndexStrategy,
    ranks: RankMap,
    languages: Sequence[str],
    settings: AdapterSettings,
) -> Adapters:
    """Freeze ``model`` and put an LSLo on every site of the settings.

    The route's indices refer to ``languages`` in order. Languages without a rank in ``ranks`` have no
    adapter, so nothing is added to their rows; if it names ``shared``, all use this one LoRA. Adapters are
    initialised on the CPU in float32 from torch's global generator, so that a seed determines them.
    """
    _freeze(model)
    route, slots = Route(settings.kernel), _slots(ranks, languages)
    by_site = {}
    for site, base, (d_out, d_in) in _places(model, settings):
        adapter = RoutedLoRA(d_in, d_out, slots, strategy.of(site.layer), route, settings.initialisation)
        by_site[site] = adapter.to(frozen_matrix(base).device)
        _replace(model, site, LSLo(base, by_site[site]))
    return Adapters(route, tuple(ranks.by_language), by_site)


def _slots(ranks: RankMap, languages: Sequence[str]) -> Slots:
    """Which adapter each language uses; languages without one share a last one of rank 0."""
    names = tuple(ranks.by_language)
    if names == (SHARED,):
        return Slots((ranks.total,), (0,) * len(languages))
    by_language = tuple(names.index(code) if code in names else len(names) for code in languages)
    empty = (0,) if len(names) in by_language else ()
    return Slots((*ranks.by_language.values(), *empty), by_language)


def attach_mixture(
    model: PreTrainedModel, rank: int, languages: Sequence[str], settings: AdapterSettings
) -> MixedAdapters:
    """Freeze ``model`` and put both adapters of eq. 5 on every site, with one weighting per layer."""
    _freeze(model)
    route = Route(settings.kernel)
    slots = Slots((rank,) * len(languages), tuple(range(len(languages))))
    weightings: dict[Layer, LayerWeighting] = {}
    modules = []
    for site, base, (d_out, d_in) in _places(model, settings):
        device = frozen_matrix(base).device
        weighting = weightings.setdefault(site.layer, LayerWeighting().to(device))
        source, target = (
            RoutedLoRA(d_in, d_out, slots, index, route, settings.initialisation).to(device)
            for index in (Index.SOURCE, Index.TARGET)
        )
        modules.append(IndexMixture(base, source, target, weighting))
        _replace(model, site, modules[-1])
    return MixedAdapters(route, weightings, tuple(modules))


def _freeze(model: PreTrainedModel) -> None:
    """Freeze every weight, and let layer norms note their origin, see :mod:`lslo_cli.nn.norms`."""
    model.requires_grad_(False)
    for stack in Stack:
        note_inputs(stack_layers(model, stack))


def _places(
    model: PreTrainedModel, settings: AdapterSettings
) -> Iterator[tuple[Site, Frozen, tuple[int, int]]]:
    """Every site to adapt, with its linear map and the (d_out, d_in) of an adapter there."""
    for site in model_sites(model, settings.sites):
        base = _linear(model, site)
        matrix = (base.out_features, base.in_features)
        yield site, base, settings.span.of(site.kind, matrix, model.config.d_model)


def model_sites(model: PreTrainedModel, site_set: SiteSet) -> tuple[Site, ...]:
    """The sites of a loaded model, from its own depth."""
    return sites(*depths(model), site_set)


def depths(model: PreTrainedModel) -> tuple[int, int]:
    """The numbers of layers of encoder and decoder."""
    return len(stack_layers(model, Stack.ENCODER)), len(stack_layers(model, Stack.DECODER))


def stack_layers(model: PreTrainedModel, stack: Stack) -> nn.ModuleList:
    """The layers of a stack of a loaded translation model."""
    return layers_at(model, architecture_of(model).layout, stack)


def layers_at(model: PreTrainedModel, layout: Layout, stack: Stack) -> nn.ModuleList:
    """The layers of a stack, at the path that the layout gives."""
    return cast(nn.ModuleList, model.base_model.get_submodule(layout.layers[stack]))


def site_module(model: PreTrainedModel, site: Site) -> nn.Module:
    """The module at a site: a linear map, or the adapted module that replaced it."""
    return _layer_module(model, site.layer).get_submodule(_name(model, site))


def _linear(model: PreTrainedModel, site: Site) -> Frozen:
    """The linear map at a site to which nothing has been attached."""
    return cast(Frozen, site_module(model, site))


def _name(model: PreTrainedModel, site: Site) -> str:
    """The name of a site's module inside its layer."""
    return architecture_of(model).layout.matrices[site.layer.stack][site.kind]


def _layer_module(model: PreTrainedModel, layer: Layer) -> nn.Module:
    return stack_layers(model, layer.stack)[layer.number - 1]


def _replace(model: PreTrainedModel, site: Site, module: nn.Module) -> None:
    replace_module(_layer_module(model, site.layer), _name(model, site), module)


def replace_module(layer: nn.Module, path: str, module: nn.Module) -> None:
    """Replace a module inside a layer."""
    parent, _, name = path.rpartition(".")
    setattr(layer.get_submodule(parent), name, module)
