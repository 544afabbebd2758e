from collections import Counter
from pathlib import Path

import pytest
import torch

from lslo_cli.data.splits import DEV_ROWS
from lslo_cli.errors import InputError, UsageError
from lslo_cli.method.importance import Pool, importance_score
from lslo_cli.method.ranks import uniform_ranks
from lslo_cli.method.sites import SiteSet
from lslo_cli.method.strategy import paper
from lslo_cli.nn.attach import model_sites, site_module
from lslo_cli.tasks import commands as tasks
from lslo_cli.tasks.estimate_subspace import estimate
from lslo_cli.tasks.setup import prepare


@pytest.fixture(scope="module")
def estimates(tiny):
    """One estimate for each kind of pool."""
    return {
        pool: estimate(prepare(tiny.recipe(**{"estimate_subspace.pool": pool})), paper(2, 2)) for pool in Pool
    }


def test_every_b_is_in_the_table_and_no_a(estimates):
    result = estimates[Pool.LAYER]
    assert len(result.pruned.rows) == (2 * 5 + 2 * 8) * 4
    assert {row[2] for row in result.pruned.rows} == {"B"}
    sizes = {(matrix.site.kind, matrix.size) for matrix in result.pruned.matrices()}
    assert {("fc1", 16 * 8), ("fc2", 16 * 8), ("q", 16 * 8)} <= sizes  # of fc1 the first d_model units


@pytest.mark.parametrize("pool", list(Pool))
def test_every_pool_lost_exactly_the_target_ratio(estimates, pool):
    result = estimates[pool]
    pruned, size = Counter(), Counter()
    for matrix in result.pruned.matrices():
        key = pool.key(matrix.site, matrix.language)
        pruned[key] += matrix.pruned
        size[key] += matrix.size
    assert pruned == {key: round(0.7 * count) for key, count in size.items()}


def test_across_languages_some_lose_more_than_others_and_alone_none_does(estimates):
    across, alone = (
        Counter({code: round(score) for code, score in estimates[pool].scores.items()})
        for pool in (Pool.LAYER, Pool.LANGUAGE)
    )
    assert max(across.values()) > 10 > -10 > min(across.values())
    assert set(alone.values()) <= {0, 1, -1}


def test_scores_are_those_of_the_table(estimates):
    result = estimates[Pool.LAYER_KIND]
    totals = Counter()
    for matrix in result.pruned.matrices():
        totals[matrix.language] += importance_score(matrix, 0.7)
    assert result.scores == pytest.approx(dict(totals))


def test_the_ranks_spend_the_budget_and_follow_what_survived(estimates):
    result = estimates[Pool.LAYER]
    assert sum(result.ranks.values()) == round(result.mean_rank * 4)
    assert result.gains == {}
    by_score = sorted(result.scores, key=result.scores.get)
    ranks = [result.ranks[code] for code in by_score]
    assert ranks == sorted(ranks, reverse=True)


def test_the_singular_values_are_those_of_the_product_at_every_site(setup):
    stage = setup()
    result = estimate(stage, paper(2, 2))
    assert len(result.spectra.rows) == (2 * 5 + 2 * 8) * 4
    model = stage.base.model
    for spectrum in result.spectra.spectra():
        lslo = site_module(model, spectrum.site)
        matrices = lslo.adapter.matrices(stage.codes.index(spectrum.language))
        values = torch.linalg.svdvals(matrices["B"].double() @ matrices["A"].double())[:8]
        assert spectrum.values == pytest.approx(values.tolist(), abs=1e-6)
        assert spectrum.cost == matrices["A"].shape[1] + matrices["B"].shape[0]


def test_a_quick_estimate_trains_on_a_sample_and_measures_gains_on_all_directions(setup):
    quick = {"estimate_subspace.quick": True, "data.dev_rows": 4}
    stage = setup(**quick)
    result = estimate(stage, paper(2, 2))
    trained = stage.data[0]
    assert trained.examples == 8 * trained.rows
    assert stage.recipe.data.directions == ()  # the experiment's own, which is recorded
    assert set(result.gains) == set(stage.codes)
    full = estimate(setup(**{"data.dev_rows": 4}), paper(2, 2))
    assert 0 < sum(epoch.tokens for epoch in result.history) < sum(epoch.tokens for epoch in full.history)
    assert len(result.pruned.rows) == len(full.pruned.rows)


