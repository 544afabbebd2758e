"""The paper's figures, each a pure function from results to a matplotlib figure, and one to save them.

Importing this package loads matplotlib, seaborn and pandas; nothing else in lslo does. No function opens
a window, chooses a backend or leaves a setting changed.
"""

from lslo_cli.plots.curves import epochs, schedule, weights
from lslo_cli.plots.demand import heatmap, matrices
from lslo_cli.plots.files import save
from lslo_cli.plots.scores import directions, pareto
from lslo_cli.plots.style import COLUMN_WIDTH, PAGE_WIDTH
from lslo_cli.plots.text import heatmap_text

__all__ = [
    "COLUMN_WIDTH",
    "PAGE_WIDTH",
    "directions",
    "epochs",
    "heatmap",
    "heatmap_text",
    "matrices",
    "pareto",
    "save",
    "schedule",
    "weights",
]
