"""Zones and counting lines as a person gives them: on a camera's image, or on the floor."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from tracker.errors import InputError, nearest_name_hint
from tracker.floor.entries import Zone
from tracker.storage.atomic import atomic_path

__all__ = [
    "LineDefinition",
    "Point",
    "ZoneDefinition",
    "ZoneDefinitions",
    "read_zones",
    "write_zones",
    "zones_from_document",
]

Point = tuple[float, float]

_LONGEST_NAME = 80
_MOST_CORNERS = 200
_MOST_PLACES = 500
#: metres: coordinates beyond are not metres of a room
_FARTHEST = 100_000.0
_SHORTEST_LINE = 0.01


class _Place(BaseModel):
    """What zones and lines have in common.

    Args:
        name: unique among all zones and lines.
        camera: whose image it is drawn on; ``None``: it lies on the floor.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str
    camera: str | None = None

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        name = name.strip()
        if not name or len(name) > _LONGEST_NAME or not name.isprintable():
            raise ValueError(f"give a text of 1 to {_LONGEST_NAME} letters")
        return name

    def _check_points(self, points: Collection[Point]) -> None:
        for x, y in points:
            if not (math.isfinite(x) and math.isfinite(y)):
                raise ValueError(f"[{x:g}, {y:g}] is not finite; give finite numbers [x, y]")
            if self.camera is not None and not (0 <= x <= 1 and 0 <= y <= 1):
                raise ValueError(
                    f"[{x:g}, {y:g}] is not in the image; give shares of its width and height from 0 to 1, "
                    "or leave camera: out for metres on the floor"
                )
            if max(abs(x), abs(y)) > _FARTHEST:
                raise ValueError(f"[{x:g}, {y:g}] is too far away; give metres on the floor")


class ZoneDefinition(_Place):
    """A part of an image or of the floor that people enter, stay in and leave.

    Args:
        polygon: corners in order around it, without crossings: shares of the image's width and height (0 to 1, counted
            from its upper left corner), or metres on the floor.
    """

    polygon: tuple[Point, ...]

    @model_validator(mode="after")
    def _check(self) -> ZoneDefinition:
        if not 3 <= len(self.polygon) <= _MOST_CORNERS:
            raise ValueError(f"its polygon has {len(self.polygon)} corners; give 3 to {_MOST_CORNERS}")
        self._check_points(self.polygon)
        self.shape()
        return self

    def shape(self, aspect: float = 1.0) -> Zone:
        """Return the polygon in heights of the image (``aspect``: width over height), or in metres."""
        return Zone("zone", np.array(self.polygon, np.float64) * (aspect, 1.0))


class LineDefinition(_Place):
    """A line that people cross; forward is from its left to its right, looking from its first point to its second.

    Args:
        start, end: its points (``from`` and ``to`` in files), in the same units as the corners of zones.
    """

    start: Point = Field(alias="from")
    end: Point = Field(alias="to")

    @model_validator(mode="after")
    def _check(self) -> LineDefinition:
        self._check_points((self.start, self.end))
        if math.dist(self.start, self.end) < _SHORTEST_LINE:
            raise ValueError("its two points are one; give points apart from each other")
        return self


