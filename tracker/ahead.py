"""Work done ahead of whoever needs it: one item at a time, in a thread, in order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from typing import Generic, TypeVar

__all__ = ["ahead"]

Item = TypeVar("Item")
Result = TypeVar("Result")

#: a waiting consumer looks up so often, in case an interrupt came in between, and waits so long for a thread to end
_LOOK_UP_SECONDS, _JOIN_SECONDS = 0.5, 10.0


def ahead(
    items: Iterator[Item], work: Callable[[Item], Result], *, overlap: bool = True
) -> Generator[tuple[Item, Result], None, None]:
    """Yield every item with what ``work`` makes of it, in order.

    With ``overlap`` a thread takes items and works while the consumer is busy with the pair before. It holds one
    finished pair at most, so nothing queues up, and the pairs are those of the plain loop: ``work`` is called once for
    each item, in order, never twice at a time. What ``items`` or ``work`` raises is raised here after the pairs before
    it. Closing the generator ends the thread; an item that it had taken is then lost.

    Args:
        items: what is worked on; used in the thread alone while this goes on.
        work: must need nothing that the consumer changes.
        overlap: ``False`` is the plain loop.
    """
    if not overlap:
        for item in items:
            yield item, work(item)
        return
    worker = _Worker(items, work)
    worker.start()
    try:
        while True:
            pair = worker.take()
            if pair is None:
                return
            yield pair
    finally:
        worker.stop()


class _Worker(threading.Thread, Generic[Item, Result]):
    """Makes pairs and keeps one until it is taken; its fields are guarded by its condition."""

    def __init__(self, items: Iterator[Item], work: Callable[[Item], Result]) -> None:
        super().__init__(name="work ahead", daemon=True)
        self._items, self._work = items, work
        self._condition = threading.Condition()
        self._pair: tuple[Item, Result] | None = None
        self._error: BaseException | None = None
        self._ended = self._stopped = False

    def run(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._items:
                if self._stopped or not self._put((item, self._work(item))):
                    break
        except BaseException as caught:
            error = caught
        with self._condition:
            self._error, self._ended = error, True
            self._condition.notify_all()

    def _put(self, pair: tuple[Item, Result]) -> bool:
        """Hand a pair over; returns False when no more are wanted."""
        with self._condition:
            while self._pair is not None and not self._stopped:
                self._condition.wait()
            self._pair = pair
            self._condition.notify_all()
            return not self._stopped

    def take(self) -> tuple[Item, Result] | None:
        """Return the next pair, ``None`` after the last.

        Raises:
            BaseException: whatever ended the thread.
        """
        with self._condition:
            while self._pair is None and not self._ended:
                self._condition.wait(_LOOK_UP_SECONDS)
            if self._pair is not None:
                pair, self._pair = self._pair, None
                self._condition.notify_all()
                return pair
            error, self._error = self._error, None
        if error is not None:
            raise error
        return None

    def stop(self) -> None:
        """Want no more, and wait until the thread has left ``work``."""
        with self._condition:
            self._stopped = True
            self._condition.notify_all()
        self.join(_JOIN_SECONDS)
