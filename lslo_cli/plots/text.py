"""The demand map for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from lslo_cli.artifacts.results import SubspaceResult
from lslo_cli.method.importance import mean_demand
from lslo_cli.method.languages import Language
from lslo_cli.method.sites import KINDS, Stack
from lslo_cli.plots.demand import check_cross_language
from lslo_cli.plots.style import by_resource

SHADES = " ░▒▓█"
CELL = 5


def heatmap_text(result: SubspaceResult, languages: Sequence[Language]) -> str:
    """Languages x matrices, averaged over layers (figure 2), in lines of at most 80 characters.

    Every cell is the demand as a percentage of the largest one in size, with its sign; where it is
    positive, a block behind it shows how much. Raises InputError for an estimate that pruned each
    language alone.
    """
    check_cross_language(result)
    languages = by_resource(languages)
    matrices = list(result.pruned.matrices("B"))
    demand = {stack: mean_demand(matrices, result.target_ratio, stack) for stack in Stack}
    kinds = {
        stack: [kind for kind in KINDS[stack] if any(k is kind for _, k in demand[stack])] for stack in Stack
    }
    limit = max((abs(value) for values in demand.values() for value in values.values()), default=0) or 1.0
    margin = 3 + max(len(language.code) for language in languages)
    lines = [
        " " * margin + "  ".join(stack.center(CELL * len(kinds[stack])) for stack in Stack).rstrip(),
        " " * margin + "  ".join("".join(f"{kind:>{CELL - 1}} " for kind in kinds[stack]) for stack in Stack),
    ]
    for language in languages:
        halves = (
            "".join(_cell(demand[stack].get((language.code, kind)), limit) for kind in kinds[stack])
            for stack in Stack
        )
        lines.append(f"{language.resource.letter}  {language.code}".ljust(margin) + "  ".join(halves))
    return "\n".join([*lines, "", f"+100 = {limit:,.0f} entries of B kept beyond the target share"])


def _cell(demand: float | None, limit: float) -> str:
    if demand is None:
        return " " * CELL
    percent = round(100 * demand / limit)
    shade = SHADES[-(-max(percent, 0) * (len(SHADES) - 1) // 100)]
    return (f"{percent:+d}" if percent else "0").rjust(CELL - 1) + shade
