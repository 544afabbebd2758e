"""What a FLARE study shows: how each fused run uses its source, and which of the paper's claims hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean

from lslo_cli.flare.study import FlareStudy
from lslo_cli.method.flare import FlareMethod, FlareRun, SourceGiven
from lslo_cli.method.statistics import interval_over_seeds
from lslo_cli.paper import FLARE_CLAIMS, Expectation, FlareClaim, flare_table
from lslo_cli.report.findings import Finding, Outcome, Verdict, interval_text, judged, notes_on
from lslo_cli.report.table import Cell, Column, Difference, Table, two_decimals

PAPERS_TASKS = {"nusax": "NusaX", "xnli": "XNLI", "tydiqa": "TyDiQA"}
"""What the paper calls a task."""

PAPERS_MODEL = "XLM-R Large"
"""The paper's only encoder."""

RIGHT, SHUFFLED = "right source", "shuffled source"
WRONG_LABEL = "the wrong source's label"
SOURCE_ALONE, TARGET_ALONE = "the source alone (translate-test)", "the target alone (LoRA)"


class Reading(StrEnum):
    """What the controls say of a fused run."""

    FUSES = "fuses: better than source or target alone"
    ADDS_TO_LORA = "better than the target alone"
    PASSES_THROUGH = "WARNING: passes the source's answer through"
    ADDS_NOTHING = "WARNING: no better than the source alone"
    NO_BETTER = "WARNING: no better than the target alone"
    IGNORES = "WARNING: the source makes no difference"
    UNKNOWN = "controls not all run"


@dataclass(frozen=True)
class Checked:
    """A fused run with its checks by what they ask."""

    run: str
    checks: Mapping[str, Outcome]
    reading: Reading


def checked(study: FlareStudy, run: str) -> Checked | None:
    """Hold a run against its controls; None where it is no FLARE or is itself a control.

    It uses its source where the right one is better than a shuffled one, and reads its own text where even
    with a shuffled one it beats the label of that source. What it makes of both should beat what each alone
    gives. FLARE-MT has no source text, so it is not held against translate-test.
    """
    method = FlareRun.parse(run).method
    if method not in (FlareMethod.FLARE, FlareMethod.FLARE_MT):
        return None
    right, shuffled = study.averages(run), study.averages(run, SourceGiven.SHUFFLED)
    pairs = {
        "uses its source": (RIGHT, right, SHUFFLED, shuffled),
        "reads its text": (SHUFFLED, shuffled, WRONG_LABEL, study.chances()),
        "beats the source": (RIGHT, right, SOURCE_ALONE, study.averages(str(FlareMethod.TRANSLATE_TEST))),
        "beats the target": (RIGHT, right, TARGET_ALONE, study.averages(str(FlareMethod.LORA))),
    }
    if method is FlareMethod.FLARE_MT:
        del pairs["beats the source"]
    checks = {
        name: _compared(f"{ours} {Expectation.HIGHER} {theirs}", one, other)
        for name, (ours, one, theirs, other) in pairs.items()
    }
    return Checked(run, checks, _reading(checks))


def _reading(checks: Mapping[str, Outcome]) -> Reading:
    """What the checks that show say together; of one seed, which shows nothing, what their signs say."""
    verdicts = {name: check.verdict for name, check in checks.items()}
    if Verdict.NOT_RUN in verdicts.values():
        return Reading.UNKNOWN
    shows = {
        name
        for name, check in checks.items()
        if check.verdict is Verdict.SHOWS
        or (check.verdict is Verdict.UNKNOWN and check.difference is not None and check.difference > 0)
    }
    if "uses its source" not in shows:
        return Reading.IGNORES
    if "beats the source" in verdicts and "beats the source" not in shows:
        return Reading.ADDS_NOTHING if "reads its text" in shows else Reading.PASSES_THROUGH
    if "beats the target" not in shows:
        return Reading.NO_BETTER
    return Reading.FUSES if "beats the source" in verdicts else Reading.ADDS_TO_LORA


