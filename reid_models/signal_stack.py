"""The stack on which signals are handled stays what it was, whatever a library does to it."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator

__all__ = ["kept_signal_stack", "signal_stack"]


class _Stack(ctypes.Structure):
    """``stack_t`` of Linux."""

    _fields_ = (("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


def signal_stack() -> int | None:
    """Return the address of this thread's alternate signal stack, or ``None`` when there is none (or no Linux)."""
    stack = _Stack()
    if sys.platform != "linux" or ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack)):
        return None
    return stack.address


@contextlib.contextmanager
def kept_signal_stack() -> Iterator[None]:
    """Put this thread's alternate signal stack back at the end.

    A network that OpenVINO compiles sets one of its own, and when it goes the one it found. With two networks that go
    in the order they came, that is the first one's, whose memory is gone; the next Ctrl-C would end the process.
    """
    if sys.platform != "linux":
        yield
        return
    library, before = ctypes.CDLL(None), _Stack()
    known = library.sigaltstack(None, ctypes.byref(before)) == 0
    try:
        yield
    finally:
        if known:
            library.sigaltstack(ctypes.byref(before), None)
