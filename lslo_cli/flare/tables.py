"""The tables of ``lslo flare report``: scores and controls, the paper's and ours, costs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from statistics import fmean, median

from lslo_cli.artifacts.schema import ModelIdentity
from lslo_cli.flare.controls import Checked, check_table, checked_runs
from lslo_cli.flare.findings import PAPERS_TASKS, claim_table
from lslo_cli.flare.study import SCORE, TOKEN_F1, FlareStudy, Score
from lslo_cli.method.flare import FlareMethod, FlareRun, SourceGiven
from lslo_cli.method.task_scores import average_ranks
from lslo_cli.paper import flare_table
from lslo_cli.report.study import spread
from lslo_cli.report.table import (
    Cell,
    Column,
    RowSource,
    SourceCell,
    Spread,
    Table,
    millions,
    one_decimal,
    thousands,
    two_decimals,
)
from lslo_cli.wording import over, several

GIVEN = {
    SourceGiven.MATCHED: "right",
    SourceGiven.ZERO: "no",
    SourceGiven.MEAN: "mean",
    SourceGiven.SHUFFLED: "shuffled",
}
"""The name of each kind of source."""

RANKED = (
    FlareMethod.LORA,
    FlareMethod.INPUT_FUSION,
    FlareMethod.X_MIXUP,
    FlareMethod.FLARE_MT,
    FlareMethod.FLARE,
)
"""The methods trained on the target language, which the paper ranks."""

SPREAD = "mean ± sample standard deviation"

AGAINST_BETTER = (FlareMethod.INPUT_FUSION, FlareMethod.FLARE)
"""The methods that see both texts, which should be better than either text alone."""


def flare_tables(study: FlareStudy, model: ModelIdentity) -> Iterator[Table]:
    """All tables, in the order of a report. ``model`` is the tuned task model."""
    checked = checked_runs(study)
    yield score_table(study, checked)
    if study.has_token_f1:
        yield score_table(study, checked, "token F1", TOKEN_F1)
    if len(study.noise) > 1:
        yield noise_table(study)
    yield control_table(study)
    yield check_table(study, checked)
    yield claim_table(study, checked)
    if study.task in PAPERS_TASKS:
        yield headline_table(study, model)
    yield rank_table(study)
    yield cost_table(study)


def score_table(
    study: FlareStudy, checked: Mapping[str, Checked], metric: str = "", score: Score = SCORE
) -> Table:
    """Every run's score in every language, fused ones with each source and the verdict of their controls.

    ``score`` is one of the tests' scores, and ``metric`` its name, the task's own by default.
    """
    rows = []
    for run in study.runs:
        result = checked.get(run)
        fuses = FlareRun.parse(run).method.fuses
        for source, name in GIVEN.items():
            scores = study.by_language(run, source, score)
            if scores:
                is_right = source is SourceGiven.MATCHED
                cells = (scores.get(language) for language in study.languages)
                verdict = result.verdict.value if result and is_right else None
                average = study.average(run, source, score)
                rows.append((run, name if fuses else "", *cells, average, verdict))
    return Table(
        f"{metric or study.metric} by target language",
        (
            Column("Run"),
            Column("Source"),
            *(Column(language, one_decimal) for language in study.languages),
            Column("Mean", two_decimals),
            Column("Reading"),
        ),
        tuple(rows),
        names=2,
        notes=(
            f"Scores: {_over_seeds(study)}. The mean over languages is of seeds that have all of them. The "
            "control flare-shuffled was trained with shuffled sources.",
        ),
    )


def noise_table(study: FlareStudy) -> Table:
    """Every run's score by the share of words changed in its sources, and FLARE's gain."""
    averages = {run: [study.averages_with_noise(run, share) for share in study.noise] for run in study.runs}
    rows: list[tuple[Cell, ...]] = [
        (run, *(Spread.of(list(each.values())) if each else None for each in by_share))
        for run, by_share in averages.items()
    ]
    plain = [run for run in map(str, (FlareMethod.LORA, FlareMethod.TRANSLATE_TEST)) if run in averages]
    if len(plain) == 2:
        for run in (each for method in AGAINST_BETTER for each in study.run_and_noisy(method)):
            gains = [
                _gain(averages[run][place], [averages[other][place] for other in plain])
                for place in range(len(study.noise))
            ]
            rows.append((f"{run}, over the better of {' and '.join(plain)}", *gains))
    return Table(
        f"{study.metric} by noise in the sources of tests",
        (Column("Run"), *(Column(f"{share:.0%} of words", two_decimals) for share in study.noise)),
        tuple(rows),
        notes=(
            f"Means over languages: {_over_seeds(study)}. Runs that read no source have one score; a number "
            "after ~ is the share of words changed in training. The last rows are differences within a seed; "
            "the better run is that with the higher mean.",
        ),
    )


def _gain(ours: Mapping[int, float], plain: Sequence[Mapping[int, float]]) -> Spread | None:
    """A run's gain over the better of ``plain``, within every seed that both have."""
    there = [each for each in plain if each]
    if not there:
        return None
    best = max(there, key=lambda each: fmean(each.values()))
    return spread(ours[seed] - best[seed] for seed in ours if seed in best)


