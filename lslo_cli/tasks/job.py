"""Making one artifact: its setup and upstream artifacts, whether it is up to date, and writing it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from lslo_cli.artifacts import store
from lslo_cli.artifacts.lock import locked
from lslo_cli.artifacts.provenance import Stopwatch
from lslo_cli.artifacts.schema import Result
from lslo_cli.artifacts.writing import ELSEWHERE_RESULTS
from lslo_cli.errors import InputError, naming_lack_of_memory
from lslo_cli.events import Noted, OnEvent, Warned, ignore
from lslo_cli.method.languages import choose_directions
from lslo_cli.tasks.experiment import Experiment, Upstream, Written, document
from lslo_cli.tasks.freshness import same_languages, same_settings
from lslo_cli.tasks.session import Session
from lslo_cli.tasks.setup import Setup, check_at_hand, prepare
from lslo_cli.training.checkpoint import CheckpointError, TrainingCheckpoint
from lslo_cli.training.trackers import check_tracker

S = TypeVar("S", bound=Session)

OF_TEXT = "translation"
"""The role of the record of a translated text. Artifacts from before it was recorded are up to date."""


@dataclass
class ArtifactJob(Generic[S]):
    """The making of the artifact at ``path``; ``upstream`` are the artifacts that it is made from."""

    experiment: Experiment
    path: Path
    setup: S
    stopwatch: Stopwatch
    upstream: list[Upstream] = field(default_factory=list)

    def up_to_date(self, kind: type[Result], but_for: str = "") -> Written | None:
        """The existing artifact, if it was made from the same upstream, base, text and settings.

        The upstream artifact in the role of ``but_for`` may have changed.
        """
        try:
            artifact = store.read(self.path, kind)
            texts = [item for item in artifact.inputs if item.role == OF_TEXT]
            store.check_fresh(self.path, artifact.model_copy(update={"inputs": texts}))
        except InputError:
            return None
        apart = (but_for, OF_TEXT)
        made_from = [item.digest for item in artifact.inputs if item.role not in apart]
        same = (
            made_from == [item.digest for item in self.upstream if item.role not in apart]
            and artifact.model.is_the_same(self.setup.model_identity)
            and same_languages(artifact, self.setup.languages)
            and same_settings(artifact, self.setup.recipe, wherever_text_is=True)
            and all(self.setup.digest_now(text) == text.digest for text in artifact.data)
        )
        return Written(self.path, artifact, up_to_date=True) if same else None

    def write(self, result: Result) -> Written:
        """Write the artifact."""
        written = document(
            result,
            replace(self.experiment, recipe=self.setup.recipe),
            self.path,
            languages=self.setup.languages,
            model=self.setup.model_identity,
            data=self.setup.data,
            upstream=self.upstream,
            stopwatch=self.stopwatch,
            device=self.setup.device,
        )
        self.setup.on_main(lambda: store.write(self.path, written.artifact))
        return written


def is_kept(job: ArtifactJob[Setup], reuse: bool) -> bool:
    """Whether an artifact that is up to date is kept: with ``reuse``, or if there is nothing left to resume.

    So a job that is queued again after it has finished does not repeat its training.
    """
    setup = job.setup
    return reuse or (setup.resume and setup.work is not None and not TrainingCheckpoint.is_in(setup.work))


def resuming(
    command: Callable[..., Written], experiment: Experiment, label: str, on_event: OnEvent, **choices: str
) -> Written:
    """Run a training command unless it is up to date, from its checkpoint if there is one of the same run.

    Where that is of another run, a note says that the command named ``label`` starts again.
    """
    try:
        return command(experiment, **choices, resume=None, reuse=True, on_event=on_event)
    except CheckpointError as error:
        on_event(Warned(f"starting {label} again: {error.message}"))
        return command(experiment, **choices, reuse=True, on_event=on_event)


SMALLER_TRAINING_BATCHES = (
    "lower the batch size, as --max-tokens 2000, and raise --accumulate to keep the size of an update; "
    "--max-tokens auto does both"
)
SMALLER_BATCHES = "lower the batch size, as --max-tokens 2000"


def experiment_job(
    experiment: Experiment,
    path: Path,
    *,
    work: Path | None = None,
    log: Path | None = None,
    owned: Sequence[Path] = (),
    resume: bool | None = False,
    testing: bool = False,
    check: Callable[[Setup], None] | None = None,
    on_event: OnEvent = ignore,
) -> AbstractContextManager[ArtifactJob[Setup]]:
    """An :func:`artifact_job` of the first paper, with a checkpoint in ``work``.

    For a job that trains, ``log`` is the file that training logs to; with ``resume`` None it resumes if it
    has a checkpoint. ``testing`` means that the test text is read and not the training text. Directions that
    there are not, and what ``check`` refuses, are not remembered by the experiment.
    """
    lighter = SMALLER_BATCHES if testing else SMALLER_TRAINING_BATCHES
    if log:
        check_tracker(experiment.recipe.run.track)

    def setup() -> Setup:
        check_at_hand(experiment.recipe, testing)
        resumes = work is not None and TrainingCheckpoint.is_in(work) if resume is None else resume
        prepared = prepare(experiment.recipe, work, log, resumes, on_event)
        if not testing:
            choose_directions(experiment.recipe.data.directions, prepared.languages)
        if check:
            check(prepared)
        return prepared

    owned = [*owned, work] if work else owned
    return artifact_job(experiment, path, setup, lighter, owned=owned, on_event=on_event)


@contextmanager
def artifact_job(
    experiment: Experiment,
    path: Path,
    prepare: Callable[[], S],
    lighter: str,
    *,
    owned: Sequence[Path] = (),
    on_event: OnEvent = ignore,
) -> Iterator[ArtifactJob[S]]:
    """Make the artifact at ``path``, :func:`alone`, with the setup that ``prepare`` returns.

    Once it is there, just made or up to date, its checkpoint is removed. Raises whatever ``prepare`` raises,
    and what :func:`alone` does.
    """
    with alone(path, lighter, owned=owned, on_event=on_event):
        stopwatch = Stopwatch()
        setup = prepare()
        setup.on_main(experiment.remember)
        yield ArtifactJob(experiment, path, setup, stopwatch)
        if setup.work and setup.accelerator.is_main_process:
            _remove(setup.work)


@contextmanager
def alone(
    path: Path,
    lighter: str,
    *,
    owned: Sequence[Path] = (),
    hint: str = ELSEWHERE_RESULTS,
    on_event: OnEvent = ignore,
) -> Iterator[None]:
    """Make ``path`` while no other command does; first check that it can be written.

    Another command that makes the same path waits. What a killed command left half made of it is removed,
    also in the folders ``owned``. Raises InputError with ``hint`` if it cannot be written, and RunError with
    the hint ``lighter`` if memory runs out.
    """
    store.check_writable(path.parent, hint)
    is_main = os.environ.get("RANK", "0") == "0"  # of several processes that make it together
    waiting = partial(on_event, Noted(f"waiting for another process that makes {path}"))
    with naming_lack_of_memory(lighter), locked(path, waiting, owned, hint) if is_main else nullcontext():
        yield


def _remove(work: Path) -> None:
    """Remove a job's checkpoint, and its folder and that folder's parent where nothing else is there.

    Folders in it are other jobs': an interrupted evaluation is to go on though its training is up to date.
    """
    for path in [path for path in work.glob("*") if not path.is_dir()]:
        with suppress(OSError):
            path.unlink()
    for folder in (work, work.parent):
        with suppress(OSError):
            folder.rmdir()
