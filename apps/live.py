"""``multicam live``: cameras in a browser, identities as people move, until somebody ends it."""

from __future__ import annotations

import ipaddress
import secrets
import socket
import threading
import time
from typing import TYPE_CHECKING

from apps.calibration_server import open_page
from apps.interrupts import StopRequest
from apps.live_engine import LiveEngine
from apps.live_settings import LiveSettings
from apps.notices import Notices
from apps.summary import run_by
from tracker.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["run_live"]

_ANSWER_SECONDS, _LOOK_SECONDS = 20.0, 0.2


def run_live(
    settings: LiveSettings, *, address: str, port: int, token: str | None, open_browser: bool, console: Console | None
) -> None:
    """Run live cameras and serve their page; returns when it is stopped (Ctrl-C, or SIGTERM).

    Args:
        settings: of the run.
        address: where the page is served.
        port: there.
        token: what everybody who asks must know; ``None``: nothing on this computer, and one that is made otherwise.
        open_browser: show the page.
        console: where things are said; ``None``: only errors are.

    Raises:
        InputError: something given cannot be used, or the run failed again and again.
    """
    from apps.live_web import serve

    if open_browser and port == 0:
        raise InputError("--open cannot know which port --port 0 becomes: give one, for example --port 8080")
    if token is None and open_browser and not _is_local(address):
        token = secrets.token_urlsafe(24)
        if console is not None:
            console.print(f"Token: {token}", markup=False, highlight=False, soft_wrap=True)
    with Notices(console) as notices:
        engine = LiveEngine(settings, log=notices.warn)
        with StopRequest(at_once=True):
            engine.start()
        try:
            status = engine.status()
            notices.say(run_by(filter(None, (status["detector"], status["embedder"]))))
            known = engine.known_people
            if known:
                notices.say(f"{known} people known from before: {engine.store_path}")
            if open_browser:
                query = f"/?token={token}" if token else "/"
                threading.Thread(target=_show, args=(address, port, query), name="browser", daemon=True).start()
            # The server ends at a signal, and then passes it on: that is no reason to go at once.
            with StopRequest():
                serve(engine, address=address, port=port, token=token, console=console)
        finally:
            # What was seen is stored, whoever is impatient.
            with StopRequest():
                engine.close()
    if engine.failure is not None:
        raise InputError(engine.failure)


def _show(address: str, port: int, query: str) -> None:
    """Open the page as soon as somebody answers."""
    host = "127.0.0.1" if address in ("0.0.0.0", "::", "") else address
    deadline = time.monotonic() + _ANSWER_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            time.sleep(_LOOK_SECONDS)
            continue
        open_page(f"http://{f'[{host}]' if ':' in host else host}:{port}{query}")
        return


def _is_local(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