class ZoneDefinitions(BaseModel):
    """All zones and lines of a place.

    Args:
        zones, lines: with names of their own.

    Raises:
        ValidationError: two of one name, or far too many.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    zones: tuple[ZoneDefinition, ...] = ()
    lines: tuple[LineDefinition, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> ZoneDefinitions:
        names = [place.name.casefold() for place in self.places]
        if len(names) > _MOST_PLACES:
            raise ValueError(f"there are {len(names)} zones and lines; give {_MOST_PLACES} at most")
        for place in self.places:
            if names.count(place.name.casefold()) > 1:
                raise ValueError(f"two zones or lines are called {place.name!r}; give each its own name")
        return self

    @property
    def places(self) -> tuple[ZoneDefinition | LineDefinition, ...]:
        """Zones, then lines."""
        return (*self.zones, *self.lines)

    def check_cameras(self, cameras: Collection[str], *, on_floor: bool) -> None:
        """Check that there is what the zones and lines lie on.

        Args:
            cameras: names of the cameras there are.
            on_floor: people are followed on the floor.

        Raises:
            InputError: a camera that is not there, or a place on the floor where nobody is followed on it.
        """
        for place in self.places:
            kind = "line" if isinstance(place, LineDefinition) else "zone"
            if place.camera is None and not on_floor:
                raise InputError(
                    f"{kind} {place.name!r} lies on the floor, but people are followed view by view: "
                    "give camera: with a camera's name, or calibrate all cameras"
                )
            if place.camera is not None and place.camera not in cameras:
                raise InputError(
                    f"{kind} {place.name!r}: no camera is called {place.camera!r}: "
                    f"{nearest_name_hint(place.camera, cameras)}"
                )

    def to_document(self) -> dict[str, Any]:
        """Return the same as plain lists and mappings, as files have it."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def read_zones(path: str | Path) -> ZoneDefinitions:
    """Return the zones and lines of a file, JSON or YAML: lists ``zones:`` and ``lines:``.

    Raises:
        InputError: it cannot be read, or something in it cannot be; the message names the entry.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
    except FileNotFoundError:
        raise InputError(f"zones file {path} does not exist: check the path") from None
    except OSError as error:
        raise InputError(f"zones file {path} cannot be read: {(error.strerror or str(error)).lower()}") from None
    except (UnicodeDecodeError, ValueError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        line = getattr(error, "lineno", None) if mark is None else mark.line + 1
        where = "" if line is None else f", line {line}"
        raise InputError(f"{path}{where}: is neither JSON nor YAML; it holds lists zones: and lines:") from None
    return zones_from_document(content, str(path))


def zones_from_document(content: Any, label: str) -> ZoneDefinitions:
    """Return the zones and lines of a document; ``label`` names it in messages.

    Raises:
        InputError: something in it cannot be; the message names the entry and its field.
    """
    if not isinstance(content, Mapping):
        raise InputError(f"{label}: holds no lists zones: and lines:; write for example zones: [{{name: …, …}}]")
    lists = {name: content.get(name) for name in ("zones", "lines")}
    for field in content:
        if field not in lists:
            raise InputError(f"{label}: unknown field {str(field)!r}: {nearest_name_hint(str(field), lists)}")
    found: dict[str, list[Any]] = {}
    for kind, entries in lists.items():
        if not isinstance(entries, (list, type(None))):
            raise InputError(f"{label}: {kind}: is no list; begin each with '- name:'")
        model = ZoneDefinition if kind == "zones" else LineDefinition
        found[kind] = [
            _checked(model, entry, f"{label}: {kind[:-1]} {number}") for number, entry in enumerate(entries or [], 1)
        ]
    if not found["zones"] and not found["lines"]:
        raise InputError(f"{label}: has no zone and no line; add one, or do without the file")
    try:
        return ZoneDefinitions(zones=tuple(found["zones"]), lines=tuple(found["lines"]))
    except ValidationError as error:
        raise InputError(f"{label}: {_message(error)}") from None


def write_zones(path: str | Path, definitions: ZoneDefinitions) -> None:
    """Write zones and lines as JSON, or as YAML where the name ends in ``.yaml`` or ``.yml``; wholly or not at all."""
    path = Path(path)
    document = definitions.to_document()
    if path.suffix.lower() in (".yaml", ".yml"):
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, default_flow_style=None)
    else:
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _checked(model: type[ZoneDefinition] | type[LineDefinition], entry: Any, label: str) -> Any:
    if not isinstance(entry, Mapping):
        raise InputError(f"{label}: is no mapping; write for example {_example(model)}")
    if isinstance(entry.get("name"), str):
        label = f"{label} ({entry['name']})"
    known = ["name", "camera", *(["polygon"] if model is ZoneDefinition else ["from", "to"])]
    for field in entry:
        if field not in known:
            raise InputError(f"{label}: unknown field {str(field)!r}: {nearest_name_hint(str(field), known)}")
    try:
        return model.model_validate(dict(entry))
    except InputError as error:
        raise InputError(f"{label}: {str(error).removeprefix('zone: ')}") from None
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        field = str(problem["loc"][0]) if problem["loc"] else ""
        if problem["type"] == "missing":
            raise InputError(f"{label}: has no {field}:; write for example {_example(model)}") from None
        where = f"{field}: " if field else ""
        raise InputError(f"{label}: {where}{_message(error)}") from None


def _example(model: type[ZoneDefinition] | type[LineDefinition]) -> str:
    if model is ZoneDefinition:
        return "{name: till, camera: cam1, polygon: [[0.1, 0.5], [0.4, 0.5], [0.4, 0.9]]}"
    return "{name: door, camera: cam1, from: [0.2, 0.8], to: [0.6, 0.8]}"


def _message(error: ValidationError) -> str:
    message = str(error.errors(include_url=False)[0]["msg"]).removeprefix("Value error, ").removeprefix("zone: ")
    return message[:1].lower() + message[1:]
