"""Who may ask the live server what: token, host, origin, size and time of what is sent, and headers of every answer.

The rules hold for every route and socket, because they stand before all of them.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import logging
import re
import socket
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apps.live_connections import is_hung_up
from apps.live_sign_in import SIGN_IN_POLICY, sign_in_page

__all__ = ["COOKIE", "HostRule", "SafetyMiddleware", "is_loopback", "one_line"]

COOKIE = "multicam_token"
_COOKIE_SECONDS = 30 * 24 * 3600
_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
#: bytes of a body; photos may be larger, and come with a little around them when they come from a form
_MOST_BYTES = 2_000_000
_MOST_PHOTO_BYTES = 10_000_000 + 16_384
_PHOTO_PATH = "/api/search"
#: within which a body must have come
_BODY_SECONDS = 60.0
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_log = logging.getLogger("multicam.live")


def one_line(text: object) -> str:
    """Return a message as one line that can be sent: no line breaks, nothing that UTF-8 does not know."""
    return " ".join(str(text).split()).encode("utf-8", "replace").decode()


def is_loopback(address: str) -> bool:
    """Return whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address.casefold() == "localhost"


class HostRule:
    """Under which names the server may be asked for, so that no other name that leads here works (DNS rebinding).

    These are the address it listens to and, on 127.0.0.1, ``localhost``; on any other address the machine's own name.
    Where it listens to all addresses (``0.0.0.0``, ``::``), any number is taken: numbers cannot be rebound.

    Args:
        address: what the server listens to.
    """

    def __init__(self, address: str) -> None:
        own = socket.gethostname().casefold()
        names = {_normalised(address)}
        self._any_number = address in ("0.0.0.0", "::")
        if is_loopback(address) or self._any_number:
            names |= {"localhost", "127.0.0.1", "::1"}
        if not is_loopback(address):
            names |= {own, own.partition(".")[0], own.partition(".")[0] + ".local"}
        self._names = frozenset(names - {"", ".local"})

    def allows(self, host: str) -> bool:
        """Return whether a Host header may be served, whatever its port: the port may have been forwarded."""
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = _normalised(found[1].strip("[]"))
        return name in self._names or (self._any_number and _is_number(name))


def _normalised(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name.casefold()


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class SafetyMiddleware:
    """Refuses what may not be asked, before any route sees it, and turns what goes wrong behind it into a plain 500.

    Args:
        app: what comes behind.
        hosts: names the server may be asked for under.
        token: what every request must have; ``None``: nothing.
    """

    def __init__(self, app: ASGIApp, *, hosts: HostRule, token: str | None) -> None:
        self._app, self._hosts = app, hosts
        self._token = None if token is None else token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or a socket."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._serve_socket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        started = gone = False

        async def send_safely(message: Message) -> None:
            nonlocal started, gone
            if message["type"] == "http.response.start":
                started = True
                answer = MutableHeaders(raw=message["headers"])
                for name, value in _HEADERS.items():
                    answer.setdefault(name, value)
                answer.setdefault("Cache-Control", "no-store")
                message["headers"] = answer.raw
            try:
                await send(message)
            except Exception as error:
                gone = is_hung_up(error)
                raise

        try:
            if await self._refused(scope, headers, send_safely):
                return
            limit = _MOST_PHOTO_BYTES if scope["path"] == _PHOTO_PATH else _MOST_BYTES
            length = headers.get("Content-Length", "0")
            if length.isascii() and length.isdigit() and int(length[:20]) > limit:
                await _answer(send_safely, 413, f"more than {limit // 1_000_000} MB were sent: send less")
                return
            await self._app(scope, _limited(receive, limit), send_safely)
        except ClientDisconnect:
            pass
        except Exception:
            if gone:
                return
            # The way there may hold a token, so only the route is told.
            _log.exception("%s %s could not be answered", scope["method"], one_line(scope["path"]))
            if not started:
                await _answer(send_safely, 500, "something went wrong in the server: its log says what")

    async def _refused(self, scope: Scope, headers: Headers, send: Send) -> bool:
        path, changing = scope["path"], scope["method"] in _CHANGING
        hosts = headers.getlist("Host")
        if len(hosts) != 1 or not self._hosts.allows(hosts[0]):
            await _answer(send, 400, "this server is not asked for under that name: use the address that it printed")
            return True
        if self._token is not None:
            page = path == "/" and scope["method"] == "GET"
            given = _query_token(scope) if page else None
            if given is not None and self._is_token(given):
                await _answer(send, 303, "", {"Location": "/", "Set-Cookie": _cookie(given, scope["scheme"])})
                return True
            if given is not None or not self._has_token(headers):
                await (_ask_for_token(send, wrong=given is not None) if page else _answer(send, 401, _NO_TOKEN))
                return True
        if changing and headers.get("X-Requested-With") != "multicam":
            await _answer(send, 403, "requests that change something need the header X-Requested-With: multicam")
            return True
        if changing and not _same_origin(headers):
            await _answer(send, 403, "requests that change something are taken from this server's own page only")
            return True
        return False

    async def _serve_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("Host")
        given = _query_token(scope)
        if len(hosts) != 1 or not self._hosts.allows(hosts[0]):
            refusal = (400, "this server is not asked for under that name: use the address that it printed")
        elif self._token is not None and not (
            self._has_token(headers) or (given is not None and self._is_token(given))
        ):
            refusal = (401, _NO_TOKEN)
        elif not _same_origin(headers):
            refusal = (403, "sockets are opened by this server's own page only")
        else:
            try:
                await self._app(scope, receive, send)
            except Exception:
                _log.exception("socket %s could not go on", one_line(scope["path"]))
                await _close(send, 1011)
            return
        if "websocket.http.response" in scope.get("extensions", {}):
            await _answer(send, *refusal, kind="websocket.http.response")
        else:
            await _close(send, 1008)

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, bearer = headers.get("Authorization", "").partition(" ")
        if scheme.casefold() == "bearer" and self._is_token(bearer.strip()):
            return True
        return any(self._is_token(value) for value in _cookies(headers.getlist("Cookie")))

    def _is_token(self, given: str) -> bool:
        assert self._token is not None
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._token)


