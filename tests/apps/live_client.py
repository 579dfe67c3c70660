"""How the tests ask the live server: a made-up run behind a test client, or behind a server with a port of its own."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from apps.live_web import LiveServer, create_app
from tests.apps.live_fake_engine import FakeEngine

BASE = "http://127.0.0.1:8080"
SOCKET = "ws://127.0.0.1:8080/api/live"
#: what requests that change something must have
CHANGE = {"X-Requested-With": "multicam"}


@contextlib.contextmanager
def made_up_run(folder: Path, *, rate: float = 10.0, **options: Any) -> Iterator[FakeEngine]:
    """Yield a run in which everybody is known and kept already."""
    folder.mkdir(exist_ok=True)
    with FakeEngine(folder, head_start=3.0, rate=rate, **options) as engine:
        eventually(lambda: len(engine.present()["people"]) >= 3 and engine.status()["store"]["vectors"] >= 3)
        yield engine


@contextlib.contextmanager
def client_of(engine: FakeEngine, **options: Any) -> Iterator[TestClient]:
    """Yield a client of an application that serves the run."""
    app = create_app(engine, **options)
    with TestClient(app, base_url=BASE, follow_redirects=False, raise_server_exceptions=False) as client:
        yield client


@contextlib.contextmanager
def served(engine: FakeEngine, **options: Any) -> Iterator[LiveServer]:
    """Yield a server with a port of its own, and end it."""
    server = LiveServer(engine, port=0, **options)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started)
        yield server
    finally:
        server.stop()
        thread.join(15)
        assert not thread.is_alive(), "the server ends when it is told to"


def eventually(true: Callable[[], Any], seconds: float = 20.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


def refused(answer: Any, code: int, *fragments: str) -> None:
    """Assert that a request was refused as it should: the code, and one line that says what was wrong."""
    assert answer.status_code == code, answer.text
    said = answer.json()
    assert list(said) == ["detail"] and isinstance(said["detail"], str)
    assert said["detail"] and "\n" not in said["detail"]
    for fragment in fragments:
        assert fragment in said["detail"], said["detail"]
