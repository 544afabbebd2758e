"""The training loop on a model of a few thousand parameters.

Run as a script by torchrun, this file trains once and saves what came out: see the last tests.
"""

import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from transformers import M2M100Config, M2M100ForConditionalGeneration, get_inverse_sqrt_schedule

from lslo_cli.errors import InputError, RunError
from lslo_cli.events import Advanced, Finished, Noted, Started
from lslo_cli.method.ranks import RankMap
from lslo_cli.method.schedule import GradualPruning
from lslo_cli.method.strategy import paper
from lslo_cli.nn.attach import attach
from lslo_cli.nn.loss import IGNORED, TranslationLoss
from lslo_cli.nn.pruning import gradual_pruner
from lslo_cli.training.batches import Batch
from lslo_cli.training.checkpoint import CheckpointError, OtherMachineError, TrainingCheckpoint
from lslo_cli.training.device import Machine
from lslo_cli.training.optimisation import Optimisation, inverse_sqrt
from lslo_cli.training.prefetch import made_ahead
from lslo_cli.training.pruning import PruneGradually
from lslo_cli.training.trainer import READ_EVERY, Callback, Trainer
from tests.adapters import ADAPTERS
from tests.forked import run_ranks

HERE = Machine(1, 1)
LANGUAGES = ("en", "de", "wo")
SETTINGS = Optimisation(
    epochs=4, lr=0.01, warmup=2, beta1=0.9, beta2=0.98, clip_norm=0.0, label_smoothing=0.1, accumulate=2
)


def make_batch(rows, seed, languages=3):
    """Random sentences of random lengths in random directions."""
    random = torch.Generator().manual_seed(seed)

    def draw(low, high, *size):
        return torch.randint(low, high, size, generator=random)

    source, target = draw(3, 8, rows), draw(2, 7, rows)
    mask = torch.arange(8) < source[:, None]
    real = torch.arange(7) < target[:, None]
    return Batch(
        draw(4, 30, rows, 8).masked_fill(~mask, 1),
        mask.long(),
        draw(4, 30, rows, 7).masked_fill(~real, IGNORED),
        draw(0, languages, rows),
        draw(0, languages, rows),
        tokens=int(real.sum()),
    )


def joined(batches):
    """Several batches as one."""
    columns = zip(*(list(vars(batch).values())[:-1] for batch in batches), strict=True)
    return Batch(*map(torch.cat, columns), tokens=sum(batch.tokens for batch in batches))


class Epochs:
    """The same batches every epoch, in another order."""

    def __init__(self, batches):
        self._batches = batches

    def batches(self, epoch):
        return self._batches[epoch % 2 :] + self._batches[: epoch % 2]

    def updates(self, epoch, accumulate):
        batches = self.batches(epoch)
        for start in range(0, len(batches), accumulate):
            yield batches[start : start + accumulate]


BATCHES = [make_batch(rows, seed) for seed, rows in enumerate((3, 5, 2, 4, 1))]


def make_model(dropout=0.0):
    config = M2M100Config(
        vocab_size=30,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_ffn_dim=24,
        decoder_ffn_dim=24,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        dropout=dropout,
        attention_dropout=dropout,
        encoder_layerdrop=0.0,
        decoder_layerdrop=0.0,
    )
    torch.manual_seed(3)
    return M2M100ForConditionalGeneration(config)


def make_fit(settings=SETTINGS, batches=BATCHES, dropout=0.0, gps=0.0, scaler=None, **rest):
    """A run that trains adapters; their weights are ``fit.parameters``."""
    model = make_model(dropout)
    adapters = attach(model, paper(1, 1), RankMap({"en": 2, "de": 2, "wo": 3}), LANGUAGES, ADAPTERS)
    pruner = gradual_pruner(adapters, ["en", "de"])
    pruning = PruneGradually(pruner, GradualPruning(gps, 1, 2, settings.epochs))
    rest["callbacks"] = [pruning, *rest.get("callbacks", ())]
    AcceleratorState._reset_state()  # another test's precision may still be there: it is kept for the process
    accelerator = Accelerator(cpu=True)
    accelerator.scaler = scaler
    return Trainer(
        TranslationLoss(model, settings.label_smoothing),
        adapters.parameters(),
        Epochs(batches),
        settings,
        accelerator,
        7,
        adapters.route,
        **rest,
    )


