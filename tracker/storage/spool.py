"""Records of one kind in a temporary file: appended while a run goes, read when it ends, in little memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tracker.storage.atomic import output_error

__all__ = ["AscendingRecords", "RecordSpool"]

_BUFFERED_RECORDS = 16_384


class RecordSpool:
    """Records of a fixed size in one temporary file, with bounded memory.

    The file is removed by :meth:`close`, also when the spool is used in a ``with`` statement that fails.

    Args:
        folder: where the temporary file is made; created if needed. Put it on the disk that takes the results.
        kind: structured dtype of a record.
        name: how the temporary file's name begins.

    Raises:
        InputError: the folder cannot be written.
    """

    def __init__(self, folder: str | Path, kind: np.dtype[np.void], name: str) -> None:
        self._buffer = np.zeros(_BUFFERED_RECORDS, kind)
        self._buffered = 0
        self._written = 0
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            descriptor, path = tempfile.mkstemp(prefix=f".{name}-", suffix=".partial", dir=folder)
        except OSError as error:
            raise output_error(Path(folder), error) from error
        self.path = Path(path)
        self._file: BinaryIO | None = os.fdopen(descriptor, "wb", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return self._written + self._buffered

    def add(self, count: int, fields: dict[str, ArrayLike]) -> None:
        """Add ``count`` records.

        Args:
            count: how many.
            fields: field of the record → its value, one for all or one each.

        Raises:
            InputError: the disk is full or went away.
        """
        start = 0
        while start < count:
            if self._buffered == len(self._buffer):
                self._flush()
            stop = min(count, start + len(self._buffer) - self._buffered)
            part = self._buffer[self._buffered : self._buffered + stop - start]
            for field, value in fields.items():
                part[field] = value if np.ndim(value) == 0 else np.asarray(value)[start:stop]
            self._buffered += stop - start
            start = stop

    def records(self, size: int = 65_536) -> Iterator[NDArray[np.void]]:
        """Yield the records in the order they came, as arrays of at most ``size``."""
        self._flush()
        with self.path.open("rb") as file:
            while len(records := np.fromfile(file, self._buffer.dtype, count=size)):
                yield records

    def close(self) -> None:
        """Remove the temporary file. The spool cannot be used afterwards."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self.path.unlink(missing_ok=True)

    def _flush(self) -> None:
        if self._file is None:
            raise ValueError(f"the spool {self.path.name} is closed")
        if not self._buffered:
            return
        try:
            # A record cut short by a full disk must not shift those that follow it after space was freed.
            self._file.seek(self._written * self._buffer.itemsize)
            content = memoryview(self._buffer[: self._buffered].tobytes())
            while len(content):
                content = content[self._file.write(content) :]
        except OSError as error:
            raise output_error(self.path, error) from error
        self._written += self._buffered
        self._buffered = 0


class AscendingRecords:
    """Records in the order of one of their fields, taken value after value.

    Args:
        chunks: arrays of the records.
        kind: their dtype.
        field: the one that never decreases.
    """

    def __init__(self, chunks: Iterator[NDArray[np.void]], kind: np.dtype[np.void], field: str) -> None:
        self._chunks = chunks
        self._field = field
        self._records = self._none = np.zeros(0, kind)
        self._position = 0

    def at(self, value: float) -> NDArray[np.void]:
        """Return the records (N,) whose field is ``value``; asked for in ascending order."""
        found = [self._none]
        while True:
            values = self._records[self._field][self._position :]
            found.append(self._records[self._position :][values == value])
            self._position += int(np.searchsorted(values, value, side="right"))
            if self._position < len(self._records):
                return np.concatenate(found)
            records = next(self._chunks, None)
            if records is None:
                return np.concatenate(found)
            self._records, self._position = records, 0
