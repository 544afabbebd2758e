"""Maps of demand and of gain for a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.results import SubspaceResult
from lslo_cli.method.languages import Language
from lslo_cli.method.metrics import SPBLEU
from lslo_cli.plots.demand import Demand, Pair, by_resource, of_languages, of_matrices
from lslo_cli.plots.gains import Gains, gains, signed
from lslo_cli.plots.style import Style
from lslo_cli.plots.text import COLUMNS, TextFigure, TextSpan, coloured, line, remark

SHADES = " ░▒▓█"
CELL = 5
LOOK = Style.SCREEN.look


def heatmap_text(
    results: Sequence[SubspaceResult],
    languages: Sequence[Language],
    *,
    by_layer: bool = False,
    counts: bool = False,
) -> TextFigure:
    """Languages x matrices, averaged over layers (figure 2) or layer by layer (figure 5).

    Every cell is the demand in percentage points of the matrix or, with ``counts``, in entries of B as a
    signed percentage of the largest absolute one; a block behind a positive one shows its size. Several
    results give their mean. Raises InputError as :func:`lslo_cli.plots.heatmap` does.
    """
    letters = {language.code: language.resource.letter for language in by_resource(languages)}
    return _maps(of_languages(results, languages, by_layer, counts), letters)


def matrices_text(
    results: Sequence[SubspaceResult],
    languages: Sequence[Language],
    *,
    by_language: bool = False,
    counts: bool = False,
) -> TextFigure:
    """Layers x matrices, averaged over languages (figure 4) or language by language (figure 6).

    Cells are those of :func:`heatmap_text`. Raises InputError for an estimate with one pool per matrix.
    """
    return _maps(of_matrices(results, languages, by_language, counts), {})


def directions_text(
    runs: Sequence[EvaluationResult], bases: Sequence[EvaluationResult], *, metric: str = SPBLEU
) -> TextFigure:
    """Gain in a metric over the base model, the mean over seeds: sources are rows, targets columns.

    Values that do not fit side by side are rounded to integers and, if these do not fit, to ninths of the
    largest. Raises InputError if the two share no direction or were scored with different metrics.
    """
    gained = gains(runs, bases, metric)
    codes = [language.code for language in gained.languages]
    margin = 4 + max(map(len, codes))
    cell = max(2, min(6, (COLUMNS - margin) // len(codes)))
    across = (COLUMNS - margin) // cell
    lines = remark(f"{runs[0].run} over {bases[0].run}: a row for each source, a column for each target")
    for start in range(0, len(codes), across):
        lines += [line(), *_block(gained, codes[start : start + across], margin, cell)]
    unit = f"; 9 = {gained.limit:.1f}" if cell < 4 else ""
    return TextFigure([*lines, line(), *remark(f"gain in {metric}{unit}; {gained.description}")])


def _maps(demand: Demand, letters: Mapping[str, str]) -> TextFigure:
    """Pairs of panels below each other, on one scale."""
    lines: list[list[TextSpan]] = []
    for pair in demand.pairs:
        lines += [*([line(pair.title)] if pair.title else []), *_pair(pair, demand, letters), line()]
    unit = f"+100 = {max(map(abs, demand.limits)):,.0f} entries of B" if demand.counts else demand.unit
    return TextFigure([*lines, *remark(f"{unit} kept beyond the target share"), *remark(demand.description)])


def _pair(pair: Pair, demand: Demand, letters: Mapping[str, str]) -> list[list[TextSpan]]:
    rows = list(next(iter(pair.panels.values())).index)
    names = {row: f"{letters[row]}  {row}" if row in letters else str(row) for row in rows}
    margin = 1 + max(map(len, names.values()))
    panels = pair.panels.items()
    heads = ("".join(f"{kind:>{CELL - 1}} " for kind in frame.columns) for _, frame in panels)
    stacks = (stack.center(CELL * len(frame.columns)) for stack, frame in panels)
    lines = [line(" " * margin + "  ".join(stacks)), line(" " * margin + "  ".join(heads))]
    for row in rows:
        spans = [TextSpan(names[row].ljust(margin))]
        for _, frame in panels:
            spans += [*(_cell(value, demand) for value in frame.loc[row]), TextSpan("  ")]
        lines.append(spans)
    return lines


def _cell(value: float, demand: Demand) -> TextSpan:
    if math.isnan(value):
        return TextSpan(" " * CELL)
    largest = max(map(abs, demand.limits))
    percent = round(100 * value / largest if demand.counts else value)
    shade = SHADES[math.ceil(max(value, 0) / largest * (len(SHADES) - 1)) if percent > 0 else 0]
    number = (f"{percent:+d}" if percent else "0").rjust(CELL - 1)
    return coloured(number + shade, value, demand.limits, LOOK.demand)


def _block(gained: Gains, targets: Sequence[str], margin: int, cell: int) -> list[list[TextSpan]]:
    """All sources against some of the targets; codes too long for a column are vertical."""
    height = 1 if max(map(len, targets)) < cell else max(map(len, targets))
    heads = [[code] if height == 1 else list(code.rjust(height)) for code in targets]
    lines = [line(" " * margin + "".join(head[n].rjust(cell) for head in heads)) for n in range(height)]
    for language in gained.languages:
        name = f"{language.resource.letter}  {language.code}".ljust(margin)
        values = gained.frame.loc[language.code, list(targets)]
        lines.append([TextSpan(name), *(_gain(value, gained.limit, cell) for value in values)])
    return lines


def _gain(gain: float, limit: float, cell: int) -> TextSpan:
    if math.isnan(gain):
        return TextSpan("·".rjust(cell))
    whole = round(gain if cell >= 4 else 9 * gain / limit)
    shown = signed(gain) if cell >= 6 else f"{whole:+d}" if whole else "0"
    return coloured(shown.rjust(cell), gain, (-limit, limit), LOOK.gain)
