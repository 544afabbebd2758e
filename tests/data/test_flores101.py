"""FLORES-101 fetched from a server on this machine: a tarball of three languages and two sentences."""

import gzip
import io
import json
import tarfile
from dataclasses import replace
from hashlib import sha256

import pytest

from lslo_cli.data import unpacking
from lslo_cli.data.corpus import load_corpus
from lslo_cli.data.published import FLORES101, fetch
from lslo_cli.errors import InputError
from lslo_cli.events import Noted, ignore
from lslo_cli.method.languages import Direction

FILES = {
    f"flores101_dataset/{split}/{code}.{split}": f"{code} 1\n{code} 2\n"
    for split in ("dev", "devtest")
    for code in ("eng", "wol", "zho_simpl")
} | {"flores101_dataset/metadata_dev.tsv": "URL\tdomain\n"}
TAKEN = sorted(name.partition("/")[2] for name in FILES)


def tarball(files, *members):
    """A .tar.gz with files and with members that have no content."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
        for member in members:
            tar.addfile(member)
    return packed.getvalue()


def member(name, kind=tarfile.DIRTYPE, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def fetch_flores101(folder, url, on_event=ignore, data=FLORES101):
    (record,) = fetch(data, folder, url, on_event)
    return record


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data" / "flores101"


def refusal(folder, server, data=FLORES101):
    """The message of a fetch that fails and leaves no folder."""
    before = sorted(folder.rglob("*"))
    with pytest.raises(InputError) as error:
        fetch_flores101(folder, server.url, data=data)
    assert error.value.hint
    assert sorted(folder.rglob("*")) == before
    assert not [path for path in folder.parent.glob(".*") if path.is_dir()]
    return error.value.message


def test_the_folder_is_as_the_readers_want_it(server, folder):
    server.content = tarball(FILES, member("flores101_dataset/dev"), member("flores101_dataset/extra"))
    source = fetch_flores101(folder, server.url)
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*") if path.is_file()) == sorted(
        [*TAKEN, "source.json"]
    )
    corpus = load_corpus(folder, ("en", "wo", "zh"), "devtest")
    assert corpus.pairs(Direction("wo", "zh")) == (["wol 1", "wol 2"], ["zho_simpl 1", "zho_simpl 2"])
    assert source.sha256 == sha256(server.content).hexdigest()
    assert (source.url, source.bytes, source.files) == (server.url, len(server.content), TAKEN)
    assert json.loads((folder / "source.json").read_text())["sha256"] == source.sha256
    assert list(folder.parent.iterdir()) == [folder]  # nothing else is left


@pytest.mark.parametrize(("limit", "value"), [("largest", 2000), ("most", 3)])
def test_an_archive_that_unpacks_to_too_much_is_refused(server, folder, limit, value):
    server.content = tarball({**FILES, "flores101_dataset/dev/ibo.dev": "a" * 5000})
    less = replace(FLORES101, contents=replace(FLORES101.contents, **{limit: value}))
    assert "is not FLORES-101: unpacked it has more than" in refusal(folder, server, less)


def test_what_is_there_is_not_fetched_again(server, folder):
    server.content = tarball(FILES)
    first, events = fetch_flores101(folder, server.url), []
    assert fetch_flores101(folder, server.url, events.append) == first
    assert len(server.ranges) == 1
    assert events == [Noted(f"{folder} is complete already: remove it to fetch it again")]


def test_an_interrupted_fetch_goes_on_where_it_stopped(server, folder):
    server.content = tarball(FILES)
    server.cut = len(server.content) // 2
    assert "ended after" in refusal(folder, server)
    server.cut = None
    assert fetch_flores101(folder, server.url).files == TAKEN
    assert server.ranges == [None, f"bytes={len(server.content) // 2}-"]


def test_parts_of_files_from_two_addresses_are_not_joined(server, folder):
    server.content = tarball(FILES)
    server.cut = 100
    refusal(folder, server)
    server.cut = None
    server.url += "?mirror"
    server.ranges.clear()
    assert "404" in refusal(folder, server)  # the server has no such file, and was asked for all of it
    assert server.ranges == [None]


def test_an_empty_folder_is_filled(server, folder):
    server.content = tarball(FILES)
    folder.mkdir(parents=True)
    assert fetch_flores101(folder, server.url).files == TAKEN


@pytest.mark.parametrize("damage", ["truncated", "another sum", "no tarball", "no gzip"])
def test_a_damaged_tarball_is_refused_and_fetched_anew(server, folder, damage):
    whole = tarball(FILES)
    server.content = {
        "truncated": whole[: len(whole) // 2],
        "another sum": whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:],
        "no tarball": gzip.compress(b"no tarball " * 100),
        "no gzip": b"<html>sign in to go on</html>",
    }[damage]
    assert refusal(folder, server).startswith(f"{server.url} is not a .tar.gz, or is damaged: ")
    server.content = whole
    assert fetch_flores101(folder, server.url).files == TAKEN
    assert server.ranges == [None, None]


@pytest.mark.parametrize(
    "bad",
    [
        member("../outside", tarfile.REGTYPE),
        member("flores101_dataset/dev/../../../outside", tarfile.REGTYPE),
        member("/tmp/outside", tarfile.REGTYPE),
        member("flores101_dataset/dev/fra.dev", tarfile.SYMTYPE, "/etc/passwd"),
        member("flores101_dataset/dev/fra.dev", tarfile.LNKTYPE, "flores101_dataset/dev/eng.dev"),
        member("flores101_dataset/dev/fra.dev", tarfile.FIFOTYPE),
    ],
    ids=lambda bad: f"{bad.name}-{bad.type.decode()}",
)
def test_a_member_that_leads_elsewhere_is_refused(server, folder, bad, tmp_path):
    server.content = tarball(FILES, bad)
    assert refusal(folder, server) == (
        f"{server.url} holds '{bad.name}', outside its folder: nothing was unpacked"
    )
    assert list(tmp_path.rglob("*outside*")) == []


def test_members_that_are_not_needed_are_left_out(server, folder):
    extra = {"flores101_dataset/dev/._eng.dev": "x", "flores101_dataset/run.sh": "x", "eng.dev": "x"}
    server.content = tarball(FILES | extra)
    assert fetch_flores101(folder, server.url).files == TAKEN


def test_another_tarball_is_refused(server, folder):
    server.content = tarball({"x/dev/eng.dev": "a\n"})
    assert refusal(folder, server) == f"{server.url} is not FLORES-101: it has no devtest/eng.devtest"


def test_a_folder_with_other_data_is_left_alone(server, folder):
    folder.mkdir(parents=True)
    (folder / "mine.txt").write_text("mine")
    assert refusal(folder, server) == f"{folder} exists, but has no record of its source"
    assert not server.ranges


def test_a_folder_from_another_address_is_left_alone(server, folder):
    server.content = tarball(FILES)
    fetch_flores101(folder, server.url)
    first, server.url = server.url, server.url + "2"
    assert refusal(folder, server) == f"{folder} came from {first}"


def test_a_folder_that_lost_files_is_refused(server, folder):
    server.content = tarball(FILES)
    fetch_flores101(folder, server.url)
    (folder / "dev/wol.dev").unlink()
    assert refusal(folder, server) == f"{folder} lacks dev/wol.dev, one of 1 missing files of 7"


def test_a_place_that_cannot_be_written_is_named_before_anything_is_asked_for(server, tmp_path):
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "flores101"
    with pytest.raises(InputError, match=f"cannot write {folder}: (File exists|Not a directory)"):
        fetch_flores101(folder, server.url)
    assert not server.ranges


def test_a_disk_that_fills_while_unpacking_leaves_the_tarball_for_the_next_try(server, folder, monkeypatch):
    server.content = tarball(FILES)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(unpacking.shutil, "copyfileobj", full)
        assert refusal(folder, server) == f"cannot write {folder}: disk full: No space left on device"
    assert fetch_flores101(folder, server.url).files == TAKEN
    assert server.ranges[1:] == [f"bytes={len(server.content)}-"]  # and nothing came