def checkpoint_of(run, folder, kind=TrainingCheckpoint, machine=HERE):
    """The checkpoint of a run, which a name stands for."""
    return kind(folder, lambda on: f"{run} {on}", machine)


def weights(fit):
    return [parameter.detach().clone() for parameter in fit.parameters]


def gradients_of(fit):
    """Run, and return the gradients that each update saw."""
    seen = []
    fit.optimizer.optimizer.register_step_pre_hook(
        lambda optimizer, args, kwargs: seen.append([p.grad.clone() for p in fit.parameters])
    )
    fit.run()
    return seen


def assert_close(got, wanted, atol):
    assert len(got) == len(wanted)
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=atol)


def assert_equal(got, wanted):
    assert len(got) == len(wanted)
    assert all(torch.equal(one, other) for one, other in zip(got, wanted, strict=True))


# The schedule


@pytest.mark.parametrize("warmup", [1, 4, 400])
def test_the_learning_rate_is_transformers_inverse_square_root(warmup):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=3e-3)
    reference = get_inverse_sqrt_schedule(optimizer, warmup)
    for step in range(1000):
        assert 3e-3 * inverse_sqrt(step, warmup) == pytest.approx(reference.get_last_lr()[0], rel=1e-12)
        optimizer.step()
        reference.step()


def test_with_one_step_of_warmup_the_first_update_has_no_rate_and_the_second_has_all_of_it():
    rates = [3e-3 * inverse_sqrt(step, 1) for step in range(6)]
    assert rates == pytest.approx([0, 0.003, 0.00212, 0.00173, 0.0015, 0.00134], abs=5e-6)


def test_every_update_is_made_at_the_scheduled_rate():
    fit, rates = make_fit(), []
    fit.optimizer.optimizer.register_step_pre_hook(
        lambda optimizer, args, kwargs: rates.append(optimizer.param_groups[0]["lr"])
    )
    fit.run()
    assert rates == pytest.approx([0.01 * inverse_sqrt(step, 2) for step in range(12)])


# Updates


def test_an_epoch_has_as_many_updates_as_groups_of_batches_and_counts_every_token():
    history = make_fit().run()
    assert [record.epoch for record in history] == [1, 2, 3, 4]
    assert {record.updates for record in history} == {3}  # 2 + 2 + 1 batches
    assert {record.tokens for record in history} == {sum(batch.tokens for batch in BATCHES)}


def test_the_recorded_loss_is_the_mean_over_target_tokens():
    fit = make_fit(replace(SETTINGS, epochs=1, lr=1e-12))  # so the weights stay what they are
    objective = TranslationLoss(fit.objective.model.eval(), 0.1)
    total = 0.0
    for batch in BATCHES:
        with fit.route.of(batch.source_language, batch.target_language), torch.no_grad():
            total += objective(batch).item()
    (record,) = fit.run()
    assert record.loss == pytest.approx(total / sum(batch.tokens for batch in BATCHES), rel=1e-5)


def test_small_batches_make_the_update_of_one_large_batch():
    large = [joined(BATCHES[:2]), joined(BATCHES[2:4]), BATCHES[4]]

    class InOrder(Epochs):
        def batches(self, epoch):
            return self._batches

    settings = replace(SETTINGS, epochs=2)
    small_fit, large_fit = make_fit(settings), make_fit(replace(settings, accumulate=1))
    small_fit.batches, large_fit.batches = InOrder(BATCHES), InOrder(large)
    pairs = zip(gradients_of(small_fit), gradients_of(large_fit), strict=True)
    for got, wanted in pairs:
        assert_close(got, wanted, atol=1e-6)
    assert_close(weights(small_fit), weights(large_fit), atol=1e-4)
    for one, other in zip(small_fit.history, large_fit.history, strict=True):
        assert one.loss == pytest.approx(other.loss, abs=1e-6)


def test_clipping_bounds_the_norm_of_the_gradient_and_zero_means_none():
    norms = {
        clip: [torch.cat([g.flatten() for g in gradients]).norm().item() for gradients in updates]
        for clip in (0.0, 0.001)
        if (updates := gradients_of(make_fit(replace(SETTINGS, clip_norm=clip))))
    }
    assert max(norms[0.001]) <= 0.001 * (1 + 1e-4)
    assert min(norms[0.0]) > 0.001


