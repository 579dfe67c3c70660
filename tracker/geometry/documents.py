"""Text files that a person wrote: read, and taken apart where they are JSON or YAML, with errors that name the line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tracker.errors import InputError

__all__ = ["parsed_document", "parsed_json", "parsed_yaml", "read_text"]

_LARGEST_FILE = 10_000_000


def read_text(path: str | Path, what: str) -> str:
    """Return the text of a file, without a byte order mark.

    Args:
        path: the file.
        what: what to call it in errors: "points file".

    Raises:
        InputError: it is missing, a folder, unreadable, larger than 10 MB, or not UTF-8.
    """
    file = Path(path).expanduser()
    try:
        size = file.stat().st_size
        if size > _LARGEST_FILE:
            raise InputError(f"{what} {path}: {size} bytes are too many for one; check the path")
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{what} {path}: not text; check the path, and save it as UTF-8") from None
    except FileNotFoundError:
        raise InputError(f"{what} {path} does not exist: check the path") from None
    except IsADirectoryError:
        raise InputError(f"{what} {path} is a folder: give a file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{what} {path} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def parsed_document(text: str, path: str | Path) -> Any:
    """Return the nested lists and mappings of a JSON text (by the suffix ``.json`` or a first bracket), or of YAML.

    Raises:
        InputError: it is neither; the message says in which line.
    """
    head = text.lstrip()
    if Path(path).suffix.lower() == ".json" or (head[:1] in ("{", "[") and Path(path).suffix.lower() == ".txt"):
        return parsed_json(text, path)
    return parsed_yaml(text, path)


def parsed_json(text: str, path: str | Path) -> Any:
    """Return what a JSON text holds.

    Raises:
        InputError: it is none; the message says in which line.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        line = f" line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError(f"{path}{line}: not valid JSON ({getattr(error, 'msg', error)})") from None


def parsed_yaml(text: str, path: str | Path) -> Any:
    """Return what a YAML text holds.

    Raises:
        InputError: it is none; the message says in which line.
    """
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark is not None else ""
        raise InputError(f"{path}{line}: not valid YAML ({getattr(error, 'problem', None) or 'unreadable'})") from None
