"""Where a FLARE experiment keeps its artifacts: by seed, then by language."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LanguageFolder:
    """``seed-N/xx/``: the training and evaluation of all methods on one language, with their weights."""

    path: Path

    @property
    def training(self) -> Path:
        return self.path / "training.json"

    @property
    def evaluation(self) -> Path:
        return self.path / "evaluation.json"

    def weights(self, stem: str) -> Path:
        return self.path / "weights" / f"{stem}.safetensors"


@dataclass(frozen=True)
class FlareFolder:
    """``results/<experiment>/`` of ``lslo flare``. Asking for a path creates nothing."""

    path: Path

    def of(self, seed: int, language: str) -> LanguageFolder:
        return LanguageFolder(self.path / f"seed-{seed}" / language)

    @property
    def report(self) -> Path:
        return self.path / "report.md"

    @property
    def figures(self) -> Path:
        return self.path / "figures"

    def seeds(self) -> list[int]:
        """The seeds that have been trained, in order."""
        names = (path.name.removeprefix("seed-") for path in self.path.glob("seed-*"))
        return sorted(int(name) for name in names if name.isdecimal())
