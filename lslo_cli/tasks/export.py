"""``lslo export``: writing a trained run for other libraries."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from lslo_cli.architectures import architecture_of
from lslo_cli.artifacts.folder import BASE_RUN
from lslo_cli.artifacts.lock import locked
from lslo_cli.artifacts.writing import TO, beside, settle
from lslo_cli.errors import InputError, UsageError
from lslo_cli.events import OnEvent, ignore
from lslo_cli.method.codes import find_code
from lslo_cli.method.languages import Direction
from lslo_cli.method.strategy import Index
from lslo_cli.models.base import load_base, save_base, with_known_languages
from lslo_cli.models.pretrained import pretrained, quiet_transformers
from lslo_cli.nn.compact import restore
from lslo_cli.nn.folding import adapted, factors, fold, selecting_indices
from lslo_cli.nn.route import Route
from lslo_cli.tasks.experiment import Experiment
from lslo_cli.tasks.export_check import (
    QUANTIZED_PAIRS,
    Example,
    examples_of,
    largest_difference,
    logits_of,
    perplexity_ratio,
    routed_logits,
)
from lslo_cli.tasks.setup import Setup, load_as_prepared
from lslo_cli.tasks.translate import open_translator

FORMATS = ("merged", "peft", "ct2")
QUANTIZATIONS = ("float32", "int8")
BASE_FILE = "base.json"
"""The file of an export that names its base model and the base's number format."""


def export(
    experiment: Experiment,
    run: str,
    to: Path,
    form: str,
    *,
    source: str | None = None,
    target: str | None = None,
    compact: bool = False,
    quantization: str = "float32",
    on_event: OnEvent = ignore,
    given: Mapping[str, Any] | None = None,
) -> float:
    """Write a trained run to the folder ``to``; returns the largest difference of a logit.

    With eight-bit weights it returns the ratio of the references' perplexity to that of the run. ``form`` is
    one of :data:`FORMATS`. ``source`` and ``target`` choose the adapters of a merged model; ``compact`` drops
    all-zero ranks from PEFT's adapters, ``quantization`` is that of CTranslate2's weights. A run given as a
    folder or a hub id takes the settings ``given`` by recipe key. Raises UsageError for choices that do not
    fit the run, InputError if it cannot be read, and RunError if the export does not reproduce the run.
    """
    if form not in FORMATS:
        raise UsageError(f"unknown export format '{form}'", f"choose {' or '.join(FORMATS)}")
    if form == "peft" and (source or target):
        raise UsageError("adapters for PEFT serve all directions", "leave out --source and --target")
    if form != "peft" and compact:
        raise UsageError("a merged model has no ranks to drop", "leave out --compact")
    if quantization not in QUANTIZATIONS or (form != "ct2" and quantization != QUANTIZATIONS[0]):
        raise UsageError(
            f"no export of format '{form}' has {quantization} weights",
            f"choose --format ct2 and --quantization {' or '.join(QUANTIZATIONS)}",
        )
    if run == BASE_RUN:
        raise UsageError("the base model has no adapters to export", "name a run that was trained")
    trained = open_translator(experiment, run, on_event, given)
    setup, route = trained.setup, trained.route
    sides = {Index.SOURCE: source, Index.TARGET: target}
    chosen = {side: find_code(code, setup.codes) for side, code in sides.items() if code}
    for code in chosen.values():
        if code not in setup.codes:
            known = ", ".join(setup.codes)
            raise UsageError(f"the run has no language '{code}'", f"its languages: {known}")
    if len(chosen) > len(set(chosen.values())):
        raise UsageError(
            f"--source and --target are both '{chosen[Index.SOURCE]}'", "name two languages, or one side only"
        )
    if form == "peft":
        return export_peft(setup, route, to, compact)
    if form == "ct2":
        return export_ctranslate(setup, route, chosen, to, quantization)
    return export_merged(setup, route, chosen, to)


def export_merged(setup: Setup, route: Route | None, chosen: Mapping[Index, str], folder: Path) -> float:
    """Write a transformers folder with the adapters of one direction, target or source folded in.

    ``chosen`` are the languages by side. Returns the largest difference of a logit. Raises UsageError if
    the language of a side that selects adapters is not given, and RunError if the written model does not give
    the routed model's logits.
    """
    examples = examples_of(setup, _merged_directions(setup, chosen))
    expected = [routed_logits(setup, route, *example) for example in examples]

    def write(temporary: Path) -> float:
        save_merged(setup, chosen, temporary)
        model = load_base(str(temporary)).model
        found = (logits_of(setup, model, *example) for example in examples)
        return largest_difference(expected, _of_known_ids(setup, found), folder)

    return _whole(setup, folder, write)


