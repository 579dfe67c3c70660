"""The socket of ``multicam live``: what a page is sent, how fast, and what becomes of one that does not keep up."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from apps import live_hub, live_socket
from tests.apps.live_client import CHANGE, SOCKET, client_of, made_up_run
from tests.apps.live_fake_engine import FakeEngine
from tests.apps.live_fake_world import CAMERAS


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeEngine]:
    with made_up_run(tmp_path_factory.mktemp("live")) as run:
        yield run


@pytest.fixture(scope="module")
def client(engine: FakeEngine) -> Iterator[TestClient]:
    with client_of(engine) as made:
        yield made


class Page:
    """An open page: keeps what it was told, and says that it has seen pictures only when it is asked to."""

    def __init__(self, live: WebSocketTestSession) -> None:
        self.live = live
        self.told: list[dict[str, Any]] = []

    def watch(self, *cameras: str, width: int = 640, rate: float = 50.0) -> None:
        self.live.send_json({"type": "watch", "cameras": cameras, "width": width, "rate": rate})

    def seen(self, frame: dict[str, Any]) -> None:
        self.live.send_json({"type": "seen", "camera": frame["camera"], "sequence": frame["sequence"]})

    def next(self, kind: str) -> dict[str, Any]:
        """Return the next message of a kind; frames come with their picture."""
        while True:
            message: dict[str, Any] = json.loads(self.live.receive_text(), parse_constant=pytest.fail)
            self.told.append(message)
            if message["type"] == "frame":
                # Nothing may come between a frame and its picture.
                message["jpeg"] = self.live.receive_bytes()
            if message["type"] == kind:
                return message

    def during(self, seconds: float) -> list[dict[str, Any]]:
        """Return what comes within so many seconds; something always does, as people move on the floor."""
        end, before = time.monotonic() + seconds, len(self.told)
        while time.monotonic() < end:
            self.next("floor")
        return self.told[before:]


@pytest.fixture
def page(client: TestClient) -> Iterator[Page]:
    with client.websocket_connect(SOCKET) as live:
        yield Page(live)


def test_a_page_is_told_at_once_how_everything_is(page: Page, client: TestClient, engine: FakeEngine) -> None:
    assert {json.loads(page.live.receive_text())["type"] for _ in range(3)} == {"present", "status", "floor"}
    status, asked = page.next("status"), client.get("/api/status").json()
    assert set(status) == {*asked, "type"}
    assert [camera["name"] for camera in status["cameras"]] == list(CAMERAS)
    present = page.next("present")
    assert set(present) == {"type", "time", "people"} and len(present["people"]) >= 3
    track, identity, x, y = page.next("floor")["people"][0]
    assert track >= 1 and identity >= 1 and 0 <= x <= 12 and 0 <= y <= 5


def test_frames_come_with_their_pictures_and_boxes(page: Page) -> None:
    page.watch("hall", "till", width=300)
    cameras = set()
    for _ in range(6):
        frame = page.next("frame")
        width, height = CAMERAS[frame["camera"]]
        assert frame["size"] == [width, height]
        image = cv2.imdecode(np.frombuffer(frame["jpeg"], np.uint8), cv2.IMREAD_COLOR)
        assert image is not None and image.shape[1] == 320, "the next width that pictures are made in"
        for x1, y1, x2, y2, track, identity, name in frame["boxes"]:
            assert x1 < x2 and y1 < y2 and track >= 1 and identity >= 0 and (name is None or isinstance(name, str))
        cameras.add(frame["camera"])
        page.seen(frame)
    assert cameras == {"hall", "till"}


def test_no_frame_without_being_asked_for(page: Page) -> None:
    assert not [message for message in page.during(0.6) if message["type"] == "frame"]
    page.watch("hall")
    page.seen(page.next("frame"))
    page.watch()
    page.next("floor")
    page.during(0.3)
    assert not [message for message in page.during(0.6) if message["type"] == "frame"]


def test_the_next_frame_waits_until_the_last_was_seen(page: Page) -> None:
    page.watch("hall")
    first = page.next("frame")
    assert not [message for message in page.during(0.8) if message["type"] == "frame"]
    # Another number is not the one that was sent.
    page.live.send_json({"type": "seen", "camera": "hall", "sequence": first["sequence"] - 1})
    page.live.send_json({"type": "seen", "camera": "attic", "sequence": first["sequence"]})
    assert not [message for message in page.during(0.4) if message["type"] == "frame"]
    page.seen(first)
    second = page.next("frame")
    assert second["sequence"] > first["sequence"] + 1, "the newest, and none of those in between"


def test_no_more_frames_than_asked_for(page: Page) -> None:
    page.watch("hall", rate=2.0)
    times = []
    for _ in range(3):
        page.seen(page.next("frame"))
        times.append(time.monotonic())
    assert times[2] - times[0] >= 0.9


def test_pictures_are_made_once_for_all_pages(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[int, int | None]] = []
    kept: list[np.ndarray] = []

    def counted(image: np.ndarray, width: int | None = None) -> bytes:
        # As long as a picture is kept no other has its number.
        kept.append(image)
        made.append((id(image), width))
        return encode(image, width)

    encode = live_hub.encode_jpeg
    monkeypatch.setattr(live_hub, "encode_jpeg", counted)
    with client.websocket_connect(SOCKET) as one, client.websocket_connect(SOCKET) as other:
        pages = [Page(one), Page(other)]
        for page, width in zip(pages, (200, 240)):
            page.watch("hall", width=width)
        shown: list[dict[int, bytes]] = [{}, {}]
        for _ in range(5):
            for page, frames in zip(pages, shown):
                frame = page.next("frame")
                frames[frame["sequence"]] = frame["jpeg"]
                page.seen(frame)
        both = set(shown[0]) & set(shown[1])
        assert both and all(shown[0][number] == shown[1][number] for number in both)
    assert len(made) == len(set(made)), "no picture is made twice"


def test_events_reach_every_page(client: TestClient, engine: FakeEngine) -> None:
    with client.websocket_connect(SOCKET) as one, client.websocket_connect(SOCKET) as other:
        pages = [Page(one), Page(other)]
        for page in pages:
            page.next("present")
        number = client.get("/api/present").json()["people"][0]["identity"]
        client.patch(f"/api/people/{number}", json={"name": "Ann"}, headers=CHANGE)
        for page in pages:
            while (event := page.next("event"))["kind"] != "identity_renamed":
                pass
            assert event["identity"] == number and None not in event.values()
            while number not in {one["identity"] for one in page.next("present")["people"] if one["name"] == "Ann"}:
                pass


def test_counts_come_while_there_are_zones(page: Page, client: TestClient) -> None:
    assert not [message for message in page.during(2.2) if message["type"] == "counts"]
    zone = {"name": "all", "camera": "hall", "polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}
    client.put("/api/zones", json={"zones": [zone]}, headers=CHANGE)
    assert [zone["name"] for zone in page.next("counts")["zones"]] == ["all"]
    client.put("/api/zones", json={}, headers=CHANGE)
    while page.next("counts")["zones"]:
        pass


@pytest.mark.parametrize(
    "said",
    [
        "", "x", "{}", "[]", "null", '{"type":"watch"}', '{"type":"watch","cameras":"hall"}', '{"type":"stop"}',
        '{"type":"watch","cameras":["hall"],"rate":0}', '{"type":"watch","cameras":["hall"],"width":-1}',
        '{"type":"watch","cameras":["hall"],"rate":NaN}', '{"type":"seen","camera":"hall","sequence":"x"}',
        '{"type":"watch","cameras":["hall"],"more":1}', '{"type":"seen","camera":"hall"}', "[" * 5000, b"bytes",
    ],
)  # fmt: skip
def test_what_is_not_understood_closes_the_socket(page: Page, said: str | bytes) -> None:
    if isinstance(said, bytes):
        page.live.send_bytes(said)
    else:
        page.live.send_text(said)
    with pytest.raises(WebSocketDisconnect) as end:
        page.next("nothing of this kind")
    assert end.value.code == 1003


def test_cameras_that_are_not_there_are_passed_over(page: Page) -> None:
    page.watch("attic", "hall")
    assert page.next("frame")["camera"] == "hall"


def test_who_does_not_say_what_was_seen_is_dropped(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_socket, "_PATIENCE_SECONDS", 0.5)
    page.watch("hall")
    page.next("frame")
    with pytest.raises(WebSocketDisconnect) as end:
        page.next("nothing of this kind")
    assert end.value.code == 1013


def test_more_pages_than_can_be_served_are_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_socket, "_MOST_PAGES", 1)
    with client.websocket_connect(SOCKET) as first:
        Page(first).next("status")
        with client.websocket_connect(SOCKET) as second, pytest.raises(WebSocketDisconnect) as end:
            second.receive_text()
        assert end.value.code == 1013


def test_a_run_that_cannot_be_asked_for_a_while_does_not_end_sockets(
    page: Page, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.next("status")
    monkeypatch.setattr(live_hub, "_PAUSE_SECONDS", 0.05)
    with monkeypatch.context() as broken:
        for name in ("status", "present", "floor", "counts", "wait_events"):
            broken.setattr(engine, name, lambda *arguments: 1 / 0)
        time.sleep(0.5)
    page.next("status")
    page.next("floor")


def test_nothing_is_read_for_nobody(client: TestClient, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    wait_view, status = engine.wait_view, engine.status
    monkeypatch.setattr(engine, "wait_view", lambda *given: (asked.append("view"), wait_view(*given))[1])
    monkeypatch.setattr(engine, "status", lambda: (asked.append("status"), status())[1])
    with client.websocket_connect(SOCKET) as live:
        page = Page(live)
        page.watch("hall")
        page.seen(page.next("frame"))
    assert {"view", "status"} <= set(asked)
    time.sleep(1.2)
    asked.clear()
    time.sleep(0.8)
    assert asked == []
