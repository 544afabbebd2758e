"""``lslo flare``: from a recipe to artifacts by seed and language, keeping what is up to date."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from lslo_cli.artifacts import store
from lslo_cli.artifacts.provenance import Stopwatch, digest_of, digest_of_file, made
from lslo_cli.artifacts.schema import Artifact, DataIdentity, ModelIdentity, Result
from lslo_cli.errors import InputError
from lslo_cli.events import OnEvent, ignore
from lslo_cli.flare.architectures import decodes_only
from lslo_cli.flare.examples import Pairs
from lslo_cli.flare.folder import FlareFolder, LanguageFolder
from lslo_cli.flare.loading import weight_files
from lslo_cli.flare.results import FlareEvaluationResult, FlareTrainingResult, TrainedRun
from lslo_cli.flare.runs import TUNING, answer, probe, train_run, tune
from lslo_cli.flare.setup import FlareSetup
from lslo_cli.flare.task_model import TaskModel
from lslo_cli.flare.tasks import SOURCE
from lslo_cli.method.flare import FlareMethod, FlareRun, shuffled_rows
from lslo_cli.recipe import Precision, Recipe, recorded
from lslo_cli.tasks.experiment import Upstream, Written
from lslo_cli.training.device import attention_for, describe_device, open_device

CHOICES = {"runs", "languages", "seeds", "translators", "translator_reads_as"}
"""Settings that say how much is done, or that a run names by itself."""


@dataclass(frozen=True)
class FlareExperiment:
    """A recipe, the folder of its artifacts, and the command line that is running, for the record."""

    recipe: Recipe
    folder: FlareFolder
    command: str

    @property
    def fixed(self) -> dict[str, Any]:
        """The settings that every run depends on."""
        return _fixed(self.recipe)


def _fixed(recipe: Recipe) -> dict[str, Any]:
    values = recipe.model_dump(mode="json")
    flare = {key: value for key, value in values["flare"].items() if key not in CHOICES}
    return {"flare": flare, "run": {key: values["run"][key] for key in ("precision", "tf32")}}


class Seed:
    """One seed of an experiment: its setup, and the artifacts of its languages."""

    def __init__(self, experiment: FlareExperiment, seed: int, on_event: OnEvent):
        self.experiment = experiment
        self.seed = seed
        accelerator = open_device(experiment.recipe)
        precision = experiment.recipe.run.precision
        self.setup = FlareSetup(
            experiment.recipe.flare,
            seed,
            accelerator.device,
            torch.bfloat16 if precision is Precision.BF16 else torch.float32,
            attention_for(accelerator),
            on_event,
        )

    @property
    def source(self) -> LanguageFolder:
        return self.folder(SOURCE)

    def folder(self, language: str) -> LanguageFolder:
        return self.experiment.folder.of(self.seed, language)

    @cached_property
    def tuned(self) -> TaskModel:
        """The model tuned on the source language. Raises InputError where it has not been trained."""
        artifact = store.read(self.source.training, FlareTrainingResult)
        run = artifact.result.run(TUNING)
        return self.setup.tuned_model(store.read_tensor_path(self.source.training, run.weights))

    @cached_property
    def tuning(self) -> Upstream:
        """The tuning as what other artifacts are made from."""
        artifact = store.read(self.source.training, FlareTrainingResult)
        return Upstream("tuning", self.source.training, artifact.digest)

    def current(
        self, path: Path, kind: type[Result], upstream: Sequence[Upstream], data: Sequence[DataIdentity]
    ) -> Result | None:
        """The result at ``path`` where it was made from the same settings, model, text and artifacts."""
        try:
            artifact = store.read(path, kind)
        except InputError:
            return None
        made_with = recorded(artifact.recipe)
        same = (
            made_with is not None
            and _fixed(made_with) == self.experiment.fixed
            and artifact.model == self.model
            and [item.digest for item in artifact.inputs] == [item.digest for item in upstream]
            and artifact.data == list(data)
        )
        return artifact.result if same else None

    def write(
        self,
        path: Path,
        result: Result,
        upstream: Sequence[Upstream],
        data: Sequence[DataIdentity],
        stopwatch: Stopwatch,
    ) -> Written:
        """Write ``result`` with where it comes from."""
        artifact = Artifact[type(result)](
            schema_id=f"lslo/{result.kind}",
            version=result.version,
            experiment=self.experiment.recipe.experiment,
            seed=self.seed,
            languages=[],
            recipe=self.experiment.fixed,
            inputs=[item.as_input(path.parent) for item in upstream],
            data=list(data),
            model=self.model,
            result=result,
            digest=digest_of(result.model_dump(mode="json")),
            made=made(stopwatch, describe_device(self.setup.device), self.experiment.command),
        )
        store.write(path, artifact)
        return Written(path, artifact)

    @cached_property
    def model(self) -> ModelIdentity:
        """The task model: name, sha256 over its weight files, shape."""
        settings = self.setup.settings
        network = self.setup.new_model().backbone
        config = network.config
        layers = config.num_hidden_layers
        writes = decodes_only(config.model_type)
        return ModelIdentity(
            name=settings.model,
            revision=settings.revision,
            digest=digest_of([digest_of_file(path) for path in weight_files(settings.model)]),
            encoder_layers=0 if writes else layers,
            decoder_layers=layers if writes else 0,
            d_model=config.hidden_size,
            ffn_dim=getattr(config, "intermediate_size", None) or config.d_ff,
            vocab_size=config.vocab_size,
            parameters=network.num_parameters(),
        )

    def data(self, language: str, splits: Sequence[str]) -> list[DataIdentity]:
        """The identity of the text that a language's runs read."""
        return [self._identity(language, split, self.setup.pairs(language, split)) for split in splits]

    def _identity(self, language: str, split: str, pairs: Pairs) -> DataIdentity:
        rows = len(pairs.target)
        return DataIdentity(
            path=self.setup.settings.data,
            split=f"{language}/{split}",
            rows=rows + pairs.left_out,
            examples=rows,
            digest=pairs.digest,
            limit=self.setup.settings.train_rows if split == "train" else None,
        )


