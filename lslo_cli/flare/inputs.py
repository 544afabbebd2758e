"""The inputs of a FLARE experiment: its text, and whether artifacts were made from its text and model."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from lslo_cli.artifacts.schema import Artifact
from lslo_cli.errors import LsloError
from lslo_cli.flare.examples import Pairs
from lslo_cli.flare.identity import digest_of_weights, find_task_model, settings_of
from lslo_cli.flare.tasks import task_named
from lslo_cli.method.flare import Translated
from lslo_cli.recipe import FlareSection


def pairs_of(settings: FlareSection, language: str, split: str) -> Pairs:
    """A split of a language paired with the source language's, as the recipe says."""
    side = Translated.TEST if split == "test" else Translated.TRAIN
    translations = Path(settings.translations) if side in settings.translated else None
    rows = settings.train_rows if split == "train" else None
    return task_named(settings.task).pairs(Path(settings.data), language, split, translations, rows)


TEXTS = {"data", "translated", "translations"}
"""Settings of where texts lie."""


def seem_the_same(artifact: Artifact[Any], settings: FlareSection) -> bool:
    """Whether an artifact was made from the recipe's text and task model.

    What is named as before is taken to be the same; what has another name is compared by digest.
    """
    try:
        return _seems_of_model(artifact, settings) and _seems_of_text(artifact, settings)
    except LsloError:  # the model or a text is not here
        return False


def _seems_of_model(artifact: Artifact[Any], settings: FlareSection) -> bool:
    named = artifact.recipe["flare"]
    if (named["model"], named.get("revision")) == (settings.model, settings.revision):
        return True
    digest, others = _contents(find_task_model(settings.model, settings.revision).folder)
    return artifact.model.is_the_same(
        artifact.model.model_copy(update={"digest": digest, "settings": others})
    )


@cache  # many artifacts are of one model, whose weights take a while to read
def _contents(folder: Path) -> tuple[str, dict[str, Any]]:
    return digest_of_weights(str(folder), folder), settings_of(folder)


def _seems_of_text(artifact: Artifact[Any], settings: FlareSection) -> bool:
    named, now = artifact.recipe["flare"], settings.model_dump(mode="json", include=TEXTS)
    if all(named.get(key, now[key]) == value for key, value in now.items()):
        return True
    return all(digest_of_split(settings, text.split) == text.digest for text in artifact.data)


def digest_of_split(settings: FlareSection, split: str) -> str:
    """The digest of a text that an artifact names as ``language/split``, as it is now."""
    language, _, name = split.partition("/")
    return pairs_of(settings, language, name).digest