def test_a_whole_model_can_be_trained_without_a_route():
    model = make_model()
    parameters = list(model.parameters())
    before = [p.detach().clone() for p in parameters]
    objective = TranslationLoss(model, SETTINGS.label_smoothing)
    fit = Trainer(objective, parameters, Epochs(BATCHES), SETTINGS, Accelerator(cpu=True), seed=7)
    history = fit.run()
    assert history[-1].loss < history[0].loss
    assert not any(torch.equal(p, old) for p, old in zip(parameters, before, strict=True) if p.dim() > 1)


def test_the_frozen_base_stays_as_it_is_bit_for_bit():
    fit = make_fit()
    model = fit.objective.model
    frozen = {name: p.clone() for name, p in model.named_parameters() if not p.requires_grad}
    before = weights(fit)
    fit.run()
    assert all(
        torch.equal(p, frozen[name]) for name, p in fit.objective.model.named_parameters() if name in frozen
    )
    assert not any(torch.equal(*pair) for pair in zip(weights(fit), before, strict=True))


def test_a_language_that_is_absent_from_an_update_moves_on_by_its_momentum():
    """As under Adam with a gradient of zero: all languages of a site are one tensor."""
    all_languages, without_wo = make_batch(6, 1), make_batch(6, 2, languages=2)
    seen = []

    class Watch(Callback):
        def after_update(self):
            seen.append(fit.parameters[1][:, 4:].detach().clone())  # the columns of B that belong to wo

    settings = replace(SETTINGS, epochs=1, accumulate=1, warmup=1)
    fit = make_fit(settings, [without_wo, all_languages, all_languages], callbacks=[Watch()])
    fit.run()
    # In epoch 1 the order is all (at a rate of 0), all, without.
    assert not torch.equal(seen[1], seen[2])


def test_the_loss_going_to_infinity_ends_the_run_and_keeps_the_last_good_epoch(tmp_path):
    class Explode(Callback):
        def before_epoch(self, epoch):
            if epoch == 3:
                with torch.no_grad():
                    fit.parameters[1].fill_(torch.inf)

    fit = make_fit(callbacks=[Explode()], checkpoint=checkpoint_of("x", tmp_path), task="training toy")
    with pytest.raises(
        RunError, match="training toy diverged: the loss is nan in epoch 3, update 1"
    ) as error:
        fit.run()
    assert "learning rate, now 0.01" in error.value.hint
    assert len(checkpoint_of("x", tmp_path).load()["history"]) == 2


@pytest.mark.parametrize("every", [2, 3, 100])
def test_reading_the_loss_less_often_changes_no_record_and_no_weight(monkeypatch, every):
    often, seldom = make_fit(dropout=0.2), make_fit(dropout=0.2)
    often.run()
    monkeypatch.setitem(READ_EVERY, "cpu", every)
    assert seldom.run() == often.history
    assert_equal(weights(seldom), weights(often))


def test_a_loss_that_is_read_late_still_names_the_update_that_diverged(monkeypatch):
    class Explode(Callback):
        updates = 0

        def after_update(self):
            self.updates += 1
            if self.updates == 4:
                with torch.no_grad():
                    fit.parameters[1].fill_(torch.inf)

    monkeypatch.setitem(READ_EVERY, "cpu", 100)
    fit = make_fit(callbacks=[Explode()])
    with pytest.raises(RunError, match="the loss is nan in epoch 2, update 2"):
        fit.run()


@pytest.mark.filterwarnings("ignore:Seems like `optimizer.step")  # accelerate wraps it
def test_the_schedule_waits_for_updates_that_overflow_in_fp16():
    """The scaler skips them while it finds its scale."""
    fit = make_fit(scaler=torch.amp.GradScaler("cpu", init_scale=16.0))
    overflowing = fit.parameters[0].register_hook(lambda gradient: gradient * torch.inf)

    class Recover(Callback):
        updates = 0

        def after_update(self):
            self.updates += 1
            if self.updates == 3:
                overflowing.remove()

    fit.callbacks = [Recover()]
    updates = sum(record.updates for record in fit.run())
    (done,) = {float(state["step"]) for state in fit.optimizer.optimizer.state.values()}
    assert fit.accelerator.scaler.get_scale() == 2.0
    assert fit.schedule.last_epoch == done == updates - 3


