"""Jobs in processes of their own, with results in order whoever is done first."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from benchmarks.machine import THREAD_VARIABLES
from tracker.errors import InputError

__all__ = ["checked_workers", "one_thread_each", "ordered_results", "signals_held_back"]

_STOPPING = (signal.SIGINT, signal.SIGTERM)
_KILLED = "a process that computes ended before its work was done"

Job = TypeVar("Job")
Result = TypeVar("Result")


def checked_workers(workers: int | None) -> int:
    """Return the number of processes to use; ``None`` is one per processor that may be used.

    Raises:
        InputError: fewer than one.
    """
    if workers is None:
        affinity = getattr(os, "sched_getaffinity", None)
        return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    if workers < 1:
        raise InputError(f"{workers} processes; give at least 1")
    return workers


def ordered_results(function: Callable[[Job], Result], jobs: Iterable[Job], workers: int) -> Iterator[Result]:
    """Yield ``function(job)`` for each job, in their order.

    The results are the same with any number of processes. Who has enough of them may stop, or fail, at any time:
    closing the generator ends the processes, and jobs are never begun far ahead of what was taken.

    Args:
        function: of a module, so that another process finds it.
        jobs: may be endless.
        workers: processes; with 1 everything is computed in this one. With more, scripts need the usual
            ``if __name__ == "__main__"`` guard.

    Raises:
        InputError: as ``function`` does.
        RuntimeError: a job failed otherwise, or its process was killed.
    """
    if workers <= 1:
        yield from map(function, jobs)
        return
    context = get_context("spawn")
    processes, idle = [], list[Connection]()
    try:
        with signals_held_back(), one_thread_each():
            for _ in range(workers):
                mine, theirs = context.Pipe()
                process = context.Process(target=_work, args=(function, theirs), daemon=True)
                process.start()
                # Only when no other end is open here does the end of the process show as the end of the pipe.
                theirs.close()
                processes.append(process)
                idle.append(mine)
        yield from _collected(enumerate(jobs), idle)
    finally:
        # They write nothing that could be left unfinished.
        for process in processes:
            process.kill()
        for process in processes:
            process.join(timeout=10)


@contextlib.contextmanager
def one_thread_each() -> Iterator[None]:
    """Let processes that are started meanwhile compute matrix products in one thread, unless the user said otherwise.

    Threads of several processes on the same processors wait for each other more than they compute.
    """
    added = [name for name in THREAD_VARIABLES if name not in os.environ]
    os.environ.update(dict.fromkeys(added, "1"))
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextlib.contextmanager
def signals_held_back() -> Iterator[None]:
    """Let an interrupt wait until processes have started, and never reach these, which inherit what is blocked.

    Their parent is told, too, and ends them; a traceback from each of them would help nobody.
    """
    if not hasattr(signal, "pthread_sigmask") or threading.current_thread() is not threading.main_thread():
        yield
        return
    # Starting it lets all signals through again.
    resource_tracker.ensure_running()
    held: list[int] = []
    # Besides being blocked: another thread, of a library, may be handed the signal instead.
    handlers = {number: signal.signal(number, lambda number, frame: held.append(number)) for number in _STOPPING}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number, handler in handlers.items():
            signal.signal(number, handler or signal.SIG_DFL)
        if held:
            signal.raise_signal(held[0])


def _collected(jobs: Iterator[tuple[int, Any]], idle: list[Connection]) -> Iterator[Any]:
    ahead = 2 * len(idle)
    running: dict[Connection, int] = {}
    finished: dict[int, Any] = {}
    following = 0
    while True:
        while idle and len(running) + len(finished) < ahead:
            entry = next(jobs, None)
            if entry is None:
                break
            connection = idle.pop()
            running[connection], job = entry
            try:
                connection.send(job)
            except BrokenPipeError:
                raise RuntimeError(_KILLED) from None
        if following in finished:
            yield finished.pop(following)
            following += 1
            continue
        if not running:
            return
        for ready in wait(list(running)):
            assert isinstance(ready, Connection)
            number = running.pop(ready)
            try:
                error, finished[number] = ready.recv()
            except EOFError:
                raise RuntimeError(_KILLED) from None
            if error is not None:
                raise error
            idle.append(ready)


def _work(function: Callable[[Any], Any], connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
    import cv2

    # One process per core is at work already.
    cv2.setNumThreads(1)
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        answer: tuple[Exception | None, Any]
        try:
            answer = None, function(job)
        except InputError as error:
            answer = InputError(str(error)), None
        except Exception as error:
            answer = RuntimeError(f"a computation failed: {type(error).__name__}: {error}"), None
        try:
            connection.send(answer)
        except BrokenPipeError:
            return
