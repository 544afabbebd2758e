"""What was made before a key of the recipe existed stays current; what says otherwise does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lslo_cli.artifacts import store
from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.results import IndexStrategyResult, SubspaceResult, TrainingResult
from lslo_cli.recipe import Recipe, recipe_names, recorded, resolve
from lslo_cli.tasks.freshness import changed_settings, same_settings, seems_current


@dataclass
class Made:
    """As much of an artifact as freshness looks at."""

    recipe: dict[str, Any]
    seed: int = 2
    result: TrainingResult = field(default_factory=TrainingResult.model_construct)


def older(*missing: str) -> Made:
    """An artifact that was made with the default recipe before some of its keys were there."""
    values = Recipe().model_dump(mode="json")
    for key in missing:
        section, _, name = key.partition(".")
        del values[section][name]
    return Made(values)


def test_a_key_that_an_older_recipe_lacks_has_its_default():
    artifact = older("fit.activation_dropout", "train.curve_groups", "run.share_sources")
    assert same_settings(artifact, Recipe())


def test_a_value_other_than_the_default_is_still_another_setting():
    artifact = older("fit.activation_dropout")
    changed = Recipe.model_validate({"fit": {"activation_dropout": 0.5}})
    assert not same_settings(artifact, changed)


def test_splits_that_a_recipe_leaves_to_the_text_are_those_that_were_found(finished_experiment):
    experiment = finished_experiment()
    values = experiment.recipe.model_dump(mode="json")
    for key in ("train", "test"):
        del values["data"][key]
    left_open = Recipe.model_validate(values)
    assert left_open.data.train != experiment.recipe.data.train
    assert seems_current(experiment.folder.index_strategy, IndexStrategyResult, left_open)


def test_a_recipe_that_is_refused_today_is_not_current():
    assert recorded({"train": {"no_such_key": 1}}) is None
    assert recorded({"flare": {"runs": ["flare:mul:0:junk"]}}) is None
    assert not same_settings(Made({"train": {"no_such_key": 1}}), Recipe())


def test_an_artifact_whose_recipe_has_a_value_that_recipes_lack_now_is_not_current():
    assert not same_settings(Made({"run": {"adapter_kernel": "grouped"}}), Recipe())


def test_the_committed_results_are_read_by_todays_recipe():
    trainings = sorted(Path(__file__).parents[2].glob("results/demo/seed-2/runs/*/training.json"))
    assert len(trainings) > 10
    for path in trainings:
        artifact = store.read(path, TrainingResult)
        made_with = recorded(artifact.recipe)
        assert made_with is not None
        assert same_settings(artifact, made_with)


def adapters(initialisation, span):
    """A recipe with adapters of a form."""
    return Recipe.model_validate({"adapters": {"initialisation": initialisation, "span": span}})


def test_recipes_of_the_paper_take_the_authors_adapters_and_the_worlds_keep_theirs():
    authors = adapters("uniform", "d_model").adapters
    forms = {
        name: resolve(name).adapters
        for name in recipe_names()
        if not name.startswith("flare") and not name.endswith("base")
    }
    worlds = {
        "demo",
        "new-language",
        "flores-small",
        "flores-small-cpu",
        "bible10",
        "bible10-rotated",
        "bible10-more",
    }
    worlds |= {"world-rotated", "world-equal", "world-related"}
    assert {form for name, form in forms.items() if name not in worlds} == {authors} == {Recipe().adapters}
    assert {forms[name] for name in worlds} == {adapters("gaussian", "all").adapters}
    assert {"lang12", "lang30", "table-1", "figure-2"} <= set(forms) - worlds


def trained(**sections):
    """What a training with other settings in some sections is compared by."""
    return TrainingResult.model_construct().settings(Recipe.model_validate(sections))


def test_how_to_translate_is_a_setting_of_a_training_only_if_its_quality_was_measured():
    beam, metrics = {"beam": 1}, {"metrics": ["chrF++"], "directions": ["en-fr"]}
    assert trained(evaluate=beam) == trained()
    curve = {"curve_rows": 10}
    assert trained(train=curve, evaluate=beam) != trained(train=curve)
    assert trained(train=curve, evaluate=metrics) == trained(train=curve)


PRUNING = {"gps_classes": ["very-low"], "gps_start": 5, "gps_duration": 3, "prune_targets": "B"}
MAP = {"rule": "kept", "budget": "2.5%", "subspace": "other.json"}
OTHER = {**PRUNING, **MAP, "ranks": "4", "sites": "fc", "index": "source", "curve_groups": ["H2H"]}
PRUNED = {"ranks": "2,2,8", "gps": 0.9}


@pytest.mark.parametrize(
    ("train", "unread"),
    [
        ({"method": "full"}, {*OTHER}),
        ({"method": "lora"}, {*OTHER} - {"ranks", "sites"}),
        ({"ranks": "2,2,8"}, {*PRUNING, *MAP, "curve_groups"}),
        ({"ranks": "auto"}, {*PRUNING, "curve_groups"}),
        (PRUNED, {*MAP, "curve_groups"}),
        ({**PRUNED, "gps_classes": "auto", "curve_rows": 5}, set()),
    ],
)
def test_what_a_training_has_no_use_for_is_no_setting_of_it(train, unread):
    found = {
        key for key, value in OTHER.items() if trained(train={**train, key: value}) == trained(train=train)
    }
    assert found == unread


def test_a_training_reads_the_rate_of_its_method_and_a_stage_its_own_epochs():
    full, rate, rate_of_full = {"method": "full"}, {"lr": 0.5}, {"lr_full": 0.5}
    assert trained(train=full, fit=rate) == trained(train=full) != trained(train=full, fit=rate_of_full)
    assert trained(fit=rate_of_full) == trained() != trained(fit=rate)
    assert trained(train=full, adapters={"span": "all"}) == trained(train=full)
    for kind in (IndexStrategyResult, SubspaceResult):
        own = {kind.sections[-1]: {"epochs": 3}}
        recipes = ({}, {"fit": rate_of_full}, own, {**own, "fit": {"epochs": 4}}, {"fit": {"epochs": 4}})
        read = kind.model_construct().settings
        plain, of_full, stage, both, longer = (read(Recipe.model_validate(each)) for each in recipes)
        assert plain == of_full and stage == both and longer != plain


@pytest.mark.parametrize("test", [{"test": "other"}, {"test_rows": 2}])
def test_the_text_to_test_on_is_a_setting_of_a_training_only_if_a_curve_is_drawn_on_it(test):
    curve, dev_curve = {"train": {"curve_rows": 10}}, {"train": {"curve_rows": 10}, "data": {"dev_rows": 5}}
    assert trained(data=test) == trained()
    assert trained(data={**test, **dev_curve["data"]}, train=dev_curve["train"]) == trained(**dev_curve)
    assert (trained(data=test, **curve) == trained(**curve)) == ("test_rows" in test)  # the curve has its own
    curve["train"]["curve_rows"] = "all"
    assert trained(data=test, **curve) != trained(**curve)
    for kind in (IndexStrategyResult, SubspaceResult):
        result = kind.model_construct()
        assert result.settings(Recipe.model_validate({"data": test, **curve})) == result.settings(Recipe())
    evaluation = EvaluationResult.model_construct()
    assert evaluation.settings(Recipe.model_validate({"data": test})) != evaluation.settings(Recipe())


def test_what_a_note_says_was_set_otherwise_leaves_out_the_text_to_test_on():
    other = Recipe.model_validate({"data": {"test": "other", "test_rows": 2, "train_rows": 3}})
    assert changed_settings(older(), other) == {"data.train_rows": None}


def fit(max_tokens, accumulate):
    return Recipe.model_validate({"fit": {"max_tokens": max_tokens, "accumulate": accumulate}})


@pytest.mark.parametrize("chosen", [(12_000, 1), (6000, 2), (93, 128)])
def test_batches_that_memory_chose_are_no_other_setting_on_another_machine(chosen):
    assert same_settings(Made(fit(*chosen).model_dump(mode="json")), fit("auto", 3))


@pytest.mark.parametrize("other", [(12_000, 2), (4000, 4), (6000, 3)])
def test_updates_of_another_size_are_another_setting(other):
    assert not same_settings(Made(fit(*other).model_dump(mode="json")), fit("auto", 3))
    assert not same_settings(Made(fit(12_000, 1).model_dump(mode="json")), fit(6000, 2))


def test_an_evaluation_lacks_a_metric_that_is_newly_asked_for(finished_experiment):
    path = finished_experiment().folder.run("base").evaluation
    assert seems_current(path, EvaluationResult, finished_experiment().recipe)
    assert seems_current(
        path, EvaluationResult, finished_experiment(**{"evaluate.metrics": ["chrF++"]}).recipe
    )
    assert not seems_current(
        path, EvaluationResult, finished_experiment(**{"evaluate.metrics": ["chrF++", "TER"]}).recipe
    )
