"""Who may ask the live server what: token, host, origin, sizes, headers, and what it never gives away."""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.routing import BaseRoute
from starlette.testclient import TestClient, WebSocketDenialResponse

from apps import live_safety
from apps.live_safety import HostRule
from tests.apps.live_client import BASE, CHANGE, SOCKET, client_of, made_up_run, refused
from tests.apps.live_fake_engine import FakeEngine

TOKEN = "a-long-token_0123"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeEngine]:
    with made_up_run(tmp_path_factory.mktemp("live"), rate=2.0) as run:
        yield run


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small page of its own, beside files that are not the page's."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "index.html").write_text("<!doctype html><title>multicam</title>")
    (folder / "app.js").write_text("export const answer = 42;\n")
    (folder / "style.css").write_text("body { margin: 0 }\n")
    (folder / "icon.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / "notes.txt").write_text("nobody's")
    (folder / "__init__.py").write_text("")
    return folder


@pytest.fixture(scope="module")
def client(engine: FakeEngine, page: Path) -> Iterator[TestClient]:
    """A client of a server with a token, that does not send it by itself."""
    with client_of(engine, token=TOKEN, page=page) as made:
        yield made


@pytest.fixture(autouse=True)
def no_cookies(client: TestClient) -> None:
    client.cookies.clear()


def every_route(routes: Sequence[BaseRoute]) -> Iterator[tuple[str, set[str]]]:
    """Yield path and methods of all routes, those of included routers too; a socket has none."""
    for route in routes:
        included: Any = getattr(route, "original_router", None)
        if included is not None:
            yield from every_route(included.routes)
        else:
            yield route.path, set(getattr(route, "methods", None) or ())  # type: ignore[attr-defined]


def test_every_route_and_socket_needs_the_token(client: TestClient) -> None:
    app = client.app
    assert isinstance(app, FastAPI)
    routes = list(every_route(app.routes))
    described = set(client.get("/api/openapi.json", headers=BEARER).json()["paths"])
    paths = {path for path, _ in routes}
    assert described | {"/", "/static/{name}", "/api/live", "/api/openapi.json"} == paths and len(described) >= 15
    for path, methods in routes:
        place = re.sub(r"\{\w+\}", "1", path)
        if not methods:
            with pytest.raises(WebSocketDenialResponse) as refusal, client.websocket_connect(SOCKET):
                pass
            refused(refusal.value, 401, "token")
        for method in methods:
            for headers in ({}, {"Authorization": f"Bearer {TOKEN}x"}, {"Cookie": "multicam_token=wrong"}):
                answer = client.request(method, place, headers={**CHANGE, **headers})
                assert answer.status_code == 401, (method, path)
                assert answer.headers["www-authenticate"].startswith("Bearer")
                if place != "/" and method != "HEAD":
                    refused(answer, 401, "token")
    refused(client.get("/nothing/here"), 401)
    # The token in the address is for the page and the socket alone: elsewhere it would stay in histories and logs.
    refused(client.get(f"/api/status?token={TOKEN}"), 401)


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN.upper()}", "Bearer ä"],
)
def test_what_is_no_token(client: TestClient, given: str) -> None:
    answer = client.get("/api/status", headers={"Authorization": given.encode("latin-1")})
    refused(answer, 401)


def test_the_page_asks_for_the_token_and_remembers_it(client: TestClient) -> None:
    asked = client.get("/")
    assert asked.status_code == 401 and '<form action="/" method="get">' in asked.text
    assert "form-action 'self'" in asked.headers["content-security-policy"]
    assert "'unsafe-inline'" not in asked.headers["content-security-policy"]
    wrong = client.get("/?token=<script>alert(1)</script>")
    assert wrong.status_code == 401 and "not the right one" in wrong.text and "<script>" not in wrong.text
    opened = client.get(f"/?token={TOKEN}")
    assert opened.status_code == 303 and opened.headers["location"] == "/" and TOKEN not in opened.text
    cookie = opened.headers["set-cookie"]
    assert cookie.startswith(f"multicam_token={TOKEN};")
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path=/" in cookie and "Domain" not in cookie
    # The client keeps the cookie as a browser does.
    assert client.get("/").status_code == client.get("/api/status").status_code == 200
    assert client.get("/", headers={"Cookie": f"other=1; multicam_token={TOKEN}"}).status_code == 200
    with client.websocket_connect(SOCKET) as live:
        assert live.receive_json()["type"] == "present"


