"""Scores of single sequences kept in a file, so that a long comparison that was stopped goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import write_json
from benchmarks.tracker_trials import TrialScore
from tracker.errors import InputError

__all__ = ["KeptScores"]


class KeptScores:
    """Scores by a text that says what was scored.

    Args:
        path: the file, made where there is none; ``None``: nothing is kept.

    Raises:
        InputError: the file is not of such scores.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._found: dict[str, TrialScore] = {}
        if path is None or not path.exists():
            return
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            self._found = {
                key: TrialScore(_with_arrays(one["higher_order"]), _with_arrays(one["clear"]))
                for key, one in content.items()
            }
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            raise InputError(f"{path} holds no kept scores: give another --scores, or delete it") from None

    def get(self, key: str) -> TrialScore | None:
        """Return the score that was kept for ``key``, if any."""
        return self._found.get(key)

    def keep(self, key: str, score: TrialScore) -> None:
        """Keep a score; the file is complete at all times."""
        self._found[key] = score
        if self._path is not None:
            content = {
                name: {"higher_order": _plain(one.higher_order), "clear": _plain(one.clear)}
                for name, one in self._found.items()
            }
            write_json(self._path, content)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def _with_arrays(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_arrays(part) for name, part in value.items()}
    return np.array(value) if isinstance(value, list) else value
