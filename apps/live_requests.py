"""Work that other threads want done between two steps of a live run, by the thread that does the steps.

So nothing that the steps use needs a lock, and who asks is served after at most one step, however busy the run is.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, TypeVar

from tracker.errors import InputError

__all__ = ["Requests"]

#: requests that may wait; who asks beyond is told to come back
_MOST_WAITING = 32
_PATIENCE_SECONDS = 10.0

Result = TypeVar("Result")


class Requests:
    """A short queue of functions and their results."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._lock = threading.Lock()
        self._over: str | None = None

    def do(self, work: Callable[[], Result], patience: float = _PATIENCE_SECONDS) -> Result:
        """Return what ``work`` returns once the run has done it; for any thread but that of the run.

        Args:
            work: what is to be done.
            patience: seconds to wait until it begins.

        Raises:
            InputError: the run is over, or has too much to do; then the work is not done.
            Exception: what ``work`` raises.
        """
        future: Future[Result] = Future()
        with self._lock:
            if self._over is not None:
                raise InputError(self._over)
            if len(self._waiting) >= _MOST_WAITING:
                raise InputError("the run has too much to do just now: try again in a moment")
            self._waiting.append((work, future))
        try:
            return future.result(patience)
        except FutureTimeout:
            if future.cancel():
                raise InputError("the run has too much to do just now: try again in a moment") from None
            # It has begun, and what has begun is done.
            return future.result()
        except CancelledError:
            raise InputError("the run is over: start it again") from None

    def serve(self) -> None:
        """Do what waits; for the thread of the run."""
        while True:
            with self._lock:
                if not self._waiting:
                    return
                work, future = self._waiting.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)
                if not isinstance(error, Exception):
                    raise

    def close(self, reason: str) -> None:
        """Take no more requests, for a reason that is one clear line; those that wait are not done."""
        with self._lock:
            self._over = reason
            waiting, self._waiting = list(self._waiting), deque()
        for _, future in waiting:
            future.cancel()
            future.set_running_or_notify_cancel()
