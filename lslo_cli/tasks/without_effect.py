"""Settings that have no effect on a training run: typed for it, they are refused.

Those of a recipe are left alone: a study has one for all its runs, of which some have no use for a key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lslo_cli.artifacts.results import OF_ADAPTERS, OF_MAP, OF_PRUNING, RATE, RATE_OF_FULL
from lslo_cli.errors import UsageError
from lslo_cli.recipe import Method
from lslo_cli.tasks.choices import AUTO, uses_estimate
from lslo_cli.tasks.experiment import Experiment


@dataclass(frozen=True)
class WithoutEffect:
    """Keys that have no effect on a run, what makes it so, and what would give them one."""

    keys: tuple[str, ...]
    why: str
    otherwise: str


def check_effects(experiment: Experiment) -> None:
    """Raise UsageError for a setting that was typed for this run and has no effect on it."""
    for idle in without_effect(experiment):
        if key := next((key for key in idle.keys if key in experiment.typed), None):
            raise UsageError(
                f"{experiment.typed[key]} has no effect with {idle.why}", f"leave it out, or {idle.otherwise}"
            )


def without_effect(experiment: Experiment) -> Iterator[WithoutEffect]:
    """The settings that have no effect on a run."""
    yield from _by_method(experiment)
    yield from _by_settings(experiment)


def _by_method(experiment: Experiment) -> Iterator[WithoutEffect]:
    """What the method has no use for."""
    method = experiment.recipe.train.method
    idle, rate, other = RATE_OF_FULL, RATE, Method.FULL
    if method is Method.FULL:
        idle, rate, other = rate, idle, Method.LSLO
    if not experiment.typed.get(idle, "").startswith("--lr"):  # which sets the method's own
        why = f"--method {method}, whose learning rate is {rate} or --lr"
        yield WithoutEffect((idle,), why, f"use --method {other}")
    if method is Method.FULL:
        yield WithoutEffect(OF_ADAPTERS, "--method full, which has no adapters", "use --method lslo or lora")
    if method is not Method.LSLO:
        why = f"--method {method}, which has no adapters by language"
        yield WithoutEffect(("train.index",), why, "use --method lslo")
        yield WithoutEffect(OF_MAP, why, "use --method lslo --ranks auto")
        yield WithoutEffect(OF_PRUNING, why, "use --method lslo --gps 0.9")


def _by_settings(experiment: Experiment) -> Iterator[WithoutEffect]:
    """What a run without an estimate, without pruning or without a curve has no use for."""
    section, typed = experiment.recipe.train, experiment.typed
    if section.method is Method.LSLO and not uses_estimate(experiment):
        ranks = f"--ranks {experiment.recipe.wanted_ranks()}, which takes no estimate"
        yield WithoutEffect(OF_MAP, ranks, "take one: --ranks auto")
    if not section.ratio:
        yield WithoutEffect(OF_PRUNING, "--gps 0", "prune: --gps 0.9")
    if typed.get("train.gps", "").endswith(AUTO) and not typed.get("train.gps_classes", AUTO).endswith(AUTO):
        chosen = "--gps auto, which prunes whom the estimate chooses"
        yield WithoutEffect(("train.gps_classes",), chosen, "give a fraction: --gps 0.9")
    if not section.curve_rows:
        yield WithoutEffect(("train.curve_groups",), "--curve-rows 0", "follow them: --curve-rows 50")
