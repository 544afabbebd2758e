"""Settings that may come from an earlier command: index strategy and ranks, and the names of runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Generic, TypeVar

from lslo_cli.artifacts import store
from lslo_cli.artifacts.adapter_config import is_elsewhere
from lslo_cli.artifacts.folder import BASE_RUN, RunFolder
from lslo_cli.artifacts.results import IndexStrategyResult, SubspaceResult, TrainingResult
from lslo_cli.artifacts.schema import ModelIdentity
from lslo_cli.errors import InputError, UsageError, nearest
from lslo_cli.events import Noted, OnEvent, Warned, ignore
from lslo_cli.method.allocation import Allocation, allocate, rank_budget
from lslo_cli.method.importance import Pool
from lslo_cli.method.languages import Resource, resource_classes
from lslo_cli.method.ranks import RankMap
from lslo_cli.method.schedule import PAPER_PRUNED
from lslo_cli.method.strategy import Index, IndexStrategy, paper, uniform
from lslo_cli.models.work import work_of
from lslo_cli.recipe import NAME_LENGTH, Method, PruneTargets, Recipe, recorded
from lslo_cli.recipe.sections import PAPER_GPS
from lslo_cli.tasks.experiment import Experiment, Upstream
from lslo_cli.tasks.freshness import other_settings
from lslo_cli.tasks.setup import Setup
from lslo_cli.wording import several

LEARNED, PAPER, AUTO = "learned", "paper", "auto"

T_co = TypeVar("T_co", covariant=True)

DIRECTIONS_LENGTH = 40
"""Most characters of directions in a run's name."""


@dataclass(frozen=True)
class Chosen(Generic[T_co]):
    """A setting that may come from an artifact: its value, its source, and the artifact."""

    value: T_co
    source: str = ""
    upstream: tuple[Upstream, ...] = ()


class Choices:
    """What a training run takes from its recipe, and from the artifacts that this names.

    Each is chosen once; a choice is None where the method has no use for it. ``on_event`` hears of sources.
    """

    def __init__(self, experiment: Experiment, model: ModelIdentity, on_event: OnEvent = ignore):
        self._experiment, self._model, self._on_event = experiment, model, on_event
        self._method = experiment.recipe.train.method

    def check(self) -> None:
        """Raise what any of the choices raises."""
        _ = self.index, self.ranks, self.pruned

    @property
    def upstream(self) -> list[Upstream]:
        """The artifacts that they come from, each once."""
        return list(dict.fromkeys((*self.index.upstream, *self.ranks.upstream, *self.pruned.upstream)))

    @cached_property
    def index(self) -> Chosen[IndexStrategy | None]:
        """The index strategy of adapters by language, by :func:`choose_index`."""
        if self._method is not Method.LSLO:
            return Chosen(None)
        return choose_index(
            self._experiment, self._experiment.recipe.train.index, self._model, self._on_event
        )

    @cached_property
    def ranks(self) -> Chosen[RankMap | None]:
        """The ranks that a recipe gives, or the estimated rank map.

        Raises UsageError for ranks that do not fit the languages, and InputError for a map that is missing,
        damaged, stale, or made with another base.
        """
        recipe, path = self._experiment.recipe, rank_map_path(self._experiment)
        if self._method is Method.FULL:
            return Chosen(None)
        if given := recipe.given_ranks():
            if recipe.train.ranks is None and self._method is Method.LSLO:
                self._on_event(Noted(_default_ranks_note(recipe, path)))
            return Chosen(given, "given")
        allocation, upstream = self.allocation.value, self.allocation.upstream
        self._on_event(Noted(f"rank map: {path} ({upstream[0].digest[:12]}), rule '{allocation.rule}'"))
        if allocation.is_flat:
            flat = "no language has twice the share of another, so equal ranks would do"
            self._on_event(Noted(f"this rank map is flat: {flat}"))
        if without := [code for code, rank in allocation.ranks.items() if not rank]:
            unchanged = "the base model is unchanged between these"
            self._on_event(Noted(f"no adapter for {', '.join(without)}: {unchanged}"))
        return Chosen(allocation.rank_map, "estimated", upstream)

    @cached_property
    def pruned(self) -> Chosen[tuple[str, ...] | None]:
        """The languages to prune if the estimate decides; None if the classes do, or if none is pruned."""
        section = self._experiment.recipe.train
        if section.gps_classes != AUTO or not section.ratio:
            return Chosen(None)
        return Chosen(self.allocation.value.pruned, "estimated", self.allocation.upstream)

    @cached_property
    def allocation(self) -> Chosen[Allocation]:
        """The budget of a recipe, allocated to languages by its rule from the estimate, which may have more.

        The default budget is the estimate's mean rank for every language. Raises InputError for an estimate
        that is missing, damaged, stale or made with another base, and UsageError if budget or rule do not fit
        it.
        """
        recipe, model, path = self._experiment.recipe, self._model, rank_map_path(self._experiment)
        section, languages = recipe.train, recipe.selected_languages()
        artifact = store.read(path, SubspaceResult)
        store.check_fresh(path, artifact)
        codes = [language.code for language in languages]
        store.check_belongs(path, artifact, model, codes, SubspaceResult.command)
        budget = round(artifact.result.mean_rank * len(codes))
        if section.budget is not None:
            adapters = replace(work_of(recipe, "train", RankMap({codes[0]: 1})), new_languages=())
            per_rank = adapters.trainable(model.shape)
            budget = rank_budget(section.budget, languages, per_rank, model.parameters)
        allocation = allocate(artifact.result.estimate().of(codes), budget, section.rule)
        return Chosen(allocation, "estimated", (Upstream("subspace", path, artifact.digest),))


