"""Detectors of the ultralytics package: its named models, trained ``.pt`` files and the exports that it can run.

The only file of the tracker that imports ultralytics, so that it changes nothing in the process.
"""

from __future__ import annotations

import contextlib
import difflib
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tracker.detections import Detections
from tracker.detectors.candidates import Candidates, checked_image, finished_detections, wanted_classes
from tracker.detectors.letterbox import Letterbox
from tracker.errors import InputError
from tracker.video.frames import Frame

__all__ = [
    "YoloDetector",
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

_DEFAULT_CONFIDENCE = 0.1
_DEFAULT_IOU = 0.7
_DEFAULT_IMAGE_SIZE = 640
_MAXIMUM_DETECTIONS = 1000
#: images per call on an accelerator; on processors one, where more gains nothing and a frame's boxes could then depend
#: on which other frames it was run with
_ACCELERATOR_BATCH = 16
_TASKS_WITH_BOXES = ("detect", "segment", "pose")
#: read once, when ultralytics is imported: no usage reports and no look-ups of hosts to see whether it could send any,
#: no pip runs of its own and no banners
_QUIET_IMPORT = {
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_VERBOSE": "false",
}


class YoloDetector:
    """A detector run by the ultralytics package (PyTorch, or what an exported file needs).

    ``.pt`` files are pickles. They are loaded so that only classes of PyTorch and ultralytics are built where the
    installed ultralytics can do that; all the same, load files of people you trust.

    Args:
        model: a file (``.pt``, ``.yaml`` for an untrained network, or any export that ultralytics runs), or the name
            of a model of ultralytics (``yolo26n.pt``), which is downloaded once into :func:`cache_folder`.
        confidence: a box needs a higher score; ``None``: 0.1.
        iou: boxes of a class that overlap by more are duplicates; ``None``: 0.7. Not used where a
            model has no suppression.
        image_size: longer side of the network's input in pixels; ``None``: what an export was made for, else 640.
        classes: wanted class numbers; ``None``: all.
        device: ``"auto"`` (the first CUDA device, else the processor), ``"cpu"``, ``"cuda:0"``, ``"mps"``, …
        half: compute in float16; ultralytics does so on accelerators only.
        offline: never download; ``None``: as ``MULTICAM_OFFLINE`` says.

    Attributes:
        class_names: class number → name.
        dropped: boxes dropped so far because the network gave not-a-number or infinity.

    Raises:
        InputError: no such file or name, a download that fails, a file that holds no detector of ultralytics, a
            device that is not there, or a class the model does not have.
    """

    needs_images = True

    def __init__(
        self,
        model: str | Path,
        *,
        confidence: float | None = None,
        iou: float | None = None,
        image_size: int | None = None,
        classes: Sequence[int] | None = (0,),
        device: str = "auto",
        half: bool = False,
        offline: bool | None = None,
    ) -> None:
        ultralytics = import_ultralytics()
        self.confidence = _DEFAULT_CONFIDENCE if confidence is None else confidence
        self.iou = _DEFAULT_IOU if iou is None else iou
        self.dropped = 0
        self._path = resolve_model(str(model), offline_wanted() if offline is None else offline)
        self._name = self._path.name
        self._model = load_model(self._path)
        self._settings: dict[str, Any] = {
            "conf": self.confidence,
            "iou": self.iou,
            "max_det": _MAXIMUM_DETECTIONS,
            "device": None if device == "auto" else device,
            "verbose": False,
            "save": False,
        }
        if image_size is not None or self._path.suffix in (".pt", ".yaml", ".yml"):
            self._settings["imgsz"] = image_size or _DEFAULT_IMAGE_SIZE
        if half:
            # newer versions renamed the setting, and say so at every call that uses the old name
            renamed = "quantize" in ultralytics.cfg.DEFAULT_CFG_DICT
            self._settings["quantize" if renamed else "half"] = 16 if renamed else True
        self._warm_up(device)
        backend = self._model.predictor.model
        self.class_names: Mapping[int, str] = {int(number): str(name) for number, name in backend.names.items()}
        self._settings["classes"] = wanted_classes(classes, len(self.class_names), self._name)
        kind = str(backend.device)
        precision = "float16" if getattr(backend, "fp16", False) else "float32"
        if half and precision == "float32":
            warnings.warn(
                f"ultralytics runs {self._name} in float32 on {kind}: half precision needs an accelerator, "
                "or an ONNX export of the model",
                RuntimeWarning,
                stacklevel=2,
            )
        self._batch = 1 if kind == "cpu" else _ACCELERATOR_BATCH
        size = max(np.atleast_1d(self._model.predictor.imgsz))
        self.description = f"{self._name} (ultralytics {ultralytics.__version__}, size {size}, {kind} {precision})"

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        """Return the detections of each frame, best first, boxes in that frame's pixels.

        Raises:
            InputError: a frame without an image, or one that is not (H, W, 3) uint8.
        """
        images = [checked_image(frame, self.description) for frame in frames]
        # images of one shape go together: among others ultralytics would fill each up to a square, at other boxes
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for index, image in enumerate(images):
            by_shape.setdefault(image.shape, []).append(index)
        found: dict[int, Detections] = {}
        for indices in by_shape.values():
            for start in range(0, len(indices), self._batch):
                chosen = indices[start : start + self._batch]
                results = self._model.predict([images[index] for index in chosen], **self._settings)
                for index, result in zip(chosen, results):
                    found[index] = self._detections(result)
        return [found[index] for index in range(len(frames))]

    def _detections(self, result: Any) -> Detections:
        rows = result.boxes.data.cpu().numpy()
        height, width = result.orig_shape
        candidates = Candidates(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64))
        # the boxes are in the image already: what is left is to clip them and to drop what is broken
        detections, dropped = finished_detections(candidates, Letterbox.of_image(width, height), None)
        if dropped and not self.dropped:
            warnings.warn(
                f"{self._name} gave {dropped} boxes that are not finite; such boxes are dropped and counted",
                RuntimeWarning,
                stacklevel=4,
            )
        self.dropped += dropped
        return detections

    def _warm_up(self, device: str) -> None:
        """Run the model once, so that what cannot work is known before the video is opened."""
        torch_utils = import_ultralytics().utils.torch_utils
        # ultralytics keeps one core for itself and changes the whole process's number of threads
        threads = torch_utils.torch.get_num_threads()
        try:
            with quiet():
                self._model.predict(np.full((64, 64, 3), 114, np.uint8), **self._settings)
        except Exception as error:  # any type: from PyTorch, CUDA or an export's runtime
            if device != "auto" and "device" in str(error).lower():
                raise InputError(
                    f"device {device!r} cannot be used here; leave it out, or give cpu or cuda:0"
                ) from error
            if "not a supported model format" in str(error):
                raise InputError(f"{self._path} is no detector: give a .pt or .onnx file, or mot:PATH") from error
            raise InputError(f"{self._path} cannot be run by ultralytics: {first_line(error)}") from error
        finally:
            torch_utils.torch.set_num_threads(threads)


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
        import ultralytics.utils.torch_utils
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
