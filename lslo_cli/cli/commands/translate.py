"""``lslo translate``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option

from lslo_cli.cli.flags import Key, split_commas, takes
from lslo_cli.cli.options import MACHINE, BaseModelName, ExperimentOptions, MachineOptions


@dataclass(frozen=True, kw_only=True)
class TranslateOptions(MachineOptions, ExperimentOptions):
    src: Annotated[str, Option("--src", metavar="CODE", help="The language of the text.")]
    tgt: Annotated[
        str, Option("--tgt", metavar="CODES", help="The language to translate into, or several: fr,wo.")
    ]
    input: Annotated[
        Path | None, Option("--input", "-i", metavar="FILE", help="A text file; default: stdin.")
    ] = None
    output: Annotated[
        Path | None,
        Option("--output", "-o", metavar="FILE", help="Written whole or not at all; default: stdout."),
    ] = None
    run: Annotated[str, Option("--run", metavar="NAME", help="A run of the experiment, or base.")] = "base"
    model: BaseModelName = None
    beam: Annotated[int | None, Option("--beam", help="Beam size."), Key("evaluate.beam")] = None
    length_penalty: Annotated[
        float | None,
        Option("--length-penalty", help="The power of the length that scores are divided by."),
        Key("evaluate.length_penalty"),
    ] = None
    buffer: Annotated[
        int, Option("--buffer", min=1, help="Lines that are read at a time; 1 answers each line at once.")
    ] = 1000
    json: Annotated[
        bool, Option("--json", rich_help_panel=MACHINE, help="Print an object for each line.")
    ] = False


@takes(TranslateOptions)
def translate(options: TranslateOptions) -> None:
    """Translate text line by line with the base model or a run.

    Line n of the output is line n of the input; an empty line stays empty. A line longer than the model
    reads is translated sentence by sentence. With several targets a line has a column for each, separated
    by tabs.

    Example: lslo translate --recipe demo --src qta --tgt qki -i text.txt -o translated.txt
    """
    from lslo_cli import tasks
    from lslo_cli.artifacts.writing import write_text
    from lslo_cli.cli.progress import listening

    targets = split_commas(options.tgt)
    experiment = options.experiment()
    with listening(options.quiet) as on_event:
        translator = tasks.open_translator(experiment, options.run, on_event)
        # A file is read whole first: bytes that are no text stop it before an hour of translating.
        lines = list(_lines(options.input)) if options.input else _lines(None)
        found = tasks.translate(
            translator, lines, src=options.src, tgt=targets, buffer=options.buffer, on_event=on_event
        )
        texts = (
            json.dumps(dict(zip(targets, row, strict=True)), ensure_ascii=False)
            if options.json
            else "\t".join(row)
            for row in found
        )
        if options.output is None:
            for text in texts:
                print(text, flush=True)
            return
        write_text(options.output, "".join(f"{text}\n" for text in texts))


def _lines(path: Path | None) -> Iterator[str]:
    """The lines of a file or of stdin, as they come. Raises InputError where they are not UTF-8."""
    from lslo_cli.data.readers import decode
    from lslo_cli.errors import InputError

    try:
        with path.open("rb") if path else nullcontext(sys.stdin.buffer) as file:
            for number, line in enumerate(file, start=1):
                yield decode(line, Path(f"{path or 'stdin'} (line {number})")).strip()
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}", "check the path and its permissions"
        ) from None
