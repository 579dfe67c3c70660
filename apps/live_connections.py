"""Connections of the live server that end although the other side says nothing, or reads nothing."""

from __future__ import annotations

import asyncio
import logging
import socket

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

__all__ = ["LiveRequestProtocol", "LiveSocketProtocol", "bound_silence", "is_hung_up", "quieten"]

#: what was sent must have been taken within so many seconds
_SILENT_SECONDS = 30
#: the header of a request must have come within so many seconds
_HEADER_SECONDS = 20.0
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


class LiveRequestProtocol(H11Protocol):
    """A connection that is closed when what it asks does not come: those that only hang on would take all places."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        """Take a part of a request, and go on waiting where its header is not whole."""
        super().data_received(data)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._forget()
        super().connection_lost(exc)

    def _expect(self) -> None:
        if self.conn.their_state is not h11.IDLE or self.transport.get_protocol() is not self:
            self._forget()
        elif self._late is None:
            self._late = self.loop.call_later(_HEADER_SECONDS, self.transport.close)

    def _forget(self) -> None:
        if self._late is not None:
            self._late.cancel()
        self._late = None


class LiveSocketProtocol(WebSocketsSansIOProtocol):
    """A socket that is gone soon after what served it has ended, though a page that reads nothing cannot be told."""

    async def run_asgi(self) -> None:
        """Serve, then leave only a moment for the last bytes."""
        await super().run_asgi()
        if isinstance(self.transport, asyncio.WriteTransport):
            self.loop.call_later(_CLOSING_SECONDS, self.transport.abort)
