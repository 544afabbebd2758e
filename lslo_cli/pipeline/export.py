"""Exporting what is trained, for libraries other than lslo."""

from __future__ import annotations

from pathlib import Path

from lslo_cli.artifacts.folder import BASE_RUN
from lslo_cli.errors import UsageError
from lslo_cli.events import OnEvent, ignore
from lslo_cli.pipeline.experiment import Experiment
from lslo_cli.pipeline.translation import open_translator
from lslo_cli.stages.export import export_merged, export_peft

FORMATS = ("merged", "peft")


def export(
    experiment: Experiment,
    run: str,
    to: Path,
    form: str,
    *,
    source: str | None = None,
    target: str | None = None,
    compact: bool = False,
    on_event: OnEvent = ignore,
) -> float:
    """Write a trained run to the folder ``to``; returns the largest difference of a logit.

    ``form`` is one of :data:`FORMATS`. ``source`` and ``target`` choose the adapters of a merged model;
    ``compact`` drops ranks that add nothing from PEFT's. Raises UsageError for choices that do not fit the
    run, InputError where it cannot be read, and RunError where the export does not do what the run does.
    """
    if form not in FORMATS:
        raise UsageError(f"no export has the format '{form}'", f"choose {' or '.join(FORMATS)}")
    if form == "peft" and (source or target):
        raise UsageError("adapters for PEFT serve all directions", "leave out --source and --target")
    if form == "merged" and compact:
        raise UsageError("a merged model has no ranks to drop", "leave out --compact")
    if run == BASE_RUN:
        raise UsageError("the base model has no adapters to export", "name a run that was trained")
    trained = open_translator(experiment, run, on_event)
    setup, route = trained.setup, trained.route
    for code in filter(None, (source, target)):
        if code not in setup.codes:
            known = ", ".join(setup.codes)
            raise UsageError(f"the run knows no language '{code}'", f"its languages: {known}")
    if form == "peft":
        return export_peft(setup, route, to, compact)
    return export_merged(setup, route, source, target, to)
