"""Whether there is text to train every language on."""

from __future__ import annotations

from collections.abc import Collection

from lslo_cli.errors import InputError
from lslo_cli.events import Noted, OnEvent
from lslo_cli.recipe import DataSection
from lslo_cli.training.batches import EpochBatches
from lslo_cli.wording import counted, several


def check_trained(
    batches: EpochBatches, adapted: Collection[str], data: DataSection, limit: str, on_event: OnEvent
) -> None:
    """Raise InputError if a language with adapters of its own has no sentence pair in the batches.

    A note names other languages of the directions without one. ``limit`` is the limit on length in words.
    """
    untrained = [code for code in batches.without_pairs if code in adapted]
    if untrained:
        raise InputError(
            f"no sentence pair to train on is from or to {several(untrained)}{_causes(batches, data, limit)}",
            "give more parallel text for these languages, change what leaves them none, or leave them out of "
            "--langs",
        )
    named = {code for direction in batches.directions for code in (direction.src, direction.tgt)}
    if partners := [code for code in batches.without_pairs if code in named]:
        text = f"no sentence pair to train on is from or to {several(partners)}"
        on_event(Noted(text + _causes(batches, data, limit)))


def _causes(batches: EpochBatches, data: DataSection, limit: str) -> str:
    """What may have left a language without text, in words; nothing if only the text itself may have."""
    causes = (
        (data.hold_out, f"--hold-out {data.hold_out}"),
        (data.dev_rows, f"--dev-rows {data.dev_rows}"),
        (data.train_rows, f"data.train_rows {data.train_rows}"),
        (data.directions, f"the directions {several(data.directions)}"),
        (batches.skipped, f"{counted(batches.skipped, 'pair')} left out as longer than {limit}"),
    )
    found = [words for is_set, words in causes if is_set]
    return f", with {', '.join(found)}" if found else ""
