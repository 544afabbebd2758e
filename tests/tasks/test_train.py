import pytest
import torch
from safetensors.torch import load_file

from lslo_cli.artifacts.provenance import digest_of_file
from lslo_cli.data.corpus import Corpus, CorpusSection
from lslo_cli.data.splits import DEV_ROWS
from lslo_cli.errors import InputError, UsageError
from lslo_cli.method.adapters import Span
from lslo_cli.method.ranks import SHARED, RankMap, parse_ranks
from lslo_cli.method.sites import SiteSet
from lslo_cli.method.strategy import Index, paper, uniform
from lslo_cli.models.base import load_base
from lslo_cli.tasks.train import fine_tune
from lslo_cli.training.validation import Validation

RANKS = "2,2,8"


@pytest.fixture
def trained(setup, tmp_path):
    """Train one run in a fresh folder: the result, and its weights by name."""

    def trained(ranks=None, strategy=None, **changes):
        stage = setup(**{"train.gps": 0, **changes})
        if stage.recipe.train.method == "lslo":
            ranks = ranks or parse_ranks(RANKS, stage.languages)
            strategy = strategy or paper(2, 2)
        result = fine_tune(stage, "toy", tmp_path, ranks, strategy, "paper")
        path = tmp_path / result.weights.path
        assert digest_of_file(path) == result.weights.digest
        return result, load_file(path)

    return trained


def sparsity(state, name):
    return float((state[name] == 0).float().mean())


def test_a_run_trains_the_ranks_it_was_given_and_counts_them(trained, setup):
    result, state = trained()
    ranks = RankMap({"qta": 2, "qso": 2, "qki": 2, "qka": 8})
    shape = setup().model_identity.shape
    assert result.ranks == dict(ranks.by_language)
    counted = ranks.parameters(shape, span=Span.D_MODEL)
    assert result.trainable_parameters == counted == sum(t.numel() for t in state.values())
    assert (result.span, result.trainable_parameters_paper_style) == (Span.D_MODEL, None)
    assert result.paper_parameters == counted
    assert result.nonzero_parameters == result.trainable_parameters
    assert state["encoder.1.q.qka.lora_A"].shape == (8, 16)
    assert state["encoder.1.fc1.qka.lora_B"].shape == (16, 8)
    assert all(tensor.any() for tensor in state.values())


def test_adapters_of_all_units_are_counted_both_ways(trained, setup):
    result, state = trained(**{"adapters.span": "all", "fit.epochs": 1})
    ranks, shape = RankMap(result.ranks), setup().model_identity.shape
    assert result.trainable_parameters == ranks.parameters(shape) == sum(t.numel() for t in state.values())
    assert result.paper_parameters == ranks.parameters(shape, span=Span.D_MODEL)
    assert result.paper_parameters < result.trainable_parameters
    assert state["encoder.1.fc1.qka.lora_B"].shape == (shape.ffn_dim, 8)


def test_pruning_takes_exactly_the_ratio_of_the_pruned_classes_and_nothing_else(trained):
    result, state = trained(**{"train.gps": 0.9})
    assert result.pruned_languages == ["qta", "qso", "qki"]
    for name, tensor in state.items():
        language = name.split(".")[-2]
        wanted = 0 if language == "qka" else round(0.9 * tensor.numel())
        assert int((tensor == 0).sum()) == wanted, name
    assert result.nonzero_parameters == sum(int((tensor != 0).sum()) for tensor in state.values())
    for site, language, matrix, pruned, size in result.pruned.rows:
        tensor = state[f"{site}.{language}.lora_{matrix}"]
        assert (pruned, size) == (int((tensor == 0).sum()), tensor.numel())
    assert [record.target_ratio for record in result.history] == pytest.approx([0, 0.9 * 7 / 8, 0.9])


def test_pruning_of_b_leaves_a_dense(trained):
    _, state = trained(**{"train.gps": 0.5, "train.prune_targets": "B"})
    assert sparsity(state, "decoder.2.fc1.qta.lora_A") == 0
    assert sparsity(state, "decoder.2.fc1.qta.lora_B") == pytest.approx(0.5, abs=0.02)


def test_the_classes_to_prune_are_a_setting(trained):
    result, state = trained(**{"train.gps": 0.5, "train.gps_classes": ["very-low"]})
    assert result.pruned_languages == ["qka"]
    assert sparsity(state, "decoder.2.fc1.qka.lora_A") == 0.5
    assert sparsity(state, "decoder.2.fc1.qta.lora_A") == 0


@pytest.mark.parametrize(("sites", "count"), [("attn", 2 * 3 + 2 * 6), ("fc", 4 * 2)])
def test_sites_limit_where_adapters_sit(trained, setup, sites, count):
    result, state = trained(**{"train.sites": sites})
    assert len(state) == count * 4 * 2
    shape = setup().model_identity.shape
    assert result.trainable_parameters == RankMap(result.ranks).parameters(
        shape, SiteSet(sites), Span.D_MODEL
    )
    assert {name.split(".")[2].startswith("fc") for name in state} == {sites == "fc"}


