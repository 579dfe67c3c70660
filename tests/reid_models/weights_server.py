"""A small web server on this machine that serves files, with ranges, and misbehaves when told to."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer


@dataclass(slots=True)
class WeightsServer:
    """Files by name and how they are served; ``requests`` are (path, ``Range`` header) in the order they came."""

    files: dict[str, bytes]
    versioned: bool = True
    honours_ranges: bool = True
    honours_versions: bool = True
    content_type: str = "application/octet-stream"
    #: one per request, then none: a status to answer with instead of the file
    statuses: list[int] = field(default_factory=list)
    #: one per request, then none: bytes of the body after which the connection is closed
    cuts: list[int] = field(default_factory=list)
    #: one per request, then none: bytes after which nothing more comes for ``stall`` seconds
    stalls: list[int] = field(default_factory=list)
    stall: float = 0.6
    seconds_per_part: float = 0.0
    says_length: bool = True
    redirects: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""
    _server: ThreadingHTTPServer | None = None

    def version(self, content: bytes) -> str:
        return f'"{hash(content):x}"'

    def __enter__(self) -> WeightsServer:
        owner = self

        class Handler(_Handler):
            served = owner

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        # HTTPServer's own looks its name up, which may take long without a network.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]


class _Handler(BaseHTTPRequestHandler):
    served: WeightsServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        served, wanted = self.served, self.headers.get("Range")
        served.requests.append((self.path, wanted))
        if self.path in served.redirects:
            self.send_response(302)
            self.send_header("Location", served.redirects[self.path])
            self.end_headers()
            return
        content = served.files.get(self.path.lstrip("/"))
        status = served.statuses.pop(0) if served.statuses else 0
        if status or content is None:
            self.send_error(status or 404)
            return
        version = served.version(content)
        unchanged = not served.honours_versions or self.headers.get("If-Range") in (None, version)
        begin = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and served.honours_ranges and unchanged else 0
        if begin and begin >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        if served.says_length:
            self.send_header("Content-Length", str(len(content) - begin))
        if served.versioned:
            self.send_header("ETag", version)
        self.send_header("Content-Type", served.content_type)
        self.end_headers()
        self._send(content[begin:])

    def _send(self, body: bytes) -> None:
        served = self.served
        cut = served.cuts.pop(0) if served.cuts else len(body)
        stall = served.stalls.pop(0) if served.stalls else len(body)
        try:
            self.wfile.write(body[: min(cut, stall)])
            self.wfile.flush()
            if stall < len(body):
                time.sleep(served.stall)
                self.wfile.write(body[stall:cut])
            time.sleep(served.seconds_per_part)
        except OSError:
            pass
