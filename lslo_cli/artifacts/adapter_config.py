"""adapter_config.json: the facts needed to load a folder's adapters onto their base model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from lslo_cli.artifacts.schema import Document
from lslo_cli.errors import InputError
from lslo_cli.method.adapters import Span
from lslo_cli.parsing import parse_json

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
MODEL_CARD = "README.md"


class AdapterConfig(Document):
    """The base model of adapters, their languages and their sites.

    ``base_model_name_or_path`` and ``revision`` are the base's source, ``base_model_digest`` its identity.
    ``languages`` determines the order of the languages, ``index`` is the language, source or target, that
    selects the adapters of each layer, ``recipe`` the training's, without paths and machine, and
    ``training_text`` the digest of the training text. Fields are only added, with a default.
    """

    peft_type: Literal["LSLO"] = "LSLO"
    base_model_name_or_path: str
    revision: str | None = None
    base_model_digest: str
    languages: list[str]
    new_languages: dict[str, str] = Field(default_factory=dict)
    ranks: dict[str, int]
    index: dict[str, str]
    sites: str
    span: Span = Span.ALL
    recipe: dict[str, Any] = Field(default_factory=dict)
    training_text: str = ""


def is_elsewhere(run: str) -> bool:
    """Whether a run is given as a path or a hub id, not by its name in an experiment."""
    return "/" in run or run.startswith(("~", ".")) or (Path(run) / ADAPTER_CONFIG).is_file()


def read_adapter_config(folder: Path) -> AdapterConfig:
    """Read a folder's config.

    Raises InputError if there is none, if it is damaged, or if the adapters are PEFT's.
    """
    path = folder / ADAPTER_CONFIG
    try:
        values = parse_json(path.read_bytes())
        if isinstance(values, dict) and values.get("peft_type", "LSLO") != "LSLO":
            raise InputError(
                f"{folder} holds adapters of type {values['peft_type']}, not lslo's",
                "name the folder of a run, or its folder adapter/",
            )
        return AdapterConfig.model_validate(values)
    except FileNotFoundError:
        present = ", ".join(sorted(entry.name for entry in folder.iterdir())) or "nothing"
        raise InputError(
            f"no adapters in {folder}: no {ADAPTER_CONFIG}; it holds {present}",
            "name the folder of a run, or its folder adapter/",
        ) from None
    except (OSError, ValueError) as error:  # also raised by pydantic, and for bytes that are not UTF-8
        problem = error.errors()[0] if isinstance(error, ValidationError) else None
        reason = f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" if problem else str(error)
        raise InputError(f"{path} is damaged: {reason}", "copy or download the folder again") from None
