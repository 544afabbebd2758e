"""The languages of a base model, by its tokenizer's files alone, and the check of a recipe's against them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from lslo_cli.data.codes import check_known, check_new_languages
from lslo_cli.errors import InputError, UsageError, nearest
from lslo_cli.home import with_home
from lslo_cli.method.codes import MODEL_LANGUAGES, find_code, model_code
from lslo_cli.method.families import HUB_NAMES, SHAPES, published
from lslo_cli.method.languages import Resource
from lslo_cli.recipe import Classes, LanguageEntry, Recipe

WORLD = "world"
WORLD_FOLDER = Path(__file__).parent.parent / "world" / "base"


def model_languages(model: str) -> tuple[str, ...]:
    """Codes of the languages of ``world``, of a folder, or of a published model.

    Empty if only a download could tell. Raises InputError if a file of the folder is missing or damaged, or
    if its model is of a type that cannot be adapted.
    """
    folder = WORLD_FOLDER if model == WORLD else with_home(model)
    if folder.is_dir():
        from lslo_cli.models.tokenizer_files import languages_in  # segmenters are slow to load

        try:
            return languages_in(folder)
        except InputError:
            from lslo_cli.models.checkpoint import CONFIG, Checkpoint  # transformers is slow to load

            if (folder / CONFIG).is_file():
                Checkpoint(folder).config()  # a model of another type has other files
            raise
    name = HUB_NAMES.get(model, model)
    return tuple(map(model_code, published(name)[0].languages)) if name in SHAPES else ()


def with_languages(
    recipe: Recipe,
    check: Callable[[Recipe], object] = Recipe.selected_languages,
    known: Collection[str] | None = None,
) -> Recipe:
    """The recipe with the languages that only its base model has, and the classes that its text gives.

    ``check`` may refuse what is wrong before the text is read; ``known`` are the model's languages, if they
    were read before. Raises UsageError for an unknown language, and what reading the text raises.
    """
    recipe = with_model_languages(recipe, known)
    check(recipe)
    recipe.selected_languages()
    if recipe.classes is not Classes.TEXT:
        return recipe
    from lslo_cli.data.classes import with_classes  # numpy is slow to load

    return with_classes(recipe)


def with_model_languages(recipe: Recipe, known: Collection[str] | None = None) -> Recipe:
    """The recipe with the codes of languages that only its base model has: ``tyv_Cyrl`` for ``tyv``.

    ``known`` are the model's languages, if they were read before. Such languages are unlabelled unless the
    recipe gives a class, and the experiment's name does not change.
    """
    names = recipe.language_names()
    if all(model_code(name) in MODEL_LANGUAGES or name in recipe.new_languages for name in names):
        return recipe
    known = model_languages(recipe.model.name) if known is None else known
    found = {name: code for name in names if (code := find_code(name, known)) in known}
    entries = {found.get(name, name): entry for name, entry in recipe.languages.items()}
    described = {**recipe.known_languages(), **entries}
    entries |= {
        code: LanguageEntry(resource=Resource.UNLABELLED) for code in found.values() if code not in described
    }
    langs = tuple(found.get(name, name) for name in names)
    if entries == recipe.languages and langs == names:
        return recipe
    name = recipe.experiment.removesuffix("".join(f"-{code}" for code in recipe.new_languages))
    with_its = recipe.model_copy(update={"name": name, "langs": langs, "languages": entries})
    return with_its.in_folder(recipe.experiment)  # a long name is a digest, without codes at its end


def check_model_languages(recipe: Recipe) -> None:
    """Raise UsageError for an unknown name, InputError for languages that the base model lacks.

    New languages are checked too. A model whose languages only a download could tell is not checked.
    """
    known = model_languages(recipe.model.name)
    if not known:
        return
    described = {*recipe.known_languages(), *MODEL_LANGUAGES, *known}
    for name in recipe.language_names():
        if find_code(name, known) not in described:
            raise UsageError(
                f"unknown language '{name}'.{nearest(name, known)}",
                f"base model '{recipe.model.name}' has {', '.join(known)}; "
                f"to add another to it: --add-lang {name} --like RELATIVE",
            )
    check_new_languages(recipe.new_languages, known, recipe.model.name)
    codes = [language.code for language in recipe.selected_languages()]
    check_known(codes, (*known, *recipe.new_languages), recipe.model.name)
