"""What has happened in a live run: the latest events in memory, and all of them as JSON lines in a file."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any, TextIO

from tracker.storage.atomic import output_error

__all__ = ["REMEMBERED", "EventFile", "EventRing"]

#: events that are remembered
REMEMBERED = 10_000
_FLUSH_SECONDS = 1.0


class EventRing:
    """The latest events, numbered from 1 on; any thread may add and ask.

    Args:
        capacity: how many are remembered; of more the oldest are forgotten.
    """

    def __init__(self, capacity: int = REMEMBERED) -> None:
        self._events: deque[dict[str, Any]] = deque(maxlen=capacity)
        self._newest = 0
        self._changed = threading.Condition()

    def add(self, events: Iterable[dict[str, Any]]) -> None:
        """Take in events, ready for JSON, in the order in which they happened."""
        new = list(events)
        if new:
            with self._changed:
                self._events.extend(new)
                self._newest += len(new)
                self._changed.notify_all()

    def since(self, after: int, limit: int) -> tuple[list[dict[str, Any]], int]:
        """Return the newest ``limit`` of the events after number ``after``, newest last, and the newest number."""
        with self._changed:
            count = min(max(self._newest - after, 0), max(limit, 0), len(self._events))
            return list(islice(self._events, len(self._events) - count, None)), self._newest

    def wait(self, after: int, timeout: float) -> bool:
        """Wait until there is an event after number ``after``, for at most ``timeout`` seconds; return whether."""
        with self._changed:
            return self._changed.wait_for(lambda: self._newest > after, timeout)

    def wake(self) -> None:
        """Let all who wait look up."""
        with self._changed:
            self._changed.notify_all()


class EventFile:
    """Appends events to a file, one a line; what was added is in the file after a second. For one thread.

    Args:
        path: the file; what is in it stays.

    Raises:
        InputError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._stream: TextIO = path.open("a", encoding="utf-8", newline="\n")
        except OSError as error:
            raise output_error(path, error) from error
        self._flushed = monotonic()
        self._waiting = False

    def add(self, events: Iterable[dict[str, Any]]) -> None:
        """Append events.

        Raises:
            InputError: the file cannot be written; the events are lost to it.
        """
        try:
            for event in events:
                self._stream.write(json.dumps(event, ensure_ascii=False) + "\n")
                self._waiting = True
            self.flush_if_due()
        except OSError as error:
            raise output_error(self.path, error) from error

    def flush_if_due(self) -> None:
        """Put what was added into the file, if the last time is a second ago; call it often.

        Raises:
            OSError: it cannot be written.
        """
        if self._waiting and monotonic() - self._flushed >= _FLUSH_SECONDS:
            self._waiting, self._flushed = False, monotonic()
            self._stream.flush()

    def close(self) -> None:
        """Put everything into the file and close it.

        Raises:
            InputError: it cannot be written.
        """
        try:
            self._stream.close()
        except OSError as error:
            raise output_error(self.path, error) from error
