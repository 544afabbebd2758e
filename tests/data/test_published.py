"""The tasks of ``lslo flare`` fetched from a server on this machine, from small archives made here."""

import io
import json
import stat
import tarfile
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from lslo_cli.data import published
from lslo_cli.data.published import NUSAX, PUBLISHED, TYDIQA, XNLI, fetch
from lslo_cli.errors import InputError
from lslo_cli.events import Noted
from lslo_cli.flare.tasks import TASKS

LABELS = ("negative", "neutral", "positive")
CSV = "id,text,label\n" + "".join(f"{n},text {n},{LABELS[n % 3]}\n" for n in range(6))
XNLI_ROWS = "language\tgold_label\tsentence1\tsentence2\tpairID\n" + "".join(
    f"{code}\tneutral\tone\ttwo\t{n}\n" for code in ("en", "sw") for n in range(3)
)
MULTINLI = "premise\thypo\tlabel\none\ttwo\tcontradictory\n"


def tarball(files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


def zipped(files, *entries):
    """A .zip with files, and with entries of any kind that hold one byte."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        for entry in entries:
            archive.writestr(entry, "x")
    return packed.getvalue()


def questions(language, count=20):
    rows = [
        {"id": f"{language}-{n}", "question": "what?", "answers": [{"text": "it", "answer_start": 3}]}
        for n in range(count)
    ]
    return json.dumps({"data": [{"paragraphs": [{"context": "is it so", "qas": rows}]}]})


def with_digests(data, files):
    """The data set with the digests of what the server has, where any is pinned."""
    names = {archive: archive.url.rpartition("/")[2] for archive in data.archives}
    return replace(
        data,
        archives=tuple(
            replace(archive, sha256=archive.sha256 and sha256(files[name]).hexdigest())
            for archive, name in names.items()
        ),
    )


@pytest.fixture
def mirror(server):
    """The server's address without a file's name."""
    return server.url.rpartition("/")[0]


@pytest.fixture
def xnli():
    """XNLI's archives by name, with what else is in them."""
    return {
        "XNLI-1.0.zip": zipped(
            {
                "XNLI-1.0/": "",
                "XNLI-1.0/xnli.dev.tsv": XNLI_ROWS,
                "XNLI-1.0/xnli.test.tsv": XNLI_ROWS,
                "XNLI-1.0/xnli.dev.jsonl": "{}",
                "__MACOSX/XNLI-1.0/._xnli.dev.tsv": "x",
            }
        ),
        "XNLI-MT-1.0.zip": zipped(
            {f"XNLI-MT-1.0/multinli/multinli.train.{code}.tsv": MULTINLI for code in ("en", "sw")}
        ),
    }


def test_nusax_is_as_its_task_reads_it(server, tmp_path):
    files = {
        f"nusax-159e7b2/datasets/sentiment/{name}/{split}.csv": CSV
        for name in ("english", "javanese")
        for split in ("train", "valid", "test")
    }
    server.content = tarball(
        {**files, "nusax-159e7b2/datasets/mt/train.csv": CSV, "nusax-159e7b2/run.py": ""}
    )
    (record,) = fetch(NUSAX, tmp_path / "nusax", server.url)
    assert record.files == sorted(name.partition("sentiment/")[2] for name in files)
    for split in ("train", "dev", "test"):
        assert len(TASKS["nusax"].pairs(tmp_path / "nusax", "jv", split, None).target) == 6


def test_xnli_is_two_archives_in_one_folder(server, mirror, xnli, tmp_path):
    server.files = xnli
    records = fetch(with_digests(XNLI, xnli), tmp_path / "xnli", mirror)
    assert [record.files for record in records] == [
        ["xnli.dev.tsv", "xnli.test.tsv"],
        ["multinli.train.en.tsv", "multinli.train.sw.tsv"],
    ]
    for split in ("train", "dev", "test"):
        assert TASKS["xnli"].pairs(tmp_path / "xnli", "sw", split, None).target
    written = json.loads((tmp_path / "xnli" / "source.json").read_text())
    assert [part["sha256"] for part in written] == [sha256(content).hexdigest() for content in xnli.values()]
    assert fetch(with_digests(XNLI, xnli), tmp_path / "xnli", mirror) == records and len(server.ranges) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["xnli"]


def test_a_fetch_that_waited_for_another_takes_what_that_has_fetched(
    server, mirror, xnli, tmp_path, monkeypatch
):
    server.files, data = xnli, with_digests(XNLI, xnli)
    records = fetch(data, tmp_path / "other", mirror)
    asked, folder, heard = len(server.ranges), tmp_path / "xnli", []

    @contextmanager
    def after_the_other(path, on_wait, **settings):
        on_wait()
        (tmp_path / "other").rename(path)
        yield

    monkeypatch.setattr(published, "locked", after_the_other)
    assert fetch(data, folder, mirror, heard.append) == records
    assert len(server.ranges) == asked
    notes = [event.text for event in heard if isinstance(event, Noted)]
    assert notes[0] == f"waiting for another process that fetches {folder}"
    assert notes[1].startswith(f"{folder} is complete already")


def test_tydiqa_is_files_as_they_are(server, mirror, tmp_path):
    names = [archive.url.rpartition("/")[2] for archive in TYDIQA.archives]
    server.files = {name: questions("finnish" if "dev" in name else "english").encode() for name in names}
    fetch(with_digests(TYDIQA, server.files), tmp_path / "tydiqa", mirror)
    pairs = TASKS["tydiqa"].pairs(tmp_path / "tydiqa", "fi", "train", None)
    assert len(pairs.target) == 18 and len(names) == 10
    assert len(TASKS["tydiqa"].read(tmp_path / "tydiqa", "fi", "test")) == 20


def refusal(data, folder, url):
    with pytest.raises(InputError) as error:
        fetch(data, folder, url)
    assert error.value.hint and not folder.exists()
    return error.value.message


def test_another_file_than_was_published_is_refused_and_forgotten(server, mirror, xnli, tmp_path):
    server.files = xnli
    said = refusal(XNLI, tmp_path / "xnli", mirror)
    assert said.startswith(f"{mirror}/XNLI-1.0.zip has the sha256 ") and "published with 4ba1d5e1afdb" in said
    assert not list(tmp_path.iterdir())


def test_an_interrupted_fetch_keeps_the_archives_that_are_whole(server, mirror, xnli, tmp_path):
    data, second = with_digests(XNLI, xnli), xnli["XNLI-MT-1.0.zip"]
    server.files = {"XNLI-1.0.zip": xnli["XNLI-1.0.zip"]}
    assert "404" in refusal(data, tmp_path / "xnli", mirror)
    server.files["XNLI-MT-1.0.zip"] = second
    server.ranges.clear()
    assert len(fetch(data, tmp_path / "xnli", mirror)) == 2
    assert server.ranges == [f"bytes={len(xnli['XNLI-1.0.zip'])}-", None]  # of the first nothing came again


def link(name):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


@pytest.mark.parametrize(
    "entry", ["../outside", "/tmp/outside", "XNLI-1.0/../../outside", link("XNLI-1.0/outside")], ids=str
)
def test_a_zip_that_leads_elsewhere_is_refused(server, mirror, xnli, tmp_path, entry):
    server.files = {**xnli, "XNLI-1.0.zip": zipped({"XNLI-1.0/xnli.dev.tsv": XNLI_ROWS}, entry)}
    name = entry if isinstance(entry, str) else entry.filename
    said = refusal(with_digests(XNLI, server.files), tmp_path / "xnli", mirror)
    assert said == f"{mirror}/XNLI-1.0.zip holds '{name}', outside its folder: nothing was unpacked"
    assert not list(tmp_path.rglob("*outside*"))


def encrypted(whole):
    """A zip whose first entry says in the directory that it is encrypted."""
    place = whole.index(b"PK\x01\x02") + 8
    return whole[:place] + bytes([whole[place] | 1]) + whole[place + 1 :]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>sign in</html>", "is not a .zip, or is damaged"),
        (lambda whole: whole[: len(whole) // 2], "is not a .zip, or is damaged"),
        (lambda whole: encrypted(whole), "is encrypted"),
        (lambda whole: zipped({"XNLI-1.0/xnli.dev.tsv": "0" * 10**6}), "unpacked it has more than"),
        (lambda whole: zipped({"other.txt": "x"}), "is not XNLI: it has no xnli.dev.tsv"),
    ],
    ids=["no zip", "truncated", "encrypted", "too large", "another"],
)  # fmt: skip
def test_a_zip_that_is_not_the_data_set_is_refused(server, mirror, xnli, tmp_path, content, said):
    first = content(xnli["XNLI-1.0.zip"]) if callable(content) else content
    server.files = {**xnli, "XNLI-1.0.zip": first}
    data = with_digests(XNLI, server.files)
    small = replace(data, contents=replace(data.contents, largest=10**5))
    assert said in refusal(small, tmp_path / "xnli", mirror)
    assert not list(tmp_path.iterdir())


def test_a_zip_whose_bytes_are_not_its_files_is_refused(server, mirror, xnli, tmp_path):
    """A member that unpacks to other bytes than its checksum tells of."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("XNLI-1.0/xnli.dev.tsv", XNLI_ROWS)
    server.files = {**xnli, "XNLI-1.0.zip": packed.getvalue().replace(b"neutral", b"Neutral", 1)}
    said = refusal(with_digests(XNLI, server.files), tmp_path / "xnli", mirror)
    assert "is not a .zip, or is damaged: Bad CRC-32" in said


def test_what_is_pinned_is_a_digest_and_every_address_is_safe():
    for data in PUBLISHED.values():
        for archive in data.archives:
            assert archive.url.startswith("https://")
            assert archive.sha256 is None or (len(archive.sha256) == 64 and int(archive.sha256, 16))


def test_an_empty_folder_that_a_shell_stands_in_is_filled_and_not_replaced(
    server, mirror, xnli, tmp_path, monkeypatch
):
    server.files, data = xnli, with_digests(XNLI, xnli)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    records = fetch(data, Path("."), mirror)
    assert {path.name for path in Path().iterdir()} == {
        "source.json",
        *(name for record in records for name in record.files),
    }
    assert fetch(data, Path("."), mirror) == records
    assert [path.name for path in tmp_path.iterdir()] == ["here"]
