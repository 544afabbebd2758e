import errno
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from lslo_cli.artifacts.lock import locked, write_locked
from lslo_cli.errors import InputError

SPAWN = multiprocessing.get_context("spawn")


def add_one(path, times):
    """Add to the number in a file, which goes wrong where two do it at once."""
    for _ in range(times):
        with locked(path):
            number = int(path.read_text()) if path.exists() else 0
            time.sleep(0.001)
            path.write_text(str(number + 1))


def hold(path, held):
    with locked(path):
        path.with_name(f".{path.name}.{os.getpid()}").write_text("half")
        held.set()
        time.sleep(60)


def test_processes_take_turns(tmp_path):
    path = tmp_path / "results" / "a.json"
    workers = [SPAWN.Process(target=add_one, args=(path, 25)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert path.read_text() == "100"
    assert list(path.parent.iterdir()) == [path]


def test_a_process_that_is_killed_leaves_no_lock_and_no_half_written_file(tmp_path):
    path, held, waited = tmp_path / "a.json", SPAWN.Event(), []
    worker = SPAWN.Process(target=hold, args=(path, held))
    worker.start()
    held.wait()
    killer = SPAWN.Process(target=kill_soon, args=(worker.pid,))
    killer.start()
    with locked(path, lambda: waited.append(True)):
        assert waited == [True]
        assert [file.name for file in tmp_path.iterdir()] == [".a.json.lock"]
    for process in (worker, killer):
        process.join()
    assert not list(tmp_path.iterdir())


def kill_soon(pid):
    time.sleep(0.2)
    os.kill(pid, signal.SIGKILL)


def test_folders_made_for_a_lock_go_with_it_unless_they_are_in_use(tmp_path):
    with locked(tmp_path / "a" / "b" / "c.json"):
        pass
    assert not list(tmp_path.iterdir())
    with locked(tmp_path / "a" / "b" / "c.json"):
        (tmp_path / "a" / "kept").touch()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["kept"]


@pytest.mark.parametrize("name", ["model.2", ".model.2", "model.2.lock"])
def test_a_name_that_ends_in_a_number_keeps_its_lock(tmp_path, name):
    with locked(tmp_path / name):
        assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]
    assert not list(tmp_path.iterdir())


def test_the_lock_is_free_again_after_a_failure(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "a.json"):
        raise ZeroDivisionError
    with locked(tmp_path / "a.json", lambda: pytest.fail("still held")):
        pass


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write"), locked(tmp_path / "file" / "a.json"):
        pass


def test_a_full_disk_and_a_file_system_without_locks_are_told_apart(tmp_path, monkeypatch):
    def fail(reason):
        def flock(descriptor, operation):
            raise OSError(reason, os.strerror(reason))

        monkeypatch.setattr("lslo_cli.artifacts.lock.fcntl.flock", flock)

    fail(errno.ENOSPC)
    with pytest.raises(InputError, match="disk full"), locked(tmp_path / "a.json"):
        pass
    fail(errno.ENOLCK)
    with pytest.raises(InputError, match="cannot lock") as error, locked(tmp_path / "a.json"):
        pass
    assert "file system must support locks" in error.value.hint


def test_a_text_of_its_own_is_written_alone_and_a_killed_writers_half_is_removed(tmp_path):
    path = tmp_path / "report.md"
    (tmp_path / ".report.md.123").write_text("half")
    write_locked(path, "whole")
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"report.md": "whole"}


def test_a_folder_without_a_name_is_the_one_it_stands_for_and_the_root_is_refused(tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    (here / ".kept").touch()
    monkeypatch.chdir(here)
    with locked(Path(".")):
        assert (tmp_path / ".here.lock").is_file()
    assert (here / ".kept").is_file()
    with pytest.raises(InputError, match="/ cannot be replaced"), locked(Path("/")):
        pass