def test_until_the_loss_has_been_read_progress_is_told_without_it(monkeypatch):
    monkeypatch.setitem(READ_EVERY, "cpu", 2)
    notes = []
    make_fit(
        replace(SETTINGS, epochs=1), on_event=lambda event: notes.append(getattr(event, "note", ""))
    ).run()
    assert notes[1] == "epoch 1/1"
    assert notes[2].startswith("epoch 1/1  loss ") and notes[3] == notes[2]


def test_batches_that_are_made_ahead_train_the_same_weights():
    class Ahead(Epochs):
        def updates(self, epoch, accumulate):
            return made_ahead(super().updates(epoch, accumulate))

    fit, ahead = make_fit(dropout=0.2), make_fit(dropout=0.2)
    ahead.batches = Ahead(BATCHES)
    fit.run()
    assert ahead.run() == fit.history
    assert_equal(weights(ahead), weights(fit))


@pytest.mark.parametrize("error", [KeyboardInterrupt, RunError("diverged", "")])
def test_however_an_epoch_ends_its_batches_are_given_up(error):
    class Watched(Epochs):
        closed = False

        def updates(self, epoch, accumulate):
            try:
                yield from super().updates(epoch, accumulate)
            finally:
                self.closed = True

    class Stop(Callback):
        def after_update(self):
            raise error

    fit = make_fit(callbacks=[Stop()])
    fit.batches = Watched(BATCHES)
    with pytest.raises((KeyboardInterrupt, RunError)):
        fit.run()
    assert fit.batches.closed


# Pruning beside training


def test_pruned_entries_stay_zero_and_the_record_says_how_much_was_asked_for():
    fit = make_fit(gps=0.8)
    history = fit.run()
    assert [record.target_ratio for record in history] == pytest.approx([0, 0.7, 0.8, 0.8])
    lora_A, lora_B = fit.parameters[:2]
    assert int((lora_A[:2] == 0).sum()) == int((lora_A[2:4] == 0).sum()) == round(0.8 * 32)
    assert int((lora_B[:, :2] == 0).sum()) == round(0.8 * 32)
    assert lora_A[4:].all() and lora_B[:, 4:].all()


# Callbacks and events


def test_callbacks_are_called_around_epochs_and_updates_in_order():
    calls = []

    class Recorder(Callback):
        def before_epoch(self, epoch):
            calls.append(f"before {epoch}")

        def after_update(self):
            calls.append("update")

        def after_epoch(self, epoch):
            calls.append(f"after {epoch}")

    make_fit(replace(SETTINGS, epochs=2), callbacks=[Recorder()]).run()
    assert calls == [
        *(["before 1"] + ["update"] * 3 + ["after 1"]),
        *(["before 2"] + ["update"] * 3 + ["after 2"]),
    ]


def test_progress_is_told_in_updates():
    events = []
    make_fit(replace(SETTINGS, epochs=2), task="toy", on_event=events.append).run()
    assert events[0] == Started("toy", 6, "updates", 0)
    assert [event.completed for event in events if isinstance(event, Advanced)] == [1, 2, 3, 4, 5, 6]
    assert events[-1] == Finished("toy", events[-1].note)
    assert events[-2].note.startswith("epoch 2/2  loss ")


# Resuming


class Interrupt(Callback):
    """Stops a run in the middle of an epoch, as Ctrl-C does."""

    def __init__(self, epoch):
        self._epoch = epoch
        self._updates = 0

    def before_epoch(self, epoch):
        self._updates = 0
        self._now = epoch == self._epoch

    def after_update(self):
        self._updates += 1
        if self._now and self._updates == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("epoch", [2, 3, 4])
