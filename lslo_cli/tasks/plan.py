"""The plan of a command: inputs are loaded, so that errors show; nothing is written.

The plan of an evaluation does not load the weights of the base model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lslo_cli.artifacts import store
from lslo_cli.artifacts.folder import BASE_RUN, RunFolder
from lslo_cli.artifacts.results import SubspaceResult
from lslo_cli.data.splits import check_splits
from lslo_cli.events import Event, Noted
from lslo_cli.method.families import HUB_NAMES, models_of
from lslo_cli.method.memory import base_bytes
from lslo_cli.method.ranks import RankMap
from lslo_cli.method.shapes import ModelShape
from lslo_cli.method.strategy import IndexStrategy
from lslo_cli.models.base_info import shape_without_folder
from lslo_cli.models.model_languages import check_model_languages
from lslo_cli.models.work import (
    Work,
    batches_of_flores,
    describe_index,
    in_binary_units,
    parameters_by_language,
    training_facts,
    work_of,
)
from lslo_cli.recipe import Method, Recipe
from lslo_cli.search.metric import SpBleu
from lslo_cli.tasks.batch_size import resolve_batch_size
from lslo_cli.tasks.choices import (
    AUTO,
    Choices,
    Chosen,
    choose_index,
    languages_to_prune,
    note_replaced,
    run_folder,
    subspace_path,
)
from lslo_cli.tasks.decoding import note_untested, open_metrics, sources_and_references
from lslo_cli.tasks.dev_gain import dev_text
from lslo_cli.tasks.evaluate import Adaptation, chosen_directions, trained_here
from lslo_cli.tasks.evaluations import place
from lslo_cli.tasks.experiment import Experiment, read_training
from lslo_cli.tasks.quality_curve import QualityCurve
from lslo_cli.tasks.setup import Setup, check_at_hand, prepare
from lslo_cli.tasks.train import adapted_languages, check_run, note_without_export, trained_directions
from lslo_cli.tasks.trained_for import runs_to_evaluate, with_new_languages
from lslo_cli.tasks.trained_text import check_selected
from lslo_cli.tasks.weights import ADAPTER, MODEL
from lslo_cli.training.trackers import check_tracker
from lslo_cli.wording import counted

Facts = list[tuple[str, str]]


@dataclass(frozen=True)
class Plan:
    """A plan: facts as (label, value), parameters as (language, resource, rank, count), files written."""

    title: str
    facts: tuple[tuple[str, str], ...]
    parameters: tuple[tuple[str, str, int, int], ...]
    files: tuple[Path, ...]


class Notes(Facts):
    """What a command would note before its work, as facts."""

    def __call__(self, event: Event) -> None:
        if isinstance(event, Noted):
            self.append(("note", event.text))


def plan(
    experiment: Experiment,
    command: str,
    *,
    run: str | None = None,
    runs: Sequence[str] = (),
    subspace: Path | None = None,
) -> Plan:
    """The plan of ``command`` with these choices. Raises whatever the command would raise before its work.

    For a published model that is not in a folder, its shape is used and nothing is downloaded.

    ``run`` is the name of train's run or the run that prune-report reads, as ``subspace`` is its estimate;
    ``runs`` are those to evaluate.
    """
    store.check_writable(experiment.folder.path)
    if command == "prune-report":
        return _report_plan(experiment, run, subspace)
    if command == "evaluate":
        return _evaluation_plan(experiment, runs)
    return _training_plan(experiment, command, run)


def _training_plan(experiment: Experiment, command: str, run: str | None) -> Plan:
    recipe = experiment.recipe
    if command == "estimate-subspace":
        recipe = recipe.for_estimation()
    check_tracker(recipe.run.track)
    files = _files_of_training(experiment, command, run)
    check_splits(recipe)
    shape = shape_without_folder(recipe.model.name)
    estimated = command == "train" and recipe.wanted_ranks() == AUTO
    if shape and not estimated:
        return _published_plan(recipe, command, shape, files)
    check_at_hand(recipe)
    notes = Notes()
    setup = prepare(recipe, on_event=notes)
    index, ranks, pruned = _choices(experiment, command, setup)
    if command == "train":
        folder = run_folder(experiment, run)
        note_replaced(folder, setup)
        note_untested(setup)
        note_without_export(setup)
    work = _work(recipe, command, ranks.value, pruned)
    setup = resolve_batch_size(setup, work)
    directions = trained_directions(setup, ranks.value)
    adapted = adapted_languages(ranks.value) if command == "train" else None
    batches = setup.training_batches(directions, adapted)
    facts = _common_facts(setup)
    if len(directions) < len(setup.directions):
        facts.append(("trains on", f"{len(directions)} of {len(setup.directions)} directions"))
    if index.value:
        facts.append(("index", describe_index(index.value, index.source)))
        codes, compared = setup.codes if adapted is None else adapted, command == "estimate-subspace"
        check_selected(index.value, codes, batches, notes, compared=compared)
    if command == "estimate-subspace":
        dev_text(setup)  # raises if it cannot be measured on
    if command == "train" and recipe.train.curve_rows:
        curve = QualityCurve(setup, None)  # raises if it cannot be made
        rows = recipe.train.curve_rows
        sample = f"{rows if rows == 'all' else counted(rows, 'sentence')} per direction and epoch"
        facts.append(("quality curve", f"{', '.join(curve.names)}: {sample}"))
    shape = setup.model_identity.shape
    facts += training_facts(setup.recipe, work, shape, len(batches.batches(1)))
    return Plan(command, (*facts, *notes), parameters_by_language(recipe, work, shape), files)


def _published_plan(recipe: Recipe, command: str, shape: ModelShape, files: tuple[Path, ...]) -> Plan:
    """The plan of training for a published model from its shape alone: neither weights nor text are read."""
    facts = _published_facts(recipe, shape)
    facts.append(("updates", "counted as for FLORES-101's dev split"))
    work = _work(recipe, command, recipe.given_ranks() if command == "train" else None)
    facts += training_facts(recipe, work, shape, batches_of_flores(recipe))
    return Plan(command, tuple(facts), parameters_by_language(recipe, work, shape), files)


def _work(recipe: Recipe, command: str, ranks: RankMap | None, named: Sequence[str] | None = None) -> Work:
    """The work of a command, without a schedule if it is known to prune nobody.

    ``named`` are the languages that an estimate would prune, None if it was not read.
    """
    work = work_of(recipe, command, ranks)
    unknown = named is None and recipe.train.gps_classes == AUTO
    if command == "train" and not unknown and not languages_to_prune(recipe, ranks, named):
        return replace(work, schedule=None)
    return work


def _published_facts(recipe: Recipe, shape: ModelShape) -> Facts:
    """The facts that need neither model nor text. Raises InputError for languages that the model lacks."""
    name = recipe.model.name
    to_load = "the weights were not loaded" if name in HUB_NAMES else f"to run, give {models_of(name)}"
    check_model_languages(recipe)
    languages = [language.code for language in recipe.selected_languages()]
    dtype = recipe.run.base_dtype
    size = in_binary_units(base_bytes(shape, dtype))
    text = (
        recipe.data.path if Path(recipe.data.path).exists() else f"{recipe.data.path}, which does not exist"
    )
    return [
        ("languages", f"{len(languages)}: {', '.join(languages)}"),
        (
            "base model",
            f"{name}: {HUB_NAMES.get(name, name)}, {shape.parameters:,} parameters, {size} as {dtype}",
        ),
        ("planned", f"from the published shape; {to_load}"),
        ("text", text),
    ]


def _choices(
    experiment: Experiment, command: str, setup: Setup
) -> tuple[Chosen[IndexStrategy | None], Chosen[RankMap | None], Sequence[str] | None]:
    """Index strategy, ranks and whom to prune as the command would choose them; None for what it does not."""
    recipe, model = experiment.recipe, setup.model_identity
    if command == "train":
        choices = Choices(experiment, model)
        return choices.index, choices.ranks, choices.pruned.value
    if command == "estimate-subspace":
        return choose_index(experiment, recipe.estimate_subspace.index, model), Chosen(None), None
    return Chosen(None), Chosen(None), None


def _files_of_training(experiment: Experiment, command: str, run: str | None) -> tuple[Path, ...]:
    if command == "weight-learn":
        return (experiment.folder.index_strategy,)
    if command == "estimate-subspace":
        return (subspace_path(experiment),)
    check_run(experiment)
    folder = run_folder(experiment, run)
    weights = MODEL if experiment.recipe.train.method is Method.FULL else ADAPTER
    return folder.training, folder.path / weights


def _evaluation_plan(experiment: Experiment, runs: Sequence[str]) -> Plan:
    folders = runs_to_evaluate(experiment, runs)
    trained = [
        None if folder.name == BASE_RUN else trained_here(folder, read_training(experiment.folder, folder))
        for folder in folders
    ]
    return evaluation_plan(with_new_languages(experiment, folders).recipe, folders, trained)


def evaluation_plan(
    recipe: Recipe, folders: Sequence[RunFolder], trained: Sequence[Adaptation | None]
) -> Plan:
    """What evaluating the runs in ``folders``, each as it was ``trained``, would do.

    Raises whatever it would raise before its work.
    """
    check_splits(recipe, testing=True)
    files = tuple(place(folder, recipe).evaluation for folder in folders)
    names = ("runs", ", ".join(folder.name for folder in folders))
    beam = f"beam {recipe.evaluate.beam}"
    if shape := shape_without_folder(recipe.model.name):
        facts = [*_published_facts(recipe, shape), names, ("each translates", f"what --data holds, {beam}")]
        return Plan("evaluate", tuple(facts), (), files)
    check_at_hand(recipe, testing=True)
    setup = prepare(recipe, weights=False)
    for each in filter(None, trained):
        each.check(setup)
    metrics = open_metrics(setup)
    corpus = setup.corpus(setup.recipe.data.test, recipe.data.test_rows)
    notes = Notes()
    sources, _ = sources_and_references(corpus, chosen_directions(setup), notes)
    sentences = sum(map(len, sources.values()))
    facts = [
        *_common_facts(setup),
        names,
        ("metrics", ", ".join(metrics)),
        *(
            ("spBLEU", f"with the sentencepiece model {metric.path} ({metric.name})")
            for metric in metrics.values()
            if isinstance(metric, SpBleu)
        ),
        (
            "each translates",
            f"{counted(sentences, 'sentence')} in {counted(len(sources), 'direction')}, {beam}",
        ),
        *notes,
    ]
    return Plan("evaluate", tuple(facts), (), files)


def _report_plan(experiment: Experiment, run: str | None, subspace: Path | None) -> Plan:
    folder = experiment.folder
    path = subspace or folder.subspace
    store.read_fresh(path, SubspaceResult)
    facts = [("reads", str(path))]
    if run:
        read_training(folder, folder.run(run))
        facts.append(("reads", str(folder.run(run).training)))
    return Plan("prune-report", tuple(facts), (), (folder.prune_report,))


def _common_facts(setup: Setup) -> Facts:
    (text,) = setup.data
    recipe = setup.recipe
    return [
        ("languages", f"{len(setup.codes)}: {', '.join(setup.codes)}"),
        ("base model", f"{recipe.model.name}, {setup.base.identity.parameters:,} parameters"),
        *(("new language", f"{code}, like {like}") for code, like in recipe.new_languages.items()),
        ("text", f"{text.path}, split '{text.split}', {text.examples:,} sentence pairs"),
        ("device", setup.device),
    ]
