"""Whether an artifact was made with the current settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lslo_cli.artifacts import store
from lslo_cli.artifacts.results import LearnedResult, PruneReportResult
from lslo_cli.artifacts.schema import Artifact, LanguageRecord, ModelIdentity, Result
from lslo_cli.data.splits import with_splits
from lslo_cli.errors import InputError
from lslo_cli.method.languages import Language
from lslo_cli.recipe import FitSection, Recipe, RunSection, recorded
from lslo_cli.recipe.sections import BATCH_TOKENS
from lslo_cli.recipe.toml import scalar

SWITCHES = "precision", "tf32", "share_sources", "base_dtype"
"""Keys of [run] that change results, if only by rounding."""


def arithmetic(run: RunSection, *more: str) -> dict[str, Any]:
    """The values of ``run`` that change results, if only by rounding, and ``more`` keys, for a digest."""
    return run.model_dump(mode="json", include={"precision", "tf32", "base_dtype", *more})


def divided_as(other: FitSection, fit: FitSection) -> FitSection:
    """``fit`` with the batches of ``other`` in place of "auto", if they divide an update of the same size.

    So what "auto" chose on one machine is no other setting on a machine with other memory.
    """
    update = fit.accumulate * BATCH_TOKENS
    if fit.max_tokens != "auto" or other.max_tokens != update // other.accumulate:
        return fit
    return fit.model_copy(update={"max_tokens": other.max_tokens, "accumulate": other.accumulate})


def other_settings(artifact: Artifact[Any], recipe: Recipe, model: ModelIdentity) -> list[str]:
    """The settings that an artifact was made with and ``recipe`` has other values of, as ``key=value``.

    Of the sections that its result depends on, whether or not this run of it does but for the text to test
    on, with the languages and the base model, which is now ``model``.
    """
    was = recorded(artifact.recipe)
    if was is None:
        return ["keys or values that recipes no longer have"]
    before = _chosen(artifact.model, [record.code for record in artifact.languages], was)
    now = _chosen(model, [language.code for language in recipe.selected_languages()], recipe)
    chosen = {key: value for key, value in before.items() if value != now[key]}
    changed = changed_settings(artifact, recipe) | chosen
    other = [f"{key}={scalar(value)}" for key, value in changed.items()]
    differ = artifact.model.other_settings(model)
    return other + [f"{key}={artifact.model.settings[key]} of the base model" for key in differ]


def changed_settings(artifact: Artifact[Any], recipe: Recipe) -> dict[str, Any]:
    """The settings of an artifact that the recipe has otherwise, by key, with the artifact's values.

    Empty for an artifact with keys or values that recipes no longer have.
    """
    was = recorded(artifact.recipe)
    if was is None:
        return {}
    recipe = recipe.model_copy(update={"fit": divided_as(was.fit, recipe.fit)})
    now = _keys(recipe, type(artifact.result))
    return {key: value for key, value in settings_of(artifact).items() if value != now.get(key)}


def settings_of(artifact: Artifact[Any]) -> dict[str, Any]:
    """The settings that an artifact was made with and its result depends on, by key.

    Empty for an artifact with keys or values that recipes no longer have.
    """
    was, kind = recorded(artifact.recipe), type(artifact.result)
    if was is None:
        return {}
    unread = kind.unread(was) if issubclass(kind, LearnedResult) else set()
    return {key: value for key, value in _keys(was, kind).items() if key not in unread}


def _chosen(model: ModelIdentity, codes: list[str], recipe: Recipe) -> dict[str, str]:
    """What a note says of an artifact: the base model, the languages, and the relative of each new one."""
    new = ",".join(f"{code}={relative}" for code, relative in recipe.new_languages.items())
    digest = model.digest[:12]
    return {"model.name": model.name, "model.digest": digest, "langs": ",".join(codes), "new_languages": new}


def _keys(recipe: Recipe, kind: type[Result]) -> dict[str, Any]:
    """The seed, and the keys of the sections that a result depends on."""
    values = recipe.model_dump(mode="json")
    run = {f"run.{key}": values["run"][key] for key in SWITCHES}
    keys = {f"{name}.{key}": value for name in kind.sections for key, value in values[name].items()}
    return {"seed": recipe.seed, **keys, **run}


def same_settings(artifact: Artifact[Any], recipe: Recipe, *, wherever_text_is: bool = False) -> bool:
    """Whether an artifact was made with the settings of ``recipe`` that its result depends on.

    A key that the artifact's recipe lacks has its default, so a new key makes no artifact stale. Batches
    that "auto" chose are those of any machine. ``wherever_text_is`` leaves out the path of the text, for who
    compares its digest.
    """
    made_with = recorded(artifact.recipe)
    if made_with is None:
        return False
    path = made_with.data.path if wherever_text_is else recipe.data.path
    data = recipe.data.model_copy(update={"path": path})
    recipe = recipe.model_copy(update={"fit": divided_as(made_with.fit, recipe.fit), "data": data})
    result = artifact.result
    return (
        artifact.seed == recipe.seed
        and made_with.new_languages == recipe.new_languages
        and all(getattr(made_with.run, name) == getattr(recipe.run, name) for name in SWITCHES)
        and result.settings(made_with) == result.settings(recipe)
    )


def same_languages(artifact: Artifact[Any], languages: Iterable[Language | LanguageRecord]) -> bool:
    """Whether an artifact is of these languages, in all that its result depends on.

    Their families only label figures, and their bitext sizes are read by prune reports alone.
    """
    has_sizes = isinstance(artifact.result, PruneReportResult)

    def facts(language: Language | LanguageRecord) -> tuple[object, ...]:
        return language.code, language.resource, language.bitext if has_sizes else None

    return [*map(facts, artifact.languages)] == [*map(facts, languages)]


def seems_current(
    path: Path,
    kind: type[Result],
    recipe: Recipe,
    model: str | None = None,
    languages: Sequence[LanguageRecord] | None = None,
) -> bool:
    """Whether the artifact at ``path`` fits the recipe and its upstream artifacts, and lacks nothing.

    ``model`` is the name of the model it should be of, by default the recipe's base model, and ``languages``
    are by default the recipe's. Text and model are not read; the command that makes the artifact compares
    those as well.
    """
    try:
        artifact = store.read_fresh(path, kind)
    except InputError:
        return False
    return (
        artifact.model.name == (model or recipe.model.name)
        and same_languages(artifact, recipe.selected_languages() if languages is None else languages)
        and same_settings(artifact, with_splits(recipe))
        and artifact.result.has_all_of(recipe)
    )
