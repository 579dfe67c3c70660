"""A server of ``multicam live`` to be fuzzed, as a process of its own, and how it answers."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tracker.errors import InputError

__all__ = ["Answers", "Client", "Engine", "Server", "goes_on", "running_server"]

#: an answer that takes longer is taken for none
SILENT_SECONDS = 60.0
_START_SECONDS = 180.0
#: pictures must go on coming, and somebody be known, within so many seconds
_PICTURE_SECONDS, _PEOPLE_SECONDS = 30.0, 180.0
_TOKEN = "fuzz-fuzz-fuzz"
_MOST_EXAMPLES = 10


class Engine(StrEnum):
    """What runs behind a server that is started here, on clips of the simulated room."""

    #: two cameras, the detector and the network for looks that come with the package
    REAL = "real"
    #: one camera, and colours for looks: for machines that have little time
    QUICK = "quick"

    @property
    def cameras(self) -> int:
        """How many clips are played."""
        return 2 if self is Engine.REAL else 1

    @property
    def embedder(self) -> str:
        """What looks are compared by."""
        return "osnet_x0_25:room" if self is Engine.REAL else "color_histogram"


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

    def get(self, path: str) -> Any:
        """Return the document at ``path``.

        Raises:
            InputError: there is none, or no server.
        """
        connection = http.client.HTTPConnection(self.host, self.port, timeout=SILENT_SECONDS)
        with contextlib.closing(connection):
            try:
                connection.request("GET", path, headers=self.headers)
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException) as error:
                raise InputError(f"{self.url}{path} does not answer ({error}): is the server still there?") from error
        if answer.status != 200:
            raise InputError(f"{self.url}{path} answers {answer.status}: {content[:200]!r}")
        return json.loads(content)


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


def goes_on(server: Server, seconds: float = _PICTURE_SECONDS) -> str:
    """Return what is wrong with the run behind a server: no picture goes through it any more, or some could not.

    Args:
        server: that was fuzzed.
        seconds: the time that it gets for the next picture.

    Raises:
        InputError: it does not answer.
    """
    before = server.get("/api/status")["processing"]
    end = time.monotonic() + seconds
    while (now := server.get("/api/status")["processing"])["processed"] <= before["processed"]:
        if time.monotonic() > end:
            return f"no picture in {seconds:g} s: {now['message'] or 'it does not say why'}"
        time.sleep(0.2)
    return now["message"] if "could not be processed" in now["message"] else ""


@contextlib.contextmanager
def running_server(url: str | None, token: str | None, engine: Engine = Engine.REAL) -> Iterator[Server]:
    """Yield the server at an address, or one that is started on clips of the simulated room and knows people already.

    Args:
        url: of a server that runs; ``None``: one is started.
        token: of that server.
        engine: what runs behind one that is started.

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
        rendered = [
            "simulate", "-o", str(folder / "room"), "--seconds", "4", "--seed", "2",
            "--cameras", str(engine.cameras), "--workers", "1", "--quiet",
        ]  # fmt: skip
        subprocess.run([sys.executable, "-m", "apps", *rendered], check=True)
        clips = [str(clip) for clip in sorted((folder / "room").glob("*.mp4"))]
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        log = folder / "log.txt"
        live = ["live", *clips, "--loop", "--max-rate", "3", "--port", str(port), "--token", _TOKEN, "--offline"]
        # The networks come with the package.
        live += ["--detector", "yolo11n_room", "--embedder", engine.embedder, "--store", str(folder / "store.sqlite")]
        with (
            log.open("wb") as output,
            subprocess.Popen(
                [sys.executable, "-m", "apps", *live], stdout=output, stderr=output, preexec_fn=_heed_interrupts
            ) as process,
        ):
            try:
                server = _reached(Server("127.0.0.1", port, _TOKEN, log), process)
                _wait_for_people(server)
                yield server
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


def _wait_for_people(server: Server) -> None:
    end = time.monotonic() + _PEOPLE_SECONDS
    while len(server.get("/api/people?limit=2")["people"]) < 2:
        if time.monotonic() > end:
            raise InputError(f"nobody is found on the clips in {_PEOPLE_SECONDS:g} s: is this machine busy?")
        time.sleep(0.5)
