"""The size of a training batch, if the recipe leaves it to the available memory."""

from __future__ import annotations

from dataclasses import replace

from accelerate.utils import gather_object

from lslo_cli.errors import RunError
from lslo_cli.events import Noted
from lslo_cli.method.memory import MARGIN, base_bytes
from lslo_cli.models.work import Work, in_binary_units
from lslo_cli.recipe.sections import BATCH_TOKENS, FitSection
from lslo_cli.tasks.freshness import divided_as
from lslo_cli.tasks.setup import Setup
from lslo_cli.training.checkpoint import TrainingCheckpoint
from lslo_cli.training.device import free_memory


def resolve_batch_size(setup: Setup, work: Work) -> Setup:
    """The same setup with a number for ``fit.max_tokens``.

    For "auto", an update of ``accumulate`` batches of the default size is cut into 1, 2, 4, ... batches, the
    fewest that fit into memory with a margin. So the machine decides how an update is computed, not how large
    it is, and a repetition from the recorded numbers depends on no machine. An interrupted run is resumed
    with the numbers of its checkpoint. Raises RunError if the smallest batch, with the longest sentence
    allowed, does not fit.
    """
    recipe = setup.recipe
    if recipe.fit.max_tokens != "auto":
        return setup
    fit = _of_checkpoint(setup)
    if fit.max_tokens == "auto":
        fit = _fitting(setup, work)
    return replace(setup, recipe=recipe.model_copy(update={"fit": fit}))


def _of_checkpoint(setup: Setup) -> FitSection:
    """The optimisation with the numbers of the checkpoint to resume from, or unchanged without them."""
    fit = setup.recipe.fit
    if not (setup.resume and setup.work):
        return fit
    return divided_as(fit.model_copy(update=TrainingCheckpoint.batch_size_in(setup.work)), fit)


def _fitting(setup: Setup, work: Work) -> FitSection:
    """The optimisation with the fewest batches to an update that fit into memory."""
    recipe, shape = setup.recipe, setup.model_identity.shape
    free = min(gather_object([free_memory(setup.accelerator.device)]))
    update = recipe.fit.accumulate * BATCH_TOKENS
    accumulate, max_tokens = 1, update
    there = base_bytes(shape, work.base_dtype)  # the base model is in memory already
    while (needed := work.memory(shape, max_tokens).total - there) * MARGIN > free:
        accumulate *= 2
        if update // accumulate < recipe.data.max_length:
            raise RunError(
                f"not even a batch of {max_tokens:,} tokens fits into memory: it needs about "
                f"{in_binary_units(needed)} besides the base model, and {in_binary_units(free)} are free",
                "free some memory, or train less: lower ranks, a smaller base model; or try "
                f"--max-tokens {max_tokens}",
            )
        max_tokens = update // accumulate
    setup.on_event(
        Noted(
            f"batches of {max_tokens:,} tokens, {accumulate} to an update: about {in_binary_units(needed)} "
            f"of the {in_binary_units(free)} that are free"
        )
    )
    return recipe.fit.model_copy(update={"max_tokens": max_tokens, "accumulate": accumulate})
