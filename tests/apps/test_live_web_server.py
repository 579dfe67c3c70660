"""The server of ``multicam live`` as a whole: ports, tokens, what it prints and logs, and how it ends."""

from __future__ import annotations

import io
import json
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from websockets.sync.client import connect

from apps import live_connections, live_socket, live_web
from apps.live_engine import LiveEngine
from apps.live_settings import LiveSettings
from apps.live_web import LiveServer
from tests.apps.command import ROOT, ended, environment
from tests.apps.live_client import CHANGE, eventually, made_up_run, served
from tests.apps.live_fake_engine import FakeEngine
from tests.apps.live_scene import eyes
from tests.apps.scenes import CORRIDOR, HALL, write_scene
from tracker.errors import InputError

__all__ = ["eyes"]

TOKEN = "a-long-token_0123"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeEngine]:
    with made_up_run(tmp_path_factory.mktemp("live")) as run:
        yield run


def ask(url: str, method: str = "GET", body: Any = None, **headers: str) -> tuple[int, Any]:
    """Return the status of an answer, and what it says; nobody else's proxy is asked."""
    content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    kind = {"Content-Type": "image/jpeg" if isinstance(body, bytes) else "application/json"} if content else {}
    request = urllib.request.Request(url, content, {**CHANGE, **kind, **headers}, method=method)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            code, said = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        code, said = error.code, error.read()
    return code, json.loads(said) if said[:1] in (b"{", b"[") else said


def test_a_port_that_is_taken_is_one_line(engine: FakeEngine) -> None:
    with served(engine) as server:
        assert ask(f"{server.url}api/present")[0] == 200
        with pytest.raises(InputError, match=f"--port {server.port} cannot be had .*: choose another"):
            LiveServer(engine, port=server.port)
    # And it is free again at once.
    LiveServer(engine, port=server.port)._listener.close()


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        ({"port": 70_000}, "--port 70000 is none"),
        ({"port": -1}, "--port -1 is none"),
        ({"port": 0, "address": "no such name"}, "--address 'no such name' is no address"),
        ({"port": 0, "address": ""}, "--address '' is no address"),
        ({"port": 0, "address": "203.0.113.77"}, "--address 203.0.113.77 is not one of this machine's"),
        ({"port": 0, "token": "short"}, "--token is not 8 to 256 letters"),
        ({"port": 0, "token": "with a space in it"}, "--token"),
        ({"port": 0, "token": "ünïcödé-token"}, "--token"),
        ({"port": 0, "token": ""}, "--token"),
    ],
)
def test_what_cannot_be_listened_to(engine: FakeEngine, options: dict[str, Any], fragment: str) -> None:
    with pytest.raises(InputError) as refusal:
        LiveServer(engine, **options)
    assert fragment in str(refusal.value)


