"""Whether a window can be shown here."""

from __future__ import annotations

import subprocess
import sys

from tracker.errors import InputError

__all__ = ["check_window"]

_TRIAL = "import cv2; cv2.namedWindow('multicam'); cv2.waitKey(1); cv2.destroyAllWindows()"
_PATIENCE_SECONDS = 20.0


def check_window() -> None:
    """Try a window in a process of its own, since OpenCV's toolkits end the process that has no display.

    Raises:
        InputError: no window can be opened.
    """
    try:
        trial = subprocess.run([sys.executable, "-c", _TRIAL], capture_output=True, timeout=_PATIENCE_SECONDS)
        works = trial.returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        works = False
    if not works:
        raise InputError(
            "no window can be opened here (no display, or OpenCV without windows): leave --show out, "
            "the videos are written all the same"
        )
