"""How many threads numerical libraries start: one where every core has a worker of its own."""

from __future__ import annotations

import os

__all__ = ["THREAD_SETTINGS", "one_thread_per_worker", "without_thread_settings"]

#: read by the libraries when they are loaded
THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")


def one_thread_per_worker() -> None:
    """Let each of several workers of pytest-xdist, and what it starts, compute in one thread unless told otherwise.

    Threads of several workers on the same cores wait for each other more than they compute.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        for name in THREAD_SETTINGS:
            os.environ.setdefault(name, "1")


def without_thread_settings() -> dict[str, str]:
    """Return the environment in which libraries choose their number of threads, as they do for most people."""
    return {name: value for name, value in os.environ.items() if name not in THREAD_SETTINGS}
