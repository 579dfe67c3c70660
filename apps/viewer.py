"""Show a file with whatever the system shows such files with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["open_file"]


def open_file(path: Path) -> bool:
    """Open ``path`` in the system's viewer without waiting for it; return whether there was one to ask.

    Where nothing can be shown (no display, no such program) nothing happens: text browsers, which Python's
    ``webbrowser`` would start instead, take the terminal away.
    """
    if sys.platform == "win32":
        os.startfile(path)
        return True
    if sys.platform != "darwin" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    program = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    if program is None:
        return False
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        subprocess.Popen([program, str(path.absolute())], start_new_session=True, **quiet)  # type: ignore[call-overload]
    except OSError:
        return False
    return True