def test_beyond_this_machine_a_token_is_made_and_shown(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(engine, address="0.0.0.0") as server:
        assert server.made_token and server.token and len(server.token) >= 32
        assert server.url == f"http://127.0.0.1:{server.port}/?token={server.token}"
        base = f"http://127.0.0.1:{server.port}"
        assert ask(f"{base}/api/present")[0] == 401
        assert ask(f"{base}/api/present", Authorization=f"Bearer {server.token}")[0] == 200
        assert ask(f"{base}/api/present", Authorization=f"Bearer {server.token}", Host="evil.example")[0] == 400
    shown = io.StringIO()
    monkeypatch.setattr(LiveServer, "run", lambda self: self._listener.close())
    console = Console(file=shown, width=40)
    live_web.serve(engine, address="0.0.0.0", port=0, token=None, console=console)
    first, other, *_ = shown.getvalue().splitlines()
    assert first.startswith("Open http://127.0.0.1:") and "/?token=" in first
    assert other.startswith(f"From other machines: http://{socket.gethostname()}:") and "/?token=" in other
    shown.truncate(0)
    live_web.serve(engine, address="127.0.0.1", port=0, token=TOKEN, console=console)
    assert "Open http://127.0.0.1:" in shown.getvalue() and TOKEN not in shown.getvalue()


def test_no_token_is_logged(engine: FakeEngine, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), served(engine, token=TOKEN) as server:
        base = f"127.0.0.1:{server.port}"
        for place in (f"/?token={TOKEN}", f"/api/status?token={TOKEN}", f"/nothing?token={TOKEN}"):
            ask(f"http://{base}{place}")
        with connect(f"ws://{base}/api/live?token={TOKEN}", proxy=None) as live:
            assert json.loads(live.recv())["type"] == "present"
    ours = [record for record in caplog.records if not record.name.startswith("websockets.client")]
    assert TOKEN not in "\n".join(record.getMessage() for record in ours)


def test_a_run_that_ends_by_itself_ends_the_server(tmp_path: Path) -> None:
    with made_up_run(tmp_path / "run") as engine:
        server = LiveServer(engine, port=0)
        thread = threading.Thread(target=server.run)
        thread.start()
        eventually(lambda: server.started)
        engine.failure = "the disk is full: free some"
        thread.join(10)
        assert not thread.is_alive()


def test_a_page_that_reads_nothing_is_dropped(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_socket, "_PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(live_connections, "_CLOSING_SECONDS", 0.2)
    with served(engine) as server, socket.create_connection(("127.0.0.1", server.port)) as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lines = [
            "GET /api/live HTTP/1.1", f"Host: 127.0.0.1:{server.port}", "Upgrade: websocket", "Connection: Upgrade",
            "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", "",
        ]  # fmt: skip
        silent.sendall("\r\n".join(lines).encode())
        eventually(lambda: silent.recv(1, socket.MSG_PEEK))
        text = json.dumps({"type": "watch", "cameras": ["hall"], "width": 1920, "rate": 50}).encode()
        # Text, masked with zeros: the letters stay what they are.
        silent.sendall(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)
        connections = server._server.server_state.connections
        assert len(connections) == 1
        eventually(lambda: not connections, 15)
        # Others are served as before.
        assert ask(f"{server.url}api/present")[0] == 200


def test_connections_that_ask_nothing_are_closed(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_connections, "_HEADER_SECONDS", 0.5)
    with served(engine) as server:
        host = f"Host: 127.0.0.1:{server.port}\r\n".encode()
        for begun in (b"", b"GET /api/present HTTP/1.1\r\n", b"GET /api/present HTTP/1.1\r\n" + host + b"X-Slow: "):
            with socket.create_connection(("127.0.0.1", server.port), timeout=15) as idle:
                idle.sendall(begun)
                assert idle.recv(1) == b"", "closed without an answer"
        with socket.create_connection(("127.0.0.1", server.port), timeout=15) as patient:
            for _ in range(3):
                # Asked in two parts, and kept open between requests for longer than a header may take.
                patient.sendall(b"GET /api/docs HTTP/1.1\r\n")
                time.sleep(0.1)
                patient.sendall(host + b"\r\n")
                # Head and body may come apart.
                answer = b""
                while not answer.endswith(b"}"):
                    answer += patient.recv(65_536)
                assert answer.startswith(b"HTTP/1.1 404")
                time.sleep(0.7)
        with connect(f"ws://127.0.0.1:{server.port}/api/live", proxy=None) as live:
            time.sleep(0.7)
            assert json.loads(live.recv(timeout=10))["type"] == "present"


def test_open_sockets_do_not_hold_up_the_end(engine: FakeEngine) -> None:
    with served(engine) as server:
        live = connect(f"ws://127.0.0.1:{server.port}/api/live", proxy=None)
        live.send(json.dumps({"type": "watch", "cameras": ["hall"]}))
        began = time.monotonic()
    assert time.monotonic() - began < 10
    live.close()


def test_an_interrupt_ends_it_well(tmp_path: Path) -> None:
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "from tests.apps.live_fake_engine import main; main()"
    command = [sys.executable, "-c", code, "--port", "0", "--folder", str(tmp_path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with ended(subprocess.Popen(command, text=True, env=environment(), cwd=ROOT, **pipes)) as started:  # type: ignore[call-overload]
        assert started.stderr is not None
        url = started.stderr.readline().removeprefix("Open ").strip()
        assert started.stderr.readline() == "Ctrl-C ends it.\n"
        eventually(lambda: ask(f"{url}api/status")[0] == 200)
        started.send_signal(signal.SIGINT)
        out, err = started.communicate(timeout=60)
    assert (started.returncode, out, err) == (0, "", ""), "no traceback, no line of the libraries"


@pytest.mark.usefixtures("eyes")
def test_the_real_run_behind_the_server(tmp_path: Path) -> None:
    """Two recordings, a run of its own, the page's requests over the wire."""
    sources = [write_scene(tmp_path, "corridor", CORRIDOR, 80), write_scene(tmp_path, "hall", HALL, 100, rate=12.5)]
    settings = LiveSettings(
        sources=[str(source) for source in sources], store=tmp_path / "live.sqlite", realtime=False, crop_seconds=0.5,
        loop=True, pipeline={"identities": {"keep_history": False}},
    )  # fmt: skip
    with LiveEngine(settings) as engine, served(engine, token=TOKEN) as server:
        base, bearer = f"http://127.0.0.1:{server.port}", {"Authorization": f"Bearer {TOKEN}"}

        def get(place: str) -> Any:
            code, said = ask(base + place, **bearer)
            assert code == 200, said
            return said

        eventually(lambda: get("/api/people")["total"] >= 2 and get("/api/present")["people"], 60)
        status = get("/api/status")
        assert [camera["name"] for camera in status["cameras"]] == ["corridor", "hall"]
        assert status["processing"]["processed"] > 0 and status["processing"]["rule"]
        eventually(lambda: any(person["crop"] for person in get("/api/people")["people"]), 60)
        somebody = next(person for person in get("/api/people")["people"] if person["crop"])
        number = somebody["identity"]
        photo = get(f"/api/crops/{somebody['crop']}.jpg")
        with connect(f"ws://127.0.0.1:{server.port}/api/live?token={TOKEN}", proxy=None) as live:
            live.send(json.dumps({"type": "watch", "cameras": ["corridor", "hall"], "width": 320, "rate": 20}))
            kinds: set[str] = set()
            while not {"frame", "present", "status", "event"} <= kinds:
                message = json.loads(live.recv(timeout=30))
                kinds.add(message["type"])
                if message["type"] == "frame":
                    jpeg = live.recv(timeout=30)
                    assert isinstance(jpeg, bytes) and jpeg[:2] == b"\xff\xd8"
                    live.send(
                        json.dumps({"type": "seen", "camera": message["camera"], "sequence": message["sequence"]})
                    )
        eventually(lambda: get("/api/status")["store"]["vectors"] > 0, 60)
        code, found = ask(f"{base}/api/search?top=3", "POST", photo, **bearer)
        assert code == 200 and found["persons"][0]["answers"], found
        assert ask(f"{base}/api/people/{number}", "PATCH", {"name": "Ann"}, **bearer)[1]["name"] == "Ann"
        zone = {"name": "all", "camera": "hall", "polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}
        assert ask(f"{base}/api/zones", "PUT", {"zones": [zone]}, **bearer)[0] == 200
        eventually(lambda: get("/api/zones/counts")["zones"][0]["entered"] >= 1, 60)
        assert b"hall" in get("/api/zones/counts.csv")
        assert get(f"/api/people/{number}/path") == {"points": []}, "nothing is calibrated"
        assert ask(f"{base}/api/people/{number}", "DELETE", **bearer)[0] == 204
        assert ask(f"{base}/api/people/{number}", **bearer)[0] == 404
        assert ask(f"{base}/api/crops/{somebody['crop']}.jpg", **bearer)[0] == 404
        kinds = {event["kind"] for event in get("/api/events?limit=500")["events"]}
        assert {"identity_renamed", "identity_erased"} <= kinds
        assert ask(f"{base}/api/people/4711", "PATCH", {"name": "a"}, **bearer)[0] == 404
