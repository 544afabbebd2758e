"""The list of FLARE's figures, which ``lslo plot``, ``lslo report`` and ``lslo reproduce`` use.

An entry names the function that prepares its figure: given folders of an experiment or of its seeds, it
returns a :class:`~lslo_cli.plots.specs.PreparedFigure`, and raises InputError if none of the runs that it
shows exists. Nothing here loads matplotlib.
"""

from __future__ import annotations

from lslo_cli.plots.specs import FigureSpec

READS = ("evaluation",)

FIGURES = (
    FigureSpec(
        name="flare-languages",
        summary="Draw the score of every method in every target language.",
        source="lslo_cli.flare.figures:prepare_languages",
        paper="FLARE, the scores behind its headline table",
        reads=READS,
    ),
    FigureSpec(
        name="flare-sources",
        summary="Draw fusion functions with the right source and with those of the controls.",
        source="lslo_cli.flare.figures:prepare_sources",
        paper="none; the controls that FLARE's scores need",
        reads=READS,
    ),
    FigureSpec(
        name="flare-activations",
        summary="Draw mean activations of source and target in the bottleneck, by dimension and by layer.",
        source="lslo_cli.flare.figures:prepare_activations",
        paper="FLARE, figure 5",
        reads=READS,
        hint="of the run flare",
    ),
    FigureSpec(
        name="flare-noise",
        summary="Draw scores against noise in the sources: FLARE, LoRA, translate-test and input fusion.",
        source="lslo_cli.flare.figures:prepare_noise",
        paper="none; where fusion pays",
        reads=READS,
        hint="with several shares in flare.test_noise",
    ),
)
