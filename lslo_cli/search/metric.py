"""The metrics, by sacreBLEU; spBLEU's signature names the sentencepiece model."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol
from unicodedata import normalize

import numpy as np
from sacrebleu.metrics import BLEU, CHRF, TER

from lslo_cli.errors import InputError
from lslo_cli.events import Noted, OnEvent, ignore
from lslo_cli.home import with_home
from lslo_cli.models.segmentation import read_segmenter
from lslo_cli.models.tokenizer_files import segmenter_path

FLORES101 = "flores101"
FLORES101_PIECES = 256_000
HOW_TO_GET_IT = (
    "with a network connection, let sacreBLEU fetch it: "
    """`python -c "from sacrebleu.metrics import BLEU; BLEU(tokenize='flores101')"`"""
)


Lines = Sequence[str]


@dataclass(frozen=True)
class Score:
    """A metric's score of one set of hypotheses, with its signature."""

    value: float
    signature: str


@dataclass(frozen=True)
class BleuScore(Score):
    """spBLEU and the statistics that it is computed from.

    ``counts`` and ``totals`` are matching and all n-grams of the hypotheses, n = 1 to 4, over all sentences;
    ``sys_len`` and ``ref_len`` count pieces of hypotheses and references.
    """

    counts: tuple[int, ...]
    totals: tuple[int, ...]
    sys_len: int
    ref_len: int


class Metric(Protocol):
    """A metric of :data:`lslo_cli.method.metrics.METRICS`. It is pickled, to score in several processes."""

    def scores(
        self, sources: Sequence[Lines], translations: Sequence[Lines], references: Lines
    ) -> Sequence[Score]:
        """Score several sets of hypotheses, ``translations``, each with its ``sources``, line by line.

        They share their references, which are prepared once. Raises InputError if hypotheses and references
        differ in number or there are none.
        """
        ...


@dataclass(frozen=True)
class MetricSettings:
    """Settings of metrics: the recipe's sentencepiece model, relative to ``place``, and the base's folder."""

    metric_model: str | None
    base: Path
    on_event: OnEvent = ignore
    place: Path = Path()


def open_spbleu(settings: MetricSettings) -> SpBleu:
    """spBLEU over FLORES-101's pieces, those of a file, or the base model's.

    If none is chosen and FLORES-101's model is not on disk, the base model's own pieces are used and a note
    says so; the signature then differs, so that the scores are not mistaken for usual spBLEU. Raises
    InputError for a model that is missing or damaged.
    """
    chosen, own = settings.metric_model, segmenter_path(settings.base)
    if chosen == FLORES101 or (chosen is None and flores101_model().exists()):
        return SpBleu()
    if chosen is not None:
        return SpBleu(own if chosen == "base" else settings.place / chosen)
    metric = SpBleu(own)
    settings.on_event(
        Noted(
            f"no FLORES-101 sentencepiece model at {flores101_model()}: scoring over the base model's own "
            f"pieces, signature {metric.name}; such scores compare only with each other"
        )
    )
    return metric


def open_chrf_plus_plus(settings: MetricSettings) -> SacreMetric:
    """chrF++: n-grams of characters and of up to two words."""
    return SacreMetric(partial(CHRF, word_order=2))


def open_chrf(settings: MetricSettings) -> SacreMetric:
    """chrF over characters only."""
    return SacreMetric(CHRF)


def open_ter(settings: MetricSettings) -> SacreMetric:
    """Translation edit rate: lower is better."""
    return SacreMetric(TER)


@dataclass(frozen=True)
class SacreMetric:
    """A corpus-level metric of sacreBLEU that only needs the text. ``make`` takes its references."""

    make: Callable[..., Any]

    def scores(
        self, sources: Sequence[Lines], translations: Sequence[Lines], references: Lines
    ) -> list[Score]:
        """As :meth:`Metric.scores`; the sources are not used."""
        _check_aligned(translations, references)
        metric = self.make(references=[composed(references)])
        found = [metric.corpus_score(composed(hypotheses), None).score for hypotheses in translations]
        return [Score(value, str(metric.get_signature())) for value in found]


def composed(lines: Lines) -> list[str]:
    """Lines in Unicode's NFC, so that accents as separate characters (NFD) count as the same text."""
    return [normalize("NFC", line) for line in lines]


def _check_aligned(translations: Sequence[Lines], references: Lines) -> None:
    for hypotheses in translations:
        if len(hypotheses) != len(references) or not hypotheses:
            raise InputError(
                f"{len(hypotheses):,} hypotheses cannot be scored against {len(references):,} references",
                "translate the test set again",
            )


