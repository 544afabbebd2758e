"""One artifact in the making: what it is made with and from, whether it is up to date, writing it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from lslo_cli.artifacts import store
from lslo_cli.artifacts.provenance import Stopwatch
from lslo_cli.artifacts.schema import Artifact, LanguageRecord, Result
from lslo_cli.errors import InputError, RunError
from lslo_cli.events import OnEvent, ignore
from lslo_cli.pipeline.experiment import Experiment, Upstream, Written, document
from lslo_cli.plan import Work
from lslo_cli.stages.batch_size import settled
from lslo_cli.stages.setup import Setup, prepare


@dataclass
class Job:
    """The artifact at ``path``, in the making; ``upstream`` are the artifacts behind it."""

    experiment: Experiment
    path: Path
    setup: Setup
    stopwatch: Stopwatch
    upstream: list[Upstream] = field(default_factory=list)

    def settle(self, work: Work) -> None:
        """Make the size of a batch a number, where the recipe leaves it to the memory that ``work`` finds."""
        self.setup = settled(self.setup, work)

    def up_to_date(self, kind: type[Result], *sections: str) -> Written | None:
        """The artifact that is there, if it was made from the same upstream, base model, text and settings.

        ``sections`` are the parts of the recipe that its result depends on, beside those that all do.
        """
        try:
            artifact = store.read(self.path, kind)
        except InputError:
            return None
        same = (
            [item.digest for item in artifact.inputs] == [item.digest for item in self.upstream]
            and artifact.model.digest == self.setup.base.identity.digest
            and artifact.languages == [LanguageRecord.of(language) for language in self.setup.languages]
            and self._same_settings(artifact, sections)
            and all(self.setup.read(text.split, text.limit).digest == text.digest for text in artifact.data)
        )
        return Written(self.path, artifact, up_to_date=True) if same else None

    def write(self, result: Result) -> Written:
        """Write the artifact, and then forget the checkpoint behind it."""
        written = document(
            result,
            replace(self.experiment, recipe=self.setup.recipe),
            self.path,
            model=self.setup.model_identity,
            data=self.setup.data,
            upstream=self.upstream,
            stopwatch=self.stopwatch,
            device=self.setup.device,
        )
        self.setup.on_main(lambda: store.write(self.path, written.artifact))
        if self.setup.work and self.setup.accelerator.is_main_process:
            _remove(self.setup.work)
        return written

    def _same_settings(self, artifact: Artifact[Result], sections: tuple[str, ...]) -> bool:
        recipe = self.setup.recipe.model_dump(mode="json")
        return (
            artifact.seed == self.setup.recipe.seed
            and artifact.recipe["run"]["precision"] == recipe["run"]["precision"]
            and artifact.recipe["run"].get("tf32", False) == recipe["run"]["tf32"]
            and all(artifact.recipe.get(section) == recipe[section] for section in (*sections, "data"))
        )


@contextmanager
def opened(
    experiment: Experiment,
    path: Path,
    *,
    work: Path | None = None,
    resume: bool = False,
    on_event: OnEvent = ignore,
) -> Iterator[Job]:
    """Check that the artifact can be written before anything long begins, and prepare its stage.

    Raises InputError where it cannot, whatever ``prepare`` raises, and RunError where memory runs out.
    """
    stopwatch = Stopwatch()
    store.check_writable(path.parent)
    try:
        yield Job(experiment, path, prepare(experiment.recipe, work, resume, on_event), stopwatch)
    except RuntimeError as error:
        # The CPU's allocator has no exception of its own.
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
            raise RunError(
                f"memory ran out: {str(error).splitlines()[0]}",
                "lower the batch size, as --max-tokens 2000, and raise --accumulate to keep the size of an "
                "update; --max-tokens auto does both",
            ) from error
        raise


def _remove(work: Path) -> None:
    """Remove a folder, and the one it stands in if nothing else is there."""
    shutil.rmtree(work, ignore_errors=True)
    with suppress(OSError):
        work.parent.rmdir()