def train(experiment: FlareExperiment, on_event: OnEvent = ignore) -> Iterator[Written]:
    """Tune on the source language and train every run on every target language, for every seed.

    Every artifact is yielded when its last run is done. It is written after each run, so an interrupted
    experiment goes on where it stopped when it is called again.
    """
    for number in experiment.recipe.flare.seeds:
        seed = Seed(experiment, number, on_event)
        yield _tuned(seed)
        for language in experiment.recipe.flare.languages:
            yield _trained(seed, language)


def _tuned(seed: Seed) -> Written:
    path = seed.source.training
    data = seed.data(SOURCE, ("train", "dev"))
    current = seed.current(path, FlareTrainingResult, (), data)
    if current and _whole(path, current):
        return Written(path, store.read(path, FlareTrainingResult), up_to_date=True)
    stopwatch = Stopwatch()
    run = tune(seed.setup, seed.source.weights(TUNING))
    result = FlareTrainingResult(task=seed.setup.settings.task, language=SOURCE, runs=[run])
    return seed.write(path, result, (), data, stopwatch)


def _trained(seed: Seed, language: str) -> Written:
    folder, upstream = seed.folder(language), (seed.tuning,)
    data = seed.data(language, ("train", "dev"))
    current = seed.current(folder.training, FlareTrainingResult, upstream, data)
    done = {run.run: run for run in current.runs} if current and _whole(folder.training, current) else {}
    wanted = seed.setup.settings.parsed_runs()
    written = None
    for run in wanted:
        if str(run) in done and _same_translator(seed.setup, done[str(run)], run):
            continue
        stopwatch = Stopwatch()
        done[str(run)] = train_run(seed.setup, seed.tuned, run, language, folder.weights(run.stem))
        result = FlareTrainingResult(
            task=seed.setup.settings.task, language=language, runs=list(done.values())
        )
        written = seed.write(folder.training, result, upstream, data, stopwatch)
    return written or Written(
        folder.training, store.read(folder.training, FlareTrainingResult), up_to_date=True
    )


def _same_translator(setup: FlareSetup, done: TrainedRun, run: FlareRun) -> bool:
    found = done.translator, done.translator_digest
    return found == (setup.translator_of(run), setup.translator_digest(run))


def _whole(path: Path, result: FlareTrainingResult) -> bool:
    """Whether all weights of a training are there, as they were written."""
    try:
        for run in result.runs:
            if run.weights:
                store.read_tensor_path(path, run.weights)
    except InputError:
        return False
    return True


def evaluate(experiment: FlareExperiment, on_event: OnEvent = ignore) -> Iterator[Written]:
    """Test every trained run on every target language with its controls, and yield each artifact.

    Raises InputError where something has not been trained.
    """
    for number in experiment.recipe.flare.seeds:
        seed = Seed(experiment, number, on_event)
        for language in experiment.recipe.flare.languages:
            yield _evaluated(seed, language)


def _evaluated(seed: Seed, language: str) -> Written:
    folder = seed.folder(language)
    training = store.read(folder.training, FlareTrainingResult)
    upstream = (seed.tuning, Upstream("training", folder.training, training.digest))
    data = seed.data(language, ("test",))
    if seed.current(folder.evaluation, FlareEvaluationResult, upstream, data):
        return Written(
            folder.evaluation, store.read(folder.evaluation, FlareEvaluationResult), up_to_date=True
        )
    stopwatch = Stopwatch()
    task, pairs = seed.setup.task, seed.setup.pairs(language, "test")
    predictions, activations = [], []
    for record in training.result.runs:
        run = FlareRun.parse(record.run)
        path = store.read_tensor_path(folder.training, record.weights) if record.weights else Path()
        predictions += answer(seed.setup, seed.tuned, run, language, path, pairs)
        if run == FlareRun(FlareMethod.FLARE):
            activations = probe(seed.setup, seed.tuned, run, language, path, pairs)
    result = FlareEvaluationResult(
        task=seed.setup.settings.task,
        language=language,
        metric=task.metric,
        labels=list(task.labels),
        gold="".join(map(str, pairs.labels)) if task.labels else "1" * len(pairs.target),
        shuffled=shuffled_rows(len(pairs.labels), seed.seed),
        predictions=predictions,
        activations=activations,
    )
    return seed.write(folder.evaluation, result, upstream, data, stopwatch)
