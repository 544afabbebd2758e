"""Cross-lingual transfer of a task: the methods compared, by name, and FLARE's fusion functions."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from lslo_cli.errors import InputError, UsageError, nearest
from lslo_cli.wording import counted

Member = TypeVar("Member", bound=StrEnum)

SOURCE = "en"
"""The language that tasks are transferred from."""


class Phi(StrEnum):
    """Fusion functions of source and target in the bottleneck. The paper's headline is ``add-relu``."""

    ADD = "add"
    MUL = "mul"
    ADD_RELU = "add-relu"
    MUL_RELU = "mul-relu"
    CROSS_ATTENTION = "cross-attention"


class SourceNorm(StrEnum):
    """The norm of source states before A: none, as released, or the block's own input norm."""

    NONE = "none"
    INPUT = "input"


class FlareMethod(StrEnum):
    """How a task is transferred from English. All methods start from the model fine-tuned on English."""

    ZERO_SHOT = "zero-shot"
    """The English model reads the target text."""
    TRANSLATE_TEST = "translate-test"
    """The English model reads the English text: no training, and no target language."""
    LORA = "lora"
    """Translate-train: a fresh LoRA learns from target texts."""
    INPUT_FUSION = "input-fusion"
    """The same, reading source and target one after the other."""
    X_MIXUP = "x-mixup"
    """Hidden states of both texts are mixed by attention."""
    FLARE = "flare"
    """Source and target are fused in the bottleneck."""
    FLARE_MT = "flare-mt"
    """The source is a translation encoder's states of the target text."""
    FLARE_SHUFFLED = "flare-shuffled"
    """A control: FLARE trained with the sources of other rows."""

    @property
    def trains(self) -> bool:
        return self not in (FlareMethod.ZERO_SHOT, FlareMethod.TRANSLATE_TEST)

    @property
    def fuses(self) -> bool:
        return self in (FlareMethod.FLARE, FlareMethod.FLARE_MT, FlareMethod.FLARE_SHUFFLED)

    @property
    def reads_source(self) -> bool:
        """Whether it reads the source's words, so that noise in them affects its answers."""
        return self not in (FlareMethod.ZERO_SHOT, FlareMethod.LORA, FlareMethod.FLARE_MT)

    @property
    def trains_on_source(self) -> bool:
        """Whether it is trained with the source's words."""
        return self.trains and self.reads_source

    @property
    def texts_at_once(self) -> int:
        """The number of texts in one input: two where source and target are concatenated."""
        return 2 if self is FlareMethod.INPUT_FUSION else 1


class SourceGiven(StrEnum):
    """The source that a trained model is given in a test; all but the first are controls."""

    MATCHED = "matched"
    """The source of the same row."""
    ZERO = "zero"
    """Zeros in place of the source: phi(0, A t)."""
    MEAN = "mean"
    """The mean of all sources."""
    SHUFFLED = "shuffled"
    """The source of another row."""


class SourceNoise(StrEnum):
    """How a share of a source's words is corrupted."""

    REPLACE = "replace"
    """Replaced by other words of the sources."""
    DROP = "drop"
    """Removed."""
    SHUFFLE = "shuffle"
    """Permuted among each other."""


class Translated(StrEnum):
    """Which texts are machine translations; the others are as they were published."""

    TRAIN = "train"
    """Target texts in training and development, translated from the source."""
    TEST = "test"
    """Source texts in a test, translated from the target."""


