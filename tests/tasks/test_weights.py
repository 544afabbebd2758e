"""What is saved translates as what was trained, and as plain models with the updates merged in."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from lslo_cli.errors import InputError
from lslo_cli.method.adapters import Span
from lslo_cli.method.languages import Direction
from lslo_cli.method.ranks import SHARED, RankMap
from lslo_cli.method.sites import Site
from lslo_cli.method.strategy import Index, paper
from lslo_cli.nn.attach import site_module
from lslo_cli.tasks.decoding import translate_all
from lslo_cli.tasks.train import fine_tune
from lslo_cli.tasks.weights import load_weights

STRATEGY = paper(2, 2)


def translations(stage, route, directions=None):
    corpus = stage.read("test", 20)
    directions = directions or stage.directions
    sources = {direction: corpus.pairs(direction)[0] for direction in directions}
    return translate_all(stage, sources, route, "test")


@pytest.fixture
def run(setup, tmp_path):
    """A trained run whose adapters are then made large, so that sentences come out differently."""

    def run(**changes):
        stage = setup(**{"train.gps": 0.0, **changes})
        is_full = stage.recipe.train.method == "full"
        ranks = None if is_full else RankMap({"qta": 2, "qso": 2, "qki": 1, "qka": 4})
        result = fine_tune(stage, "toy", tmp_path, ranks, STRATEGY, "paper")
        path = tmp_path / result.weights.path
        if not is_full:
            torch.manual_seed(1)
            state = {name: torch.randn_like(tensor) for name, tensor in load_file(path).items()}
            save_file(state, path)
        return stage, result, path

    return run


def test_full_fine_tuning_saved_and_loaded_translates_identically(run, setup):
    stage, result, path = run(**{"train.method": "full", "fit.lr_full": 0.02})
    loaded = setup(**{"train.method": "full"})
    before = translations(loaded, None)
    assert load_weights(loaded, result, path) is None
    assert translations(loaded, None) == translations(stage, None) != before


def test_adapters_saved_and_loaded_translate_identically(setup, tmp_path):
    stage = setup(**{"fit.epochs": 3, "fit.lr": 0.3})
    routes = []
    original = stage.fit

    def fit(*arguments, route, **rest):
        routes.append(route)
        return original(*arguments, route=route, **rest)

    stage.fit = fit
    result = fine_tune(
        stage, "toy", tmp_path, RankMap({"qta": 2, "qso": 2, "qki": 1, "qka": 4}), STRATEGY, "paper"
    )
    loaded = setup()
    before = translations(loaded, None)
    route = load_weights(loaded, result, tmp_path / result.weights.path)
    assert translations(loaded, route) == translations(stage, routes[0]) != before


def test_a_shared_lora_is_loaded_without_an_index_and_with_that_of_an_older_artifact(setup, tmp_path):
    stage = setup(**{"train.method": "lora", "train.gps": 0.0, "fit.lr": 0.3})
    result = fine_tune(stage, "toy", tmp_path, RankMap({SHARED: 4}), None, "")
    older = result.model_copy(update={"index": STRATEGY.as_text()})
    found = []
    for each in (result, older):
        loaded = setup(**{"train.method": "lora", "train.gps": 0.0})
        found.append(translations(loaded, load_weights(loaded, each, tmp_path / each.weights.path)))
    assert found[0] == found[1] != translations(setup(), None)


@pytest.mark.parametrize("span", list(Span))
@pytest.mark.parametrize(
    "direction", [Direction("qta", "qka"), Direction("qka", "qso"), Direction("qki", "qta")]
)
def test_a_plain_model_with_the_updates_of_a_direction_merged_in_translates_identically(
    run, setup, direction, span
):
    _, result, path = run(**{"fit.epochs": 1, "adapters.span": span})
    routed = setup()
    route = load_weights(routed, result, path)
    plain, state = setup(), load_file(path)
    for name, index in result.index.items():
        language = direction.src if index is Index.SOURCE else direction.tgt
        for key in [key for key in state if key.startswith(f"{name}.") and f".{language}.lora_A" in key]:
            update = state[key.replace("lora_A", "lora_B")] @ state[key]
            weight = site_module(plain.base.model, Site.parse(key.removesuffix(f".{language}.lora_A"))).weight
            weight.data[: len(update), : update.shape[1]] += update
    together = translations(routed, route)[direction]
    assert together == translations(plain, None, [direction])[direction]
    assert len(set(together)) > 3


def test_the_adapter_folder_says_how_to_use_it(run):
    stage, result, path = run(**{"fit.epochs": 1, "train.sites": "fc"})
    config = json.loads(path.with_name("adapter_config.json").read_text())
    assert config["base_model_digest"] == stage.base.identity.digest
    assert config["languages"] == ["qta", "qso", "qki", "qka"]
    assert config["ranks"] == result.ranks
    assert config["index"] == {layer: str(index) for layer, index in result.index.items()}
    assert config["sites"] == "fc"
    assert config["span"] == "d_model"


def test_a_run_has_the_span_that_it_was_trained_with_whatever_the_recipe_says(run, setup):
    _, result, path = run(**{"fit.epochs": 1, "adapters.span": "all"})
    loaded = setup()
    assert loaded.recipe.adapters.span != result.span
    assert load_weights(loaded, result, path)
    adapter = site_module(loaded.base.model, Site.parse("encoder.1.fc1")).adapter
    assert len(adapter.lora_B) == loaded.base.model.config.encoder_ffn_dim


def test_weights_without_a_matrix_are_refused(run, setup):
    _, result, path = run(**{"fit.epochs": 1})
    state = load_file(path)
    del state["encoder.1.q.qka.lora_A"]
    save_file(state, path)
    with pytest.raises(
        InputError, match="does not fit the file beside it that describes it.*encoder.1.q.qka.lora_A"
    ):
        load_weights(setup(), result, path)


def test_weights_of_other_ranks_are_refused(run, setup):
    _, result, path = run(**{"fit.epochs": 1})
    state = load_file(path)
    state["encoder.1.q.qka.lora_A"] = state["encoder.1.q.qka.lora_A"][:1].contiguous()
    save_file(state, path)
    with pytest.raises(InputError, match="does not fit"):
        load_weights(setup(), result, path)


def test_a_model_of_another_shape_is_refused(run, setup):
    _, result, path = run(**{"train.method": "full", "fit.epochs": 1})
    state = load_file(path)
    del state["model.decoder.layers.1.fc1.weight"]
    save_file(state, path)
    with pytest.raises(InputError, match="holds another model"):
        load_weights(setup(), result, path)
