"""The verdict of the controls on a fused run: it fuses, passes its source through, or ignores it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from lslo_cli.flare.comparisons import COLUMNS, P_NOTE, Comparer, Comparison, numbers
from lslo_cli.flare.study import FlareStudy
from lslo_cli.method.flare import FlareMethod, FlareRun, SourceGiven
from lslo_cli.paper import Expectation
from lslo_cli.report.findings import Outcome, Verdict, notes_on
from lslo_cli.report.table import Column, Table

RIGHT, SHUFFLED, MEAN = "right source", "shuffled source", "mean source"
WRONG_LABEL = "the wrong source's label"
SOURCE_ALONE, TARGET_ALONE = "the source alone (translate-test)", "the target alone (LoRA)"


class ControlVerdict(StrEnum):
    """The verdict of the controls on a fused run."""

    FUSES = "fuses: better than source or target alone"
    ADDS_TO_LORA = "better than the target alone"
    PASSES_THROUGH = "WARNING: passes the source's answer through"
    ADDS_NOTHING = "WARNING: no better than the source alone"
    NO_BETTER = "WARNING: no better than the target alone"
    IGNORES = "WARNING: the source makes no difference"
    ONE_SEED = "one seed cannot tell"
    UNKNOWN = "controls not all run"

    @property
    def bears_out(self) -> bool:
        """Whether an improvement of the run can be attributed to its source."""
        return self in (ControlVerdict.FUSES, ControlVerdict.ADDS_TO_LORA, ControlVerdict.NO_BETTER)


@dataclass(frozen=True)
class Checked:
    """A fused run with the outcomes of its checks by name."""

    run: str
    checks: Mapping[str, Outcome]

    @property
    def verdict(self) -> ControlVerdict:
        """The verdict of all checks together."""
        verdicts = {name: check.verdict for name, check in self.checks.items()}
        if Verdict.NOT_RUN in verdicts.values():
            return ControlVerdict.UNKNOWN
        if Verdict.UNKNOWN in verdicts.values():
            return ControlVerdict.ONE_SEED
        shows = {name for name, verdict in verdicts.items() if verdict is Verdict.SHOWS}
        if not {"uses its source", "gains by it"} <= shows:
            return ControlVerdict.IGNORES
        if "beats the source" in verdicts and "beats the source" not in shows:
            return ControlVerdict.ADDS_NOTHING if "reads its text" in shows else ControlVerdict.PASSES_THROUGH
        if "beats the target" not in shows:
            return ControlVerdict.NO_BETTER
        return ControlVerdict.FUSES if "beats the source" in verdicts else ControlVerdict.ADDS_TO_LORA


def checked_runs(study: FlareStudy) -> dict[str, Checked]:
    """Every fused run compared with its controls, by name.

    It uses its source if the right one beats a shuffled one, gains by it if the right one beats the mean of
    all, and reads its own text if even with a shuffled one it beats the label of that source. With both texts
    it should beat either alone. FLARE-MT has no source text, so it is not compared with translate-test.
    """
    asked = [
        (run, name, comparison)
        for run in study.runs
        if FlareRun.parse(run).method in (FlareMethod.FLARE, FlareMethod.FLARE_MT)
        for name, comparison in _comparisons(study, run).items()
    ]
    found: dict[str, dict[str, Outcome]] = {}
    outcomes = Comparer(study).compare([comparison for *_, comparison in asked])
    for (run, name, _), outcome in zip(asked, outcomes, strict=True):
        found.setdefault(run, {})[name] = outcome
    return {run: Checked(run, checks) for run, checks in found.items()}


def _comparisons(study: FlareStudy, run: str) -> dict[str, Comparison]:
    right, shuffled = study.answers(run), study.answers(run, SourceGiven.SHUFFLED)
    sides = {
        "uses its source": (RIGHT, right, SHUFFLED, shuffled),
        "gains by it": (RIGHT, right, MEAN, study.answers(run, SourceGiven.MEAN)),
        "reads its text": (SHUFFLED, shuffled, WRONG_LABEL, study.wrong_labels()),
        "beats the source": (RIGHT, right, SOURCE_ALONE, study.answers(str(FlareMethod.TRANSLATE_TEST))),
        "beats the target": (RIGHT, right, TARGET_ALONE, study.answers(str(FlareMethod.LORA))),
    }
    if FlareRun.parse(run).method is FlareMethod.FLARE_MT:
        del sides["beats the source"]
    return {
        name: Comparison(f"{ours} {Expectation.HIGHER} {theirs}", one, other)
        for name, (ours, one, theirs, other) in sides.items()
    }


def check_table(checked: Mapping[str, Checked]) -> Table:
    """Every check of every fused run."""
    outcomes = [outcome for result in checked.values() for outcome in result.checks.values()]
    return Table(
        "Controls, tested against chance: the effect of fusion",
        (Column("Run"), Column("Reading"), Column("Check"), *COLUMNS, Column("Shows?")),
        tuple(
            (result.run, result.verdict.value, outcome.text, *numbers(outcome), outcome.verdict.value)
            for result in checked.values()
            for outcome in result.checks.values()
        ),
        names=3,
        notes=(
            "A run passes the source's answer through if with a shuffled source it is no better than the "
            "label of that source, and with the right one no better than translate-test. The source makes no "
            "difference if the right one is no better than a shuffled one or than the mean of all.",
            *notes_on(outcomes),
            P_NOTE,
        ),
    )
