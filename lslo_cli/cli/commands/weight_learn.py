"""``lslo weight-learn``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from typer import Option

from lslo_cli.cli import console
from lslo_cli.cli.flags import Key, takes
from lslo_cli.cli.run import print_artifacts, say_next, show_plan
from lslo_cli.cli.stage_options import FitOptions

if TYPE_CHECKING:
    from lslo_cli.artifacts.results import IndexStrategyResult


@dataclass(frozen=True, kw_only=True)
class WeightLearnOptions(FitOptions):
    rank: Annotated[int | None, Option("--rank"), Key("weight_learn.rank")] = None
    epochs: Annotated[int | None, Option("--epochs"), Key("weight_learn.epochs")] = None


@takes(WeightLearnOptions)
def weight_learn(options: WeightLearnOptions) -> None:
    """Learn for each layer whether the source or the target language selects the adapter.

    Paper: section 4.1, figure 1.
    Reads: the base model and the training text.
    Writes: index-strategy.json.

    Example: lslo weight-learn --langs lang12
    """
    experiment = options.experiment()
    from lslo_cli.cli.progress import listening
    from lslo_cli.tasks import commands as tasks

    if options.dry_run:
        return show_plan(options, tasks.plan(experiment, "weight-learn"))
    with listening(options.quiet) as on_event:
        written = tasks.weight_learn(experiment, resume=options.resume, on_event=on_event)
    if not print_artifacts(options, [written]):
        show_strategy(written.artifact.result)
    say_next(options, [written], "estimate-subspace")


def show_strategy(result: IndexStrategyResult) -> None:
    """Print the learned weights of every layer and the side they choose (figure 1)."""
    rows = [
        (row.layer, f"{row.source_weight:.3f}", f"{row.target_weight:.3f}", row.index)
        for row in result.layers
    ]
    console.show_table("Index strategy", ("layer", "source", "target", "index"), rows)
