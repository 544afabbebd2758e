"""What holds for every test: no network, one thread, and no settings of the machine it runs on."""

from __future__ import annotations

import os

# Set before anything is imported, since libraries read their environment once; subprocesses inherit it.
os.environ |= {
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "MPLBACKEND": "agg",
}
for variable in (
    "LSLO_RECIPE",
    "LSLO_MODEL",
    "LSLO_DATA",
    "LSLO_RESULTS",
    "NO_COLOR",
    "FORCE_COLOR",
    "COLUMNS",
):
    os.environ.pop(variable, None)

import functools
import gc
import importlib.util
import json
import re
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer.main

from lslo_cli.artifacts import store
from lslo_cli.artifacts.provenance import digest_of
from lslo_cli.artifacts.results import (
    CorrelationRow,
    EpochRecord,
    PrunedTable,
    PruneReportResult,
    TensorFile,
    TrainingResult,
)
from lslo_cli.artifacts.schema import (
    Artifact,
    DataIdentity,
    Input,
    LanguageRecord,
    Made,
    ModelIdentity,
    Result,
)
from lslo_cli.method.adapters import Span
from lslo_cli.method.families import SHAPES
from lslo_cli.method.languages import (
    LANG12,
    LANG30,
    LANGUAGES,
    Direction,
    directions,
    grouping,
    resource_classes,
)
from lslo_cli.method.schedule import PAPER_PRUNED
from lslo_cli.paper import printed_correlations, printed_table
from lslo_cli.tasks.translations import digest_of_translations
from tests.scored import scored

# Before anything imports it: the commands are built once a process, as for a user, and not for every line.
typer.main.get_command = functools.cache(typer.main.get_command)


class Server:
    """A web server on this machine, with a file that it can be told to misbehave with."""

    def __init__(self, port: int):
        self.url = f"http://127.0.0.1:{port}/data.tar.gz"
        self.content = b""
        self.files: dict[str, bytes] = {}
        """Other files that it has, by name."""
        self.cut: int | None = None
        """Bytes of the file after which the connection ends."""
        self.resets = False
        self.knows_ranges = True
        self.tells_length = True
        self.version: dict[str, str] = {}
        """The header by which it names the version of the file."""
        self.ranges: list[str | None] = []
        """What was asked for."""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range")
        self.ranges.append(asked)
        if request.headers.get("If-Range") not in (None, *self.version.values()):
            asked = None
        if request.path != "/data.tar.gz" and request.path[1:] not in self.files:
            return request.send_error(404)
        content = self.files.get(request.path[1:], self.content)
        size = len(content)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.knows_ranges else 0
        if start and start >= size:
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{size}")
            return request.end_headers()
        request.send_response(206 if start else 200)
        for name, value in self.version.items():
            request.send_header(name, value)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        if self.tells_length:
            request.send_header("Content-Length", str(size - start))
        request.end_headers()
        request.wfile.write(content[start : self.cut])
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


def pytest_collection_finish() -> None:
    """Leave what was imported out of garbage collections, of which transformers asks for one per model."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests marked ``gpu`` where torch sees no CUDA device, and ``slurm`` outside ``.ci/slurm``.

    A Slurm that happens to be there is others' to use.
    """
    if "LSLO_TEST_SLURM" not in os.environ:
        for item in items:
            if item.get_closest_marker("slurm"):
                item.add_marker(pytest.mark.skip(reason="no Slurm of its own: .ci/slurm starts one"))
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

    from lslo_cli.recipe import resolve
    from lslo_cli.tasks import commands as tasks
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

    tasks.train_base(recipe(), base, "lslo base train")
    return SimpleNamespace(folder=folder, text=text, base=base, recipe=recipe)


