"""The one writer: whole or not at all, whoever writes and whatever fails."""

import os
import threading
from pathlib import Path

import pytest
import torch

from lslo_cli.artifacts.lock import write_locked
from lslo_cli.artifacts.writing import (
    beside,
    is_stream,
    put_in_place,
    replacing,
    settle,
    sweep,
    unfinished,
    write_text,
    writing,
)
from lslo_cli.errors import InputError


def fill_after(monkeypatch, size):
    """A disk with room for ``size`` bytes."""
    room, original = [size], os.write

    def write(descriptor, data):
        if room[0] <= 0:
            raise OSError(28, "No space left on device")
        count = original(descriptor, data[: room[0]])
        room[0] -= count
        return count

    monkeypatch.setattr(os, "write", write)


@pytest.mark.parametrize("size", [0, 1, 64, 1000, 5000])
def test_a_disk_that_fills_while_torch_saves_is_an_input_error(tmp_path, monkeypatch, size):
    path = tmp_path / "state.pt"
    path.write_bytes(b"old")
    fill_after(monkeypatch, size)
    with pytest.raises(InputError, match="disk full: No space left on device"), writing(path) as file:
        torch.save({"weights": torch.ones(5000)}, file)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["state.pt"]


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_files_have_the_mode_that_the_umask_leaves(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_text(tmp_path / "a.txt", "a")
        with beside(tmp_path / "model") as made:
            made.mkdir()
            (made / "weights").touch(0o600)
            settle(made)
            made.replace(tmp_path / "model")
    finally:
        os.umask(before)
    for path in (tmp_path / "a.txt", tmp_path / "model" / "weights"):
        assert path.stat().st_mode & 0o777 == 0o666 & ~umask


def test_text_is_written_with_its_own_line_ends(tmp_path):
    write_text(tmp_path / "deep" / "a.txt", "é\r\nb\n")
    assert (tmp_path / "deep" / "a.txt").read_bytes() == b"\xc3\xa9\r\nb\n"


def test_what_a_killed_process_left_is_swept_and_nothing_else(tmp_path):
    (tmp_path / ".model.123").mkdir()
    (tmp_path / ".model.123" / "half").touch()
    (tmp_path / ".model.json.124").touch()
    (tmp_path / ".model.123.lock").touch()
    for kept in (".model.lock", ".other.12a", "model.123", ".hidden"):
        (tmp_path / kept).touch()
    sweep(tmp_path, "model.")
    assert sorted(os.listdir(tmp_path)) == [".hidden", ".model.lock", ".other.12a", "model.123"]
    (tmp_path / ".a.1").touch()
    with beside(tmp_path / ".log") as made:
        assert made.name == f".log.{os.getpid()}"
    sweep(tmp_path)
    sweep(tmp_path / "missing")
    assert sorted(os.listdir(tmp_path)) == [".hidden", ".model.lock", ".other.12a", "model.123"]


def test_a_full_disk_is_known_by_the_words_of_libraries_too(tmp_path):
    full = "cannot write .*weights: disk full: No space left on device"
    with pytest.raises(InputError, match=full), replacing(tmp_path / "weights"):
        raise RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")
    with pytest.raises(RuntimeError, match="of its own"), replacing(tmp_path / "weights"):
        raise RuntimeError("of its own")
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "deep").mkdir()
    target, link, dangling = tmp_path / "deep" / "target.md", tmp_path / "link.md", tmp_path / "new.md"
    target.write_text("old")
    link.symlink_to("deep/target.md")
    dangling.symlink_to("deep/new.md")
    write_locked(link, "new")
    write_locked(dangling, "made")
    assert link.is_symlink() and dangling.is_symlink()
    assert (target.read_text(), (tmp_path / "deep" / "new.md").read_text()) == ("new", "made")
    assert sorted(os.listdir(tmp_path / "deep")) == ["new.md", "target.md"]
    with pytest.raises(RuntimeError), replacing(link) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "new" and not temporary.exists()


def test_a_pipe_is_written_to_and_stays(tmp_path):
    pipe, heard = tmp_path / "pipe", []
    os.mkfifo(pipe)
    assert is_stream(pipe)
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text()))
    reader.start()
    write_locked(pipe, "text")
    reader.join()
    assert heard == ["text"] and is_stream(pipe) and os.listdir(tmp_path) == ["pipe"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system has no /proc")
def test_an_open_file_gets_the_text_after_what_it_has(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("first\n")
    with path.open("a") as file:
        opened = Path(f"/dev/fd/{file.fileno()}")
        assert is_stream(opened) and not is_stream(path)
        write_locked(opened, "second\n")
        write_locked(opened, "third\n")
    assert path.read_text() == "first\nsecond\nthird\n"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system has no /proc")
@pytest.mark.parametrize("mode", ["wb", "ab"])
def test_what_an_open_file_gets_later_comes_after_the_text(tmp_path, mode):
    """As of several commands of a shell that share a redirected stdout."""
    with (tmp_path / "file").open(mode, buffering=0) as file:
        file.write(b"header\n")
        (tmp_path / "link").symlink_to(f"/proc/self/fd/{file.fileno()}")
        for path in (f"/dev/fd/{file.fileno()}", tmp_path / "link"):
            write_text(Path(path), "text\n")
        file.write(b"footer\n")
    assert (tmp_path / "file").read_text() == "header\ntext\ntext\nfooter\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_device_is_written_to_and_what_it_refuses_is_an_input_error():
    write_locked(Path("/dev/null"), "text")
    assert is_stream(Path("/dev/null"))
    with pytest.raises(InputError, match="cannot write /dev/full: disk full"):
        write_text(Path("/dev/full"), "text")
    assert is_stream(Path("/dev/full"))


def test_a_link_to_itself_is_no_stream(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    assert not is_stream(tmp_path / "loop") and not is_stream(tmp_path / "missing")


@pytest.mark.parametrize("path", [".", "..", "here/.", "here/.."])
def test_unfinished_work_on_a_folder_without_a_name_is_beside_it(tmp_path, monkeypatch, path):
    (tmp_path / "above" / "here" / "here").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "above" / "here")
    beside = unfinished(Path(path), "work")
    assert (
        beside.parent == Path(path).resolve().parent and beside.name == f".{Path(path).resolve().name}.work"
    )


def test_the_root_cannot_be_replaced():
    with pytest.raises(InputError, match="/ cannot be replaced"):
        unfinished(Path("/"), "work")


def test_a_folder_that_exists_is_filled_and_what_it_ends_with_comes_last(tmp_path, monkeypatch):
    made, folder, moved = tmp_path / "made", tmp_path / "folder", []
    for name in ("a", "record", "z"):
        (made / name).parent.mkdir(exist_ok=True)
        (made / name).write_text(name)
    folder.mkdir()
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda self, to: (moved.append(self.name), replace(self, to)))
    put_in_place(made, folder, "record")
    assert moved[-1] == "record"
    assert {path.name for path in folder.iterdir()} == set(moved) == {"a", "z", "record"}
