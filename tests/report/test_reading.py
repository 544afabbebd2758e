import json
from dataclasses import replace

import pytest

from lslo_cli.artifacts.results import PrunedTable, SubspaceResult
from lslo_cli.artifacts.schema import Input
from lslo_cli.errors import InputError
from lslo_cli.paper import printed_table
from lslo_cli.report.provenance import facts
from lslo_cli.report.reading import experiment_paths, read_studies

BASE = printed_table(3).row("base").scores
FULL = printed_table(3).row("full").scores


def test_a_folder_is_an_experiment_or_holds_its_seeds_in_order(tmp_path):
    assert experiment_paths(tmp_path) == [tmp_path]
    for name in ("seed-10", "seed-2", "seed-old", "figures"):
        (tmp_path / name).mkdir()
    assert experiment_paths(tmp_path) == [tmp_path / "seed-2", tmp_path / "seed-10"]


def test_seeds_are_one_study_and_another_base_model_is_another(written, tmp_path):
    for seed in (3, 1):
        written(tmp_path / "lang12" / f"seed-{seed}", seed=seed).evaluation("base", BASE)
    other = written(tmp_path / "other")
    other.model |= {"digest": "c" * 64, "name": "small"}
    other.evaluation("base", BASE)
    lang12, small = read_studies([tmp_path / "lang12", tmp_path / "other"])
    assert [seed.seed for seed in lang12.seeds] == [1, 3]
    assert small.model.name == "small" and lang12.model.name == "m2m-124-615m"


def test_experiments_of_one_seed_are_read_as_one(written, tmp_path):
    written(tmp_path / "table-1").evaluation("base", BASE)
    second = written(tmp_path / "table-3")
    second.evaluation("base", BASE)
    second.evaluation("full", FULL)
    (study,) = read_studies([tmp_path / "table-1", tmp_path / "table-3"])
    (seed,) = study.seeds
    assert study.runs() == ["base", "full"] and len(seed.folders) == 2


def test_the_same_run_made_twice_is_refused(written, tmp_path):
    written(tmp_path / "one").evaluation("base", BASE)
    written(tmp_path / "two").evaluation("base", FULL)
    with pytest.raises(
        InputError, match=r"run base of seed 2 is in .*one and in .*two, with different results"
    ):
        read_studies([tmp_path / "one", tmp_path / "two"])


def test_a_folder_named_twice_is_read_once(written, tmp_path):
    written(tmp_path).evaluation("base", BASE)
    (study,) = read_studies([tmp_path, tmp_path])
    assert len(study.seeds) == 1 and len(study.seeds[0].folders) == 1


def test_runs_that_were_measured_differently_are_refused_with_both_files_and_values(written, tmp_path):
    one = written(tmp_path / "seed-1", seed=1).evaluation("base", BASE)
    other = written(tmp_path / "seed-2", seed=2, signature="tok:13a").evaluation("full", FULL)
    with pytest.raises(InputError) as error:
        read_studies([tmp_path])
    assert error.value.message.startswith(f"{one} and {other} were measured with different metrics: ")
    assert error.value.message.endswith(" and tok:13a")


def test_seeds_that_were_trained_differently_are_refused_with_both_files_and_values(written, tmp_path):
    one = written(tmp_path / "seed-1", seed=1).training("2-2-8-gps0.9")
    other = written(tmp_path / "seed-2", seed=2).training("2-2-8-gps0.9", span="d_model")
    with pytest.raises(InputError) as error:
        read_studies([tmp_path])
    assert error.value.message == f"{one} and {other} were trained with different span: all and d_model"


def test_seeds_whose_importance_is_correlated_with_other_sizes_are_refused(written, tmp_path):
    for seed in (1, 2):
        experiment = written(tmp_path / f"seed-{seed}", seed=seed)
        first, *others = experiment.languages
        experiment.languages = [replace(first, bitext=seed), *others]
        experiment.prune_report()
    with pytest.raises(
        InputError, match=r"seed-1\S+ and \S+seed-2\S+ were made with different bitext sizes: en"
    ):
        read_studies([tmp_path])


