"""The headline table of FLARE (Borchert et al., ACL 2025) as data: averages over target languages."""

from __future__ import annotations

TASKS = {"XNLI": "accuracy", "TyDiQA": "exact match", "NusaX": "macro-F1"}

_ROWS = {
    "zero-shot": "76.95 36.31 75.26  77.92 45.90 74.72  77.40  2.36 71.74  80.47  2.46 71.61",
    "translate-test": "77.13 41.06 74.85  79.03 47.92 75.77  79.08  2.53 72.67  79.99  2.28 71.61",
    "lora": "80.49 40.14 77.00  79.79 46.76 80.41  80.74 42.84 74.76  84.89 49.93 79.37",
    "x-mixup": "79.47 38.24 76.37  79.63 48.23 78.61  80.22 17.47 75.91  84.62 35.45 79.94",
    "input-fusion": "77.24 40.45 78.53  78.81 47.58 80.12  80.70 46.09 74.60  80.53 51.29 77.98",
    "flare-mt": "81.60 38.88 77.18  80.80 48.48 81.37  80.83 38.95 74.52  84.84 49.63 78.09",
    "flare": "80.99 40.93 79.18  81.00 49.34 80.54  80.92 47.74 76.08  85.01 52.14 80.86",
}
MODELS = ("XLM-R Large", "mT5-XL", "Llama 3.1 8B", "Gemma 2 9B")


def headline(model: str) -> dict[str, dict[str, float]]:
    """Scores by method, then by task, of one of ``MODELS``."""
    start = MODELS.index(model) * len(TASKS)
    return {
        method: dict(zip(TASKS, map(float, row.split()[start : start + len(TASKS)]), strict=True))
        for method, row in _ROWS.items()
    }


PHI_ABLATION = {
    "add": {"XNLI": 80.53, "TyDiQA": 40.31, "NusaX": 78.73},
    "mul": {"XNLI": 79.59, "TyDiQA": 36.23, "NusaX": 77.73},
    "add-relu": {"XNLI": 80.99, "TyDiQA": 40.93, "NusaX": 79.18},
    "cross-attention": {"XNLI": 80.66, "TyDiQA": 39.15, "NusaX": 77.72},
}
"""XLM-R Large by fusion function, as a third party reports the paper's ablation."""
