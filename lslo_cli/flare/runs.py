"""The runs of a FLARE experiment: tuning on the source language, one method's training, its answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from torch import Tensor

from lslo_cli.artifacts.provenance import digest_of_file
from lslo_cli.artifacts.results import TensorFile
from lslo_cli.errors import InputError
from lslo_cli.events import Noted
from lslo_cli.flare.examples import Pairs
from lslo_cli.flare.files import restore_flare, save_flare
from lslo_cli.flare.folder import LanguageFolder
from lslo_cli.flare.noise import with_noise
from lslo_cli.flare.probe import activations
from lslo_cli.flare.results import Activation, Prediction, TrainedRun
from lslo_cli.flare.setup import FlareSetup
from lslo_cli.flare.task_model import Prepared, TaskModel, longest_texts
from lslo_cli.flare.training import LinearDecay, fit_method
from lslo_cli.flare.transfer_methods import FusionMethod, TransferMethod
from lslo_cli.method.flare import FlareMethod, FlareRun, SourceGiven, shuffled_rows
from lslo_cli.method.task_scores import token_f1
from lslo_cli.recipe import FlareSection
from lslo_cli.wording import counted

TUNING = "tuning"
"""The name of the run on the source language from which all others start."""


def tune(setup: FlareSetup, folder: LanguageFolder) -> TrainedRun:
    """Tune a LoRA and the head on the source language, and write them and a log to its folder."""
    settings = setup.settings
    schedule = LinearDecay.of(
        settings, settings.english_epochs or settings.epochs, settings.english_lr or settings.lr
    )
    with setup.tuning() as method:
        splits = _splits(setup, method, folder.language)
        return _train(setup, method, splits, schedule, TrainedRun(run=TUNING, method=TUNING), folder, TUNING)


def train_run(setup: FlareSetup, tuned: TaskModel, run: FlareRun, folder: LanguageFolder) -> TrainedRun:
    """Train one method on the language of a folder, and write its weights and a log there."""
    if not run.method.trains:
        return TrainedRun(run=str(run), method=str(run.method))
    settings = setup.settings
    with setup.transfer_method(tuned, run, folder.language) as method:
        splits = _splits(setup, method, folder.language, run.noise(settings.train_noise))
        if run.method is FlareMethod.FLARE_SHUFFLED:
            splits = [
                split.given(SourceGiven.SHUFFLED, shuffled_rows(len(split.lengths), setup.seed))
                for split in splits
            ]
        record = TrainedRun(
            run=str(run),
            method=str(run.method),
            translator=setup.translator_of(run, folder.language),
            translator_digest=setup.translator_digest(run),
        )
        schedule = LinearDecay.of(settings, settings.epochs, settings.lr)
        return _train(setup, method, splits, schedule, record, folder, run.stem)


def answer(
    setup: FlareSetup, tuned: TaskModel, run: FlareRun, language: str, path: Path, pairs: Pairs
) -> list[Prediction]:
    """One method's answers to a test set, and to the controls if it fuses.

    A method that reads sources answers with each share of noise in them; controls use the first share.
    """
    settings = setup.settings
    first, *others = settings.test_noise
    with setup.transfer_method(tuned, run, language) as method:
        if run.method.trains:
            restore_flare(path, method.attached(), method.modules())

        def prepared(noise: float) -> Prepared:
            return _prepared(setup, method, pairs, f"{language}/test", noise)

        def given() -> Iterator[tuple[float, SourceGiven, Prepared]]:
            split = prepared(first)
            other = shuffled_rows(len(split.lengths), setup.seed) if run.method.fuses else ()
            for source in run.tested_with:
                yield first, source, split.given(source, other)
            del split  # one share of noise at a time is in memory
            for noise in others if run.method.reads_source else ():
                yield noise, SourceGiven.MATCHED, prepared(noise)

        return [_answers(setup, method, run, source, each, noise) for noise, source, each in given()]


def probe(
    setup: FlareSetup, tuned: TaskModel, run: FlareRun, language: str, path: Path, pairs: Pairs
) -> list[Activation]:
    """Mean activations of source and target in every bottleneck of a FLARE run (the paper's figure 5).

    The sources are those of tables and controls, with the first share of noise in them.
    """
    noise = setup.settings.test_noise[0]
    with setup.transfer_method(tuned, run, language) as method:
        restore_flare(path, method.attached(), method.modules())
        assert isinstance(method, FusionMethod)  # no other method is probed
        split = _prepared(setup, method, pairs, f"{language}/test", noise)
        found = activations(method, split, setup.settings.batch_size)
    return [
        Activation(run=str(run), adapter=name, noise=noise, source=source, target=target)
        for name, (source, target) in found.items()
    ]


def _answers(
    setup: FlareSetup,
    method: TransferMethod,
    run: FlareRun,
    source: SourceGiven,
    split: Prepared,
    noise: float,
) -> Prediction:
    answers, labels = method.predict(split, setup.settings.batch_size), split.labels.tolist()
    digits = answers if setup.task.labels else [int(exact) for exact, _ in answers]
    return Prediction(
        run=str(run),
        source=str(source),
        noise=noise,
        score=setup.task.score(answers, labels),
        token_f1=None if setup.task.labels else token_f1(answers),
        answers="".join(map(str, digits)),
    )


def _splits(setup: FlareSetup, method: TransferMethod, language: str, noise: float = 0.0) -> list[Prepared]:
    """The training and development text of a language, with ``noise`` in its sources."""
    return [
        _prepared(setup, method, setup.pairs(language, split), f"{language}/{split}", noise)
        for split in ("train", "dev")
    ]


def _prepared(setup: FlareSetup, method: TransferMethod, pairs: Pairs, what: str, noise: float) -> Prepared:
    """A split prepared for a method, with ``noise`` in its sources; a warning counts texts that are cut."""
    settings = setup.settings
    split = method.prepare(with_noise(pairs, settings.source_noise, noise, setup.seed))
    if split.cut:
        texts = counted(split.cut, "text")
        setup.warn_once(f"{what}: cut {texts} at flare.max_length = {settings.max_length}")
    return split


def _train(
    setup: FlareSetup,
    method: TransferMethod,
    splits: Sequence[Prepared],
    schedule: LinearDecay,
    record: TrainedRun,
    folder: LanguageFolder,
    stem: str,
) -> TrainedRun:
    """Train a method on ``splits`` and write its files, called ``stem``; returns the ``record`` completed."""
    name, language = record.run, folder.language
    every, dev = splits
    train = every.with_answers()
    left_out = len(every.lengths) - len(train.lengths)
    if left_out:
        if not train.lengths:
            raise InputError(
                f"no answer of the {language} training text lies within {setup.settings.max_length} tokens",
                _longer(setup.settings, method),
            )
        setup.on_event(
            Noted(f"{name} on {language}: {left_out} training rows left out, their answer cut off")
        )
    task = f"{name} on {language}, seed {setup.seed}"
    trained = fit_method(setup, method, train, dev, schedule, task, folder.metrics(stem))
    adapters, path = method.attached(), folder.weights(stem)
    setup.on_main(lambda: save_flare(path, adapters, method.modules(), run=name, language=language))
    found = {
        "left_out": left_out,
        "trainable_parameters": _count(method.parameters()),
        "adapter_parameters": _count(adapters.parameters()),
        "seconds": trained.seconds,
        "step_seconds": trained.step_seconds,
        "best_epoch": trained.best_epoch,
        "history": trained.history,
        "weights": TensorFile(path=f"weights/{path.name}", digest=digest_of_file(path)),
    }
    return record.model_copy(update=found)


def _longer(settings: FlareSection, method: TransferMethod) -> str:
    """The hint that more of each text be read, at most what the model of every run reads."""
    limits = [longest_texts(method.model, run.method) for run in settings.parsed_runs()]
    most = min((limit for limit in limits if limit is not None), default=4 * settings.max_length)
    if most > settings.max_length:
        return f"read more of each text: --set flare.max_length={most}"
    return "choose a model that reads longer texts, or give shorter ones"


def _count(parameters: Iterable[Tensor]) -> int:
    return sum(parameter.numel() for parameter in parameters)