def test_a_resumed_run_ends_in_the_same_weights_bit_for_bit(tmp_path, epoch):
    settings = {"dropout": 0.3, "gps": 0.8}
    whole = make_fit(**settings)
    expected = whole.run()
    interrupted = make_fit(
        **settings, callbacks=[Interrupt(epoch)], checkpoint=checkpoint_of("same", tmp_path)
    )
    with pytest.raises(KeyboardInterrupt):
        interrupted.run()
    torch.manual_seed(99)  # another process, in another state
    events = []
    resumed = make_fit(
        **settings, callbacks=[Callback()], checkpoint=checkpoint_of("same", tmp_path), on_event=events.append
    )
    assert resumed.run(resume=True) == expected
    assert_equal(weights(resumed), weights(whole))
    assert events[0] == Noted(f"resuming training after epoch {epoch - 1} of 4")
    assert events[1] == Started("training", 12, "updates", 3 * (epoch - 1))


def test_dropout_makes_a_difference_and_so_does_its_seed():
    plain, dropped, other = make_fit(), make_fit(dropout=0.3), make_fit(dropout=0.3)
    other.seed = 8
    ends = [weights(fit) for fit in (plain, dropped, other) if fit.run()]
    assert not torch.equal(ends[0][0], ends[1][0])
    assert not torch.equal(ends[1][0], ends[2][0])


def test_what_was_drawn_before_a_run_does_not_matter():
    first, second = make_fit(dropout=0.3), make_fit(dropout=0.3)
    first.run()
    torch.rand(5)
    second.run()
    assert_equal(weights(first), weights(second))


def test_a_finished_run_is_resumed_without_training_again(tmp_path):
    finished = make_fit(checkpoint=checkpoint_of("same", tmp_path))
    finished.run()
    resumed = make_fit(checkpoint=checkpoint_of("same", tmp_path))
    assert resumed.run(resume=True) == finished.history
    assert_equal(weights(resumed), weights(finished))


def test_with_nothing_to_resume_a_run_starts_from_the_beginning_and_says_so(tmp_path):
    events = []
    fit = make_fit(checkpoint=checkpoint_of("same", tmp_path / "none"), on_event=events.append)
    assert len(fit.run(resume=True)) == 4
    assert events[0] == Noted("no training to resume: starting from the beginning")


def test_without_resume_an_old_checkpoint_is_not_looked_at(tmp_path):
    (tmp_path / "state.pt").write_bytes(b"rubbish")
    fresh, fit = make_fit(), make_fit(checkpoint=checkpoint_of("same", tmp_path))
    fresh.run()
    fit.run()
    assert_equal(weights(fit), weights(fresh))


def test_the_checkpoint_of_another_run_is_refused(tmp_path):
    make_fit(checkpoint=checkpoint_of("one", tmp_path)).run()
    with pytest.raises(InputError, match="state.pt belongs to a run with other settings"):
        make_fit(checkpoint=checkpoint_of("another", tmp_path)).run(resume=True)


def test_of_a_checkpoint_of_another_run_its_machine_and_batches_are_said(tmp_path):
    one, other = (
        TrainingCheckpoint(tmp_path, str, machine, {"accumulate": accumulate})
        for machine, accumulate in ((Machine(2, 1), 2), (Machine(1, 1), 4))
    )
    one.save({"fingerprint": "of the same run"})
    with pytest.raises(InputError, match="made by 2 processes with 1 thread, with fit.accumulate = 2"):
        other.load()


def test_epochs_that_are_trained_already_are_kept_and_named(tmp_path):
    events = []
    make_fit(checkpoint=checkpoint_of("same", tmp_path)).run()
    fewer = make_fit(
        replace(SETTINGS, epochs=2), checkpoint=checkpoint_of("same", tmp_path), on_event=events.append
    )
    assert len(fewer.run(resume=True)) == 4
    assert events[0] == Noted("resuming training after epoch 4, more than the 2 asked for: all are kept")


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (Machine(2, 1), "by 2 processes with 1 thread, .*continue in 2 processes with --threads 1"),
        (Machine(1, 4), "by 1 process with 4 threads, .*continue in 1 process with --threads 4"),
        (Machine(1, None), "by 1 process on a GPU, .*continue in 1 process on a GPU"),
    ],
)
def test_a_checkpoint_of_other_processes_or_threads_is_refused_by_these(tmp_path, there, said):
    make_fit(checkpoint=checkpoint_of("same", tmp_path, machine=there)).run()
    with pytest.raises(OtherMachineError) as refused:
        make_fit(checkpoint=checkpoint_of("same", tmp_path)).run(resume=True)
    assert re.search(said, f"{refused.value.message} {refused.value.hint}")
    with pytest.raises(CheckpointError, match="other settings"):
        make_fit(checkpoint=checkpoint_of("another", tmp_path)).run(resume=True)


