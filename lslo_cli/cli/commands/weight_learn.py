"""``lslo weight-learn``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from typer import Option

from lslo_cli.cli import console
from lslo_cli.cli.flags import Key, takes
from lslo_cli.cli.options import FitOptions
from lslo_cli.cli.run import run_stage
from lslo_cli.events import OnEvent

if TYPE_CHECKING:
    from lslo_cli.tasks import Experiment, Written


@dataclass(frozen=True, kw_only=True)
class WeightLearnOptions(FitOptions):
    rank: Annotated[
        int | None, Option("--rank", help="Rank of every adapter while learning."), Key("weight_learn.rank")
    ] = None
    epochs: Annotated[int | None, Option("--epochs", help="Epochs to train."), Key("weight_learn.epochs")] = (
        None
    )


@takes(WeightLearnOptions)
def weight_learn(options: WeightLearnOptions) -> None:
    """Learn for each layer whether the source or the target language selects the adapter.

    Paper: section 4.1, figure 1.
    Reads: the base model and the training text.
    Writes: index-strategy.json.

    Example: lslo weight-learn --langs lang12
    """

    def work(experiment: Experiment, on_event: OnEvent) -> Sequence[Written]:
        from lslo_cli import tasks

        return [tasks.weight_learn(experiment, resume=options.resume, on_event=on_event)]

    run_stage(
        options,
        "weight-learn",
        work,
        show_strategy,
        then="estimate-subspace",
    )


def show_strategy(experiment: Experiment, written: Sequence[Written]) -> None:
    """The learned weights of every layer and the side they choose (figure 1)."""
    result = written[0].artifact.result
    rows = [
        (row.layer, f"{row.source_weight:.3f}", f"{row.target_weight:.3f}", row.index)
        for row in result.layers
    ]
    console.show_table("Index strategy", ("layer", "source", "target", "index"), rows)
