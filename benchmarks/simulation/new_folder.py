"""A folder that is written as a whole: complete at the end, or as it was before."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tracker.errors import InputError
from tracker.storage.atomic import output_error

__all__ = ["new_folder"]


@contextlib.contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """Yield a hidden folder in ``path`` whose files and folders appear in ``path`` when the block ends well.

    Otherwise, also when it is interrupted, nothing of them is left, nor ``path`` itself if it was missing.

    Args:
        path: made when missing, with its parents.

    Raises:
        InputError: ``path`` is a file, holds visible files already, or cannot be written to.
    """
    folder = Path(path).expanduser()
    if folder.exists() and not folder.is_dir():
        raise InputError(f"output {folder} is a file: give a folder")
    made: list[Path] = []
    published: list[Path] = []
    staging: Path | None = None
    try:
        if folder.is_dir() and any(not entry.name.startswith(".") for entry in folder.iterdir()):
            raise InputError(f"output folder {folder} is not empty: choose another")
        missing = folder
        while not missing.exists():
            made.append(missing)
            missing = missing.parent
        folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder))
        yield staging
        for entry in sorted(staging.iterdir()):
            published.append(folder / entry.name)
            entry.replace(folder / entry.name)
        made.clear()
        published.clear()
    except OSError as error:
        raise output_error(folder, error) from error
    finally:
        for entry in published:
            _remove(entry)
        if staging is not None:
            _remove(staging)
        for entry in made:
            with contextlib.suppress(OSError):
                entry.rmdir()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
