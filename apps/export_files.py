"""What exports of detectors and embedders write besides the network: how it is fed, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["check_export_target", "write_sidecar"]


def check_export_target(output: Path, *, overwrite: bool, sidecar: bool) -> None:
    """Refuse to replace files that nobody said may be.

    Raises:
        InputError: the file, its weights or its record is there.
    """
    from reid_models.errors import InputError
    from reid_models.runtimes.formats import files_of

    files = [*files_of(output), *([output.with_suffix(".json")] if sidecar else [])]
    found = next((path for path in files if path.exists()), None)
    if found is not None and not overwrite:
        raise InputError(f"{found} exists already: add --overwrite to replace it")
    if found is not None and found.is_dir():
        raise InputError(f"{found} is a folder: give another --output")


def write_sidecar(output: Path, record: Mapping[str, Any]) -> None:
    """Write ``NAME.json`` beside a network; readers of the network follow it, so a person may change it."""
    from tracker.storage.atomic import atomic_path

    with atomic_path(output.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