def test_a_plan_of_a_quick_estimate_counts_its_directions(new_experiment):
    facts = dict(tasks.plan(new_experiment(**{"estimate_subspace.quick": True}), "estimate-subspace").facts)
    assert facts["trains on"] == "8 of 12 directions"


def test_a_quick_estimate_and_named_directions_exclude_each_other(new_experiment):
    named = {"estimate_subspace.quick": True, "data.directions": ["qta-*"]}
    for ask in (tasks.estimate_subspace, lambda asked: tasks.plan(asked, "estimate-subspace")):
        with pytest.raises(UsageError, match="'estimate_subspace.quick' draws directions"):
            ask(new_experiment(**named))


def test_the_overlap_of_two_languages_is_the_cosine_of_their_updates(setup):
    stage = setup()
    result = estimate(stage, paper(2, 2))
    assert list(result.overlaps) == list(stage.codes)
    updates = {}
    for slot, code in enumerate(stage.codes):
        matrices = [
            site_module(stage.base.model, site).adapter.matrices(slot)
            for site in model_sites(stage.base.model, SiteSet.ALL)
        ]
        updates[code] = torch.cat([(each["B"].double() @ each["A"].double()).ravel() for each in matrices])
    for one, row in result.overlaps.items():
        cosines = [torch.cosine_similarity(updates[one], other, dim=0).item() for other in updates.values()]
        assert row == pytest.approx(cosines, abs=1e-6)


def test_a_gain_is_what_the_loss_on_dev_rows_loses_by_the_adapter(setup):
    stage = setup(**{"data.dev_rows": 4})
    result = estimate(stage, paper(2, 2))
    assert result.gains.keys() == set(stage.codes)
    assert DEV_ROWS in {text.split for text in stage.data}
    named = [direction for direction in stage.directions if "qka" in (direction.src, direction.tgt)]
    adapters = {
        site: site_module(stage.base.model, site).adapter
        for site in model_sites(stage.base.model, SiteSet.ALL)
    }
    route = next(iter(adapters.values())).route
    loss = stage.dev_loss(route, named)
    with_adapter = loss.measure()
    for adapter in adapters.values():
        adapter.matrices(stage.codes.index("qka"))["B"].zero_()
    assert result.gains["qka"] == pytest.approx(loss.measure() - with_adapter, abs=1e-6)
    assert result.gains["qka"] != 0
    assert {len(folds) for folds in result.gains_by_fold.values()} == {4}
    assert min(result.gains_by_fold["qka"]) < result.gains["qka"] < max(result.gains_by_fold["qka"])


def test_gains_have_no_folds_where_dev_rows_are_too_few_for_them(setup):
    result = estimate(setup(**{"data.dev_rows": 3}), paper(2, 2))
    assert len(result.gains) == 4
    assert result.gains_by_fold == {}
    assert result.estimate().reliability == 1


def test_measuring_gains_leaves_the_estimate_as_it_was(setup, estimates):
    with_gains = estimate(setup(**{"data.dev_rows": 4}), paper(2, 2))
    assert with_gains.pruned == estimates[Pool.LAYER].pruned
    assert with_gains.spectra == estimates[Pool.LAYER].spectra


def test_the_ratio_rises_as_the_schedule_says(estimates):
    ratios = [record.target_ratio for record in estimates[Pool.LAYER].history]
    assert ratios == pytest.approx([0, 0.7 * 7 / 8, 0.7])


def test_all_languages_start_with_the_same_rank(tiny):
    result = estimate(prepare(tiny.recipe(**{"estimate_subspace.rank": 2})), paper(2, 2))
    languages = tiny.recipe().selected_languages()
    counted = sum(matrix.size for matrix in result.pruned.matrices())
    ranks = uniform_ranks(languages, 2)
    outputs = 2 * 5 * 16 + 2 * 8 * 16
    assert counted == ranks.total * outputs


@pytest.mark.parametrize("fault", ["gaps", "long"])
def test_languages_without_dev_text_are_named_before_training(new_experiment, text_with, heard, fault):
    """The rows that are not trained on, of which dev rows are drawn, lack qka or are all too long."""
    text = text_with("train", **({"qka": range(6)} if fault == "gaps" else {}))
    if fault == "long":
        for path in Path(text, "train").iterdir():
            lines = path.read_text(encoding="utf-8").splitlines()
            path.write_text("".join(f"{line * (99 if row > 5 else 1)}\n" for row, line in enumerate(lines)))
    lacking = {"gaps": "qka", "long": "qta, qso, qki, qka"}[fault]
    dev = {"data.path": text, "data.dev_rows": 4}
    message = f"dev rows have no sentence pair of at most 256 tokens for {lacking}"
    with pytest.raises(InputError, match=message) as error:
        tasks.estimate_subspace(new_experiment(**dev), on_event=heard)
    assert "--dev-rows" in error.value.hint and "--langs" in error.value.hint
    assert "subspace estimation" not in heard.tasks
    with pytest.raises(InputError, match=message):
        tasks.plan(new_experiment(**dev), "estimate-subspace")


