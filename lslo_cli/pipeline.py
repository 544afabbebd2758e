"""From a recipe to artifacts: reads what a stage needs, runs it, writes what it found. Prints nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from lslo_cli.artifacts import store
from lslo_cli.artifacts.folder import BASE_RUN, ExperimentFolder, RunFolder
from lslo_cli.artifacts.provenance import Stopwatch, digest_of, made
from lslo_cli.artifacts.schema import (
    Artifact,
    DataIdentity,
    EvaluationResult,
    IndexStrategyResult,
    Input,
    LanguageRecord,
    ModelIdentity,
    Result,
    SubspaceResult,
    TrainingResult,
)
from lslo_cli.errors import InputError, UsageError
from lslo_cli.events import Noted, OnEvent, ignore
from lslo_cli.method.importance import Pool
from lslo_cli.method.ranks import RankMap, parse_ranks
from lslo_cli.method.strategy import Index, IndexStrategy, paper, uniform
from lslo_cli.mt.base import save_base
from lslo_cli.plan import Plan, describe_index, parameters_by_language, training_facts, work_of
from lslo_cli.recipe import Method, Recipe
from lslo_cli.stages.estimate_subspace import estimate_subspace as estimate_subspace_stage
from lslo_cli.stages.evaluate import evaluate as evaluate_stage
from lslo_cli.stages.prune_report import prune_report as prune_report_stage
from lslo_cli.stages.setup import Setup, describe_device, out_of_memory, prepare
from lslo_cli.stages.train import check_method, load_run, trained_ranks
from lslo_cli.stages.train import train as train_stage
from lslo_cli.stages.train_base import train_base as train_base_stage
from lslo_cli.stages.translation import Translations
from lslo_cli.stages.weight_learn import weight_learn as weight_learn_stage

R = TypeVar("R", bound=Result)


@dataclass(frozen=True)
class Experiment:
    """A recipe, the folder of its artifacts, and the command line that is running, for the record."""

    recipe: Recipe
    folder: ExperimentFolder
    command: str


@dataclass(frozen=True)
class Written:
    """An artifact on disk. ``up_to_date`` says that it was there already and nothing ran."""

    path: Path
    artifact: Artifact[Any]
    up_to_date: bool = False


@dataclass(frozen=True)
class Chosen:
    """A setting that may come from an artifact: its value, where it came from, and the artifact."""

    value: Any
    source: str
    inputs: tuple[tuple[str, Path, str], ...] = ()
    """(role, path, digest) of every artifact behind the value."""


def weight_learn(
    experiment: Experiment, *, resume: bool = False, reuse: bool = False, on_event: OnEvent = ignore
) -> Written:
    """Learn the index strategy and write ``index-strategy.json``.

    With ``reuse``, here and below, an artifact that is up to date is returned as it is.
    """
    stopwatch = Stopwatch()
    path, work = experiment.folder.index_strategy, experiment.folder.checkpoint("weight-learn")
    with _clear_memory_errors():
        setup = _open_stage(experiment, path, work, resume, on_event)
        current = reuse and _up_to_date(path, IndexStrategyResult, setup, (), "fit", "weight_learn")
        return current or _write_stage(path, weight_learn_stage(setup), experiment, setup, stopwatch)


def estimate_subspace(
    experiment: Experiment, *, resume: bool = False, reuse: bool = False, on_event: OnEvent = ignore
) -> Written:
    """Estimate every language's subspace and write ``subspace.json``, or ``subspace-language.json`` by language."""
    stopwatch = Stopwatch()
    section, path = experiment.recipe.estimate_subspace, _subspace_path(experiment)
    experiment.recipe.estimation_schedule()  # a schedule that does not fit is refused before a model is loaded
    work = experiment.folder.checkpoint(f"estimate-{section.pool}")
    with _clear_memory_errors():
        setup = _open_stage(experiment, path, work, resume, on_event)
        index = choose_index(experiment, section.index, setup.model_identity, on_event)
        current = reuse and _up_to_date(path, SubspaceResult, setup, index.inputs, "fit", "estimate_subspace")
        if current:
            return current
        return _write_stage(path, estimate_subspace_stage(setup, index.value), experiment, setup, stopwatch, index)


