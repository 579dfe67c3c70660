"""Build the parts of a run from its settings: the only place where both halves meet."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from apps.settings import ModelSettings, NetworkSettings, TrackSettings
from tracker.detectors import create_detector
from tracker.errors import InputError, nearest_name_hint
from tracker.floor.entries import Entries
from tracker.floor.pipeline import FloorPipeline
from tracker.geometry.floor_camera import FloorCamera
from tracker.pipeline import MultiCameraPipeline, PipelineSettings
from tracker.protocols import Detector, Embedder
from tracker.single_camera import create_tracker
from tracker.video.cameras import CameraSettings
from tracker.video.frames import Frame

__all__ = [
    "Opened",
    "build_detector",
    "build_embedder",
    "build_pipeline",
    "check_tracker",
    "class_numbers",
    "input_files",
    "on_the_floor",
    "open_embedder",
]


class Opened(Protocol):
    """What a pipeline wants to know of an opened source; a ``Source`` says it."""

    #: the camera's name
    name: str
    #: frames per second; ``None`` when unknown
    frame_rate: float | None
    #: width and height in pixels, ``None`` when unknown
    size: tuple[int, int] | None


def build_detector(settings: ModelSettings, cameras: Sequence[CameraSettings]) -> Detector:
    """Return the detector that the settings name."""
    files: Mapping[str, str | Path] = {
        camera.name: camera.detections for camera in cameras if camera.detections is not None
    }
    boxes_are_given = settings.detector.startswith("mot:")
    return create_detector(
        settings.detector,
        confidence=settings.confidence,
        iou=settings.iou,
        image_size=settings.image_size,
        classes=settings.classes,
        device=settings.device,
        half=settings.half,
        runtime=settings.runtime,
        precision="float32" if boxes_are_given else settings.precision,
        calibration_images=None if boxes_are_given else settings.calibration_images,
        camera_detections=files,
        offline=settings.offline or None,
    )


def build_embedder(settings: ModelSettings) -> Embedder | None:
    """Return the embedder that the settings name, or ``None`` for ``"none"``."""
    if not settings.attempts_identities:
        return None
    return open_embedder(
        settings.embedder,
        settings,
        weights=settings.embedder_weights,
        half=settings.half,
        detector=settings.detector,
        image_size=settings.image_size,
        offline=settings.offline,
    )


def open_embedder(
    spec: str,
    networks: NetworkSettings,
    *,
    weights: str | Path | None = None,
    half: bool = False,
    detector: str | None = None,
    image_size: int | None = None,
    offline: bool = False,
) -> Embedder:
    """Return the embedder called ``spec``.

    Args:
        spec: as for :func:`reid_models.embedder.create_embedder`.
        networks: what runs it.
        weights: for a model name.
        half: 16-bit precision where the device has it.
        detector: finds the people in calibration pictures; ``None``, or boxes of files: they are crops of people.
        image_size: of that detector.
        offline: never download.

    Raises:
        InputError: it cannot be used so.
    """
    from reid_models.embedder import create_embedder

    options = {name: getattr(networks, name) for name in NetworkSettings.model_fields}
    with contextlib.ExitStack() as stack:
        if networks.calibration_images is not None:
            from apps.calibration_people import crops_of_people

            crops = crops_of_people(networks, detector, image_size=image_size, offline=offline)
            options["calibration_images"] = stack.enter_context(crops)
        return create_embedder(spec, weights=weights, half=half, offline=offline or None, **options)


def build_pipeline(
    settings: ModelSettings,
    cameras: Sequence[CameraSettings],
    sources: Sequence[Opened],
    entries: Entries | None = None,
    remember: Path | None = None,
) -> MultiCameraPipeline | FloorPipeline:
    """Return the pipeline for opened sources: on the floor, if all of their cameras are calibrated.

    ``entries`` and ``remember`` are as in ``FloorPipeline``; view by view they are not used.

    Raises:
        InputError: something cannot be opened, a calibration cannot be read or does not fit its video, or ``entries``
            are away from what the cameras see.
    """
    calibrated = _calibrated(settings, cameras, sources)
    detector = build_detector(settings, cameras)
    if not detector.needs_images:
        # Reads the files of all cameras: one that cannot be used shows now and not when its camera starts, hours later.
        detector.detect([Frame(camera.name, 0, 0.0, None) for camera in cameras])
    if calibrated:
        return FloorPipeline(
            calibrated, detector, build_embedder(settings), settings.pipeline, entries=entries, remember=remember
        )
    return MultiCameraPipeline(
        {source.name: source.frame_rate for source in sources},
        detector,
        build_embedder(settings),
        settings.pipeline,
        image_sizes={source.name: source.size for source in sources},
    )


def _calibrated(
    settings: ModelSettings, cameras: Sequence[CameraSettings], sources: Sequence[Opened]
) -> dict[str, FloorCamera]:
    """Return the cameras for images of their sources' sizes; none when one is not calibrated, or not wanted."""
    if not on_the_floor(settings, cameras):
        return {}
    from tracker.geometry.readers import read_calibration

    result: dict[str, FloorCamera] = {}
    for camera, source in zip(cameras, sources, strict=True):
        assert camera.calibration is not None
        found = read_calibration(camera.calibration, camera.name, image_size=source.size)[camera.name]
        if source.size is not None and (found.width, found.height) != tuple(source.size):
            found = found.resized(*source.size)
        result[camera.name] = found
    return result