def test_a_token_opens_routes_and_sockets(client: TestClient) -> None:
    assert client.get("/api/status", headers=BEARER).status_code == 200
    assert client.get("/api/status", headers={"Authorization": f"bearer  {TOKEN}"}).status_code == 200
    for options in ({"headers": BEARER}, {"headers": {"Cookie": f"multicam_token={TOKEN}"}}):
        with client.websocket_connect(SOCKET, **options) as live:
            assert live.receive_json()["type"] == "present"
    with client.websocket_connect(f"{SOCKET}?token={TOKEN}") as live:
        assert live.receive_json()["type"] == "present"
    with pytest.raises(WebSocketDenialResponse), client.websocket_connect(f"{SOCKET}?token={TOKEN}x"):
        pass


def test_without_a_token_nothing_is_asked_for(engine: FakeEngine, page: Path) -> None:
    with client_of(engine, page=page) as client:
        assert client.get("/").status_code == client.get("/api/status").status_code == 200
        refused(client.delete("/api/people/4711"), 403)


CHANGES = [
    ("PATCH", "/api/people/1"),
    ("DELETE", "/api/people/1"),
    ("POST", "/api/people/1/merge"),
    ("POST", "/api/people/1/split"),
    ("PUT", "/api/zones"),
    ("POST", "/api/search"),
]


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_other_pages_change_nothing(client: TestClient, method: str, path: str) -> None:
    people = client.get("/api/people", headers=BEARER).json()["total"]
    refused(client.request(method, path, headers=BEARER), 403, "X-Requested-With: multicam")
    other = {**BEARER, "X-Requested-With": "XMLHttpRequest"}
    refused(client.request(method, path, headers=other), 403)
    for origin in ("http://evil.example", "null", "http://127.0.0.1:9999", "https://127.0.0.1.evil.example:8080", "//"):
        refused(client.request(method, path, headers={**BEARER, **CHANGE, "Origin": origin}), 403, "own page")
    assert client.get("/api/people", headers=BEARER).json()["total"] >= people


def test_the_changes_above_are_all_there_are(client: TestClient) -> None:
    app = client.app
    assert isinstance(app, FastAPI)
    found = {
        (method, re.sub(r"\{\w+\}", "1", path))
        for path, methods in every_route(app.routes)
        for method in methods - {"GET", "HEAD"}
    }
    assert found == set(CHANGES)


def test_the_own_page_may_change(client: TestClient) -> None:
    answer = client.put("/api/zones", json={}, headers={**BEARER, **CHANGE, "Origin": BASE})
    assert answer.status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "file://", ""])
def test_other_pages_open_no_socket(client: TestClient, origin: str) -> None:
    with (
        pytest.raises(WebSocketDenialResponse) as refusal,
        client.websocket_connect(SOCKET, headers={**BEARER, "Origin": origin}),
    ):
        pass
    refused(refusal.value, 403, "own page")
    with client.websocket_connect(SOCKET, headers={**BEARER, "Origin": BASE}) as live:
        assert live.receive_json()["type"] == "present"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "127.0.0.2:8080", "user@127.0.0.1", "localhost:x", "", "[::1", " "],
)
def test_other_names_are_refused(client: TestClient, host: str) -> None:
    for path in ("/", "/api/status", "/static/app.js"):
        refused(client.get(path, headers={**BEARER, "Host": host}), 400, "under that name")
    with (
        pytest.raises(WebSocketDenialResponse) as refusal,
        client.websocket_connect(SOCKET, headers={**BEARER, "Host": host}),
    ):
        pass
    refused(refusal.value, 400)


