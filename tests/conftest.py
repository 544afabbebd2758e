"""What holds for every test: no network, one thread, and no settings of the machine it runs on."""

import os

# Set before anything is imported, since libraries read their environment once; subprocesses inherit it.
os.environ |= {
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "MPLBACKEND": "agg",
}
for variable in ("LSLO_RECIPE", "LSLO_MODEL", "LSLO_DATA", "LSLO_RESULTS", "NO_COLOR", "FORCE_COLOR"):
    os.environ.pop(variable, None)

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests marked ``gpu`` where torch sees no CUDA device."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="torch sees no CUDA device"))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory):
    """Text of four languages of the built-in world, a base model trained on it for seconds, and recipes."""
    from types import SimpleNamespace

    from lslo_cli import pipeline
    from lslo_cli.recipe import resolve
    from lslo_cli.world import write_world

    folder = tmp_path_factory.mktemp("tiny")
    text, base = folder / "text", folder / "base"
    write_world(text, ["train", "test"], rows=80)
    settings = {
        "name": "tiny",
        "langs": "qta,qso,qki,qka",
        "model.name": str(base),
        "data.path": str(text),
        "data.train": "train",
        "data.test": "test",
        "data.train_rows": 6,
        "data.test_rows": 3,
        "fit.epochs": 3,
        "fit.lr": 0.02,
        "fit.max_tokens": 600,
        "fit.accumulate": 1,
        "estimate_subspace.start_epoch": 1,
        "estimate_subspace.duration": 2,
        "train.gps_start": 1,
        "train.gps_duration": 2,
        "evaluate.beam": 2,
        "evaluate.max_new_tokens": 14,
        "evaluate.metric_model": "base",
        "base.vocabulary": 200,
        "base.encoder_layers": 2,
        "base.decoder_layers": 2,
        "base.d_model": 16,
        "base.ffn_dim": 24,
        "base.heads": 2,
        "base.dropout": 0.0,
        "base.epochs": 2,
        "base.updates": 60,
        "base.lr": 0.02,
        "base.warmup": 20,
        "base.max_tokens": 600,
        "base.held_out": 5,
        "base.dtype": "float32",
        "run.device": "cpu",
        "run.threads": 1,
    }

    def recipe(**changes):
        """The tiny recipe with other values, by dotted key: ``recipe(**{"train.gps": 0.9})``."""
        return resolve(None, {**settings, **changes})

    pipeline.train_base(recipe(), base, "lslo base train")
    return SimpleNamespace(folder=folder, text=text, base=base, recipe=recipe)
