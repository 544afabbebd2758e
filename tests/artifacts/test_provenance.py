import hashlib
import subprocess

import pytest

from lslo_cli import __version__
from lslo_cli.artifacts import provenance
from lslo_cli.artifacts.provenance import PACKAGES, Stopwatch, canonical_json, digest_of, digest_of_file, made


def test_equal_values_have_one_canonical_form():
    assert canonical_json({"b": [1, 2.5], "a": "é"}) == '{"a":"é","b":[1,2.5]}'
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})


def test_a_digest_is_the_sha256_of_the_canonical_json():
    assert digest_of({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest()


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_no_number_has_no_digest(number):
    with pytest.raises(ValueError, match="JSON compliant"):
        digest_of([number])


def test_a_file_is_digested_by_its_bytes(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    assert digest_of_file(tmp_path / "file") == hashlib.sha256(b"abc").hexdigest()


def test_a_digest_does_not_depend_on_how_the_artifact_was_made(make, index_strategy):
    one = make(index_strategy)
    other = make(index_strategy, made=made(Stopwatch(), "another device", "another command"))
    assert one.made != other.made
    assert one.digest == other.digest == digest_of(one.model_dump(mode="json")["result"])


def test_the_record_of_a_run_names_version_packages_and_device():
    record = made(Stopwatch(), "cpu, 1 threads", "lslo train")
    assert (record.version, record.device, record.command) == (__version__, "cpu, 1 threads", "lslo train")
    assert set(record.packages) == set(PACKAGES)
    assert record.seconds >= 0 and record.peak_memory_mib > 1
    assert (record.commit is None) == (record.dirty is None)


def test_the_commit_is_the_one_at_the_start_of_the_work(monkeypatch):
    monkeypatch.setattr(provenance, "_source_state", lambda: ("first", False))
    stopwatch = Stopwatch()
    monkeypatch.setattr(provenance, "_source_state", lambda: ("second", True))
    record = made(stopwatch, "cpu", "lslo train")
    assert (record.commit, record.dirty) == ("first", False)


def test_the_state_of_the_checkout_is_read_without_taking_its_lock(tmp_path, monkeypatch):
    asked = []

    def run(command, **settings):
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, "abc\n", "")

    monkeypatch.setattr(subprocess, "run", run)
    assert provenance._git(tmp_path, "status") == "abc"
    assert asked == [["git", "--no-optional-locks", "status"]]
