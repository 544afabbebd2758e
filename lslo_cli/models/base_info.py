"""Facts of a base model and the cost of adapting it, without its weights (``lslo base info``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lslo_cli.data.codes import check_new_languages
from lslo_cli.errors import UsageError
from lslo_cli.home import with_home
from lslo_cli.method.codes import model_code
from lslo_cli.method.families import SHAPES, published, published_shape
from lslo_cli.method.memory import MemoryEstimate
from lslo_cli.method.ranks import PAPER_RANKS, RankMap
from lslo_cli.method.shapes import BaseFacts, ModelShape
from lslo_cli.models.model_languages import WORLD, with_languages
from lslo_cli.models.work import MemoryChoice, memory_choices, parameters_by_language, work_of
from lslo_cli.recipe import Classes

if TYPE_CHECKING:
    from lslo_cli.recipe import Recipe


@dataclass(frozen=True)
class AdapterFacts:
    """The adapters that a recipe would train on a base model, and their cost.

    ``by_language`` has a row (language, resource, rank, parameters) for each; ``unknown`` are languages of
    the recipe for which the model has no token. ``sites`` counts the matrices that carry adapters.
    ``parameters_paper_style`` is None if the paper's count is the true one. ``memory`` is for the recipe's
    settings, and ``choices`` for these and others.
    """

    site_set: str
    sites: int
    parameters: int
    parameters_paper_style: int | None
    by_language: tuple[tuple[str, str, int, int], ...]
    memory: MemoryEstimate
    choices: tuple[MemoryChoice, ...]
    max_tokens: int
    unknown: tuple[str, ...]


def base_facts(name: str, revision: str | None = None) -> BaseFacts:
    """The facts of a folder, of a model known by name (``m2m-124-615m``), or of a hub id at ``revision``.

    Reads config.json, tokenizer files and the headers of safetensors files. Raises InputError if there is no
    such model, or if its files contradict each other.
    """
    is_folder = with_home(name).is_dir()
    if is_folder or name not in SHAPES:
        from lslo_cli.models.header import read_header

        if "/" not in name and name != WORLD and not is_folder:
            published(name)  # raises, listing the known names
        return read_header(name, revision)
    family, shape = published(name)
    return BaseFacts(
        name=name,
        family=family.name,
        architecture=family.model_type,
        source="the published shape",
        shape=shape,
        parameters=shape.parameters,
        languages=tuple(map(model_code, family.languages)),
    )


def shape_without_folder(model: str) -> ModelShape | None:
    """The shape of a published model by name or hub id; None for any other, and for a folder of that name."""
    return None if with_home(model).is_dir() else published_shape(model)


def adapter_facts(base: BaseFacts, recipe: Recipe) -> AdapterFacts:
    """What ``lslo train`` would train on ``base``; the paper's ranks stand in for those of an estimate.

    If there are new languages, these alone are trained unless the recipe gives ranks. Raises UsageError for
    invalid languages or ranks, and for classes by the size of a text that the recipe does not name.
    """
    recipe = with_languages(recipe, _check_text_is_named, base.languages)
    languages, sites, new = recipe.selected_languages(), recipe.train.sites, recipe.new_languages
    papers = {language.code: PAPER_RANKS[language.resource] for language in languages}
    check_new_languages(new, base.languages, base.name)
    work = work_of(recipe, "train", recipe.given_ranks() or RankMap(papers))
    trainable = work.trainable(base.shape)
    return AdapterFacts(
        site_set=sites,
        sites=len(base.shape.sites(sites)),
        parameters=trainable,
        parameters_paper_style=work.paper_style(base.shape),
        by_language=parameters_by_language(recipe, work, base.shape),
        memory=work.memory(base.shape, recipe.fit.batch_tokens),
        choices=memory_choices(work, base.shape, recipe.fit.batch_tokens),
        max_tokens=recipe.fit.batch_tokens,
        unknown=tuple(
            language.code
            for language in languages
            if base.languages and language.code not in (*base.languages, *new)
        ),
    )


def _check_text_is_named(recipe: Recipe) -> None:
    if recipe.classes is Classes.TEXT and "path" not in recipe.data.model_fields_set:
        raise UsageError(
            "--resource text takes the classes from a text, and none is named",
            "name it with --set data.path=FOLDER, or give the classes, as --resource tr=low",
        )