def _of_known_ids(setup: Setup, logits: Iterable[Tensor]) -> Iterator[Tensor]:
    """Logits of the ids that the run generates; in a merged model those of added languages follow."""
    return (each[:, : setup.base.tokenizer.output_size] for each in logits)


def export_ctranslate(
    setup: Setup,
    route: Route | None,
    chosen: Mapping[Index, str],
    folder: Path,
    quantization: str = QUANTIZATIONS[0],
) -> float:
    """Write a merged model in CTranslate2's format, with its own converter.

    Float32 weights are always written and compared, so that eight-bit weights differ by rounding only.
    Returns the largest difference of a log-probability, or with eight bits the ratio of perplexities. Raises
    what :func:`export_merged` raises, and InputError if CTranslate2 is not installed or does not support the
    architecture.
    """
    try:
        from ctranslate2.converters import TransformersConverter
    except ImportError:
        raise InputError("CTranslate2 is not installed", "pip install ctranslate2") from None
    if not architecture_of(setup.base.model).converts:
        raise InputError(
            f"CTranslate2 beside transformers 5 converts {setup.base.identity.name} to a model that computes "
            "something else",
            "use --format merged, whose folder it converts beside transformers 4",
        )
    examples = examples_of(setup, _merged_directions(setup, chosen), QUANTIZED_PAIRS)
    routed = [routed_logits(setup, route, *example) for example in examples]

    def convert(merged: Path, converted: Path, bits: str | None = None) -> Iterator[Tensor]:
        try:
            with quiet_transformers():
                TransformersConverter(str(merged)).convert(str(converted), quantization=bits, force=True)
        except (ValueError, NotImplementedError, AttributeError) as error:
            raise InputError(
                f"CTranslate2 cannot convert this model: {error}",
                "use --format merged, or a newer CTranslate2: pip install -U ctranslate2",
            ) from None
        return _ctranslate_scores(converted, examples)

    def write(temporary: Path) -> float:
        merged, converted = temporary / "merged", temporary / "ct2"
        save_merged(setup, chosen, merged)
        logits = [logits_of(setup, setup.base.model, *example) for example in examples]
        largest_difference(routed, _of_known_ids(setup, logits), folder)
        end = setup.base.tokenizer.eos_id
        expected = [_of_targets(of, target, end) for of, (*_, target) in zip(logits, examples, strict=True)]
        result = largest_difference(expected, convert(merged, converted), folder)
        if quantization != QUANTIZATIONS[0]:
            result = perplexity_ratio(expected, convert(merged, converted, quantization), folder)
        for path in merged.iterdir():
            if path.suffix != ".safetensors" and not (converted / path.name).exists():
                path.replace(converted / path.name)
        shutil.rmtree(merged)
        for path in converted.iterdir():
            path.replace(temporary / path.name)
        converted.rmdir()
        return result

    return _whole(setup, folder, write)


def _of_targets(logits: Tensor, target: Sequence[int], end: int) -> Tensor:
    """The log-probabilities of the tokens after the first, and of the end token."""
    following = torch.tensor([*target[1:], end])
    return logits.log_softmax(dim=1).gather(1, following[:, None])[:, 0]


def _ctranslate_scores(folder: Path, examples: Sequence[Example]) -> Iterator[Tensor]:
    """The scores that CTranslate2 gives the same tokens."""
    import ctranslate2

    tokens = json.loads((folder / "shared_vocabulary.json").read_text(encoding="utf-8"))
    translator = ctranslate2.Translator(str(folder), device="cpu", compute_type="default")
    for _, source, target in examples:
        (scored,) = translator.score_batch(
            [[tokens[index] for index in source]], [[tokens[index] for index in target[1:]]]
        )
        yield torch.tensor(scored.log_probs)


def _merged_directions(setup: Setup, chosen: Mapping[Index, str]) -> list[Direction]:
    """The directions that a merged model serves. Raises UsageError if a side that matters is missing."""
    for side in sorted(selecting_indices(setup.base.model)):
        if side not in chosen:
            raise UsageError(
                f"adapters of this run are selected by the {side} language, so a merged model serves one "
                f"{side} only",
                f"name it with --{side}, or export the adapters of all languages with --format peft",
            )
    source, target = chosen.get(Index.SOURCE), chosen.get(Index.TARGET)
    directions = [d for d in setup.directions if source in (None, d.src) and target in (None, d.tgt)]
    if not directions:
        raise UsageError(f"no direction from {source or 'any'} to {target or 'any'}", "check --langs")
    return directions


