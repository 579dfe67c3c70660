"""Ctrl-C: the first asks a run to finish what it has, the second stops at once."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

import typer

__all__ = ["StopRequest", "stoppable"]


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Say so when a person stops a command for good; typer would only end it."""
    try:
        yield
    except KeyboardInterrupt:
        print("multicam: stopped.", file=sys.stderr, flush=True)
        raise typer.Exit(130) from None


class StopRequest:
    """While active, the first interrupt (or SIGTERM) only sets ``requested``; the next raises KeyboardInterrupt.

    Args:
        at_once: the first raises already, for work of which a part is worth nothing.
    """

    def __init__(self, *, at_once: bool = False) -> None:
        self.requested = False
        self._at_once = at_once
        self._previous: dict[int, Any] = {}
        self._shielded = False

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def shielded(self) -> Iterator[None]:
        """Let nothing be broken off in a short stretch that must be done wholly or not at all."""
        self._shielded = True
        try:
            yield
        finally:
            self._shielded = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._shielded:
            return
        if self.requested or self._at_once:
            # What cleans up from here on is not to be broken off by a third.
            self._shielded = True
            raise KeyboardInterrupt
        self.requested = True
