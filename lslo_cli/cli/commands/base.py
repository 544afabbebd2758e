"""``lslo base``: base models of your own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from lslo_cli.cli import console
from lslo_cli.cli.command_options import CommandOptions
from lslo_cli.cli.commands.base_check import check
from lslo_cli.cli.commands.base_info import info
from lslo_cli.cli.flags import App, takes
from lslo_cli.cli.options import ClassOptions, MachineOptions, TrackerName, TrainingTextOptions
from lslo_cli.cli.record import line_for_record
from lslo_cli.cli.run import print_artifacts
from lslo_cli.cli.stage_options import say_unread
from lslo_cli.errors import UsageError
from lslo_cli.wording import typed

app = App(help="Base models: train, convert, inspect and check them.")
app.command("info")(info)
app.command("check")(check)


@dataclass(frozen=True, kw_only=True)
class BaseTrainOptions(MachineOptions, TrainingTextOptions, ClassOptions):
    out: Annotated[Path, Option("--out", metavar="FOLDER", help="Where to put the model.")]
    track: TrackerName = None
    resume: Annotated[bool, Option("--resume", help="Continue after the last finished epoch.")] = False


@dataclass(frozen=True, kw_only=True)
class BaseConvertOptions(CommandOptions):
    folder: Annotated[
        Path, Argument(metavar="DIR", help="Folder with model.pt, dict.txt and sentencepiece.bpe.model.")
    ]
    out: Annotated[Path, Option("--out", metavar="FOLDER", help="Where to put the model.")]
    dtype: Annotated[
        str | None,
        Option("--dtype", metavar="FORMAT", help="float32, bfloat16 or float16; default: as stored."),
    ] = None


@app.command("convert")
@takes(BaseConvertOptions)
def convert(options: BaseConvertOptions) -> None:
    """Convert M2M-124 from its published fairseq checkpoint to a folder that lslo and transformers read.

    Reads: model.pt (tensors and settings only; no code in it is run), dict.txt, sentencepiece.bpe.model.
    Writes: FOLDER with the weights as safetensors, settings and vocabulary; all of it or nothing.

    Example: lslo base convert flores101_mm100_615M --out models/m2m-124-615m
    """
    from lslo_cli.models.base import Dtype
    from lslo_cli.models.conversion import convert_fairseq

    if options.dtype not in (None, *Dtype):
        raise UsageError(f"unknown number format '{options.dtype}'", f"choose {', '.join(Dtype)}")
    base = convert_fairseq(options.folder, options.out, Dtype(options.dtype) if options.dtype else None)
    console.show_facts(
        [
            ("parameters", base.identity.parameters),
            ("vocabulary", base.identity.vocab_size),
            ("languages", len(base.tokenizer.languages)),
            ("sha256", base.identity.digest),
        ]
    )
    console.say(f"wrote {options.out}; next: {typed('base info', options.out)}")


@app.command("train")
@takes(BaseTrainOptions)
def train(options: BaseTrainOptions) -> None:
    """Train a small base model and its vocabulary from scratch, on parallel text that may have gaps.

    Reads: a folder of line-aligned text, or `world`.
    Writes: FOLDER with the weights, the vocabulary and training.json.

    Example: lslo base train --data bitext --langs en,fr,wo --out models/small
    """
    recipe = options.resolve()
    say_unread(recipe, options.quiet, testing=False)
    from lslo_cli.cli.progress import listening
    from lslo_cli.tasks import commands as tasks

    with listening(options.quiet) as on_event:
        written = tasks.train_base(
            recipe, options.out, line_for_record(options, recipe), resume=options.resume, on_event=on_event
        )
    if not print_artifacts(options, [written]):
        artifact = written.artifact
        console.show_facts(
            [
                ("parameters", artifact.model.parameters),
                ("sentence pairs", artifact.result.sentence_pairs),
                ("loss", f"{artifact.result.history[-1].loss:.3f}"),
                ("validation loss", f"{artifact.result.validation[-1]:.3f}"),
            ]
        )
    if not options.quiet:
        from lslo_cli.data.splits import with_splits

        whole = [] if with_splits(recipe, testing=False).data.train else ["--train", ""]
        then = options.command("weight-learn", "--model", options.out, *whole)
        made = "up to date:" if written.up_to_date else "wrote"
        console.say(f"{made} {options.out}; next: {then}")
