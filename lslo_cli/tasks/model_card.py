"""The model card of a run: README.md beside its weights, so that the folder can be pushed to the hub."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from lslo_cli.artifacts import store
from lslo_cli.artifacts.adapter_config import MODEL_CARD
from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.folder import RunFolder
from lslo_cli.artifacts.lock import write_locked
from lslo_cli.artifacts.results import TrainingResult
from lslo_cli.artifacts.schema import Artifact
from lslo_cli.errors import InputError
from lslo_cli.recipe import Method, recorded, to_toml
from lslo_cli.wording import typed

KINDS = {"chrF++": "chrf"}
"""The hub's name of a metric, where it is not the metric's name in lower case."""

TRAINED: Mapping[str, str] = {
    Method.LSLO: "Language-specific low-rank adapters (LSLo)",
    Method.LORA: "One low-rank adapter shared by all languages (LoRA)",
    Method.FULL: "A fine-tuned model",
}
"""What a run has trained, by its method."""


def write_card(run: RunFolder) -> None:
    """Describe a run, with its scores if it has been evaluated.

    Nothing is written for a run without weights.
    """
    training = store.read(run.training, TrainingResult)
    folder = (run.path / training.result.weights.path).parent
    if not folder.is_dir():
        return
    lines = [*_front_matter(training, evaluation := _scores(run, training)), *_text(training, evaluation)]
    write_locked(folder / MODEL_CARD, "\n".join(lines) + "\n")


def _scores(run: RunFolder, training: Artifact[TrainingResult]) -> Artifact[EvaluationResult] | None:
    """The evaluation of these very weights, if there is one."""
    try:
        evaluation = store.read(run.evaluation, EvaluationResult)
    except InputError:
        return None
    return evaluation if evaluation.input_digest("training") == training.digest else None


def _front_matter(
    training: Artifact[TrainingResult], evaluation: Artifact[EvaluationResult] | None
) -> Iterator[str]:
    """YAML, of which JSON's values are a part."""
    yield "---"
    yield f"language: {_value([language.code for language in training.languages])}"
    yield f"license: {_value(_license(training))}"
    yield f"base_model: {_value(base_name(training))}"
    yield 'library_name: "lslo"'
    yield 'pipeline_tag: "translation"'
    of_adapters = [] if training.result.method == Method.FULL else ["lora"]
    yield f"tags: {_value(['lslo', 'translation', *of_adapters])}"
    if evaluation:
        result, text = evaluation.result, evaluation.data[0]
        dataset = {"name": Path(text.path).name, "type": Path(text.path).name, "split": text.split}
        metrics = [
            {
                "type": KINDS.get(name, name.lower()),
                "value": found.average,
                "name": f"{name}, {found.signature}",
            }
            for name, found in result.metrics.items()
        ]
        task = {"type": "translation"}
        scores = {"task": task, "dataset": dataset, "metrics": metrics}
        yield f"model-index: {_value([{'name': training.result.run, 'results': [scores]}])}"
    yield "---"


def _text(training: Artifact[TrainingResult], evaluation: Artifact[EvaluationResult] | None) -> Iterator[str]:
    result, model = training.result, training.model
    codes = [language.code for language in training.languages]
    yield from ("", f"# {result.run}", "")
    revision = f" at revision {model.revision}" if model.revision else ""
    kind = TRAINED[result.method]
    yield f"{kind} for {base_name(training)}{revision} ({model.parameters:,} parameters), trained by"
    yield f"`{result.command}` of lslo {training.made.version} for {', '.join(codes)}."
    trained, left = result.trainable_parameters, result.nonzero_parameters
    yield f"{trained:,} parameters were trained, of which {left:,} are not pruned."
    yield from (
        "",
        "```sh",
        typed("translate", "--run", "FOLDER", "--src", codes[0], "--tgt", codes[1], "-i", "text.txt"),
        "```",
    )
    yield from ("", "where FOLDER is this folder or its id on the hub.")
    if evaluation:
        found = evaluation.result
        names = list(found.metrics)
        yield from ("", "## Scores", "", f"| directions | {' | '.join(names)} |")
        yield f"| --- {'| ---: ' * len(names)}|"
        for group in found.metrics[names[0]].groups:
            yield f"| {group} | {' | '.join(f'{found.metrics[name].groups[group]:.1f}' for name in names)} |"
        yield f"| average | {' | '.join(f'{found.metrics[name].average:.1f}' for name in names)} |"
        yield from ("", *(f"{name}: `{metric.signature}`" for name, metric in found.metrics.items()))
        yield "Groups are named by the resource classes of source and target."
    recipe = recorded(training.recipe)
    if recipe is not None:
        # Paths of text and models on this machine are of no use to others.
        data = recipe.data.model_copy(update={"path": Path(recipe.data.path).name})
        model_section = recipe.model.model_copy(update={"name": base_name(training)})
        yield from ("", "## Recipe", "", "```toml")
        yield to_toml(recipe.model_copy(update={"data": data, "model": model_section})).strip()
        yield "```"


def base_name(training: Artifact[TrainingResult]) -> str:
    """The base model's name for others: its hub id, or the last part of its path."""
    name = training.model.name
    return name if training.model.revision else Path(name).name


def _license(training: Artifact[TrainingResult]) -> str:
    recipe = recorded(training.recipe)
    return recipe.card.license if recipe else "other"


def _value(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
