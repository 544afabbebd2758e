"""The settings of cross-lingual transfer with FLARE (``lslo flare``)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Annotated, TypeVar

from pydantic import Field, field_validator, model_validator

from lslo_cli.errors import UsageError
from lslo_cli.method.codes import find_code
from lslo_cli.method.flare import SOURCE, FlareRun, SourceNoise, SourceNorm, Translated
from lslo_cli.recipe.section import (
    MOST,
    Count,
    FromHome,
    NonNegative,
    Positive,
    Probability,
    Section,
    Seed,
    Share,
)

T = TypeVar("T")

DEFAULT_RUNS = ("zero-shot", "translate-test", "lora", "input-fusion", "x-mixup", "flare", "flare-shuffled")


SHORTEST = 6
"""The fewest tokens of a text: a pair has up to four special ones, and a token of each text."""

TextLength = Annotated[int, Field(ge=SHORTEST, le=MOST, strict=True)]


class FlareSection(Section):
    """A task, its model, and the methods to compare on it.

    ``task`` is nusax, xnli, tydiqa or world, ``data`` the folder of its files, ``model`` the task model: a
    folder, a hub id, or ``world``, the encoder of the built-in world's base. ``languages`` are targets,
    ``runs`` the methods by name: flare:PHI:OFFSET, flare-mt:NAME with NAME a key of ``translators``, a base
    model of lslo or, with the adapters of a run folder, BASE@RUN. It reads a text as its own language or, if
    it does not know that, as ``translator_reads_as``, which should be the nearest that it knows.

    ``translated`` names the splits whose texts are machine translations in the folder ``translations``:
    train, test or both; if empty, the texts are the published ones.

    ``source_noise`` changes a share of the words of source texts, see ``lslo_cli/flare/noise.py``:
    ``train_noise`` of them in training and development, unless a run has its own as flare~0.4, and in tests
    each share of ``test_noise``. Tables, controls and activations use the first of these.

    ``mask_padding = false`` also fuses the states of a source text's padding, as the released code does.

    Encoders answer with a head, decoders in words: to a question, in at most ``answer_tokens`` tokens.
    ``dropout`` is that of an encoder's or decoder's layers. A head for labels always has 0.1, and the encoder
    of a translation model always its own.

    The optimisation defaults are those of the released code: AdamW, a linear schedule with warm-up over a
    tenth of all updates, the best epoch on the development set. ``english_epochs`` and ``english_lr`` apply
    to tuning on the source language; None takes ``epochs`` and ``lr``.
    """

    task: str = "nusax"
    """Task: nusax, xnli, tydiqa or world."""
    data: FromHome = "data/nusax"
    """Folder of the task's files."""
    model: str = "FacebookAI/xlm-roberta-large"
    """The task model."""
    revision: str | None = None
    """Revision of the task model on the hub; default: the cached one, or the newest."""
    translated: tuple[Translated, ...] = ()
    """Splits whose texts are machine translations: train, test or both; default: none."""
    translations: FromHome = "data/translations"
    """Folder of these translations."""
    languages: tuple[str, ...] = ("ace", "ban", "bjn", "id", "jv", "min", "su")
    """Target languages."""
    seeds: tuple[Seed, ...] = (1, 2, 3, 4, 5)
    """Seeds, one experiment for each."""
    runs: tuple[str, ...] = DEFAULT_RUNS
    """Methods by name; also flare:PHI:OFFSET, flare-mt:NAME, flare-shuffled:PHI:OFFSET and flare~NOISE."""
    translators: dict[str, str] = Field(default_factory=dict)
    """Translation models by name, for flare-mt:NAME."""
    translator_reads_as: str = "id"
    """Language that translators read a target text as if they do not know its own."""
    rank: Count = 8
    """Rank of every adapter."""
    alpha: Positive = 16.0
    """LoRA's alpha: updates are scaled by alpha / rank."""
    source_norm: SourceNorm = SourceNorm.NONE
    """Normalisation of the source's states before fusion."""
    source_noise: SourceNoise = SourceNoise.REPLACE
    """Kind of noise in the words of source texts."""
    train_noise: Share = 0.0
    """Share of a source's words to change in training and development."""
    test_noise: tuple[Share, ...] = (0.0,)
    """Shares of a source's words to change in tests, one test for each."""
    mask_padding: bool = True
    """Whether to leave the padding of a source text unfused; the released code fuses it."""
    elsewhere: bool = False
    """Whether every other linear layer of a block carries a plain LoRA, too."""
    mixup_block: Count | None = None
    """Block after which X-Mixup mixes; default: the middle one."""
    max_length: TextLength = 128
    """Tokens of the longest text, special ones included; longer ones are cut."""
    answer_tokens: Count = 32
    """Most tokens of an answer by a decoder."""
    dropout: Probability | None = None
    """Dropout in the layers of the task model, but not of a translation model's; default: its own."""
    train_rows: Count | None = None
    """Only the first rows of the training text are read and translated; default: all."""
    epochs: Count = 3
    """Epochs on each target language."""
    lr: Positive = 2e-5
    """Peak learning rate."""
    english_epochs: Count | None = None
    """Epochs of tuning on the source language; default: flare.epochs."""
    english_lr: Positive | None = None
    """Peak learning rate of tuning on the source language; default: flare.lr."""
    batch_size: Count = 32
    """Batch size in texts."""
    warmup: Probability = 0.1
    """Warm-up of the learning rate, as a share of all updates."""
    weight_decay: NonNegative = 0.01
    """Weight decay of AdamW."""
    clip_norm: NonNegative = 1.0
    """Gradient clipping: largest norm in an update; 0 does not clip."""

    @field_validator("runs")
    @classmethod
    def _runs_are_known(cls, runs: tuple[str, ...]) -> tuple[str, ...]:
        for run in runs:
            FlareRun.of_recipe(run)
        return runs

    @field_validator("languages", "seeds", "runs", "test_noise")
    @classmethod
    def _each_once(cls, values: tuple[T, ...]) -> tuple[T, ...]:
        if not values:
            raise ValueError("name at least one")
        repeated = [value for value in values if values.count(value) > 1]
        if repeated:
            raise ValueError(f"{repeated[0]} occurs twice; name each once")
        return values

    @field_validator("languages")
    @classmethod
    def _source_is_no_target(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
        if SOURCE in languages:
            raise ValueError(
                f"'{SOURCE}' is the source language, which is trained first in any case; name the targets"
            )
        return languages

    @model_validator(mode="after")
    def _runs_differ(self) -> FlareSection:
        """Raise UsageError for two names of one run, such as flare and flare:add-relu:1."""
        names: dict[FlareRun, str] = {}
        for name, run in zip(self.runs, self.parsed_runs(), strict=True):
            other = names.setdefault(replace(run, train_noise=run.noise(self.train_noise)), name)
            if other != name:
                raise UsageError(
                    f"{other} and {name} are the same run where flare.train_noise = {self.train_noise:g}",
                    f"leave one of them out: --runs {','.join(each for each in self.runs if each != name)}",
                )
        return self

    def check_given(self, keys: Collection[str]) -> None:
        """Raise UsageError if a recipe key was given that these settings leave without effect."""
        if "flare.translations" in keys and not self.translated:
            raise UsageError(
                f"flare.translations = {self.translations} has no effect without flare.translated",
                "say which texts are read from there: --set flare.translated=train,test",
            )

    def translator(self, name: str) -> str | None:
        """The translation model called ``name``, with a hyphen or an underscore; None if there is none."""
        return self.translators.get(name.replace("-", "_"))  # the form of recipe keys

    def read_as(self, language: str, known: Collection[str]) -> str | None:
        """The language that a translation model, which knows ``known``, reads texts of ``language`` as.

        That language itself, or else ``translator_reads_as``; None if the model knows neither.
        """
        names = (language, self.translator_reads_as)
        return next((name for name in names if find_code(name, known) in known), None)

    def parsed_runs(self) -> tuple[FlareRun, ...]:
        """The runs as values."""
        return tuple(map(FlareRun.parse, self.runs))
