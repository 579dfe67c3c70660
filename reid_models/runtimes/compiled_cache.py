"""Compiled networks kept on disk, so that the second start of a run does not compile them again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reid_models.downloads import cache_folder

__all__ = ["CompiledCache", "file_digest"]

#: the folder is kept below this; the networks not used for longest go first
_LARGEST_FOLDER = 1 << 30
_DIGEST_BYTES = 32


class CompiledCache:
    """Compiled forms of one network.

    A compiled network is code for one processor made by one version of one runtime: the name of its file is a digest
    of all that, and the file begins with a digest of its content, because a runtime that is given a damaged one may
    crash. A folder that cannot be written to means only that nothing is kept.

    Args:
        path: the network's file.
        facts: what else decides how it is compiled: runtime and version, settings.
    """

    def __init__(self, path: Path, facts: Mapping[str, Any]) -> None:
        digest = hashlib.sha256(file_digest(path).encode())
        if path.suffix.lower() == ".xml":
            digest.update(file_digest(path.with_suffix(".bin")).encode())
        digest.update(repr((sorted(facts.items()), _processor())).encode())
        self._digest = digest
        self._folder = cache_folder() / "compiled"

    def read(self, shapes: object) -> bytes | None:
        """Return the network compiled for input ``shapes``, or ``None``."""
        path = self._path(shapes)
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        blob = content[_DIGEST_BYTES:]
        return blob if content[:_DIGEST_BYTES] == hashlib.sha256(blob).digest() else None

    def write(self, shapes: object, blob: bytes) -> None:
        """Keep the network compiled for input ``shapes``, whole or not at all."""
        path = self._path(shapes)
        partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(hashlib.sha256(blob).digest() + blob)
            partial.replace(path)
            self._prune(path)
        except OSError:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)

    def _path(self, shapes: object) -> Path:
        digest = self._digest.copy()
        digest.update(repr(shapes).encode())
        return self._folder / f"{digest.hexdigest()[:32]}.blob"

    def _prune(self, newest: Path) -> None:
        """Remove what was not used for longest, until the folder is small enough."""
        found = [(entry.stat(), entry) for entry in self._folder.glob("*.blob") if entry != newest]
        total = newest.stat().st_size + sum(facts.st_size for facts, _ in found)
        for facts, entry in sorted(found, key=lambda pair: pair[0].st_mtime):
            if total <= _LARGEST_FOLDER:
                return
            entry.unlink(missing_ok=True)
            total -= facts.st_size


def file_digest(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _processor() -> str:
    """Return what tells processors apart for which code is made: their name and what they can do."""
    lines: list[str] = []
    with contextlib.suppress(OSError):
        wanted = ("model name", "flags", "Features")
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        lines = sorted({line for line in text if line.startswith(wanted)})
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return repr((platform.machine(), platform.processor(), cores, lines))
