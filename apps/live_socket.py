"""The live server's socket: one task for each page sends it what is new, and never more than it says it has seen."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Annotated, Literal

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from apps.live_hub import Hub

__all__ = ["socket_routes"]

#: who does not read, or does not say that a picture was seen, is dropped after so many seconds
_PATIENCE_SECONDS = 10.0
#: events that may wait for one page
_MOST_EVENTS = 1000
_MOST_PAGES = 64
#: Widths that pictures are made in: a page gets the next larger one, so that few have to be made.
_WIDTHS = (160, 240, 320, 480, 640, 960, 1280, 1920)
_UNKNOWN, _BUSY = 1003, 1013


class _Watch(BaseModel):
    """Which views a page wants, how wide, and how many pictures a second."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["watch"]
    cameras: Annotated[tuple[str, ...], Field(max_length=1000)]
    width: Annotated[int, Field(ge=1, le=100_000)] = 640
    rate: Annotated[float, Field(gt=0, le=1000)] = 10.0


class _Seen(BaseModel):
    """A page has shown a picture."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["seen"]
    camera: str
    sequence: int


_Said: TypeAdapter[_Watch | _Seen] = TypeAdapter(Annotated[_Watch | _Seen, Field(discriminator="type")])


class _TooSlowError(Exception):
    """A page does not keep up."""


def socket_routes(hub: Hub) -> APIRouter:
    """Return the route of the socket."""
    routes = APIRouter()

    @routes.websocket("/api/live")
    async def live(socket: WebSocket) -> None:
        await socket.accept()
        if hub.listening >= _MOST_PAGES:
            await socket.close(_BUSY, "too many pages are open")
            return
        page = _Page(hub, socket)
        tasks = [asyncio.create_task(page.send_on()), asyncio.create_task(page.hear())]
        try:
            await hub.join(page)
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hub.leave(page)
            for task in tasks:
                task.cancel()
            # Not gather: when it is cancelled itself, what it raises no longer says by whom.
            await asyncio.wait(tasks)
        ends = [None if task.cancelled() else task.exception() for task in tasks]
        code = next((_code(end) for end in ends if _code(end) is not None), None)
        if code is not None:
            # To one who does not read even this cannot be said.
            try:
                async with asyncio.timeout(1.0):
                    await socket.close(code)
            except (TimeoutError, RuntimeError, WebSocketDisconnect):
                return
        for end in ends:
            if isinstance(end, Exception) and _code(end) is None and not isinstance(end, WebSocketDisconnect):
                raise end

    return routes


def _code(end: object) -> int | None:
    if isinstance(end, _TooSlowError):
        return _BUSY
    return _UNKNOWN if isinstance(end, ValidationError) else None


class _Page:
    """One open page."""

    def __init__(self, hub: Hub, socket: WebSocket) -> None:
        self._hub, self._socket = hub, socket
        self._changed = asyncio.Event()
        self._news: dict[str, str] = {}
        self._events: deque[str] = deque()
        self._overrun = False
        self._wanted: tuple[str, ...] = ()
        self._width, self._pause = _WIDTHS[-1], 0.1
        # camera → number of the picture that was sent last, and when; and those that were not seen yet
        self._sent: dict[str, tuple[int, float]] = {}
        self._unseen: dict[str, int] = {}

    # What the hub says

    def tell(self, kind: str, text: str) -> None:
        self._news[kind] = text
        self._changed.set()

    def tell_event(self, text: str) -> None:
        self._overrun = self._overrun or len(self._events) >= _MOST_EVENTS
        if not self._overrun:
            self._events.append(text)
        self._changed.set()

    def show(self, camera: str) -> None:
        self._changed.set()

    # What the page says

    async def hear(self) -> None:
        """Take what the page says, until it goes or says something that is not understood."""
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            said = _Said.validate_json(message.get("text") or "")
            if isinstance(said, _Watch):
                self._wanted = said.cameras
                self._width = next((width for width in _WIDTHS if width >= said.width), _WIDTHS[-1])
                self._pause = 1 / said.rate
                self._unseen = {name: number for name, number in self._unseen.items() if name in said.cameras}
                self._hub.watch(self, said.cameras)
            elif self._unseen.get(said.camera) == said.sequence:
                del self._unseen[said.camera]
            self._changed.set()

    # What the page is sent

    async def send_on(self) -> None:
        """Send what is new, for as long as the page reads."""
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            for camera in self._unseen:
                if now - self._sent[camera][1] > _PATIENCE_SECONDS:
                    raise _TooSlowError
            if self._overrun:
                raise _TooSlowError
            try:
                async with asyncio.timeout(self._rest(now)):
                    await self._changed.wait()
            except TimeoutError:
                pass
            self._changed.clear()
            while self._events:
                await self._send(self._events.popleft())
            for kind in list(self._news):
                await self._send(self._news.pop(kind))
            for camera in self._wanted:
                await self._send_view(camera, loop)

    def _rest(self, now: float) -> float:
        """Return the seconds after which there may be something to do although nothing has changed."""
        due = [
            self._sent[camera][1] + self._pause - now
            for camera in self._wanted
            if camera in self._sent and camera not in self._unseen and self._is_newer(camera)
        ]
        return max(min([1.0, *due]), 0.0)

    def _is_newer(self, camera: str) -> bool:
        view = self._hub.views.get(camera)
        return view is not None and view.sequence != self._sent.get(camera, (0, 0.0))[0]

    async def _send_view(self, camera: str, loop: asyncio.AbstractEventLoop) -> None:
        view, last = self._hub.views.get(camera), self._sent.get(camera)
        if view is None or camera in self._unseen or not self._is_newer(camera):
            return
        if last is not None and loop.time() - last[1] < self._pause:
            return
        jpeg = await self._hub.jpeg(view, self._width)
        said = {
            "type": "frame", "camera": camera, "time": view.time, "size": view.size, "boxes": view.boxes,
            "sequence": view.sequence,
        }  # fmt: skip
        self._sent[camera] = (view.sequence, loop.time())
        self._unseen[camera] = view.sequence
        await self._send(json.dumps(said))
        await self._send(jpeg)

    async def _send(self, message: str | bytes) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                if isinstance(message, str):
                    await self._socket.send_text(message)
                else:
                    await self._socket.send_bytes(message)
        except TimeoutError:
            raise _TooSlowError from None
