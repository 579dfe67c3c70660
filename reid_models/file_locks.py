"""One process at a time: a lock that its holder's death releases."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

__all__ = ["only_one_process"]

_UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}

if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[str]) -> None:
        # Gives up after ten seconds with EDEADLK.
        while True:
            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
                return
            except OSError as error:
                if error.errno != errno.EDEADLK:
                    raise

else:
    import fcntl

    def _lock(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)


@contextlib.contextmanager
def only_one_process(path: Path) -> Iterator[bool]:
    """Hold the lock file ``path`` within the block, after waiting for whoever holds it; it is removed at the end.

    Yields:
        Whether the lock is held: some network file systems know no locks.

    Raises:
        OSError: the file cannot be made.
    """
    while True:
        file = path.open("a")
        try:
            _lock(file)
        except OSError as error:
            file.close()
            if error.errno not in _UNSUPPORTED:
                raise
            yield False
            return
        except BaseException:
            file.close()
            raise
        # The holder before may have removed the file that was waited for: its lock protects nothing.
        if _is_same_file(file, path):
            break
        file.close()
    try:
        yield True
    finally:
        # Windows removes no open file; an empty one that stays does no harm.
        with contextlib.suppress(OSError):
            path.unlink()
        file.close()


def _is_same_file(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