def test_a_checkpoint_that_does_not_say_by_what_it_was_written_is_resumed_there(tmp_path):
    checkpoint = checkpoint_of("same", tmp_path)
    finished = make_fit(checkpoint=checkpoint)
    finished.run()
    state = torch.load(checkpoint.path, weights_only=True)
    del state["machine"]  # as it was before it was written
    torch.save(state, checkpoint.path)
    assert make_fit(checkpoint=checkpoint).run(resume=True) == finished.history
    with pytest.raises(CheckpointError, match="other settings"):
        make_fit(checkpoint=checkpoint_of("same", tmp_path, machine=Machine(2, 1))).run(resume=True)


def test_a_checkpoint_of_another_version_is_refused(tmp_path):
    checkpoint = checkpoint_of("same", tmp_path)
    make_fit(checkpoint=checkpoint).run()
    state = torch.load(checkpoint.path, weights_only=True)
    del state["format"]  # as it was before a format was written
    torch.save(state, checkpoint.path)
    with pytest.raises(CheckpointError, match="was written by another version of lslo"):
        make_fit(checkpoint=checkpoint).run(resume=True)


@pytest.mark.parametrize("damage", ["cut", "rubbish", "another file"])
def test_a_damaged_checkpoint_is_refused(tmp_path, damage):
    checkpoint = checkpoint_of("same", tmp_path)
    make_fit(checkpoint=checkpoint).run()
    content = checkpoint.path.read_bytes()
    if damage == "another file":
        torch.save([1, 2], checkpoint.path)
    else:
        checkpoint.path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"rubbish")
    with pytest.raises(InputError, match="state.pt is damaged") as error:
        make_fit(checkpoint=checkpoint).run(resume=True)
    assert "\n" not in error.value.message
    assert "without --resume" in error.value.hint


# Several processes. Five batches, two processes, two batches per process and update: the groups are of four
# and of one, so in the second one process has nothing.

DISTRIBUTED = {"settings": replace(SETTINGS, accumulate=4), "gps": 0.8, "dropout": 0.3}


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    """What two processes made of the same run, each by itself."""
    folder = tmp_path_factory.mktemp("distributed")
    run_ranks([__file__, folder])
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


def test_two_processes_train_as_one_does(two_processes):
    alone = make_fit(**DISTRIBUTED)
    alone.run()
    assert_close(two_processes[0]["weights"], weights(alone), atol=1e-4)
    for record, loss in zip(alone.history, two_processes[0]["losses"], strict=True):
        assert loss == pytest.approx(record.loss, abs=1e-5)
    assert two_processes[0]["updates"] == [record.updates for record in alone.history]


def test_all_processes_end_with_the_same_weights_and_losses(two_processes):
    assert_equal(two_processes[0]["weights"], two_processes[1]["weights"])
    assert two_processes[0]["losses"] == two_processes[1]["losses"]


def test_only_the_main_process_writes_checkpoints(two_processes):
    assert [result["checkpoints"] for result in two_processes] == [4, 0]


def _train_in_this_process(folder):
    class Counting(TrainingCheckpoint):
        saved = 0

        def save(self, state):
            Counting.saved += 1
            super().save(state)

    settings = replace(DISTRIBUTED["settings"], accumulate=2)
    fit = make_fit(
        **{**DISTRIBUTED, "settings": settings},
        checkpoint=checkpoint_of("same", folder / "checkpoint", Counting),
    )
    history = fit.run()
    torch.save(
        {
            "weights": weights(fit),
            "losses": [record.loss for record in history],
            "updates": [record.updates for record in history],
            "checkpoints": Counting.saved,
        },
        folder / f"{fit.accelerator.process_index}.pt",
    )
    fit.accelerator.end_training()
    os._exit(0)  # without Python's end, in which torch's gloo now and then waits for itself for ever


if __name__ == "__main__":
    _train_in_this_process(Path(sys.argv[1]))
