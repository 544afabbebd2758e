"""Quality during training: spBLEU of some directions on a fixed sample after every epoch (figure 3)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from lslo_cli.artifacts.results import Curve, CurvePoint
from lslo_cli.data.corpus import Corpus
from lslo_cli.data.splits import DEV_ROWS
from lslo_cli.errors import InputError, UsageError
from lslo_cli.events import Noted, ignore
from lslo_cli.method.languages import Direction, Resource, grouping, groups
from lslo_cli.method.metrics import SPBLEU
from lslo_cli.nn.route import Route
from lslo_cli.recipe import TrainSection
from lslo_cli.tasks.decoding import open_metrics, score_directions, sources_and_references, translate_all
from lslo_cli.tasks.setup import Setup
from lslo_cli.training.trainer import Callback
from lslo_cli.wording import several

_LETTERS = "".join(resource.letter for resource in Resource)
GROUP = re.compile(f"[{_LETTERS}]2[{_LETTERS}]")
"""The name of a group of directions, such as H2V."""


class QualityCurve(Callback):
    """Translates a sample of the dev rows before training and after each epoch, and scores it.

    Without dev rows the sample is from the test split, so nothing may be chosen by it; a note says so.
    """

    def __init__(self, setup: Setup, route: Route | None):
        """The sample is the first ``train.curve_rows`` rows, or all, in the directions of
        ``train.curve_groups``.

        ``route`` is that of the adapters in training. Raises UsageError for a name in ``curve_groups`` that
        is neither a group nor a direction of the experiment, and InputError if none of them has text.
        """
        corpus = _sample(setup)
        self._named = _with_text(setup, corpus, _directions(setup))
        chosen = dict.fromkeys(direction for named in self._named.values() for direction in named)
        self._sources, self._references = sources_and_references(corpus, tuple(chosen))
        self._rows = max(map(len, self._sources.values()))
        self._setup = setup
        self._route = route
        self._metrics = open_metrics(setup, [SPBLEU])
        self._signature = ""
        self._points: list[CurvePoint] = []

    @property
    def names(self) -> tuple[str, ...]:
        """The groups and directions that are scored."""
        return tuple(self._named)

    def before_epoch(self, epoch: int) -> None:
        if epoch == 1:
            self._measure(0)

    def after_epoch(self, epoch: int) -> None:
        self._measure(epoch)

    def metrics(self) -> dict[str, float]:
        text = "dev" if self._setup.recipe.data.dev_rows else "test"
        newest = self._points[-1].spbleu if self._points else {}
        return {f"{text}/spbleu/{name}": value for name, value in newest.items()}

    def result(self) -> Curve:
        return Curve(rows=self._rows, signature=self._signature, points=self._points)

    def state_dict(self) -> dict[str, Any]:
        return {"points": [point.model_dump() for point in self._points], "signature": self._signature}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._points[:] = [CurvePoint.model_validate(point) for point in state["points"]]
        self._signature = state["signature"]

    def _measure(self, epoch: int) -> None:
        quiet = replace(self._setup, on_event=ignore)
        hypotheses = translate_all(quiet, self._sources, self._route, "quality curve")
        scores = score_directions(self._metrics, self._sources, hypotheses, self._references)
        self._signature = next(iter(scores.values()))[SPBLEU].signature
        means = {
            name: fmean(scores[direction][SPBLEU].value for direction in directions)
            for name, directions in self._named.items()
        }
        self._points.append(CurvePoint(epoch=epoch, spbleu=means))


def _sample(setup: Setup) -> Corpus:
    """The text that is translated after every epoch."""
    data, rows = setup.recipe.data, setup.recipe.train.curve_rows
    if data.dev_rows:
        return setup.corpus(DEV_ROWS, None if rows == "all" else rows)
    setup.on_event(Noted("the quality curve reads the test split; --dev-rows 20 gives it separate text"))
    return setup.corpus(data.test, data.test_rows if rows == "all" else rows)


def _with_text(
    setup: Setup, corpus: Corpus, named: Mapping[str, Sequence[Direction]]
) -> Mapping[str, Sequence[Direction]]:
    """The same without directions that have no text, and without names that then have no direction."""
    there = {name: [each for each in directions if corpus.size(each)] for name, directions in named.items()}
    empty = [name for name, directions in there.items() if not directions]
    if not any(there.values()):
        split = DEV_ROWS if setup.recipe.data.dev_rows else setup.recipe.data.test
        raise InputError(
            f"the quality curve has nothing to translate: its sample of '{split}' has no pair for "
            f"{', '.join(empty)}",
            "take more rows with --curve-rows, or other directions with --curve-groups",
        )
    lacking = (
        str(each) for name in there if name not in empty for each in named[name] if not corpus.size(each)
    )
    if left_out := dict.fromkeys((*empty, *lacking)):
        setup.on_event(
            Noted(f"the quality curve leaves out {several(left_out)}: its sample has no text for it")
        )
    return {name: directions for name, directions in there.items() if directions}


def _directions(setup: Setup) -> Mapping[str, Sequence[Direction]]:
    """The directions behind every name in ``curve_groups``: those of a group, or one.

    A group that has no directions here is left out. Where that leaves no name, the default groups give way to
    all groups that are here, and others are refused. Raises UsageError as :class:`QualityCurve` does.
    """
    named: dict[str, list[Direction]] = {}
    group_of = grouping(setup.languages)
    for direction in setup.directions:
        for name in (group_of(direction), str(direction)):
            named.setdefault(name, []).append(direction)
    there = [name for name in groups(setup.languages) if name in named]
    asked = setup.recipe.train.curve_groups
    wanted = [name for name in asked if name in named or not GROUP.fullmatch(name)]
    if not wanted and asked == TrainSection().curve_groups:
        wanted = there
    unknown = [name for name in wanted if name not in named]
    if unknown or not wanted:
        raise UsageError(
            f"no direction or group of this experiment is called '{', '.join(unknown or asked)}'",
            f"groups here: {', '.join(there)}; or directions, as in --curve-groups {setup.directions[0]}",
        )
    if absent := [name for name in asked if name not in wanted]:
        setup.on_event(
            Noted(f"the quality curve shows {', '.join(wanted)}: no direction here is of {', '.join(absent)}")
        )
    return {name: named[name] for name in wanted}
