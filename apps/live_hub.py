"""What all open pages are told, read from the run once for all of them.

The run is asked in threads only, so that nothing that it does holds up the server.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from apps.live_models import Counts, Event, Present, Status
from apps.live_pictures import encode_jpeg
from apps.live_protocol import Engine, View

__all__ = ["Hub", "Listener"]

_log = logging.getLogger("multicam.live")

Result = TypeVar("Result")

_BEAT_SECONDS = 0.2
_PRESENT_SECONDS = 1.0
_STATUS_SECONDS = 2.0
_WHEN_CHANGED = frozenset({"present", "floor"})
#: how long a thread waits for something new; as long may the end of the server take
_WAIT_SECONDS = 0.5
#: after something went wrong, before the run is asked again
_PAUSE_SECONDS = 1.0
#: events that are handed over at once
_MOST_EVENTS = 500


class Listener(Protocol):
    """Somebody who is told."""

    def tell(self, kind: str, text: str) -> None:
        """Take a message that replaces an earlier one of its kind that was not sent yet."""

    def tell_event(self, text: str) -> None:
        """Take an event, of which none is left out."""

    def show(self, camera: str) -> None:
        """A camera has a new picture."""


class Hub:
    """Reads the run for everybody who listens.

    Args:
        engine: the run.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.views: dict[str, View] = {}
        self._listeners: set[Listener] = set()
        self._watched: dict[str, set[Listener]] = {name: set() for name in engine.camera_names}
        self._feeds: dict[str, asyncio.Task[None]] = {}
        self._encoded: dict[tuple[str, int], tuple[int, asyncio.Future[bytes]]] = {}
        self._latest: dict[str, str] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._complained: set[str] = set()
        # One for each camera that is waited for, one for events, one for the beat, and some that make JPEGs.
        self._pool = ThreadPoolExecutor(len(self._watched) + 4, "live-hub")

    def start(self) -> None:
        """Begin; called in the loop that serves."""
        self._tasks = [asyncio.create_task(self._beat()), asyncio.create_task(self._hear())]

    async def close(self) -> None:
        """End."""
        tasks = [*self._tasks, *self._feeds.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def join(self, listener: Listener) -> None:
        """Tell somebody how everything is, and from then on what changes."""
        if not self._listeners:
            self._latest = await self._run(self._read, True, True)
        for kind, text in self._latest.items():
            listener.tell(kind, text)
        self._listeners.add(listener)

    def leave(self, listener: Listener) -> None:
        """Tell somebody nothing more."""
        self._listeners.discard(listener)
        self.watch(listener, ())

    @property
    def listening(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def watch(self, listener: Listener, cameras: tuple[str, ...]) -> None:
        """Show somebody these cameras, and no others; those that are not there are passed over."""
        for name, watchers in self._watched.items():
            if name not in cameras:
                watchers.discard(listener)
                continue
            watchers.add(listener)
            if name not in self._feeds or self._feeds[name].done():
                self._feeds[name] = asyncio.create_task(self._feed(name))

    async def jpeg(self, view: View, width: int) -> bytes:
        """Return a view as JPEG of at most this width, made once for all who want it so."""
        key = (view.camera, width)
        made = self._encoded.get(key)
        if made is None or made[0] != view.sequence:
            loop = asyncio.get_running_loop()
            made = (view.sequence, loop.run_in_executor(self._pool, encode_jpeg, view.image, width))
            self._encoded[key] = made
        # One who leaves takes nothing from the others.
        return await asyncio.shield(made[1])

    async def _feed(self, camera: str) -> None:
        watchers, after = self._watched[camera], 0
        while watchers:
            try:
                view = await self._run(self.engine.wait_view, camera, after, _WAIT_SECONDS)
            except Exception:
                await self._complain(f"camera {camera}")
                continue
            if view is None:
                continue
            after = view.sequence
            self.views[camera] = view
            for listener in watchers:
                listener.show(camera)
        # An old picture is not shown to who comes later, nor kept.
        self.views.pop(camera, None)
        for key in [key for key in self._encoded if key[0] == camera]:
            del self._encoded[key]

    async def _hear(self) -> None:
        newest = await self._newest_event()
        while True:
            try:
                await self._run(self.engine.wait_events, newest, _WAIT_SECONDS)
                found, newest = await self._run(self.engine.events, newest, _MOST_EVENTS)
                for event in found:
                    said = Event.model_validate(event).model_dump(mode="json", exclude_none=True)
                    text = json.dumps({"type": "event", **said})
                    for listener in self._listeners:
                        listener.tell_event(text)
            except Exception:
                await self._complain("events")

    async def _newest_event(self) -> int:
        while True:
            try:
                return (await self._run(self.engine.events, 0, 1))[1]
            except Exception:
                await self._complain("events")

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        present_due = status_due = 0.0
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            if not self._listeners:
                continue
            now = loop.time()
            present, status = now >= present_due, now >= status_due
            try:
                found = await self._run(self._read, present, status)
            except Exception:
                await self._complain("status")
                continue
            present_due = now + _PRESENT_SECONDS if present else present_due
            status_due = now + _STATUS_SECONDS if status else status_due
            for kind, text in found.items():
                if kind in _WHEN_CHANGED and _but_time(text) == _but_time(self._latest.get(kind, "{}")):
                    continue
                self._latest[kind] = text
                for listener in self._listeners:
                    listener.tell(kind, text)

    def _read(self, present: bool, status: bool) -> dict[str, str]:
        """Return what the run says now, by kind; in a thread."""
        found: dict[str, dict[str, Any]] = {}
        if present:
            found["present"] = Present.model_validate(self.engine.present()).model_dump(mode="json")
        if status:
            found["status"] = Status.model_validate(self.engine.status()).model_dump(mode="json")
            counts = Counts.model_validate(self.engine.counts()).model_dump(mode="json")
            # Once more after the last zone has gone, so that the page does not go on showing it.
            if counts["zones"] or counts["lines"] or "counts" in self._latest:
                found["counts"] = counts
        floor = self.engine.floor()
        if floor is not None:
            found["floor"] = floor
        return {kind: json.dumps({**said, "type": kind}) for kind, said in found.items()}

    async def _complain(self, what: str) -> None:
        """Say once of each kind of thing that it went wrong, and wait a little."""
        if what not in self._complained:
            self._complained.add(what)
            _log.exception("the run could not be asked for %s; this is said once", what)
        await asyncio.sleep(_PAUSE_SECONDS)

    async def _run(self, work: Callable[..., Result], *arguments: object) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)


def _but_time(text: str) -> Any:
    said = json.loads(text)
    said.pop("time", None)
    return said