def check_table(study: FlareStudy) -> Table:
    """Every check of every fused run."""
    found = [result for run in study.runs if (result := checked(study, run))]
    outcomes = [outcome for result in found for outcome in result.checks.values()]
    return Table(
        "Controls, held against chance: what fusion does",
        (
            Column("Run"),
            Column("Reading"),
            Column("Check"),
            Column("Difference", two_decimals),
            Column("95 %"),
            Column("Shows?"),
        ),
        tuple(
            (result.run, result.reading.value, outcome.text, *_numbers(outcome), outcome.verdict.value)
            for result in found
            for outcome in result.checks.values()
        ),
        names=3,
        notes=(
            "A run passes the source's answer through where a shuffled source leaves it no better than the "
            "label of that source, and the right one no better than translate-test.",
            *notes_on(outcomes),
        ),
    )


def claim_table(study: FlareStudy) -> Table:
    """The paper's claims, each comparison with its numbers."""
    found = [_claimed(study, claim) for claim in FLARE_CLAIMS]
    outcomes = [outcome for finding in found for outcome in finding.outcomes]
    return Table(
        "Findings: the paper's claims, computed from our scores",
        (
            Column("Claim"),
            Column("Verdict"),
            Column("Comparison"),
            Column("Difference", two_decimals),
            Column("95 %"),
            Column(f"Paper's difference ({PAPERS_MODEL})", two_decimals),
            Column("Shows?"),
        ),
        tuple(
            (
                finding.text,
                finding.summary,
                outcome.text,
                *_numbers(outcome),
                None if outcome.paper is None else Difference(outcome.paper),
                outcome.verdict.value,
            )
            for finding in found
            for outcome in finding.outcomes
        ),
        names=3,
        notes=(
            "The paper's differences are of another model on other data: their signs can be compared with "
            "ours, their sizes cannot.",
            *notes_on(outcomes),
        ),
    )


def _claimed(study: FlareStudy, claim: FlareClaim) -> Finding:
    ours = _named(study, claim.run)
    outcomes = []
    for other in claim.others:
        text = f"{ours or claim.run} {Expectation.HIGHER} {other}"
        one, two = (study.averages(name) if name else {} for name in (ours, _named(study, other)))
        outcomes.append(_compared(text, one, two, _papers(study, claim.run, other)))
    return Finding(claim.text, tuple(outcomes))


def _named(study: FlareStudy, name: str) -> str | None:
    """The study's run of that name; a bare method stands for its default."""
    return name if name in study.runs else study.run_of(name)


def _papers(study: FlareStudy, run: str, other: str) -> float | None:
    """The printed difference of two runs on the study's task, None where the paper has not both."""
    task = PAPERS_TASKS.get(study.task)
    both = [_printed(name, task) for name in (run, other)]
    return None if None in both else round(both[0] - both[1], 2)


def _printed(name: str, task: str | None) -> float | None:
    parsed, paper = FlareRun.parse(name), flare_table()
    if parsed.method is FlareMethod.FLARE:
        return paper.fusion_functions.get(parsed.phi, {}).get(task)
    return paper.scores[PAPERS_MODEL].get(parsed.method, {}).get(task)


def _compared(
    text: str, ours: Mapping[int, float], theirs: Mapping[int, float], paper: float | None = None
) -> Outcome:
    """Whether ``ours`` is higher, over the seeds that have both."""
    pairs = [(ours[seed], theirs[seed]) for seed in ours.keys() & theirs.keys()]
    if not pairs:
        return Outcome(text, "", None, None, paper, Verdict.NOT_RUN)
    differences = [a - b for a, b in pairs]
    interval = interval_over_seeds(differences)
    return Outcome(text, "", fmean(differences), interval, paper, judged(Expectation.HIGHER, interval))


def _numbers(outcome: Outcome) -> Sequence[Cell]:
    return None if outcome.difference is None else Difference(outcome.difference), interval_text(outcome)
