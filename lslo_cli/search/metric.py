"""spBLEU and chrF++ by sacreBLEU, with a signature that says which sentencepiece model was used."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from sacrebleu.metrics import BLEU, CHRF

from lslo_cli.errors import InputError
from lslo_cli.models.segmentation import read_segmenter

FLORES101 = "flores101"
FLORES101_PIECES = 256_000
HOW_TO_GET_IT = (
    "where there is a network, let sacreBLEU fetch it: "
    """`python -c "from sacrebleu.metrics import BLEU; BLEU(tokenize='flores101')"`"""
)


@dataclass(frozen=True)
class Score:
    """Scores of one set of hypotheses, 0 to 100, and what they follow from.

    ``counts`` and ``totals`` are BLEU's matching and all n-grams of the hypotheses, n = 1 to 4, over all
    sentences; ``sys_len`` and ``ref_len`` count pieces of hypotheses and references.
    """

    spbleu: float
    signature: str
    counts: tuple[int, ...]
    totals: tuple[int, ...]
    sys_len: int
    ref_len: int
    chrf: float
    chrf_signature: str


def flores101_model() -> Path:
    """Where sacreBLEU keeps FLORES-101's sentencepiece model once it has fetched it.

    ``SACREBLEU`` is read when this is called; sacreBLEU itself reads it when it is imported.
    """
    cache = Path(os.environ.get("SACREBLEU") or "~/.sacrebleu").expanduser()
    return cache / "models" / "sacrebleu_tokenizer_spm.model"


class SpBleu:
    """spBLEU: BLEU over sentencepiece pieces (Goyal et al., 2022). Nothing is ever downloaded.

    ``name`` stands in the signature: ``flores101``, or ``spm-local-`` and the start of ``sha256`` for any
    other sentencepiece model, whose scores compare only with each other. ``pieces`` is the model's size.
    """

    def __init__(self, tokenizer_model: Path | None = None):
        """``tokenizer_model`` is a sentencepiece model or a tokenizer.json.

        None takes FLORES-101's from sacreBLEU's cache.

        Raises InputError where the file is missing or damaged, or is plainly not FLORES-101's.
        """
        self.path = flores101_model() if tokenizer_model is None else Path(tokenizer_model)
        model = _read(self.path, is_flores101=tokenizer_model is None)
        self.sha256 = sha256(model).hexdigest()
        self._segmenter = read_segmenter(self.path, model)
        self.pieces = len(self._segmenter.pieces)
        self.name = FLORES101 if tokenizer_model is None else f"spm-local-{self.sha256[:8]}"
        # sacreBLEU takes any model that bears the right name. Nobody publishes a checksum to hold it against.
        if tokenizer_model is None and round(self.pieces, -3) != FLORES101_PIECES:
            raise InputError(
                f"{self.path} has {self.pieces:,} pieces; FLORES-101's model has {FLORES101_PIECES:,}",
                f"remove it, and {HOW_TO_GET_IT}",
            )

    def score(self, hypotheses: Sequence[str], references: Sequence[str]) -> Score:
        """Score line-aligned hypotheses against one reference each.

        Raises InputError where the two differ in length or are empty.
        """
        (score,) = self.scores([hypotheses], references)
        return score

    def scores(self, translations: Sequence[Sequence[str]], references: Sequence[str]) -> list[Score]:
        """Score several sets of hypotheses as :meth:`score` does; their references are prepared once."""
        for hypotheses in translations:
            if len(hypotheses) != len(references) or not hypotheses:
                raise InputError(
                    f"{len(hypotheses):,} hypotheses cannot be scored against {len(references):,} references",
                    "translate the test set again",
                )
        # The lines are split here, so sacreBLEU splits at spaces only; force stops its warning about that.
        bleu = BLEU(tokenize="none", force=True, references=[self._split(references)])
        bleu.tokenizer_signature = self.name
        chrf = CHRF(word_order=2, references=[references])
        return [self._score(hypotheses, bleu, chrf) for hypotheses in translations]

    def sentence_statistics(self, hypotheses: Sequence[str], references: Sequence[str]) -> np.ndarray:
        """What spBLEU sums over sentences, for each: int64 (sentences, 10).

        N-grams matched and in all, n = 1 to 4 each, and the lengths of hypothesis and reference in pieces.
        """
        bleu = BLEU(tokenize="none", force=True, effective_order=True)
        table = np.zeros((len(hypotheses), 10), dtype=np.int64)
        lines = zip(self._split(hypotheses), self._split(references), strict=True)
        for number, (hypothesis, reference) in enumerate(lines):
            score = bleu.sentence_score(hypothesis, [reference])
            table[number] = (*score.counts, *score.totals, score.sys_len, score.ref_len)
        return table

    def _score(self, hypotheses: Sequence[str], bleu: BLEU, chrf: CHRF) -> Score:
        """Score by two metrics that know the references."""
        by_pieces = bleu.corpus_score(self._split(hypotheses), None)
        by_characters = chrf.corpus_score(hypotheses, None)
        return Score(
            spbleu=by_pieces.score,
            signature=str(bleu.get_signature()),
            counts=tuple(by_pieces.counts),
            totals=tuple(by_pieces.totals),
            sys_len=by_pieces.sys_len,
            ref_len=by_pieces.ref_len,
            chrf=by_characters.score,
            chrf_signature=str(chrf.get_signature()),
        )

    def _split(self, lines: Sequence[str]) -> list[str]:
        # rstrip as sacreBLEU does before it calls a tokenizer.
        return [" ".join(self._segmenter.split(line.rstrip())) for line in lines]


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
    """chrF++ of one sentence, 0 to 100, which tells apart what BLEU of one sentence does not."""
    return float(_SENTENCE_CHRF.sentence_score(hypothesis, [reference]).score)
