"""Which cameras a run has: from sources on the command line, or from a ``cameras.yaml``; and where people come in."""

from __future__ import annotations

import errno
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from tracker.cross_camera.possible_transitions import TransitionRule, TransitionRules
from tracker.errors import InputError, nearest_name_hint
from tracker.floor.entries import Entries, entries_from_document
from tracker.video.addresses import (
    display_source,
    is_url,
    is_webcam,
    name_problem,
    name_source,
    safe_name,
    unique_name,
)

__all__ = [
    "CameraSettings",
    "cameras_and_transitions",
    "cameras_from_sources",
    "display_source",
    "entries_from_sources",
    "read_cameras",
    "read_transitions",
]

#: of a ``cameras.yaml``
_FIELDS = ("cameras", "transitions", "only_listed_transitions", "entries", "area", "truth_area")


class CameraSettings(BaseModel):
    """One camera: what it is called and where its pictures come from.

    Args:
        name: unique in a run; names the camera's output files.
        source: path of a video, of a folder of images or of a MOTChallenge sequence; index of a webcam; or an
            ``rtsp://``, ``http://``, … address. Never print it: ``display`` is the source without its credentials.
        start_offset: seconds added to the source's own times, to align cameras that started at different moments.
        frame_rate: frames per second of a folder of images that does not say itself (videos do).
        calibration: path of a calibration file, or its content, or ``{file: …}`` with options of how it is read.
        detections: path of this camera's precomputed detections (MOTChallenge ``det.txt``).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str
    source: str = Field(repr=False)
    start_offset: float = 0.0
    frame_rate: float | None = None
    calibration: Path | dict[str, Any] | None = None
    detections: Path | None = None

    @property
    def display(self) -> str:
        """The source as it may be shown: without credentials and query."""
        return display_source(self.source)

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        problem = name_problem(name)
        if problem is not None:
            raise ValueError(f"{problem}; call it for example {safe_name(name)!r}")
        return name

    @field_validator("source", mode="before")
    @classmethod
    def _read_source(cls, source: Any) -> Any:
        if isinstance(source, Path) or (isinstance(source, int) and not isinstance(source, bool)):
            source = str(source)
        if isinstance(source, str) and not source.strip():
            raise ValueError("is empty; give a path, a webcam index or an address")
        return source

    @field_validator("start_offset")
    @classmethod
    def _check_offset(cls, seconds: float) -> float:
        if not math.isfinite(seconds):
            raise ValueError("must be a finite number of seconds")
        return seconds

    @field_validator("frame_rate")
    @classmethod
    def _check_frame_rate(cls, rate: float | None) -> float | None:
        if rate is not None and not 0 < rate <= 1000:
            raise ValueError("must be above 0 and at most 1000 frames per second")
        return rate


def cameras_from_sources(sources: Sequence[str]) -> list[CameraSettings]:
    """Return the cameras of the sources given on a command line; see ``cameras_and_transitions``.

    Raises:
        InputError: no source at all, or a ``cameras.yaml`` that cannot be used.
    """
    return cameras_and_transitions(sources)[0]


def cameras_and_transitions(sources: Sequence[str]) -> tuple[list[CameraSettings], TransitionRules]:
    """Return the cameras of the sources given on a command line, in their order, and the ways between them.

    A source that ends in ``.yaml`` or ``.yml`` is read as ``cameras.yaml`` and may stand among others. The others are
    named by file stem, folder, ``camera0`` or host. Of equal names the later ones get ``-2``, ``-3``, …; names that a
    file gives go before names made up here.

    Raises:
        InputError: no source at all, or a ``cameras.yaml`` that cannot be used.
    """
    if not sources:
        raise InputError(
            "no source given: name a video, a folder of images, a webcam index, an address or cameras.yaml"
        )
    described = [read_cameras(Path(source)) if _is_cameras_file(source) else None for source in sources]
    taken: set[str] = set()
    named = [
        [camera.model_copy(update={"name": unique_name(camera.name, taken)}) for camera in cameras]
        if cameras is not None
        else None
        for cameras in described
    ]
    result: list[CameraSettings] = []
    rules = TransitionRules()
    for source, own, cameras in zip(sources, described, named, strict=True):
        if own is not None and cameras is not None:
            rules = _joined(rules, read_transitions(source, own), [camera.name for camera in own], cameras)
    for source, cameras in zip(sources, named, strict=True):
        if cameras is None:
            if not str(source).strip():
                raise InputError("a source is empty: give a path, a webcam index or an address")
            cameras = [CameraSettings(name=unique_name(name_source(str(source)), taken), source=str(source))]
        result.extend(cameras)
    return result, rules


def read_transitions(path: str | Path, cameras: Sequence[CameraSettings]) -> TransitionRules:
    """Return what a ``cameras.yaml`` says about the ways between its ``cameras``.

    The file may hold a list ``transitions:`` of entries such as ``{from: a, to: b, seconds: [5, 60]}``, and
    ``only_listed_transitions: true``.

    Raises:
        InputError: the file cannot be read, an entry is not of that form, names a camera that is not there, or says
            something of one way twice.
    """
    path = Path(path)
    content = _read_document(path)
    only, entries = content.get("only_listed_transitions", False), content.get("transitions", [])
    if not isinstance(only, bool):
        raise InputError(f"{path}: only_listed_transitions: is {_kind(only)}; write true or false")
    if not isinstance(entries, list):
        raise InputError(f"{path}: transitions: is {_kind(entries)}, not a list; begin each with '- from:'")
    if only and not entries:
        raise InputError(f"{path}: only_listed_transitions: true, but none is listed; add them as transitions:")
    rules: list[TransitionRule] = []
    for number, entry in enumerate(entries, start=1):
        label = f"{path}: transition {number}"
        rule = _check_transition(label, entry)
        for name in (rule.from_camera, rule.to_camera):
            known = [camera.name for camera in cameras]
            if name not in known:
                raise InputError(f"{label}: no camera is called {name!r}: {nearest_name_hint(name, known)}")
        ways = [(other.from_camera, other.to_camera) for other in rules]
        if (rule.from_camera, rule.to_camera) in ways:
            raise InputError(
                f"{label}: from {rule.from_camera} to {rule.to_camera} is listed already; keep one of them"
            )
        rules.append(rule)
    return TransitionRules(listed=tuple(rules), only_listed=only)


def _check_transition(label: str, entry: Any) -> TransitionRule:
    if not isinstance(entry, dict):
        raise InputError(f"{label} is {_kind(entry)}; write for example {{from: a, to: b, seconds: [5, 60]}}")
    known = ("from", "to", "seconds")
    for field in entry:
        if field not in known:
            raise InputError(f"{label} has an unknown field {str(field)!r}: {nearest_name_hint(str(field), known)}")
    try:
        return TransitionRule.model_validate(entry)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False)[0]
    field = str(problem["loc"][0]) if problem["loc"] else ""
    if problem["type"] == "missing":
        raise InputError(f"{label} has no {field}; add {field}: with a camera's name")
    message = str(problem["msg"]).removeprefix("Value error, ")
    where = f"field {field} is {entry[field]!r}: " if field else ""
    raise InputError(f"{label}: {where}{message[:1].lower()}{message[1:]}")


def _joined(
    rules: TransitionRules, others: TransitionRules, names: Sequence[str], cameras: Sequence[CameraSettings]
) -> TransitionRules:
    """Return the rules of two files; cameras of the second, called ``names`` there, are now called otherwise."""
    now = {name: camera.name for name, camera in zip(names, cameras, strict=True)}
    renamed = [
        rule.model_copy(update={"from_camera": now[rule.from_camera], "to_camera": now[rule.to_camera]})
        for rule in others.listed
    ]
    return TransitionRules(listed=(*rules.listed, *renamed), only_listed=rules.only_listed or others.only_listed)


def read_cameras(path: str | Path) -> list[CameraSettings]:
    """Return the cameras that a ``cameras.yaml`` describes, in the order of the file.

    The file holds a list ``cameras:`` whose entries have the fields of ``CameraSettings``; ``name`` may be left out;
    what else it may hold is for ``entries_from_sources`` and ``read_transitions``, and ``truth_area:``, the part of the
    floor whose truth is known, for those who measure. Relative paths are relative to the folder of the file.

    Raises:
        InputError: the file cannot be read, is no YAML (the message has the line), has no cameras, an unknown field, a
            field of the wrong type, or two cameras of one name.
    """
    path = Path(path)
    entries = _camera_entries(path)
    taken = {str(entry["name"]).casefold() for entry in entries if isinstance(entry, dict) and entry.get("name")}
    cameras: list[CameraSettings] = []
    for number, entry in enumerate(entries, start=1):
        if isinstance(entry, (str, int)) and not isinstance(entry, bool):
            entry = {"source": entry}
        if not isinstance(entry, dict):
            raise InputError(f"{path}: camera {number} is {_kind(entry)}; give name: and source:")
        fields = {str(field): value for field, value in entry.items()}
        if fields.get("name") is None and isinstance(fields.get("source"), (str, int)):
            fields["name"] = unique_name(name_source(str(fields["source"])), taken)
        camera = _check_entry(path, number, fields)
        if any(camera.name.casefold() == other.name.casefold() for other in cameras):
            raise InputError(f"{path}: two cameras are called {camera.name!r}; give each its own name")
        cameras.append(_resolve(camera, path.absolute().parent))
    return cameras


def _is_cameras_file(source: str) -> bool:
    return not is_url(str(source)) and str(source).lower().endswith((".yaml", ".yml"))


def entries_from_sources(sources: Sequence[str]) -> Entries:
    """Return the entry zones and the area that the ``cameras.yaml`` among the sources of a command line give.

    Raises:
        InputError: a file cannot be read, a zone cannot be, or two files give some.
    """
    found: dict[Path, Entries] = {}
    for path in (Path(source) for source in sources if _is_cameras_file(source)):
        document = _read_document(path)
        try:
            entries = entries_from_document(document.get("entries"), document.get("area"))
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        if entries:
            found[path] = entries
    if len(found) > 1:
        raise InputError(f"{' and '.join(map(str, found))} give entries or an area: put them into one file")
    return next(iter(found.values()), Entries())


def _camera_entries(path: Path) -> list[Any]:
    entries = _read_document(path)["cameras"]
    if not isinstance(entries, list):
        raise InputError(f"{path}: cameras: is {_kind(entries)}, not a list; begin each camera with '- name:'")
    if not entries:
        raise InputError(f"{path}: the list of cameras is empty; add at least one with name: and source:")
    return entries


def _read_document(path: Path) -> dict[Any, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f" line {mark.line + 1}" if mark is not None else ""
        raise InputError(f"{path}{line}: not valid YAML ({error.problem or error.context})") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise InputError(
            f"{path}: not valid YAML (it is not text); write a list cameras: with name: and source:"
        ) from None
    except OSError as error:
        known = {
            errno.ENOENT: "does not exist: check the path",
            errno.EACCES: "permission denied: check its permissions",
        }
        raise InputError(f"cameras file {path} {known.get(error.errno or 0, error.strerror)}") from None
    if not isinstance(content, dict) or "cameras" not in content:
        raise InputError(f"{path}: no list of cameras; write cameras: and below it entries with name: and source:")
    for field in content:
        if field not in _FIELDS:
            raise InputError(f"{path}: unknown field {str(field)!r}: {nearest_name_hint(str(field), _FIELDS)}")
    return content


def _check_entry(path: Path, number: int, fields: dict[str, Any]) -> CameraSettings:
    label = f"camera {fields['name']!r}" if isinstance(fields.get("name"), str) else f"camera {number}"
    known = CameraSettings.model_fields
    for field in fields:
        if field not in known:
            raise InputError(f"{path}: {label} has an unknown field {field!r}: {nearest_name_hint(field, known)}")
    try:
        return CameraSettings.model_validate(fields)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False)[0]
    field = str(problem["loc"][0])
    if problem["type"] == "missing":
        raise InputError(f"{path}: {label} has no {field}; add {field}: to it")
    message = str(problem["msg"]).removeprefix("Value error, ")
    # The value of a source may hold a password, and a list or a mapping says nothing in one line.
    value = fields[field]
    shown = _kind(value) if field == "source" or isinstance(value, (list, dict)) else repr(value)
    raise InputError(f"{path}: {label}: field {field} is {shown}: {message[:1].lower()}{message[1:]}")


def _resolve(camera: CameraSettings, folder: Path) -> CameraSettings:
    changes: dict[str, Any] = {}
    if not is_url(camera.source) and not is_webcam(camera.source):
        changes["source"] = str(folder / Path(camera.source).expanduser())
    for field in ("calibration", "detections"):
        value = getattr(camera, field)
        if isinstance(value, Path):
            changes[field] = folder / value.expanduser()
    if isinstance(camera.calibration, dict):
        named = {key: value for key, value in camera.calibration.items() if key in ("file", "extrinsics") and value}
        paths = {key: str(folder / Path(str(value)).expanduser()) for key, value in named.items()}
        changes["calibration"] = camera.calibration | paths
    return camera.model_copy(update=changes)


def _kind(value: Any) -> str:
    if value is None:
        return "empty"
    names = {bool: "a yes/no value", int: "a number", float: "a number", str: "text", list: "a list", dict: "a mapping"}
    return names.get(type(value), f"a {type(value).__name__}")
