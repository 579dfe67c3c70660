"""Scores of one sequence in a form that is small, can be kept, and combines to the figures of any set of sequences."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.metric_engines import clear_and_identity_part, higher_order_parts
from benchmarks.metrics import PairedFrames
from tracker.errors import InputError

__all__ = ["METRICS", "PartCache", "figures_of", "key_of", "part_of"]

#: what can be maximised
METRICS = ("HOTA", "MOTA", "IDF1", "AssA", "DetA")

Part = dict[str, Any]

_HOTA = ("HOTA_TP", "HOTA_FN", "HOTA_FP", "AssA")
_CLEAR = ("CLR_TP", "CLR_FN", "CLR_FP", "IDSW")
_IDENTITY = ("IDTP", "IDFN", "IDFP")


def part_of(paired: PairedFrames) -> Part:
    """Return what TrackEval counts in one sequence: plain numbers, and lists over the localisation thresholds."""
    hota = higher_order_parts(paired)
    other = clear_and_identity_part(paired, 0.5, "trackeval")
    counted = {name: [float(value) for value in hota[name]] for name in _HOTA}
    clear = {name: int(other["clear"][name]) for name in _CLEAR}
    identity = {name: int(other["identity"][name]) for name in _IDENTITY}
    return {**counted, **clear, **identity}


def figures_of(parts: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return HOTA, MOTA, IDF1, AssA and DetA of all parts together, in percent, and IDSW, FP, FN."""
    true, missed, false = (np.sum([part[name] for part in parts], axis=0) for name in _HOTA[:3])
    associated = np.sum([np.multiply(part["AssA"], part["HOTA_TP"]) for part in parts], axis=0) / np.maximum(true, 1)
    detected = true / np.maximum(true + missed + false, 1)
    total = {name: sum(part[name] for part in parts) for name in (*_CLEAR, *_IDENTITY)}
    people = max(total["CLR_TP"] + total["CLR_FN"], 1)
    named = total["IDTP"] + 0.5 * (total["IDFP"] + total["IDFN"])
    return {
        "HOTA": 100 * float(np.sqrt(detected * associated).mean()),
        "MOTA": 100 * (total["CLR_TP"] - total["CLR_FP"] - total["IDSW"]) / people,
        "IDF1": 100 * total["IDTP"] / max(named, 1),
        "AssA": 100 * float(associated.mean()),
        "DetA": 100 * float(detected.mean()),
        "IDSW": total["IDSW"],
        "FP": total["CLR_FP"],
        "FN": total["CLR_FN"],
    }


def key_of(*made_from: Any) -> str:
    """Return a short name for everything that decides a part; only what JSON knows."""
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


class PartCache:
    """Parts by key, in a file or in memory.

    Args:
        path: an SQLite file, made when missing; ``None`` keeps them in memory.

    Raises:
        InputError: the file cannot be used.
    """

    def __init__(self, path: Path | None) -> None:
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(":memory:" if path is None else path, isolation_level=None)
            self._connection.execute("CREATE TABLE IF NOT EXISTS parts (key TEXT PRIMARY KEY, part TEXT NOT NULL)")
        except (sqlite3.Error, OSError) as error:
            raise InputError(f"{path} cannot be used for results that are kept ({error}); move it away") from None
        #: how often something was there
        self.hits = 0

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def get(self, key: str) -> Part | None:
        """Return the part with that key, ``None`` for none."""
        row = self._connection.execute("SELECT part FROM parts WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        self.hits += 1
        return dict(json.loads(row[0]))

    def put(self, key: str, part: Mapping[str, Any]) -> None:
        """Keep a part."""
        self._connection.execute("INSERT OR REPLACE INTO parts VALUES (?, ?)", (key, json.dumps(part)))
