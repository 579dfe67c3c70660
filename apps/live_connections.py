"""Connections of the live server that end although the other side does not read what it is sent."""

from __future__ import annotations

import asyncio
import socket

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

__all__ = ["LiveSocketProtocol", "bound_silence"]

#: what was sent must have been taken within so many seconds
_SILENT_SECONDS = 30
#: so long one may take to answer that the socket is closed
_CLOSING_SECONDS = 2.0


def bound_silence(listener: socket.socket) -> None:
    """Let connections end whose other side takes nothing for long, where the system can; else buffers stay full."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        listener.setsockopt(socket.IPPROTO_TCP, option, _SILENT_SECONDS * 1000)


class LiveSocketProtocol(WebSocketsSansIOProtocol):
    """A socket that is gone soon after what served it has ended, though a page that reads nothing cannot be told."""

    async def run_asgi(self) -> None:
        """Serve, then leave only a moment for the last bytes."""
        await super().run_asgi()
        if isinstance(self.transport, asyncio.WriteTransport):
            self.loop.call_later(_CLOSING_SECONDS, self.transport.abort)