def choose_index(
    experiment: Experiment, wanted: str | None, model: ModelIdentity, on_event: OnEvent = ignore
) -> Chosen[IndexStrategy]:
    """The index strategy that a recipe asks for: learned, paper, source, target, or a file.

    None takes the learned one if the experiment has it, else the paper's. Raises UsageError for any other
    word, and InputError for a learned strategy that is missing, damaged, or made with another base.
    """
    depth = (model.encoder_layers, model.decoder_layers)
    learned = experiment.folder.index_strategy
    if wanted is None:
        wanted = LEARNED if learned.exists() else PAPER
        if wanted == PAPER:
            on_event(Noted(f"no index strategy at {learned}: using the paper's, scaled to this depth"))
    if wanted == PAPER:
        return Chosen(paper(*depth), PAPER)
    if wanted in tuple(Index):
        return Chosen(uniform(Index(wanted), *depth), wanted)
    path = learned if wanted == LEARNED else Path(wanted)
    words = (LEARNED, PAPER, *Index)
    if wanted not in words and len(path.parts) == 1 and not path.suffix and not path.exists():
        raise UsageError(
            f"unknown index '{wanted}'.{nearest(wanted, words)}", f"choose {', '.join(words)} or a file"
        )
    artifact = store.read(path, IndexStrategyResult)
    codes = [language.code for language in experiment.recipe.selected_languages()]
    store.check_belongs(path, artifact, model, codes, IndexStrategyResult.command)
    on_event(Noted(f"index strategy: {path} ({artifact.digest[:12]})"))
    upstream = Upstream("index-strategy", path, artifact.digest)
    return Chosen(artifact.result.strategy(), LEARNED, (upstream,))


def languages_to_prune(recipe: Recipe, ranks: RankMap | None, named: Sequence[str] | None) -> list[str]:
    """Codes of languages with adapters that are ``named``, or else in ``gps_classes``; none at ratio 0."""
    if ranks is None or not recipe.train.ratio:
        return []
    named = recipe.of_pruned_classes() if named is None else named
    return [each.code for each in recipe.selected_languages() if each.code in named and ranks.of(each.code)]


def uses_estimate(experiment: Experiment) -> bool:
    """Whether a run takes anything from an estimate: its ranks, or which languages to prune."""
    section = experiment.recipe.train
    if section.method is not Method.LSLO:
        return False
    return experiment.recipe.wanted_ranks() == AUTO or (section.ratio > 0 and section.gps_classes == AUTO)


def subspace_path(experiment: Experiment) -> Path:
    """The path of the estimate; one with a pool per language answers another question: it has its own."""
    by_language = experiment.recipe.estimate_subspace.pool is Pool.LANGUAGE
    return experiment.folder.language_subspace if by_language else experiment.folder.subspace


def rank_map_path(experiment: Experiment) -> Path:
    """The path of the estimate that ranks come from: another experiment's, or its own."""
    given = experiment.recipe.train.subspace
    return Path(given) if given else experiment.folder.subspace


def run_folder(experiment: Experiment, run: str | None) -> RunFolder:
    """The folder of a training run, by name or by :func:`run_name`.

    Raises UsageError for an invalid name, and InputError if it would replace a run of other settings, as far
    as a run is named by them.
    """
    name = run or run_name(experiment)
    if name != Path(name).name or name == BASE_RUN or is_elsewhere(name):
        raise UsageError(
            f"a run cannot be named '{name}', which other commands take for another model",
            f"choose a name other than '{BASE_RUN}' and than a folder's, without slashes, dots or ~ at its "
            "start",
        )
    folder = experiment.folder.run(name)
    try:
        before = recorded(store.read(folder.training, TrainingResult).recipe)
    except InputError:
        return folder
    was, now = (
        run_name(replace(experiment, recipe=recipe))
        for recipe in (before or experiment.recipe, experiment.recipe)
    )
    if was != now:
        raise InputError(
            f"{folder.path} holds a run that was trained as {was}, which this one, {now}, would replace",
            f"give this one another name with --run, or remove {folder.path} first",
        )
    return folder


