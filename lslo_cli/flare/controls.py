"""The verdict of the controls on a fused run: it fuses, passes its source through, or ignores it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from lslo_cli.flare.comparisons import COLUMNS, Comparer, Comparison, numbers, p_note
from lslo_cli.flare.study import FlareStudy
from lslo_cli.method.flare import FlareMethod, FlareRun, SourceGiven
from lslo_cli.paper import Expectation
from lslo_cli.report.findings import Outcome, Verdict, notes_on
from lslo_cli.report.table import Column, Table

RIGHT, SHUFFLED, MEAN = "right source", "shuffled source", "mean source"
WRONG_ANSWER, WRONG_LABEL = "translate-test on it", "the wrong source's label"
SOURCE_ALONE, TARGET_ALONE = "the source alone (translate-test)", "the target alone (LoRA)"


MARGIN = 1.0
"""The margin in points of the task's score below which a run is no better than its control."""

USES, GAINS, READS = "uses its source", "gains by it", "reads its text"
BEATS_SOURCE, BEATS_TARGET = "beats the source", "beats the target"


PASSES_NOTE = (
    "A run passes the source's answer through if it uses its source, is no better than translate-test, and "
    "with a shuffled source is no better than translate-test on that source."
)


def _noise_note(study: FlareStudy) -> str:
    return (
        f"All checks are of tests with {study.noise[0]:.0%} of the words of sources changed: with more, a "
        "run can gain over translate-test what it does not gain here."
    )


class ControlVerdict(StrEnum):
    """The verdict of the controls on a fused run. A warning says what was found, never what was not."""

    FUSES = "fuses: better than source or target alone"
    ADDS_TO_LORA = "better than the target alone"
    IGNORES = "WARNING: no better than with a shuffled source"
    MEAN_WILL_DO = "WARNING: no better than with the mean source"
    PASSES_THROUGH = "WARNING: passes the source's answer through"
    ADDS_NOTHING = "WARNING: no better than the source alone"
    NO_BETTER = "WARNING: no better than the target alone"
    OPEN = "controls cannot tell"
    ONE_SEED = "one seed cannot tell"
    UNKNOWN = "controls not all run"


@dataclass(frozen=True)
class Checked:
    """A fused run with the outcomes of its checks by name."""

    run: str
    checks: Mapping[str, Outcome]

    @property
    def verdict(self) -> ControlVerdict:
        """The verdict of all checks together; a check that fails decides, even if others were not run."""
        shows, fails = self._with(Verdict.SHOWS), self._with(Verdict.CONTRARY)
        if USES in fails:
            return ControlVerdict.IGNORES
        if GAINS in fails:
            return ControlVerdict.MEAN_WILL_DO
        if BEATS_SOURCE in fails:
            passes = USES in shows and READS in fails
            return ControlVerdict.PASSES_THROUGH if passes else ControlVerdict.ADDS_NOTHING
        if BEATS_TARGET in fails:
            return ControlVerdict.NO_BETTER
        if self._with(Verdict.NOT_RUN):
            return ControlVerdict.UNKNOWN
        if self._with(Verdict.UNKNOWN):
            return ControlVerdict.ONE_SEED
        if self.checks.keys() - {READS} <= shows:
            return ControlVerdict.FUSES if BEATS_SOURCE in shows else ControlVerdict.ADDS_TO_LORA
        return ControlVerdict.OPEN

    @property
    def attribution(self) -> Verdict:
        """Whether an improvement of the run comes from fusing both texts.

        It does if the right source beats a wrong one and the mean, and the run the source alone.
        """
        needed = {USES, GAINS, BEATS_SOURCE} & self.checks.keys()
        if needed <= self._with(Verdict.SHOWS):
            return Verdict.SHOWS
        if needed & self._with(Verdict.CONTRARY):
            return Verdict.CONTROL
        if needed & self._with(Verdict.NOT_RUN):
            return Verdict.CONTROLS_NOT_RUN
        return Verdict.CONTROLS_OPEN

    def _with(self, verdict: Verdict) -> set[str]:
        return {name for name, check in self.checks.items() if check.verdict is verdict}


def checked_runs(study: FlareStudy) -> dict[str, Checked]:
    """Every fused run compared with its controls, by name.

    It uses its source if the right one beats a shuffled one, gains by it if the right one beats the mean of
    all, and reads its own text if even with a shuffled one it beats translate-test's answer to that source.
    With both texts it should beat either alone. FLARE-MT has no source text, so it is not compared with
    translate-test, and with a shuffled source it should beat the label of that row. Whether a run reads its
    text is not asked of spans, which no other row's source can give.
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
        USES: (RIGHT, right, SHUFFLED, shuffled),
        GAINS: (RIGHT, right, MEAN, study.answers(run, SourceGiven.MEAN)),
        READS: (SHUFFLED, shuffled, WRONG_ANSWER, study.wrong_answers()),
        BEATS_SOURCE: (RIGHT, right, SOURCE_ALONE, study.answers(str(FlareMethod.TRANSLATE_TEST))),
        BEATS_TARGET: (RIGHT, right, TARGET_ALONE, study.answers(str(FlareMethod.LORA))),
    }
    if FlareRun.parse(run).method is FlareMethod.FLARE_MT:
        del sides[BEATS_SOURCE]
        sides[READS] = (SHUFFLED, shuffled, WRONG_LABEL, study.wrong_labels())
    if not study.has_labels:
        del sides[READS]
    return {
        name: Comparison(f"{ours} {Expectation.HIGHER} {theirs}", one, other, margin=MARGIN)
        for name, (ours, one, theirs, other) in sides.items()
    }


def check_table(study: FlareStudy, checked: Mapping[str, Checked]) -> Table:
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
            f"A check does not show if its difference is known to be below +{MARGIN:g} point: if its 95 % "
            "intervals over seeds and over rows (not adjusted) end there. What is not told apart speaks for "
            "neither. A WARNING rests on checks that do not show: the right source against a shuffled one, "
            "the mean, translate-test or LoRA. The controls cannot tell if no check fails and not all show.",
            *([PASSES_NOTE] if study.has_labels else []),
            *([_noise_note(study)] if len(study.noise) > 1 else []),
            *notes_on(outcomes),
            p_note(study),
        ),
    )