def on_the_floor(settings: ModelSettings, cameras: Sequence[CameraSettings]) -> bool:
    """Return whether people are to be followed on the floor: all cameras are calibrated, and it is not off."""
    return settings.pipeline.floor != "off" and all(camera.calibration is not None for camera in cameras)


def check_tracker(settings: PipelineSettings) -> None:
    """Check the tracker's name and parameters, which needs no model.

    Raises:
        InputError: unknown tracker or parameter, or a value that cannot be; ``frame_rate`` is the sources' to say.
    """
    parameters = settings.tracker_parameters
    if "frame_rate" in parameters:
        raise InputError(
            f"--tracker-option frame_rate={parameters['frame_rate']}: each source has its own frame rate; leave it "
            "out, and give the rate of a folder of images as frame_rate: in cameras.yaml"
        )
    if "name" in parameters:
        raise InputError(f"--tracker-option name={parameters['name']}: choose it with --tracker {parameters['name']}")
    create_tracker(settings.tracker, **parameters)


def input_files(settings: TrackSettings, cameras: Sequence[CameraSettings]) -> list[Path]:
    """Return the files that a run reads, as far as its settings name them."""
    files = [Path(source).expanduser() for source in settings.sources]
    files += [Path(camera.source).expanduser() for camera in cameras]
    files += [camera.detections for camera in cameras if camera.detections is not None]
    files += [camera.calibration for camera in cameras if isinstance(camera.calibration, Path)]
    files += [] if settings.gallery is None else [settings.gallery]
    if settings.detector.startswith("mot:"):
        given = settings.detector.removeprefix("mot:").strip()
        named = [Path(given.replace("{camera}", camera.name)).expanduser() for camera in cameras]
        files += named + [path / f"{camera.name}.txt" for path, camera in zip(named, cameras)]
    return files


def class_numbers(text: str) -> list[int] | None:
    """Return the class numbers of ``"person,car"`` or ``"0,2"``; ``None`` for ``"all"``.

    Raises:
        InputError: a name that COCO does not have; the nearest is suggested.
    """
    from tracker.detectors.class_names import COCO_CLASS_NAMES

    if text.strip().lower() == "all":
        return None
    by_name = {name: number for number, name in COCO_CLASS_NAMES.items()}
    numbers = []
    for part in text.replace(";", ",").split(","):
        word = part.strip().lower()
        if word.isdigit():
            numbers.append(int(word))
        elif word in by_name:
            numbers.append(by_name[word])
        else:
            raise InputError(f"unknown class {part.strip()!r}: {nearest_name_hint(word, by_name)}")
    return numbers