@dataclass(frozen=True)
class FlareRun:
    """One method with its choices, by a name such as ``flare:mul:0``, ``flare-mt:lslo`` or ``flare~0.4``.

    ``phi`` and ``source_layer_offset`` apply to methods that fuse; ``translator`` names the recipe's
    translation model that FLARE-MT uses. ``train_noise``, in [0, 1], is the share of words that are changed
    in the training's sources; None is the recipe's.
    """

    method: FlareMethod
    phi: Phi = Phi.ADD_RELU
    source_layer_offset: int = 1
    translator: str = ""
    train_noise: float | None = None

    @classmethod
    def parse(cls, text: str) -> FlareRun:
        """Read ``method``, ``flare:phi``, ``flare:phi:offset`` or ``flare-mt:translator``.

        A method that is trained with sources takes ``~share`` after it: ``input-fusion~0.4``. Raises
        UsageError for a word that is not known or is one too many, and for noise in sources that are not read
        in training.
        """
        plain, tilde, share = text.partition("~")
        run = cls._plain(plain)
        if not tilde:
            return run
        if not run.method.trains_on_source:
            raise UsageError(
                f"'{text}': {run.method} is trained without sources, which have no noise then",
                f"write {plain}",
            )
        return replace(run, train_noise=_share(text, share))

    @classmethod
    def of_recipe(cls, text: str) -> FlareRun:
        """:meth:`parse` the name of a run that is to be made.

        Raises UsageError as it does, and for ``flare-mt`` alone, which stands for every run of it.
        """
        run = cls.parse(text)
        if run.method is FlareMethod.FLARE_MT and not run.translator:
            raise UsageError(
                f"'{text}' names no translation model",
                "write flare-mt:NAME, and say what NAME is: --set flare.translators.NAME=FOLDER",
            )
        return run

    @classmethod
    def _plain(cls, text: str) -> FlareRun:
        """A run without noise of its own."""
        name, *choices = text.split(":")
        method = _member(FlareMethod, name, "method")
        if method is FlareMethod.FLARE_MT:
            return cls(method, translator=":".join(choices))
        if not method.fuses and choices:
            raise UsageError(f"'{text}': {method} takes no options", f"write {method}")
        phi = _member(Phi, choices[0], "fusion") if choices else Phi.ADD_RELU
        offset = choices[1] if choices[1:] else "1"
        if offset not in ("0", "1"):
            raise UsageError(
                f"'{text}': the source layer offset cannot be {offset}", "choose 1 (paper) or 0 (released)"
            )
        run = cls(method, phi, int(offset))
        if choices[2:]:
            raise UsageError(f"'{text}': nothing can come after the source layer offset", f"write {run}")
        return run

    def __str__(self) -> str:
        noise = "" if self.train_noise is None else f"~{self.train_noise:g}"
        match self.method:
            case FlareMethod.FLARE | FlareMethod.FLARE_SHUFFLED:
                return f"{self.method}:{self.phi}:{self.source_layer_offset}{noise}"
            case FlareMethod.FLARE_MT if self.translator:
                return f"{self.method}:{self.translator}"
            case _:
                return f"{self.method}{noise}"

    def noise(self, of_recipe: float) -> float:
        """The share of words that are changed in the sources of its training: its own or the recipe's."""
        own = of_recipe if self.train_noise is None else self.train_noise
        return own if self.method.trains_on_source else 0.0

    @property
    def tested_with(self) -> tuple[SourceGiven, ...]:
        """The sources given in a test, controls included; fewer if the run is itself a control."""
        if not self.method.fuses:
            return (SourceGiven.MATCHED,)
        if self.method is FlareMethod.FLARE_SHUFFLED:
            return SourceGiven.MATCHED, SourceGiven.SHUFFLED
        return tuple(SourceGiven)

    @property
    def sort_key(self) -> tuple[int, str]:
        """The sort key of runs: the method, and within a method the default run first."""
        return list(FlareMethod).index(self.method), "" if self == FlareRun(self.method) else str(self)

    @property
    def stem(self) -> str:
        """The name for use in file names."""
        return str(self).replace(":", "-")


def check_has_others(rows: int, text: str) -> None:
    """Raise InputError if a row of a text with so many has no other row."""
    if rows < 2:
        raise InputError(
            f"{text} has {counted(rows, 'row')}, and the control with shuffled sources needs another row's "
            "source",
            "give it two rows at least, or leave out of --runs the methods that fuse a source",
        )


def shuffled_rows(rows: int, seed: int) -> list[int]:
    """A random cyclic permutation of rows, drawn from ``seed``: no row is mapped to itself.

    Raises InputError for fewer than two rows, which have none.
    """
    check_has_others(rows, "a text")
    order = list(range(rows))
    random.Random(f"shuffled sources {seed}").shuffle(order)
    partner = dict(zip(order, [*order[1:], order[0]], strict=True))
    return [partner[row] for row in range(rows)]


def _share(text: str, share: str) -> float:
    """The share of noise in a run's name."""
    try:
        value = float(share)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError(
            f"'{text}': the share of noise is '{share}', not a number from 0 to 1",
            f"write it like {text.partition('~')[0]}~0.4",
        )
    return value


def _member(kind: type[Member], text: str, what: str) -> Member:
    if text not in tuple(kind):
        raise UsageError(f"unknown {what} '{text}'.{nearest(text, kind)}", f"choose among {', '.join(kind)}")
    return kind(text)