def control_table(study: FlareStudy) -> Table:
    """Every fused run beside the source alone and the target alone, and whose label it answers."""
    references = {
        **({"Wrong source's label": spread(study.chances().values())} if study.has_labels else {}),
        "Translate-test": study.average(str(FlareMethod.TRANSLATE_TEST)),
        "LoRA": study.average(str(FlareMethod.LORA)),
    }
    fused = [run for run in study.runs if FlareRun.parse(run).method.fuses]
    shares = {run: _shares(study, run) if study.has_labels else {} for run in fused}
    return Table(
        "Controls: the value of the source",
        (
            Column("Run"),
            *(Column(f"{name.capitalize()} source", two_decimals) for name in GIVEN.values()),
            *(Column(name, two_decimals) for name in references),
            *(Column(f"{name}, %", one_decimal) for name in (shares[fused[0]] if fused else ())),
        ),
        tuple(
            (
                run,
                *(study.average(run, source) for source in GIVEN),
                *references.values(),
                *shares[run].values(),
            )
            for run in fused
        ),
        notes=(
            f"Scores are means over languages: {_over_seeds(study)}. With shuffled sources each text gets "
            "the source of another row.",
            _labels_note(study) if study.has_labels else SPANS_NOTE,
        ),
    )


SPANS_NOTE = "Answers are spans of each row's text, so another row's source has none to lend."


def _labels_note(study: FlareStudy) -> str:
    tests = over(SPREAD, [len(study.evaluations)], "test")
    return (
        "A model that only repeats a shuffled source scores what that row's label scores. Shares of rows: "
        f"{tests}, one for each seed and language; the first two are over rows with a wrong source of "
        "another label. A run agrees with translate-test if it gives translate-test's answer to the source "
        "that it got: the right one, or another row's."
    )


def _shares(study: FlareStudy, run: str) -> dict[str, Spread | None]:
    """The shares of rows, in percent, in which a run gives its source's label or answer."""
    reliances = study.reliances(run)
    return {
        "Says the wrong source's label": spread(each.source for each in reliances),
        "Says its text's label": spread(each.target for each in reliances),
        "Agrees with translate-test on its source": spread(study.agreements(run)),
        "Agrees with it on a shuffled one": spread(study.agreements(run, SourceGiven.SHUFFLED)),
        "Repeats translate-test's errors": spread(study.repeated_errors(run)),
    }


