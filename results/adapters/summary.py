"""Tables of the study of adapters' forms, as Markdown: python results/adapters/summary.py [FOLDER]"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev

from lslo_cli.artifacts import store
from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.results import IndexStrategyResult, SubspaceResult, TrainingResult
from lslo_cli.method.statistics import correlate_with_bitext, interval_over_seeds

SEEDS = (2, 3, 4)
GROUPS = ("H2H", "H2V", "M2M", "V2H", "V2V", "AVG")
FORMS = ("uniform-d_model", "gaussian-d_model", "uniform-all", "gaussian-all")
RUNS = ("8-8-8", "2-2-8", "2-2-8-gps0.9")
FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 else "results/adapters")


def scores(form: str, run: str) -> dict[str, list[float]]:
    """spBLEU of a run by group, a value for each seed."""
    by_seed = []
    for seed in SEEDS:
        path = FOLDER / form / f"seed-{seed}" / "runs" / run / "evaluation.json"
        evaluation = store.read(path, EvaluationResult).result
        groups = evaluation.metric().groups
        by_seed.append({**groups, "AVG": evaluation.metric().average})
    return {group: [row[group] for row in by_seed] for group in GROUPS}


def rows(title: str, lines: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table."""
    head, *body = lines
    print(f"\n{title}\n\n| {' | '.join(head)} |\n|{'|'.join(' --- ' for _ in head)}|")
    for line in body:
        print(f"| {' | '.join(line)} |")


def spread(values: Sequence[float]) -> str:
    return f"{fmean(values):.1f} ± {stdev(values):.1f}"


def difference(first: Sequence[float], other: Sequence[float], digits: int = 1) -> str:
    """Mean of the paired differences and its 95 % interval over seeds, bold where it leaves out 0."""
    interval = interval_over_seeds([one - two for one, two in zip(first, other, strict=True)])
    if interval is None:
        return "-"
    low, high = interval.low, interval.high
    text = f"{fmean(first) - fmean(other):+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"
    return f"**{text}**" if low > 0 or high < 0 else text


def dev_loss(form: str, run: str) -> list[float]:
    """The loss on dev rows after the last epoch, by seed."""
    paths = [FOLDER / form / f"seed-{seed}" / "runs" / run / "training.json" for seed in SEEDS]
    return [store.read(path, TrainingResult).result.dev_losses[-1] for path in paths]


def rates(form: str) -> dict[float, float]:
    """The dev loss of the tuning seed by learning rate."""
    folder = FOLDER / form / "seed-1" / "runs"
    return {
        float(path.parent.name.removeprefix("lr")): store.read(path, TrainingResult).result.dev_losses[-1]
        for path in folder.glob("lr*/training.json")
    }


def correlations(form: str) -> list[tuple[float, float]]:
    """Pearson of the score of eq. 6 with bitext size and with its logarithm, by seed."""
    found = []
    for seed in SEEDS:
        result = store.read(FOLDER / form / f"seed-{seed}" / "subspace.json", SubspaceResult).result
        evaluated = store.read(
            FOLDER / form / f"seed-{seed}" / "runs" / RUNS[0] / "evaluation.json", EvaluationResult
        )
        row = correlate_with_bitext(result.scores, evaluated.result.languages)
        if row:
            found.append((row.pearson, row.pearson_log))
    return found


def weights(form: str) -> list[list[str]]:
    """The learned index of each layer, by seed."""
    paths = [FOLDER / form / f"seed-{seed}" / "index-strategy.json" for seed in SEEDS]
    return [
        [layer.index.value for layer in store.read(path, IndexStrategyResult).result.layers] for path in paths
    ]


def main() -> None:
    base = scores("full", "base")
    full = scores("full", "full")
    table = [["run", "adapters", *GROUPS]]
    table += [
        [run, "", *(spread(by[group]) for group in GROUPS)] for run, by in (("base", base), ("full", full))
    ]
    table += [
        [run, form, *(spread(scores(form, run)[group]) for group in GROUPS)] for run in RUNS for form in FORMS
    ]
    rows("spBLEU, mean ± standard deviation", table)
    rows(
        "Less Gaussian on all units",
        [["run", "adapters", *GROUPS, "dev loss"]]
        + [
            [
                run,
                form,
                *(difference(scores(form, run)[g], scores("gaussian-all", run)[g]) for g in GROUPS),
                difference(dev_loss(form, run), dev_loss("gaussian-all", run), 3),
            ]
            for run in RUNS
            for form in FORMS[:-1]
        ],
    )
    compared = {
        "full less base": ("full", "full", "full", "base"),
        **{f"2;2;8 less 8;8;8, {form}": (form, "2-2-8", form, "8-8-8") for form in FORMS},
        **{f"2;2;8 + GPS(0.9) less 2;2;8, {form}": (form, "2-2-8-gps0.9", form, "2-2-8") for form in FORMS},
        **{f"2;2;8 + GPS(0.9) less base, {form}": (form, "2-2-8-gps0.9", "full", "base") for form in FORMS},
        **{f"2;2;8 + GPS(0.9) less full, {form}": (form, "2-2-8-gps0.9", "full", "full") for form in FORMS},
    }
    rows(
        "Findings",
        [["difference", *GROUPS]]
        + [
            [name, *(difference(scores(a, b)[g], scores(c, d)[g]) for g in GROUPS)]
            for name, (a, b, c, d) in compared.items()
        ],
    )
    tuned = {form: rates(form) for form in ("full", *FORMS)}
    rows(
        "Dev loss by learning rate, seed 1",
        [["adapters", "rates"]]
        + [
            [form, ", ".join(f"{rate:g}: {loss:.3f}" for rate, loss in sorted(by.items()))]
            for form, by in tuned.items()
        ],
    )
    rows(
        "Correlation of eq. 6 with bitext, raw and log10, by seed; learned index by layer",
        [["adapters", "r", "r of logarithms", "index"]]
        + [
            [
                form,
                ", ".join(f"{raw:.2f}" for raw, _ in correlations(form)),
                ", ".join(f"{log:.2f}" for _, log in correlations(form)),
                "; ".join(sorted({" ".join(index) for index in weights(form)})),
            ]
            for form in FORMS
        ],
    )


if __name__ == "__main__":
    main()
