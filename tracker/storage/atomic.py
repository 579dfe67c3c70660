"""Files that appear complete or not at all."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from tracker.errors import InputError

__all__ = ["AtomicFile", "atomic_path", "output_error"]

_REMEDIES = {
    errno.ENOSPC: "no space left on the device: free some or choose another output folder",
    errno.EDQUOT: "the disk quota is used up: free some space or choose another output folder",
    errno.EFBIG: "the file grows larger than this file system allows: choose another output folder",
    errno.EACCES: "permission denied: choose a folder you may write to",
    errno.EPERM: "permission denied: choose a folder you may write to",
    errno.EROFS: "the file system is read-only: choose another output folder",
    errno.ENOENT: "its folder is gone: make it again or choose another output folder",
    errno.ENOTDIR: "a part of its path is a file, not a folder: choose another output folder",
    errno.EISDIR: "it is a folder: choose another name",
    errno.ENAMETOOLONG: "its name is too long: choose a shorter one",
}
# Whatever file was being written, these say that the output cannot be; the others may be about another file.
_ALWAYS_ABOUT_OUTPUT = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


def output_error(path: Path, error: OSError) -> InputError:
    """Return the one-line error for an output file that cannot be written, with a remedy.

    Args:
        path: the file the person asked for (not the temporary one).
        error: what the operating system said.
    """
    remedy = _REMEDIES.get(error.errno or 0, f"{error.strerror or error}: choose another output folder")
    return InputError(f"cannot write {path}: {remedy}")


class AtomicFile:
    """A temporary file beside ``path`` that takes its place on ``commit`` and leaves no trace on ``discard``.

    The temporary name is hidden and keeps the suffix (``.NAME.partial.mp4``), because writers choose the format by
    it. It is always the same for one path, so what a killed run left behind is overwritten by the next. A missing
    folder is made.

    Raises:
        InputError: the folder cannot be made or written to, or ``path`` is a folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.temporary = self.path.with_name(f".{self.path.stem}.partial{self.path.suffix}")
        self._open = True
        try:
            if self.path.is_dir():
                raise IsADirectoryError(errno.EISDIR, "is a folder")
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.temporary.unlink(missing_ok=True)
            self.temporary.touch()
        except OSError as error:
            raise output_error(self.path, error) from error

    def commit(self) -> None:
        """Put the temporary file in the place of ``path``; does nothing after ``commit`` or ``discard``."""
        if not self._open:
            return
        try:
            self.temporary.replace(self.path)
        except OSError as error:
            self.discard()
            raise output_error(self.path, error) from error
        self._open = False

    def discard(self) -> None:
        """Remove the temporary file and leave ``path`` as it was; does nothing after ``commit`` or ``discard``."""
        if self._open:
            self._open = False
            with contextlib.suppress(OSError):
                self.temporary.unlink(missing_ok=True)

    def __enter__(self) -> AtomicFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.commit()
        else:
            self.discard()


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of ``path``; renamed to ``path`` on success, removed on any exception.

    Args:
        path: the file to write; its folder is made when missing, an existing file is replaced.

    Raises:
        InputError: the file cannot be written: no space, no permission, a read-only file system.
    """
    with AtomicFile(path) as file:
        try:
            yield file.temporary
        except OSError as error:
            mine = error.filename is not None and Path(str(error.filename)) == file.temporary
            if mine or error.errno in _ALWAYS_ABOUT_OUTPUT:
                raise output_error(file.path, error) from error
            raise
