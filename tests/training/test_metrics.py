"""The log of a training run: its lines, that each is there once, and what a tracker is told."""

import json
from types import SimpleNamespace

import pytest
import torch
from accelerate import Accelerator
from accelerate.tracking import LOGGER_TYPE_TO_CLASS

from lslo_cli.errors import InputError, RunError, UsageError
from lslo_cli.method.importance import PrunedMatrix
from lslo_cli.method.languages import Language, Resource
from lslo_cli.method.sites import Site
from lslo_cli.recipe import Tracker, resolve
from lslo_cli.training import trackers
from lslo_cli.training.checkpoint import TrainingCheckpoint
from lslo_cli.training.device import Machine
from lslo_cli.training.metrics import MetricsLog, logged
from lslo_cli.training.optimisation import Optimisation
from lslo_cli.training.pruning import sparsity_by_class
from lslo_cli.training.trackers import RunTracker, check_tracker
from lslo_cli.training.trainer import READ_EVERY, Callback, Trainer

SETTINGS = Optimisation(
    epochs=3, lr=0.1, warmup=2, beta1=0.9, beta2=0.98, clip_norm=0.0, label_smoothing=0.0, accumulate=1
)
UPDATES = 2
"""In every epoch."""


class Batch:
    """Two numbers, counted as five tokens."""

    tokens, size = 2, 5

    def to(self, device):
        return self


class Batches:
    def batches(self, epoch):
        return [Batch()] * UPDATES

    def updates(self, epoch, accumulate):
        yield from ([batch] for batch in self.batches(epoch))


class Line(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.ones(1))

    def forward(self, batch):
        return (self.w**2 * 2).sum()


class Dev(Callback):
    """Measures the number of the epoch; after ``last`` epochs it is interrupted, before a checkpoint."""

    def __init__(self, last=None):
        self.last = last
        self.found = {}

    def after_epoch(self, epoch):
        if epoch == self.last:
            raise KeyboardInterrupt
        self.found = {"dev/loss": float(epoch)}

    def metrics(self):
        return self.found


def fit(folder, dev=None, tracker=None, resume=False):
    """A run that logs to ``folder``, with what it left on the disk when it was interrupted."""
    model, dev, accelerator = Line(), dev or Dev(), Accelerator(cpu=True)
    log = MetricsLog(folder / "metrics.jsonl", [dev], accelerator.device, tracker)
    run = Trainer(
        model,
        [model.w],
        Batches(),
        SETTINGS,
        accelerator,
        seed=1,
        callbacks=[dev, log],
        checkpoint=TrainingCheckpoint(folder, str, Machine(1, 1)),
    )
    try:
        run.run(resume)
    except KeyboardInterrupt:
        assert dev.last
    return run


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def places(folder):
    """Epoch and update of every line, and whether it has a loss or a measurement."""
    return [(line["epoch"], line["update"], "loss" if "loss" in line else "dev") for line in lines(folder)]


WHOLE = [
    *[(1, 1, "loss"), (1, 2, "loss"), (1, 2, "dev")],
    *[(2, 3, "loss"), (2, 4, "loss"), (2, 4, "dev")],
    *[(3, 5, "loss"), (3, 6, "loss"), (3, 6, "dev")],
]


def test_a_line_for_every_update_and_for_every_epoch(tmp_path):
    run = fit(tmp_path)
    assert places(tmp_path) == WHOLE
    first, second, measured = lines(tmp_path)[:3]
    assert measured == {"epoch": 1, "update": 2, "dev/loss": 1.0}
    assert first["loss"] == 1.0  # twice 1, over two tokens
    assert [first["learning_rate"], second["learning_rate"]] == [0.0, 0.05]
    assert first["tokens_per_second"] > 0 and first["memory_gib"] > 0
    assert (first["loss"] + second["loss"]) / 2 == pytest.approx(run.history[0].loss)


def test_where_the_loss_is_read_now_and_then_a_line_is_for_several_updates(tmp_path, monkeypatch):
    monkeypatch.setitem(READ_EVERY, "cpu", 10)
    fit(tmp_path)
    assert places(tmp_path)[:2] == [(1, 2, "loss"), (1, 2, "dev")]


@pytest.mark.parametrize("last", [1, 2, 3])
def test_after_an_interruption_every_line_is_there_once(tmp_path, last):
    fit(tmp_path, Dev(last))
    assert len(lines(tmp_path)) == 3 * last - 1
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 9, "upd')  # a killed process may leave half a line
    fit(tmp_path, resume=True)
    assert places(tmp_path) == WHOLE


def test_a_run_that_begins_anew_forgets_the_lines_of_another(tmp_path):
    fit(tmp_path)
    fit(tmp_path, Dev(1))
    assert places(tmp_path) == WHOLE[:2]


