"""Results of ``lslo flare``: adapters by method, and their answers with the right and wrong sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from pydantic import Field

from lslo_cli.artifacts.results import TensorFile
from lslo_cli.artifacts.schema import Document, Number, Result
from lslo_cli.method.flare import SOURCE, FlareMethod, FlareRun
from lslo_cli.wording import Command


class FlareEpoch(Document):
    """One epoch of task training: mean loss per text, and the score on the development set."""

    epoch: int
    loss: Number
    dev_score: Number


class TextOrigin(Document):
    """The translator of a text: a base model, the run of its adapters, and its beam.

    ``rows`` are the translated rows, without the ``lost`` questions, whose answer lost a mark.
    """

    model: str
    run: str
    beam: int
    rows: int
    lost: int

    @property
    def translator(self) -> str:
        return f"{self.model}, run {self.run}, beam {self.beam}"


class TrainedRun(Document):
    """One method's training: ``weights`` are those of ``best_epoch``, None if nothing is trained.

    ``translator`` is FLARE-MT's translation model and the language it reads texts as;
    ``translator_digest`` is over its weights, adapters included.

    ``left_out`` counts the training rows that were skipped, since their answer was cut off.

    ``seconds`` are those of training alone, including the source's states; ``step_seconds`` is the median of
    one update.
    """

    run: str
    method: str
    translator: str = ""
    translator_digest: str = ""
    left_out: int = 0
    trainable_parameters: int = 0
    adapter_parameters: int = 0
    seconds: Number = 0.0
    step_seconds: Number = 0.0
    best_epoch: int = 0
    history: list[FlareEpoch] = Field(default_factory=list)
    weights: TensorFile | None = None

    @property
    def read_as(self) -> str:
        """The language that the translation model reads texts as; empty without one."""
        return self.translator.rpartition(" as ")[2]

    def is_by(self, digest: str, read_as: str) -> bool:
        """Whether the translation model is the one of a digest, wherever it lies, and reads texts so."""
        return (self.translator_digest, self.read_as) == (digest, read_as)


CHOICES = {
    *("runs", "languages", "seeds"),
    *("data", "translated", "translations", "model", "revision"),
    *("translators", "translator_reads_as"),
}
"""Settings of the amount of work, and of where text and models lie, which an artifact knows by digest."""


READ_BY: dict[str, Callable[[FlareRun, Mapping[str, Any]], bool]] = {
    "source_norm": lambda run, _: run.method.fuses,
    "mask_padding": lambda run, _: run.method.fuses,
    "mixup_block": lambda run, _: run.method is FlareMethod.X_MIXUP,
    "train_noise": lambda run, _: run.method.trains_on_source and run.train_noise is None,
    "source_noise": lambda run, values: run.noise(values["train_noise"]) > 0,
}
"""Settings that only some runs read: whether a run does in [flare] with such values."""


class FlareResult(Result):
    """The common part of the results of ``lslo flare``."""

    chosen: ClassVar[set[str]] = CHOICES
    """Settings that a result does not depend on, or records itself."""

    def parsed_runs(self) -> list[FlareRun]:
        """The runs in it as values."""
        raise NotImplementedError

    def settings(self, recipe: Any) -> list[Any]:
        """Those of the recipe's [flare] that are :meth:`relevant`."""
        return [self.relevant(recipe.flare.model_dump(mode="json"))]

    def relevant(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values of [flare] that the result depends on: none is :attr:`chosen`, and a run reads each."""
        runs = self.parsed_runs()
        unread = {key for key, reads in READ_BY.items() if not any(reads(run, values) for run in runs)}
        if "test_noise" not in self.chosen and any(values["test_noise"]):
            unread -= {"source_noise"}
        return {key: value for key, value in values.items() if key not in self.chosen | unread}


class FlareTrainingResult(FlareResult):
    """All methods' training on one language; for the source language, the tuning they start from.

    ``translations`` are the origins of translated texts, by split.
    """

    chosen: ClassVar[set[str]] = {*CHOICES, "test_noise"}
    kind: ClassVar[str] = "flare-training"
    command: ClassVar[Command] = Command("flare train")

    task: str
    language: str
    runs: list[TrainedRun]
    translations: dict[str, TextOrigin] = Field(default_factory=dict)

    def parsed_runs(self) -> list[FlareRun]:
        """The runs in it as values, without the tuning, which reads no source."""
        return [FlareRun.parse(run.run) for run in self.runs] if self.language != SOURCE else []

    def run(self, name: str) -> TrainedRun | None:
        return next((run for run in self.runs if run.run == name), None)


class Prediction(Document):
    """One run's answers to a test set, one digit for each row: the number of the label.

    An answer that names no label is the number of labels. In question answering 1 is a right answer, 0 a
    wrong one.

    ``weights`` is the digest of the run's adapters, empty for a run that trains nothing. ``token_f1`` is
    question answering's second score.

    ``source`` is matched, or a control: zero, mean or shuffled. ``noise`` is the share of its words that
    were changed, see :mod:`lslo_cli.flare.noise`.
    """

    run: str
    weights: str = ""
    source: str
    noise: Number = 0.0
    score: Number
    token_f1: Number | None = None
    answers: str


class Activation(Document):
    """Mean of relu(S) and relu(T) over real tokens in one adapter's bottleneck (the paper's figure 5).

    ``noise`` is that of the sources, as in a :class:`Prediction`; before it was recorded there was none.
    """

    run: str
    adapter: str
    noise: Number = 0.0
    source: list[Number]
    target: list[Number]


class FlareEvaluationResult(FlareResult):
    """Every run's answers to a language's test set; ``shuffled`` gives the row of each row's wrong source.

    One row alone has none.

    ``translations`` is the origin of translated sources, by split.
    """

    kind: ClassVar[str] = "flare-evaluation"
    command: ClassVar[Command] = Command("flare evaluate")

    task: str
    language: str
    metric: str
    labels: list[str]
    gold: str
    shuffled: list[int]
    predictions: list[Prediction]
    activations: list[Activation] = Field(default_factory=list)
    translations: dict[str, TextOrigin] = Field(default_factory=dict)

    @property
    def tested(self) -> set[str]:
        """The names of the runs in it."""
        return {test.run for test in self.predictions}

    def parsed_runs(self) -> list[FlareRun]:
        return [FlareRun.parse(run) for run in self.tested]

    def by_run(self) -> dict[str, list[Prediction]]:
        """The tests of each run."""
        tests: dict[str, list[Prediction]] = {}
        for test in self.predictions:
            tests.setdefault(test.run, []).append(test)
        return tests


class FlareTranslationResult(Result):
    """The origin of a file of translated texts; ``file`` is its sha256.

    ``languages`` are source and target in the translator's codes, ``run`` is the run of its adapters and
    ``weights`` their digest, None for a base alone. ``rows`` exclude the ``lost`` questions, whose answer
    lost a mark.
    """

    kind: ClassVar[str] = "flare-translation"
    command: ClassVar[Command] = Command("flare translate")

    task: str
    split: str
    languages: dict[str, str]
    run: str
    weights: str | None
    rows: int
    lost: int
    file: str