def test_a_note_says_that_what_is_ranked_has_not_been_trained(new_experiment, heard):
    """The first update has a learning rate of 0, and here it is the first epoch."""
    one_update = {"fit.max_tokens": 100_000}
    tasks.estimate_subspace(new_experiment(**one_update), on_event=heard)
    (note,) = [note for note in heard.notes if "ranks zeros" in note]
    assert "the adapters of qta, qso, qki, qka have not been trained" in note
    assert "--start-epoch 2 --epochs 4" in note
    heard.clear()
    later = {"estimate_subspace.start_epoch": 2, "estimate_subspace.epochs": 4}
    tasks.estimate_subspace(new_experiment(**one_update, **later), on_event=heard)
    assert not [note for note in heard.notes if "ranks zeros" in note]


def test_training_says_so_too_of_the_languages_that_it_prunes(new_experiment, heard):
    one_update = {"fit.max_tokens": 100_000, "train.ranks": "2,2,2", "train.gps": 0.5}
    tasks.train(new_experiment(**one_update, **{"train.gps_classes": ["high"]}), on_event=heard)
    (note,) = [note for note in heard.notes if "ranks zeros" in note]
    assert "the adapters of qta, qso have not been trained yet, so only their order decides" in note
    assert "--gps-start 2 --epochs 4" in note
    heard.clear()
    later = {"train.gps_start": 2, "fit.epochs": 4}
    tasks.train(new_experiment(**one_update, **later), run="later", on_event=heard)
    assert not [note for note in heard.notes if "ranks zeros" in note]
    with pytest.raises(UsageError, match=r"'train.gps_start' cannot be 0"):
        new_experiment(**{"train.gps_start": 0})


@pytest.mark.parametrize("mean", [0.1, 0.12])
def test_a_mean_rank_that_gives_no_language_a_rank_is_refused_before_training(new_experiment, heard, mean):
    for ask in (
        lambda asked: tasks.estimate_subspace(asked, on_event=heard),
        lambda asked: tasks.plan(asked, "estimate-subspace"),
    ):
        with pytest.raises(UsageError, match=f"--mean-rank {mean} gives 4 languages no rank") as error:
            ask(new_experiment(**{"estimate_subspace.mean_rank": mean}))
        assert "--mean-rank 4" in error.value.hint and "--budget" not in error.value.hint
    assert not heard.tasks


def test_an_estimate_is_resumed_with_another_mean_rank_and_the_same_index_by_name(
    new_experiment, heard, monkeypatch
):
    def full(*_):
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("lslo_cli.tasks.estimate_subspace.dev_gains", full)
        with pytest.raises(OSError, match="no space"):
            tasks.estimate_subspace(new_experiment())
    other = {"estimate_subspace.mean_rank": 2.0, "estimate_subspace.index": "paper"}
    resumed = tasks.estimate_subspace(new_experiment(**other), resume=True, on_event=heard).artifact.result
    assert "resuming subspace estimation after epoch 3 of 3" in heard.notes
    assert sum(resumed.ranks.values()) == 8


def test_a_ratio_that_prunes_a_whole_pool_is_refused_before_training(new_experiment, heard):
    message = "--target-ratio 0.9999 prunes all of 2,560 entries that are ranked together"
    with pytest.raises(UsageError, match=message) as error:
        tasks.estimate_subspace(new_experiment(**{"estimate_subspace.target_ratio": 0.9999}), on_event=heard)
    assert error.value.hint == "give --target-ratio 0.9996 or less"
    with pytest.raises(UsageError, match="--gps 0.99 prunes all of 32 entries") as error:
        tasks.train(new_experiment(**{"train.gps": 0.99, "train.ranks": "2,2,2"}), on_event=heard)
    assert error.value.hint == "give --gps 0.9687 or less"
    tasks.train(new_experiment(**{"train.gps": 0.9687, "train.ranks": "2,2,2"}))
    assert not heard.tasks
