"""Training a small base model from scratch: vocabulary, random weights, many-to-many bitext."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import permutations, starmap
from pathlib import Path

from accelerate import PartialState
from accelerate.utils import set_seed

from lslo_cli.artifacts import store
from lslo_cli.artifacts.folder import METRICS, ExperimentFolder
from lslo_cli.artifacts.provenance import Stopwatch, digest_of
from lslo_cli.artifacts.results import BaseTrainingResult
from lslo_cli.artifacts.schema import DataIdentity, ModelIdentity
from lslo_cli.artifacts.writing import OUT, unfinished, write_text
from lslo_cli.data.classes import with_classes
from lslo_cli.data.corpus import Corpus, split_off
from lslo_cli.data.layouts import NoSplitError
from lslo_cli.data.splits import DEV_ROWS, with_splits
from lslo_cli.data.text import read_text
from lslo_cli.errors import InputError, UsageError
from lslo_cli.events import Noted, OnEvent, ignore
from lslo_cli.method.base_dtype import BaseDtype
from lslo_cli.method.languages import Direction
from lslo_cli.models.base import BaseModel, check_heads, load_base, new_base, save_base
from lslo_cli.models.checkpoint import check_replaceable, find_checkpoint
from lslo_cli.models.tokenizer import Tokenizer
from lslo_cli.models.vocabulary import train_vocabulary
from lslo_cli.nn.loss import TranslationLoss
from lslo_cli.recipe import BaseSection, Recipe
from lslo_cli.tasks.experiment import Experiment, Written, document
from lslo_cli.tasks.freshness import arithmetic, same_settings
from lslo_cli.tasks.job import alone
from lslo_cli.training.batches import EpochBatches, FixedEpochs
from lslo_cli.training.checkpoint import FILE, TrainingCheckpoint, continue_with_threads
from lslo_cli.training.device import Machine, attention_for, describe_device, length_multiple, open_device
from lslo_cli.training.metrics import logged
from lslo_cli.training.optimisation import Optimisation
from lslo_cli.training.tokenized import TokenizedCorpus
from lslo_cli.training.trackers import check_tracker
from lslo_cli.training.trainer import Trainer
from lslo_cli.training.validation import Validation
from lslo_cli.wording import several

SMALLER = "lower the batch size: --set base.max_tokens=2000"
NOT_READ = ("train_rows", "directions", "temperature", "max_length")
"""Keys of [data] for fine-tuning; a base has a temperature and a longest sentence of its own in [base]."""


def train_base(
    recipe: Recipe, out: Path, command: str, *, resume: bool = False, on_event: OnEvent = ignore
) -> Written:
    """Train a base model from scratch and write its folder, with ``training.json`` last.

    Another command that trains the same model waits. Raises UsageError if ``out`` holds a model that lslo did
    not write. With ``resume`` a finished base with the same settings is returned as it is, unless its files
    are damaged, and one with others refused.
    """
    work = unfinished(out, "training")
    store.check_writable(out, OUT)
    check_replaceable(out)
    check_tracker(recipe.run.track)
    recipe = with_classes(with_splits(recipe, testing=False))
    with alone(work, SMALLER, owned=[work], hint=OUT, on_event=on_event):
        stopwatch = Stopwatch()
        if resume and not TrainingCheckpoint.is_in(work) and (current := _finished(recipe, out, on_event)):
            return current
        base, result, data = fit_base(recipe, work, out, resume, on_event)
        written = document(
            result,
            Experiment(recipe, ExperimentFolder(out), command),
            out / "training.json",
            languages=recipe.selected_languages(),
            model=base.identity,
            data=[data],
            upstream=(),
            stopwatch=stopwatch,
            device=describe_device(base.model.device),
        )
        if PartialState().is_main_process:
            _copy_logs(work, out)
            store.write(written.path, written.artifact)
            # Remove the checkpoint first: a resumed run would need the other files.
            (work / FILE).unlink(missing_ok=True)
            shutil.rmtree(work, ignore_errors=True)
        return written


def fit_base(
    recipe: Recipe, work: Path, out: Path, resume: bool = False, on_event: OnEvent = ignore
) -> tuple[BaseModel, BaseTrainingResult, DataIdentity]:
    """Train a model on every direction that the recipe's text has, and save it in ``out``, in eval mode.

    ``work`` is the folder of the vocabulary, the checkpoint and the log, for a resumed run. A resumed run may
    have another number of ``epochs``; those already trained are kept. A note names the given keys of [data]
    that are for fine-tuning only: studies give the same ones to all their commands.
    """
    recipe = with_splits(recipe, testing=False)
    if recipe.run.base_dtype is not BaseDtype.FLOAT32:
        raise UsageError(
            f"run.base_dtype {recipe.run.base_dtype} is for a base model that stays frozen; this trains one",
            "leave out run.base_dtype; base.dtype is the format of the file",
        )
    section, seed = recipe.base, recipe.seed
    check_heads(section)
    languages = recipe.selected_languages()
    codes = tuple(language.code for language in languages)
    accelerator = open_device(recipe)
    on_event = on_event if accelerator.is_main_process else ignore
    if resume:
        continue_with_threads(recipe, accelerator, work, on_event)
    if idle := [f"data.{key}" for key in NOT_READ if key in recipe.data.model_fields_set]:
        whole = "a base is trained on all of its text, by the settings of [base]"
        on_event(Noted(f"for fine-tuning only: {several(idle)}; {whole}"))
    corpus = _text(recipe)
    train, held_out = _divided(recipe, corpus)
    fingerprint = _fingerprint(recipe, codes, corpus, held_out)
    checkpoint = TrainingCheckpoint(work, fingerprint, Machine.of(accelerator))
    # Each run's own, since an interrupted run that is started anew with other settings can still be resumed.
    vocabulary = work / f"vocabulary-{checkpoint.fingerprint[:12]}"
    with accelerator.main_process_first():
        if not accelerator.is_main_process or (resume and checkpoint.path.exists()):
            if not vocabulary.exists():
                checkpoint.load()  # says why
            tokenizer = Tokenizer.load(vocabulary)
        else:
            on_event(Noted(f"training a vocabulary of {section.vocabulary:,} pieces"))
            tokenizer = _train_tokenizer(train, codes, vocabulary, section.vocabulary, seed)
    base = new_base(tokenizer, section, seed)
    base.model.to(accelerator.device)
    if attention := attention_for(accelerator):
        base.model.set_attn_implementation(attention)
    set_seed(seed)
    multiple = length_multiple(accelerator)
    batches, kept = (_batches(part, tokenizer, codes, section, seed, multiple) for part in (train, held_out))
    validation = Validation(base, kept, accelerator, on_event)
    on_event(
        Noted(
            f"{base.identity.parameters:,} parameters, {len(batches.examples):,} sentence pairs in "
            f"{len(batches.directions)} directions, {batches.skipped:,} too long"
        )
    )
    settings = BaseOptimisation.of(section, beta1=0.9, beta2=0.98)
    fit = Trainer(
        objective=TranslationLoss(base.model, settings.label_smoothing),
        parameters=list(base.model.parameters()),
        batches=FixedEpochs(batches, section.updates * section.accumulate * accelerator.num_processes),
        settings=settings,
        accelerator=accelerator,
        seed=seed,
        callbacks=logged([validation], work / METRICS, recipe, f"{out.name}, seed {seed}", accelerator),
        checkpoint=checkpoint,
        task="base training",
        on_event=on_event,
    )
    history = fit.run(resume)
    base.model.eval()
    with accelerator.main_process_first():
        base = save_base(base, out, section.dtype) if accelerator.is_main_process else load_base(str(out))
    result = BaseTrainingResult(
        history=history,
        validation=validation.losses,
        sentence_pairs=len(batches.examples),
        skipped_sentences=batches.skipped,
    )
    identity = DataIdentity(
        path=recipe.data.path,
        split=recipe.data.train,
        hold_out=recipe.data.hold_out,
        rows=sum(len(part) for part in corpus.sections),
        examples=len(batches.examples) + batches.skipped,
        digest=corpus.digest,
    )
    return base, result, identity


def _text(recipe: Recipe) -> Corpus:
    """The text to train on, as a recipe cuts it."""
    codes = [language.code for language in recipe.selected_languages()]
    try:
        corpus = read_text(recipe, codes, recipe.data.train)
    except NoSplitError as error:
        hint = "name the split to train on with --train; '' is text without splits"
        raise InputError(error.message, hint) from error
    if not recipe.base.cut_to_bitext:
        return corpus
    given = {code: recipe.languages[code].bitext for code in codes if code in recipe.languages}
    return corpus.cut({code: bitext for code, bitext in given.items() if bitext is not None})


def _divided(recipe: Recipe, corpus: Corpus) -> tuple[Corpus, Corpus]:
    """The text to train on and that of the validation: the dev rows, or else rows of ``corpus``."""
    if recipe.data.dev_rows:
        codes = [language.code for language in recipe.selected_languages()]
        return corpus, read_text(recipe, codes, DEV_ROWS)
    return split_off(corpus, recipe.base.held_out, recipe.seed)


def _finished(recipe: Recipe, out: Path, on_event: OnEvent) -> Written | None:
    """The base in ``out``, if it was trained on the same text with the same settings and is intact.

    A note says if it is not intact. Raises UsageError if a base with other settings is there, which
    ``--resume`` would replace.
    """
    path = out / "training.json"
    try:
        artifact = store.read(path, BaseTrainingResult)
    except InputError:
        return None
    recipe = with_splits(recipe, testing=False)
    codes = [language.code for language in recipe.selected_languages()]
    if not (
        same_settings(artifact, recipe)
        and [language.code for language in artifact.languages] == codes
        and [text.digest for text in artifact.data] == [_text(recipe).digest]
    ):
        raise UsageError(
            f"nothing to resume: {out} holds a finished base, trained with other settings or on other text",
            "leave out --resume to train it anew, or choose another folder for --out",
        )
    if not _is_intact(out, artifact.model):
        on_event(Noted(f"the model in {out} is not the one that {path.name} describes: training it again"))
        return None
    return Written(path, artifact, up_to_date=True)


def _is_intact(folder: Path, model: ModelIdentity) -> bool:
    """Whether the files in ``folder`` are those of ``model``."""
    try:
        checkpoint = find_checkpoint(str(folder))
        return checkpoint.digest(checkpoint.tokenizer()) == model.digest
    except InputError:
        return False


def _copy_logs(work: Path, out: Path) -> None:
    """Copy the log and the trackers' files; not moved, since a run killed now resumes from ``work``."""
    write_text(out / METRICS, (work / METRICS).read_text(encoding="utf-8"))
    for folder in ("tensorboard", "wandb"):
        if (work / folder).is_dir():
            shutil.copytree(work / folder, out / folder, dirs_exist_ok=True)


