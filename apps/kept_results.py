"""Results of long work that are kept, and used again only if they were made from the same."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tracker.storage.atomic import atomic_path

__all__ = ["KeptResult", "code_fingerprint", "file_stamps"]


class KeptResult:
    """A folder of results, and beside it ``NAME.json``, which says that it is complete and what it was made from.

    Args:
        folder: of the results.
        made_from: everything that decides them; only what JSON knows.
    """

    def __init__(self, folder: Path, made_from: Mapping[str, Any]) -> None:
        self.folder = folder
        self._record = folder.with_name(f"{folder.name}.json")
        self._made_from: Any = json.loads(json.dumps(made_from))

    @property
    def is_complete(self) -> bool:
        """Whether the folder holds what would be made now."""
        try:
            return self.folder.is_dir() and bool(json.loads(self._record.read_text("utf-8")) == self._made_from)
        except (OSError, ValueError):
            return False

    @contextlib.contextmanager
    def being_made(self) -> Iterator[Path]:
        """Yield the folder; what is made in the block counts as complete if it ends well, and else as not there.

        Raises:
            InputError: the record cannot be written.
        """
        with contextlib.suppress(OSError):
            self._record.unlink(missing_ok=True)
        yield self.folder
        with atomic_path(self._record) as temporary:
            temporary.write_text(json.dumps(self._made_from, indent=2) + "\n", encoding="utf-8")


def file_stamps(paths: Iterable[Path]) -> dict[str, list[int]]:
    """Return path → bytes and time of the last change in ns, of those that are there."""
    stamps = {}
    for path in paths:
        with contextlib.suppress(OSError):
            found = path.stat()
            stamps[str(path.absolute())] = [found.st_size, found.st_mtime_ns]
    return stamps


def code_fingerprint() -> str:
    """Return what changes with any line of the code that tracks."""
    import apps
    import reid_models
    import tracker

    digest = hashlib.sha256()
    for package in (apps, reid_models, tracker):
        folder = Path(str(package.__file__)).parent
        for path in sorted(folder.rglob("*.py")):
            digest.update(str(path.relative_to(folder.parent)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