_NO_TOKEN = "a token is needed: open the address that the server printed, or send Authorization: Bearer TOKEN"


def _limited(receive: Receive, limit: int) -> Receive:
    """Return ``receive`` that ends a request whose body is too long, or takes too long, while it comes."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _BODY_SECONDS
    total, over = 0, False

    async def receive_limited() -> Message:
        nonlocal total, over
        if over:
            # What comes now is only that the client has gone, which may take long.
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, "the rest of what was sent did not come: send it again") from None
        total += len(message.get("body", b""))
        if total > limit:
            raise HTTPException(413, f"more than {limit // 1_000_000} MB were sent: send less")
        over = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    return receive_limited


def _query_token(scope: Scope) -> str | None:
    query = scope["query_string"].decode("ascii", "replace")
    try:
        return parse_qs(query, max_num_fields=20).get("token", [None])[0]
    except ValueError:
        return None


def _cookies(lines: Iterable[str]) -> list[str]:
    found = []
    for line in lines:
        try:
            cookie = SimpleCookie(line)
        except CookieError:
            continue
        if COOKIE in cookie:
            found.append(cookie[COOKIE].value)
    return found


def _cookie(token: str, scheme: str) -> str:
    cookie: SimpleCookie = SimpleCookie({COOKIE: token})
    facts = {"httponly": True, "samesite": "Strict", "path": "/", "max-age": _COOKIE_SECONDS}
    for name, value in {**facts, "secure": scheme == "https"}.items():
        cookie[COOKIE][name] = value
    return cookie.output(header="").strip()


def _same_origin(headers: Headers) -> bool:
    """Return whether the page that asks is ours; what is no browser says nothing of where it comes from."""
    origins = headers.getlist("Origin")
    if not origins:
        return True
    try:
        origin = urlsplit(origins[0])
    except ValueError:
        return False
    return len(origins) == 1 and origin.scheme in ("http", "https") and origin.netloc == headers.get("Host")


async def _answer(
    send: Send, status: int, detail: str, extra: dict[str, str] | None = None, kind: str = "http.response"
) -> None:
    content = json.dumps({"detail": detail}).encode() if detail else b""
    headers = {"Content-Length": str(len(content)), **(extra or {})}
    if content:
        headers["Content-Type"] = "application/json"
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="multicam"'
    await _send_whole(send, kind, status, headers, content)


async def _ask_for_token(send: Send, *, wrong: bool) -> None:
    content = sign_in_page(wrong=wrong)
    headers = {
        "Content-Length": str(len(content)),
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": SIGN_IN_POLICY,
        "WWW-Authenticate": 'Bearer realm="multicam"',
    }
    await _send_whole(send, "http.response", 401, headers, content)


async def _send_whole(send: Send, kind: str, status: int, headers: dict[str, str], content: bytes) -> None:
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": f"{kind}.start", "status": status, "headers": raw})
    await send({"type": f"{kind}.body", "body": content})


async def _close(send: Send, code: int) -> None:
    try:
        await send({"type": "websocket.close", "code": code})
    except (RuntimeError, OSError):
        # It was closed already.
        return
