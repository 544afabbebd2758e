"""Tables of the study of ten real languages, and its figures: python results/bible10/summary.py

Writes ``results/bible10/summary.md`` of what is there. Comparisons and figures are made by ``lslo compare``
and ``lslo plot``, which take the test text and the base as the study does. Nothing is trained.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from math import log10
from pathlib import Path
from statistics import correlation, fmean, median, stdev

from study import PARTS, PUBLISHED, RESULTS, ROTATED, RUNS, SEEDS, STRAIGHT, Part, Study

from lslo_cli.artifacts import store
from lslo_cli.artifacts.evaluations import ComparisonResult, EvaluationResult
from lslo_cli.artifacts.results import IndexStrategyResult, SubspaceResult, TrainingResult
from lslo_cli.method.metrics import CHRF_PLUS_PLUS, SPBLEU
from lslo_cli.method.statistics import Interval, correlate_with_bitext, interval_over_seeds

REFERENCE = RUNS[0].name
LORA = next(run.name for run in RUNS if run.method == "lora")
COMPARED = {
    REFERENCE: ("base", "full", LORA, "4-4-4", "2-2-8", "auto-mixture", "auto-mixture-gpsauto"),
    "full": ("base", LORA),
    LORA: ("base",),
    "4-4-4": ("base",),
    "2-2-8": ("base", "4-4-4"),
    "auto-mixture": ("base", "4-4-4", "2-2-8"),
    "auto-mixture-gpsauto": ("base", "4-4-4", "auto-mixture"),
}
"""The comparisons that claims are read from, by the first run."""
SHOWN = ("AVG", "H2H", "M2M", "V2V")
TITLES = {
    "straight": "The straight base",
    "rotated": "The rotated base",
    "more": "The straight base with more text",
}
FIGURES = {"weights": "index-strategy.json", "heatmap": "subspace.json"}
"""Figures of a seed, and what they are drawn from."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--no-figures", action="store_true", help="tables alone")
    options = parser.parse_args()
    lines = ["# Ten real languages", "", *rates(), *what_tuning_changed()]
    for part in PARTS.values():
        if any(part.folder.glob("seed-*/runs/*/evaluation.json")):
            lines += [f"## {TITLES[part.name]}", ""]
            lines += [*scores(part), *comparisons(part), *costs(part), *room(part)]
            if not options.no_figures:
                draw(part)
    lines += followed()
    (RESULTS / "summary.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    print("\n".join(lines))


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table with its title; nothing without rows."""
    if not rows:
        return []
    body = [f"| {' | '.join(row)} |" for row in rows]
    return [title, "", f"| {' | '.join(head)} |", "|" + " --- |" * len(head), *body, ""]


def seed_of(path: Path) -> int:
    """The seed of an artifact in ``seed-N/``."""
    return int(next(part for part in path.parts if part.startswith("seed-"))[5:])


def found(part: Part, file: str) -> list[Path]:
    """The artifacts of that name of the study's seeds."""
    return [path for seed in SEEDS if (path := part.folder / f"seed-{seed}" / file).exists()]


def losses(part: Part, method: str) -> dict[float, float]:
    """The loss on dev rows after the last epoch, by learning rate, as far as it is there."""
    return {
        rate: store.read(path, TrainingResult).result.dev_losses[-1]
        for rate in part.rates[method]
        if (path := part.tuned(method, rate)).exists()
    }


def rates() -> list[str]:
    """The tables of :func:`rates_of` of the parts that have rates of their own."""
    return [line for part in PARTS.values() if part.rates for line in rates_of(part)]


def rates_of(part: Part) -> list[str]:
    """The loss on dev rows by learning rate, with the chosen one in bold, and whether it ends the grid."""
    rows = []
    for method, tried in part.rates.items():
        by = losses(part, method)
        if by:
            best = min(by, key=by.__getitem__)
            cells = [
                f"**{rate:g}: {loss:.3f}**" if rate == best else f"{rate:g}: {loss:.3f}"
                for rate, loss in by.items()
            ]
            ends = "at the end of the grid" if best in (tried[0], tried[-1]) else ""
            rows.append([method, ", ".join(cells), ends])
    return table(
        f"Dev loss by learning rate, {TITLES[part.name].lower()}, seed 1:", ["method", "rates", ""], rows
    )


def what_tuning_changed() -> list[str]:
    """Test scores of the tuning seed at the paper's rate and at the chosen one."""
    rows = []
    for method, published in PUBLISHED.items():
        by = losses(STRAIGHT, method)
        for rate in dict.fromkeys((published, min(by, key=by.__getitem__, default=published))):
            path = STRAIGHT.tuned(method, rate).with_name("evaluation.json")
            if path.exists():
                result = store.read(path, EvaluationResult).result
                rows.append([method, f"{rate:g}", *(f"{cell:.2f}" for cell in cells(result).values())])
    groups = list(cells(result)) if rows else []
    return table(
        "spBLEU at the paper's rate and at the chosen one, seed 1:", ["method", "rate", *groups], rows
    )


def cells(result: EvaluationResult, metric: str = SPBLEU) -> dict[str, float]:
    """Scores by group, and the average."""
    summary = result.metric(metric)
    return {**summary.groups, "AVG": summary.average}


def scores(part: Part) -> Iterator[str]:
    """Scores by group, mean over seeds, with the sample standard deviation of the average."""
    for metric in (SPBLEU, CHRF_PLUS_PLUS):
        rows, groups = [], []
        for run in ("base", *(run.name for run in RUNS)):
            results = [
                store.read(path, EvaluationResult).result
                for path in found(part, f"runs/{run}/evaluation.json")
            ]
            if results:
                by_seed = [cells(result, metric) for result in results]
                groups = list(by_seed[0])
                means = [f"{fmean(each[group] for each in by_seed):.2f}" for group in groups]
                averages = [each["AVG"] for each in by_seed]
                if len(set(averages)) > 1:
                    means[-1] += f" ± {stdev(averages):.2f}"
                rows.append([run, str(len(results)), *means])
        yield from table(f"{metric}, mean over seeds:", ["run", "seeds", *groups], rows)


def comparisons(part: Part) -> list[str]:
    """Differences in spBLEU with 95 % intervals over seeds and over sentences, and the verdicts."""
    rows = []
    for first, others in COMPARED.items():
        for other in others:
            both = [
                seed
                for seed in SEEDS
                if all(
                    (part.folder / f"seed-{seed}" / "runs" / run / "evaluation.json").exists()
                    for run in (first, other)
                )
            ]
            makes = part.folder / "comparisons" / f"{first}-vs-{other}.json"
            if both and translated(part, both, (first, other)):
                makes.unlink(missing_ok=True)
                seeds = ",".join(map(str, both))
                place = f"{study_of(part)} --data {part.text}"
                Study().lslo(f"compare {first} {other} {place} --seeds {seeds} --quiet", makes)
            if both and makes.exists():
                result = store.read(makes, ComparisonResult).result
                by_name = {row.name: row for row in result.rows}
                rows.append([f"{first} less {other}", str(len(result.seeds))])
                for row in (by_name[name] for name in SHOWN):
                    ends = [span(each) for each in (row.over_seeds, row.over_sentences) if each]
                    rows[-1].append(f"{row.difference:+.2f} ({'; '.join(ends)}): {row.verdict}")
    title = "Differences in spBLEU (over seeds; over sentences):"
    return table(title, ["runs", "seeds", *SHOWN], rows)


def study_of(part: Part) -> str:
    """The flags that choose the experiments of all seeds."""
    return f"--recipe {part.recipe} --results {part.folder.parent} --name {part.name}"


def translated(part: Part, seeds: Sequence[int], runs: Sequence[str]) -> bool:
    """Whether translations are there, which intervals over sentences need; they are not kept with results."""
    folders = (part.folder / f"seed-{seed}" / "runs" / run for seed in seeds for run in runs)
    return all((folder / "hypotheses").is_dir() for folder in folders)


def span(ends: tuple[float, float] | Interval | None, digits: int = 2) -> str:
    """An interval as text; empty where there is none."""
    if ends is None:
        return ""
    low, high = (ends.low, ends.high) if isinstance(ends, Interval) else ends
    return f"{low:+.{digits}f} to {high:+.{digits}f}"


def costs(part: Part) -> list[str]:
    """Parameters, time of an update and memory of every run; the median of its seeds' times."""
    rows = []
    for run in RUNS:
        paths = found(part, f"runs/{run.name}/training.json")
        if paths:
            trainings = [store.read(path, TrainingResult) for path in paths]
            seconds = [
                each.made.seconds / sum(epoch.updates for epoch in each.result.history) for each in trainings
            ]
            peaks = [training.made.peak_memory_mib for training in trainings if training.made.peak_memory_mib]
            first = trainings[0]
            share = first.result.trainable_parameters / first.model.parameters
            rows.append(
                [
                    run.name,
                    f"{first.result.trainable_parameters:,} ({share:.0%})",
                    f"{fmean(training.result.nonzero_parameters for training in trainings):,.0f}",
                    f"{median(seconds):.2f}",
                    f"{max(peaks):,.0f}" if peaks else "",
                ]
            )
    head = ["run", "parameters", "not pruned", "seconds per update", "peak MiB"]
    return table("What training costs, one thread, loading and dev rows included:", head, rows)


def maps(part: Part, run: str) -> list[Mapping[str, int]]:
    """The rank maps of a run by seed."""
    return [
        store.read(path, TrainingResult).result.ranks for path in found(part, f"runs/{run}/training.json")
    ]


def room(part: Part) -> Iterator[str]:
    """What the estimates give every language, beside the base's bitext, with their correlations."""
    paths = found(part, "subspace.json")
    if not paths:
        return
    artifacts = [store.read(path, SubspaceResult) for path in paths]
    languages = [record.language() for record in artifacts[0].languages]
    codes = [each.code for each in languages]
    rows = [["*bitext*", *(f"{each.bitext:,}" for each in languages), ""]]
    measured = {
        "importance (eq. 6)": [artifact.result.scores for artifact in artifacts],
        "gain (nats per token)": [artifact.result.gains for artifact in artifacts],
        **{run.name: maps(part, run.name) for run in RUNS if run.estimated},
    }
    for name, by_seed in measured.items():
        if by_seed and all(by_seed):
            digits = 1 if name.startswith("auto") else 3
            means = [f"{fmean(each.get(code, 0) for each in by_seed):.{digits}f}" for code in codes]
            given = [{code: each.get(code, 0) for code in codes} for each in by_seed]
            rs = [
                each.pearson_log for each in (correlate_with_bitext(one, languages) for one in given) if each
            ]
            rows.append([name, *means, ", ".join(f"{r:+.2f}" for r in rs)])
    title = "Room by language, mean over seeds; Pearson's r with the logarithm of bitext by seed:"
    yield from table(title, ["", *codes, "r"], rows)
    for path in found(part, "index-strategy.json"):
        layers = store.read(path, IndexStrategyResult).result.layers
        sides = ", ".join(
            f"{each.layer} {each.index} ({max(each.source_weight, each.target_weight):.2f})"
            for each in layers
        )
        yield from (f"Learned index, seed {seed_of(path)}: {sides}.", "")


def followed() -> list[str]:
    """How much a language's rank follows its size when that is permuted and the language is not.

    By seed Pearson's r, over languages, of log10 of the ratio of sizes and the difference of ranks.
    """
    rows = []
    for run in (run.name for run in RUNS if run.estimated):
        one, other = (
            {seed_of(path): path for path in found(part, f"runs/{run}/training.json")}
            for part in (STRAIGHT, ROTATED)
        )
        seeds = sorted(one.keys() & other.keys())
        rs = [ranks_against_sizes(one[seed], other[seed]) for seed in seeds]
        if rs:
            ends = interval_over_seeds(rs)  # Student's t knows no bounds
            interval = span((max(-1.0, ends.low), min(1.0, ends.high))) if ends else ""
            rows.append(
                [run, str(len(rs)), ", ".join(f"{r:+.2f}" for r in rs), f"{fmean(rs):+.2f}", interval]
            )
    title = "Change of rank from the straight base to the rotated one, against the change of log bitext:"
    return table(title, ["map", "seeds", "r by seed", "mean", "over seeds"], rows)


def ranks_against_sizes(one: Path, other: Path) -> float:
    """Pearson's r over languages of the differences in rank and in log10 of bitext of two trainings."""
    artifacts = [store.read(path, TrainingResult) for path in (one, other)]
    before, after = ({each.code: each.language() for each in artifact.languages} for artifact in artifacts)
    ranks = [artifact.result.ranks for artifact in artifacts]
    return correlation(
        [log10(after[code].bitext / before[code].bitext) for code in before],
        [ranks[1].get(code, 0) - ranks[0].get(code, 0) for code in before],
    )


def draw(part: Part) -> None:
    """Figures of the first seed, and parameters against quality over all seeds."""
    name = f"seed-{SEEDS[0]}"
    folder = part.folder / name
    for figure, artifact in FIGURES.items():
        if (folder / artifact).exists():
            place = f"--recipe {part.recipe} --results {part.folder} --name {name}"
            Study().lslo(f"plot {figure} {place}", folder / "figures" / f"{figure}.png")
    Study().lslo(f"plot pareto {study_of(part)}", part.folder / "figures" / "pareto.png")


if __name__ == "__main__":
    main()
