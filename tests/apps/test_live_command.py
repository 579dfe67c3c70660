"""``multicam live`` as a person runs it: a process with cameras, a page, a store, and an end."""

from __future__ import annotations

import json
import signal
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.apps.command import Command, assert_one_line, ended, process, read_lines
from tests.apps.scenes import GREEN_YELLOW, RED_BLUE, Figure, write_scene
from tracker.storage.store_reader import StoreReader

TOKEN = "a-token-that-nobody-guesses"
#: a process that sees with the tests' eyes
EYES = """
from apps import build
from tests.apps.live_scene import HeadDetector, HueEmbedder
build.build_detector = lambda settings, cameras: HeadDetector()
build.build_embedder = lambda settings: HueEmbedder() if settings.attempts_identities else None
"""


@pytest.fixture
def film(tmp_path: Path) -> Path:
    figures = [Figure(RED_BLUE, (10, 40), 1.0), Figure(GREEN_YELLOW, (80, 40), 1.0)]
    return write_scene(tmp_path, "hall", figures, 40)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def ask(port: int, path: str, token: str = TOKEN) -> Any:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def answer_of(port: int, path: str, wanted: Any, seconds: float = 180.0) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = ask(port, path)
            if wanted(found):
                return found
        except (urllib.error.URLError, ConnectionError):
            pass
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.1)


def test_it_runs_until_it_is_stopped_and_knows_everybody_the_next_time(film: Path, tmp_path: Path) -> None:
    port, store, events = free_port(), tmp_path / "shop.sqlite", tmp_path / "events.jsonl"
    run = process("live", film, "--loop", "--port", port, "--token", TOKEN, "--store", store, "--events", events,
                  patch=EYES)  # fmt: skip
    with ended(run):
        present = answer_of(port, "/api/present", lambda found: len(found["people"]) == 2)
        assert {one["identity"] for one in present["people"]} == {1, 2}
        with pytest.raises(urllib.error.HTTPError, match="401"):
            ask(port, "/api/present", token="another")
        run.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, said = run.communicate(timeout=30)
        assert time.monotonic() - began < 15
    assert run.returncode == 0 and "Traceback" not in said and TOKEN not in said, said
    assert {line["kind"] for line in read_lines(events)} >= {"camera_state", "track_started", "identity_assigned"}
    with StoreReader(store) as opened:
        assert [person.number for person in opened.people()] == [1, 2]
        assert opened.names() == {} and opened.summary().next_number == 3


def test_a_kill_loses_a_second_at_most_and_the_next_run_goes_on(film: Path, tmp_path: Path) -> None:
    port, store = free_port(), tmp_path / "shop.sqlite"
    arguments = ("live", film, "--loop", "--port", port, "--token", TOKEN, "--store", store)
    run = process(*arguments, patch=EYES)
    with ended(run):
        answer_of(port, "/api/present", lambda found: len(found["people"]) == 2)
        time.sleep(1.5)
        run.kill()
        killed = time.time()
        run.communicate(timeout=30)
    with StoreReader(store) as opened:
        assert {person.number for person in opened.people()} == {1, 2}
        # One box a second is kept, and what is older than a second is there.
        assert max(person.last_seen or 0 for person in opened.people()) > killed - 8
    run = process(*arguments, patch=EYES)
    with ended(run):
        answer_of(port, "/api/present", lambda found: {one["identity"] for one in found["people"]} == {1, 2})
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=30)
    assert run.returncode == 0, "as when interrupted"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.mp4"], ["nowhere.mp4"]),
        (["{film}", "--detector", "mot:x"], ["--detector mot:x", "give a model"]),
        (["{film}", "--tracker", "magic"], ["magic"]),
        (["{film}", "--keep-days", "0"], ["--keep-days is 0"]),
        (["{film}", "--embedding", "now"], ["--embedding is 'now'", "where-needed or every"]),
        (["{film}", "--zones", "{film}"], ["hall.mp4"]),
        (["{film}", "--events", "{folder}/none/e.jsonl"], ["e.jsonl", "folder"]),
        (["{film}", "--store", "{folder}"], ["is a folder"]),
        (["{film}", "--port", "0", "--open"], ["--open", "--port 0"]),
    ],
)
def test_what_cannot_be_is_one_line(
    multicam: Command, film: Path, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    filled = [one.format(film=film, folder=tmp_path) for one in arguments]
    store = [] if "--store" in filled else ["--store", tmp_path / "new.sqlite"]
    outcome = multicam("live", *filled, *store, "--quiet", "--embedder", "none", "--detector", "yolo11n_room",
                       *(filled[1:] if "--detector" in filled else []))  # fmt: skip
    assert_one_line(outcome, *words)
