"""The jobs of targets: one for each artifact or figure, with the jobs that it needs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lslo_cli.artifacts import store
from lslo_cli.artifacts.folder import BASE_RUN, ExperimentFolder
from lslo_cli.errors import UsageError, nearest
from lslo_cli.events import OnEvent, Warned, ignore
from lslo_cli.method.importance import Pool
from lslo_cli.method.ranks import parse_ranks
from lslo_cli.method.run_names import NAME, row_settings
from lslo_cli.plots.catalogue import FIGURES, figure_named
from lslo_cli.recipe import Method, Stage, read_memory
from lslo_cli.reproduce.flare_jobs import flare_jobs, is_flares_part
from lslo_cli.reproduce.job import LAST, FlareStage, Job, JobKind, Jobs, Kind
from lslo_cli.reproduce.targets import Target
from lslo_cli.tasks import choices
from lslo_cli.tasks.experiment import Experiment
from lslo_cli.wording import several

STAGES = {
    "index-strategy": Stage.WEIGHT_LEARN,
    "subspace": Stage.ESTIMATE,
    "subspace-language": Stage.ESTIMATE_LANGUAGE,
}
"""The stages whose artifact an experiment has once."""


def jobs_of(
    targets: Sequence[Target], results: Path, seeds: Sequence[int], command: str, on_event: OnEvent = ignore
) -> Jobs:
    """All jobs of ``targets``, in order of dependency.

    Seeds that are given use ``seed-N/`` below the experiment's folder, one as well as several, as FLARE's
    always do; without them the recipe's uses the folder itself. ``on_event`` hears where a folder has both.
    Raises UsageError for a run's name that cannot be parsed or whose settings are invalid, and for resources
    of a job that there cannot be.
    """
    jobs: dict[str, Job] = {}
    for target in targets:
        if target.is_flares:
            jobs |= {job.label: job for job in flare_jobs(target, results, seeds, command)}
    wanted: Sequence[int | None] = seeds or [None]
    wholes: dict[tuple[Path, int | None], None] = {}
    for seed in wanted:
        for target in targets:
            if target.is_flares:
                continue
            place = target.recipe({"seed": seed}).experiment
            wholes[results / place, seed] = None
            if seeds:
                place = f"{place}/seed-{seed}"
            _Experiment(target, seed, ExperimentFolder(results / place), place, command, jobs).add()
    for folder, seed in wholes:
        _note_beside(ExperimentFolder(folder), seed, on_event)
    for label, job in jobs.items():
        if job.kind is Stage.PRUNE_REPORT:  # after the run it counts, if that is among the jobs
            counted = [f"{label.rpartition('/')[0]}/{run}" for run in job.runs]
            jobs[label] = replace(job, needs=(*job.needs, *(run for run in counted if run in jobs)))
    ordered: dict[str, Job] = {}
    for label in jobs:
        _put(label, jobs, ordered)
    recipes = (each.recipe({"seed": wanted[0]}) for each in targets if not each.is_flares)
    own = {choices.run_name(Experiment(recipe, ExperimentFolder(results), command)) for recipe in recipes}
    _check_resources(ordered, own)
    return ordered


def _note_beside(folder: ExperimentFolder, seed: int | None, on_event: OnEvent) -> None:
    """Note what is to be made beside the seeds of a study, and what such a seed is made again in spite of."""
    if seed is None:
        if numbered := folder.seed_folders():
            on_event(
                Warned(
                    f"{folder.path} holds seed {several(numbered)} in seed-N/: without --seeds, what is made "
                    "is put beside these, where reports leave it out"
                )
            )
        return
    own = ExperimentFolder(folder.path / f"seed-{seed}")
    if not own.has_artifacts() and seed in store.seeds_in(folder):
        on_event(
            Warned(
                f"{folder.path} itself holds seed {seed}, which --seeds makes again in {own.path}; to use it "
                f"instead, first move what {folder.path} holds of it there"
            )
        )


def _check_resources(jobs: Jobs, own: Collection[str]) -> None:
    """Raise UsageError for ``[slurm.jobs.NAME]`` if no target could have a job of that name.

    ``own`` are the names of the recipes' own runs, which need not be among the jobs.
    """
    known = dict.fromkeys(job.part for job in jobs.values())
    others = {*own, *Stage, BASE_RUN, *(figure.name for figure in FIGURES)}
    for name in dict.fromkeys(name for job in jobs.values() for name in job.experiment.recipe.slurm.jobs):
        if not (name in known or name in others or NAME.fullmatch(name) or is_flares_part(name)):
            raise UsageError(
                f"[slurm.jobs.{name}] is for a job that there is not.{nearest(name, known)}",
                f"the jobs of this line: {', '.join(known)}",
            )


def only(jobs: Jobs, names: Collection[str]) -> Jobs:
    """The jobs with these names or labels, and all that they need. Raises UsageError for an unknown name."""
    kept: set[str] = set()
    for name in names:
        found = [label for label in jobs if f"/{label}".endswith(f"/{name}")]
        if not found:
            known = dict.fromkeys(job.name for job in jobs.values())
            raise UsageError(
                f"--only {name}: there is no such part.{nearest(name, known)}",
                f"its parts: {', '.join(known)}",
            )
        for label in found:
            kept |= {label, *_all_needs(jobs, label)}
    return {label: job for label, job in jobs.items() if label in kept}


def waves(jobs: Jobs) -> list[list[Job]]:
    """Jobs in four groups: shared stages, independent runs, FLARE's tests, and reports and figures."""
    runs, tests = (JobKind.RUN, FlareStage.TRAIN), (FlareStage.EVALUATE,)
    all_jobs = list(jobs.values())
    return [
        [job for job in all_jobs if job.kind not in (*runs, *tests, *LAST)],
        *([job for job in all_jobs if job.kind in kinds] for kinds in (runs, tests, LAST)),
    ]