@pytest.mark.parametrize("content", [None, "", "{}\n", "no JSON\n", b"\xff\n"])
def test_a_log_that_was_lost_or_damaged_is_that_of_the_run_again(tmp_path, content):
    fit(tmp_path, Dev(2))
    log = tmp_path / "metrics.jsonl"
    log.unlink() if content is None else log.write_bytes(
        content if isinstance(content, bytes) else content.encode()
    )
    fit(tmp_path, resume=True)
    assert places(tmp_path) == WHOLE


def test_a_resumed_run_has_no_line_of_an_attempt_that_began_anew_meanwhile(tmp_path):
    fit(tmp_path, Dev(3))
    before = lines(tmp_path)
    fit(tmp_path, Dev(1))  # stopped in its first epoch, so the checkpoint is still that of the first attempt
    assert places(tmp_path) == WHOLE[:2]
    fit(tmp_path, resume=True)
    assert places(tmp_path) == WHOLE
    assert lines(tmp_path)[:6] == before[:6]


def test_a_line_can_be_read_as_soon_as_it_is_written(tmp_path):
    class Reader(Callback):
        def on_progress(self, progress):
            seen.append(len(lines(tmp_path)))

    seen, model, accelerator = [], Line(), Accelerator(cpu=True)
    log = MetricsLog(tmp_path / "metrics.jsonl", [], accelerator.device)
    Trainer(model, [model.w], Batches(), SETTINGS, accelerator, 1, callbacks=[log, Reader()]).run()
    assert seen == [1, 2, 3, 4, 5, 6]


def test_a_measurement_that_is_not_finite_is_null(tmp_path):
    dev = Dev()
    dev.after_epoch = lambda epoch: dev.found.update({"dev/loss": float("nan")})
    fit(tmp_path, dev)
    assert lines(tmp_path)[2] == {"epoch": 1, "update": 2, "dev/loss": None}


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(InputError, match=r"metrics\.jsonl"):
        fit(tmp_path)


def test_only_the_main_process_logs(tmp_path):
    other = SimpleNamespace(is_main_process=False, device=torch.device("cpu"))
    dev = Dev()
    *kept, silent = logged([dev], tmp_path / "metrics.jsonl", resolve(), "run", other)
    assert kept == [dev] and type(silent) is Callback and silent.state_dict() == {}


# Trackers


class Fake:
    """A tracker as accelerate has them. What it was told stays with the class, as with a service."""

    told: list

    def __init__(self, **opened):
        Fake.opened.append(opened)

    def start(self):
        self.tracker = SimpleNamespace(
            id="an id", log_dir="a folder", info=SimpleNamespace(run_id="a run's id")
        )

    def store_init_configuration(self, values):
        Fake.settings.append(values)

    def log(self, values, step):
        Fake.told.append((step, values))

    def finish(self):
        Fake.finished += 1


@pytest.fixture
def fake(monkeypatch):
    Fake.opened, Fake.settings, Fake.told, Fake.finished = [], [], [], 0
    for name in Tracker:
        monkeypatch.setitem(LOGGER_TYPE_TO_CLASS, str(name), Fake)
    return Fake


def tracker(folder, name=Tracker.WANDB):
    return RunTracker(name, "demo", "2-2-8, seed 2", {"fit.lr": 0.1}, folder)


def test_a_tracker_is_told_what_the_file_says(tmp_path, fake):
    fit(tmp_path, tracker=tracker(tmp_path))
    assert fake.told == [
        (line["update"], {name: value for name, value in line.items() if name != "update"})
        for line in lines(tmp_path)
    ]
    assert fake.settings == [{"fit.lr": 0.1}] and fake.finished == 1


@pytest.mark.parametrize("last", [1, 2, 3])
def test_a_tracker_is_told_every_line_once_whatever_is_interrupted(tmp_path, fake, last):
    fit(tmp_path, Dev(last), tracker(tmp_path))
    fit(tmp_path, tracker=tracker(tmp_path), resume=last > 1)  # nothing to resume before the first checkpoint
    steps = [step for step, _ in fake.told]
    begun_anew = [1, 2] if last == 1 else []
    assert steps == begun_anew + [update for _, update, _ in WHOLE]
    assert len(fake.settings) == (2 if last == 1 else 1)
    assert fake.finished == 2


def test_a_tracker_is_not_told_again_what_another_attempt_has_taken_from_the_file(tmp_path, fake):
    fit(tmp_path, Dev(3), tracker(tmp_path))
    fit(tmp_path, Dev(1))
    fake.told.clear()
    fit(tmp_path, tracker=tracker(tmp_path), resume=True)
    assert [step for step, _ in fake.told] == [5, 6, 6]


