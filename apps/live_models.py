"""What the live server answers, and what it takes, as models; so that its OpenAPI description is true.

Times are seconds since 1970. Boxes are ``x1, y1, x2, y2`` in pixels of the camera's whole picture.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "LAST_NUMBER",
    "CameraStatus",
    "Counts",
    "Crop",
    "Event",
    "Events",
    "FloorPath",
    "Identity",
    "Known",
    "MergeRequest",
    "NewIdentity",
    "People",
    "Person",
    "Present",
    "Problem",
    "RenameRequest",
    "SearchResult",
    "SightingRow",
    "SplitRequest",
    "Status",
    "ZonesDocument",
]

LAST_NUMBER = 2**53 - 1
#: Numbers of people; those beyond cannot be told apart in JavaScript, nor kept in the store
Identity = Annotated[int, Field(ge=1, le=LAST_NUMBER)]
Moment = Annotated[float, Field(allow_inf_nan=False)]
# Lists and not tuples: what OpenAPI says of those not all that read it understand.
Pair = Annotated[list[int], Field(min_length=2, max_length=2)]
Place = Annotated[list[float], Field(min_length=2, max_length=2)]
Box = Annotated[list[float], Field(min_length=4, max_length=4)]
Point = Annotated[list[Moment], Field(min_length=2, max_length=2)]


class _Answer(BaseModel):
    """What is infinite, or no number at all, is sent as null: JSON knows neither."""

    model_config = ConfigDict(ser_json_inf_nan="null")


class Problem(_Answer):
    """Why a request was refused: one line."""

    detail: str


class CameraStatus(_Answer):
    """How a camera is doing; ``source`` is without user, password and query."""

    name: str
    source: str
    phase: Literal["starting", "running", "stalled", "reconnecting", "ended", "failed"]
    message: str
    frame_rate: float
    size: Pair | None
    frames: int
    dropped: int
    reconnects: int
    age: float | None
    calibrated: bool


class Processing(_Answer):
    """How the run is doing; ``load`` is the busy share of its time."""

    frames_per_second: float
    latency_seconds: float | None
    load: float
    too_slow: bool
    message: str
    processed: int
    embedded_crops: int
    skipped_crops: int
    rule: str


class StoreSize(_Answer):
    """How much is kept, and for how long."""

    people: int
    bytes: int
    keep_days: float | None
    vectors: int


class FloorCamera(_Answer):
    """Where a camera stands, metres, and where it looks; ``None``: straight down."""

    name: str
    position: Place
    direction: Place | None


class FloorPlan(_Answer):
    """The floor that calibrated cameras see, metres."""

    bounds: Box
    cameras: list[FloorCamera]


class Privacy(_Answer):
    """What is hidden in all that is shown and kept."""

    faces: bool
    people: bool


class Status(_Answer):
    """How everything is doing."""

    version: str
    started: float
    time: float
    cameras: list[CameraStatus]
    processing: Processing
    memory_bytes: int
    store: StoreSize
    floor: FloorPlan | None
    privacy: Privacy
    embedder: str | None
    detector: str | None


class PresentPerson(_Answer):
    """Somebody who is there now; ``crop`` is the number of a picture."""

    identity: int
    name: str | None
    cameras: list[str]
    since: float
    last_seen: float
    crop: int | None


class Present(_Answer):
    """Who is there now."""

    time: float
    people: list[PresentPerson]


class Known(_Answer):
    """Somebody whom the store knows: how much is kept, the best picture, and whether they are there now."""

    identity: int
    name: str | None
    first_seen: float | None
    last_seen: float | None
    cameras: list[str]
    sightings: int
    crops: int
    crop: int | None
    present: bool


class People(_Answer):
    """A part of all people, those seen last first, and how many there are."""

    total: int
    people: list[Known]


class SightingRow(_Answer):
    """A stretch of a track."""

    camera: str
    track: int
    start: float
    end: float


class Crop(_Answer):
    """A picture of somebody, without the picture; ``id`` says where that is."""

    id: int
    camera: str
    time: float
    quality: float


class Person(_Answer):
    """Somebody with their sightings and pictures, the newest first, at most 500 of each, and how many there are."""

    identity: int
    name: str | None
    first_seen: float | None
    last_seen: float | None
    cameras: list[str]
    crop: int | None
    present: bool
    sightings_total: int
    crops_total: int
    sightings: list[SightingRow]
    crops: list[Crop]


class FloorPath(_Answer):
    """Where somebody was on the floor: time, and metres."""

    points: list[Annotated[list[float], Field(min_length=3, max_length=3)]]


class NewIdentity(_Answer):
    """The number of somebody new."""

    identity: int


class SearchAnswer(_Answer):
    """Somebody like the picture; ``score`` is a cosine, ``crop`` the picture that was taken when they looked so."""

    identity: int
    name: str | None
    score: float
    camera: str
    time: float
    crop: int | None


class SearchPerson(_Answer):
    """Somebody in the picture, and who they may be, the most like first."""

    box: Box
    answers: list[SearchAnswer]


class SearchResult(_Answer):
    """Who is in a picture; ``detected``: people were looked for in it, else the whole picture is taken for one."""

    detected: bool
    persons: list[SearchPerson]


class ZoneCount(_Answer):
    """A zone now and since the beginning; ``dwell_mean`` in seconds."""

    name: str
    camera: str | None
    occupancy: int
    entered: int
    left: int
    dwell_mean: float | None


class LineCount(_Answer):
    """Who crossed a line since the beginning."""

    name: str
    camera: str | None
    forward: int
    backward: int


class Counts(_Answer):
    """All zones and lines now."""

    time: float
    zones: list[ZoneCount]
    lines: list[LineCount]


class Event(_Answer):
    """Something that happened; fields that say nothing are left out."""

    model_config = ConfigDict(extra="allow")

    kind: str
    time: float
    camera: str | None = None
    track: int | None = None
    identity: int | None = None
    previous_identity: int | None = None
    since: float | None = None
    score: float | None = None
    place: str | None = None
    direction: str | None = None
    name: str | None = None
    message: str | None = None


class Events(_Answer):
    """What happened last, the newest last."""

    events: list[Event]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class RenameRequest(_Request):
    """A name for somebody; null takes it away."""

    name: Annotated[str, Field(max_length=100)] | None


class MergeRequest(_Request):
    """Who somebody is the same person as; that number stays."""

    into: Identity


class SplitRequest(_Request):
    """In which camera, and from when to when, it was somebody else."""

    camera: Annotated[str, Field(max_length=200)]
    start: Moment
    end: Moment


class ZoneEntry(_Request):
    """A zone: corners in order, shares of the image's width and height, or metres on the floor without a camera."""

    name: Annotated[str, Field(max_length=200)]
    camera: Annotated[str, Field(max_length=200)] | None = None
    polygon: Annotated[list[Point], Field(max_length=1000)]


class LineEntry(_Request):
    """A counting line; forward is from its left to its right, looking from its first point to its second."""

    name: Annotated[str, Field(max_length=200)]
    camera: Annotated[str, Field(max_length=200)] | None = None
    start: Annotated[Point, Field(alias="from")]
    end: Annotated[Point, Field(alias="to")]


class ZonesDocument(_Request):
    """All zones and lines."""

    zones: Annotated[list[ZoneEntry], Field(max_length=1000)] = []
    lines: Annotated[list[LineEntry], Field(max_length=1000)] = []

    def to_document(self) -> dict[str, Any]:
        """Return the same as plain lists and mappings, as zone files have it."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
