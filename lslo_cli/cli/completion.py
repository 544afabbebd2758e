"""Shell completion of values: existing names, language codes, and the choices of a flag.

Nothing here loads torch or reads an artifact: the shell waits for it every time Tab is pressed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import typer
from typer.models import ParameterInfo

Values = Callable[[typer.Context], Iterable[str]]

WORD = re.compile(r"[a-z][a-z0-9-]*")
"""A part of a metavar that is itself a value, as in ``merged|peft|NAME``."""


def offered(info: ParameterInfo, key: str) -> Callable[..., list[str]] | None:
    """The completion of a flag that sets a recipe ``key``, or none; None where the shell completes files."""
    values = VALUES.get(key) or VALUES.get(str(info.default))
    if values is None and key and not (info.metavar or "").isupper():
        values = _choices(key)
    words = WORD.findall(info.metavar or "") if "|" in (info.metavar or "") else []
    return offering(values, words) if values or words else None


def offering(values: Values | None, words: Sequence[str] = ()) -> Callable[..., list[str]]:
    """The completion of a flag or argument by ``values`` and ``words``, each of which may end a list."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        found = [*(values(ctx) if values else ()), *words]
        given, comma, _ = incomplete.rpartition(",")
        return [given + comma + value for value in dict.fromkeys(found)]

    return complete


def _choices(key: str) -> Values:
    def choices(ctx: typer.Context) -> Iterable[str]:
        from lslo_cli.recipe.keys import key_facts

        return (choice for choice in key_facts(key).choices if choice[0] != "<")

    return choices


def _results(ctx: typer.Context) -> Path:
    from lslo_cli.artifacts.folder import RESULTS

    return Path(ctx.params.get("results") or os.environ.get("LSLO_RESULTS") or RESULTS)


def experiments(ctx: typer.Context) -> Iterator[str]:
    """The folders of ``--results``."""
    yield from sorted(path.name for path in _folders(_results(ctx)))


def runs(ctx: typer.Context) -> Iterator[str]:
    """The runs of the experiment that ``--name`` chooses, or else of all in ``--results``, and ``base``."""
    results, name = _results(ctx), ctx.params.get("name")
    places = [results / name] if name else list(_folders(results))
    yield "base"
    yield from sorted(
        {path.name for place in places for part in ("runs", "seed-*/runs") for path in _folders(place, part)}
    )


def recipes(ctx: typer.Context) -> list[str]:
    """The recipes that come with lslo, and files of recipes in the current folder."""
    from lslo_cli.recipe.files import recipe_names

    return [*recipe_names(), *sorted(path.name for path in Path().glob("*.toml"))]


def targets(ctx: typer.Context) -> list[str]:
    """What can be reproduced."""
    return [*recipes(ctx), "tables", "figures", "all"]


def parts(ctx: typer.Context) -> list[str]:
    """Parts of what is reproduced: stages, figures, and existing runs."""
    from lslo_cli.flare.catalogue import FIGURES as FLARES_FIGURES
    from lslo_cli.method.flare import FlareMethod
    from lslo_cli.plots.catalogue import FIGURES
    from lslo_cli.recipe.reproduce import Stage

    figures = (figure.name for figure in (*FIGURES, *FLARES_FIGURES))
    return [*Stage, *figures, *runs(ctx), "translate", "tuning", *FlareMethod, "test", "report"]


def languages(ctx: typer.Context) -> list[str]:
    """Codes of the paper's languages and of the built-in world's; models know more."""
    from lslo_cli.method.languages import LANGUAGES
    from lslo_cli.world import NEWCOMERS, WORLD

    return [*LANGUAGES, *WORLD, *NEWCOMERS]


def language_sets(ctx: typer.Context) -> list[str]:
    """Names of sets of languages, and codes."""
    from lslo_cli.method.languages import LANGUAGE_SETS

    return [*LANGUAGE_SETS, "world12", *languages(ctx)]


def models(ctx: typer.Context) -> list[str]:
    """Base models by name: the built-in one, and published ones."""
    from lslo_cli.method.families import HUB_NAMES

    return ["world", *HUB_NAMES]


def shapes(ctx: typer.Context) -> list[str]:
    """Base models by their short names."""
    from lslo_cli.method.families import SHAPES

    return [*SHAPES]


def metrics(ctx: typer.Context) -> list[str]:
    """Metrics by name."""
    from lslo_cli.method.metrics import METRICS

    return [metric.name for metric in METRICS]


def recipe_keys(ctx: typer.Context) -> list[str]:
    """Every key of a recipe, up to its value."""
    from lslo_cli.recipe.keys import known_keys

    return [f"{key}=" for key in known_keys() if "." in key]


def methods(ctx: typer.Context) -> list[str]:
    """FLARE and the methods it is compared with."""
    from lslo_cli.method.flare import FlareMethod

    return [*FlareMethod]


def indices(ctx: typer.Context) -> list[str]:
    """What may select the adapters."""
    return ["learned", "paper", "source", "target"]


VALUES: Mapping[str, Values] = {
    "flare.runs": methods,
    "--add-lang": languages,
    "--index": indices,
    "--langs": language_sets,
    "--like": languages,
    "--metric": metrics,
    "--metrics": metrics,
    "--model": models,
    "--name": experiments,
    "--only": parts,
    "--ranks": lambda ctx: ["auto", "2,2,8"],
    "--recipe": recipes,
    "--run": runs,
    "--runs": runs,
    "--set": recipe_keys,
    "--settings-of": runs,
    "--source": languages,
    "--src": languages,
    "--target": languages,
    "--targets": languages,
    "--tgt": languages,
}
"""Completions by recipe key or by flag; arguments name their own, by :func:`offering`."""


def _folders(place: Path, below: str = "") -> Iterator[Path]:
    pattern = f"{below}/*" if below else "*"
    return (path for path in place.glob(pattern) if path.is_dir() and not path.name.startswith("."))
