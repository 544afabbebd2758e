"""``lslo translate``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option

from lslo_cli.artifacts.folder import BASE_RUN
from lslo_cli.artifacts.writing import is_stream
from lslo_cli.cli.experiment_options import ExperimentOptions
from lslo_cli.cli.flags import Key, split_commas, takes
from lslo_cli.cli.options import MACHINE, BaseModelName, MachineOptions
from lslo_cli.errors import UsageError, naming_lack_of_memory

TABLE = "Tables"
SMALLER = "lower the batch size, as --set evaluate.max_tokens=4000"


@dataclass(frozen=True, kw_only=True)
class TranslateOptions(MachineOptions, ExperimentOptions):
    src: Annotated[
        str | None,
        Option("--src", metavar="CODE", help="The language of the text; default: that of each row."),
    ] = None
    tgt: Annotated[
        str | None,
        Option(
            "--tgt",
            metavar="CODES",
            help="The language to translate into, or several: fr,wo; default: that of each row.",
        ),
    ] = None
    input: Annotated[
        Path | None,
        Option("--input", "-i", metavar="PATH", help="A file, a table, or a folder; default: stdin."),
    ] = None
    output: Annotated[
        Path | None,
        Option(
            "--output", "-o", metavar="PATH", help="Written whole or not at all, resumable; default: stdout."
        ),
    ] = None
    run: Annotated[
        str,
        Option(
            "--run", metavar="NAME|FOLDER|ID", help="A run of the experiment, a folder, a hub id, or base."
        ),
    ] = BASE_RUN
    model: BaseModelName = None
    beam: Annotated[int | None, Option("--beam"), Key("evaluate.beam")] = None
    length_penalty: Annotated[float | None, Option("--length-penalty"), Key("evaluate.length_penalty")] = None
    no_repeat_ngram: Annotated[int | None, Option("--no-repeat-ngram"), Key("evaluate.no_repeat_ngram")] = (
        None
    )
    nbest: Annotated[int, Option("--nbest", help="Translations of each line, as JSON.")] = 1
    prefix: Annotated[str, Option("--prefix", metavar="TEXT", help="How every translation begins.")] = ""
    buffer: Annotated[
        int,
        Option(
            "--buffer", min=1, max=1_000_000, help="Lines to read at a time; 1 answers each line at once."
        ),
    ] = 1000
    column: Annotated[
        str | None,
        Option(
            "--column",
            metavar="NAME",
            rich_help_panel=TABLE,
            help="Column or key of the text; default: --src.",
        ),
    ] = None
    src_column: Annotated[
        str | None,
        Option(
            "--src-column",
            metavar="NAME",
            rich_help_panel=TABLE,
            help="Column or key of each row's language; default: none.",
        ),
    ] = None
    tgt_column: Annotated[
        str | None,
        Option(
            "--tgt-column",
            metavar="NAME",
            rich_help_panel=TABLE,
            help="Column or key of each row's target; default: none.",
        ),
    ] = None
    json: Annotated[
        bool,
        Option("--json", rich_help_panel=MACHINE, help="Print a JSON object for each line, with scores."),
    ] = False

    def _chooses(self) -> bool:
        """Whether any given option selects an experiment; a base model that is given is in none."""
        return super()._chooses() or (self.run == BASE_RUN and self.model is not None)


@takes(TranslateOptions)
def translate(options: TranslateOptions) -> None:
    """Translate text line by line with the base model or a run.

    Line n of the output translates line n of the input; an empty line stays empty. A line longer than the
    model reads is translated sentence by sentence. With several targets, an output line has a column for
    each, separated by tabs, or by commas in a .csv file. In a .tsv, .csv, .jsonl or .json file one column or
    key is translated, in a folder every file.

    Example: lslo translate --recipe demo --src qta --tgt qki -i text.txt -o translated.txt
    """
    experiment = options.experiment()
    for side, code, column in (
        ("src", options.src, options.src_column),
        ("tgt", options.tgt, options.tgt_column),
    ):
        if code and column:
            raise UsageError(
                f"--{side} {code} and --{side}-column {column} both say which language a row has",
                "leave one of them out; --column names the text's column",
            )
    from lslo_cli.cli.progress import listening
    from lslo_cli.data.to_translate import Columns, FileToTranslate, files_to_translate, read_to_translate
    from lslo_cli.tasks import commands as tasks
    from lslo_cli.tasks.translate import Search
    from lslo_cli.tasks.translate_file import Form, TranslationJob, checked, stream, translate_files

    files = files_to_translate(options.input, options.output, options.json)
    columns = Columns(options.column, options.src_column, options.tgt_column)
    targets = split_commas(options.tgt or "")
    names = () if options.tgt_column else targets
    forms = [Form.of(source, target, options.json, names) for source, target in files]
    if options.nbest > 1 and not all(form.as_json for form in forms):
        raise UsageError(
            f"--nbest {options.nbest} gives several translations per line, which plain text cannot hold",
            "add --json, or name a .jsonl file with --output",
        )
    search = Search(nbest=options.nbest, prefix=options.prefix)
    with listening(options.quiet) as on_event, naming_lack_of_memory(SMALLER):
        translator = tasks.open_translator(experiment, options.run, on_event, options.given_for(options.run))
        if translator.setup.accelerator.num_processes > 1 and any(map(_is_pipe, dict(files))):
            raise UsageError(
                "several processes cannot translate a pipe, of which each would read a part",
                "name a file with --input",
            )
        texts = [
            read_to_translate(source, options.src, targets, columns)
            if source is None or is_stream(source)
            else FileToTranslate(source, options.src, targets, columns)
            for source, _ in files
        ]
        if options.output is None:
            # A file is checked as a whole before its first line is printed, stdin as its lines arrive.
            lines = texts[0] if options.input is None else checked(translator, texts[0], forms[0])
            for text in stream(translator, lines, forms[0], search, options.buffer, on_event):
                print(text, flush=True)
            return
        paths = [target for _, target in files if target]
        jobs = map(TranslationJob, texts, paths, forms)
        translate_files(translator, jobs, search, options.buffer, on_event)


def _is_pipe(source: Path | None) -> bool:
    """Whether a text can be read once only: stdin, without a path, or a named pipe."""
    return source is None or is_stream(source)
