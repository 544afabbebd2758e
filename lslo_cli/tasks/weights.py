"""The weights of a training run: a folder of adapters, or a whole model after full fine-tuning."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import torch
from torch import nn

from lslo_cli.artifacts.adapter_config import ADAPTER_CONFIG, ADAPTER_WEIGHTS, AdapterConfig
from lslo_cli.artifacts.provenance import digest_of_file
from lslo_cli.artifacts.results import TensorFile, TrainingResult
from lslo_cli.artifacts.writing import write_text, writing
from lslo_cli.errors import InputError
from lslo_cli.method.adapters import Span
from lslo_cli.method.ranks import RankMap
from lslo_cli.method.sites import Layer, SiteSet
from lslo_cli.method.strategy import Index, IndexStrategy, uniform
from lslo_cli.models.base import save_base
from lslo_cli.nn.attach import Adapters, attach, depths
from lslo_cli.nn.files import read_tensors, write_tensors
from lslo_cli.nn.route import Route
from lslo_cli.recipe import Method, RunSection
from lslo_cli.tasks.setup import Setup

NOT_THE_ADAPTERS: Mapping[str, bool | set[str]] = {
    **dict.fromkeys(("name", "description", "base", "card", "flare", "reproduce", "slurm"), True),
    "run": RunSection.model_fields.keys() - {"base_dtype"},
    "data": {"path"},
    "evaluate": {"metric_model", "directions"},
}
"""Parts of a recipe that adapters do not depend on, or that hold paths of one machine."""

ADAPTER = Path("adapter")
MODEL = Path("model")
"""The folders of a run that hold its weights, by what was trained."""


def save_weights(
    setup: Setup, folder: Path, adapters: Adapters | None, strategy: IndexStrategy, ranks: RankMap | None
) -> TensorFile:
    """Write the adapters, or else the whole model, below ``folder``, in the main process only."""
    if adapters is None or ranks is None:
        path = folder / MODEL / "model.safetensors"
        setup.on_main(lambda: save_base(setup.base, path.parent))
    else:
        path = folder / ADAPTER / ADAPTER_WEIGHTS
        setup.on_main(lambda: _save_adapters(setup, path, adapters, strategy, ranks))
    return TensorFile(path=path.relative_to(folder).as_posix(), digest=digest_of_file(path))


def load_weights(setup: Setup, result: TrainingResult, path: Path) -> Route | None:
    """Load a run's weights onto the freshly loaded base of ``setup``; returns the route of its adapters.

    Languages that were new to the base get their trained token embeddings. After full fine-tuning there are
    no adapters, and so no route. Raises InputError if the weights do not fit the result.
    """
    state = read_tensors(path, "train the run again")
    if result.new_languages.keys() != setup.recipe.new_languages.keys():
        trained, asked = (
            ", ".join(new) or "none" for new in (result.new_languages, setup.recipe.new_languages)
        )
        raise InputError(
            f"run {result.run} was trained with these languages added to the base: {trained}, not {asked}",
            "use it with the same languages",
        )
    if result.method == Method.FULL:
        _load_model(setup.base.model, state, path)
        return None
    return attach_weights(setup, path, state, result)


class Placed(Protocol):
    """The sites and ranks of adapters, as in a training result or in an adapter's config."""

    @property
    def index(self) -> Mapping[str, str]: ...
    @property
    def ranks(self) -> Mapping[str, int]: ...
    @property
    def sites(self) -> str: ...
    @property
    def span(self) -> Span: ...


def attach_weights(setup: Setup, path: Path, state: Mapping[str, torch.Tensor], placed: Placed) -> Route:
    """Attach the adapters in ``state``, read from ``path``, to the base of ``setup``; returns their route.

    One LoRA shared by all languages has no index, since it is the same whichever side selects it. Raises
    InputError if the tensors do not fit ``placed``.
    """
    try:
        index = {Layer.parse(layer): Index(side) for layer, side in placed.index.items()}
        strategy = IndexStrategy(index) if index else uniform(Index.SOURCE, *depths(setup.base.model))
        settings = replace(setup.recipe.adapter_settings(SiteSet(placed.sites)), span=placed.span)
        adapters = attach(setup.base.model, strategy, RankMap(placed.ranks), setup.codes, settings)
        adapters.load_state_dict(state)
        if setup.base.new_rows:
            setup.base.new_rows.load_state_dict(state)
    except (KeyError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{path} does not fit the file beside it that describes it: {error}",
            "train the run again, or copy its folder whole",
        ) from None
    return adapters.route


def _save_adapters(
    setup: Setup, path: Path, adapters: Adapters, strategy: IndexStrategy, ranks: RankMap
) -> None:
    """Write tensors named ``site.language.lora_A`` and ``.lora_B``, and the config to load them with.

    A new language has its row of the embedding, times the embedding's scale, as ``embedding.language``.
    """
    rows = setup.base.new_rows
    state = adapters.state_dict() | (rows.state_dict() if rows else {})
    tensors = {name: tensor.cpu().contiguous() for name, tensor in state.items()}
    config = AdapterConfig(
        base_model_name_or_path=setup.base.identity.name,
        revision=setup.base.identity.revision,
        base_model_digest=setup.base.identity.digest,
        languages=list(setup.codes),
        new_languages=setup.recipe.new_languages,
        ranks=dict(ranks.by_language),
        index=strategy.as_text(),
        sites=str(setup.recipe.train.sites),
        span=setup.recipe.adapters.span,
        recipe=setup.recipe.model_dump(mode="json", exclude=NOT_THE_ADAPTERS),
        training_text=next((text.digest for text in setup.data if text.split == setup.recipe.data.train), ""),
    )
    with writing(path) as file:
        write_tensors(file, path, tensors)
    text = json.dumps(config.model_dump(mode="json"), indent=1, ensure_ascii=False)
    write_text(path.with_name(ADAPTER_CONFIG), text + "\n")


def _load_model(model: nn.Module, state: Mapping[str, torch.Tensor], path: Path) -> None:
    missing, unexpected = model.load_state_dict(state, strict=False)
    tied = {name for name in missing if name.endswith(("embed_tokens.weight", "lm_head.weight"))}
    if set(missing) - tied or unexpected:
        raise InputError(f"{path} holds another model than its training artifact says", "train the run again")
