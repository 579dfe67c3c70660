"""Random streams of several cameras with known people, and what a reader of the events makes of them."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from tracker.cross_camera.appearance import normalised
from tracker.cross_camera.events import Event
from tracker.cross_camera.identities import Identities
from tracker.cross_camera.identity_settings import CameraObservations

IMAGE = (1280, 720)
#: seconds between two ticks of the streams' common clock
TICK = 0.04

Step = list[CameraObservations]
#: camera, track, time
Sight = tuple[str, int, float]


def unit_vectors(count: int, dimension: int = 32, seed: int = 0) -> np.ndarray:
    """Return ``count`` random directions (count, dimension)."""
    return normalised(np.random.default_rng(seed).normal(size=(count, dimension)))


def seen(
    camera: str,
    time: float,
    tracks: Sequence[tuple[int, Sequence[float], np.ndarray | None, float]],
    *,
    ended: Iterable[int] = (),
    embedder: bool = True,
    image_size: tuple[int, int] = IMAGE,
    dimension: int = 32,
) -> CameraObservations:
    """Return what a camera saw: tracks of (id, box, feature or ``None``, quality)."""
    blank = np.full(dimension, np.nan, np.float32)
    rows = [blank if feature is None else feature for _, _, feature, _ in tracks]
    return CameraObservations(
        camera,
        time,
        np.array([track for track, _, _, _ in tracks], np.int64),
        np.array([box for _, box, _, _ in tracks], np.float32).reshape(-1, 4),
        np.array(rows, np.float32).reshape(-1, dimension) if embedder else None,
        np.array([quality for _, _, _, quality in tracks], np.float32),
        image_size,
        np.array(list(ended), np.int64),
    )


@dataclass
class World:
    """A stream, and who really was on each track at each time."""

    cameras: list[str]
    steps: list[Step] = field(default_factory=list)
    truth: dict[Sight, int] = field(default_factory=dict)


@dataclass
class _Visit:
    person: int
    begin: float
    end: float
    x: float
    y: float
    speed: float
    height: float
    track: int


def random_world(
    seed: int,
    *,
    seconds: float = 30.0,
    cameras: int = 2,
    people: int = 5,
    noise: float = 0.15,
    embedder: bool = True,
    busy: float = 1.0,
) -> World:
    """Return a stream in which all goes wrong that can: tracks that end, restart, swap, double, blink and jump.

    Args:
        seed: of everything.
        seconds: length.
        cameras: how many; each has its own frame rate, and one ends early without saying which tracks ended.
        people: how many; some are never seen well enough to be embedded.
        noise: length of the noise added to a person's vector, relative to the vector.
        embedder: whether there are features at all.
        busy: visits per person and camera every ten seconds.
    """
    rng = np.random.default_rng(seed)
    names = [f"cam{letter}" for letter in "DBACE"[:cameras]]
    world = World(names)
    looks = unit_vectors(people, seed=seed)
    never_embedded = rng.random(people) < 0.15
    views = [_visits(rng, people, seconds, busy) for _ in names]
    stride = rng.choice([1, 2, 3, 5], cameras) * 2
    stops = np.full(cameras, np.inf)
    stops[0] = seconds * 0.7
    next_track = [1000] * cameras
    spares: list[dict[int, int]] = [{} for _ in names]
    reported: list[set[int]] = [set() for _ in names]
    blackouts = [rng.uniform(0, seconds) for _ in names]
    for tick in range(int(seconds / TICK)):
        time = tick * TICK
        step: Step = []
        for number, name in enumerate(names):
            if tick % stride[number] or time > stops[number] or 0 < time - blackouts[number] < 1.5:
                continue
            present = [visit for visit in views[number] if visit.begin <= time < visit.end]
            if len(present) >= 2 and rng.random() < 0.01:
                first, second = rng.choice(len(present), 2, replace=False)
                present[first].track, present[second].track = present[second].track, present[first].track
            rows = []
            for visit in present:
                if rng.random() < 0.005:
                    # the tracker loses the person; for a moment both the old and the new track may be there
                    next_track[number] += 1
                    if rng.random() < 0.5:
                        spares[number][visit.track] = visit.person
                    visit.track = next_track[number]
                if rng.random() < 0.02:
                    visit.x += rng.normal(0, 200)
                if rng.random() < 0.06:
                    continue
                rows.append((visit.track, _box(visit, time, rng), visit.person))
                for track, person in list(spares[number].items()):
                    if person == visit.person:
                        rows.append((track, _box(visit, time, rng), person))
                        if rng.random() < 0.15:
                            del spares[number][track]
            vectors = (
                normalised(
                    looks[[person for _, _, person in rows]]
                    + noise * rng.normal(size=(len(rows), looks.shape[1])) / np.sqrt(looks.shape[1])
                )
                if rows
                else []
            )
            tracks = []
            for (track, box, person), vector in zip(rows, vectors, strict=True):
                hidden = never_embedded[person] or rng.random() < 0.3
                tracks.append((track, box, None if hidden else vector, 0.0 if hidden else float(rng.uniform(0.2, 0.9))))
                world.truth[name, track, time] = person
            known = {track for track, _, _, _ in tracks}
            alive = {visit.track for visit in present} | set(spares[number]) | known
            ended = sorted(reported[number] - alive)
            reported[number] = (reported[number] | known) - set(ended)
            step.append(seen(name, time, tracks, ended=ended, embedder=embedder))
        if step:
            world.steps.append(step)
    return world


def _visits(rng: np.random.Generator, people: int, seconds: float, busy: float) -> list[_Visit]:
    visits = []
    for person in range(people):
        for _ in range(max(1, rng.poisson(busy * seconds / 10))):
            begin = rng.uniform(-2, seconds)
            visits.append(
                _Visit(
                    person,
                    begin,
                    begin + rng.uniform(0.3, 9),
                    rng.uniform(100, 1100),
                    rng.uniform(50, 300),
                    rng.normal(0, 60),
                    rng.uniform(120, 300),
                    0,
                )
            )
    for track, visit in enumerate(visits, start=1):
        visit.track = track
    # one body is in one place: of visits of one person that overlap, the later waits
    kept: list[_Visit] = []
    for visit in sorted(visits, key=lambda visit: visit.begin):
        if all(visit.person != other.person or visit.begin >= other.end for other in kept):
            kept.append(visit)
    return kept


def _box(visit: _Visit, time: float, rng: np.random.Generator) -> list[float]:
    x = visit.x + visit.speed * (time - visit.begin) + rng.normal(0, 2)
    y = visit.y + rng.normal(0, 2)
    return [x - visit.height / 5, y, x + visit.height / 5, y + visit.height]


class Reader:
    """Knows nothing but the events, and from them who every track is at every time.

    An event about a track holds from its ``since`` on, to the next ``since`` that was ever told of that track.
    """

    def __init__(self) -> None:
        self.pieces: dict[tuple[str, int], tuple[list[float], dict[float, int]]] = {}
        self.opened: list[int] = []
        self.merged: dict[int, int] = {}
        self.started: set[tuple[str, int]] = set()
        self.ended: set[tuple[str, int]] = set()

    def read(self, events: Iterable[Event]) -> None:
        for event in events:
            if event.kind == "identity_opened":
                assert event.identity is not None and event.identity not in self.opened, "a number is opened once"
                self.opened.append(event.identity)
            elif event.kind == "identities_merged":
                assert event.previous_identity in self.opened and event.previous_identity not in self.merged
                assert event.identity in self.opened and event.identity not in self.merged
                self.merged[event.previous_identity] = event.identity
            elif event.kind in ("identity_assigned", "identity_corrected"):
                self._note(event)
            elif event.kind == "track_started":
                self.started.add((event.camera, event.track))
            elif event.kind == "track_ended":
                assert (event.camera, event.track) in self.started
                self.ended.add((event.camera, event.track))

    def _note(self, event: Event) -> None:
        assert event.camera is not None and event.track is not None and event.since is not None
        assert event.since <= event.time
        assert event.identity is not None and event.identity not in self.merged
        assert event.identity in self.opened or (event.identity == 0 and event.kind == "identity_corrected")
        times, values = self.pieces.setdefault((event.camera, event.track), ([], {}))
        if event.since not in values:
            insort(times, event.since)
        values[event.since] = event.identity

    def identity_of(self, camera: str, track: int, time: float) -> int:
        times, values = self.pieces.get((camera, track), ([], {}))
        position = bisect_right(times, time) - 1
        return values[times[position]] if position >= 0 else 0


def identity(identities: Identities, camera: str, track: int, time: float) -> int:
    """Return what is known now of one track at one time."""
    return int(identities.identity_of(camera, np.array([track]), np.array([time]))[0])


def found(identities: Identities, world: World) -> dict[Sight, int]:
    """Return the identity of every sight as known now."""
    return {sight: identity(identities, *sight) for sight in world.truth}


def run(identities: Identities, world: World) -> list[Event]:
    """Observe the whole stream and finish; return all events."""
    events = [event for step in world.steps for event in identities.observe(step)]
    return events + identities.finish()
