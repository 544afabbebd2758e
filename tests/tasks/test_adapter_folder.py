"""Runs by folder and by hub id: the same translations as by name, on another machine's paths."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from lslo_cli.artifacts.adapter_config import is_elsewhere
from lslo_cli.errors import InputError, UsageError
from lslo_cli.tasks import commands as tasks

RUN = "2-2-8-gps0.9"
COMMIT = "c0ffee" * 6 + "abcd"


@pytest.fixture
def expected(finished_experiment):
    """The translations of the run by its name, and its folder."""
    experiment = finished_experiment()
    return translated(tasks.open_translator(experiment, RUN)), experiment.folder.run(RUN).path


def translated(translator):
    return list(tasks.translate(translator, ["taro miro", "miro"], src="qta", tgt=["qki", "qka"]))


@pytest.fixture
def hub(monkeypatch, tmp_path) -> Iterator[dict[str, bytes]]:
    """A server in the place of the hub, with the files of one repository, ``someone/adapters``."""
    files: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self.wfile.write(self._answer())

        def _answer(self) -> bytes:
            if self.path.startswith("/api/models/someone/adapters"):
                tree = [
                    {"type": "file", "path": name, "size": len(content), "oid": sha256(content).hexdigest()}
                    for name, content in files.items()
                ]
                info = {"id": "someone/adapters", "sha": COMMIT, "siblings": []}
                return self._send(200, json.dumps(tree if "/tree/" in self.path else info).encode())
            repository, _, rest = self.path.partition("/resolve/")
            if repository != "/someone/adapters":
                return self._send(404, b"", **{"X-Error-Code": "RepoNotFound"})
            content = files.get(rest.partition("/")[2])
            if content is None:
                return self._send(404, b"", **{"X-Error-Code": "EntryNotFound"})
            return self._send(200, content, ETag=f'"{sha256(content).hexdigest()}"')

        def _send(self, status: int, content: bytes, **headers: str) -> bytes:
            self.send_response(status)
            sent = {"X-Repo-Commit": COMMIT, "Content-Length": str(len(content)), **headers}
            for name, value in sent.items():
                self.send_header(name, value)
            self.end_headers()
            return content

        def log_message(self, *arguments: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{http.server_port}"
        monkeypatch.setenv("no_proxy", "*")
        monkeypatch.setenv("HF_ENDPOINT", url)
        # What the variables set, for libraries that have read them already.
        for name, value in {
            "ENDPOINT": url,
            "HUGGINGFACE_CO_URL_TEMPLATE": url + "/{repo_id}/resolve/{revision}/{filename}",
            "HF_HUB_OFFLINE": False,
            "HF_HUB_CACHE": str(tmp_path / "hub-cache"),
        }.items():
            monkeypatch.setattr(f"huggingface_hub.constants.{name}", value)
        yield files
        http.shutdown()


@pytest.mark.parametrize("part", ["", "adapter"])
def test_a_folder_translates_as_its_run_does(finished_experiment, expected, tmp_path, part):
    lines, folder = expected
    moved = tmp_path / "elsewhere"
    shutil.copytree(folder / part, moved)
    translator = tasks.open_translator(
        finished_experiment(langs="qta,qso"), str(moved), given={"run.device": "cpu"}
    )
    assert translated(translator) == lines


@pytest.mark.parametrize("inside", ["", "runs/copy"])
def test_a_copy_of_a_run_is_opened_by_a_path_of_one_part(
    finished_experiment, expected, tmp_path, monkeypatch, inside
):
    lines, folder = expected
    moved = tmp_path / "elsewhere" / inside
    shutil.copytree(folder, moved)
    monkeypatch.chdir(moved.parent)
    assert translated(tasks.open_translator(finished_experiment(), f"./{moved.name}")) == lines
    monkeypatch.chdir(moved)
    assert translated(tasks.open_translator(finished_experiment(), ".")) == lines
    with pytest.raises(InputError, match="is stale: it was made with base model") as error:
        tasks.open_translator(finished_experiment(), ".", given={"model.name": "world"})
    again = "lslo train --results ../../.. --name elsewhere --settings-of copy --run copy"
    assert str(error.value.line) == (again if inside else "")


def test_a_model_that_was_trained_whole_is_opened_by_its_folder(finished_experiment):
    experiment = finished_experiment()
    folder = experiment.folder.run("full").path
    opened = tasks.open_translator(experiment, str(folder), given={"run.device": "cpu"})
    assert opened.route is None
    assert translated(opened) == translated(tasks.open_translator(experiment, "full"))


def test_adapters_are_loaded_from_the_hub_like_from_a_folder(finished_experiment, expected, hub):
    lines, folder = expected
    for path in (folder / "adapter").iterdir():
        hub[path.name] = path.read_bytes()
    given = {"run.device": "cpu"}
    assert translated(tasks.open_translator(finished_experiment(), "someone/adapters", given=given)) == lines
    hub.clear()  # from now on the copy in the cache serves
    assert (
        translated(tasks.open_translator(finished_experiment(), f"someone/adapters@{COMMIT}", given=given))
        == lines
    )


def test_what_the_hub_has_not_is_named_with_the_server(finished_experiment, hub):
    with pytest.raises(InputError, match=r"'nobody/nothing' is neither a folder.*127\.0\.0\.1"):
        tasks.open_translator(finished_experiment(), "nobody/nothing")


def test_a_base_model_at_another_place_is_given_and_another_model_refused(
    finished_experiment, expected, tiny, tmp_path
):
    lines, folder = expected
    adapter = tmp_path / "moved"
    shutil.copytree(folder / "adapter", adapter)
    config = json.loads((adapter / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "/gone/base"
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="no folder '/gone/base'"):
        tasks.open_translator(finished_experiment(), str(adapter))
    given = {"model.name": str(tiny.base), "run.device": "cpu"}
    assert translated(tasks.open_translator(finished_experiment(), str(adapter), given=given)) == lines
    with pytest.raises(UsageError, match="are for qta, qso, qki, qka, not qta, qso"):
        tasks.open_translator(finished_experiment(), str(adapter), given={**given, "langs": "qta,qso"})
    config["base_model_digest"] = "0" * 64
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="belong to base model /gone/base"):
        tasks.open_translator(finished_experiment(), str(adapter), given=given)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no adapters in .*: no adapter_config.json; it holds notes.txt"),
        ("{", "is damaged"),
        ('{"languages": []}', "is damaged: base_model_name_or_path: Field required"),
        ('{"peft_type": "LORA"}', "holds adapters of type LORA, not lslo's"),
    ],
)
def test_a_folder_that_is_none_says_why(finished_experiment, tmp_path, content, message):
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    if content is not None:
        (folder / "adapter_config.json").write_text(content)
    with pytest.raises(InputError, match=message):
        tasks.open_translator(finished_experiment(), str(folder))


def test_weights_that_do_not_fit_their_config_are_refused(finished_experiment, expected, tmp_path):
    adapter = tmp_path / "moved"
    shutil.copytree(expected[1] / "adapter", adapter)
    config = json.loads((adapter / "adapter_config.json").read_text())
    config["ranks"]["qta"] += 1
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="does not fit the file beside it that describes it"):
        tasks.open_translator(finished_experiment(), str(adapter), given={"run.device": "cpu"})


def test_the_config_names_no_place_on_this_machine_but_the_base_models(expected, tiny):
    config = json.loads((expected[1] / "adapter" / "adapter_config.json").read_text())
    assert config.pop("base_model_name_or_path") == str(tiny.base)
    assert config["recipe"].pop("model")["name"] == str(tiny.base)
    assert str(Path(tiny.folder)) not in json.dumps(config)
    assert config["recipe"]["train"]["ranks"] == "2,2,8"
    assert config["recipe"]["run"] == {"base_dtype": "float32"}  # of the machine nothing, and of the base all


def test_a_run_is_named_or_lies_somewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [is_elsewhere(run) for run in ("base", "2-2-8", "a/b", "./x", "~/x")] == [
        False,
        False,
        True,
        True,
        True,
    ]
    (tmp_path / "mine").mkdir()
    assert not is_elsewhere("mine")
    (tmp_path / "mine" / "adapter_config.json").write_text("{}")
    assert is_elsewhere("mine")
