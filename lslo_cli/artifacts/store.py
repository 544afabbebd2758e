"""Read artifacts with checks, and write them atomically."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from lslo_cli.artifacts.again import line_again, line_of
from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.artifacts.pending import pending
from lslo_cli.artifacts.provenance import digest_of, digest_of_file
from lslo_cli.artifacts.results import TensorFile, TrainingResult
from lslo_cli.artifacts.schema import Artifact, ModelIdentity, Result, artifact_of
from lslo_cli.artifacts.writing import check_writable, replacing, unreadable, write_text
from lslo_cli.errors import InputError
from lslo_cli.parsing import parse_json
from lslo_cli.wording import Command, Hint, several

__all__ = [
    "beside_seeds",
    "check_belongs",
    "check_fresh",
    "check_writable",
    "read",
    "read_any",
    "read_fresh",
    "read_tensor_path",
    "replacing",
    "seeds_in",
    "write",
]

R = TypeVar("R", bound=Result)


def write(path: Path, artifact: Artifact[Any]) -> None:
    """Write an artifact atomically.

    Raises InputError if the folder cannot be written, and ValueError, before anything is changed, if a value
    is NaN or infinite.
    """
    text = json.dumps(artifact.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def read(path: Path, result_type: type[R]) -> Artifact[R]:
    """Read an artifact and check it.

    Raises InputError, each with its own message, if the file is missing, is not JSON, holds another kind or
    another version of it, does not fit its schema, or differs from its own digest.
    """
    try:
        document = parse_json(path.read_bytes())
    except FileNotFoundError:
        line = line_of(result_type, path)
        raise InputError(f"no {result_type.kind} at {path}", "make it first", line) from None
    except OSError as error:
        raise unreadable(path, error) from None
    except ValueError as error:  # also raised for bytes that are not UTF-8 and text that is not JSON
        raise InputError(f"{path} is damaged: {error}", *_again(path, result_type)) from None
    return _checked(path, document, result_type)


def read_fresh(path: Path, result_type: type[R]) -> Artifact[R]:
    """Read an artifact as :func:`read` does. Raises InputError also if it is stale."""
    artifact = read(path, result_type)
    check_fresh(path, artifact)
    return artifact


def _again(path: Path, result_type: type[Result]) -> Hint:
    """What to do about an artifact that cannot be used."""
    if result_type is TrainingResult:
        return (f"train run '{path.parent.name}' again, with its own settings",)
    return "make it again", line_of(result_type, path)


def _checked(path: Path, document: Any, result_type: type[R]) -> Artifact[R]:
    """The artifact of this kind in parsed JSON from ``path``."""
    again, expected = _again(path, result_type), f"lslo/{result_type.kind}"
    found = _schema_id(document)
    if found != expected:
        holds = f"{found}, version {document.get('version')}" if found else "no lslo artifact"
        raise InputError(
            f"{path} holds {holds}, but {expected} is needed",
            "name another file, or make it",
            line_of(result_type, path),
        )
    if document.get("version") != result_type.version:
        raise InputError(
            f"{path} has version {document.get('version')} of {expected}; "
            f"this lslo reads version {result_type.version}",
            *again,
        )
    if digest_of(document.get("result")) != document.get("digest"):
        raise InputError(
            f"{path} was changed after it was written: its digest does not fit its result", *again
        )
    try:
        return artifact_of(result_type).model_validate(document)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise InputError(f"{path} does not fit {expected} at '{where}': {problem['msg']}", *again) from None


def kind_of(path: Path) -> str | None:
    """The kind that the artifact at ``path`` says it is, None if the file holds none or cannot be read."""
    try:
        document = parse_json(path.read_bytes())
    except (OSError, ValueError):
        return None
    found = _schema_id(document)
    return found.removeprefix("lslo/") if found else None


def seeds_in(folder: ExperimentFolder) -> list[int]:
    """The seeds of what was trained in an experiment's folder itself: index, estimates, runs."""
    once = (folder.index_strategy, folder.subspace, folder.language_subspace)
    found = set()
    for path in (*once, *(run.training for run in folder.trained_runs())):
        with suppress(OSError, ValueError):
            document = parse_json(path.read_bytes())
            if _schema_id(document) and isinstance(document.get("seed"), int):
                found.add(document["seed"])
    return sorted(found)


