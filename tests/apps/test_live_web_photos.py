"""Search by photo in ``multicam live``: good pictures of all kinds, and what is sent by mistake or on purpose."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from apps import live_search_routes
from apps.live_pictures import PhotoError, decode_photo, encode_jpeg, photo_kind, photo_size
from benchmarks.live_fuzz_photos import broken_photos, good_photos, png_that_claims
from tests.apps.live_client import CHANGE, client_of, made_up_run, refused
from tests.apps.live_fake_engine import FakeEngine

GOOD = {photo.way: photo for photo in good_photos()}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeEngine]:
    with made_up_run(tmp_path_factory.mktemp("live"), rate=4.0) as run:
        yield run


@pytest.fixture(scope="module")
def client(engine: FakeEngine) -> Iterator[TestClient]:
    with client_of(engine) as made:
        yield made


def sent(client: TestClient, content: Any, kind: str = "image/jpeg", query: str = "") -> Any:
    return client.post(f"/api/search{query}", content=content, headers={**CHANGE, "Content-Type": kind})


def crop_of_somebody(engine: FakeEngine) -> tuple[int, bytes]:
    """Return somebody in view, and a picture of them."""
    for camera in engine.camera_names:
        view = engine.view(camera)
        assert view is not None
        for *box, _, identity, _ in view.boxes:
            x1, y1, x2, y2 = (max(round(value), 0) for value in box)
            if identity:
                return identity, encode_jpeg(view.image[y1:y2, x1:x2])
    raise AssertionError("nobody is in view")


@pytest.mark.parametrize("way", GOOD)
def test_pictures_of_all_kinds_are_decoded(way: str) -> None:
    photo = GOOD[way]
    image = decode_photo(photo.content)
    assert image.dtype == np.uint8 and image.flags.c_contiguous
    assert image.shape == ((32, 48, 3) if way == "jpeg, turned" else (48, 32, 3))
    assert f"image/{str(photo_kind(photo.content)).lower()}" == photo.kind
    assert photo_size(photo.content) == (32, 48)
    if way == "png":
        plain = cv2.imdecode(np.frombuffer(photo.content, np.uint8), cv2.IMREAD_COLOR)
        np.testing.assert_array_equal(image, plain)


def test_colours_and_turning_are_right() -> None:
    picture = Image.new("RGB", (40, 20), (250, 10, 30))
    picture.paste((10, 10, 240), (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    picture.save(stream, "JPEG", exif=exif, quality=95, subsampling=0)
    image = decode_photo(stream.getvalue()).astype(int)
    assert image.shape == (40, 20, 3)
    # Turned right: what was on the left is above. The order is blue, green, red.
    np.testing.assert_allclose(image[5, 10], (240, 10, 10), atol=12)
    np.testing.assert_allclose(image[35, 10], (30, 10, 250), atol=12)
    cmyk = io.BytesIO()
    picture.convert("CMYK").save(cmyk, "JPEG", quality=95)
    np.testing.assert_allclose(decode_photo(cmyk.getvalue())[10, 35], (30, 10, 250), atol=12)
    deep = io.BytesIO()
    Image.fromarray(np.full((4, 4), 0x8040, np.uint16)).save(deep, "PNG")
    assert (decode_photo(deep.getvalue()) == 0x80).all()


@pytest.mark.parametrize(
    ("width", "height", "fragment"),
    [
        (50_000, 50_000, "50000 × 50000 pixels, more than 40 megapixels"),
        (2**31 - 1, 2**31 - 1, "more than 40 megapixels"),
        (31_000, 1, "30000 pixels a side"),
        (0, 10, "0 × 10 pixels"),
    ],
)
def test_pictures_that_claim_too_much_are_not_decoded(width: int, height: int, fragment: str) -> None:
    began = time.process_time()
    with pytest.raises(PhotoError, match=fragment):
        decode_photo(png_that_claims(width, height))
    assert time.process_time() - began < 0.5


def test_a_webp_canvas_is_looked_at_before_anything_is_reserved(monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytearray(GOOD["webp, moving"].content)
    assert content[12:16] == b"VP8X"
    content[24:30] = (16_382).to_bytes(3, "little") * 2
    monkeypatch.setattr(Image, "open", lambda *arguments, **options: pytest.fail("it was opened"))
    with pytest.raises(PhotoError, match="16383 × 16383 pixels"):
        decode_photo(bytes(content))


def test_jpegs_of_thousands_of_scans_are_refused_at_once() -> None:
    stream = io.BytesIO()
    Image.new("RGB", (1000, 1000)).save(stream, "JPEG", progressive=True, quality=1)
    whole = stream.getvalue()
    begin, end = whole.rfind(b"\xff\xda"), whole.rfind(b"\xff\xd9")
    assert decode_photo(whole).shape == (1000, 1000, 3)
    with pytest.raises(PhotoError, match="more than 32 scans"):
        decode_photo(whole[:begin] + whole[begin:end] * 200 + whole[end:])


def test_search_finds_who_is_in_the_photo(client: TestClient, engine: FakeEngine) -> None:
    identity, photo = crop_of_somebody(engine)
    said = sent(client, photo, query="?top=3").json()
    assert said["detected"] is False and len(said["persons"]) == 1
    height, width = decode_photo(photo).shape[:2]
    assert said["persons"][0]["box"] == [0, 0, width, height]
    answers = said["persons"][0]["answers"]
    assert answers[0]["identity"] == identity and answers[0]["score"] > 0.95
    assert set(answers[0]) == {"identity", "name", "score", "camera", "time", "crop"}
    assert [answer["score"] for answer in answers] == sorted((a["score"] for a in answers), reverse=True)
    assert client.get(f"/api/crops/{answers[0]['crop']}.jpg").status_code == 200
    form = client.post("/api/search?top=1", files={"photo": ("me.jpg", photo, "image/jpeg")}, headers=CHANGE).json()
    assert [answer["identity"] for answer in form["persons"][0]["answers"]] == [identity]
    assert sent(client, photo, "application/octet-stream", "?detect=true").json()["detected"] is True


def test_boxes_of_whole_pictures_are_said(client: TestClient, engine: FakeEngine, monkeypatch: Any) -> None:
    monkeypatch.setattr(engine, "search", lambda image, detect, top: [{"box": None, "answers": []}])
    said = sent(client, GOOD["png"].content, "image/png").json()
    assert said == {"detected": False, "persons": [{"box": [0, 0, 32, 48], "answers": []}]}


def test_what_the_run_refuses_is_said(client: TestClient, engine: FakeEngine, monkeypatch: Any) -> None:
    from tracker.errors import InputError

    def busy(image: Any, detect: bool, top: int) -> Any:
        raise InputError("nobody is in the picture: give another")

    monkeypatch.setattr(engine, "search", busy)
    refused(sent(client, GOOD["png"].content), 422, "nobody is in the picture")


def test_what_is_no_photo(client: TestClient) -> None:
    jpeg = GOOD["jpeg"].content
    refused(sent(client, b""), 422, "no picture was sent")
    refused(sent(client, b"hello"), 415, "JPEG, PNG or WebP")
    refused(sent(client, b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"), 415)
    refused(sent(client, jpeg, "text/plain"), 415)
    refused(sent(client, jpeg, "application/json"), 415)
    refused(sent(client, jpeg[:200]), 422, "broken")
    refused(sent(client, jpeg[: len(jpeg) // 2]), 422, "broken or cut off")
    for query in ("?top=0", "?top=101", "?top=x", "?detect=perhaps"):
        refused(sent(client, jpeg, query=query), 422)


def test_forms_that_cannot_be_read(client: TestClient) -> None:
    jpeg = GOOD["jpeg"].content
    bad: list[tuple[str, bytes]] = [
        ("multipart/form-data", jpeg),
        ("multipart/form-data; boundary=", jpeg),
        ("multipart/form-data; boundary=x", jpeg),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n"),
        ("multipart/form-data; boundary=" + "y" * 300, jpeg),
        ("multipart/form-data; boundary=x; charset=odd", b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\na"),
    ]  # fmt: skip
    for kind, content in bad:
        answer = sent(client, content, kind)
        assert answer.status_code in (400, 422), kind
        refused(answer, answer.status_code)
    refused(client.post("/api/search", files={"picture": ("a.jpg", jpeg)}, headers=CHANGE), 422, "photo: is missing")
    refused(client.post("/api/search", data={"photo": "text"}, files={"a": b""}, headers=CHANGE), 422, "photo")
    two = [("photo", ("a.jpg", jpeg)), ("photo", ("b.jpg", jpeg))]
    refused(client.post("/api/search", files=two, headers=CHANGE), 400, "one file")
    named = {"photo": ("../../etc/passwd", jpeg, "image/jpeg")}
    assert client.post("/api/search", files=named, headers=CHANGE).status_code == 200


def test_photos_that_are_too_large(client: TestClient) -> None:
    large = GOOD["jpeg"].content + bytes(10_000_000)
    refused(sent(client, large), 413, "10 MB")
    refused(client.post("/api/search", files={"photo": ("a.jpg", large)}, headers=CHANGE), 413)
    taken = 0

    def without_end() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(100):
            taken += 1_000_000
            yield bytes(1_000_000)

    refused(sent(client, without_end()), 413)


def test_only_so_many_photos_at_once(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(live_search_routes, "_AT_ONCE", 0)
    monkeypatch.setattr(live_search_routes, "_PATIENCE_SECONDS", 0.05)
    with client_of(engine) as client:
        refused(sent(client, GOOD["jpeg"].content), 503, "try again")


def test_broken_photos_are_refused_and_never_more(client: TestClient) -> None:
    codes: dict[int, int] = {}
    for photo in broken_photos(160, seed=7):
        answer = sent(client, photo.content, photo.kind)
        codes[answer.status_code] = codes.get(answer.status_code, 0) + 1
        if answer.status_code == 200:
            # A bit may be flipped where it only changes a colour.
            assert len(answer.json()["persons"]) == 1
        else:
            refused(answer, answer.status_code)
    assert set(codes) <= {200, 413, 415, 422} and codes[422] > 50
