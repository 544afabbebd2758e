"""Whether runs can be compared, and seeds averaged: what they were measured and made with.

Comparisons, reports and figures all ask here, so that one refuses what the others refuse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from lslo_cli.artifacts import store
from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.folder import BASE_RUN
from lslo_cli.artifacts.results import (
    RATE_OF_FULL,
    IndexStrategyResult,
    SubspaceResult,
    TrainingResult,
    unread_by,
)
from lslo_cli.artifacts.schema import Artifact, DataIdentity, LanguageRecord, Result
from lslo_cli.errors import InputError
from lslo_cli.method.metrics import SPBLEU
from lslo_cli.wording import Command, Hint, several

R = TypeVar("R", bound=Result)

SETTINGS = {
    "method": "train.method",
    "index": "train.index",
    "ranks": "train.ranks",
    "sites": "train.sites",
    "span": "adapters.span",
    "target_ratio": "train.gps",
    "start_epoch": "train.gps_start",
    "duration": "train.gps_duration",
    "prune_targets": "train.prune_targets",
    "pruned_languages": "train.gps_classes",
}
"""The settings in which runs of one experiment differ: their names in a training result, and their keys."""

OF_TRAINING = {
    "fit": (),
    "adapters": (),
    "data": ("world", "train_rows", "hold_out", "dev_rows", "directions", "temperature", "max_length"),
    "train": ("keep",),
    "run": ("base_dtype",),
}
"""The sections of a recipe, and which of their keys a training depends on; () is all of them.

Keys of [data] are those that say which sentences are read; the text itself is compared by its digest,
whatever folder it is in.
"""
OF_ESTIMATES = {
    **{section: OF_TRAINING[section] for section in ("fit", "adapters", "data", "run")},
    "weight_learn": ("rank", "epochs"),
    "estimate_subspace": ("rank", "epochs", "target_ratio", "start_epoch", "duration", "pool", "quick"),
}
"""The same for learning an index and for estimating subspaces, each of which has a section of its own."""
OF_TRANSLATION = {"evaluate": ("no_repeat_ngram",), "data": ("max_length",)}
"""The same for translations, beside the search that a result has."""
RELATIVES = "relatives of new languages"
"""The setting that makes another base model, as the token of a new language begins as its relative's."""
NAMED = 3
"""The most entries that a refusal names."""
SCORE_ALIKE: Hint = "evaluate them with the same settings", Command("evaluate", "--force")
TRAIN_ALIKE: Hint = ("keep them in separate experiments, or train one of them again",)


@dataclass(frozen=True)
class Located(Generic[R]):
    """An artifact and the file that it was read from."""

    path: Path
    artifact: Artifact[R]

    @classmethod
    def read(cls, path: Path, result_type: type[R]) -> Located[R]:
        """Read an artifact as :func:`store.read_fresh` does."""
        return cls(path, store.read_fresh(path, result_type))

    @property
    def result(self) -> R:
        return self.artifact.result


@dataclass(frozen=True)
class Setting:
    """A value that must be equal, and its text for people; a mapping has a text for each entry instead."""

    value: object
    shown: str = field(default="", compare=False)

    def beside(self, other: Setting) -> tuple[str, str]:
        """Both as text; of mappings, the first entries that differ."""
        ours, theirs = self.value, other.value
        if not (isinstance(ours, Mapping) and isinstance(theirs, Mapping)):
            return self.shown or str(ours), other.shown or str(theirs)
        keys = [key for key in dict.fromkeys((*ours, *theirs)) if ours.get(key) != theirs.get(key)]
        first, second = (
            several((f"{key} {each.get(key, 'missing')}" for key in keys), NAMED) for each in (ours, theirs)
        )
        return first, second


Settings = Mapping[str, Setting]
"""Settings by name, in the plural."""


def one_of_each_seed(found: Iterable[Located[R]]) -> list[Located[R]]:
    """The artifacts without copies of a seed's. Raises InputError if a seed has two that differ."""
    seeds: dict[int, Located[R]] = {}
    for each in found:
        other = seeds.setdefault(each.artifact.seed, each)
        if other.artifact.digest != each.artifact.digest:
            raise InputError(
                f"{other.path} and {each.path} are both of seed {each.artifact.seed}, with different results",
                "name one of the two folders",
            )
    return list(seeds.values())


