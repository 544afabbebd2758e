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

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Server:
    """A web server on this machine with one file, that can be told to misbehave."""

    def __init__(self, port: int):
        self.url = f"http://127.0.0.1:{port}/data.tar.gz"
        self.content = b""
        self.cut: int | None = None
        """Bytes of the file after which the connection ends."""
        self.resets = False
        self.knows_ranges = True
        self.tells_length = True
        self.ranges: list[str | None] = []
        """What was asked for."""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range")
        self.ranges.append(asked)
        if request.path != "/data.tar.gz":
            return request.send_error(404)
        size = len(self.content)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.knows_ranges else 0
        if start and start >= size:
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{size}")
            return request.end_headers()
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        if self.tells_length:
            request.send_header("Content-Length", str(size - start))
        request.end_headers()
        request.wfile.write(self.content[start : self.cut])
        if self.resets:  # closing with nothing lingering sends a reset instead of an end
            request.wfile.flush()
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.connection.close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A :class:`Server`, with no proxy before it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(OSError):
                server.answer(self)

        def log_message(self, *arguments: object) -> None: ...

    monkeypatch.setenv("no_proxy", "*")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server = Server(http.server_port)
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        http.shutdown()


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
