"""How a live run goes, in one object: cameras, processing, store, floor, privacy."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import Any

from apps.live_loop import RunParts
from apps.live_meter import memory_bytes
from apps.live_settings import LiveSettings
from tracker.floor.pipeline import FloorPipeline
from tracker.storage.store_reader import StoreReader
from tracker.video.streams import wall_clock

__all__ = ["run_status"]


def run_status(
    parts: RunParts,
    settings: LiveSettings,
    store_path: Path,
    started: float,
    failure: str | None,
    floor: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return how a run goes, ready for JSON.

    Args:
        parts: of the run.
        settings: of the run.
        store_path: its store.
        started: seconds since 1970.
        failure: why it ended by itself, ``None`` if it has not.
        floor: what a plan of the floor shows, ``None`` without calibration.
    """
    pipeline = parts.pipeline
    states = parts.capture.states()
    calibrated = set(pipeline.tracker.cameras) if isinstance(pipeline, FloorPipeline) else set()
    figures = parts.meter.figures(monotonic(), states)
    if failure is not None:
        figures["message"] = failure
    figures |= {"embedded_crops": 0, "skipped_crops": 0, "rule": "no crop is embedded"}
    if pipeline.embedder is not None:
        figures |= {
            "embedded_crops": sum(rule.embedded for rule in pipeline.rules),
            "skipped_crops": sum(rule.skipped for rule in pipeline.rules),
            "rule": settings.pipeline.embedding.describe(settings.pipeline.embed_interval_seconds),
        }
    with StoreReader(store_path) as store:
        held = store.summary()
    return {
        "version": version("multicam-tracker"),
        "started": started,
        "time": wall_clock(),
        "cameras": [
            state.to_dict() | {
                "size": None if state.size is None else list(state.size), "calibrated": state.name in calibrated,
            }
            for state in states
        ],
        "processing": figures,
        "memory_bytes": memory_bytes(),
        "store": {
            "people": held.people, "bytes": held.file_bytes, "keep_days": settings.keep_days,
            "vectors": held.vectors,
        },
        "floor": floor,
        "privacy": {"faces": settings.blur_faces, "people": settings.blur_people},
        "embedder": None if pipeline.embedder is None else pipeline.embedder.description,
        "detector": pipeline.detector.description,
    }  # fmt: skip
