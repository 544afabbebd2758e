"""``lslo base check``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from lslo_cli.cli import console
from lslo_cli.cli.flags import takes
from lslo_cli.cli.options import BaseModelName, DataPath, MachineOptions, MaxTokens, TestSplit
from lslo_cli.errors import RunError, UsageError, naming_lack_of_memory, nearest

if TYPE_CHECKING:
    from lslo_cli.tasks.check_base import Anchor, AnchorVerdict


@dataclass(frozen=True, kw_only=True)
class BaseCheckOptions(MachineOptions):
    data: DataPath = None
    test: TestSplit = None
    model: BaseModelName = None
    anchors: Annotated[
        list[str] | None,
        Option("--anchor", metavar="ny-sw|lang12", help="Only this score. Repeatable; default: both."),
    ] = None
    max_tokens: MaxTokens = None

    def chosen(self) -> dict[str, Anchor]:
        """The anchors to check. Raises UsageError for an unknown one."""
        from lslo_cli.tasks.check_base import ANCHORS

        for name in self.anchors or ():
            if name not in ANCHORS:
                raise UsageError(
                    f"unknown anchor '{name}'.{nearest(name, ANCHORS)}", f"choose {', '.join(ANCHORS)}"
                )
        return {name: anchor for name, anchor in ANCHORS.items() if name in (self.anchors or ANCHORS)}

    def given(self) -> dict[str, Any]:
        """The anchors' languages, among them Swahili, which the paper does not have, and their metric."""
        languages = dict.fromkeys(code for anchor in self.chosen().values() for code in anchor.languages)
        return super().given() | {
            "langs": ",".join(languages),
            "languages.sw.resource": "low",
            "evaluate.metric_model": "flores101",
        }


@takes(BaseCheckOptions)
def check(options: BaseCheckOptions) -> None:
    """Compare a base model's scores with those published for it: pass or fail.

    A converted or downloaded M2M-124 615M that passes is the model the paper fine-tuned, decoded as there.
    The reference length checks text and sentencepiece model; the scores check weights and search.
    Reads: the base model, FLORES-101's devtest, and FLORES-101's sentencepiece model.

    Example: lslo base check --model models/m2m-124-615m --data data/flores101 --anchor ny-sw
    """
    recipe = options.resolve()
    from lslo_cli.cli.progress import listening
    from lslo_cli.tasks.check_base import check_base
    from lslo_cli.tasks.job import SMALLER_BATCHES

    with listening(options.quiet) as on_event, naming_lack_of_memory(SMALLER_BATCHES):
        verdicts = check_base(recipe, options.chosen(), on_event)
    if options.json:
        print(json.dumps([as_facts(verdict) for verdict in verdicts], indent=1))
    else:
        show_verdicts(verdicts)
    failed = [verdict for verdict in verdicts if not verdict.passed]
    if failed:
        raise RunError(
            f"{len(failed)} of {len(verdicts)} published scores were not reached: "
            f"{', '.join(verdict.name for verdict in failed)}",
            "check the text and the sentencepiece model first"
            if not all(verdict.same_text for verdict in failed)
            else "the text agrees: compare the weights with the official archive's",
        )


def show_verdicts(verdicts: Sequence[AnchorVerdict]) -> None:
    """Print a row for every anchor."""
    columns = ("anchor", "verdict", "spBLEU", "published", "tolerance", "reference pieces", "published")
    rows = [
        (
            verdict.name,
            "pass" if verdict.passed else "FAIL",
            f"{verdict.spbleu:.2f}",
            f"{verdict.anchor.spbleu:g}",
            f"{verdict.anchor.tolerance:g}",
            verdict.reference_length,
            verdict.anchor.reference_length,
        )
        for verdict in verdicts
    ]
    console.show_table("Against published scores", columns, rows, names=2)
    console.results.print()
    console.show_facts([(verdict.name, verdict.anchor.source) for verdict in verdicts])


def as_facts(verdict: AnchorVerdict) -> dict[str, Any]:
    """A verdict as a JSON object."""
    return {
        "anchor": verdict.name,
        "source": verdict.anchor.source,
        "passed": verdict.passed,
        "spbleu": verdict.spbleu,
        "published_spbleu": verdict.anchor.spbleu,
        "tolerance": verdict.anchor.tolerance,
        "reference_length": verdict.reference_length,
        "published_reference_length": verdict.anchor.reference_length,
    }