def save_merged(setup: Setup, chosen: Mapping[Index, str], folder: Path) -> None:
    """Fold the adapters of the given languages into the base in memory, and write it in float32.

    Languages that were added to the base are in its vocabulary then.

    Raises InputError, naming an added word, if the folder cannot say where a text is split at it.
    """
    setup.base.tokenizer.stock_files()
    restore(setup.base.model)
    fold(setup.base.model, {side: setup.codes.index(code) for side, code in chosen.items()})
    save_base(with_known_languages(setup.base), folder)


def export_peft(setup: Setup, route: Route | None, folder: Path, compact: bool = False) -> float:
    """Write one LoRA for PEFT per language and side: ``source-en`` and ``target-en`` for every ``en``.

    Together, the source's and the target's serve every direction. Returns the largest difference of a
    logit. Raises UsageError for a run without adapters, InputError if PEFT is not installed, and RunError if
    the written adapters do not give the routed model's logits.
    """
    if route is None:
        raise UsageError("this run trained the whole model, so it has no adapters", "use --format merged")
    if setup.base.new_rows:
        raise UsageError(
            "a run with languages that were added to the base has no form for PEFT: their tokens are rows "
            "of the embedding",
            "use --format merged or ct2, which adds the tokens to the vocabulary",
        )
    try:
        import peft  # noqa: F401
    except ImportError:
        raise InputError(
            "PEFT is not installed, so the export cannot be checked", "pip install peft"
        ) from None
    examples = examples_of(setup, setup.directions)
    expected = [routed_logits(setup, route, *example) for example in examples]

    def write(temporary: Path) -> float:
        for number, code in enumerate(setup.codes):
            for side in Index:
                write_lora(setup, side, number, temporary / f"{side}-{code}", compact)
        return largest_difference(expected, _peft_logits(setup, temporary, examples), folder)

    return _whole(setup, folder, write)


def write_lora(setup: Setup, side: Index, language: int, folder: Path, compact: bool = False) -> None:
    """Write a language's LoRA for the layers of a side; nothing if it has no rank there."""
    tensors: dict[str, Tensor] = {}
    ranks: dict[str, int] = {}
    for name, layer in adapted(setup.base.model):
        A, B = factors(layer, language, compact)
        if layer.adapter.index is side and len(A):
            ranks[name] = len(A)
            for letter, matrix in (("A", A), ("B", B)):
                tensors[f"base_model.model.{name}.lora_{letter}.weight"] = matrix.cpu().contiguous()
    if not ranks:
        return
    largest = max(ranks.values())
    smaller = {name: rank for name, rank in ranks.items() if rank < largest}
    config = {
        "peft_type": "LORA",
        "task_type": "SEQ_2_SEQ_LM",
        "base_model_name_or_path": setup.base.identity.name,
        "revision": setup.base.identity.revision,
        "inference_mode": True,
        "r": largest,
        "lora_alpha": largest,
        "rank_pattern": smaller,
        "alpha_pattern": smaller,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": sorted(ranks),
    }
    folder.mkdir(parents=True)
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def _peft_logits(setup: Setup, folder: Path, examples: Sequence[Example]) -> list[Tensor]:
    from peft import PeftModel

    # PEFT gets the rounded values of the base that adapters were trained on, in float32.
    model: Any = load_as_prepared(setup.recipe, setup.accelerator).model
    restore(model)
    names = sorted(path.name for path in folder.iterdir())
    for name in names:
        if isinstance(model, PeftModel):
            model.load_adapter(str(folder / name), adapter_name=name)
        else:
            model = pretrained(PeftModel, model, str(folder / name), adapter_name=name)
    found = []
    for direction, source, target in examples:
        wanted = (f"source-{direction.src}", f"target-{direction.tgt}")
        if names:
            model.base_model.set_adapter([name for name in wanted if name in names])
        found.append(logits_of(setup, model.eval(), direction, source, target))
    return found


def _tell_base(setup: Setup, folder: Path) -> None:
    """Write the name of an export's base model, and the base's number format, into the export."""
    identity = setup.base.identity
    told = {
        "base_model": identity.name,
        "revision": identity.revision,
        "digest": identity.digest,
        "base_dtype": setup.recipe.run.base_dtype,
    }
    (folder / BASE_FILE).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _whole(setup: Setup, folder: Path, write: Callable[[Path], float]) -> float:
    """Make a folder under a temporary name, and rename it once ``write`` has made and checked it."""
    with locked(folder, hint=TO):
        if folder.exists():
            raise UsageError(f"{folder} exists already", "remove it, or choose another folder with --to")
        with beside(folder, TO) as temporary:
            temporary.mkdir()
            largest = write(temporary)
            _tell_base(setup, temporary)
            settle(temporary)
            temporary.rename(folder)
    return largest
