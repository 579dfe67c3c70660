"""The folder a run writes to: never overwritten by accident, never left half-written."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from tracker.errors import InputError
from tracker.storage.atomic import output_error

__all__ = ["RUN_RECORD", "OutputFolder"]

RUN_RECORD = "run.json"
_STAGING = ".multicam.partial"


class OutputFolder:
    """Where the results of one run go.

    Creating it only looks; as a context manager it makes the folder and, hidden in it, one for the files of this run.
    They take their places together by ``publish``. Until then the results of an earlier run are as they were, and a run
    that ends without ``publish`` leaves no trace.

    Args:
        path: the folder; made when missing.
        overwrite: replace the results of an earlier run.
        inputs: files that this run reads and that no result may replace.

    Raises:
        InputError: the folder has files and ``overwrite`` is off, it cannot be written, or another run writes to it.
    """

    def __init__(self, path: str | Path, *, overwrite: bool = False, inputs: Iterable[Path] = ()) -> None:
        self.path = Path(path).expanduser()
        self.staging = self.path / _STAGING
        self._inputs = list(inputs)
        self._written: list[str] = []
        self._made: list[Path] = []
        self._lock: int | None = None
        if os.path.lexists(self.path) and not self.path.is_dir():
            raise InputError(f"output {self.path} is a file: give a folder")
        try:
            names = [entry.name for entry in self.path.iterdir()] if self.path.exists() else []
        except OSError as error:
            raise output_error(self.path, error) from error
        #: whether the folder has visible files, of an earlier run or of somebody else
        self.had_files = any(not name.startswith(".") for name in names)
        if self.had_files and not overwrite:
            raise InputError(f"output folder {self.path} is not empty: choose another, or add --overwrite")
        self._earlier = self._files_of_earlier_run()

    def __enter__(self) -> OutputFolder:
        try:
            missing = self.path
            while not missing.exists() and missing != missing.parent:
                self._made.append(missing)
                missing = missing.parent
            self.path.mkdir(parents=True, exist_ok=True)
            self.staging.mkdir(exist_ok=True)
            self._lock = _locked(self.staging)
            # What a killed run left behind.
            for entry in self.staging.iterdir():
                _remove(entry)
        except BlockingIOError:
            raise InputError(
                f"another run is writing to {self.path}: wait until it has ended, or choose another output folder"
            ) from None
        except OSError as error:
            self._clean_up()
            raise output_error(self.path, error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clean_up()

    def file(self, name: str) -> Path:
        """Return where to write the result called ``name`` (relative, with ``/``), which ``publish`` puts in its place.

        Raises:
            InputError: a folder has that name, or a file that this run reads.
        """
        target = self.path / name
        for path in self._inputs:
            with contextlib.suppress(OSError):
                if target.samefile(path):
                    raise InputError(f"{path} is read by this run and would be replaced by its results: "
                                     "choose another output folder")  # fmt: skip
        if target.is_dir():
            raise output_error(target, IsADirectoryError(errno.EISDIR, "is a folder"))
        for parent in target.parents:
            if parent == self.path:
                break
            if os.path.lexists(parent) and not parent.is_dir():
                raise output_error(target, NotADirectoryError(errno.ENOTDIR, "not a folder"))
        if name not in self._written:
            self._written.append(name)
        return self.staging / name

    @property
    def written(self) -> list[str]:
        """Names of this run's results that are complete, sorted."""
        return sorted(name for name in self._written if (self.staging / name).exists())

    def publish(self) -> None:
        """Put all results in their places, the run's record last, and remove what an earlier run wrote besides them.

        Raises:
            InputError: a result cannot be put in its place.
        """
        names = sorted(self.written, key=lambda name: (name == RUN_RECORD, name))
        for name in names:
            target = self.path / name
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                (self.staging / name).replace(target)
            except OSError as error:
                raise output_error(target, error) from error
        self._made = []
        self._remove_leftovers(set(names))

    def discard_earlier(self) -> None:
        """Remove what an earlier run wrote, with its record, and nothing else."""
        self._remove_leftovers(set())

    def shown(self, message: str) -> str:
        """Return an error message with files in their places instead of the hidden ones they are made in."""
        return re.sub(re.escape(str(self.staging)) + r"(/\.[^\s:]*)?", lambda _: str(self.path), message)

    def _remove_leftovers(self, published: set[str]) -> None:
        inside = self.path.resolve()
        for name in set(self._earlier) - published:
            target = self.path / name
            with contextlib.suppress(OSError):
                if inside in target.resolve().parents and target.is_file() and not self._is_input(target):
                    target.unlink()
        for folder in sorted({(self.path / name).parent for name in self._earlier}, reverse=True):
            while folder != self.path and inside in folder.resolve().parents:
                with contextlib.suppress(OSError):
                    folder.rmdir()
                folder = folder.parent

    def _is_input(self, target: Path) -> bool:
        return any(path.exists() and target.samefile(path) for path in self._inputs)

    def _files_of_earlier_run(self) -> list[str]:
        try:
            record = json.loads((self.path / RUN_RECORD).read_text(encoding="utf-8"))
            return [name for name in record["files"] if isinstance(name, str)]
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def _clean_up(self) -> None:
        if self._lock is None:
            # Another run's files, or none.
            with contextlib.suppress(OSError):
                self.staging.rmdir()
        else:
            _remove(self.staging)
            os.close(self._lock)
            self._lock = None
        for folder in self._made:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _locked(folder: Path) -> int:
    """Return a descriptor that holds a lock on ``folder`` until it is closed, also by the end of the process.

    Raises:
        BlockingIOError: another process holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    except (ImportError, OSError):
        # Not every system and file system has locks; all that is lost then is a warning to the careless.
        pass
    return descriptor


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
