"""The web server of ``multicam live``: the page, its API (OpenAPI at ``/api/openapi.json``) and its socket.

It knows the run by :class:`apps.live_protocol.Engine` only.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import secrets
import socket
import threading
from collections.abc import AsyncIterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI

from apps.live_answers import PROBLEMS, say_problems
from apps.live_connections import LiveRequestProtocol, LiveSocketProtocol, bound_silence, quieten
from apps.live_hub import Hub
from apps.live_protocol import Engine
from apps.live_routes_cameras import camera_routes
from apps.live_routes_people import people_routes
from apps.live_routes_zones import zone_routes
from apps.live_safety import HostRule, SafetyMiddleware, is_loopback
from apps.live_search_routes import search_routes
from apps.live_socket import socket_routes
from apps.live_static import PAGE_FOLDER, page_files, page_routes
from tracker.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["LiveServer", "create_app", "serve"]

_SHORTEST_TOKEN, _LONGEST_TOKEN = 8, 256
_CONNECTIONS = 512
#: open sockets get so long to end when the server does
_GRACE_SECONDS = 1

_log = logging.getLogger("multicam.live")


def create_app(
    engine: Engine, *, address: str = "127.0.0.1", token: str | None = None, page: Path = PAGE_FOLDER
) -> FastAPI:
    """Return the application.

    Args:
        engine: the run; started and closed by the caller.
        address: what the server listens to, by which it knows under which names it may be asked.
        token: what every request must have; ``None``: nothing.
        page: folder of the page's files.
    """
    hub = Hub(engine)

    @contextlib.asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        hub.start()
        try:
            yield
        finally:
            await hub.close()

    app = FastAPI(
        title="multicam live",
        version=metadata.version("multicam-tracker"),
        description="Cameras, and who is seen by them. Requests that change something need X-Requested-With: multicam.",
        openapi_url="/api/openapi.json",
        # Those need scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        responses=PROBLEMS,
        lifespan=life,
        # A way with a slash too many is nothing, instead of a redirection that a wrong host could steer.
        redirect_slashes=False,
    )
    app.add_middleware(SafetyMiddleware, hosts=HostRule(address), token=token)
    say_problems(app)
    for routes in (
        page_routes(page_files(page)),
        camera_routes(engine),
        people_routes(engine),
        zone_routes(engine),
        search_routes(engine),
        socket_routes(hub),
    ):
        app.include_router(routes)
    return app


class LiveServer:
    """The server with the socket it listens to, which it has from the beginning.

    Args:
        engine: the run.
        address: what to listen to; beyond this machine (not 127.0.0.1 or the like) a token is made if none is given.
        port: 0: any that is free.
        token: what every request must have.

    Raises:
        InputError: the address or the port cannot be had, or the token is none that could be sent.
    """

    def __init__(
        self, engine: Engine, *, address: str = "127.0.0.1", port: int = 8080, token: str | None = None
    ) -> None:
        _check_token(token)
        #: a token was made because others than this machine can reach the address
        self.made_token = token is None and not is_loopback(address)
        self.token = secrets.token_urlsafe(24) if self.made_token else token
        self.address = address
        self._engine = engine
        self._listener = _listen(address, port)
        self.port = int(self._listener.getsockname()[1])
        config = uvicorn.Config(
            create_app(engine, address=address, token=self.token),
            http=LiveRequestProtocol,
            ws=LiveSocketProtocol,
            ws_max_size=65_536,
            ws_ping_interval=20,
            ws_ping_timeout=20,
            # Pictures are packed already.
            ws_per_message_deflate=False,
            # Its lines have addresses with tokens.
            access_log=False,
            log_config=None,
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_CONNECTIONS,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            lifespan="on",
        )
        self._server = uvicorn.Server(config)
        # After the configuration, which sets levels.
        quieten()

    @property
    def url(self) -> str:
        """The address to open, with the token if it was made here; who gave one knows it."""
        host = "127.0.0.1" if self.address == "0.0.0.0" else "[::1]" if self.address == "::" else self.address
        return self._url(host)

    @property
    def other_url(self) -> str | None:
        """The address for other machines, where all addresses of this one are listened to."""
        return self._url(socket.gethostname()) if self.address in ("0.0.0.0", "::") else None

    def _url(self, host: str) -> str:
        host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        query = f"/?token={self.token}" if self.made_token else "/"
        return f"http://{host}:{self.port}{query}"

    def run(self) -> None:
        """Serve until interrupted, stopped, or until the run ends by itself."""
        over = threading.Event()
        watch = threading.Thread(target=self._watch, args=(over,), daemon=True)
        watch.start()
        try:
            self._server.run(sockets=[self._listener])
        except KeyboardInterrupt:
            # It has ended well by then.
            pass
        finally:
            over.set()
            watch.join()
            self._listener.close()

    def stop(self) -> None:
        """End ``run``; from any thread."""
        self._server.should_exit = True

    @property
    def started(self) -> bool:
        """Whether it serves."""
        return self._server.started

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(0.2):
            if self._engine.failure is not None:
                self.stop()
                return


def serve(engine: Engine, *, address: str, port: int, token: str | None, console: Console | None) -> None:
    """Serve a run until Ctrl-C, or until it ends by itself (``engine.failure`` then says why).

    Args:
        engine: the run, started.
        address: what to listen to; beyond this machine a token is made if none is given.
        port: 0: any that is free.
        token: what every request must have; ``None``: nothing on this machine.
        console: where the address to open is printed.

    Raises:
        InputError: the address or the port cannot be had, or the token is none that could be sent.
    """
    server = LiveServer(engine, address=address, port=port, token=token)
    if console is not None:
        lines = [f"Open {server.url}"]
        if server.other_url is not None:
            lines.append(f"From other machines: {server.other_url}")
        if server.made_token:
            lines.append("Whoever has this address sees the cameras. --token chooses another token.")
        lines.append("Ctrl-C ends it.")
        for line in lines:
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    server.run()


def _check_token(token: str | None) -> None:
    if token is None:
        return
    fitting = _SHORTEST_TOKEN <= len(token) <= _LONGEST_TOKEN and token.isascii()
    if not fitting or not all(letter.isalnum() or letter in "-._~" for letter in token):
        raise InputError(
            f"--token is not {_SHORTEST_TOKEN} to {_LONGEST_TOKEN} letters, digits or -._~: give such a one, "
            "or leave it out"
        )


def _listen(address: str, port: int) -> socket.socket:
    if not 0 <= port <= 65_535:
        raise InputError(f"--port {port} is none: give 1 to 65535, or 0 for any that is free")
    try:
        if not address:
            raise OSError
        family, kind, protocol, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):
        raise InputError(
            f"--address {address!r} is no address: give 127.0.0.1, 0.0.0.0 or one of this machine's"
        ) from None
    listener = socket.socket(family, kind, protocol)
    try:
        # So that a server that is started anew has its port at once; a port that is listened to stays taken.
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound_silence(listener)
        listener.bind(place)
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            raise InputError(
                f"--address {address} is not one of this machine's: give 127.0.0.1, 0.0.0.0 or one that is"
            ) from None
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"--port {port} cannot be had ({reason}): choose another") from None
    return listener
