"""The ultralytics package, imported so that it changes nothing, and its models: found by name or file, and loaded."""

from __future__ import annotations

import contextlib
import difflib
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tracker.errors import InputError

__all__ = [
    "cache_folder",
    "first_line",
    "import_ultralytics",
    "known_model_file",
    "load_model",
    "offline_wanted",
    "quiet",
    "resolve_model",
]

_log = logging.getLogger(__name__)

_TASKS_WITH_BOXES = ("detect", "segment", "pose")
#: read once, when ultralytics is imported: no usage reports and no look-ups of hosts to see whether it could send any,
#: no pip runs of its own and no banners
_QUIET_IMPORT = {
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_VERBOSE": "false",
}


def cache_folder() -> Path:
    """Return the folder for downloaded files: ``MULTICAM_CACHE``, by default ``~/.cache/multicam``."""
    folder = os.environ.get("MULTICAM_CACHE")
    if folder:
        return Path(folder).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "multicam"


def known_model_file(model: str) -> Path | None:
    """Return the file of a model where it is there already, which ultralytics need not be asked for."""
    path = Path(model).expanduser()
    if path.is_file():
        return path
    name = path.name if path.suffix else f"{path.name}.pt"
    kept = cache_folder() / "weights" / name
    return kept if len(path.parts) == 1 and kept.is_file() else None


def import_ultralytics() -> Any:
    """Import ultralytics and leave the process as it was: it changes environment, OpenCV's threads and printing."""
    settings = {
        **_QUIET_IMPORT,
        "YOLO_CONFIG_DIR": str(cache_folder() / "ultralytics"),
        # set to 1 by ultralytics where it is not set, which would make PyTorch slow
        "OMP_NUM_THREADS": str(_usable_cores()),
    }
    added = {name: value for name, value in settings.items() if name not in os.environ}
    opencv_threads, print_options = cv2.getNumThreads(), np.get_printoptions()
    os.environ.update(added)
    try:
        import ultralytics
        import ultralytics.cfg
        import ultralytics.utils.checks
        import ultralytics.utils.events
    except ImportError as error:
        raise InputError(
            f"ultralytics cannot be imported ({first_line(error)}): pip install ultralytics, or give an .onnx detector"
        ) from error
    finally:
        for name in added:
            os.environ.pop(name, None)
        cv2.setNumThreads(opencv_threads)
        np.set_printoptions(**print_options)
    # where somebody imported it before, with its own defaults
    ultralytics.utils.events.events.enabled = False
    ultralytics.utils.checks.AUTOINSTALL = False
    return ultralytics


def offline_wanted() -> bool:
    """Return whether ``MULTICAM_OFFLINE`` forbids downloads."""
    return os.environ.get("MULTICAM_OFFLINE", "").strip().lower() not in ("", "0", "false", "no", "off")


def resolve_model(model: str, offline: bool) -> Path:
    """Return the file of a model, downloaded first if it is a name of ultralytics that is not in the cache yet."""
    from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES, attempt_download_asset

    path = Path(model).expanduser()
    if path.exists():
        if path.is_file() and path.stat().st_size == 0:
            raise InputError(f"detector file {path} is empty (0 bytes); copy or download it again")
        return path
    if path.suffix in (".yaml", ".yml") and len(path.parts) == 1:
        return path
    if len(path.parts) > 1:
        raise InputError(f"detector file {path} does not exist")
    name = path.name if path.suffix else f"{path.name}.pt"
    if name not in GITHUB_ASSETS_NAMES:
        close = difflib.get_close_matches(name, sorted(GITHUB_ASSETS_NAMES), n=1, cutoff=0.75)
        suggestion = f"did you mean {close[0]!r}? " if close else ""
        raise InputError(
            f"unknown detector {model!r}: {suggestion}Give a file (.pt, .onnx), mot:PATH, "
            "or a model of ultralytics such as yolo26n.pt"
        )
    folder = cache_folder() / "weights"
    kept = folder / name
    if kept.is_file():
        return kept
    if offline:
        raise InputError(
            f"{name} is not in the cache, and downloads are off (--offline or MULTICAM_OFFLINE): copy it to {kept}, or "
            "give a .pt or .onnx file"
        )
    _log.info("downloading %s into %s", name, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # what appears in the cache is complete, also when two runs download at once
        with tempfile.TemporaryDirectory(dir=folder) as temporary, quiet():
            partial = Path(temporary) / name
            attempt_download_asset(partial, progress=False)
            if not partial.is_file():
                raise ConnectionError(f"{name} is not among the downloads")
            partial.replace(kept)
    except Exception as error:  # no network, a full disk, an unwritable folder, a server's refusal
        raise InputError(
            f"{name} could not be downloaded into {folder} ({first_line(error)}); "
            "connect to the network once, or give a .pt or .onnx file"
        ) from error
    return kept


def load_model(path: Path) -> Any:
    """Return a model file as ultralytics' ``YOLO``.

    Raises:
        InputError: it holds no detector.
    """
    from ultralytics import YOLO

    try:
        with quiet(), _own_classes_only():
            # exports do not always say what they are for
            model = YOLO(str(path), task=None if path.suffix in (".pt", ".yaml", ".yml") else "detect")
    except Exception as error:  # pickle, zip and PyTorch raise whatever they like on a file that is something else
        refused = "weights_only" in str(error) or "allow-list" in str(error)
        remedy = (
            "it holds Python objects other than the network; if you trust it, set ULTRALYTICS_SAFE_LOAD=false"
            if refused
            else "give a .pt file saved by ultralytics, or an .onnx file"
        )
        raise InputError(f"{path} is not a detector of ultralytics: {remedy}") from error
    if model.task not in _TASKS_WITH_BOXES:
        raise InputError(f"{path} is a model for the task {model.task!r}; a detector is needed, such as yolo26n.pt")
    return model


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Have ultralytics log nothing."""
    logger = logging.getLogger("ultralytics")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def _own_classes_only() -> Iterator[None]:
    """Have ultralytics build only its own classes and PyTorch's from a ``.pt`` file, unless the user set otherwise."""
    from ultralytics.nn import tasks

    # versions that cannot do it have no such switch
    if "ULTRALYTICS_SAFE_LOAD" in os.environ or not hasattr(tasks, "SAFE_LOAD"):
        yield
        return
    before, tasks.SAFE_LOAD = tasks.SAFE_LOAD, True
    try:
        yield
    finally:
        tasks.SAFE_LOAD = before


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def first_line(error: BaseException) -> str:
    """Return what an error says first, in plain letters."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    return text.encode("ascii", "ignore").decode().strip()[:200] or type(error).__name__
