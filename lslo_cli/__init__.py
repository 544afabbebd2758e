"""lslo: language-specific low-rank subspaces for multilingual machine translation.

Notebooks and scripts import the names in ``__all__``. Imports are lazy.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from lslo_cli.api import (
        Corpus,
        Direction,
        Experiment,
        Score,
        Translator,
        evaluate,
        load_adapter,
        load_base,
        load_corpus,
        open_experiment,
        train,
        translate,
    )

__all__ = [
    "Corpus",
    "Direction",
    "Experiment",
    "Score",
    "Translator",
    "evaluate",
    "load_adapter",
    "load_base",
    "load_corpus",
    "open_experiment",
    "train",
    "translate",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from lslo_cli import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