def train(
    experiment: Experiment,
    *,
    run: str | None = None,
    subspace: Path | None = None,
    resume: bool = False,
    reuse: bool = False,
    on_event: OnEvent = ignore,
) -> Written:
    """Fine-tune and write ``runs/<run>/training.json`` with its weights."""
    stopwatch = Stopwatch()
    recipe = experiment.recipe
    recipe.training_schedule()
    check_method(recipe)
    folder = experiment.folder.run(run or run_name(recipe))
    with _clear_memory_errors():
        setup = _open_stage(experiment, folder.training, folder.checkpoint, resume, on_event)
        index, ranks = _run_choices(experiment, subspace, setup.model_identity, on_event)
        used = [choice for choice in (index, ranks) if choice]
        inputs = [item for choice in used for item in choice.inputs]
        current = reuse and _up_to_date(folder.training, TrainingResult, setup, inputs, "fit", "train", "evaluate")
        if current:
            return current
        strategy = index.value if index else None
        result = train_stage(setup, folder.name, strategy, index.source if index else "", ranks.value, folder.path)
        return _write_stage(folder.training, result, experiment, setup, stopwatch, *used)


def prune_report(
    experiment: Experiment, *, run: str | None = None, subspace: Path | None = None, on_event: OnEvent = ignore
) -> Written:
    """Correlate importance with bitext size, count parameters, and write ``prune-report.json``.

    Reports on ``run``, or else on the latest run that trained adapters; without one, on the estimate alone.
    """
    stopwatch = Stopwatch()
    path = subspace or experiment.folder.subspace
    estimate = store.read(path, SubspaceResult)
    store.check_fresh(path, estimate, SubspaceResult.command)
    inputs = [("subspace", path, estimate.digest)]
    training = _reported_run(experiment.folder, run)
    if training:
        folder, artifact = training
        inputs.append(("training", folder.training, artifact.digest))
        on_event(Noted(f"reporting on run {folder.name}"))
    result = prune_report_stage(
        estimate.result,
        training[1].result if training else None,
        [record.language() for record in estimate.languages],
        estimate.model.parameters,
    )
    return _write(
        experiment.folder.prune_report,
        result,
        experiment,
        model=estimate.model,
        data=estimate.data,
        inputs=inputs,
        stopwatch=stopwatch,
        device="none",
    )


def evaluate(
    experiment: Experiment, *, runs: Sequence[str] = (), force: bool = False, on_event: OnEvent = ignore
) -> list[Written]:
    """Translate and score the test split with the base model and every trained run, or with ``runs``.

    A run whose evaluation is up to date is not translated again unless ``force``.
    """
    folders = [experiment.folder.run(name) for name in runs]
    if not folders:
        folders = [experiment.folder.run(BASE_RUN), *experiment.folder.trained_runs()]
    return [_evaluate_run(experiment, folder, force, on_event) for folder in folders]


def train_base(recipe: Recipe, out: Path, command: str, *, resume: bool = False, on_event: OnEvent = ignore) -> Written:
    """Train a base model from scratch and write its folder, with ``training.json`` last."""
    stopwatch = Stopwatch()
    work = out.with_name(f".{out.name}.training")
    store.check_writable(work)
    base, result, data = train_base_stage(recipe, work, resume, on_event)
    base = save_base(base, out, recipe.base.dtype)
    written = _write(
        out / "training.json",
        result,
        Experiment(recipe, ExperimentFolder(out), command),
        model=ModelIdentity(**asdict(base.identity)),
        data=[data],
        inputs=[],
        stopwatch=stopwatch,
        device=describe_device(base.model.device),
    )
    shutil.rmtree(work)
    return written