def check_study(
    evaluations: Sequence[Located[EvaluationResult]],
    trainings: Sequence[Located[TrainingResult]],
    metric: str = SPBLEU,
    *,
    by_direction: bool = False,
) -> None:
    """Raise InputError unless runs of one or several seeds can share a table or a figure.

    Each folder of runs is of one seed, by its evaluations and its trainings; the evaluations were measured
    alike, ``by_direction`` each direction for itself, and the seeds of each run trained alike.
    """
    folders: dict[Path, list[Artifact[Any]]] = {}
    everything: list[Located[Any]] = [*evaluations, *trainings]
    for each in everything:
        folders.setdefault(each.path.parents[2], []).append(each.artifact)
    for path, artifacts in folders.items():
        check_one_seed(path, artifacts)
    check_measured_alike(evaluations, metric, by_direction=by_direction)
    check_trained_alike(trainings)


def check_one_seed(path: Path, artifacts: Sequence[Artifact[Any]]) -> None:
    """Raise InputError if the artifacts of a folder are of several seeds."""
    for artifact in artifacts:
        if artifact.seed != artifacts[0].seed:
            kind = artifact.schema_id.partition("/")[2]
            raise InputError(
                f"{path} mixes seed {artifacts[0].seed} and seed {artifact.seed} ({kind})",
                "keep each seed in its own folder: seed-1/, seed-2/",
            )


def scored_with(result: EvaluationResult, metric: str = SPBLEU) -> dict[str, Setting]:
    """The settings that must be equal for scores in ``metric`` to be compared, as far as a result has them.

    Raises InputError if the run was not scored by the metric.
    """
    found = {
        "languages": _languages(result.languages),
        "metrics": Setting(result.metric(metric).signature),
        "directions": Setting({str(row.direction): "scored" for row in result.directions}),
        "search settings": Setting(result.search),
    }
    if metric == SPBLEU:
        model = result.metric_model_sha256
        found["sentencepiece models"] = Setting(model, model[:12] or "unknown")
    return found


def measured_with(artifact: Artifact[EvaluationResult], metric: str = SPBLEU) -> dict[str, Setting]:
    """All settings that must be equal for scores in ``metric`` to be compared.

    Rows that the seed chose from the training text are the same within a seed only.
    """
    found = {
        "base models": _base_model(artifact),
        **scored_with(artifact.result, metric),
        RELATIVES: Setting(artifact.recipe.get("new_languages", {})),
    }
    shown = ", ".join(map(_text, artifact.data))
    drawn = [(text.hold_out, text.limit, text.rows) for text in artifact.data if text.hold_out]
    digests = Setting([text.digest for text in artifact.data], shown)
    if drawn:
        found["held-out rows"] = Setting(drawn, shown)
        found[f"test texts of seed {artifact.seed}"] = digests
    else:
        found["test texts"] = digests
    return found | _recorded(artifact, OF_TRANSLATION)


def trained_with(artifact: Artifact[TrainingResult], *, within_seed: bool = False) -> dict[str, Setting]:
    """All settings that must be equal for seeds of one run to be averaged.

    What each seed learned or estimated for itself, an index, ranks or which languages to prune, may differ,
    unless two runs are compared ``within_seed``.
    """
    result, asked = artifact.result, artifact.recipe.get("train", {})
    ratio = result.target_ratio
    found = {
        "base models": _base_model(artifact),
        "languages": _languages(artifact.languages),
        **{name.replace("_", " "): Setting(getattr(result, name)) for name in SETTINGS},
        **_training_text(artifact),
        **_recorded(artifact, OF_TRAINING),
    }
    if result.index_source == "learned" and not within_seed:
        found["index"] = Setting("learned")
    if asked.get("ranks") == "auto" and not within_seed:
        found["ranks"] = Setting({"auto": "", "rule": asked.get("rule"), "budget": asked.get("budget")})
    if asked.get("gps_classes") == "auto" and not within_seed:
        ratio = asked.get("gps", ratio)  # that of the result is 0 if this seed's estimate prunes nobody
        found["pruned languages"], found["target ratio"] = Setting("auto"), Setting(ratio)
    unread = unread_by(result.method, ratio)
    unread |= {name.replace("_", " ") for name, key in SETTINGS.items() if key in unread}
    return {name: setting for name, setting in found.items() if name not in unread}


def estimated_with(artifact: Artifact[IndexStrategyResult] | Artifact[SubspaceResult]) -> dict[str, Setting]:
    """All settings that must be equal for what seeds learned or estimated to be averaged.

    An index that each seed learned for itself may differ.
    """
    own = {name: keys for name, keys in OF_ESTIMATES.items() if name in type(artifact.result).sections}
    is_learned = artifact.input_digest("index-strategy") is not None
    named = artifact.recipe.get("estimate_subspace", {}).get("index") or "paper"
    found = {
        "index": Setting("learned" if is_learned else named),
        "base models": _base_model(artifact),
        "languages": _languages(artifact.languages),
        **_training_text(artifact),
        **_recorded(artifact, {**own, "run": OF_ESTIMATES["run"]}),
    }
    return {name: setting for name, setting in found.items() if name != RATE_OF_FULL}


