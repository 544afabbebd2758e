"""The paper's figures, each a pure function from results to a matplotlib figure, and one to save them.

``figures(folder)`` draws all that an experiment's artifacts allow; :data:`FIGURES` lists them. Imports are
lazy, since matplotlib, seaborn and pandas take a second. No function opens a window, chooses a backend or
leaves a setting changed.
"""

from importlib import import_module
from typing import Any

_MODULES = {
    "curves": ("epochs", "schedule", "weights"),
    "catalogue": ("FIGURES", "DrawnFigure", "MissingFigure", "draw_all", "figure_named", "figures"),
    "files": ("FigureFormat", "save", "svg"),
    "maps": ("heatmap", "matrices"),
    "similarity": ("relatives", "relatives_text"),
    "scores": ("directions", "pareto"),
    "specs": ("FigureSpec", "PreparedFigure", "RunChoice"),
    "style": ("COLUMN_WIDTH", "PAGE_WIDTH", "Style"),
    "text": ("TextSpan", "TextFigure"),
    "text_bars": ("epochs_text", "pareto_text", "schedule_text", "weights_text"),
    "text_maps": ("directions_text", "heatmap_text", "matrices_text"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
