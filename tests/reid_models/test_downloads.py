"""A file comes once and whole, whatever the server and the network do; and what is said when it cannot come."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from reid_models.downloads import Patience, fetch_file, offline_wanted
from reid_models.errors import InputError
from tests.reid_models.weights_server import WeightsServer

CONTENT = hashlib.shake_256(b"weights").digest(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUICK = Patience(timeout=5, attempts=3, backoff=0.01)


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("MULTICAM_OFFLINE", raising=False)


@pytest.fixture
def server() -> Iterator[WeightsServer]:
    with WeightsServer({"a.pth": CONTENT}) as running:
        yield running


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "weights" / "a.pth"


def fetch(server: WeightsServer, target: Path, **options: Any) -> Path:
    settings: dict[str, Any] = {"what": "the weights net:a", "sha256": SHA256, "patience": QUICK, **options}
    return fetch_file(f"{server.url}/a.pth", target, **settings)


def names(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir()) if target.parent.exists() else []


def ranges(server: WeightsServer) -> list[str | None]:
    return [wanted for _, wanted in server.requests]


def test_a_file_is_fetched_once_and_nothing_else_is_left(server: WeightsServer, target: Path) -> None:
    for _ in range(3):
        assert fetch(server, target) == target
        assert target.read_bytes() == CONTENT
    assert ranges(server) == [None] and names(target) == ["a.pth"]


def test_without_a_known_checksum_the_first_downloads_is_kept_and_checked(server: WeightsServer, target: Path) -> None:
    fetch(server, target, sha256=None)
    assert (target.parent / "a.pth.sha256").read_text() == f"{SHA256}  a.pth\n"
    fetch(server, target, sha256=None)
    target.write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(InputError, match=r"the weights net:a: .*a\.pth is damaged or another file .*; delete it"):
        fetch(server, target, sha256=None)
    assert len(server.requests) == 1


def test_a_file_put_there_by_hand_is_taken_if_it_is_the_right_one(server: WeightsServer, target: Path) -> None:
    target.parent.mkdir(parents=True)
    target.write_bytes(CONTENT)
    assert fetch(server, target, offline=True) == target
    assert fetch(server, target, sha256=None, offline=True) == target
    assert names(target) == ["a.pth", "a.pth.sha256"]
    target.write_bytes(b"another")
    with pytest.raises(InputError, match="is damaged or another file"):
        fetch(server, target, offline=True)
    assert not server.requests


def test_a_broken_connection_is_taken_up_where_it_broke(server: WeightsServer, target: Path) -> None:
    server.cuts = [100_000, 50_000]
    fetch(server, target)
    assert target.read_bytes() == CONTENT and names(target) == ["a.pth"]
    assert ranges(server) == [None, "bytes=100000-", "bytes=150000-"]


def test_a_connection_that_falls_silent_is_taken_up(server: WeightsServer, target: Path) -> None:
    server.stalls = [120_000]
    fetch(server, target, patience=Patience(timeout=0.15, attempts=3, backoff=0.01))
    assert target.read_bytes() == CONTENT and ranges(server) == [None, "bytes=120000-"]


def test_a_later_run_goes_on_where_an_earlier_one_gave_up(server: WeightsServer, target: Path) -> None:
    server.cuts = [200_000, 0, 0]
    words = r"ended after 200000 of 300000 bytes; 0\.2 MB are kept, and the next attempt goes on there; try again, or"
    with pytest.raises(InputError, match=words):
        fetch(server, target)
    assert names(target) == ["a.pth.partial", "a.pth.partial.json"]
    fetch(server, target)
    assert target.read_bytes() == CONTENT and names(target) == ["a.pth"]
    assert ranges(server)[-1] == "bytes=200000-"


def test_an_interrupted_process_leaves_what_it_has(server: WeightsServer, target: Path) -> None:
    server.stalls, server.stall = [150_000], 20
    code = (
        "import sys; from pathlib import Path; from reid_models.downloads import fetch_file;"
        f"fetch_file({server.url + '/a.pth'!r}, Path({str(target)!r}), what='it', sha256={SHA256!r})"
    )
    # Where the tests run in the background of a shell, interrupts are ignored, and children inherit that.
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    partial = target.parent / "a.pth.partial"
    deadline = time.monotonic() + 20
    while not partial.is_file() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) != 0
    assert not target.exists() and 0 < partial.stat().st_size <= 150_000
    kept = partial.stat().st_size
    fetch(server, target)
    assert target.read_bytes() == CONTENT and ranges(server) == [None, f"bytes={kept}-"] and names(target) == ["a.pth"]


@pytest.mark.parametrize("behaviour", ["ignores ranges", "names no version", "changed meanwhile", "shorter meanwhile"])
def test_what_cannot_be_taken_up_starts_again(behaviour: str, target: Path) -> None:
    old = CONTENT if behaviour == "ignores ranges" else bytes(290_000)
    with WeightsServer({"a.pth": old}) as server:
        server.versioned = behaviour != "names no version"
        server.cuts = [200_000, 0, 0]
        with pytest.raises(InputError, match="ended after"):
            fetch(server, target, sha256=None)
        server.files["a.pth"] = new = CONTENT[:150_000] if behaviour == "shorter meanwhile" else CONTENT
        server.honours_ranges = behaviour != "ignores ranges"
        server.honours_versions = behaviour != "shorter meanwhile"
        fetch(server, target, sha256=None)
        assert target.read_bytes() == new
        # A server that heeds If-Range sends the new version whole at once.
        assert len(server.requests) == (5 if behaviour == "shorter meanwhile" else 4)


def test_another_mirror_is_asked_for_the_whole_file(server: WeightsServer, target: Path) -> None:
    server.cuts = [200_000, 0, 0]
    with pytest.raises(InputError, match="ended after"):
        fetch(server, target)
    with WeightsServer({"a.pth": CONTENT}) as other:
        fetch(other, target)
        assert target.read_bytes() == CONTENT and ranges(other) == [None]


def test_every_step_forward_renews_the_patience(server: WeightsServer, target: Path) -> None:
    server.cuts = [40_000, 0, 0] * 3
    fetch(server, target, patience=Patience(timeout=5, attempts=4, backoff=0.001))
    assert target.read_bytes() == CONTENT and len(server.requests) == 10


def test_what_is_whole_already_needs_only_its_name(server: WeightsServer, target: Path) -> None:
    server.cuts = [299_999, 0, 0]
    with pytest.raises(InputError, match="ended after"):
        fetch(server, target)
    with (target.parent / "a.pth.partial").open("ab") as file:
        file.write(CONTENT[-1:])
    asked = len(server.requests)
    fetch(server, target)
    assert target.read_bytes() == CONTENT and len(server.requests) == asked


def test_a_server_that_mixes_versions_is_found_out_by_the_checksum(server: WeightsServer, target: Path) -> None:
    """It names no version, so the parts are put together in good faith; they do not fit, and all is fetched anew."""
    server.versioned = False
    server.files["a.pth"] = bytes(300_000)
    server.cuts = [200_000, 0, 0]
    with pytest.raises(InputError, match="ended after"):
        fetch(server, target)
    server.files["a.pth"] = CONTENT
    fetch(server, target)
    assert target.read_bytes() == CONTENT and ranges(server)[-2:] == ["bytes=200000-", None]


def test_another_version_than_asked_for_is_noticed_where_if_range_is_ignored(target: Path) -> None:
    with WeightsServer({"a.pth": bytes(300_000)}, honours_versions=False) as server:
        server.cuts = [200_000, 0, 0]
        with pytest.raises(InputError, match="ended after"):
            fetch(server, target, sha256=None)
        server.files["a.pth"] = CONTENT
        fetch(server, target, sha256=None)
        assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("offset", [None, 0, 150_000])
def test_a_damaged_partial_file_does_no_harm(offset: int | None, server: WeightsServer, target: Path) -> None:
    server.cuts = [200_000, 0, 0]
    with pytest.raises(InputError, match="ended after"):
        fetch(server, target)
    if offset is None:
        (target.parent / "a.pth.partial.json").write_text("{")
    else:
        with (target.parent / "a.pth.partial").open("r+b") as file:
            file.seek(offset)
            file.write(b"damage")
    fetch(server, target)
    assert target.read_bytes() == CONTENT and names(target) == ["a.pth"]


def test_busy_servers_are_asked_again(server: WeightsServer, target: Path) -> None:
    server.statuses = [503, 429]
    fetch(server, target)
    assert target.read_bytes() == CONTENT and len(server.requests) == 3


def test_redirections_are_followed_and_taken_up(server: WeightsServer, target: Path) -> None:
    server.redirects = {"/first.pth": f"{server.url}/a.pth"}
    server.cuts = [100_000]
    fetch_file(f"{server.url}/first.pth", target, what="it", sha256=SHA256, patience=QUICK)
    assert target.read_bytes() == CONTENT
    assert server.requests[2:] == [("/first.pth", "bytes=100000-"), ("/a.pth", "bytes=100000-")]


def test_a_length_that_is_not_told_is_no_obstacle(server: WeightsServer, target: Path) -> None:
    server.says_length = False
    fetch(server, target, size=len(CONTENT))
    assert target.read_bytes() == CONTENT


class Refusal(NamedTuple):
    """How the server behaves, what is known of the file, what is said, and how often it is asked."""

    behaviour: dict[str, Any]
    known: dict[str, Any]
    message: str
    requests: int


REFUSALS = {
    "no such file": Refusal({"files": {}}, {}, r"127\.0\.0\.1:\d+: the server has no such file \(HTTP 404\); try", 1),
    "forbidden": Refusal({"statuses": [403]}, {}, r"the server refuses it \(HTTP 403\)", 1),
    "broken": Refusal({"statuses": [500] * 9}, {}, r"the server is busy or broken \(HTTP 500\)", 3),
    "silent": Refusal({"cuts": [0] * 9}, {}, "the connection ended after 0 of 300000 bytes", 3),
    "web page": Refusal({"content_type": "text/html; charset=utf-8"}, {}, "a web page instead of the file", 1),
    "other size": Refusal({}, {"size": 299_999}, "it has 300000 bytes, not 299999, so nothing was kept", 1),
    "untold size": Refusal({"says_length": False}, {"size": 299_999}, "it has 300000 bytes, not 299999", 1),
    "checksum": Refusal({}, {"sha256": "0" * 64}, "its checksum is wrong .*, not 0000000000000000…., so nothing", 1),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_what_cannot_be_had_says_why_and_leaves_nothing(refusal: Refusal, server: WeightsServer, target: Path) -> None:
    for name, value in refusal.behaviour.items():
        setattr(server, name, value)
    with pytest.raises(InputError, match=refusal.message) as caught:
        fetch(server, target, **refusal.known)
    assert str(caught.value).startswith("the weights net:a cannot be fetched from 127.0.0.1")
    assert f"fetch {server.url}/a.pth by other means and put it at {target}" in str(caught.value)
    assert len(server.requests) == refusal.requests
    assert not target.exists() and not any(path.stat().st_size for path in target.parent.glob("*.partial"))


def test_no_network(target: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/a.pth"
    with pytest.raises(InputError, match=r"there is no connection \(Connection refused\); try again, or fetch http"):
        fetch_file(url, target, what="it", patience=QUICK)


def test_a_server_that_never_answers(target: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a.pth"
        with pytest.raises(InputError, match="the server does not answer"):
            fetch_file(url, target, what="it", patience=Patience(timeout=0.05, attempts=2, backoff=0.01))


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/a.pth", "a.pth"])
def test_other_addresses_than_web_ones_are_refused(url: str, target: Path) -> None:
    with pytest.raises(InputError, match="is no http:// or https:// one; correct MULTICAM_WEIGHTS_URL"):
        fetch_file(url, target, what="it")


def test_offline_says_which_file_to_put_where(
    server: WeightsServer, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = rf"downloads are off .*; fetch {server.url}/a\.pth by other means and put it at {target}$"
    with pytest.raises(InputError, match=message):
        fetch(server, target, offline=True)
    monkeypatch.setenv("MULTICAM_OFFLINE", "1")
    with pytest.raises(InputError, match=message):
        fetch(server, target)
    assert not server.requests and not target.parent.exists()
    assert fetch(server, target, offline=False) == target
    assert fetch(server, target) == target


@pytest.mark.parametrize(("value", "wanted"), [("1", True), ("yes", True), ("0", False), ("false", False), ("", False)])
def test_the_environment_says_whether_to_stay_offline(
    value: str, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MULTICAM_OFFLINE", value)
    assert offline_wanted() is wanted and offline_wanted(True) is True and offline_wanted(False) is False


def test_a_full_disk_is_seen_before_and_while_writing(
    server: WeightsServer, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(target.parents[2])
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=299_999))
        with pytest.raises(
            InputError, match=r"no room on the disk of .*weights, 0 MB are needed; free some, or set MULTI"
        ):
            fetch(server, target)
    assert names(target) == []

    class FullDisk:
        def __init__(self, file: Any) -> None:
            self.file = file

        def __enter__(self) -> FullDisk:
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def write(self, chunk: bytes) -> int:
            if self.file.tell() > 100_000:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return int(self.file.write(chunk))

    opened = Path.open

    def full(path: Path, mode: str = "r", *rest: Any, **named: Any) -> Any:
        file = opened(path, mode, *rest, **named)
        return FullDisk(file) if mode == "ab" else file

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(InputError, match="no room on the disk of"):
        fetch(server, target)
    assert names(target) == []


def test_a_cache_that_cannot_be_written_is_named(server: WeightsServer, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(InputError, match=r"cannot be kept in .*cache.*: .*; set MULTICAM_CACHE to a folder"):
        fetch(server, tmp_path / "cache" / "weights" / "a.pth")


def test_processes_that_want_the_same_file_fetch_it_once(server: WeightsServer, target: Path) -> None:
    server.stalls, server.stall = [150_000], 0.5
    code = (
        "from pathlib import Path; from reid_models.downloads import fetch_file;"
        f"fetch_file({server.url + '/a.pth'!r}, Path({str(target)!r}), what='it')"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [process.wait(30) for process in processes] == [0, 0, 0]
    assert target.read_bytes() == CONTENT and names(target) == ["a.pth", "a.pth.sha256"]
    assert ranges(server) == [None]


def test_where_locks_are_unknown_each_process_has_its_own_part(
    server: WeightsServer, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("reid_models.file_locks._lock", unsupported)
    server.cuts = [100_000, 0, 0]
    with pytest.raises(InputError, match="ended after"):
        fetch(server, target)
    assert f"a.pth.{os.getpid()}.partial" in names(target)
    fetch(server, target)
    assert target.read_bytes() == CONTENT and ranges(server)[-1] == "bytes=100000-"


def test_the_bar_goes_to_the_standard_error_and_only_when_wanted(
    server: WeightsServer, target: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    fetch(server, target)
    assert capfd.readouterr() == ("", "")
    target.unlink()
    fetch(server, target, progress=True)
    printed = capfd.readouterr()
    assert printed.out == "" and "Fetching the weights net:a" in printed.err
