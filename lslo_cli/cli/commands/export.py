"""``lslo export``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option

from lslo_cli.cli import console
from lslo_cli.cli.experiment_options import ExperimentOptions
from lslo_cli.cli.flags import takes


@dataclass(frozen=True, kw_only=True)
class ExportOptions(ExperimentOptions):
    run: Annotated[str, Option("--run", metavar="NAME", help="The run: a name, a folder, a hub id.")]
    to: Annotated[Path, Option("--to", metavar="FOLDER", help="The folder to write; it must not exist.")]
    format: Annotated[
        str, Option("--format", metavar="merged|peft|ct2", help="For transformers, PEFT or CTranslate2.")
    ] = "merged"
    source: Annotated[
        str | None,
        Option("--source", metavar="CODE", help="Merge the adapters of this source language; default: all."),
    ] = None
    target: Annotated[
        str | None,
        Option("--target", metavar="CODE", help="Merge the adapters of this target language; default: all."),
    ] = None
    quantization: Annotated[
        str, Option("--quantization", metavar="float32|int8", help="Number format of ct2's weights.")
    ] = "float32"
    compact: Annotated[
        bool, Option("--compact", help="Leave ranks that are all zero out of PEFT's adapters.")
    ] = False


@takes(ExportOptions)
def export(options: ExportOptions) -> None:
    """Write a trained run for other libraries: transformers, PEFT or CTranslate2.

    The export is loaded again and its logits are compared with the run's; if they differ, no folder is
    written. A run without adapters per language is exported with --format merged and no language.

    Example: lslo export --run 2-2-8 --source en --target wo --to en-wo
    """
    experiment = options.experiment()
    from lslo_cli.tasks.export import export as write

    result = write(
        experiment,
        options.run,
        options.to,
        options.format,
        source=options.source,
        target=options.target,
        compact=options.compact,
        quantization=options.quantization,
        given=options.given_for(options.run),
    )
    found = (
        f"its logits differ from the run's by at most {result:.2g}"
        if options.quantization == "float32"
        else f"the perplexity of references is {result:.3g} times that of the run"
    )
    console.say(f"wrote {options.to}; {found}")
