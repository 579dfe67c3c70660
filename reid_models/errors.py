"""The one error the ReID half raises for something a person gave that cannot be used."""

from __future__ import annotations

__all__ = ["InputError"]


class InputError(ValueError):
    """An input cannot be used; the message names it and says what to do.

    Commands print the message as one line and exit with code 2, so it holds no line breaks.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(str(message).split()))
