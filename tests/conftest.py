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