def flores101_model() -> Path:
    """The path of FLORES-101's sentencepiece model in sacreBLEU's cache.

    ``SACREBLEU`` is read when this is called; sacreBLEU itself reads it when it is imported.
    """
    cache = with_home(os.environ.get("SACREBLEU") or "~/.sacrebleu")
    return cache / "models" / "sacrebleu_tokenizer_spm.model"


class SpBleu:
    """spBLEU: BLEU over sentencepiece pieces (Goyal et al., 2022). Nothing is ever downloaded.

    ``name`` is part of the signature: ``flores101``, or ``spm-local-`` and the start of ``sha256`` for any
    other sentencepiece model, whose scores compare only with each other. ``pieces`` is the model's size.
    """

    def __init__(self, tokenizer_model: Path | None = None):
        """``tokenizer_model`` is a sentencepiece model or a tokenizer.json.

        None takes FLORES-101's from sacreBLEU's cache.

        Raises InputError if the file is missing or damaged, or is clearly not FLORES-101's.
        """
        self.path = flores101_model() if tokenizer_model is None else Path(tokenizer_model)
        model = _read(self.path, is_flores101=tokenizer_model is None)
        self.sha256 = sha256(model).hexdigest()
        self._segmenter = read_segmenter(self.path, model)
        self.pieces = len(self._segmenter.pieces)
        self.name = FLORES101 if tokenizer_model is None else f"spm-local-{self.sha256[:8]}"
        # sacreBLEU accepts any file of the right name, and there is no published checksum.
        if tokenizer_model is None and round(self.pieces, -3) != FLORES101_PIECES:
            raise InputError(
                f"{self.path} has {self.pieces:,} pieces; FLORES-101's model has {FLORES101_PIECES:,}",
                f"remove it, and {HOW_TO_GET_IT}",
            )

    def scores(
        self, sources: Sequence[Lines], translations: Sequence[Lines], references: Lines
    ) -> list[BleuScore]:
        """As :meth:`Metric.scores`; the sources are not used."""
        _check_aligned(translations, references)
        # The lines are split already, so sacreBLEU splits at spaces only; force silences its warning.
        bleu = BLEU(tokenize="none", force=True, references=[self._split(references)])
        bleu.tokenizer_signature = self.name
        found = [bleu.corpus_score(self._split(hypotheses), None) for hypotheses in translations]
        return [
            BleuScore(
                score.score,
                str(bleu.get_signature()),
                tuple(score.counts),
                tuple(score.totals),
                score.sys_len,
                score.ref_len,
            )
            for score in found
        ]

    def sentence_statistics(self, hypotheses: Sequence[str], references: Sequence[str]) -> np.ndarray:
        """The statistics of each sentence that spBLEU sums: int64 (sentences, 10).

        N-grams matched and in total, n = 1 to 4 each, and the lengths of hypothesis and reference in pieces.
        """
        bleu = BLEU(tokenize="none", force=True, effective_order=True)
        table = np.zeros((len(hypotheses), 10), dtype=np.int64)
        lines = zip(self._split(hypotheses), self._split(references), strict=True)
        for number, (hypothesis, reference) in enumerate(lines):
            score = bleu.sentence_score(hypothesis, [reference])
            table[number] = (*score.counts, *score.totals, score.sys_len, score.ref_len)
        return table

    def _split(self, lines: Sequence[str]) -> list[str]:
        # rstrip as sacreBLEU does before it calls a tokenizer.
        return [" ".join(self._segmenter.split(line.rstrip())) for line in composed(lines)]


def _read(path: Path, is_flores101: bool) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        if not is_flores101:
            raise InputError(
                f"no sentencepiece model to score with at {path}", "name one, such as the base model's own"
            ) from error
        raise InputError(
            f"FLORES-101's sentencepiece model, which spBLEU needs, is not at {path}",
            f"{HOW_TO_GET_IT}; or score over another model with --metric-model FILE, or over the base "
            "model's own pieces with --metric-model base: the signature then says so",
        ) from error


_SENTENCE_CHRF = CHRF(word_order=2)


def sentence_chrf(hypothesis: str, reference: str) -> float:
    """chrF++ of one sentence, 0 to 100; it is more sensitive than BLEU of one sentence."""
    hypothesis, reference = composed([hypothesis, reference])
    return float(_SENTENCE_CHRF.sentence_score(hypothesis, [reference]).score)
