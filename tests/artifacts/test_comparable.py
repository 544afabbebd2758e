"""What runs were measured and trained with: the same question for comparisons, reports and figures."""

import pytest

from lslo_cli.artifacts.comparable import (
    OF_ESTIMATES,
    OF_TRAINING,
    OF_TRANSLATION,
    Located,
    check_estimated_alike,
    check_measured_alike,
    check_scored_alike,
    check_trained_alike,
    one_of_each_seed,
)
from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.results import SubspaceResult, TrainingResult
from lslo_cli.artifacts.schema import Input
from lslo_cli.errors import InputError
from lslo_cli.method.languages import groups
from lslo_cli.method.metrics import CHRF_PLUS_PLUS
from lslo_cli.recipe import resolve

GPS = "2-2-8-gps0.9"


@pytest.fixture
def evaluated(written, tmp_path):
    """An evaluation of base with other parts of the artifact, by name, and other fields of the result."""

    def evaluated(name, seed=1, result=None, **parts):
        experiment = written(tmp_path / name, seed=seed)
        cells = dict.fromkeys(groups(experiment.languages), 20.0)
        found = Located.read(experiment.evaluation("base", cells), EvaluationResult)
        changed = found.result.model_copy(update=result or {})
        return Located(found.path, found.artifact.model_copy(update={**parts, "result": changed}))

    return evaluated


@pytest.fixture
def trained(written, tmp_path):
    """A training with other parts of its recipe, and other fields of the result."""

    def trained(run, seed, recipe=None, **result):
        path = written(tmp_path / f"seed-{seed}", seed=seed).training(run, **result)
        found = Located.read(path, TrainingResult)
        merged = {**found.artifact.recipe, **(recipe or {})}
        return Located(path, found.artifact.model_copy(update={"recipe": merged}))

    return trained


def other_text(artifact, **parts):
    return {"data": [artifact.data[0].model_copy(update=parts)]}


@pytest.mark.parametrize(
    ("change", "what", "values"),
    [
        (
            lambda a: {"model": a.model.model_copy(update={"name": "small", "digest": "c" * 64})},
            "base models",
            "m2m-124-615m (bbbbbbbbbbbb) and small (cccccccccccc)",
        ),
        (
            lambda a: other_text(a, digest="u" * 64, split="dev", rows=997),
            "test texts",
            "flores101 devtest, 1,012 rows (tttttttttttt) and flores101 dev, 997 rows (uuuuuuuuuuuu)",
        ),
        (
            lambda a: {"result": {"search": {"beam": 1, "mode": "fairseq"}}},
            "search settings",
            "beam 5 and beam 1",
        ),
        (
            lambda a: {"result": {"directions": a.result.directions[1:]}},
            "directions",
            "{direction} scored and {direction} missing",
        ),
        (
            lambda a: {"result": {"metric_model_sha256": "f" * 64}},
            "sentencepiece models",
            "unknown and ffffffffffff",
        ),
        (
            lambda a: {"recipe": {**a.recipe, "evaluate": {"no_repeat_ngram": 3}}},
            "evaluate.no_repeat_ngram",
            "0 and 3",
        ),
    ],
)
def test_what_scores_depend_on_is_refused_with_both_values_and_files(evaluated, change, what, values):
    one = evaluated("one", recipe={"evaluate": {"no_repeat_ngram": 0}})
    parts = change(one.artifact)
    other = evaluated("two", result=parts.pop("result", None), **parts)
    values = values.format(direction=one.result.directions[0].direction)
    with pytest.raises(InputError) as error:
        check_measured_alike([one, one, other])
    told = f"{one.path} and {other.path} were measured with different {what}: {values}"
    assert error.value.message == told
    wanted = (
        "keep each base model in its own experiment" if what == "base models" else "lslo evaluate --force"
    )
    assert wanted in error.value.hint
    if what == "sentencepiece models":  # only spBLEU needs it
        check_measured_alike([one, other], CHRF_PLUS_PLUS)
    if what == "directions":
        check_measured_alike([one, other], by_direction=True)


def test_a_base_with_other_relatives_of_new_languages_is_another_base(evaluated):
    base, one, other = (
        evaluated(name, recipe={"new_languages": {"tyv": relative}}, result={"run": name})
        for name, relative in (("base", "kk"), ("one", "tr"), ("other", "kk"))
    )
    check_measured_alike([base, other])
    check_measured_alike([one, other])
    with pytest.raises(InputError, match="different relatives of new languages: tyv kk and tyv tr"):
        check_measured_alike([base, one])