def test_the_index_of_every_layer_is_recorded(trained):
    result, _ = trained(strategy=uniform(Index.SOURCE, 2, 2))
    assert result.index == {
        "encoder.1": "source",
        "encoder.2": "source",
        "decoder.1": "target",
        "decoder.2": "target",
    }


def test_another_index_gives_another_run(trained):
    first, _ = trained(strategy=uniform(Index.SOURCE, 2, 2))
    second, _ = trained(strategy=uniform(Index.TARGET, 2, 2))
    assert first.history[-1].loss != second.history[-1].loss


def test_the_same_seed_gives_the_same_bytes_and_another_other_ones(trained):
    digests = [trained(seed=seed)[0].weights.digest for seed in (5, 5, 6)]
    assert digests[0] == digests[1] != digests[2]


def test_one_lora_for_all_languages_is_one_adapter_without_a_route_by_language(trained, setup):
    result, state = trained(RankMap({SHARED: 4}), **{"train.method": "lora"})
    assert (result.ranks, result.index) == ({SHARED: 4}, {})
    shape = setup().model_identity.shape
    assert result.trainable_parameters == RankMap({SHARED: 4}).parameters(shape, span=Span.D_MODEL)
    assert all(name.split(".")[-2] == SHARED for name in state)
    assert result.history[-1].loss < result.history[0].loss


def test_full_fine_tuning_trains_every_parameter_and_saves_a_model(trained, setup, tmp_path):
    result, _ = trained(**{"train.method": "full", "fit.lr_full": 0.01})
    base = setup().base.model
    assert result.trainable_parameters == result.nonzero_parameters == base.num_parameters()
    assert (result.ranks, result.index, result.pruned.rows) == ({}, {}, [])
    assert result.trainable_parameters_paper_style is None
    saved = load_base(str(tmp_path / "model")).model
    changed = [
        not torch.equal(one, other) for one, other in zip(saved.parameters(), base.parameters(), strict=True)
    ]
    assert all(changed)


def test_full_fine_tuning_has_a_learning_rate_of_its_own(trained):
    slow, _ = trained(**{"train.method": "full", "fit.lr_full": 1e-9})
    fast, _ = trained(**{"train.method": "full", "fit.lr_full": 0.01})
    assert slow.history[-1].loss > fast.history[-1].loss + 0.01


@pytest.mark.parametrize("method", ["full", "lora"])
def test_pruning_by_language_needs_adapters_by_language(trained, method):
    with pytest.raises(UsageError, match=f"--gps 0.9 prunes by language, which --method {method}"):
        trained(RankMap({SHARED: 4}), **{"train.method": method, "train.gps": 0.9})


def test_where_nobody_is_pruned_the_ratio_is_0_and_a_note_says_why(setup, tmp_path):
    for named, why in ((None, "is in --gps-classes low"), ((), "by the estimate")):
        heard = []
        stage = setup(heard.append, **{"train.gps": 0.9, "train.gps_classes": ["low"]})
        ranks = parse_ranks(RANKS, stage.languages)
        result = fine_tune(stage, "toy", tmp_path, ranks, paper(2, 2), "paper", named)
        assert (result.target_ratio, result.pruned_languages) == (0.0, [])
        assert [record.target_ratio for record in result.history] == [0.0] * 3
        (note,) = [each.text for each in heard if getattr(each, "text", "").startswith("nobody is pruned")]
        assert why in note


def test_a_schedule_that_does_not_fit_the_epochs_is_refused(trained):
    with pytest.raises(UsageError, match="would end at epoch 5 of 3"):
        trained(**{"train.gps": 0.9, "train.gps_duration": 4})


# The quality curve


def test_quality_is_measured_before_training_and_after_every_epoch(trained):
    result, _ = trained(**{"train.curve_rows": 2, "train.curve_groups": ["H2H", "H2V"]})
    assert [point.epoch for point in result.curve.points] == [0, 1, 2, 3]
    assert all(set(point.spbleu) == {"H2H", "H2V"} for point in result.curve.points)
    assert result.curve.rows == 2
    assert "tok:spm-local-" in result.curve.signature


def test_measuring_quality_does_not_change_the_training(trained):
    with_curve, _ = trained(**{"train.curve_rows": 2, "fit.dropout": 0.3})
    without, _ = trained(**{"fit.dropout": 0.3})
    assert with_curve.weights.digest == without.weights.digest
    assert without.curve is None


