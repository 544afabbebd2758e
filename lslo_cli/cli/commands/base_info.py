"""``lslo base info``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from lslo_cli.cli import console
from lslo_cli.cli.completion import offering, shapes
from lslo_cli.cli.flags import takes
from lslo_cli.cli.options import MACHINE, ClassOptions, NewLanguageOptions, Ranks, Sites, SpanName
from lslo_cli.method.sites import Stack

if TYPE_CHECKING:
    from lslo_cli.method.shapes import BaseFacts
    from lslo_cli.models.base_info import AdapterFacts


@dataclass(frozen=True, kw_only=True)
class BaseInfoOptions(ClassOptions, NewLanguageOptions):
    model: Annotated[
        str,
        Argument(
            metavar="MODEL",
            autocompletion=offering(shapes),
            help="A folder, a hub id, or a published shape such as m2m-124-615m.",
        ),
    ]
    ranks: Ranks = None
    sites: Sites = None
    span: SpanName = None
    json: Annotated[
        bool, Option("--json", rich_help_panel=MACHINE, help="Print the facts as JSON, nothing else.")
    ] = False


@takes(BaseInfoOptions)
def info(options: BaseInfoOptions) -> None:
    """Show what a base model is, and what adapting it would train and cost, without loading its weights.

    Reads: config.json, tokenizer files and the headers of the weights, nothing of these for a shape; with
    --resource text the training text in data.path.

    Example: lslo base info m2m-124-615m --langs lang12 --ranks 2,2,8
    """
    recipe = options.resolve()
    from lslo_cli.models.base_info import adapter_facts, base_facts

    base = base_facts(options.model, recipe.model.revision)
    adapters = adapter_facts(base, recipe)
    if options.json:
        print(json.dumps({"base": asdict(base), "adapters": asdict(adapters)}, indent=1))
        return
    show_base(base)
    console.results.print()
    show_adapters(adapters, base)


def show_base(base: BaseFacts) -> None:
    """Facts about the model."""
    shape = base.shape
    widths = " and ".join(f"{width:,}" for width in dict.fromkeys(map(shape.ffn, Stack)))
    languages = f"{len(base.languages)}: {', '.join(base.languages)}" if base.languages else "by vocabulary"
    console.show_facts(
        [
            ("model", f"{base.name}, of the family {base.family} ({base.architecture}), by {base.source}"),
            ("layers", f"{shape.encoder_layers} encoder, {shape.decoder_layers} decoder"),
            ("width", f"{shape.d_model:,}, feed-forward {widths}"),
            ("vocabulary", shape.vocab_size),
            ("parameters", base.parameters),
            ("languages", languages),
        ]
    )


def show_adapters(adapters: AdapterFacts, base: BaseFacts) -> None:
    """Facts about the adapters that would be trained."""
    from lslo_cli.models.work import describe_memory, in_binary_units

    columns = ("language", "resource", "rank", "parameters")
    total = ("total", "", None, adapters.parameters)
    console.show_table("Trainable parameters", columns, [*adapters.by_language, total], names=2)
    console.results.print()
    share, paper_style = adapters.parameters / base.parameters, adapters.parameters_paper_style
    facts = [
        ("sites", f"{adapters.site_set} ({adapters.sites} matrices)"),
        ("trainable", f"{adapters.parameters:,} parameters, {share:.2%} of the base"),
        *([("counted as the paper does", paper_style)] if paper_style else ()),
        (f"memory, batches of {adapters.max_tokens:,} tokens, roughly", describe_memory(adapters.memory)),
    ]
    if adapters.unknown:
        facts.append(("without a token in this model", ", ".join(adapters.unknown)))
    console.show_facts(facts)
    console.results.print()
    headings = ("base model", "activations kept", "recomputed")
    rows = [
        (each.choice, in_binary_units(each.kept.total), in_binary_units(each.recomputed.total))
        for each in adapters.choices
    ]
    console.show_table("Memory of training, roughly", headings, rows)