def plan(experiment: Experiment, command: str, *, run: str | None = None, subspace: Path | None = None) -> Plan:
    """What ``command`` would do. Loads model and text, so that what would fail fails here; writes nothing."""
    recipe, folder = experiment.recipe, experiment.folder
    if command == "prune-report":
        store.read(subspace or folder.subspace, SubspaceResult)
        return Plan("prune-report", (("reads", str(subspace or folder.subspace)),), (), (folder.prune_report,))
    check_method(recipe)
    setup = prepare(recipe)
    shape = setup.model_identity.shape
    split = recipe.data.test if command == "evaluate" else recipe.data.train
    corpus = setup.corpus(split, recipe.data.test_rows if command == "evaluate" else recipe.data.train_rows)
    facts = [
        ("languages", f"{len(setup.codes)}: {', '.join(setup.codes)}"),
        ("base model", f"{recipe.model.name}, {shape.parameters:,} parameters"),
        ("text", f"{recipe.data.path}, split '{split}', {setup.data[0].examples:,} sentence pairs"),
        ("device", setup.device),
    ]
    index, ranks = _planned_choices(experiment, command, subspace, setup)
    if index:
        facts.append(("index", describe_index(index.value, index.source)))
    work = work_of(recipe, command, ranks.value if ranks else None)
    if work:
        batches = len(setup.batches(corpus).batches(1))
        facts += training_facts(recipe, work, shape, batches)
    parameters = parameters_by_language(recipe, work, shape) if work else ()
    return Plan(command, tuple(facts), parameters, _planned_files(experiment, command, run))


def _planned_choices(
    experiment: Experiment, command: str, subspace: Path | None, setup: Setup
) -> tuple[Chosen | None, Chosen | None]:
    recipe, identity = experiment.recipe, setup.model_identity
    if command == "estimate-subspace":
        return choose_index(experiment, recipe.estimate_subspace.index, identity), None
    if command == "train":
        return _run_choices(experiment, subspace, identity, ignore)
    return None, None


def _planned_files(experiment: Experiment, command: str, run: str | None) -> tuple[Path, ...]:
    folder, recipe = experiment.folder, experiment.recipe
    if command == "weight-learn":
        return (folder.index_strategy,)
    if command == "estimate-subspace":
        return (_subspace_path(experiment),)
    if command == "train":
        target = folder.run(run or run_name(recipe))
        weights = target.path / "model" if recipe.train.method is Method.FULL else target.weights.parent
        return (target.training, weights)
    return tuple(target.evaluation for target in (folder.run(BASE_RUN), *folder.trained_runs()))


def _subspace_path(experiment: Experiment) -> Path:
    by_language = experiment.recipe.estimate_subspace.pool is Pool.LANGUAGE
    return experiment.folder.language_subspace if by_language else experiment.folder.subspace


def _run_choices(
    experiment: Experiment, subspace: Path | None, model: ModelIdentity, on_event: OnEvent
) -> tuple[Chosen | None, Chosen]:
    """Index and ranks of a training run; the baselines route nothing, so they have no index."""
    ranks = choose_ranks(experiment, subspace, model, on_event)
    if experiment.recipe.train.method is not Method.LSLO:
        return None, ranks
    return choose_index(experiment, experiment.recipe.train.index, model, on_event), ranks


def run_name(recipe: Recipe) -> str:
    """The folder name of a run from what sets it apart: ``2-2-8-gps0.9``, ``full``, ``fc-2-2-16-source``."""
    section = recipe.train
    if section.method is Method.FULL:
        return "full"
    ranks = (section.ranks or "default").replace(",", "-").replace(";", "-").replace("=", "")
    parts = ["lora" if section.method is Method.LORA else "", "" if section.sites == "all" else str(section.sites), ranks]
    if section.index:
        parts.append(Path(section.index).stem)
    if section.gps > 0:
        parts.append(f"gps{section.gps:g}")
    return "-".join(part for part in parts if part)


def choose_index(experiment: Experiment, wanted: str | None, model: ModelIdentity, on_event: OnEvent = ignore) -> Chosen:
    """The index strategy that a recipe asks for: learned, paper, source, target, or a file.

    None takes the learned one where the experiment has it, and else the paper's. Raises InputError for a
    learned strategy that is missing, damaged, or made with another base model.
    """
    depth = (model.encoder_layers, model.decoder_layers)
    learned_path = experiment.folder.index_strategy
    if wanted is None:
        wanted = "learned" if learned_path.exists() else "paper"
        if wanted == "paper":
            on_event(Noted(f"no index strategy at {learned_path}: using the paper's, scaled to {depth[0]} encoder layers"))
    if wanted == "paper":
        return Chosen(paper(*depth), "paper")
    if wanted in tuple(Index):
        return Chosen(uniform(Index(wanted), *depth), wanted)
    path = learned_path if wanted == "learned" else Path(wanted)
    artifact = store.read(path, IndexStrategyResult)
    codes = [language.code for language in experiment.recipe.selected_languages()]
    store.check_belongs(path, artifact, model.digest, codes, IndexStrategyResult.command)
    on_event(Noted(f"index strategy: {path} ({artifact.digest[:12]})"))
    strategy: IndexStrategy = artifact.result.strategy()
    return Chosen(strategy, "learned", (("index-strategy", path, artifact.digest),))