def test_correlations_of_an_estimate_that_is_not_the_folders_are_refused_unless_it_was_made_alike(
    written, tmp_path
):
    nothing = SubspaceResult(
        pool="layer", rank=8, target_ratio=0.7, pruned=PrunedTable(rows=[]), scores={}, mean_rank=4.0,
        ranks={}, history=[],
    )  # fmt: skip

    def estimated(name, **settings):
        recipe = {"estimate_subspace": {"rank": 8, "index": None, **settings}}
        path = written(tmp_path / name).write("subspace.json", nothing, recipe=recipe)
        return path, json.loads(path.read_text())["digest"]

    estimated("here")
    (same, digest), (other, other_digest) = estimated("same"), estimated("other", index="source")
    written(tmp_path / "here").prune_report(inputs=[Input(role="subspace", path=str(same), digest=digest)])
    assert read_studies([tmp_path / "here"])
    written(tmp_path / "here").prune_report(
        inputs=[Input(role="subspace", path=str(other), digest=other_digest)]
    )
    with pytest.raises(InputError, match=r"were made with different index: paper and source"):
        read_studies([tmp_path / "here"])


def test_a_missing_folder_and_an_empty_one_are_named(tmp_path):
    with pytest.raises(InputError, match="no experiment at .*nowhere"):
        read_studies([tmp_path / "nowhere"])
    with pytest.raises(InputError, match="holds no artifacts"):
        read_studies([tmp_path])


def test_the_experiments_in_a_folder_of_experiments_are_named(written, tmp_path):
    for place in ("one", "study/seed-2"):
        written(tmp_path / "out" / place).training("2-2-8")
    (tmp_path / "out/empty").mkdir()
    with pytest.raises(InputError, match="out holds experiments, and is none itself") as refused:
        read_studies([tmp_path / "out"])
    assert refused.value.hint == f"name some of them: {tmp_path / 'out/one'}, {tmp_path / 'out/study'}"


def test_a_damaged_artifact_is_refused_and_never_not_run(written, tmp_path):
    path = written(tmp_path).evaluation("base", BASE)
    text = json.loads(path.read_text())
    text["result"]["average"] = 99.0
    path.write_text(json.dumps(text))
    with pytest.raises(InputError, match="was changed after it was written"):
        read_studies([tmp_path])
    path.write_text("{")
    with pytest.raises(InputError, match="is damaged"):
        read_studies([tmp_path])


def test_an_evaluation_of_another_training_is_stale(written, tmp_path):
    experiment = written(tmp_path)
    experiment.training("full")
    old = Input(role="training", path="training.json", digest="0" * 64)
    experiment.evaluation("full", FULL, inputs=[old])
    with pytest.raises(InputError, match="is stale: it was made from another training"):
        read_studies([tmp_path])


def test_one_folder_has_one_seed_and_one_base_model(written, tmp_path):
    written(tmp_path / "a", seed=1).evaluation("base", BASE)
    written(tmp_path / "a", seed=2).evaluation("full", FULL)
    with pytest.raises(InputError, match=r"mixes seed 1 and seed 2 \(evaluation\)"):
        read_studies([tmp_path / "a"])
    written(tmp_path / "b").evaluation("base", BASE)
    other = written(tmp_path / "b")
    other.model |= {"digest": "c" * 64, "name": "small"}
    other.training("full")
    with pytest.raises(InputError, match=r"m2m-124-615m \(b{12}\) and small \(c{12}\)"):
        read_studies([tmp_path / "b"])


def test_a_folder_that_was_renamed_is_not_taken_for_another_run(written, tmp_path):
    written(tmp_path).evaluation("8-8-8", FULL)
    (tmp_path / "runs/8-8-8").rename(tmp_path / "runs/4-4-4")
    with pytest.raises(InputError, match="4-4-4 holds the run '8-8-8'"):
        read_studies([tmp_path])


def test_a_run_whose_recipe_has_a_value_that_recipes_lack_now_is_still_reported(written, tmp_path):
    experiment = written(tmp_path)
    experiment.evaluation("full", FULL)
    path = experiment.training("full")
    document = json.loads(path.read_text(encoding="utf-8"))
    document["recipe"]["run"] = {"adapter_kernel": "grouped"}
    path.write_text(json.dumps(document), encoding="utf-8")
    (study,) = read_studies([tmp_path])
    assert dict(facts(study))["Training"] == "epochs 2, lr 0.003" and study.runs() == ["full"]