def test_another_class_of_a_language_makes_other_groups(evaluated):
    one = evaluated("one")
    first, *rest = one.result.languages
    other = evaluated(
        "two", result={"languages": [first.model_copy(update={"resource": rest[-1].resource}), *rest]}
    )
    with pytest.raises(InputError, match="different languages: en high and en very-low"):
        check_scored_alike([one.result, other.result])


def test_the_same_text_in_another_folder_is_the_same(evaluated):
    one = evaluated("one")
    check_measured_alike([one, evaluated("two", **other_text(one.artifact, path="/data/flores"))])


def test_rows_held_out_by_the_seed_differ_between_seeds_and_not_within_one(evaluated):
    def held_out(name, seed, letter, rows=100):
        text = evaluated(name).artifact
        parts = other_text(text, digest=letter * 64, split="held out", rows=rows, hold_out=rows)
        return evaluated(name, seed=seed, **parts)

    two, three = held_out("a", 2, "u"), held_out("b", 3, "v")
    check_measured_alike([two, three, held_out("c", 2, "u"), held_out("d", 3, "v")])
    with pytest.raises(InputError, match="different test texts of seed 3: .*vvv.* and .*www"):
        check_measured_alike([two, three, held_out("e", 3, "w")])
    with pytest.raises(InputError, match="different held-out rows: .* 100 rows .* 50 rows"):
        check_measured_alike([two, held_out("f", 3, "w", rows=50)])


@pytest.mark.parametrize(
    ("recipe", "result", "told"),
    [
        ({}, {"span": "d_model"}, "span: all and d_model"),
        ({"adapters": {"initialisation": "uniform"}}, {}, "adapters.initialisation: gaussian and uniform"),
        ({"fit": {"epochs": 2, "lr": 1e-4}}, {}, "fit.lr: 0.003 and 0.0001"),
        ({"data": {"train_rows": 50}}, {}, "data.train_rows: None and 50"),
        ({}, {"start_epoch": 5}, "start epoch: 2 and 5"),
        ({}, {"pruned_languages": ["en"]}, "pruned languages: ['en', 'fr', "),
        ({}, {"ranks": {"en": 2, "wo": 8}}, "ranks: "),
        ({}, {"index_source": "source"}, "index: learned and "),
    ],
)
def test_what_a_training_depends_on_is_refused_between_seeds(trained, recipe, result, told):
    plain = {"data": {"train_rows": None}}
    one, other = trained(GPS, 1, plain), trained(GPS, 2, {**plain, **recipe}, **result)
    with pytest.raises(InputError) as error:
        check_trained_alike([one, other])
    assert error.value.message.startswith(f"{one.path} and {other.path} were trained with different {told}")
    assert "train one of them again" in error.value.hint
    check_trained_alike([one, trained("2-2-8", 2)])  # another run


@pytest.mark.parametrize("check", [check_trained_alike, check_estimated_alike])
def test_seeds_that_were_trained_on_different_text_are_refused(trained, written, subspace, tmp_path, check):
    def on_text(seed, letter, split="train", **divided):
        found = trained(GPS, seed)
        if check is check_estimated_alike:
            path = written(tmp_path / f"seed-{seed}", seed=seed).write("subspace.json", subspace)
            found = Located.read(path, SubspaceResult)
        recipe = {**found.artifact.recipe, "data": {"train": split, **divided}}
        parts = other_text(found.artifact, digest=letter * 64, split=split, path=f"text of seed {seed}")
        test = found.artifact.data[0].model_copy(update={"digest": f"{seed}" * 64})  # of a quality curve
        parts["data"].append(test)
        return Located(found.path, found.artifact.model_copy(update={**parts, "recipe": recipe}))

    check([on_text(1, "u"), on_text(2, "u", split="the same under another name")])
    with pytest.raises(InputError, match="with different training texts: .*uuu.* and .*vvv"):
        check([on_text(1, "u"), on_text(2, "v")])
    for rows in ({"dev_rows": 20}, {"hold_out": 20}):  # which leave each seed other rows
        check([on_text(1, "u", **rows), on_text(2, "v", **rows)])
        with pytest.raises(InputError, match="different rows to train on: .* train, .* dev, "):
            check([on_text(1, "u", **rows), on_text(2, "v", split="dev", **rows)])
        with pytest.raises(InputError, match="different training texts of seed 2: .*uuu.* and .*vvv"):
            check([on_text(2, "u", **rows), on_text(2, "v", **rows)])


