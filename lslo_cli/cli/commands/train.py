"""``lslo train``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from lslo_cli.cli import console
from lslo_cli.cli.flags import Key, commas_or_auto, fraction_or_word, number_or_word, split_commas, takes
from lslo_cli.cli.options import Ranks, SettingsOptions, Sites
from lslo_cli.cli.run import print_artifacts, say_next, show_plan
from lslo_cli.cli.stage_options import FitOptions
from lslo_cli.errors import InputError

if TYPE_CHECKING:
    from lslo_cli.artifacts.results import TrainingResult
    from lslo_cli.artifacts.schema import Artifact

PRUNING = "Gradual pruning"


@dataclass(frozen=True, kw_only=True)
class TrainOptions(FitOptions):
    method: Annotated[str | None, Option("--method"), Key("train.method")] = None
    ranks: Ranks = None
    budget: Annotated[str | None, Option("--budget", metavar="PARAMETERS"), Key("train.budget")] = None
    index: Annotated[str | None, Option("--index", metavar="INDEX"), Key("train.index")] = None
    subspace: Annotated[str | None, Option("--subspace", metavar="FILE"), Key("train.subspace")] = None
    sites: Sites = None
    run: Annotated[
        str | None, Option("--run", metavar="NAME", help="Name of the run; default: made from its settings.")
    ] = None
    settings_of: Annotated[
        str | None,
        Option("--settings-of", metavar="RUN", help="A run whose settings are taken; default: none."),
    ] = None
    epochs: Annotated[int | None, Option("--epochs"), Key("fit.epochs")] = None
    keep: Annotated[str | None, Option("--keep"), Key("train.keep")] = None
    curve_rows: Annotated[str | None, Option("--curve-rows"), Key("train.curve_rows", number_or_word)] = None
    curve_groups: Annotated[
        str | None, Option("--curve-groups", metavar="LIST"), Key("train.curve_groups", split_commas)
    ] = None
    gps: Annotated[
        str | None, Option("--gps", rich_help_panel=PRUNING), Key("train.gps", fraction_or_word)
    ] = None
    gps_start: Annotated[
        int | None, Option("--gps-start", rich_help_panel=PRUNING), Key("train.gps_start")
    ] = None
    gps_duration: Annotated[
        int | None, Option("--gps-duration", rich_help_panel=PRUNING), Key("train.gps_duration")
    ] = None
    gps_classes: Annotated[
        str | None, Option("--gps-classes", rich_help_panel=PRUNING), Key("train.gps_classes", commas_or_auto)
    ] = None
    prune_targets: Annotated[
        str | None, Option("--prune-targets", rich_help_panel=PRUNING), Key("train.prune_targets")
    ] = None

    def given(self) -> dict[str, Any]:
        """The given values; ``--lr`` sets full fine-tuning's own rate."""
        given = super().given()
        if self.lr is not None:
            from lslo_cli.recipe import Method

            without = replace(self, lr=None)
            if SettingsOptions.resolve(without, without.memory()).train.method is Method.FULL:
                return {**without.given(), "fit.lr_full": self.lr}
        return given

    def of_run(self) -> Mapping[str, Any]:
        """The settings of ``--settings-of``. Raises InputError if there is no such run."""
        if self.settings_of is None:
            return {}
        from lslo_cli.artifacts import store
        from lslo_cli.artifacts.results import TrainingResult
        from lslo_cli.tasks.experiment import check_trained
        from lslo_cli.tasks.freshness import settings_of

        experiment = replace(self, settings_of=None)._place()
        run = experiment.run(self.settings_of)
        check_trained(experiment, run)
        settings = settings_of(store.read(run.training, TrainingResult))
        if not settings:
            raise InputError(
                f"{run.training} has keys or values that recipes no longer have",
                "give its settings by other flags",
            )
        return settings


@takes(TrainOptions)
def train(options: TrainOptions) -> None:
    """Fine-tune language-specific adapters, each with its rank, with gradual pruning.

    Paper: sections 3 and 6.3, eq. 3 and 4; --method full is its baseline.
    Reads: the base model, the training text, index-strategy.json and subspace.json.
    Writes: runs/RUN/training.json and runs/RUN/adapter/.

    Example: lslo train --ranks 2,2,8 --gps 0.9
    """
    experiment = options.experiment()
    from lslo_cli.cli.progress import listening
    from lslo_cli.tasks import commands as tasks
    from lslo_cli.tasks.choices import rank_map_path

    if options.dry_run:
        return show_plan(options, tasks.plan(experiment, "train", run=options.run))
    with listening(options.quiet) as on_event:
        written = tasks.train(experiment, run=options.run, resume=options.resume, on_event=on_event)
    if not print_artifacts(options, [written]):
        show_run(written.artifact)
    if written.artifact.result.method == "lslo" and _has_fresh_estimate(rank_map_path(experiment)):
        estimate = experiment.recipe.train.subspace
        chosen = ("--subspace", estimate) if estimate else ()
        say_next(options, [written], "prune-report", *chosen)
    else:
        say_next(options, [written], "evaluate")


def _has_fresh_estimate(path: Path) -> bool:
    """Whether an estimate is there to be reported: one that can be read and is not stale."""
    from lslo_cli.artifacts import store
    from lslo_cli.artifacts.results import SubspaceResult

    try:
        return bool(store.read_fresh(path, SubspaceResult))
    except InputError:
        return False


def show_run(artifact: Artifact[TrainingResult]) -> None:
    """Print what was trained, how many parameters, and the loss."""
    result = artifact.result
    pairs: list[tuple[str, object]] = [("run", result.run), ("method", result.method)]
    if result.method == "lslo":
        by_source = [layer for layer, index in result.index.items() if index == "source"]
        pairs.append(("index", f"{result.index_source}; by source: {', '.join(by_source) or 'no layer'}"))
    if result.ranks:
        pairs.append(("ranks", " ".join(f"{code}={rank}" for code, rank in result.ranks.items())))
        pairs.append(("sites", result.sites))
    if result.target_ratio and result.pruned_languages:
        who = ", ".join(result.pruned_languages)
        pairs.append(("pruned", f"{result.target_ratio:.0%} of {result.prune_targets} for {who}"))
    share = result.trainable_parameters / artifact.model.parameters
    pairs.append(("trainable parameters", f"{result.trainable_parameters:,} ({share:.1%} of the base model)"))
    if result.nonzero_parameters != result.trainable_parameters:
        pairs.append(("of these not pruned", result.nonzero_parameters))
    if result.trainable_parameters_paper_style is not None:
        pairs.append(("counted as the paper does", result.trainable_parameters_paper_style))
    if result.history:
        pairs.append(
            ("loss", f"{result.history[0].loss:.3f} at first, {result.history[-1].loss:.3f} at the end")
        )
    console.show_facts(pairs)
