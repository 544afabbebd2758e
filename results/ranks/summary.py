"""Tables of the study of rank maps, as Markdown: python results/ranks/summary.py"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, stdev

from study import RATES, RESULTS, RUNS, SEEDS, WORLDS, Study

from lslo_cli.artifacts import store
from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.results import SubspaceResult, TrainingResult
from lslo_cli.method.languages import Language
from lslo_cli.method.statistics import correlate_with_bitext, interval_over_seeds
from lslo_cli.world import Sizes, world

BASE = "base"
HAND_SET, AUTO = RUNS[0].name, [run.name for run in RUNS[1:4]]
AVERAGE = "AVG"
Scores = dict[int, dict[str, float]]
"""spBLEU by seed and group."""


def scores(name: str, run: str) -> Scores:
    """The scores of a run in a world, of those seeds that are there."""
    found = {}
    for seed in SEEDS:
        path = RESULTS / name / f"seed-{seed}" / "runs" / run / "evaluation.json"
        if path.exists():
            metric = store.read(path, EvaluationResult).result.metric()
            found[seed] = {**metric.groups, AVERAGE: metric.average}
    return found


def table(title: str, head: Sequence[str], body: Sequence[Sequence[str]]) -> None:
    print(f"\n{title}\n\n| {' | '.join(head)} |\n|{'|'.join(' --- ' for _ in head)}|")
    for row in body:
        print(f"| {' | '.join(row)} |")


def spread(values: Sequence[float]) -> str:
    return f"{fmean(values):.1f}" + (f" ± {stdev(values):.1f}" if len(values) > 1 else "")


def difference(one: Scores, other: Scores, group: str) -> str:
    """Mean of the paired differences and its 95 % interval over seeds, bold where it leaves out 0."""
    paired = [one[seed][group] - other[seed][group] for seed in one if seed in other]
    interval = interval_over_seeds(paired)
    if interval is None:
        return f"{fmean(paired):+.1f}" if paired else "-"
    text = f"{fmean(paired):+.1f} [{interval.low:+.1f}, {interval.high:+.1f}]"
    return f"**{text}**" if interval.low > 0 or interval.high < 0 else text


def dev_loss(name: str, run: str) -> str:
    """The loss on dev rows after the last epoch, mean over seeds."""
    paths = (RESULTS / name).glob(f"seed-?/runs/{run}/training.json")
    losses = [store.read(path, TrainingResult).result.dev_losses[-1] for path in paths]
    return f"{fmean(losses):.3f}" if losses else "-"


def maps_of(name: str, run: str) -> list[dict[str, int]]:
    """The ranks of a run by language, 0 included, of every seed."""
    codes = world(Sizes(name))
    paths = (RESULTS / name).glob(f"seed-?/runs/{run}/training.json")
    found = [store.read(path, TrainingResult).result.ranks for path in paths]
    return [{code: ranks.get(code, 0) for code in codes} for ranks in found]


def correlation(values: Sequence[dict[str, float]], languages: Sequence[Language]) -> str:
    """Pearson with the logarithm of bitext, mean over seeds; none where all sizes are one."""
    found = [row.pearson_log for each in values if (row := correlate_with_bitext(each, languages))]
    return f"{fmean(found):+.2f}" if found else "-"


def show_world(name: str) -> None:
    found = {run: scores(name, run) for run in (BASE, *(run.name for run in RUNS))}
    found = {run: by_seed for run, by_seed in found.items() if by_seed}
    groups = list(next(iter(found[HAND_SET].values())))
    print(f"\n## {name.capitalize()}")
    table(
        "spBLEU, mean ± standard deviation over seeds, and loss per token on dev rows",
        ["run", "seeds", *groups, "dev loss"],
        [
            [
                run,
                str(len(by_seed)),
                *(spread([row[group] for row in by_seed.values()]) for group in groups),
                dev_loss(name, run),
            ]
            for run, by_seed in found.items()
        ],
    )

    def less(other: str) -> Callable[[str], list[str]]:
        return lambda run: [run, *(difference(found[run], found[other], group) for group in groups)]

    table(
        f"Less {HAND_SET}, paired by seed, with the 95 % interval",
        ["run", *groups],
        [less(HAND_SET)(run) for run in found if run != HAND_SET],
    )
    table(
        "Less the base model",
        ["run", *groups],
        [less(BASE)(run) for run in (HAND_SET, *AUTO) if run in found and BASE in found],
    )
    show_maps(name)


def show_maps(name: str) -> None:
    """Gain, score and ranks by language, with their correlation with the sizes and with the labels'."""
    ours = list(world(Sizes(name)).values())
    labelled = list(world(Sizes.SHIPPED).values())
    paths = [RESULTS / name / f"seed-{seed}" / "subspace.json" for seed in SEEDS]
    estimates = [store.read(path, SubspaceResult).result for path in paths if path.exists()]
    measured: dict[str, list[dict[str, float]]] = {
        "gain, nats per 100 tokens": [
            {code: 100 * gain for code, gain in each.gains.items()} for each in estimates
        ],
        "importance score / 100": [
            {code: score / 100 for code, score in each.scores.items()} for each in estimates
        ],
    }
    for run in RUNS:
        maps = maps_of(name, run.name) if run.name == HAND_SET or run.name.startswith("auto") else []
        if maps:
            measured[run.name] = [dict(each) for each in maps]
    table(
        "By language, mean over seeds; r is Pearson with log bitext, of this world and of the shipped one",
        ["", *(language.code for language in ours), "r", "r, shipped"],
        [
            ["*bitext*", *(f"{each.bitext:,}" if each.bitext else "pivot" for each in ours), "", ""],
            *(
                [
                    label,
                    *(f"{fmean(each[language.code] for each in values):.1f}" for language in ours),
                    correlation(values, ours),
                    correlation(values, labelled),
                ]
                for label, values in measured.items()
            ),
        ],
    )


def main() -> None:
    print("# Rank maps in four worlds")
    study = Study(list(WORLDS), list(SEEDS), (), dry_run=True)
    rates = ", ".join(f"{method} {study.rate(method):g}" for method in RATES)
    print(f"\nLearning rates, the best of five or six on dev rows of the shipped world: {rates}.")
    for name in WORLDS:
        if (Path(RESULTS) / name).exists() and scores(name, HAND_SET):
            show_world(name)


if __name__ == "__main__":
    main()
