"""Downloads from a server on this machine that can be told to misbehave."""

import socket
from pathlib import Path

import pytest

from lslo_cli.data.download import discard, download
from lslo_cli.errors import InputError, UsageError
from lslo_cli.events import Advanced, Finished, Started

CONTENT = bytes(range(256)) * 40
LARGEST = 1 << 20


@pytest.fixture
def partial(tmp_path):
    return tmp_path / "file.part"


def refusal(url, partial):
    with pytest.raises(InputError) as error:
        download(url, partial, largest=LARGEST)
    assert error.value.hint
    return error.value.message


def test_a_file_arrives_whole_and_its_bytes_are_counted(server, partial):
    server.content = CONTENT
    events = []
    download(server.url, partial, events.append, largest=LARGEST)
    assert partial.read_bytes() == CONTENT
    task = "downloading data.tar.gz"
    assert events[0] == Started(task, len(CONTENT), "bytes")
    assert events[-2:] == [Advanced(task, len(CONTENT)), Finished(task)]


def test_after_a_cut_connection_only_the_rest_is_asked_for(server, partial):
    server.content, server.cut = CONTENT, 7000
    assert refusal(server.url, partial) == f"{server.url} ended after 7,000 of 10,240 bytes"
    server.cut = None
    events = []
    download(server.url, partial, events.append, largest=LARGEST)
    assert partial.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=7000-"]
    assert events[0] == Started("downloading data.tar.gz", 10_240, "bytes", 7000)


@pytest.mark.parametrize(
    ("before", "after", "resumes"),
    [
        ({"ETag": '"a"'}, {"ETag": '"a"'}, True),
        ({"ETag": '"a"'}, {"ETag": '"b"'}, False),
        ({"Last-Modified": "Mon"}, {"Last-Modified": "Tue"}, False),
        ({"ETag": 'W/"a"', "Last-Modified": "Mon"}, {"ETag": 'W/"a"', "Last-Modified": "Tue"}, False),
        ({"ETag": 'W/"a"'}, {}, True),
    ],
)  # fmt: skip
def test_a_file_that_changed_on_the_server_is_sent_anew(server, partial, before, after, resumes):
    server.content, server.cut, server.version = CONTENT, 7000, before
    refusal(server.url, partial)
    server.content, server.cut, server.version = CONTENT if resumes else CONTENT[::-1], None, after
    download(server.url, partial, largest=LARGEST)
    assert server.ranges == [None, "bytes=7000-"]
    assert partial.read_bytes() == server.content
    discard(partial)
    assert not list(partial.parent.iterdir())


def test_a_server_without_ranges_sends_all_of_it_again(server, partial):
    server.content, server.knows_ranges = CONTENT, False
    partial.write_bytes(b"x" * 20_000)
    download(server.url, partial, largest=LARGEST)
    assert partial.read_bytes() == CONTENT


def test_a_file_that_is_here_is_not_downloaded_again(server, partial):
    server.content = CONTENT
    partial.write_bytes(CONTENT)
    download(server.url, partial, largest=LARGEST)
    assert (partial.read_bytes(), server.ranges) == (CONTENT, ["bytes=10240-"])


def test_a_part_longer_than_the_file_is_thrown_away(server, partial):
    server.content = CONTENT
    partial.write_bytes(b"x" * 20_000)
    download(server.url, partial, largest=LARGEST)
    assert partial.read_bytes() == CONTENT
    assert server.ranges == ["bytes=20000-", None]


def test_a_file_of_unknown_size_arrives(server, partial):
    server.content, server.tells_length = CONTENT, False
    download(server.url, partial, largest=LARGEST)
    assert partial.read_bytes() == CONTENT


def test_a_connection_that_is_reset_leaves_what_arrived(server, partial):
    server.content, server.cut, server.resets = CONTENT, 7000, True
    message = refusal(server.url, partial)
    assert "broke" in message or "ended after" in message
    assert CONTENT.startswith(partial.read_bytes())


def test_a_wrong_address_is_refused_with_the_answer(server, partial):
    missing = server.url.replace("data", "other")
    assert refusal(missing, partial) == f"{missing} answered 404 Not Found"
    assert not partial.exists()


def test_an_unreachable_server_is_named(partial):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/data.tar.gz"
    assert refusal(url, partial) == f"cannot reach {url}: Connection refused"


def test_a_server_that_sends_more_than_is_wanted_is_left(server, partial):
    server.content = CONTENT
    for server.tells_length in (True, False):
        with pytest.raises(InputError, match="has more than 0 MiB"):
            download(server.url, partial, largest=10_000)
        assert not partial.exists()


@pytest.mark.parametrize("url", ["file:///etc/passwd", "data.tar.gz", "ftp://example.org/x"])
def test_only_web_addresses_are_taken(url, partial):
    with pytest.raises(UsageError, match="is not a web address"):
        download(url, partial, largest=LARGEST)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_said_to_be_full(server):
    server.content = CONTENT
    assert (
        refusal(server.url, Path("/dev/full")) == "cannot write /dev/full: disk full: No space left on device"
    )


def test_a_place_that_cannot_be_written_is_named(server, tmp_path):
    server.content = CONTENT
    partial = tmp_path / "missing" / "file.part"
    assert refusal(server.url, partial) == f"cannot write {partial}: No such file or directory"
