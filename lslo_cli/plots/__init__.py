"""The paper's figures, each a pure function from results to a matplotlib figure, and one to save them.

``figures(folder)`` draws all that an experiment's artifacts allow. Importing this package loads matplotlib,
seaborn and pandas; nothing else in lslo does. No function opens a window, chooses a backend or leaves a
setting changed.
"""

from lslo_cli.plots import sketches
from lslo_cli.plots.curves import epochs, schedule, weights
from lslo_cli.plots.files import Format, save, svg
from lslo_cli.plots.maps import heatmap, matrices
from lslo_cli.plots.scores import directions, pareto
from lslo_cli.plots.sketches import Drawn, Missing, Sketch, draw_all, figures
from lslo_cli.plots.style import COLUMN_WIDTH, PAGE_WIDTH, Style
from lslo_cli.plots.text import Span, TextFigure
from lslo_cli.plots.text_bars import epochs_text, pareto_text, schedule_text, weights_text
from lslo_cli.plots.text_maps import directions_text, heatmap_text, matrices_text

__all__ = [
    "COLUMN_WIDTH",
    "PAGE_WIDTH",
    "Drawn",
    "Format",
    "Missing",
    "Sketch",
    "Span",
    "Style",
    "TextFigure",
    "directions",
    "directions_text",
    "draw_all",
    "epochs",
    "epochs_text",
    "figures",
    "heatmap",
    "heatmap_text",
    "matrices",
    "matrices_text",
    "pareto",
    "pareto_text",
    "save",
    "schedule",
    "schedule_text",
    "sketches",
    "svg",
    "weights",
    "weights_text",
]
