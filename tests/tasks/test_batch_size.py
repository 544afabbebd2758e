import os

import pytest
import torch
from transformers import M2M100Config, M2M100ForConditionalGeneration

from lslo_cli.errors import RunError
from lslo_cli.method.adapters import Span
from lslo_cli.method.memory import BYTES, LOGITS_AT_A_TIME, MARGIN, estimate_memory
from lslo_cli.method.ranks import uniform_ranks
from lslo_cli.method.shapes import ModelShape
from lslo_cli.models.work import Work
from lslo_cli.nn.loss import CHUNK_ENTRIES, TranslationLoss
from lslo_cli.tasks.batch_size import resolve_batch_size
from lslo_cli.training.batches import Batch
from lslo_cli.training.device import free_memory

AUTO = {"fit.max_tokens": "auto", "fit.accumulate": 3, "data.max_length": 60}


@pytest.fixture
def settle(setup, monkeypatch):
    """Settle the batches of the tiny experiment where so many tokens fit, or so many bytes are free."""

    def settle(fitting=None, free=None, on_event=None, **changes):
        stage = setup(on_event, **AUTO, **changes)
        work = Work(1, uniform_ranks(stage.languages, 2), Span.ALL)
        shape = stage.model_identity.shape
        if fitting:
            free = MARGIN * (work.memory(shape, fitting).total - BYTES * shape.parameters)
        monkeypatch.setattr("lslo_cli.tasks.batch_size.free_memory", lambda device: free)
        return resolve_batch_size(stage, work)

    return settle


@pytest.mark.parametrize(
    ("fitting", "max_tokens", "accumulate"),
    [(10**6, 12_000, 1), (12_000, 12_000, 1), (11_999, 6000, 2), (3500, 3000, 4), (100, 93, 128)],
)
def test_an_update_is_cut_into_as_few_batches_as_memory_allows(settle, fitting, max_tokens, accumulate):
    fit = settle(fitting).recipe.fit
    assert (fit.max_tokens, fit.accumulate) == (max_tokens, accumulate)


def test_what_was_chosen_is_told(settle):
    notes = []
    settle(7000, on_event=notes.append)
    (note,) = notes
    assert note.text.startswith("batches of 6,000 tokens, 2 to an update: about ")
    assert note.text.endswith(" that are free")


def test_all_else_in_the_recipe_stays(settle, setup):
    asked, got = setup(**AUTO).recipe, settle(7000).recipe
    chosen = {"max_tokens": 6000, "accumulate": 2}
    assert got.fit == asked.fit.model_copy(update=chosen)
    assert got.model_copy(update={"fit": asked.fit}) == asked


def test_where_not_even_one_long_sentence_fits_the_estimate_is_told(settle):
    with pytest.raises(
        RunError, match=r"not even a batch of 93 tokens fits.*needs about .* and 0.5 MiB are free"
    ):
        settle(free=2**19)


def test_a_number_stays_as_it_is_and_no_memory_is_looked_at(setup, monkeypatch):
    monkeypatch.setattr("lslo_cli.tasks.batch_size.free_memory", lambda device: pytest.fail("not asked for"))
    stage = setup()
    assert resolve_batch_size(stage, Work(1, uniform_ranks(stage.languages, 2), Span.ALL)) is stage


def test_the_free_memory_of_this_machine_is_a_part_of_what_it_has():
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < free_memory(torch.device("cpu")) <= whole


def test_processes_share_the_memory_of_a_machine(monkeypatch):
    alone = free_memory(torch.device("cpu"))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert free_memory(torch.device("cpu")) == pytest.approx(alone / 4, rel=0.2)


def test_the_loss_computes_as_many_logits_at_a_time_as_the_estimate_says():
    assert CHUNK_ENTRIES == LOGITS_AT_A_TIME


def test_what_a_step_keeps_for_backward_is_what_was_estimated():
    config = M2M100Config(
        vocab_size=100,
        d_model=128,
        encoder_layers=2,
        decoder_layers=2,
        encoder_ffn_dim=512,
        decoder_ffn_dim=512,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_layerdrop=0.0,
        decoder_layerdrop=0.0,
    )
    model = M2M100ForConditionalGeneration(config).train()
    ids = torch.randint(4, 100, (40, 30))
    languages = torch.zeros(40, dtype=torch.long)
    batch = Batch(ids, torch.ones_like(ids), ids, languages, languages, tokens=ids.numel())
    held = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = TranslationLoss(model, 0.1)(batch)
    size = sum(storage.nbytes() for address, storage in kept.items() if address not in held)
    size_of_model = model.num_parameters()
    shape = ModelShape(2, 2, 128, 512, 100, size_of_model)
    estimate = estimate_memory(shape, 0, size_of_model, ids.numel())
    assert estimate.activations / MARGIN < size < estimate.activations * MARGIN
    loss.backward()
