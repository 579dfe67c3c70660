"""The API of ``multicam live``, with a made-up run and a real store behind it."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from tests.apps.live_client import CHANGE, client_of, eventually, made_up_run, refused
from tests.apps.live_fake_engine import FakeEngine
from tests.apps.live_fake_world import CAMERAS
from tracker.errors import InputError
from tracker.storage.store_reader import StoreReader

TILL = {"name": "till", "camera": "till", "polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}
DOOR = {"name": "door", "camera": "hall", "from": [0.5, 0], "to": [0.5, 1]}
FLOOR = {"name": "all", "polygon": [[0, 0], [12, 0], [12, 5], [0, 5]]}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeEngine]:
    with made_up_run(tmp_path_factory.mktemp("live")) as run:
        yield run


@pytest.fixture(scope="module")
def client(engine: FakeEngine) -> Iterator[TestClient]:
    with client_of(engine) as made:
        yield made


def present(client: TestClient) -> list[int]:
    return [person["identity"] for person in client.get("/api/present").json()["people"]]


def picture(answer: Any) -> np.ndarray:
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/jpeg"
    image = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


def test_the_page_has_all_that_it_asks_for(client: TestClient) -> None:
    texts = {"/": client.get("/").text}
    waiting = re.findall(r'(?:src|href)="/?(static/[^"]+)"', texts["/"])
    assert any(name.endswith(".js") for name in waiting) and any(name.endswith(".css") for name in waiting)
    while waiting:
        name = waiting.pop()
        if name not in texts:
            answer = client.get(f"/{name}")
            assert answer.status_code == 200, name
            texts[name] = answer.text
            waiting += [f"static/{one}" for one in re.findall(r'from "\./([\w.]+)"', answer.text)]
    assert len(texts) > 20
    assert not re.search(r"<script(?! [^>]*src=)|<style| style=| on\w+=", texts["/"]), "what the policy forbids"


def test_status_says_how_everything_is(client: TestClient, engine: FakeEngine) -> None:
    said = client.get("/api/status").json()
    assert set(said) == set(engine.status())
    assert [camera["name"] for camera in said["cameras"]] == list(CAMERAS)
    assert all(set(camera) == set(engine.status()["cameras"][0]) for camera in said["cameras"])
    assert {camera["phase"] for camera in said["cameras"]} == {"running"}
    assert said["store"]["people"] >= 3 and said["floor"]["bounds"] == [0, 0, 12, 5]


def test_a_camera_that_is_away_is_said_to_be(client: TestClient, engine: FakeEngine) -> None:
    engine.down("hall")
    phases = {camera["name"]: camera["phase"] for camera in client.get("/api/status").json()["cameras"]}
    assert phases == {"entrance": "running", "hall": "reconnecting", "till": "running"}
    engine.up("hall")
    hall = client.get("/api/status").json()["cameras"][1]
    assert hall["phase"] == "running" and hall["reconnects"] == 1


def test_infinite_figures_are_null(client: TestClient, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    status = engine.status()
    status["processing"]["latency_seconds"] = math.inf
    monkeypatch.setattr(engine, "status", lambda: status)
    answer = client.get("/api/status")
    assert answer.status_code == 200
    assert json.loads(answer.text, parse_constant=pytest.fail)["processing"]["latency_seconds"] is None


def test_pictures_of_cameras(client: TestClient) -> None:
    answer = client.get("/api/cameras/hall/frame.jpg")
    assert picture(answer).shape == (360, 640, 3) and answer.headers["cache-control"] == "no-store"
    assert picture(client.get("/api/cameras/till/frame.jpg?width=240")).shape == (320, 240, 3)
    assert picture(client.get("/api/cameras/till/frame.jpg?width=8000")).shape == (640, 480, 3)
    refused(client.get("/api/cameras/attic/frame.jpg"), 404, "camera 'attic' is not there")
    refused(client.get("/api/cameras/..%2f..%2fetc/frame.jpg"), 404)
    refused(client.get("/api/cameras/hall/frame.jpg?width=0"), 422, "width: input should be greater than or equal to")
    refused(client.get("/api/cameras/hall/frame.jpg?width=wide"), 422, "width")


def test_a_camera_without_a_picture_yet(
    client: TestClient, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "view", lambda camera: None)
    refused(client.get("/api/cameras/hall/frame.jpg"), 404, "camera 'hall' has shown nothing yet")


def test_present_people_and_their_pictures(client: TestClient) -> None:
    people = client.get("/api/present").json()["people"]
    assert len(people) >= 3
    assert set(people[0]) == {"identity", "name", "cameras", "since", "last_seen", "crop"}
    crops = [person["crop"] for person in people if person["crop"]]
    assert crops
    assert min(picture(client.get(f"/api/crops/{crops[0]}.jpg")).shape[:2]) > 20
    refused(client.get("/api/crops/999999.jpg"), 404, "picture 999999 is not there")
    for number in ("0", "-1", "a", "1e9", str(2**63), "9" * 5000):
        refused(client.get(f"/api/crops/{number}.jpg"), 422, "crop: ")
    refused(client.get("/api/crops/..%2f1.jpg"), 404)


def test_people_are_listed_by_when_they_were_seen(client: TestClient, engine: FakeEngine) -> None:
    eventually(lambda: client.get("/api/people").json()["total"] == 5)
    said = client.get("/api/people?limit=500").json()
    with StoreReader(engine.store_path) as store:
        stored = {person.number: person for person in store.people()}
    assert {person["identity"] for person in said["people"]} == set(stored)
    last = [person["last_seen"] for person in said["people"]]
    assert last == sorted(last, reverse=True)

    def identities(query: str) -> list[int]:
        return [person["identity"] for person in client.get(f"/api/people?{query}").json()["people"]]

    # Who was seen last changes between requests now and then.
    eventually(lambda: identities("limit=5") == [*identities("limit=2"), *identities("limit=3&offset=2")])
    assert client.get("/api/people?offset=5").json() == {"total": 5, "people": []}
    here = present(client)
    assert {person["identity"] for person in client.get("/api/people").json()["people"] if person["present"]} <= set(
        here
    )


def test_people_are_found_by_name_and_number(client: TestClient) -> None:
    number = present(client)[0]
    assert client.patch(f"/api/people/{number}", json={"name": "Zoë Ünal 100%"}, headers=CHANGE).status_code == 200

    def found(query: str) -> list[int]:
        return [person["identity"] for person in client.get("/api/people", params={"query": query}).json()["people"]]

    assert found("zoë") == found("ÜNAL") == found("100%") == found("  zoë   ü") == [number]
    assert found(str(number)) == [number]
    assert found("zoe") == found("' OR 1=1 --") == found("_") == []
    assert found("%") == [number], "a sign like any other"
    refused(client.get("/api/people", params={"query": "x" * 201}), 422, "query: ")


@pytest.mark.parametrize("query", ["limit=501", "limit=0", "limit=x", "offset=-1", f"offset={2**70}"])
def test_impossible_parts_of_lists(client: TestClient, query: str) -> None:
    refused(client.get(f"/api/people?{query}"), 422, query.partition("=")[0])


def test_a_person_has_sightings_crops_and_a_path(client: TestClient) -> None:
    number = present(client)[0]
    said = client.get(f"/api/people/{number}").json()
    assert said["identity"] == number and said["present"] is True
    assert said["sightings_total"] == len(said["sightings"]) >= 1
    assert said["crops_total"] == len(said["crops"]) >= 1
    assert set(said["sightings"][0]) == {"camera", "track", "start", "end"}
    times = [crop["time"] for crop in said["crops"]]
    assert times == sorted(times, reverse=True)
    assert said["crop"] in [crop["id"] for crop in said["crops"]]
    points = client.get(f"/api/people/{number}/path?hours=1").json()["points"]
    assert len(points) >= 2 and points == sorted(points)
    assert all(0 <= x <= 12 and 0 <= y <= 5 for _, x, y in points)


@pytest.mark.parametrize("way", ["", "/path"])
def test_people_who_are_not_there(client: TestClient, way: str) -> None:
    refused(client.get(f"/api/people/4711{way}"), 404, "identity 4711 is not in the store")
    for number in ("0", "-5", "1.5", "x", str(2**64), "%00"):
        refused(client.get(f"/api/people/{number}{way}"), 422, "identity: ")


def test_long_paths_are_thinned(client: TestClient, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    way = [[float(step), 0.5 * step, 1.0] for step in range(12_345)]
    monkeypatch.setattr(engine, "floor_path", lambda identity, since: way)
    points = client.get(f"/api/people/{present(client)[0]}/path").json()["points"]
    assert 1000 < len(points) <= 2000
    assert points[0] == way[0] and points[-1] == way[-1]
    monkeypatch.setattr(engine, "floor_path", lambda identity, since: way[:2000])
    assert len(client.get(f"/api/people/{present(client)[0]}/path").json()["points"]) <= 2000
    for hours in ("0", "-1", "nan", "inf", "1e9"):
        refused(client.get(f"/api/people/1/path?hours={hours}"), 422, "hours")


def test_names_are_given_and_taken_away(client: TestClient) -> None:
    number = present(client)[0]
    name = '<img src=x onerror="alert(1)"> 山田'
    assert client.patch(f"/api/people/{number}", json={"name": name}, headers=CHANGE).json()["name"] == name
    assert client.get(f"/api/people/{number}").json()["name"] == name
    assert name in [person["name"] for person in client.get("/api/present").json()["people"]]
    assert client.patch(f"/api/people/{number}", json={"name": None}, headers=CHANGE).json()["name"] is None
    refused(client.patch("/api/people/4711", json={"name": "a"}, headers=CHANGE), 404, "4711")
    bad: list[Any] = [{}, {"name": 5}, {"name": "x" * 101}, {"name": "a", "more": 1}, [], "a", None]
    for body in bad:
        refused(client.patch(f"/api/people/{number}", json=body, headers=CHANGE), 422)
    refused(client.patch(f"/api/people/{number}", json={"name": "a\x00b"}, headers=CHANGE), 422, "the name")
    surrogate = client.patch(
        f"/api/people/{number}", content=b'{"name":"\\ud800"}', headers=CHANGE | {"Content-Type": "application/json"}
    )
    refused(surrogate, 422, "name: ")


def test_merging_keeps_one_number(client: TestClient, engine: FakeEngine) -> None:
    kept, gone = sorted(present(client))[:2]
    before = [client.get(f"/api/people/{number}").json()["sightings_total"] for number in (kept, gone)]
    said = client.post(f"/api/people/{gone}/merge", json={"into": kept}, headers=CHANGE).json()
    assert said["identity"] == kept and said["sightings_total"] >= sum(before)
    refused(client.get(f"/api/people/{gone}"), 404, f"identity {gone} has become identity {kept}")
    refused(client.post(f"/api/people/{gone}/merge", json={"into": kept}, headers=CHANGE), 404, "has become")
    refused(client.post(f"/api/people/{kept}/merge", json={"into": kept}, headers=CHANGE), 422, "with itself")
    refused(client.post(f"/api/people/{kept}/merge", json={"into": 4711}, headers=CHANGE), 404, "4711")
    assert gone not in present(client)
    assert any(
        event["kind"] == "identities_merged" and event["previous_identity"] == gone
        for event in client.get("/api/events").json()["events"]
    )


def test_splitting_gives_a_new_number(client: TestClient) -> None:
    number = present(client)[0]
    seen = client.get(f"/api/people/{number}").json()["sightings"][0]
    ask = {"camera": seen["camera"], "start": seen["start"], "end": seen["end"]}
    new = client.post(f"/api/people/{number}/split", json=ask, headers=CHANGE).json()["identity"]
    assert new != number
    assert client.get(f"/api/people/{new}").json()["cameras"] == [seen["camera"]]
    for wrong in ({**ask, "camera": "attic"}, {**ask, "start": 1.0, "end": 2.0}):
        refused(client.post(f"/api/people/{new}/split", json=wrong, headers=CHANGE), 422, "was not seen")
    refused(client.post(f"/api/people/{new}/split", json={**ask, "end": 0}, headers=CHANGE), 422, "end: is before")
    refused(client.post(f"/api/people/{new}/split", json={"camera": "hall"}, headers=CHANGE), 422, "start: ")
    infinite = json.dumps({**ask, "end": math.inf})
    headers = CHANGE | {"Content-Type": "application/json"}
    refused(client.post(f"/api/people/{new}/split", content=infinite, headers=headers), 422, "end: ")


def test_erasing_leaves_nothing(client: TestClient) -> None:
    crops = {number: client.get(f"/api/people/{number}").json()["crops"] for number in present(client)}
    number = next(number for number, kept in crops.items() if kept)
    crop = crops[number][0]["id"]
    answer = client.delete(f"/api/people/{number}", headers=CHANGE)
    assert (answer.status_code, answer.content) == (204, b"")
    refused(client.get(f"/api/people/{number}"), 404, "was erased")
    refused(client.get(f"/api/crops/{crop}.jpg"), 404)
    refused(client.delete(f"/api/people/{number}", headers=CHANGE), 404, "was erased")
    assert number not in present(client)


def test_zones_are_drawn_counted_and_taken_away(client: TestClient, engine: FakeEngine) -> None:
    document = {"zones": [TILL, FLOOR], "lines": [DOOR]}
    said = client.put("/api/zones", json=document, headers=CHANGE)
    assert said.status_code == 200 and said.json() == client.get("/api/zones").json()
    assert [zone["name"] for zone in said.json()["zones"]] == ["till", "all"]
    assert said.json()["zones"][1]["camera"] is None and said.json()["lines"][0]["from"] == [0.5, 0]

    def entered() -> int:
        zones = {zone["name"]: zone for zone in client.get("/api/zones/counts").json()["zones"]}
        return int(zones["all"]["entered"])

    eventually(lambda: entered() >= 1)
    counts = client.get("/api/zones/counts").json()
    assert set(counts["zones"][0]) == {"name", "camera", "occupancy", "entered", "left", "dwell_mean"}
    assert set(counts["lines"][0]) == {"name", "camera", "forward", "backward"}
    table = client.get("/api/zones/visits.csv")
    assert table.headers["content-disposition"] == 'attachment; filename="visits.csv"'
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert {row["zone"] for row in rows} <= {"till", "all"} and len(rows) >= entered() - 1 >= 0
    rows = list(csv.DictReader(io.StringIO(client.get("/api/zones/counts.csv?interval=5").text)))
    assert {row["place"] for row in rows} == {"till", "all", "door"}
    assert client.put("/api/zones", json={}, headers=CHANGE).json() == {"zones": [], "lines": []}
    assert engine.zones().places == ()
    assert client.get("/api/zones/counts").json()["zones"] == []


@pytest.mark.parametrize(
    ("document", "fragment"),
    [
        ({"zones": [{**TILL, "camera": "tell"}]}, "did you mean 'till'"),
        ({"zones": [{**TILL, "polygon": [[0, 0], [1, 1]]}]}, "2 corners"),
        ({"zones": [{**TILL, "polygon": [[0, 0], [2, 0], [1, 1]]}]}, "not in the image"),
        ({"zones": [{**TILL, "polygon": [[0, 0], [1, 1], [1, 0], [0, 1]]}]}, "till"),
        ({"zones": [{**TILL, "polygon": [[0], [1, 1], [1, 0]]}]}, "zones 1 polygon 1"),
        ({"zones": [{**TILL, "polygon": [["a", 0], [1, 1], [1, 0]]}]}, "polygon 1 1"),
        ({"zones": [{**TILL, "name": ""}]}, "name"),
        ({"zones": [{**TILL, "name": "a\nb"}]}, "name"),
        ({"zones": [TILL, TILL]}, "two zones or lines are called 'till'"),
        ({"zones": [{**TILL, "colour": "red"}]}, "colour"),
        ({"lines": [{**DOOR, "to": [0.5, 0]}]}, "two points are one"),
        ({"lines": [{"name": "door", "camera": "hall", "from": [0, 0]}]}, "to: "),
        ({"zones": {}}, "zones: "),
        ({"zone": []}, "zone: "),
        ({"zones": [TILL] * 1001}, "zones: "),
        ([], "the body"),
        ("zones", "the body"),
    ],
)
def test_zones_that_cannot_be(client: TestClient, document: Any, fragment: str) -> None:
    before = client.get("/api/zones").json()
    refused(client.put("/api/zones", json=document, headers=CHANGE), 422, fragment)
    assert client.get("/api/zones").json() == before


def test_bodies_that_are_no_json(client: TestClient) -> None:
    headers = CHANGE | {"Content-Type": "application/json"}
    for content in (b"", b"{", b"\xff\xfe", b"NaN", b"[" * 100_000, b'{"zones":' * 50_000, b"1" * 10_000):
        answer = client.put("/api/zones", content=content, headers=headers)
        assert answer.status_code in (400, 422)
        refused(answer, answer.status_code)
    refused(client.put("/api/zones", content=b"{}", headers=CHANGE), 422, "Content-Type: application/json")


def test_formulas_stay_text_in_tables(client: TestClient) -> None:
    zone = {**FLOOR, "name": "=1+2"}
    client.put("/api/zones", json={"zones": [zone]}, headers=CHANGE)
    rows = list(csv.DictReader(io.StringIO(client.get("/api/zones/counts.csv").text)))
    assert {row["place"] for row in rows} == {"'=1+2"}
    client.put("/api/zones", json={}, headers=CHANGE)
    for interval in ("0", "-1", "nan", "inf", "x"):
        refused(client.get(f"/api/zones/counts.csv?interval={interval}"), 422, "interval")


def test_events_newest_last(client: TestClient) -> None:
    events = client.get("/api/events?limit=3").json()["events"]
    assert len(events) == 3 and all(None not in event.values() for event in events)
    refused(client.get("/api/events?limit=501"), 422, "limit")


def test_a_store_that_is_away_is_said_without_its_path(
    client: TestClient, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(engine, "store_path", tmp_path / "gone.sqlite")
    for way in ("/api/people", "/api/people/1", "/api/crops/1.jpg"):
        answer = client.get(way)
        refused(answer, 503, "the store cannot be read")
        assert str(tmp_path) not in answer.text

    def away() -> Any:
        raise InputError(f"there is no store {tmp_path}: give another")

    monkeypatch.setattr(engine, "present", away)
    answer = client.get("/api/present")
    refused(answer, 503, "the store cannot be read")
    assert str(tmp_path) not in answer.text
