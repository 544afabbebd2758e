"""Quality while training: spBLEU of some groups on a fixed sample after every epoch (figure 3)."""

from __future__ import annotations

from typing import Any

from lslo_cli.artifacts.results import Curve, CurvePoint
from lslo_cli.errors import UsageError
from lslo_cli.events import ignore
from lslo_cli.fit import Callback
from lslo_cli.method.languages import Direction, group
from lslo_cli.method.statistics import group_means
from lslo_cli.nn.route import Route
from lslo_cli.stages.setup import Setup
from lslo_cli.stages.translation import open_metric, score_directions, sources_and_references, translate_all


class QualityCurve(Callback):
    """Translates a sample of the test split before training and after each epoch, and scores it by group."""

    def __init__(self, setup: Setup, route: Route | None):
        """The sample is the first ``train.curve_rows`` rows, in the directions of ``train.curve_groups``.

        ``route`` is that of the adapters in training. Raises UsageError where the groups have no direction.
        """
        corpus = setup.corpus(setup.recipe.data.test, setup.recipe.train.curve_rows)
        self._sources, self._references = sources_and_references(corpus, _directions(setup))
        self._setup = setup
        self._route = route
        self._metric = open_metric(setup)
        self._signature = ""
        self._points: list[CurvePoint] = []

    def before_epoch(self, epoch: int) -> None:
        if epoch == 1:
            self._measure(0)

    def after_epoch(self, epoch: int) -> None:
        self._measure(epoch)

    def result(self) -> Curve:
        return Curve(rows=self._setup.recipe.train.curve_rows, signature=self._signature, points=self._points)

    def state_dict(self) -> dict[str, Any]:
        return {"points": [point.model_dump() for point in self._points], "signature": self._signature}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._points[:] = [CurvePoint.model_validate(point) for point in state["points"]]
        self._signature = state["signature"]

    def _measure(self, epoch: int) -> None:
        hypotheses = translate_all(self._setup, self._sources, self._route, "quality curve", ignore)
        scores = score_directions(self._metric, hypotheses, self._references)
        self._signature = next(iter(scores.values())).signature
        spbleu = {direction: score.spbleu for direction, score in scores.items()}
        self._points.append(CurvePoint(epoch=epoch, spbleu=group_means(spbleu, self._setup.languages)))


def _directions(setup: Setup) -> list[Direction]:
    groups = setup.recipe.train.curve_groups
    chosen = [direction for direction in setup.directions if group(direction, setup.languages) in groups]
    if not chosen:
        raise UsageError(
            f"no direction lies in the groups {', '.join(groups)}",
            """name others, such as --set 'train.curve_groups=["H2H"]'""",
        )
    return chosen