def choose_ranks(
    experiment: Experiment, subspace: Path | None, model: ModelIdentity, on_event: OnEvent = ignore
) -> Chosen:
    """The ranks that a recipe asks for: given, or ``auto`` for the estimated rank map.

    None takes the estimated map where the experiment has one, and else the paper's 2 for high and medium
    and 8 for the rest. Raises InputError for a map that is missing, damaged, or made with another base.
    """
    recipe = experiment.recipe
    languages = recipe.selected_languages()
    path = subspace or experiment.folder.subspace
    wanted = recipe.train.ranks
    if recipe.train.method is not Method.LSLO:
        wanted = wanted or "8"
        codes = [language.code for language in languages]
        ranks = RankMap(dict.fromkeys(codes, int(wanted))) if wanted.isdecimal() else parse_ranks(wanted, languages)
        return Chosen(trained_ranks(recipe, ranks), "given")
    if wanted is None:
        wanted = "auto" if subspace or path.exists() else "high=2,medium=2,low=8,very-low=8"
        if wanted != "auto":
            present = {language.resource for language in languages}
            wanted = ",".join(part for part in wanted.split(",") if part.partition("=")[0] in present)
            on_event(Noted(f"no rank map at {path}: using {wanted}"))
    if wanted != "auto":
        return Chosen(parse_ranks(wanted, languages), "given")
    artifact = store.read(path, SubspaceResult)
    store.check_fresh(path, artifact, SubspaceResult.command)
    store.check_belongs(path, artifact, model.digest, [language.code for language in languages], SubspaceResult.command)
    on_event(Noted(f"rank map: {path} ({artifact.digest[:12]})"))
    estimated = artifact.result.rank_map()
    ranks = RankMap({language.code: estimated.of(language.code) for language in languages})
    return Chosen(ranks, "estimated", (("subspace", path, artifact.digest),))


def _evaluate_run(experiment: Experiment, folder: RunFolder, force: bool, on_event: OnEvent) -> Written:
    stopwatch = Stopwatch()
    recipe = experiment.recipe
    training = None if folder.name == BASE_RUN else _read_training(experiment.folder, folder)
    store.check_writable(folder.path)
    setup = prepare(recipe, on_event)
    inputs: list[tuple[str, Path, str]] = []
    if training:
        codes = [record.code for record in training.languages]
        store.check_belongs(folder.training, training, setup.base.identity.digest, list(setup.codes), TrainingResult.command)
        if codes != list(setup.codes):
            raise UsageError(
                f"run {folder.name} was trained for {', '.join(codes)}, not {', '.join(setup.codes)}",
                "evaluate it with the same languages; --directions chooses among them",
            )
        inputs.append(("training", folder.training, training.digest))
    current = None if force else _up_to_date(folder.evaluation, EvaluationResult, setup, inputs, "evaluate")
    if current:
        return current
    route = None
    if training:
        weights = store.read_tensor_path(folder.training, training.result.weights)
        route = load_run(setup, training.result, weights)
    result, hypotheses = evaluate_stage(setup, folder.name, route)
    _write_hypotheses(folder, hypotheses)
    return _write(
        folder.evaluation,
        result,
        experiment,
        model=setup.model_identity,
        data=setup.data,
        inputs=inputs,
        stopwatch=stopwatch,
        device=setup.device,
    )


def _read_training(experiment: ExperimentFolder, folder: RunFolder) -> Artifact[TrainingResult]:
    if not folder.training.exists():
        names = ", ".join([BASE_RUN, *(run.name for run in experiment.trained_runs())])
        raise InputError(f"no run '{folder.name}' in {experiment.path}", f"runs there: {names}")
    return store.read(folder.training, TrainingResult)


