"""Check that a run has the settings in its name, since rows of the paper's tables are found by run name."""

from __future__ import annotations

import re
from pathlib import Path

from lslo_cli.artifacts.again import train_again
from lslo_cli.artifacts.results import TrainingResult
from lslo_cli.artifacts.schema import Artifact
from lslo_cli.errors import InputError
from lslo_cli.method.languages import Resource, resource_classes
from lslo_cli.report.scores import printed_runs

NAME = re.compile(
    r"(?:(?P<sites>attn|fc)-)?(?P<ranks>\d+(?:-\d+)+)(?:-(?P<index>source|target))?"
    r"(?:-gps(?P<ratio>[\d.]+?))?(?:-E\d+-k\d+)?"
)
"""Start and duration are not checked: they are scaled to the length of the schedule."""


def check_name(path: Path, artifact: Artifact[TrainingResult]) -> None:
    """Raise InputError if a run that has the name of a row of the paper's tables has other settings.

    Any other name passes: its run is in no table of the paper.
    """
    result = artifact.result
    if result.run not in printed_runs():
        return
    said, found = {"method": "full"}, NAME.fullmatch(result.run)
    if found:
        said = {
            "method": "lslo",
            "sites": found["sites"] or "all",
            "ranks": found["ranks"].replace("-", ";"),
            "pruning ratio": f"{float(found['ratio'] or 0):g}",
        }
    done = {
        "method": result.method,
        "sites": result.sites,
        "ranks": _ranks_by_class(artifact),
        "pruning ratio": f"{result.target_ratio:g}",
    }
    if found and found["index"]:
        said["index"], done["index"] = found["index"], result.index_source
    for what, value in said.items():
        if done[what] != value:
            raise InputError(
                f"{path} is named {result.run}, but was trained with {what} {done[what]}",
                "remove that folder after training it again under another name",
                train_again(path, artifact, f"my-{result.run}"),
            )


def _ranks_by_class(artifact: Artifact[TrainingResult]) -> str:
    """Ranks as 2;2;8, several in a class as 2/4."""
    languages = [record.language() for record in artifact.languages]
    ranks: dict[Resource, set[int]] = {resource: set() for resource in resource_classes(languages)}
    for language in languages:
        if language.code in artifact.result.ranks:
            ranks[language.resource].add(artifact.result.ranks[language.code])
    return ";".join("/".join(str(rank) for rank in sorted(found)) for found in ranks.values())
