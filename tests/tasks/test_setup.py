import pytest
import torch

from lslo_cli.data.text import read_corpus
from lslo_cli.errors import InputError, UsageError
from lslo_cli.events import Warned, ignore
from lslo_cli.method.strategy import paper
from lslo_cli.tasks.estimate_subspace import estimate
from lslo_cli.tasks.setup import prepare
from lslo_cli.training.device import StageAccelerator, open_device
from lslo_cli.training.optimisation import Optimisation


def test_a_stage_knows_its_languages_their_directions_and_its_base_model(setup, tiny):
    stage = setup()
    assert stage.codes == ("qta", "qso", "qki", "qka")
    assert len(stage.directions) == 12
    identity = stage.model_identity
    assert identity.name == str(tiny.base)
    assert (identity.encoder_layers, identity.decoder_layers, identity.d_model) == (2, 2, 16)
    assert (
        identity.shape.parameters
        == identity.parameters
        == sum(p.numel() for p in stage.base.model.parameters())
    )


def test_text_that_is_read_for_the_artifact_leaves_its_identity(setup, tiny):
    stage = setup()
    corpus = stage.corpus("train", 12)
    (identity,) = stage.data
    assert (identity.path, identity.split) == (str(tiny.text), "train")
    assert (identity.rows, identity.limit, identity.examples) == (12, 12, 12 * 12)
    assert identity.digest == corpus.digest == stage.read("train", 12).digest != stage.read("train").digest
    assert len(stage.data) == 1  # reading alone leaves none


def test_the_world_is_read_by_name_in_the_order_of_the_languages():
    corpus = read_corpus("world", ("qka", "qta"), "test")
    assert corpus.languages == ("qka", "qta")


def test_a_language_that_the_world_does_not_have_is_named():
    with pytest.raises(UsageError, match="the built-in world has no language 'de'") as error:
        read_corpus("world", ("qta", "de"), "test")
    assert "--data" in error.value.hint


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"langs": "qta,qsoo"}, UsageError, "qsoo"),
        ({"langs": "qta,en"}, InputError, "no token for en"),
        ({"model.name": "/nowhere/at/all"}, InputError, "/nowhere/at/all"),
        ({"run.device": "tpu"}, UsageError, "'run.device' cannot be 'tpu': input should be 'auto'"),
        ({"run.precision": "fp16"}, UsageError, "fp16 needs a CUDA device"),
    ],
)
def test_what_cannot_be_prepared_is_refused(setup, changes, error, message):
    with pytest.raises(error, match=message):
        setup(**changes)


def test_cuda_is_refused_where_there_is_none(tiny, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="no CUDA device"):
        open_device(tiny.recipe(**{"run.device": "cuda"}))


def test_tf32_is_for_cuda_and_for_the_stage_that_asks_for_it(tiny, monkeypatch):
    open_device(tiny.recipe(**{"run.tf32": True}))
    assert torch.get_float32_matmul_precision() == "highest"  # on a CPU
    monkeypatch.setattr(StageAccelerator, "device", torch.device("cuda"))
    asking = open_device(tiny.recipe(**{"run.tf32": True}))
    assert torch.get_float32_matmul_precision() == "high"
    open_device(tiny.recipe())
    assert torch.get_float32_matmul_precision() == "highest"
    asking.enter()
    assert torch.get_float32_matmul_precision() == "high"
    monkeypatch.undo()
    open_device(tiny.recipe())


def test_sentences_that_are_too_long_are_counted_in_a_note(setup):
    notes = []
    batches = setup(notes.append, **{"data.max_length": 22, "data.train_rows": 40}).training_batches()
    assert batches.skipped > 0
    assert notes == [Warned(f"left out {batches.skipped} sentence pairs longer than 22 tokens")]


def test_a_seed_is_set_for_whatever_the_stage_draws_first(setup):
    draws = []
    for seed in (5, 5, 6):
        setup(**{"seed": seed})
        draws.append(torch.rand(1).item())
    assert draws[0] == draws[1] != draws[2]


def test_only_the_main_process_writes_and_listens(tiny, monkeypatch):
    class Second:
        is_main_process = False
        device = torch.device("cpu")
        mixed_precision = "no"
        waits = 0

        def wait_for_everyone(self):
            self.waits += 1

    monkeypatch.setattr("lslo_cli.tasks.setup.open_device", lambda recipe: Second())
    stage = prepare(tiny.recipe(), on_event=print)
    stage.on_main(lambda: pytest.fail("this is not the main process"))
    assert stage.accelerator.waits == 2
    assert stage.on_event is ignore


def test_the_main_process_writes_between_two_meetings(setup):
    stage, written = setup(), []
    stage.on_main(lambda: written.append(1))
    assert written == [1]


def test_training_uses_the_recipes_dropout(setup):
    stage = setup(**{"fit.dropout": 0.3, "fit.attention_dropout": 0.2, "fit.activation_dropout": 0.1})
    parameters = list(stage.base.model.parameters())
    stage.fit(
        parameters,
        stage.training_batches(),
        Optimisation.of(stage.recipe.fit, epochs=1, lr=0.1),
        task="toy",
        route=None,
        callbacks=(),
    )
    layer = stage.base.model.model.decoder.layers[0]
    assert (layer.dropout, layer.self_attn.dropout, layer.activation_dropout) == (0.3, 0.2, 0.1)


def test_an_epoch_has_every_pair_of_every_direction_once(setup):
    """Equal sizes make the sampling temperature irrelevant."""
    batches = setup().training_batches()
    assert sum(len(batch) for batch in batches.batches(1)) == 12 * 6


def test_shared_sources_train_to_the_same_losses(setup):
    without_dropout = {"fit.dropout": 0.0, "fit.attention_dropout": 0.0}
    plain, shared = (
        estimate(setup(**without_dropout, **{"run.share_sources": share}), paper(2, 2)).history
        for share in (False, True)
    )
    assert [epoch.loss for epoch in shared] == pytest.approx([epoch.loss for epoch in plain], rel=1e-5)


def test_recomputed_activations_train_to_the_same_losses_whatever_is_shared(setup):
    for share in (False, True):
        kept, again = (
            estimate(setup(**{"run.share_sources": share, "run.recompute": recompute}), paper(2, 2)).history
            for recompute in (False, True)
        )
        assert [epoch.loss for epoch in again] == [epoch.loss for epoch in kept]