def _fingerprint(
    recipe: Recipe, codes: tuple[str, ...], corpus: Corpus, held_out: Corpus
) -> Callable[[Machine], str]:
    # No epoch depends on how many follow, and what a cut leaves of the text is in its digest.
    section = recipe.base.model_dump(mode="json", exclude={"epochs", "cut_to_bitext"})
    texts = [corpus.digest, held_out.digest] if recipe.data.dev_rows else [corpus.digest]
    known = [section, recipe.seed, arithmetic(recipe.run), codes, *texts]
    return lambda machine: digest_of([*known, machine])


def _train_tokenizer(corpus: Corpus, codes: tuple[str, ...], folder: Path, size: int, seed: int) -> Tokenizer:
    text = {
        code: [line for part in corpus.sections if code in part.text for line in part.text[code]]
        for code in codes
    }
    return train_vocabulary(text, size, folder, languages=codes, seed=seed)


def _batches(
    corpus: Corpus,
    tokenizer: Tokenizer,
    codes: tuple[str, ...],
    section: BaseSection,
    seed: int,
    multiple: int,
) -> EpochBatches:
    directions = starmap(Direction, permutations(corpus.languages, 2))
    return EpochBatches(
        TokenizedCorpus(corpus, tokenizer),
        sorted((direction for direction in directions if corpus.size(direction)), key=str),
        codes,
        max_tokens=section.max_tokens,
        max_length=section.max_length,
        temperature=section.temperature,
        seed=seed,
        multiple=multiple,
    )


class BaseOptimisation(Optimisation):
    """That of a base model."""

    section = "base"