def test_a_curve_may_be_of_single_directions_and_of_all_sentences(trained):
    result, _ = trained(**{"train.curve_rows": "all", "train.curve_groups": ["H2H", "qta-qso", "qso-qta"]})
    assert result.curve.rows == 3
    for point in result.curve.points:
        assert point.spbleu["H2H"] == pytest.approx((point.spbleu["qta-qso"] + point.spbleu["qso-qta"]) / 2)


@pytest.mark.parametrize("groups", [["L2L"], ["H2H", "qta-qxx"], []])
def test_a_curve_over_what_does_not_exist_is_refused(trained, groups):
    with pytest.raises(UsageError, match="no direction or group of this experiment is called") as error:
        trained(**{"train.curve_rows": 2, "train.curve_groups": groups})
    assert "H2H" in error.value.hint and "qta-qso" in error.value.hint


def test_the_kernel_of_the_recipe_changes_weights_by_rounding_only(trained):
    _, runs = trained()
    _, masked = trained(**{"run.adapter_kernel": "masked"})
    for name, tensor in runs.items():
        torch.testing.assert_close(masked[name], tensor, rtol=1e-3, atol=1e-5)


# Dev rows


def test_a_curve_is_drawn_from_the_dev_rows_where_there_are_some(setup, tmp_path):
    heard = []
    for rows in (0, 4):
        stage = setup(heard.append, **{"train.gps": 0, "train.curve_rows": 2, "data.dev_rows": rows})
        ranks = parse_ranks(RANKS, stage.languages)
        fine_tune(stage, "toy", tmp_path, ranks, paper(2, 2), "paper")
        read = {text.split for text in stage.data}
        assert read == ({"train", DEV_ROWS} if rows else {"train", "test"})
    assert sum("reads the test split" in getattr(event, "text", "") for event in heard) == 1


def test_the_loss_on_dev_rows_is_recorded_and_changes_no_training(trained):
    without, _ = trained()
    result, _ = trained(**{"data.dev_rows": 4})
    assert result.weights.digest == without.weights.digest
    assert len(result.dev_losses) == 3 and result.kept_epoch is None
    assert (without.dev_losses, without.kept_epoch) == ([], None)


def test_dev_rows_without_a_pair_of_the_directions_are_named(setup):
    stage = setup(**{"data.dev_rows": 3, "data.directions": ["qta-qso"]})
    rows = CorpusSection("text", {"qta": ["taro", "taro", ""], "qso": ["", "", "miro"]})
    stage.corpus = lambda split: Corpus((rows,))
    with pytest.raises(InputError, match="3 dev rows without a sentence pair in qta-qso") as error:
        stage.dev_loss(None)
    assert "--dev-rows" in error.value.hint


@pytest.fixture
def dev_losses(monkeypatch):
    """Let the dev loss after each epoch be what a test wants."""

    def dev_losses(*values):
        left = iter(values)
        monkeypatch.setattr(Validation, "measure", lambda self: next(left))

    return dev_losses


@pytest.mark.parametrize(
    ("method", "ranks"), [("lslo", None), ("lora", RankMap({SHARED: 4})), ("full", None)]
)
def test_the_epoch_with_the_lowest_loss_on_dev_rows_is_kept(trained, dev_losses, method, ranks):
    _, alone = trained(ranks, **{"train.method": method, "fit.epochs": 2})
    dev_losses(2.0, 1.0, 3.0)
    best, kept = trained(ranks, **{"train.method": method, "data.dev_rows": 4, "train.keep": "best"})
    assert (best.kept_epoch, best.dev_losses) == (2, [2.0, 1.0, 3.0])
    assert len(best.history) == 3
    assert alone.keys() == kept.keys()
    assert all(torch.equal(kept[name], tensor) for name, tensor in alone.items())


def test_a_run_that_prunes_keeps_an_epoch_of_which_all_is_pruned(trained, dev_losses):
    dev_losses(1.0, 1.0, 2.0, 3.0)
    changes = {"data.dev_rows": 4, "fit.epochs": 4, "train.gps": 0.9, "train.keep": "best"}
    result, state = trained(**changes)
    assert result.kept_epoch == 3
    assert sparsity(state, "decoder.2.fc1.qta.lora_A") == pytest.approx(0.9, abs=0.02)
    assert result.nonzero_parameters == sum(int((tensor != 0).sum()) for tensor in state.values())


def test_a_run_that_prunes_nobody_may_keep_any_epoch(trained, dev_losses):
    dev_losses(1.0, 2.0, 3.0)
    changes = {"data.dev_rows": 4, "train.gps": 0.9, "train.gps_classes": ["low"], "train.keep": "best"}
    assert trained(**changes)[0].kept_epoch == 1


def test_keeping_the_best_epoch_takes_dev_rows(trained):
    with pytest.raises(UsageError, match="--keep best chooses the epoch by the loss on dev rows") as error:
        trained(**{"train.keep": "best"})
    assert "--dev-rows" in error.value.hint