def headline_table(study: FlareStudy, model: ModelIdentity) -> Table:
    """The paper's headline table, with our row below those of its task."""
    paper = flare_table()
    methods = list(paper.scores[paper.models[0]])
    runs = [study.run_of(method) for method in methods]
    named = [run for run in runs if run and study.averages(run)]
    seeds = study.common_seeds(named) or study.seeds
    rows: list[tuple[Cell, ...]] = []
    for task, metric in paper.metrics.items():
        name = f"{task}, {metric}"
        for printed in paper.models:
            scores = (paper.scores[printed][method][task] for method in methods)
            rows.append((name, SourceCell(RowSource.PAPER, printed), *scores))
        if task == PAPERS_TASKS[study.task]:
            ours = (
                spread(value for seed, value in study.averages(run).items() if seed in seeds) if run else None
                for run in runs
            )
            size = millions(model.parameters)
            rows.append((name, SourceCell(RowSource.OURS, f"ours: {_short(model.name)}, {size}"), *ours))
    return Table(
        "The paper's headline table, and ours, of another model and not comparable",
        (Column("Task"), Column("Model"), *(Column(method, two_decimals) for method in methods)),
        tuple(rows),
        names=2,
        notes=(
            "Averages over target languages. Models, pretraining and translations differ, so scores do not "
            "compare between rows: only the order within a row does. The paper prints no spread.",
            f"Ours are over {', '.join(study.languages)}, {_over_seeds(study)}, of the runs "
            f"{', '.join(filter(None, runs))}{_of_common(study, seeds)}: of each method the default, or else "
            "the first of the recipe.",
        ),
    )


def rank_table(study: FlareStudy) -> Table:
    """Average ranks of the methods that are trained on the target language, among those of the study.

    If it has fewer than two there is nothing to rank, and the paper's are among all.
    """
    paper = flare_table()
    ours = {str(method): run for method in RANKED if (run := study.run_of(method)) and study.averages(run)}
    seeds = study.common_seeds(ours.values())
    scores = {method: study.means(run, seeds) for method, run in ours.items()} if seeds else {}
    methods = list(scores) if len(scores) > 1 else list(map(str, RANKED))
    named = ", ".join(ours[method] for method in methods if method in scores)
    ranks: dict[SourceCell, Mapping[str, float]] = {
        SourceCell(RowSource.PAPER, model): average_ranks({name: by_method[name] for name in methods})
        for model, by_method in paper.scores.items()
    }
    ranks[SourceCell(RowSource.OURS, "ours")] = average_ranks(scores) if len(scores) > 1 else {}
    return Table(
        "Average rank among methods trained on the target language, 1 is best",
        (Column("Model"), *(Column(method, two_decimals) for method in methods)),
        tuple((name, *(found.get(method) for method in methods)) for name, found in ranks.items()),
        notes=(
            "Ranks are among these methods alone: the paper's over its three tasks, from its scores, ours "
            f"over target languages, from the means of {named}{_of_common(study, seeds)}."
            if len(scores) > 1
            else "The paper's ranks are over its three tasks. This study has fewer than two of these methods "
            "in every language.",
        ),
    )


def cost_table(study: FlareStudy) -> Table:
    """Parameters and time of every method, as ratios to LoRA's in the same seed and language."""
    rows = []
    for name in study.runs:
        found = {key: run for key, result in study.trainings.items() if (run := result.run(name))}
        steps = {key: run.step_seconds for key, run in found.items() if run.step_seconds}
        if not steps:
            continue
        ratios = [
            seconds / reference.step_seconds
            for key, seconds in steps.items()
            if (reference := study.trainings[key].run(str(FlareMethod.LORA)))
        ]
        run = next(iter(found.values()))
        ratio = median(ratios) if ratios else None
        rows.append((name, run.trainable_parameters, run.adapter_parameters, median(steps.values()), ratio))
    return Table(
        "Cost of training",
        (
            Column("Run"),
            Column("Trainable parameters", thousands),
            Column("Of these in adapters", thousands),
            Column("Seconds per update", two_decimals),
            Column("Over LoRA", two_decimals),
        ),
        tuple(rows),
        notes=(
            "Medians over seeds and languages of each run's median update. Source states are computed once "
            "per run and are not included. Times on a busy machine are rough: `python -m benchmarks.flare` "
            "measures side by side.",
        ),
    )


def _of_common(study: FlareStudy, seeds: Collection[int]) -> str:
    """A note of the seeds that all runs have, if others have fewer."""
    if len(seeds) == len(study.seeds):
        return ""
    return f", in {'seed' if len(seeds) == 1 else 'seeds'} {several(seeds)} alone, which all of them have"


def _over_seeds(study: FlareStudy) -> str:
    return over(SPREAD, study.seed_counts)


def _short(name: str) -> str:
    """The last part of a folder or hub id."""
    return name.rstrip("/").rpartition("/")[2]
