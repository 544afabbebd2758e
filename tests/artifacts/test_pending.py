"""A run that is trained again stays whole at every moment in which the process may be killed."""

import pytest

from lslo_cli.artifacts.pending import adopt, pending
from lslo_cli.artifacts.provenance import digest_of_file
from lslo_cli.artifacts.results import TensorFile
from lslo_cli.artifacts.store import read_tensor_path
from lslo_cli.errors import InputError

PLACE = "adapter/adapter_model.safetensors"


def put(folder, content):
    path = folder / PLACE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.with_name("adapter_config.json").write_bytes(content)
    return TensorFile(path=PLACE, digest=digest_of_file(path))


def test_new_weights_count_only_once_the_artifact_names_them(tmp_path):
    old, new = put(tmp_path, b"old"), put(pending(tmp_path), b"new")
    assert read_tensor_path(tmp_path / "training.json", old).read_bytes() == b"old"
    assert read_tensor_path(tmp_path / "training.json", new).read_bytes() == b"new"


def test_named_weights_are_moved_to_their_place_and_others_dropped(tmp_path):
    old, new = put(tmp_path, b"old"), put(pending(tmp_path), b"new")
    adopt(tmp_path, new)
    assert {path.read_bytes() for path in (tmp_path / "adapter").iterdir()} == {b"new"}
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]
    with pytest.raises(InputError, match="damaged"):
        read_tensor_path(tmp_path / "training.json", old)
    put(pending(tmp_path), b"newer")
    adopt(tmp_path, new)
    assert read_tensor_path(tmp_path / "training.json", new).read_bytes() == b"new"
    assert not pending(tmp_path).exists()
    put(pending(tmp_path), b"first")
    adopt(tmp_path, None)
    assert not pending(tmp_path).exists()


def test_a_move_that_was_interrupted_is_finished(tmp_path):
    put(tmp_path, b"old")
    new = put(pending(tmp_path), b"new")
    (pending(tmp_path) / "adapter" / "adapter_config.json").replace(tmp_path / "adapter/adapter_config.json")
    assert read_tensor_path(tmp_path / "training.json", new).read_bytes() == b"new"
    adopt(tmp_path, new)
    assert {path.read_bytes() for path in (tmp_path / "adapter").iterdir()} == {b"new"}