class WrittenExperiment:
    """Artifacts of an experiment as the pipeline would leave them, with the scores that a test wants.

    As it comes, it measures what the paper does: M2M-124 615M, lang12, FLORES-101's devtest, its metric.
    """

    def __init__(self, path: Path, seed: int = 2, languages: tuple[str, ...] = LANG12, **replaced: Any):
        self.path, self.seed = path, seed
        self.languages = [LANGUAGES[code] for code in languages]
        shape = SHAPES["m2m-124-615m"]
        self.model: dict[str, Any] = {
            "name": "m2m-124-615m",
            "revision": None,
            "digest": "b" * 64,
            "encoder_layers": shape.encoder_layers,
            "decoder_layers": shape.decoder_layers,
            "d_model": shape.d_model,
            "ffn_dim": shape.ffn_dim,
            "vocab_size": shape.vocab_size,
            "parameters": shape.parameters,
        }
        self.text: dict[str, Any] = {
            "path": "flores101", "split": "devtest", "rows": 1012, "examples": 133_584, "digest": "t" * 64
        }  # fmt: skip
        self.signature = "nrefs:1|case:mixed|eff:no|tok:flores101|smooth:exp|version:2.6.0"
        self.fit: dict[str, Any] = {"epochs": 2, "lr": 0.003}
        vars(self).update(replaced)

    def write(self, relative: str, result: Result, inputs: Sequence[Input] = (), **replaced: Any) -> Path:
        """Write a result as the artifact at ``relative``."""
        fields: dict[str, Any] = {
            "schema_id": f"lslo/{result.kind}",
            "version": result.version,
            "experiment": "lang12",
            "seed": self.seed,
            "languages": [LanguageRecord.of(language) for language in self.languages],
            "recipe": {
                "fit": self.fit,
                "adapters": {"initialisation": "gaussian", "span": "all"},
                "estimate_subspace": {"start_epoch": 2, "duration": 8},
            },
            "inputs": list(inputs),
            "data": [DataIdentity(**self.text)],
            "model": ModelIdentity(**self.model),
            "result": result,
            "digest": digest_of(result.model_dump(mode="json")),
            "made": Made(
                version="0.1.0",
                commit="c0ffee" * 6,
                dirty=False,
                packages={"torch": "2.13.0"},
                python="3.11.7",
                device="cpu, 1 thread",
                command="lslo test",
                started="2026-01-01T00:00:00+00:00",
                seconds=1.0,
            ),
        }
        path = self.path / relative
        store.write(path, Artifact[type(result)](**(fields | replaced)))
        return path

    def evaluation(self, run: str, cells: Mapping[str, float], beam: int = 5, **replaced: Any) -> Path:
        """Evaluate a run: every direction scores what ``cells`` say of its group.

        Its translations are those in its aligned files, if it has any.
        """
        group_of = grouping(self.languages)
        scores = {pair: cells[group_of(pair)] for pair in directions(self.languages)}
        search, texts = {"beam": beam, "mode": "fairseq"}, self._hypotheses(self.path / "runs" / run, scores)
        digest = digest_of_translations(texts)
        result = scored(run, self.languages, scores, self.signature, search=search, hypotheses_digest=digest)
        return self.write(f"runs/{run}/evaluation.json", result, **replaced)

    def _hypotheses(self, run: Path, pairs: Iterable[Direction]) -> dict[Direction, list[str]]:
        """The translations in the aligned files of a run, also written to a file each."""
        if not (run / "aligned").is_dir():
            return {}
        texts: dict[Direction, list[str]] = {pair: [] for pair in pairs}
        (run / "hypotheses").mkdir(exist_ok=True)
        for pair, lines in texts.items():
            aligned = run / "aligned" / f"{pair}.jsonl"
            if aligned.exists():
                rows = map(json.loads, aligned.read_text(encoding="utf-8").split("\n")[:-1])
                lines += [row["hypothesis"] for row in rows if row["hypothesis"] is not None]
            (run / "hypotheses" / f"{pair}.txt").write_text("".join(f"{line}\n" for line in lines), "utf-8")
        return texts

    def training(self, run: str, **replaced: Any) -> Path:
        """Train a run with the settings that its name says; adapters have 22.4M parameters."""
        epochs = [EpochRecord(epoch=number, loss=1.0, updates=1, tokens=1) for number in (1, 2)]
        whole = run.startswith("full")
        side = next((side for side in ("source", "target") if side in run), "learned")
        ranks = re.findall(r"\d+", run.partition("-gps")[0])
        pruned = PAPER_PRUNED if "gps" in run else ()
        ratio, schedule = re.search(r"gps([\d.]+)", run), re.search(r"E(\d)-k(\d)", run)
        fields: dict[str, Any] = {
            "run": run,
            "method": "full" if whole else "lslo",
            "index": {} if whole else {"encoder.1": "target" if side == "target" else "source",
                                       "encoder.12": "source" if side == "source" else "target"},
            "index_source": "" if whole else side,
            "ranks": self._ranks([int(rank) for rank in ranks]),
            "sites": run.partition("-")[0] if run.startswith(("fc", "attn")) else "all",
            "target_ratio": float(ratio[1]) if ratio else 0.0,
            "start_epoch": int(schedule[1]) if schedule else 2,
            "duration": int(schedule[2]) if schedule else 8,
            "pruned_languages": [each.code for each in self.languages if each.resource in pruned],
            "prune_targets": "both",
            "trainable_parameters": 614_990_848 if whole else 22_413_312,
            "trainable_parameters_paper_style": None if whole else 15_335_424,
            "nonzero_parameters": 22_413_312,
            "pruned": PrunedTable(rows=[]),
            "history": epochs,
            "curve": None,
            "weights": TensorFile(path="weights", digest="0"),
            "skipped_sentences": 0,
            "span": Span.ALL,
        }  # fmt: skip
        return self.write(f"runs/{run}/training.json", TrainingResult(**(fields | replaced)))

    def _ranks(self, by_class: Sequence[int]) -> dict[str, int]:
        classes = resource_classes(self.languages)
        if len(by_class) != len(classes):
            return {}
        return {each.code: by_class[classes.index(each.resource)] for each in self.languages}

    def prune_report(self, *correlations: CorrelationRow, inputs: Sequence[Input] = ()) -> Path:
        """Report these correlations, or those that the paper prints."""
        rows = correlations or [
            CorrelationRow(
                stack=table.stack, kind=row.kind, n=11, pearson=row.r, pearson_p=row.p, pearson_log=0.9,
                pearson_log_p=0.0001, spearman=0.8, spearman_p=0.003,
            )
            for table in map(printed_correlations, (9, 10))
            for row in table.rows
        ]  # fmt: skip
        result = PruneReportResult(
            run=None, base_parameters=1, trainable_parameters=None, trainable_parameters_paper_style=None,
            nonzero_parameters=None, sizes=[], scores={}, correlations=list(rows),
        )  # fmt: skip
        return self.write("prune-report.json", result, inputs)

    def table(self, number: int, *, shift: float = 0.0) -> WrittenExperiment:
        """Evaluate every run of a printed table with its scores, and train all but the base.

        Each run's scores are shifted by a trifle more than those of the run before it: if every seed gave the
        same differences, they would show nothing.
        """
        for place, row in enumerate(printed_table(number).rows):
            own = shift * (1 + 1e-6 * place)
            self.evaluation(row.key, {name: score + own for name, score in row.scores.items()})
            if row.key != "base":
                self.training(row.key)
        return self


