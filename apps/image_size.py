"""The size of images, as a person writes it."""

from __future__ import annotations

import re

from tracker.errors import InputError

__all__ = ["parse_size"]


def parse_size(size: str) -> tuple[int, int]:
    """Return the width and height in pixels that ``WxH`` says.

    Raises:
        InputError: it says none.
    """
    found = re.fullmatch(r"\s*(\d{1,6})\s*[x×X*,]\s*(\d{1,6})\s*", size)
    if found is None or not int(found[1]) or not int(found[2]):
        raise InputError(f"--size is {size!r}: give width and height in pixels, for example 1920x1080")
    return int(found[1]), int(found[2])
