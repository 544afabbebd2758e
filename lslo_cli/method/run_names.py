"""The names of runs, such as ``2-2-8-gps0.9``, and the settings that they say."""

from __future__ import annotations

import re
from typing import Any

from lslo_cli.errors import UsageError
from lslo_cli.method.languages import Resource
from lslo_cli.method.schedule import PAPER_PRUNED

CLASS = "|".join(Resource)

NAME = re.compile(
    rf"""
      full (?: -lr (?P<lr> \d* \.? \d+ (?: e -? \d+ )? ) )?
    | (?: (?P<sites> attn | fc ) - )?
      (?P<ranks> \d+ (?: - \d+ )* )
      (?: - (?P<index> source | target | paper ) )?
      (?: -gps (?P<gps> \d* \.? \d+ )
          (?: - (?P<classes> auto | (?: {CLASS} ) (?: - (?: {CLASS} ) )* ) )?
          (?: - (?P<targets> B ) )?
          (?: -E (?P<start> \d+ ) -k (?P<duration> \d+ ) )?
      )?
    """,
    flags=re.ASCII | re.VERBOSE,
)
FORMS = (
    "base, full, full-lr2e-4, 8-8-8, 2-2-8-gps0.9, fc-2-2-16, 2-2-8-source-gps0.9, 2-2-8-gps0.9-E5-k8, "
    "2-2-8-gps0.9-very-low-B"
)

PAPER_EPOCHS = 15
"""The number of epochs to which E and k in a name refer."""


def row_settings(name: str, epochs: int = PAPER_EPOCHS) -> dict[str, Any]:
    """The recipe keys behind the name of a row, for an experiment of so many ``epochs``.

    E and k refer to the paper's 15 epochs and are scaled to ``epochs``, rounded and at least 1. Without
    classes after the ratio those of the paper are pruned, and without ``B`` both matrices. Raises UsageError
    for a name of any other form, as that of the base model, which is not trained.
    """
    found = NAME.fullmatch(name)
    if found is None:
        raise UsageError(f"cannot parse the run's name '{name}'", f"name runs as {FORMS}")
    if found["ranks"] is None:
        settings: dict[str, Any] = {"train.method": "full", "train.gps": 0.0}
        return {**settings, "fit.lr_full": float(found["lr"])} if found["lr"] else settings
    settings = {
        "train.method": "lslo",
        "train.ranks": found["ranks"].replace("-", ","),
        "train.sites": found["sites"] or "all",
        "train.gps": float(found["gps"] or 0),
    }
    if settings["train.gps"]:
        classes = found["classes"] or "-".join(PAPER_PRUNED)
        settings["train.gps_classes"] = classes if classes == "auto" else re.findall(CLASS, classes)
        settings["train.prune_targets"] = found["targets"] or "both"
    if found["index"]:
        settings["train.index"] = found["index"]
    if found["start"]:
        settings["train.gps_start"] = in_proportion(int(found["start"]), epochs)
        settings["train.gps_duration"] = in_proportion(int(found["duration"]), epochs)
    return settings


def in_proportion(epochs: int, of: int) -> int:
    """A number of the paper's 15 epochs scaled to ``of`` epochs, at least 1."""
    return max(1, round(epochs * of / PAPER_EPOCHS))
