"""A page on this machine where a person clicks points in a picture; nothing but that page may ask it anything."""

from __future__ import annotations

import hmac
import json
import os
import secrets
import sys
import threading
import webbrowser
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from apps.calibration_clicks import clicked_points, points_text
from tracker.errors import InputError

__all__ = ["CalibrationServer", "open_page"]

_PAGE = Path(__file__).with_name("calibration_page.html")
_MOST_BYTES = 200_000
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self' data:; connect-src 'self'; style-src 'unsafe-inline'; "
        "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class CalibrationServer(ThreadingHTTPServer):
    """Serves the page until its points are saved.

    Every request must have the secret of the address and be for this host, so that no other page and no other name for
    127.0.0.1 reaches it.

    Args:
        image: a JPEG.
        start: what the page begins with.
        fit: text of a points file → what the page shows; InputError: shown instead.
        save: text of a points file → what is said at the end; writes everything or raises InputError.
        port: 0: any that is free.

    Raises:
        InputError: the port cannot be had.
    """

    daemon_threads = True
    allow_reuse_address = False

    def __init__(
        self,
        image: bytes,
        start: dict[str, Any],
        fit: Callable[[str], dict[str, Any]],
        save: Callable[[str], str],
        port: int = 0,
    ) -> None:
        self.image, self.start = image, start
        self.fit, self.save = fit, save
        self.token = secrets.token_urlsafe(24)
        #: held while files are written, and from then on nothing is written again
        self.writing = threading.Lock()
        self.saved = False
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"--port {port} cannot be had ({reason}): choose another, or leave it out") from None

    @property
    def url(self) -> str:
        """Where the page is, with its secret."""
        return f"http://127.0.0.1:{self.server_port}/{self.token}/"

    def run(self) -> None:
        """Serve until points are saved.

        Raises:
            KeyboardInterrupt: interrupted; what is being written then is written wholly.
        """
        try:
            self.serve_forever(poll_interval=0.2)
        finally:
            self.writing.acquire()
            self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of browsers that hang up."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: CalibrationServer
    timeout = 30
    server_version = "multicam"
    sys_version = ""

    def do_GET(self) -> None:
        place = self._place()
        if place == "":
            self._reply(200, _PAGE.read_bytes(), "text/html; charset=utf-8")
        elif place == "image":
            self._reply(200, self.server.image, "image/jpeg")
        elif place == "start":
            self._json(200, self.server.start)
        elif place is not None:
            self._json(404, {"error": "there is nothing here"})

    def do_POST(self) -> None:
        place = self._place()
        if place is None:
            return
        if place not in ("fit", "save"):
            self._json(404, {"error": "there is nothing here"})
            return
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or self.headers.get_content_type() != "application/json":
            self._json(400, {"error": "send JSON, with its length"})
            return
        if len(length) > 9 or int(length) > _MOST_BYTES:
            self._json(413, {"error": f"more than {_MOST_BYTES} bytes"})
            return
        try:
            text = points_text(clicked_points(self.rfile.read(int(length))))
        except InputError as error:
            self._json(400, {"error": str(error)})
            return
        try:
            if place == "fit":
                self._json(200, self.server.fit(text))
            else:
                self._save(text)
        except InputError as error:
            self._json(200, {"error": str(error)})

    def _save(self, text: str) -> None:
        with self.server.writing:
            if self.server.saved:
                self._json(409, {"error": "it was saved before"})
                return
            message = self.server.save(text)
            self.server.saved = True
            self._json(200, {"saved": message})
        # Not from within serve_forever: each request has a thread of its own.
        self.server.shutdown()

    def _place(self) -> str | None:
        """Return what is asked for behind the secret; ``None`` when it was refused."""
        port = self.server.server_port
        hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        origin = self.headers.get("Origin")
        token, _, place = self.path.partition("?")[0].removeprefix("/").partition("/")
        known = hmac.compare_digest(token.encode("utf-8", "replace"), self.server.token.encode())
        allowed = self.headers.get("Host") in hosts and (origin is None or origin.removeprefix("http://") in hosts)
        if known and allowed:
            return place
        self._json(403, {"error": "open the address that the command printed"})
        return None

    def _json(self, code: int, content: dict[str, Any]) -> None:
        self._reply(code, json.dumps(content, allow_nan=False).encode(), "application/json")

    def _reply(self, code: int, content: bytes, kind: str) -> None:
        self.send_response(code)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **_HEADERS}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing: the address has a secret."""


def open_page(url: str) -> None:
    """Open an address in the system's browser where there is a display; elsewhere text browsers take the terminal."""
    if sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(url)
