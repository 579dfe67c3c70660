"""Bodies, requests and socket messages that are broken, for the server of ``multicam live``."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import numpy as np

from benchmarks.live_fuzz_server import SILENT_SECONDS, Answers, Client, Server

__all__ = ["fuzz_bodies", "fuzz_connections", "fuzz_sockets"]

_ODD = [
    "null", "true", "0", "-1", "1e400", "-0", "NaN", "Infinity", "9" * 400, "9" * 6000, '""', '"\\ud800"', '"\\u0000"',
    '"\x00"', "[]", "{}", '{"a":' * 2000, "[" * 100_000, '"' + "x" * 100_000 + '"', "1e-400", "[[[[]]]]", '"\u202e"',
]  # fmt: skip
_KINDS = [
    "application/json", "application/json; charset=utf-16", "application/json; charset=nonsense", "text/plain",
    "multipart/form-data", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "image/jpeg", "/",
    "",
]  # fmt: skip
_LINES = [
    b"GET / HTTP/1.1\r\n\r\n", b"GET /\r\n\r\n", b"\r\n\r\n", b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", b"\x00" * 1000,
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: b\r\n\r\n",
    b"POST /api/search HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /api/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
    b"POST /api/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET /%ff%fe%00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: " + b"y" * 70_000 + b"\r\n\r\n",
    b"GET /api/live HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
]  # fmt: skip


def fuzz_bodies(server: Server, count: int, seed: int) -> Answers:
    """Send so many broken bodies to the routes that take one, about people and cameras that are there."""
    answers, client = Answers("bodies"), Client(server)
    for method, path, body, kind in _bodies(_routes(server), count, np.random.default_rng(seed)):
        client.ask(answers, method, path, body, f"{method} {path} {kind} {body[:80]!r}", **{"Content-Type": kind})
    client.close()
    return answers


def _routes(server: Server) -> list[tuple[str, str, dict[str, object] | None]]:
    """Return method, path and a body that is taken, of each route with one."""
    camera = _camera(server)
    people = [person["identity"] for person in server.get("/api/people?limit=20")["people"]] or [1]
    now = time.time()
    routes: list[tuple[str, str, dict[str, object] | None]] = [
        ("PUT", "/api/zones", {"zones": [{"name": "z", "camera": camera, "polygon": [[0, 0], [1, 0], [1, 1]]}],
                               "lines": [{"name": "l", "camera": camera, "from": [0, 0], "to": [1, 1]}]}),
        ("POST", "/api/search", None),
    ]  # fmt: skip
    for number, other in zip(people, [*people[1:], people[0]]):
        routes += [
            ("PATCH", f"/api/people/{number}", {"name": "Ann"}),
            ("POST", f"/api/people/{number}/merge", {"into": other}),
            ("POST", f"/api/people/{number}/split", {"camera": camera, "start": now - 3600, "end": now}),
        ]
    return routes


def _camera(server: Server) -> str:
    return next((str(camera["name"]) for camera in server.get("/api/status")["cameras"]), "a")


def _bodies(
    routes: list[tuple[str, str, dict[str, object] | None]], count: int, generator: np.random.Generator
) -> Iterator[tuple[str, str, bytes, str]]:
    for _ in range(count):
        method, path, document = routes[int(generator.integers(len(routes)))]
        text = json.dumps(document)
        match int(generator.integers(5)):
            case 0:
                text = _odd(generator)
            case 1:
                # A value, or a part of one, in the place of another.
                start, end = sorted(generator.integers(len(text) + 1, size=2).tolist())
                text = text[:start] + _odd(generator) + text[end:]
            case 2:
                text = text[: int(generator.integers(len(text)))]
            case 3 if isinstance(document, dict):
                name = list(document)[int(generator.integers(len(document)))]
                values = {key: json.dumps(value) for key, value in document.items()} | {name: _odd(generator)}
                text = "{" + ",".join(f'"{key}":{value}' for key, value in values.items()) + "}"
        content = text.encode("utf-8", "replace")
        if generator.integers(4) == 0:
            changed = bytearray(content)
            for place in generator.integers(len(changed), size=3) if changed else ():
                changed[int(place)] = int(generator.integers(256))
            content = bytes(changed)
        kind = _KINDS[0] if generator.integers(3) else _KINDS[int(generator.integers(len(_KINDS)))]
        yield method, path, content, kind


def _odd(generator: np.random.Generator) -> str:
    return _ODD[int(generator.integers(len(_ODD)))]


def fuzz_connections(server: Server, count: int, seed: int) -> Answers:
    """Send so many requests that are no HTTP, or nearly; a closed connection is an answer as good as 400."""
    generator, answers = np.random.default_rng(seed), Answers("connections")
    for _ in range(count):
        content = bytearray(_LINES[int(generator.integers(len(_LINES)))])
        if generator.integers(2):
            for place in generator.integers(min(len(content), 200), size=int(generator.integers(1, 8))):
                content[int(place)] = int(generator.integers(256))
        _send_raw(server, bytes(content), answers)
    return answers


def _send_raw(server: Server, content: bytes, answers: Answers) -> None:
    began = time.perf_counter()
    code: int | None = 0
    try:
        with socket.create_connection((server.host, server.port), timeout=SILENT_SECONDS) as connection:
            connection.sendall(content)
            # That nothing more comes is said, so that the server need not wait for the rest.
            connection.shutdown(socket.SHUT_WR)
            said = connection.recv(4096)
            words = said.split(b" ", 2)
            code = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    except TimeoutError:
        code = None
    except OSError:
        code = 0
    answers.add(code, time.perf_counter() - began, repr(content[:80]))


def _messages(camera: str) -> list[str]:
    """Return messages about a camera that mean nothing, nearly mean something, or do."""
    name = json.dumps(camera)
    return [
        f'{{"type":"watch","cameras":[{name}]}}', f'{{"type":"watch","cameras":[{name},{name}],"rate":1e-300}}',
        f'{{"type":"watch","cameras":[{name}],"width":-1}}', '{"type":"watch","cameras":[],"width":1e99}',
        f'{{"type":"seen","camera":{name}}}', f'{{"type":"seen","camera":{name},"sequence":-1}}',
        f'{{"type":"seen","camera":{name},"sequence":99999999999999999999999}}', '{"type":"watch","cameras":[null]}',
        "", "[]", '{"type":["watch"]}', '{"type":"watch","cameras":' + "[" * 20_000, "\x00", "\ud7ff",
        '{"type":"\\ud800"}',
    ]  # fmt: skip


def fuzz_sockets(server: Server, count: int, seed: int) -> Answers:
    """Open so many sockets, and say something that is not understood on each; the code is that of its end."""
    from websockets.exceptions import ConnectionClosed, InvalidHandshake
    from websockets.sync.client import connect

    generator, answers = np.random.default_rng(seed), Answers("sockets")
    messages = _messages(_camera(server))
    for _ in range(count):
        message: str | bytes = messages[int(generator.integers(len(messages)))]
        if generator.integers(3) == 0:
            message = generator.bytes(int(generator.integers(100)))
        began, code = time.perf_counter(), 0
        end: int | None = None
        address = f"ws://{server.host}:{server.port}/api/live"
        try:
            with connect(address, additional_headers=server.headers, proxy=None, open_timeout=SILENT_SECONDS) as live:
                live.send(message)
                # A message that is understood after all: something that never is ends it.
                live.send("x")
                while time.perf_counter() - began < SILENT_SECONDS:
                    live.recv(timeout=SILENT_SECONDS)
        except ConnectionClosed as closed:
            end = None if closed.rcvd is None else closed.rcvd.code
            code = 400 if end == 1003 else 500 if end == 1011 else 0
        except InvalidHandshake:
            code = 500
        except (OSError, TimeoutError):
            pass
        seconds = time.perf_counter() - began
        answers.add(None if seconds >= SILENT_SECONDS else code, seconds, f"{end}: {message[:80]!r}")
    return answers
