"""What all commands share: a recipe, a device, and a listener."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from accelerate import Accelerator

from lslo_cli.artifacts.schema import DataIdentity, ModelIdentity
from lslo_cli.events import OnEvent, ignore
from lslo_cli.method.languages import Language
from lslo_cli.recipe import Recipe
from lslo_cli.training.device import describe_device


@dataclass
class Session(ABC):
    """One command at work. ``languages`` are those that its artifact records.

    ``data`` collects the identity of all text that was read. ``work`` is the folder of its checkpoint, None
    for no checkpoint. Of several processes only the main one has a listener in ``on_event``. Files that are
    read later, after a script may have changed its working folder, are looked for from ``place``.
    """

    recipe: Recipe
    accelerator: Accelerator
    on_event: OnEvent = ignore
    data: list[DataIdentity] = field(default_factory=list)
    languages: tuple[Language, ...] = ()
    work: Path | None = None
    place: Path = field(default_factory=Path.cwd)

    @property
    @abstractmethod
    def model_identity(self) -> ModelIdentity:
        """The frozen model that everything starts from."""

    @abstractmethod
    def digest_now(self, text: DataIdentity) -> str:
        """The current digest of a text. Raises InputError if it is missing or damaged."""

    @property
    def device(self) -> str:
        return describe_device(self.accelerator.device)

    def on_main(self, write: Callable[[], object]) -> None:
        """Call ``write`` in the main process, once all processes are here and before any continues."""
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            write()
        self.accelerator.wait_for_everyone()
