"""The nearest known name for one that was mistyped."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["nearest_name_hint"]


def nearest_name_hint(name: str, known: Iterable[str]) -> str:
    """Return ``"did you mean 'x'? "`` for the nearest known name (empty when none is near), then all known ones."""
    names = sorted(known)
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    suggestion = f"did you mean '{close[0]}'? " if close else ""
    return f"{suggestion}Known: {', '.join(names)}."
