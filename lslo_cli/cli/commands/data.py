"""``lslo data``: what to train and test on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from lslo_cli.cli import console
from lslo_cli.cli.command_options import CommandOptions
from lslo_cli.cli.flags import App, takes
from lslo_cli.errors import InputError, UsageError
from lslo_cli.wording import counted, typed

if TYPE_CHECKING:
    from lslo_cli.artifacts.data_check import DataCheckResult, DataFinding, SplitCheck
    from lslo_cli.data.unknown import Base

app = App(help="Fetch data sets, and check parallel text before training on it.")

MOST_NAMED = 6
"""Languages that a finding names with their counts."""

AsJson = Annotated[bool, Option("--json", help="Print the document on stdout, nothing else.")]
Quiet = Annotated[bool, Option("--quiet", help="Nothing on stderr but errors.")]


class Dataset(StrEnum):
    """Data sets that can be fetched."""

    FLORES101 = "flores101"
    NUSAX = "nusax"
    XNLI = "xnli"
    TYDIQA = "tydiqa"


@dataclass(frozen=True, kw_only=True)
class DataCheckOptions(CommandOptions):
    path: Annotated[
        Path, Argument(envvar="LSLO_DATA", metavar="PATH", help="A folder or table, as --data takes it.")
    ]
    langs: Annotated[
        str | None,
        Option("--langs", metavar="SET|CODES", help="lang12, lang30, or codes; default: all that are there."),
    ] = None
    split: Annotated[
        str | None, Option("--split", metavar="SPLIT", help="Only this split; default: all.")
    ] = None
    against: Annotated[
        Path | None,
        Option(
            "--against", metavar="PATH[/SPLIT]", help="Test text that PATH must not contain; default: none."
        ),
    ] = None
    model: Annotated[
        str | None,
        Option(
            "--model",
            metavar="NAME|FOLDER",
            help="Also report what this base model reads as <unk>; default: none.",
        ),
    ] = None
    assignments: Annotated[
        list[str] | None,
        Option(
            "--set",
            metavar="KEY=VALUE",
            help="Set model.revision, that of --model on the hub; default: the cached one, or the newest.",
        ),
    ] = None
    pairs: Annotated[bool, Option("--pairs", help="Count the rows of every pair of languages.")] = False
    as_json: AsJson = False
    quiet: Quiet = False


@app.command("check")
@takes(DataCheckOptions)
def check(options: DataCheckOptions) -> None:
    """Check parallel text: languages, lines, encoding, gaps, duplicates, lengths, copies, overlap.

    With --model, also what that model reads as <unk>, and which characters cause it.

    Exits with code 3 if a problem would stop a run: a file that is empty, not UTF-8 or not as long as its
    translations, or a language without text. Anything else found is a warning or a note.

    Reads: the text at PATH, in any layout that --data takes; a note names text that is not read.
    Writes: nothing.

    Example: lslo data check data/flores101 --langs lang12
    """
    from lslo_cli.cli.progress import listening
    from lslo_cli.data.checks import check_data
    from lslo_cli.method.codes import model_code
    from lslo_cli.method.languages import language_codes, language_names
    from lslo_cli.recipe import Recipe

    languages = None
    if options.langs:
        sets = Recipe.language_sets()
        named = set(map(model_code, language_names(options.langs, sets)))
        languages = language_codes(options.langs, named, sets)
    base = base_of(options.model, options.assignments or ())
    with listening(options.quiet) as on_event:
        result = check_data(options.path, languages, options.split, options.against, on_event, base)
    if options.as_json:
        print_document(result)
    else:
        show_check(result, options.pairs)
    if not result.usable:
        problems = counted(len(result.problems), "problem")
        raise InputError(
            f"{options.path} is not usable: {problems} would stop a run", "fix what is listed as a problem"
        )
    if not options.quiet:
        known = base.known(result.languages)
        given = ["--data", options.path, "--langs"]
        given += [options.langs if options.langs and known == languages else ",".join(known)]
        given += ["--model", options.model] if options.model else []
        given += [word for text in options.assignments or () for word in ("--set", text)]
        given += ["--hold-out", result.hold_out] if result.hold_out else []
        then = "evaluate" if result.hold_out is None else "estimate-subspace"
        console.say(f"usable; next: {typed(then, *given)}")


@dataclass(frozen=True, kw_only=True)
class DataFetchOptions(CommandOptions):
    dataset: Annotated[Dataset, Argument(help="What to fetch.")]
    to: Annotated[
        Path | None, Option("--to", metavar="FOLDER", help="Where to put it; default: data/DATASET.")
    ] = None
    url: Annotated[
        str | None,
        Option(
            "--url",
            metavar="URL",
            help="A mirror: the archive, or the folder of xnli's or tydiqa's; default: as published.",
        ),
    ] = None
    as_json: AsJson = False
    quiet: Quiet = False


@app.command("fetch")
@takes(DataFetchOptions)
def fetch(options: DataFetchOptions) -> None:
    """Fetch a public data set, resuming an interrupted download.

    flores101 is the paper's text: 997 and 1,012 sentences in 102 languages. nusax, xnli and tydiqa are the
    tasks of lslo flare, with the machine translations of training texts that xnli and tydiqa come with.
    docs/flare.md and docs/your-text.md name these files and their licences.

    Reads: archives from the network, checked against their published sha256 where there is one.
    Writes: FOLDER with the files, and source.json: address, sha256 and size of every archive.

    Example: lslo data fetch flores101 --to data/flores101
    """
    from lslo_cli.cli.progress import listening
    from lslo_cli.data.published import PUBLISHED, RECORD, fetch

    folder, data = options.to or Path("data") / options.dataset, PUBLISHED[options.dataset]
    with listening(options.quiet) as on_event:
        sources = fetch(data, folder, options.url, on_event)
    if options.as_json:
        print((folder / RECORD).read_text(encoding="utf-8"), end="")
    else:
        for source in sources:
            facts = [("files", len(source.files)), ("bytes", source.bytes), ("sha256", source.sha256)]
            console.show_facts([("from", source.url), *facts])
        console.show_facts([("licence", data.licence)])
    if not options.quiet:
        then = typed("data check", folder)
        if options.dataset is not Dataset.FLORES101:
            then = typed("flare train", "--recipe", f"flare-{options.dataset}", "--data", folder)
        console.say(f"{folder} is ready; next: {then}")


def base_of(model: str | None, assignments: Sequence[str]) -> Base:
    """The base model to read text as, at the revision that ``--set`` names; any published one without name.

    Raises UsageError for a ``--set`` that has no effect.
    """
    from lslo_cli.data.checks import PUBLISHED
    from lslo_cli.data.unknown import Base
    from lslo_cli.recipe import assigned_keys, resolve

    for text in assignments:
        if model is None or assigned_keys(text) != ["model.revision"]:
            raise UsageError(
                f"--set {text} has no effect in lslo data check",
                "leave it out; model.revision is that of --model, and the only key that is read",
            )
    if model is None:
        return PUBLISHED
    from lslo_cli.models.checkpoint import find_checkpoint

    revision = resolve(None, {"model.name": model}, assignments).model.revision
    return Base(model, find_checkpoint(model, revision).tokenizer())


def print_document(result: DataCheckResult) -> None:
    """Print the result as a JSON document with its schema and version."""
    document = {
        "schema_id": f"lslo/{result.kind}",
        "version": result.version,
        "result": result.model_dump(mode="json"),
    }
    print(json.dumps(document, indent=1, ensure_ascii=False))


def show_check(result: DataCheckResult, pairs: bool) -> None:
    """Print counts by split and language, then the findings, most severe first, then the verdict."""
    for split in result.splits if result.languages else ():
        is_read = any(each.unknown is not None for each in split.languages)
        columns: tuple[str, ...] = (
            *("language", "name", "lines", "empty", "duplicate", "damaged", "length", "untranslated"),
            *(("unknown",) if is_read else ()),
        )
        rows = [
            (
                each.language,
                ", ".join(each.names),
                each.lines,
                each.empty,
                each.duplicates,
                each.characters,
                each.lengths,
                each.untranslated,
                *((each.unknown,) if is_read else ()),
            )
            for each in split.languages
        ]
        console.show_table(f"{split.split}: lines", columns, rows, names=2)
        console.results.print()
        if pairs:
            shared = [(*pair.languages, pair.rows, pair.identical) for pair in split.pairs]
            console.show_table(f"{split.split}: pairs", ("", "", "rows", "identical"), shared, names=2)
            console.results.print()
    if result.findings:
        console.show_facts((finding.severity, _sentence(finding)) for finding in result.findings)
        console.results.print()
    console.show_facts(
        [
            ("languages", f"{len(result.languages)}: {', '.join(result.languages)}"),
            *((split.split, _size(split)) for split in result.splits),
            ("usable", "yes" if result.usable else "no"),
        ]
    )


def _size(split: SplitCheck) -> str:
    """``66 pairs of 997 rows``, or the fewest and the most."""
    if not split.pairs:
        return "no pairs"
    fewest, most = (choose(split.pairs, key=lambda pair: pair.rows) for choose in (min, max))
    pairs = counted(len(split.pairs), "pair")
    if fewest.rows == most.rows:
        return f"{pairs} of {counted(most.rows, 'row')}"
    ends = (f"{pair.rows:,} ({'-'.join(pair.languages)})" for pair in (fewest, most))
    return f"{pairs} of {' to '.join(ends)} rows"


def _sentence(finding: DataFinding) -> str:
    """``dev, lengths: far shorter ... (zh 4, nl 1); dev/zho_simpl.dev:12``"""
    counts = sorted(finding.languages.items(), key=lambda item: -item[1])
    named = [f"{language} {count:,}" for language, count in counts[:MOST_NAMED]]
    if len(counts) > MOST_NAMED:
        named.append(f"and {counted(len(counts) - MOST_NAMED, 'more language')}")
    lines = f" ({', '.join(named)})" if named else ""
    where = f"; {', '.join(finding.where)}" if finding.where else ""
    return f"{finding.split}, {finding.check}: {finding.message}{lines}{where}"
