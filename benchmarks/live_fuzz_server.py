"""A server of ``multicam live`` to be fuzzed, as a process of its own, and how it answers."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tracker.errors import InputError

__all__ = ["Answers", "Client", "Server", "running_server"]

#: an answer that takes longer is taken for none
SILENT_SECONDS = 60.0
_START_SECONDS = 180.0
_TOKEN = "fuzz-fuzz-fuzz"
_MOST_EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server is, what opens it, and the file of what it says; ``None``: it was started elsewhere."""

    host: str
    port: int
    token: str | None
    log: Path | None

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        return f"http://{self.host}:{self.port}"

    @property
    def headers(self) -> dict[str, str]:
        """What every request needs that shall reach a route."""
        opening = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        return {"X-Requested-With": "multicam", **opening}

    def tracebacks(self) -> int:
        """Return how many tracebacks it has printed."""
        return 0 if self.log is None else self.log.read_text(errors="replace").count("Traceback")


@dataclass(slots=True)
class Answers:
    """How one kind of request was answered."""

    part: str
    requests: int = 0
    good: int = 0
    refused: int = 0
    #: 5xx
    errors: int = 0
    #: the connection was closed without an answer
    closed: int = 0
    #: no answer in time
    silent: int = 0
    slowest: float = 0.0
    examples: list[str] = field(default_factory=list)

    @property
    def bad(self) -> int:
        """Answers that must not be."""
        return self.errors + self.silent

    def add(self, code: int | None, seconds: float, what: str) -> None:
        """Count an answer: its code, 0 for a closed connection, ``None`` for silence."""
        self.requests += 1
        self.slowest = max(self.slowest, seconds)
        self.silent += code is None
        self.closed += code == 0
        self.good += code is not None and 100 <= code < 400
        self.refused += code is not None and 400 <= code < 500
        self.errors += code is not None and code >= 500
        if (code is None or code >= 500) and len(self.examples) < _MOST_EXAMPLES:
            self.examples.append(f"{'no answer' if code is None else code}: {what}")


class Client:
    """Asks over one connection for as long as that lives, and counts the answers."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, answers: Answers, method: str, path: str, body: bytes, what: str, **headers: str) -> int | None:
        """Send a request; return the code of the answer, as :meth:`Answers.add` takes it."""
        began = time.perf_counter()
        code = self._code(method, path, body, {**self._server.headers, **headers})
        answers.add(code, time.perf_counter() - began, what)
        return code

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _code(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> int | None:
        for fresh in (self._connection is None, True):
            if self._connection is None:
                self._connection = http.client.HTTPConnection(
                    self._server.host, self._server.port, timeout=SILENT_SECONDS
                )
            try:
                # One who refuses early may close before everything is sent.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self._connection.request(method, path, body, headers)
                answer = self._connection.getresponse()
                answer.read()
                if answer.will_close:
                    self.close()
                return answer.status
            except TimeoutError:
                self.close()
                return None
            except (OSError, http.client.HTTPException):
                self.close()
                # A connection that was kept may have ended since.
                if fresh:
                    return 0
        return 0


@contextlib.contextmanager
def running_server(url: str | None, token: str | None) -> Iterator[Server]:
    """Yield the server at an address, or one that is started on a video of the simulated room.

    Raises:
        InputError: it cannot be reached, or does not start.
    """
    if url is not None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise InputError(f"--url {url} is no address such as http://127.0.0.1:8080: give one")
        yield _reached(Server(parts.hostname, parts.port or 80, token, None), None)
        return
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        room = [
            "simulate", "-o", str(folder / "room"), "--seconds", "3", "--cameras", "1", "--workers", "1", "--quiet",
        ]  # fmt: skip
        subprocess.run([sys.executable, "-m", "apps", *room], check=True)
        video = next((folder / "room").glob("*.mp4"))
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        log = folder / "log.txt"
        live = ["live", str(video), "--loop", "--max-rate", "3", "--port", str(port), "--token", _TOKEN, "--offline"]
        # Both networks come with the package.
        live += ["--detector", "yolo11n_room", "--store", str(folder / "store.sqlite")]
        with (
            log.open("wb") as output,
            subprocess.Popen(
                [sys.executable, "-m", "apps", *live], stdout=output, stderr=output, preexec_fn=_heed_interrupts
            ) as process,
        ):
            try:
                yield _reached(Server("127.0.0.1", port, _TOKEN, log), process)
            finally:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()


def _heed_interrupts() -> None:
    # Where this runs in the background of a shell, interrupts are ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _reached(server: Server, process: subprocess.Popen[bytes] | None) -> Server:
    end = time.monotonic() + (_START_SECONDS if process else 5)
    while True:
        answers = Answers("start")
        code = Client(server).ask(answers, "GET", "/api/status", b"", "start")
        if code == 200:
            return server
        if code == 401:
            raise InputError(f"the server at {server.url} wants another token: give it with --token")
        if process is not None and process.poll() is not None and server.log is not None:
            raise InputError(f"the server did not start: {server.log.read_text(errors='replace')[-500:]}")
        if time.monotonic() > end:
            raise InputError(f"no server of multicam live at {server.url}: start one, or leave --url out")
        time.sleep(0.2)