def test_names_by_address() -> None:
    own = socket.gethostname()
    local, everywhere, one = HostRule("127.0.0.1"), HostRule("0.0.0.0"), HostRule("192.168.1.5")
    assert all(local.allows(host) for host in ("127.0.0.1", "LOCALHOST:9", "[::1]:8080", "[0:0::1]", "localhost:8080"))
    assert not any(local.allows(host) for host in ("192.168.1.5", "localhost.", "localhost:123456", "a b", "[::2]"))
    assert all(everywhere.allows(host) for host in ("192.168.1.5:80", "[fe80::1]", "localhost", own, f"{own}:8080"))
    assert not any(everywhere.allows(host) for host in ("evil.example", "1.2.3.4.evil.example", "0x7f000001"))
    assert one.allows("192.168.1.5:8080") and one.allows(own)
    assert not one.allows("192.168.1.6") and not one.allows("localhost")
    assert HostRule("::").allows("[::1]:8080") and HostRule("::1").allows("[::1]")
    assert HostRule("camera.example").allows("Camera.Example:8080")


def test_headers_of_every_answer(client: TestClient, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "counts", lambda: 1 / 0)
    asked = {
        "/": 200, "/static/app.js": 200, "/api/status": 200, "/api/cameras/hall/frame.jpg": 200, "/api/people/x": 422,
        "/nothing": 404, "/api/docs": 404, "/docs": 404, "/redoc": 404, "/api/zones/counts": 500,
        "/api/zones/counts.csv": 200, "/api/openapi.json": 200,
    }  # fmt: skip
    for path, code in asked.items():
        answer = client.get(path, headers=BEARER)
        assert answer.status_code == code, path
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in answer.headers and "server" not in answer.headers
        assert "cache-control" in answer.headers
    for answer in (client.get("/api/status"), client.get("/api/status", headers={"Host": "evil.example"})):
        assert answer.headers["content-security-policy"] == POLICY


def test_what_goes_wrong_is_logged_and_not_sent(
    client: TestClient, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Any:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(engine, "present", broken)
    with caplog.at_level(logging.ERROR, "multicam.live"):
        answer = client.get("/api/present", headers=BEARER)
    refused(answer, 500, "its log says what")
    assert "secret" not in answer.text and "RuntimeError" not in answer.text
    assert "a secret of the inside" in caplog.text and TOKEN not in caplog.text


def test_only_the_files_of_the_page_are_served(client: TestClient, page: Path) -> None:
    sent = client.get("/static/app.js", headers=BEARER)
    assert sent.text == (page / "app.js").read_text() and sent.headers["content-type"].startswith("text/javascript")
    assert client.get("/static/style.css", headers=BEARER).headers["content-type"].startswith("text/css")
    assert client.get("/static/icon.svg", headers=BEARER).headers["content-type"] == "image/svg+xml"
    assert client.get("/", headers=BEARER).text == (page / "index.html").read_text()
    again = client.get("/static/app.js", headers={**BEARER, "If-None-Match": f'"x", W/{sent.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    names = [
        "notes.txt", "__init__.py", "index.html", "..%2findex.html", "../live_web.py", "..%2f..%2f..%2fetc%2fpasswd",
        "%2fetc%2fpasswd", "app.js%00", "app.js/", "APP.JS", "", ".", "C:%5capp.js",
    ]  # fmt: skip
    for name in names:
        refused(client.get(f"/static/{name}", headers=BEARER), 404)


def test_bodies_are_limited_while_they_come(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_safety, "_MOST_BYTES", 1000)
    headers = {**BEARER, **CHANGE, "Content-Type": "application/json"}
    refused(client.put("/api/zones", content=b" " * 1001, headers=headers), 413, "send less")

    taken = 0

    def without_length() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(1000):
            taken += 100
            yield b" " * 100

    refused(client.put("/api/zones", content=without_length(), headers=headers), 413)
    assert client.put("/api/zones", content=b"{}" + b" " * 998, headers=headers).status_code == 200
    for length in ("99999999999999999999999", "2000000000"):
        refused(client.put("/api/zones", content=b"{}", headers={**headers, "Content-Length": length}), 413)


def test_bodies_that_do_not_come_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    monkeypatch.setattr(live_safety, "_BODY_SECONDS", 0.05)

    async def silent() -> Any:
        await asyncio.sleep(60)

    async def ask() -> Any:
        with pytest.raises(live_safety.HTTPException) as refusal:
            await live_safety._limited(silent, 1000)()
        return refusal.value

    assert asyncio.run(ask()).status_code == 408