@pytest.fixture(scope="session")
def written() -> type[WrittenExperiment]:
    """To write experiments with."""
    return WrittenExperiment


class Words:
    """A tokenizer in the scheme of M2M-124 whose pieces are words, numbered as they come."""

    pad_id, eos_id, unk_id = 1, 2, 3
    output_size = 10_000

    def __init__(self, languages):
        self._languages = {code: 4 + index for index, code in enumerate(languages)}
        self._words = {}
        self.encoded = []

    def language_id(self, code):
        return self._languages[code]

    def encode(self, text):
        self.encoded.append(text)
        return [self._words.setdefault(word, 100 + len(self._words)) for word in text.split()]

    def decode(self, ids):
        words = {index: word for word, index in self._words.items()}
        return " ".join(words[int(index)] for index in ids if int(index) in words)

    def source_ids(self, pieces, src, tgt):
        return [self.language_id(src), *pieces, self.eos_id]

    def target_ids(self, pieces, src, tgt):
        return [self.language_id(tgt), *pieces, self.eos_id]

    def decoder_prompt(self, src, tgt):
        return [self.eos_id, self.language_id(tgt)]


@pytest.fixture
def words():
    return Words(LANG30)


@pytest.fixture
def write(tmp_path):
    """Write files below tmp_path, {name: text or bytes}, byte for byte; gives tmp_path."""

    def write(files):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return tmp_path

    return write


@pytest.fixture(scope="session")
def flores():
    """The FLORES-101 folder; skips where it is not on this machine."""
    shared = Path(os.environ.get("LSLO_SHARED_DATA") or Path(__file__).parents[2] / "shared/data")
    if not (shared / "flores101/dev/eng.dev").is_file():
        pytest.skip(f"no FLORES-101 in {shared}: set LSLO_SHARED_DATA")
    return shared / "flores101"


@pytest.fixture
def load_script(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Any]:
    """Load a script of ``results/`` as a module, under its name, where its neighbours can import it."""

    def load(path: Path) -> Any:
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, path.stem, module)
        spec.loader.exec_module(module)
        return module

    return load
