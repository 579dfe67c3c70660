"""Connections of the live server that end although the other side does not read what it is sent."""

from __future__ import annotations

import asyncio
import logging
import socket

import h11
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

__all__ = ["LiveSocketProtocol", "bound_silence", "is_hung_up", "quieten"]

#: what was sent must have been taken within so many seconds
_SILENT_SECONDS = 30
#: so long one may take to answer that the socket is closed
_CLOSING_SECONDS = 2.0


def bound_silence(listener: socket.socket) -> None:
    """Let connections end whose other side takes nothing for long, where the system can; else buffers stay full."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        listener.setsockopt(socket.IPPROTO_TCP, option, _SILENT_SECONDS * 1000)


#: what the libraries say of others' mistakes, each time anew
_OTHERS_MISTAKES = ("Invalid HTTP request received", "ASGI callable returned without completing", "Unsupported upgrade")


def is_hung_up(error: Exception) -> bool:
    """Return whether an answer could not be sent because the other side has gone, or broke the rules of HTTP since."""
    if isinstance(error, h11.LocalProtocolError):
        return any(f"state={state}" in str(error) for state in ("MUST_CLOSE", "CLOSED", "ERROR"))
    return isinstance(error, OSError)


def quieten() -> None:
    """Let nobody fill the server's log with broken requests: that is the sender's business, who gets an answer."""
    server = logging.getLogger("uvicorn.error")
    if _is_ours not in server.filters:
        server.addFilter(_is_ours)
    logging.getLogger("python_multipart").setLevel(logging.ERROR)


def _is_ours(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_OTHERS_MISTAKES)


class LiveSocketProtocol(WebSocketsSansIOProtocol):
    """A socket that is gone soon after what served it has ended, though a page that reads nothing cannot be told."""

    async def run_asgi(self) -> None:
        """Serve, then leave only a moment for the last bytes."""
        await super().run_asgi()
        if isinstance(self.transport, asyncio.WriteTransport):
            self.loop.call_later(_CLOSING_SECONDS, self.transport.abort)
