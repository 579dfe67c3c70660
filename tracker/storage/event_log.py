"""The stream of events of a run as JSON Lines."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from types import TracebackType

from tracker.cross_camera.events import Event
from tracker.storage.atomic import AtomicFile, output_error

__all__ = ["EventLog"]


class EventLog:
    """Writes one event a line; the file appears on ``commit``.

    Args:
        file: where it goes.

    Raises:
        InputError: the file cannot be written.
    """

    def __init__(self, file: AtomicFile) -> None:
        self._file = file
        try:
            self._stream = file.temporary.open("w", encoding="utf-8", newline="\n")
        except OSError as error:
            file.discard()
            raise output_error(file.path, error) from error
        self.count = 0

    def __enter__(self) -> EventLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What is still buffered may not fit on a full disk; it is not wanted any more.
        with contextlib.suppress(OSError):
            self._stream.close()
        self._file.discard()

    def add(self, events: Iterable[Event]) -> None:
        """Append events."""
        try:
            for event in events:
                self._stream.write(json.dumps(event.to_dict()) + "\n")
                self.count += 1
        except OSError as error:
            raise output_error(self._file.path, error) from error

    def begin_again(self) -> None:
        """Forget all events so far."""
        try:
            self._stream.seek(0)
            self._stream.truncate()
        except OSError as error:
            raise output_error(self._file.path, error) from error
        self.count = 0

    def commit(self) -> None:
        """Put the finished file in its place."""
        try:
            self._stream.close()
        except OSError as error:
            raise output_error(self._file.path, error) from error
        self._file.commit()
