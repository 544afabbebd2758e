"""Check that a run has the settings in its name, since rows of the paper's tables are found by run name."""

from __future__ import annotations

from pathlib import Path

from lslo_cli.artifacts.again import train_again
from lslo_cli.artifacts.results import TrainingResult
from lslo_cli.artifacts.schema import Artifact
from lslo_cli.errors import InputError
from lslo_cli.method.languages import Resource, resource_classes
from lslo_cli.method.run_names import row_settings
from lslo_cli.report.scores import printed_runs


def check_name(path: Path, artifact: Artifact[TrainingResult]) -> None:
    """Raise InputError if a run that has the name of a row of the paper's tables has other settings.

    Any other name passes: its run is in no table of the paper.
    """
    result = artifact.result
    if result.run not in printed_runs():
        return
    said = row_settings(result.run)
    if classes := said.get("train.gps_classes"):
        adapted = [each for each in artifact.languages if each.code in result.ranks]
        said["train.gps_classes"] = ", ".join(each.code for each in adapted if each.resource in classes)
    # Start and duration are not checked: they are scaled to the length of the schedule.
    done = {
        "train.method": ("method", result.method),
        "train.sites": ("sites", result.sites),
        "train.ranks": ("ranks", _ranks_by_class(artifact)),
        "train.gps": ("pruning ratio", result.target_ratio),
        "train.index": ("index", result.index_source),
        "train.gps_classes": ("pruned languages", ", ".join(result.pruned_languages)),
        "train.prune_targets": ("pruned matrices", result.prune_targets),
    }
    for key, (what, value) in done.items():
        if said.get(key, value) != value:
            raise InputError(
                f"{path} is named {result.run}, but was trained with {what} {value}",
                "remove that folder after training it again under another name",
                train_again(path, f"my-{result.run}"),
            )


def _ranks_by_class(artifact: Artifact[TrainingResult]) -> str:
    """Ranks as 2,2,8, several in a class as 2/4."""
    languages = [record.language() for record in artifact.languages]
    ranks: dict[Resource, set[int]] = {resource: set() for resource in resource_classes(languages)}
    for language in languages:
        if language.code in artifact.result.ranks:
            ranks[language.resource].add(artifact.result.ranks[language.code])
    return ",".join("/".join(str(rank) for rank in sorted(found)) for found in ranks.values())
