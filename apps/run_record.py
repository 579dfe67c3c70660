"""``run.json``: what ran, with what, how fast, and how sure."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from apps.output_folder import RUN_RECORD, OutputFolder
from apps.settings import OutputSettings, TrackSettings
from tracker.floor.pipeline import FloorPipeline
from tracker.pipeline import MultiCameraPipeline
from tracker.storage.atomic import atomic_path
from tracker.video.cameras import CameraSettings, display_source
from tracker.video.source_base import Source

__all__ = ["RunReport", "run_record", "write_run_record"]

_PACKAGES = (
    "multicam-tracker",
    "numpy",
    "scipy",
    "opencv-python",
    "av",
    "torch",
    "ultralytics",
    "openvino",
    "onnxruntime",
)


@dataclass(frozen=True, slots=True)
class RunReport:
    """How a run ended."""

    folder: Path
    identities: int
    shared_identities: int
    frames: Mapping[str, int]
    seconds: float
    #: of these, until models and sources were ready
    start_seconds: float
    render_seconds: float
    interrupted: bool
    warnings: Sequence[str]
    failure: str | None = None
    #: of store.sqlite, if there is one
    store_bytes: int | None = None
    #: what found people and what told them apart, each with its runtime and precision
    models: tuple[str, ...] = ()


def run_record(
    settings: TrackSettings,
    outputs: OutputSettings,
    pipeline: MultiCameraPipeline | FloorPipeline,
    cameras: Sequence[CameraSettings],
    sources: Sequence[Source],
    report: RunReport,
) -> dict[str, Any]:
    """Return what ``run.json`` holds. Sources are shown without credentials."""
    shown = settings.model_dump(mode="json")
    shown["sources"] = [display_source(source) for source in settings.sources]
    times = pipeline.times
    frames = max(times.frames, 1)
    stages = {"detect": times.detect, "embed": times.embed, "track": times.track, "identify": times.identify}
    threshold = pipeline.identities.threshold_record()
    views = pipeline.identities.evidence.views
    transitions = pipeline.identities.evidence.transitions
    earlier = pipeline.identities.earlier
    names = pipeline.identities.cameras
    return {
        "versions": {"python": platform.python_version()}
        | {name: found for name in _PACKAGES if (found := _version(name))},
        "settings": shown,
        "seed": settings.seed,
        "detector": pipeline.detector.description,
        "embedder": None if pipeline.embedder is None else pipeline.embedder.description,
        "tracker": settings.pipeline.tracker if isinstance(pipeline, MultiCameraPipeline) else "floor",
        "identities_across_cameras": _attempted(pipeline),
        "looked_again": isinstance(pipeline, FloorPipeline) and pipeline.looked_again,
        "cameras": [
            {
                "name": camera.name,
                "source": display_source(camera.source),
                "start_offset": camera.start_offset,
                "frame_rate": source.frame_rate,
                "size": source.size,
                "frames": report.frames.get(camera.name, 0),
                "warnings": source.warnings,
            }
            for camera, source in zip(cameras, sources)
        ],
        "frames": sum(report.frames.values()),
        "frames_detected": times.looked_at,
        "crops_embedded": times.crops,
        "identities": report.identities,
        "identities_in_several_cameras": report.shared_identities,
        "threshold": None if threshold is None else asdict(threshold),
        "views_that_overlap": (
            [] if views is None else [[names[first], names[second]] for first, second in sorted(views.mappings)]
        ),
        "transitions": [] if transitions is None else [asdict(record) for record in transitions.records(names)],
        "known_from_earlier_runs": len(earlier.numbers),
        "recalled_from_earlier_runs": len(earlier.recalled),
        "video_identities": "as known at the time" if any(source.is_live for source in sources) else "final",
        "seconds": round(report.seconds, 3),
        "start_seconds": round(report.start_seconds, 3),
        "stages": {
            name: {
                "seconds": round(seconds, 3),
                "frames_per_second": round(frames / seconds, 2) if seconds > 0 else None,
            }
            for name, seconds in (stages | {"write": report.render_seconds}).items()
        },
        "frames_per_second": round(frames / max(report.seconds, 1e-9), 2),
        "interrupted": report.interrupted,
        "failure": report.failure,
        "warnings": list(report.warnings),
        "outputs": outputs.model_dump(mode="json", exclude={"folder"}),
    }


def _attempted(pipeline: MultiCameraPipeline | FloorPipeline) -> str:
    if pipeline.embedder is not None:
        return "attempted"
    return "not attempted: no embedder" if isinstance(pipeline, MultiCameraPipeline) else "by motion on the floor"


def write_run_record(folder: OutputFolder, record: dict[str, Any]) -> None:
    """Write ``run.json`` last, with the names of all files of the run."""
    record = {**record, "files": sorted({*folder.written, RUN_RECORD})}
    with atomic_path(folder.file(RUN_RECORD)) as temporary:
        text = json.dumps(_finite(record), indent=2, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def _finite(value: Any) -> Any:
    """Return a record without the numbers that JSON does not know: infinity and not-a-number become text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    return value


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
