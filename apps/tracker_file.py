"""A tracker with its parameters as a YAML file: what ``multicam tune`` writes and other commands read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

from apps.validation import checked
from benchmarks.mot_tracking import Preparation, TrackerChoice
from tracker.errors import InputError
from tracker.storage.atomic import atomic_path

__all__ = ["TrackerFile", "read_tracker_file", "tracker_of_run", "write_tracker_file"]


class _Detections(BaseModel):
    """What is done to detections first; see :class:`benchmarks.mot_tracking.Preparation`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    confidence: float | None = Field(default=None, allow_inf_nan=False)
    iou: float | None = Field(default=None, ge=0, le=1)
    margins: tuple[float, float] | None = None


class TrackerFile(BaseModel):
    """A tracker by name, its parameters, and what is done to detections before it sees them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tracker: str
    parameters: dict[str, Any] = {}
    detections: _Detections = _Detections()

    @property
    def choice(self) -> TrackerChoice:
        """The tracker."""
        return TrackerChoice(self.tracker, self.parameters)

    @property
    def preparation(self) -> Preparation:
        """What is done to detections."""
        return Preparation(self.detections.confidence, self.detections.iou, self.detections.margins)


def read_tracker_file(path: str | Path) -> TrackerFile:
    """Read a tracker's YAML file, and check that the tracker takes its parameters.

    Raises:
        InputError: no such file, not such YAML, an unknown tracker or parameter, or a value out of range.
    """
    path = Path(path).expanduser()
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"no such file: {path}; give the YAML that multicam tune writes") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise InputError(f"{path} is not YAML; it has lines tracker: NAME and parameters: {{NAME: VALUE}}") from None
    if not isinstance(content, dict) or "tracker" not in content:
        raise InputError(f"{path}: tracker: is missing; it has lines tracker: NAME and parameters: {{NAME: VALUE}}")
    try:
        found = checked(TrackerFile, **{str(key): value for key, value in content.items()})
        if "frame_rate" in found.parameters:
            raise InputError("frame_rate is the sequence's own; leave it out")
        found.choice.create(30.0)
        assert found.preparation is not None
    except InputError as error:
        raise InputError(f"{path}: {str(error).removeprefix('--')}") from None
    return found


def tracker_of_run(
    path: Path, tracker: str | None, parameters: Mapping[str, Any], iou: float | None
) -> tuple[str, dict[str, Any], float | None]:
    """Return tracker, parameters and suppression of boxes of a run of ``multicam track`` with such a file.

    Args:
        path: the file.
        tracker: what else was chosen; ``None`` for nothing.
        parameters: single ones that were given besides; they win.
        iou: likewise.

    Raises:
        InputError: the file cannot be used, is of another tracker, or of detections that a run cannot prepare so.
    """
    found = read_tracker_file(path)
    if tracker is not None and tracker != found.tracker:
        raise InputError(f"--tracker {tracker}, but {path} is of {found.tracker}: give one of them")
    if found.preparation.margins is not None or found.preparation.confidence is not None:
        raise InputError(
            f"{path} prepares scores (detections: confidence or margins), which is for the boxes it was tuned on; "
            "tune on boxes of the detector of this run, or remove these lines"
        )
    return found.tracker, {**found.parameters, **parameters}, found.preparation.iou if iou is None else iou


def write_tracker_file(
    path: str | Path, choice: TrackerChoice, preparation: Preparation, remarks: Mapping[str, Any]
) -> None:
    """Write such a file, complete or not at all, with ``remarks`` as comments above.

    Raises:
        InputError: it cannot be written.
    """
    content: dict[str, Any] = {"tracker": choice.name, "parameters": dict(choice.parameters)}
    given = {name: getattr(preparation, name) for name in ("confidence", "iou", "margins")}
    given = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
    if any(value is not None for value in given.values()):
        content["detections"] = {name: value for name, value in given.items() if value is not None}
    lines = "".join(f"# {name}: {value}\n" for name, value in remarks.items())
    with atomic_path(Path(path)) as temporary:
        temporary.write_text(lines + yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
