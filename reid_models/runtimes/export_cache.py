"""Networks exported once, in the cache that weights use, under the name of what they were made of."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reid_models.downloads import cache_folder
from reid_models.file_locks import only_one_process
from reid_models.runtimes.compiled_cache import file_digest

__all__ = ["CachedExport", "ExportRefused", "cached_export", "code_digest", "installed", "note_in_export"]


class ExportRefused(Exception):
    """The exported network does not compute what the original does; the text says how far it is off."""


@dataclass(frozen=True, slots=True)
class CachedExport:
    """A network in the cache.

    Attributes:
        path: of the exported file; ``None`` where the export was refused.
        facts: what its maker said of it; ``refused`` says why there is none.
        fresh: it was made now, not found.
        folder: kept for as long as the file is used, where the cache cannot be written to.
    """

    path: Path | None
    facts: dict[str, Any]
    fresh: bool
    folder: tempfile.TemporaryDirectory[str] | None = None


def cached_export(
    stem: str, key: Mapping[str, Any], make: Callable[[Path], Mapping[str, Any]], suffix: str = ".onnx"
) -> CachedExport:
    """Return an exported network from the cache, after making it unless it is there.

    Of two processes that want the same one, one makes it and the other waits. A file that is not what was written is
    made again. That an export was refused is remembered, too.

    Args:
        stem: begins the file's name, for people who look into the folder.
        key: all that decides what comes out, as JSON: digests of weights and code, options.
        make: writes the file it is given and returns facts about it, as JSON; raises :class:`ExportRefused`.
        suffix: of the file.
    """
    text = json.dumps(key, sort_keys=True, ensure_ascii=False)
    name = f"{stem}-{hashlib.sha256(text.encode()).hexdigest()[:20]}"
    folder = cache_folder() / "exports"
    path = folder / f"{name}{suffix}"
    facts = _facts_of(path)
    if facts is not None:
        return CachedExport(None if "refused" in facts else path, facts, False)
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(only_one_process(folder / f"{name}.lock"))
        except OSError:
            return _outside_the_cache(name, suffix, make)
        facts = _facts_of(path)
        if facts is not None:
            return CachedExport(None if "refused" in facts else path, facts, False)
        with _partial(path) as partial:
            try:
                facts = dict(make(partial))
                facts["sha256"] = file_digest(partial)
                partial.replace(path)
            except ExportRefused as refused:
                facts = {"refused": str(refused)}
            _write_facts(path, facts)
        return CachedExport(None if "refused" in facts else path, facts, True)


def note_in_export(export: CachedExport, **facts: Any) -> None:
    """Add facts to what is known of an export in the cache; ``refused`` stops its use from the next start on."""
    export.facts.update(facts)
    if export.path is not None and export.folder is None:
        with contextlib.suppress(OSError):
            _write_facts(export.path, export.facts)


def installed() -> list[str]:
    """Return which of the runtimes of ONNX files are installed: an export is tried in all of them."""
    return [name for name in ("openvino", "onnxruntime") if importlib.util.find_spec(name) is not None]


def code_digest(*places: Path) -> str:
    """Return a digest of Python files and of those in folders: what is made by other code is another thing."""
    digest = hashlib.sha256()
    for place in places:
        for file in sorted(place.glob("*.py")) if place.is_dir() else [place]:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:20]


def _facts_of(path: Path) -> dict[str, Any] | None:
    """Return what is known of a file in the cache; ``None`` where it is missing, damaged or somebody else's."""
    try:
        facts = json.loads(_facts_path(path).read_text(encoding="utf-8"))
        if isinstance(facts, dict) and ("refused" in facts or facts["sha256"] == file_digest(path)):
            return facts
    except (OSError, ValueError, KeyError):
        pass
    return None


def _facts_path(path: Path) -> Path:
    # not NAME.json, which beside a network means how it is fed
    return path.with_name(f"{path.name}.json")


def _write_facts(path: Path, facts: Mapping[str, Any]) -> None:
    target = _facts_path(path)
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    partial.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(target)


@contextlib.contextmanager
def _partial(path: Path) -> Iterator[Path]:
    """Yield a path for a file that is not whole yet; nothing is left of it."""
    partial = path.with_name(f"{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def _outside_the_cache(name: str, suffix: str, make: Callable[[Path], Mapping[str, Any]]) -> CachedExport:
    folder = tempfile.TemporaryDirectory(prefix="multicam-export-")
    path = Path(folder.name) / f"{name}{suffix}"
    try:
        facts = dict(make(path))
    except ExportRefused as refused:
        return CachedExport(None, {"refused": str(refused)}, True)
    return CachedExport(path, facts, True, folder)