def note_replaced(folder: RunFolder, setup: Setup) -> None:
    """Note that training takes the place of a run that is there, and what other settings or text this had."""
    try:
        before = store.read(folder.training, TrainingResult)
    except InputError:
        if folder.training.exists():
            setup.on_event(Warned(f"this replaces run {folder.name}, which cannot be read"))
        return
    other = several(other_settings(before, setup.recipe, setup.model_identity))
    if not other:
        is_other = any(setup.digest_now(text) != text.digest for text in before.data)
        other = "other text" if is_other else "the same settings"
    setup.on_event(Warned(f"this replaces run {folder.name}, trained with {other}"))


def run_name(experiment: Experiment) -> str:
    """The name of a run, from its settings: ``2-2-8-gps0.9``, ``full``, ``fc-2-2-16-source``.

    A run that prunes no language is not named by its ratio, unless that takes an estimate to know; one that
    prunes other classes than the paper's, or B alone, is named by that as well: ``2-2-8-gps0.9-very-low-B``.
    A name too long for a folder, as with the ranks of a hundred languages, is cut and ends with a digest.
    """
    section = experiment.recipe.train
    if section.method is Method.FULL:
        return "-".join(filter(None, (section.method, _directions_name(experiment.recipe.data.directions))))
    ranks = experiment.recipe.wanted_ranks().replace("=", "")
    if ranks == AUTO:
        ranks = "-".join(str(part) for part in (AUTO, section.rule, section.budget) if part)
    ranks = re.sub(r"[^\w.]+", "-", ranks)
    parts = [
        "" if section.sites == "all" else str(section.sites),
        f"lora-r{ranks}" if section.method is Method.LORA else ranks,
        Path(section.index).stem if section.index and section.method is Method.LSLO else "",
        *(_pruning_name(experiment.recipe) if experiment.recipe.may_prune() else ()),
        _directions_name(experiment.recipe.data.directions),
    ]
    name = "-".join(part for part in parts if part)
    if len(name) > NAME_LENGTH:
        return f"{name[: NAME_LENGTH // 2]}-{sha256(name.encode()).hexdigest()[:8]}"
    return name


def _pruning_name(recipe: Recipe) -> Iterator[str]:
    """The ratio, and what is pruned where that is not what the paper prunes."""
    section = recipe.train
    yield f"gps{section.ratio:g}"
    if section.gps_classes == AUTO:
        yield AUTO
    else:  # of the classes that there are: others make no other run
        classes = resource_classes(recipe.selected_languages())
        chosen = [each for each in classes if each in section.gps_classes]
        if chosen != [each for each in classes if each in PAPER_PRUNED]:
            yield from chosen
    if section.prune_targets is not PruneTargets.BOTH:
        yield section.prune_targets


def _directions_name(patterns: Sequence[str]) -> str:
    """``on-en-any,any-en``, or a count and a digest if that is too long."""
    name = ",".join(patterns).replace("*", "any")
    if len(name) > DIRECTIONS_LENGTH:
        name = f"{len(patterns)}-directions-{sha256(name.encode()).hexdigest()[:8]}"
    return f"on-{name}" if name else ""


def _default_ranks_note(recipe: Recipe, subspace: Path) -> str:
    """A note on the default ranks, and on how to train the estimated ones instead."""
    ranks = recipe.wanted_ranks()
    if recipe.new_languages:
        return f"adapters for {', '.join(recipe.new_languages)} alone: using {ranks}"
    if unlabelled := [
        each.code for each in recipe.selected_languages() if each.resource is Resource.UNLABELLED
    ]:
        return (
            f"ranks {ranks}: without a resource class for {', '.join(unlabelled)}, the paper's mean rank; "
            "--ranks auto --gps auto needs none"
        )
    auto = "--ranks auto --gps auto takes the estimated rank map"
    path = f", {subspace}" if subspace.exists() else ""
    gps = f"--gps {recipe.train.ratio:g}" if recipe.may_prune() else ""
    if gps and recipe.train.ratio != PAPER_GPS:
        return f"ranks {ranks}, the paper's choice, with {gps}; {auto}{path}"
    return f"ranks {ranks}{gps and f' with {gps}'}, the paper's choice; {auto}{path}"
