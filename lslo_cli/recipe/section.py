"""The base class of a recipe's sections, and numbers with bounds."""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

# Strict numbers: true is not 1, and "3" in quotes is not a number.
Ratio = Annotated[float, Field(ge=0, lt=1, strict=True)]
Probability = Ratio
Share = Annotated[float, Field(ge=0, le=1, strict=True)]
Positive = Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)]
MOST = 2**31 - 1
"""The largest count: what torch and C take as an int."""
LARGEST_SEED = 2**32 - 1
"""The largest seed that numpy takes."""
Count = Annotated[int, Field(ge=1, le=MOST, strict=True)]
CountOrZero = Annotated[int, Field(ge=0, le=MOST, strict=True)]
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED, strict=True)]
Threads = Annotated[int, Field(ge=1, le=1024, strict=True)]


def _folder_name(name: str) -> str:
    if name.startswith(".") or any(character in name for character in "/\\\0\n"):
        raise ValueError("it names a folder, so it has no slash and does not begin with a dot")
    return name


FromHome = Annotated[str, AfterValidator(os.path.expanduser)]
"""A name or a path with ``~`` expanded, which shells do not do in quotes, nor in recipes."""
FolderName = Annotated[str, Field(min_length=1), AfterValidator(_folder_name)]


class Section(BaseModel):
    """A part of a recipe: immutable, and strict about unknown keys."""

    # Numbers serve as text, so that ranks = 8 and revision = 2024 need no quotes.
    model_config = ConfigDict(
        frozen=True, extra="forbid", coerce_numbers_to_str=True, use_attribute_docstrings=True
    )
