"""Text in one direction only, where no sentence selects some of the adapters."""

import pytest

from lslo_cli.errors import UsageError
from lslo_cli.method.languages import Direction
from lslo_cli.method.sites import SiteSet, Stack
from lslo_cli.method.strategy import Index, paper, uniform
from lslo_cli.nn.attach import model_sites, site_module
from lslo_cli.tasks import commands as tasks
from lslo_cli.tasks.estimate_subspace import estimate

ONE_WAY = {"data.directions": ["qta-qso", "qta-qki", "qta-qka"]}
ENCODER, DECODER = {"encoder.1", "encoder.2"}, {"decoder.1", "decoder.2"}
"""The layers that the source selects by the paper's index at this depth, and those of the target."""


@pytest.fixture
def estimated(setup):
    """An estimate from one language into three, and the setup that it was made with."""
    later = {"estimate_subspace.start_epoch": 2, "estimate_subspace.epochs": 6, "data.dev_rows": 4}
    stage = setup(**ONE_WAY, **later)
    return stage, estimate(stage, paper(2, 2))


def test_the_idle_languages_of_a_side_are_those_that_are_never_on_it():
    pairs = [Direction("a", "b"), Direction("a", "c")]
    assert paper(2, 2).idle("abc", pairs) == {Index.SOURCE: ["b", "c"], Index.TARGET: ["a"]}
    assert uniform(Index.TARGET, 2, 2).idle("abc", pairs) == {Index.TARGET: ["a"]}
    assert not any(paper(2, 2).idle("ab", [Direction("a", "b"), Direction("b", "a")]).values())


def test_adapters_that_no_sentence_selects_are_left_out_of_pools_and_measures(estimated):
    _, result = estimated
    layers = {}
    for matrix in result.pruned.matrices("B"):
        layers.setdefault(matrix.language, set()).add(str(matrix.site.layer))
    assert layers == {"qta": ENCODER, "qso": DECODER, "qki": DECODER, "qka": DECODER}
    spectra = {(each.site.layer.stack, each.language) for each in result.spectra.spectra()}
    assert spectra == {(Stack.ENCODER, "qta"), *((Stack.DECODER, code) for code in ("qso", "qki", "qka"))}
    for layer in ENCODER | DECODER:
        pool = [each for each in result.pruned.matrices("B") if str(each.site.layer) == layer]
        assert sum(each.pruned for each in pool) == round(0.7 * sum(each.size for each in pool))


def test_what_is_left_out_gives_a_language_neither_more_nor_less(estimated):
    """The one source kept everything before, since in its layers only zeros of others were pruned."""
    _, result = estimated
    kept, size = dict.fromkeys(result.scores, 0), dict.fromkeys(result.scores, 0)
    for matrix in result.pruned.matrices("B"):
        kept[matrix.language] += matrix.size - matrix.pruned
        size[matrix.language] += matrix.size
    shares = {code: kept[code] / size[code] for code in kept}
    assert shares["qta"] == pytest.approx(0.3, abs=0.01)  # compared with no other
    assert sum(shares[code] for code in ("qso", "qki", "qka")) == pytest.approx(0.9, abs=0.01)


def test_the_gain_of_a_language_is_measured_on_the_side_that_it_was_trained_on(estimated):
    stage, result = estimated
    model = stage.base.model
    adapters = [site_module(model, site).adapter for site in model_sites(model, SiteSet.ALL)]
    loss = stage.dev_loss(adapters[0].route, [each for each in stage.directions if each.tgt == "qka"])
    with_adapter = loss.measure()
    for adapter in adapters:
        adapter.matrices(stage.codes.index("qka"))["B"].zero_()
    assert result.gains["qka"] == pytest.approx(loss.measure() - with_adapter, abs=1e-6)


def test_notes_name_what_is_left_out_also_in_a_plan(new_experiment, heard):
    said = [
        "the adapters of qso, qki, qka stay untrained in the 2 layers that the source selects: no sentence "
        "pair to train on has these languages as its source; the estimate leaves these adapters out and "
        "compares qta with no other there",
        "the adapters of qta stay untrained in the 2 layers that the target selects: no sentence pair to "
        "train on has these languages as its target; the estimate leaves these adapters out",
    ]
    tasks.estimate_subspace(new_experiment(**ONE_WAY), on_event=heard)
    assert [note for note in heard.notes if "stay untrained" in note] == said
    planned = tasks.plan(new_experiment(**ONE_WAY), "estimate-subspace").facts
    assert [text for name, text in planned if name == "note" and "untrained" in text] == said


def test_training_names_the_adapters_that_it_does_not_train(new_experiment, heard):
    later = {"fit.epochs": 4, "train.gps_start": 2, "train.gps": 0.5}
    tasks.train(new_experiment(**ONE_WAY, **later, **{"train.ranks": "2,2,2"}), on_event=heard)
    named = [note.partition(" stay untrained")[0] for note in heard.notes if "stay untrained" in note]
    assert named == ["the adapters of qso, qki, qka", "the adapters of qta"]
    assert not any("the estimate" in note or "ranks zeros" in note for note in heard.notes)
    heard.clear()
    tasks.train(new_experiment(**{"train.ranks": "2,2,2"}), on_event=heard)
    assert not any("stay untrained" in note for note in heard.notes)


def test_a_language_that_no_layer_selects_is_refused_before_training(new_experiment, heard):
    """The only source, where the target selects everywhere."""
    by_target = {"estimate_subspace.index": "target", "train.index": "target", "train.ranks": "2,2,2"}
    commands = {"estimate-subspace": tasks.estimate_subspace, "train": tasks.train}
    message = "no layer selects the adapters of qta: no sentence pair .* as its target"
    for name, command in commands.items():
        with pytest.raises(UsageError, match=message) as error:
            command(new_experiment(**ONE_WAY, **by_target), on_event=heard)
        assert "--directions" in error.value.hint
        with pytest.raises(UsageError, match=message):
            tasks.plan(new_experiment(**ONE_WAY, **by_target), name)
    assert not heard.tasks


def test_an_estimate_of_one_way_text_is_reported_and_gives_ranks(new_experiment):
    tasks.estimate_subspace(new_experiment(**ONE_WAY))
    report = tasks.prune_report(new_experiment(**ONE_WAY)).artifact.result
    encoder = [row for row in report.correlations if row.stack == "encoder"]
    assert encoder and all(row.n < 3 and row.pearson is None for row in encoder)
    assert {row.n for row in report.correlations if row.stack == "decoder"} == {3}
    run = tasks.train(new_experiment(**ONE_WAY, **{"train.ranks": "auto"})).artifact.result
    assert sum(run.ranks.values()) == 16
