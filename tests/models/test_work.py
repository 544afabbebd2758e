from lslo_cli.method.base_dtype import BaseDtype
from lslo_cli.method.families import SHAPES
from lslo_cli.method.memory import MemoryEstimate
from lslo_cli.method.ranks import SHARED, RankMap, parse_ranks
from lslo_cli.method.sites import SiteSet
from lslo_cli.method.strategy import Index, paper, uniform
from lslo_cli.models.work import (
    describe_index,
    describe_memory,
    in_binary_units,
    memory_choices,
    parameters_by_language,
    training_facts,
    work_of,
)
from lslo_cli.recipe import resolve

LARGE = SHAPES["m2m-124-615m"]
PER_RANK = 12 * 5 * 2048 + 12 * 8 * 2048
"""Parameters of rank 1 at every site of M2M-124 615M, each adapter being 1024 x 1024."""
PER_RANK_OF_ALL = PER_RANK + 24 * 2 * 3072
"""The same where those of fc1 and fc2 span all 4096 units."""


def lang12(**changes):
    return resolve("lang12", changes)


def of_train(recipe):
    return work_of(recipe, "train", parse_ranks(recipe.train.ranks, recipe.selected_languages()))


def test_the_papers_main_run_has_the_printed_parameters():
    recipe = lang12()
    facts = dict(training_facts(recipe, of_train(recipe), LARGE, batches=1600))
    total = (4 * 2 + 4 * 2 + 4 * 8) * PER_RANK
    assert facts["trainable"] == "15,335,424 parameters, 2.49% of the base"  # printed as 15.3M in table 1
    assert total == 15_335_424
    assert "counted as the paper does" not in facts
    assert facts["updates"] == "15 epochs of 400, each of up to 4 x 4,000 tokens"
    assert facts["sites"] == "all (156 matrices)"


def test_adapters_of_all_units_are_counted_truly_and_the_papers_way():
    recipe = lang12(**{"adapters.span": "all"})
    facts = dict(training_facts(recipe, of_train(recipe), LARGE, batches=1600))
    assert facts["trainable"].startswith(f"{(4 * 2 + 4 * 2 + 4 * 8) * PER_RANK_OF_ALL:,} parameters")
    assert facts["trainable"].startswith("22,413,312")
    assert facts["counted as the paper does"] == "15,335,424"


def test_the_ratio_of_every_epoch_is_shown():
    recipe = lang12()
    facts = dict(training_facts(recipe, of_train(recipe), LARGE, batches=1600))
    ratios = facts["pruned by epoch"].split(", ")
    assert (
        ratios
        == ["0.00"] * 2 + ["0.30", "0.52", "0.68", "0.79", "0.85", "0.89", "0.90", "0.90"] + ["0.90"] * 5
    )
    unpruned = lang12(**{"train.gps": 0.0})
    assert "pruned by epoch" not in dict(training_facts(unpruned, of_train(unpruned), LARGE, 1600))


def test_a_last_group_of_batches_that_is_smaller_is_an_update_too():
    recipe = lang12()
    facts = dict(training_facts(recipe, of_train(recipe), LARGE, batches=1601))
    assert facts["updates"].startswith("15 epochs of 401,")


def test_weight_learning_trains_both_sides_and_two_weights_per_layer():
    recipe = lang12()
    work = work_of(recipe, "weight-learn", None)
    assert work.trainable(LARGE) == 2 * 12 * 8 * PER_RANK + 2 * 24
    rows = parameters_by_language(recipe, work, LARGE)
    assert {row[2:] for row in rows} == {(8, 2 * 8 * PER_RANK)}
    assert work_of(lang12(**{"weight_learn.epochs": 3}), "weight-learn", None).epochs == 3


def test_estimation_trains_the_same_rank_for_all_with_its_own_schedule():
    work = work_of(lang12(), "estimate-subspace", None)
    assert set(work.ranks.by_language.values()) == {8}
    assert work.schedule.target_ratio == 0.7
    assert work.trainable(LARGE) == 12 * 8 * PER_RANK


def test_full_fine_tuning_trains_everything_and_has_no_sites():
    recipe = lang12(**{"train.method": "full", "train.gps": 0.0})
    work = work_of(recipe, "train", None)
    facts = dict(training_facts(recipe, work, LARGE, 1600))
    assert facts["trainable"] == "614,990,848 parameters, 100.00% of the base"
    assert not {"counted as the paper does", "sites"} & set(facts)
    assert parameters_by_language(recipe, work, LARGE) == ()


def test_every_language_has_a_row_with_its_class():
    recipe = lang12()
    rows = parameters_by_language(recipe, of_train(recipe), LARGE)
    assert rows[0] == ("en", "high", 2, 2 * PER_RANK)
    assert ("wo", "very-low", 8, 8 * PER_RANK) in rows
    assert len(rows) == 12


def test_a_shared_adapter_is_one_row():
    recipe = lang12()
    work = work_of(recipe, "train", RankMap({SHARED: 8}))
    assert parameters_by_language(recipe, work, LARGE) == ((SHARED, "all languages", 8, 8 * PER_RANK),)


def test_sites_limit_what_is_counted():
    recipe = lang12(**{"train.sites": "attn"})
    work = of_train(recipe)
    assert work.sites is SiteSet.ATTENTION
    assert work.trainable(LARGE) == 48 * (12 * 3 * 2048 + 12 * 6 * 2048)


def test_an_index_is_described_by_its_source_layers():
    assert describe_index(paper(4, 1), "paper") == "paper; by source: encoder.1, encoder.2, encoder.3"
    assert describe_index(uniform(Index.TARGET, 1, 1), "target") == "target; by source: none"


def test_small_sizes_are_in_mebibytes_and_large_ones_in_gibibytes():
    assert in_binary_units(3 * 2**19) == "1.5 MiB"
    assert in_binary_units(2**30 - 1) == "1024.0 MiB"
    assert in_binary_units(5 * 2**29) == "2.5 GiB"
    memory = MemoryEstimate(weights=2**20, training_state=2**21, activations=2**30, logits=2**29)
    assert describe_memory(memory) == (
        "1.5 GiB: weights 1.0 MiB, training state 2.0 MiB, activations 1.0 GiB, logits 512.0 MiB"
    )


def test_memory_is_told_for_every_choice_and_the_recipes_own_is_among_them():
    recipe = lang12(**{"run.base_dtype": "bfloat16", "run.recompute": True})
    work = of_train(recipe)
    choices = {each.choice: each for each in memory_choices(work, LARGE, 4000)}
    assert list(choices) == ["float32 base", "bfloat16 base", "4bit base", "full fine-tuning"]
    assert choices["bfloat16 base"].recomputed == work.memory(LARGE, 4000)
    kept = [choices[f"{dtype} base"].kept.total for dtype in BaseDtype]
    assert kept == sorted(kept, reverse=True)
    assert all(each.recomputed.total < each.kept.total for each in choices.values())
    facts = dict(training_facts(recipe, work, LARGE, batches=10))
    whole = choices["full fine-tuning"]
    assert facts["memory, full fine-tuning"] == (
        f"{in_binary_units(whole.kept.total)}, with run.recompute {in_binary_units(whole.recomputed.total)}"
    )
    assert facts["memory, roughly"] == describe_memory(work.memory(LARGE, 4000))


def test_full_fine_tuning_has_no_choice_of_a_base():
    recipe = lang12(**{"train.method": "full", "run.recompute": True})
    work = work_of(recipe, "train")
    (only,) = memory_choices(work, LARGE, 4000)
    assert only.choice == "full fine-tuning" and only.recomputed == work.memory(LARGE, 4000)