def test_a_tracker_that_comes_in_at_a_resumption_is_told_all(tmp_path, fake):
    fit(tmp_path, Dev(2))
    fit(tmp_path, tracker=tracker(tmp_path), resume=True)
    assert [step for step, _ in fake.told] == [update for _, update, _ in WHOLE]


@pytest.mark.parametrize(
    ("name", "first", "then"),
    [
        (Tracker.WANDB, {"run_name": "demo", "name": "2-2-8, seed 2"}, {"id": "an id", "resume": "allow"}),
        (
            Tracker.MLFLOW,
            {"experiment_name": "demo", "run_name": "2-2-8, seed 2", "run_id": None},
            {"run_id": "a run's id"},
        ),
        (Tracker.TENSORBOARD, {"run_name": "tensorboard"}, {}),
    ],
)
def test_a_resumed_run_is_the_same_run_in_the_tracker(tmp_path, fake, name, first, then):
    fit(tmp_path, Dev(2), tracker(tmp_path, name))
    fit(tmp_path, tracker=tracker(tmp_path, name), resume=True)
    assert fake.opened[0].items() >= first.items()
    assert fake.opened[1].items() >= {**first, **then}.items()


@pytest.mark.parametrize(("part", "kind"), [("start", UsageError), ("log", RunError), ("finish", RunError)])
def test_a_tracker_that_fails_is_named_with_its_own_words(tmp_path, fake, monkeypatch, part, kind):
    def fail(*arguments, **given):
        raise ValueError("no API key:\nlog in")

    monkeypatch.setattr(fake, part, fail)
    with pytest.raises(kind) as caught:
        fit(tmp_path, tracker=tracker(tmp_path))
    assert caught.value.message == "--track wandb: no API key: log in"
    assert "leave out --track" in caught.value.hint
    assert fake.finished == (part == "log")  # what has not begun has no end


def test_tensorboard_files_lie_beside_the_log_and_those_of_an_earlier_run_go(tmp_path, fake):
    (tmp_path / "tensorboard").mkdir()
    (tmp_path / "tensorboard" / "events.of.another.run").touch()
    fit(tmp_path, tracker=tracker(tmp_path, Tracker.TENSORBOARD))
    assert fake.opened[0]["logging_dir"] == tmp_path
    assert not (tmp_path / "tensorboard").exists()


def test_the_real_tensorboard_has_each_point_once(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    fit(tmp_path, Dev(2), tracker(tmp_path, Tracker.TENSORBOARD))
    fit(tmp_path, tracker=tracker(tmp_path, Tracker.TENSORBOARD), resume=True)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("loss")] == [1, 2, 3, 4, 5, 6]
    assert [event.value for event in events.Scalars("dev/loss")] == [1.0, 2.0, 3.0]


def test_a_tracker_gets_the_settings_by_key(tmp_path, fake):
    accelerator = Accelerator(cpu=True)
    recipe = resolve(given={"run.track": "wandb", "name": "mine"})
    (log,) = logged([], tmp_path / "metrics.jsonl", recipe, "2-2-8", accelerator)
    settings = log._tracker.settings
    assert settings["fit.lr"] == 0.003 and settings["train.gps_classes"] == "high,medium"
    assert "fit.max_tokens" in settings and "train.ranks" not in settings
    assert log._tracker.experiment == "mine"


@pytest.mark.parametrize("name", Tracker)
def test_a_package_that_is_missing_is_named_with_the_line_that_installs_it(monkeypatch, name):
    monkeypatch.setattr(trackers, "find_spec", lambda package: None)
    with pytest.raises(UsageError, match=f"--track {name} needs the package {name}") as caught:
        check_tracker(name)
    assert f"pip install 'lslo[{name}]'" in caught.value.hint
    check_tracker(None)


def test_every_tracker_is_one_of_accelerates_and_an_extra():
    import tomllib
    from pathlib import Path

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert {*Tracker} == {*trackers.PACKAGES} == {*trackers.SERVICES}
    assert {*map(str, Tracker)} <= {*LOGGER_TYPE_TO_CLASS} & {*project["optional-dependencies"]}


def test_sparsity_is_over_all_entries_of_a_class():
    site = Site.parse("encoder.1.q")
    languages = [Language(code, Resource.HIGH, "") for code in ("en", "fr")]
    matrices = [
        PrunedMatrix(site, "en", 3, 4),
        PrunedMatrix(site, "fr", 0, 8),
        PrunedMatrix(site, "shared", 1, 2),
    ]
    assert sparsity_by_class(matrices, languages) == {"high": 0.25, "shared": 0.5}
