"""Whether there is text to train every language on, and layers that select it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from lslo_cli.errors import InputError, UsageError
from lslo_cli.events import OnEvent, Warned
from lslo_cli.method.strategy import Index, IndexStrategy
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
        on_event(Warned(text + _causes(batches, data, limit)))


def check_selected(
    strategy: IndexStrategy,
    languages: Sequence[str],
    batches: EpochBatches,
    on_event: OnEvent,
    *,
    compared: bool = False,
) -> dict[Index, list[str]]:
    """The :meth:`~.IndexStrategy.idle` languages of the text to train on, which notes name.

    Their adapters stay as they begin in the layers that this side selects; an estimate, in which languages
    are ``compared``, leaves them out. Raises UsageError for a language that no layer selects.
    """
    idle = strategy.idle(languages, batches.with_pairs)
    if never := [code for code in languages if all(code in codes for codes in idle.values())]:
        raise UsageError(
            f"no layer selects the adapters of {several(never)}: no sentence pair to train on has these "
            f"languages as its {' or its '.join(idle)}",
            "leave these languages out of --langs, add directions to --directions, or give another --index",
        )
    for side, codes in idle.items():
        if not codes:
            continue
        layers = sum(index is side for index in strategy.by_layer.values())
        text = (
            f"the adapters of {several(codes)} stay untrained in the {counted(layers, 'layer')} that the "
            f"{side} selects: no sentence pair to train on has these languages as its {side}"
        )
        rest = [code for code in languages if code not in codes]
        if compared:
            text += "; the estimate leaves these adapters out"
            text += f" and compares {rest[0]} with no other there" if len(rest) == 1 else ""
        on_event(Warned(text))
    return idle


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
