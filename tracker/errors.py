"""The one error the tracker raises for something a person gave that cannot be used."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["InputError", "nearest_name_hint"]


class InputError(ValueError):
    """An input cannot be used; the message names it and says what to do.

    Commands print the message as one line and exit with code 2, so it holds no line breaks.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(str(message).split()))


def nearest_name_hint(name: str, known: Iterable[str]) -> str:
    """Return ``"did you mean 'x'? "`` for the nearest known name (empty when none is near), then all known ones."""
    names = sorted(known)
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    suggestion = f"did you mean '{close[0]}'? " if close else ""
    return f"{suggestion}Known: {', '.join(names)}."