def test_what_each_seed_learned_for_itself_may_differ(trained):
    auto = {"train": {"ranks": "auto", "gps_classes": "auto", "rule": "mixture", "budget": "same-as:2,2,8"}}
    one = trained("auto-gps0.9", 1, auto, ranks={"en": 1, "wo": 9}, pruned_languages=["en"])
    other = trained(
        "auto-gps0.9", 2, auto, ranks={"en": 2, "wo": 8}, pruned_languages=[], index={"encoder.1": "target"}
    )
    check_trained_alike([one, other])
    by_rule = {"train": {**auto["train"], "rule": "kept"}}
    with pytest.raises(InputError, match="different ranks: rule mixture and rule kept"):
        check_trained_alike([one, trained("auto-gps0.9", 3, by_rule, ranks={"en": 2, "wo": 8})])


@pytest.mark.parametrize(
    ("run", "recipe", "result"),
    [
        ("full", {"adapters": {"initialisation": "uniform", "span": "all"}}, {"span": "d_model"}),
        ("full", {"fit": {"epochs": 2, "lr": 1.0}}, {}),
        ("2-2-8", {"fit": {"epochs": 2, "lr": 0.003, "lr_full": 1.0}}, {}),
        ("2-2-8", {}, {"start_epoch": 5, "duration": 1}),
    ],
)
def test_settings_that_a_method_does_not_use_may_differ(trained, run, recipe, result):
    one = trained(run, 1, {"fit": {"epochs": 2, "lr": 0.003, "lr_full": 0.1}})
    check_trained_alike([one, trained(run, 2, recipe, **result)])


def test_every_key_that_is_compared_is_a_key_of_recipes():
    recipe = resolve().model_dump(mode="json")
    for sections in (OF_ESTIMATES, OF_TRAINING, OF_TRANSLATION):
        for section, keys in sections.items():
            assert set(keys) <= set(recipe[section])


def test_an_artifact_of_another_one_than_is_there_now_is_stale(written, tmp_path):
    experiment = written(tmp_path)
    experiment.training("full")
    old = Input(role="training", path="training.json", digest="0" * 64)
    cells = dict.fromkeys(groups(experiment.languages), 20.0)
    with pytest.raises(InputError, match="is stale: it was made from another training"):
        Located.read(experiment.evaluation("full", cells, inputs=[old]), EvaluationResult)


def test_a_copy_of_a_seed_is_dropped_and_another_result_of_it_refused(evaluated):
    one, copy, other = evaluated("a", seed=2), evaluated("b", seed=2), evaluated("c", seed=3)
    assert one_of_each_seed([one, copy, other]) == [one, other]
    made_again = Located(copy.path, copy.artifact.model_copy(update={"digest": "0"}))
    with pytest.raises(InputError) as error:
        one_of_each_seed([one, other, made_again])
    assert error.value.message == f"{one.path} and {copy.path} are both of seed 2, with different results"


def test_seeds_of_one_shared_lora_are_alike_whether_their_artifacts_have_an_index(trained):
    sides = ({}, {"encoder.1": "source"})
    check_trained_alike([trained("lora-r8", seed, method="lora", index=sides[seed]) for seed in (0, 1)])
    with pytest.raises(InputError, match="different index"):
        check_trained_alike([trained("2-2-8-source", seed, index=sides[seed]) for seed in (0, 1)])


def test_of_seeds_that_prune_by_their_estimates_some_may_prune_nobody(trained):
    auto = {"train": {"gps": 0.9, "gps_classes": "auto"}}
    one = trained("auto-gps0.9", 1, auto, pruned_languages=["en"])
    check_trained_alike([one, trained("auto-gps0.9", 2, auto, pruned_languages=[], target_ratio=0.0)])
    less = {"train": {"gps": 0.5, "gps_classes": "auto"}}
    with pytest.raises(InputError, match="different target ratio: 0.9 and 0.5"):
        check_trained_alike([one, trained("auto-gps0.9", 3, less, pruned_languages=[], target_ratio=0.0)])