def check_alike(
    named: Iterable[tuple[str, Settings]], done: str, hint: Hint, ignored: Sequence[str] = ()
) -> None:
    """Raise InputError with ``hint`` if settings ``named`` by what was ``done`` with them are not equal.

    Every setting is compared with that of the first that has it; keys that one lacks are newer than it.
    """
    first: dict[str, tuple[str, Setting]] = {}
    for name, settings in named:
        for what, setting in settings.items():
            other, theirs = first.setdefault(what, (name, setting))
            if setting == theirs or what in ignored:
                continue
            values = " and ".join(theirs.beside(setting))
            if what == "base models":
                hint = ("compare runs of one base model, and keep each base model in its own experiment",)
            if what == RELATIVES:
                hint = ("a base is compared with runs of its relatives: keep others in their own experiment",)
            raise InputError(f"{other} and {name} were {done} with different {what}: {values}", *hint)


def check_scored_alike(
    results: Iterable[EvaluationResult], metric: str = SPBLEU, *, by_direction: bool = False
) -> None:
    """Raise InputError unless results were scored alike; ``by_direction``: each direction for itself."""
    named = ((f"run {result.run}", scored_with(result, metric)) for result in results)
    check_alike(named, "scored", SCORE_ALIKE, ("directions",) if by_direction else ())


def check_measured_alike(
    found: Iterable[Located[EvaluationResult]], metric: str = SPBLEU, *, by_direction: bool = False
) -> None:
    """The same of evaluations, with their text and base model.

    Trained runs may have learned a new language from different relatives, unless the base is among them.
    """
    found = list(found)
    named = ((str(each.path), measured_with(each.artifact, metric)) for each in found)
    has_base = any(each.result.run == BASE_RUN for each in found)
    ignored = [*(["directions"] if by_direction else []), *([] if has_base else [RELATIVES])]
    check_alike(named, "measured", SCORE_ALIKE, ignored)


def check_trained_alike(found: Iterable[Located[TrainingResult]]) -> None:
    """Raise InputError unless the seeds of each run were trained with the same settings."""
    runs: dict[str, list[Located[TrainingResult]]] = {}
    for each in found:
        runs.setdefault(each.result.run, []).append(each)
    for seeds in runs.values():
        named = ((str(each.path), trained_with(each.artifact)) for each in seeds)
        check_alike(named, "trained", TRAIN_ALIKE)


def check_estimated_alike(
    found: Iterable[Located[IndexStrategyResult]] | Iterable[Located[SubspaceResult]],
) -> None:
    """Raise InputError unless seeds learned their index, or estimated, with the same settings."""
    named = ((str(each.path), estimated_with(each.artifact)) for each in found)
    check_alike(named, "made", TRAIN_ALIKE)


def _training_text(artifact: Artifact[Any]) -> dict[str, Setting]:
    """The text that was trained on, where it is known; rows that the seed chose are its own."""
    section = artifact.recipe.get("data", {})
    for text in artifact.data:
        if text.split == section.get("train"):
            shown = _text(text)
            digest = Setting(text.digest, shown)
            if not (section.get("hold_out") or section.get("dev_rows")):
                return {"training texts": digest}
            rows = Setting((text.split, text.rows, text.limit), shown)
            return {"rows to train on": rows, f"training texts of seed {artifact.seed}": digest}
    return {}


def _recorded(artifact: Artifact[Any], sections: Mapping[str, Sequence[str]]) -> dict[str, Setting]:
    """Settings of the recorded recipe by key, as far as it has them."""
    found: dict[str, Setting] = {}
    for section, keys in sections.items():
        recorded = artifact.recipe.get(section, {})
        found |= {f"{section}.{key}": Setting(recorded[key]) for key in keys or recorded if key in recorded}
    return found


def _base_model(artifact: Artifact[Any]) -> Setting:
    return Setting(artifact.model.digest, model_text(artifact))


def model_text(artifact: Artifact[Any]) -> str:
    """The base model of an artifact by name and digest: models in the same folder may differ."""
    return f"{artifact.model.name} ({artifact.model.digest[:12]})"


def _languages(records: Iterable[LanguageRecord]) -> Setting:
    """Codes with the classes that make groups of directions."""
    return Setting({record.code: record.resource.value for record in records})


def _text(text: DataIdentity) -> str:
    return f"{text.path} {text.split}, {text.rows:,} rows ({text.digest[:12]})"