@dataclass(frozen=True)
class _Experiment:
    """Adds the jobs of one target with one seed to ``jobs``; each method returns the label of its job."""

    target: Target
    seed: int | None
    folder: ExperimentFolder
    place: str
    command: str
    jobs: dict[str, Job] = field(repr=False)

    def add(self) -> None:
        wanted = self.target.wanted
        names, stages, report_on = wanted.runs, wanted.stages, self.target.report_on
        if not (wanted.runs or wanted.stages or wanted.figures):
            own_name = choices.run_name(self.experiment())
            names, report_on = (BASE_RUN, own_name), own_name
            stages = (Stage.WEIGHT_LEARN, Stage.ESTIMATE, Stage.PRUNE_REPORT)
        for stage in stages:
            if stage is not Stage.PRUNE_REPORT:
                self.stage(stage)
        runs = [self.run(name) for name in names]
        if Stage.PRUNE_REPORT in stages:
            self.report(report_on)
        for figure in wanted.figures:
            self.figure(figure, runs)

    def experiment(self, **settings: object) -> Experiment:
        """The experiment with other settings, which remembers what it was given apart from these."""
        recipe = self.target.recipe({"seed": self.seed, **settings})
        given = self.target.memory(self.seed, self.folder.path.name)
        memory = read_memory(self.folder.path).adding(given).with_counted_classes(recipe)
        return Experiment(recipe, self.folder, self.command, memory)

    def stage(self, stage: Stage) -> str:
        if stage is Stage.WEIGHT_LEARN:
            return self._job(stage, stage, self.experiment())
        pool = Pool.LANGUAGE if stage is Stage.ESTIMATE_LANGUAGE else None
        experiment = self.experiment(**{"estimate_subspace.pool": pool})
        experiment.recipe.estimation_schedule()
        index = experiment.recipe.estimate_subspace.index
        return self._job(stage, stage, experiment, needs=self._learned(index))

    def report(self, run: str | None) -> str:
        stage, needs = Stage.PRUNE_REPORT, (self.stage(Stage.ESTIMATE),)
        return self._job(stage, stage, self.experiment(), needs, (run,) if run else ())

    def run(self, name: str) -> str:
        plain = self.experiment()
        own_name = choices.run_name(plain)
        named = name not in (BASE_RUN, own_name)
        settings = row_settings(name, plain.recipe.fit.epochs) if named else {}
        experiment = self.experiment(**settings)
        recipe = experiment.recipe
        needs: tuple[str, ...] = ()
        if name != BASE_RUN:
            recipe.training_schedule()
            if recipe.train.method is Method.LSLO:
                needs = self._learned(recipe.train.index)
            if choices.uses_estimate(experiment) and not recipe.train.subspace:
                needs = (*needs, self.stage(Stage.ESTIMATE))
            if recipe.train.ranks not in (None, choices.AUTO) and recipe.train.method is Method.LSLO:
                parse_ranks(recipe.train.ranks, recipe.selected_languages())
        return self._job(name, JobKind.RUN, experiment, needs)

    def figure(self, name: str, runs: Sequence[str]) -> str:
        """The job of a figure, which needs the stage that writes its first artifact, or else the runs."""
        stage = STAGES.get(figure_named(name).reads[0])
        needs = (self.stage(stage),) if stage else tuple(runs)
        names = () if stage else tuple(label.rpartition("/")[2] for label in runs)
        return self._job(name, JobKind.FIGURE, self.experiment(), needs, names)

    def _learned(self, index: str | None) -> tuple[str, ...]:
        """The needs of a stage with this index: weight learning, unless the index comes from elsewhere."""
        return (self.stage(Stage.WEIGHT_LEARN),) if index in (None, choices.LEARNED) else ()

    def _job(
        self,
        name: str,
        kind: Kind,
        experiment: Experiment,
        needs: tuple[str, ...] = (),
        runs: tuple[str, ...] = (),
    ) -> str:
        label = f"{self.place}/{name}"
        self.jobs.setdefault(label, Job(label, kind, experiment, needs, runs))
        return label


def _all_needs(jobs: Jobs, label: str) -> set[str]:
    return {label for need in jobs[label].needs for label in (need, *_all_needs(jobs, need))}


def _put(label: str, jobs: Jobs, ordered: dict[str, Job]) -> None:
    """Put a job after those that it needs."""
    for need in jobs[label].needs:
        _put(need, jobs, ordered)
    ordered.setdefault(label, jobs[label])
