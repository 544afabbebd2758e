"""Whether the paper's claims hold in a FLARE study, if the runs' own controls support them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lslo_cli.flare.comparisons import COLUMNS, Comparer, Comparison, numbers, p_note
from lslo_cli.flare.controls import Checked
from lslo_cli.flare.study import FlareStudy
from lslo_cli.method.flare import FlareMethod, FlareRun
from lslo_cli.paper import FLARE_CLAIMS, Expectation, flare_table
from lslo_cli.report.findings import Finding, Outcome, Verdict, notes_on
from lslo_cli.report.table import Column, Difference, Table, two_decimals

PAPERS_TASKS = {"nusax": "NusaX", "xnli": "XNLI", "tydiqa": "TyDiQA"}
"""The paper's names of tasks."""

PAPERS_MODEL = "XLM-R Large"
"""The paper's only encoder."""


def claim_table(study: FlareStudy, checked: Mapping[str, Checked]) -> Table:
    """The paper's claims, each comparison with its numbers; ``checked`` are the fused runs with controls."""
    found = _findings(study, checked)
    outcomes = [outcome for finding in found for outcome in finding.outcomes]
    return Table(
        "Findings: the paper's claims, computed from our scores",
        (
            Column("Claim"),
            Column("Verdict"),
            Column("Comparison"),
            *COLUMNS,
            Column(f"Paper's difference ({PAPERS_MODEL})", two_decimals),
            Column("Shows?"),
        ),
        tuple(
            (
                finding.text,
                finding.summary,
                outcome.text,
                *numbers(outcome),
                None if outcome.paper is None else Difference(outcome.paper),
                outcome.verdict.value,
            )
            for finding in found
            for outcome in finding.outcomes
        ),
        names=3,
        notes=(
            "The paper's differences are of another model on other data: compare their signs with ours, not "
            "their sizes. A comparison does not show if the intervals over seeds and over rows end below 0. "
            "An improvement of a fused run shows only if its own controls, above, attribute it to fusing "
            "both texts: if it is better with the right source than with a shuffled one and with the mean, "
            "and, unless it is FLARE-MT, better than translate-test.",
            *notes_on(outcomes),
            p_note(study),
        ),
    )


def _findings(study: FlareStudy, checked: Mapping[str, Checked]) -> list[Finding]:
    asked = [
        (claim, run, other)
        for claim in FLARE_CLAIMS
        for run in _runs(study, claim.run)
        for other in claim.others
    ]
    outcomes = Comparer(study).compare([_comparison(study, run, other) for _, run, other in asked])
    found: dict[str, list[Outcome]] = {}
    for (claim, run, _), outcome in zip(asked, outcomes, strict=True):
        result = checked.get(run)
        if outcome.verdict is Verdict.SHOWS and result:
            outcome = replace(outcome, verdict=result.attribution)
        found.setdefault(claim.text, []).append(outcome)
    return [Finding(text, tuple(of_claim)) for text, of_claim in found.items()]


def _runs(study: FlareStudy, name: str) -> list[str]:
    """The study's runs of a claim's name, whatever their translation model; the name if there is none."""
    named = FlareRun.parse(name)
    return [run for run in study.runs if replace(FlareRun.parse(run), translator="") == named] or [name]


def _comparison(study: FlareStudy, run: str, other: str) -> Comparison:
    return Comparison(
        f"{run} {Expectation.HIGHER} {other}",
        study.answers(run),
        study.answers(other),
        _papers(study, run, other),
    )


def _papers(study: FlareStudy, run: str, other: str) -> float | None:
    """The printed difference of two runs on the study's task, None unless the paper has both."""
    task = PAPERS_TASKS.get(study.task)
    if task is None:
        return None
    ours, theirs = (_printed(name, task) for name in (run, other))
    return None if ours is None or theirs is None else round(ours - theirs, 2)


def _printed(name: str, task: str) -> float | None:
    parsed, paper = FlareRun.parse(name), flare_table()
    if parsed.method is FlareMethod.FLARE:
        return paper.fusion_functions.get(parsed.phi, {}).get(task)
    return paper.scores[PAPERS_MODEL].get(parsed.method, {}).get(task)