def beside_seeds(folder: ExperimentFolder) -> str:
    """What to say where an experiment's folder holds seeds as ``seed-N/`` and others beside them; else ""."""
    numbered = folder.seed_folders()
    if not numbered or not (beside := seeds_in(folder)):
        return ""
    return (
        f"left out seed {several(beside)} in {folder.path} itself: with folders seed-N/ only these are read "
        f"(N = {several(numbered)})"
    )


def _schema_id(document: Any) -> str | None:
    """The kind that parsed JSON says it is, as ``lslo/training``; None if it names none."""
    found = document.get("schema_id") if isinstance(document, dict) else None
    return found if isinstance(found, str) else None


def read_any(path: Path, kinds: Iterable[type[Result]]) -> Artifact[Any]:
    """Read an artifact of any of these kinds, by its ``schema_id``.

    Raises InputError as :func:`read` does, and for a file that holds no artifact of one of them.
    """
    try:
        document = parse_json(path.read_bytes())
    except OSError as error:
        raise unreadable(path, error, "check the path") from None
    except ValueError as error:
        if path.suffix != ".json":
            raise InputError(f"{path} is not an artifact", "name a JSON file that lslo wrote") from None
        raise InputError(f"{path} is damaged: {error}", "make it again, or name another file") from None
    found = _schema_id(document)
    for result_type in kinds:
        if found == f"lslo/{result_type.kind}":
            return _checked(path, document, result_type)
    raise InputError(f"{path} holds {found or 'no lslo artifact'}", "name an artifact that lslo wrote")


def read_tensor_path(artifact_path: Path, tensors: TensorFile) -> Path:
    """The tensor file of an artifact, at its path or still pending.

    Raises InputError if it is missing or unreadable, or its bytes have changed.
    """
    path = artifact_path.parent / tensors.path
    waiting = pending(artifact_path.parent) / tensors.path
    if waiting.is_file() and digest_of_file(waiting) == tensors.digest:
        return waiting
    if not path.is_file():
        raise InputError(
            f"{artifact_path} refers to {path}, which is missing",
            "train the run again, or copy its folder whole",
        )
    try:
        digest = digest_of_file(path)
    except OSError as error:
        raise unreadable(path, error) from None
    if digest != tensors.digest:
        raise InputError(
            f"{path} is damaged: its sha256 is not the one in {artifact_path}",
            "train the run again, or copy its folder whole",
        )
    return path


def check_fresh(path: Path, artifact: Artifact[Any], line: Command | str | None = None) -> None:
    """Compare the artifacts that an artifact was made from with those at their paths now.

    Missing ones are not checked. Raises InputError if one has another digest or none, with the ``line`` that
    makes the artifact again, by default :func:`~.again.line_again`.
    """
    for item in artifact.inputs:
        upstream = path.parent / item.path
        if not upstream.is_file() or upstream.suffix != ".json":
            continue
        try:
            current = parse_json(upstream.read_bytes()).get("digest")
        except (OSError, ValueError, AttributeError):
            current = None
        if current != item.digest:
            raise InputError(
                f"{path} is stale: it was made from another {item.role} than the one now at {upstream}",
                "make it again",
                line or line_again(path, artifact),
            )


def check_belongs(
    path: Path, artifact: Artifact[Any], model: ModelIdentity, languages: list[str], command: Command | str
) -> None:
    """Refuse an upstream artifact that was made with another base model or for other languages.

    A model with the same weights and other settings is another one. Raises InputError naming what differs.
    """
    if artifact.model.digest != model.digest:
        raise InputError(
            f"{path} is stale: it was made with base model {artifact.model.name} "
            f"({artifact.model.digest[:12]}), this run uses {model.digest[:12]}",
            "make it again",
            command,
        )
    if other := artifact.model.other_settings(model):
        raise InputError(
            f"{path} is stale: it was made with {other[0]} = {artifact.model.settings[other[0]]}, and "
            f"base model {model.name} now has {model.settings[other[0]]}",
            "restore the files of the model, or make it again",
            command,
        )
    missing = [code for code in languages if code not in {record.code for record in artifact.languages}]
    if missing:
        raise InputError(
            f"{path} has no data on {', '.join(missing)}: it was made for "
            + ", ".join(record.code for record in artifact.languages),
            "make it again for these languages",
            command,
        )