def _up_to_date(
    path: Path, kind: type[Result], setup: Setup, inputs: Sequence[tuple[str, Path, str]], *sections: str
) -> Written | None:
    """The artifact at ``path`` if it was made from the same upstream, weights, text, seed and settings.

    ``sections`` are the parts of the recipe that its result depends on.
    """
    try:
        artifact = store.read(path, kind)
    except InputError:
        return None
    recipe = setup.recipe.model_dump(mode="json")
    same = (
        [item.digest for item in artifact.inputs] == [digest for _, _, digest in inputs]
        and artifact.model.digest == setup.base.identity.digest
        and [record.code for record in artifact.languages] == list(setup.codes)
        and artifact.seed == setup.recipe.seed
        and all(artifact.recipe.get(section) == recipe[section] for section in (*sections, "data"))
        and {item.split: item.digest for item in artifact.data} == _text_digests(setup, artifact.data)
    )
    return Written(path, artifact, up_to_date=True) if same else None


def _text_digests(setup: Setup, recorded: Sequence[DataIdentity]) -> dict[str, str]:
    """The digests that the recorded splits have now."""
    data = setup.recipe.data
    read = {data.train: data.train_rows, data.test: data.test_rows}
    return {item.split: setup.read(item.split, read.get(item.split)).digest for item in recorded}


def _write_hypotheses(folder: RunFolder, hypotheses: Translations) -> None:
    for direction, lines in hypotheses.items():
        with store.replacing(folder.hypotheses / f"{direction}.txt") as temporary:
            temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


def _reported_run(
    experiment: ExperimentFolder, name: str | None
) -> tuple[RunFolder, Artifact[TrainingResult]] | None:
    """The named run, or the latest with adapters by language; None where there is none."""
    if name is not None:
        folder = experiment.run(name)
        return folder, _read_training(experiment, folder)
    for folder in reversed(experiment.trained_runs()):
        artifact = store.read(folder.training, TrainingResult)
        if artifact.result.method == Method.LSLO:
            return folder, artifact
    return None


@contextmanager
def _clear_memory_errors() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise out_of_memory(error) from error


def _open_stage(experiment: Experiment, path: Path, work: Path, resume: bool, on_event: OnEvent) -> Setup:
    """Check that the artifact can be written before anything long begins, then prepare the stage."""
    store.check_writable(path.parent)
    setup = prepare(experiment.recipe, on_event)
    setup.work, setup.resume = work, resume
    return setup


def _write_stage(
    path: Path, result: Result, experiment: Experiment, setup: Setup, stopwatch: Stopwatch, *chosen: Chosen
) -> Written:
    """Write the artifact of a stage, and then forget its checkpoint."""
    written = _write(
        path,
        result,
        experiment,
        model=setup.model_identity,
        data=setup.data,
        inputs=[item for choice in chosen for item in choice.inputs],
        stopwatch=stopwatch,
        device=setup.device,
    )
    if setup.work:
        shutil.rmtree(setup.work, ignore_errors=True)
    return written


def _write(
    path: Path,
    result: Result,
    experiment: Experiment,
    *,
    model: ModelIdentity,
    data: list[DataIdentity],
    inputs: Sequence[tuple[str, Path, str]],
    stopwatch: Stopwatch,
    device: str,
) -> Written:
    """Write an artifact; ``inputs`` are (role, path, digest), their paths kept relative to the artifact's folder."""
    recipe = experiment.recipe
    artifact = Artifact[type(result)](
        schema_id=f"lslo/{result.kind}",
        version=result.version,
        experiment=recipe.experiment,
        seed=recipe.seed,
        languages=[LanguageRecord.of(language) for language in recipe.selected_languages()],
        recipe=recipe.model_dump(mode="json"),
        inputs=[Input(role=role, path=_relative(source, path.parent), digest=digest) for role, source, digest in inputs],
        data=data,
        model=model,
        result=result,
        digest=digest_of(result.model_dump(mode="json")),
        made=made(stopwatch, device, experiment.command),
    )
    store.write(path, artifact)
    return Written(path, artifact)


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
