"""A day of four cameras without pixels: people who come, walk past some of the cameras, and often come back.

Nothing is kept of people who are not there: how somebody looks follows from the seed and their number, so that memory
does not grow with the people who ever came.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tracker.cross_camera.appearance import AppearanceSummary, normalised
from tracker.cross_camera.earlier_runs import LONG_AGO, KnownIdentity, KnownPeople
from tracker.detections import Detections

__all__ = ["CAMERAS", "IMAGE_SIZE", "SoakSettings", "people_before", "soak_instants"]

CAMERAS = ("entrance", "aisle", "counter", "exit")
IMAGE_SIZE = (1280, 720)
#: seconds in a view and between two, and how much paces differ
_VISIT, _TRANSIT, _PACE = 9.0, 14.0, 0.15
#: who comes back is one of so many who came last
_MEMORY = 4000
#: crops of somebody in one view
_CROPS = 48


@dataclass(frozen=True, slots=True)
class SoakSettings:
    """What comes: ``people`` different ones in 24 hours; ``returning`` is the share of comings by earlier ones.

    ``known`` people came before the beginning, one after the other at the same pace.
    """

    hours: float
    seed: int = 0
    frame_rate: float = 5.0
    people: int = 6000
    returning: float = 0.4
    dimension: int = 128
    #: length of what a visit and what a crop changes in a look, relative to the look
    view_noise: float = 0.5
    crop_noise: float = 0.3
    known: int = 0

    @property
    def seconds_between_people(self) -> float:
        """Mean time between the first comings of two different people."""
        return 86_400 / self.people


@dataclass(order=True, slots=True)
class _Visit:
    """Somebody in one view, from begin to end in seconds."""

    begin: float
    end: float = field(compare=False)
    camera: int = field(compare=False)
    person: int = field(compare=False)
    row: float = field(compare=False)
    direction: int = field(compare=False)
    shown: NDArray[np.float32] = field(compare=False)


def soak_instants(settings: SoakSettings) -> Iterator[tuple[float, list[Detections], int]]:
    """Yield time in seconds, the detections of each camera with their vectors, and how many new people came so far."""
    generator = np.random.default_rng(settings.seed)
    scale = 1 / np.sqrt(settings.dimension)
    every = settings.seconds_between_people * (1 - settings.returning)
    upcoming: list[_Visit] = []
    present: list[_Visit] = []
    people, next_coming = settings.known, float(generator.exponential(every))
    for tick in range(int(settings.hours * 3600 * settings.frame_rate)):
        time = tick / settings.frame_rate
        while next_coming <= time:
            if people and generator.random() < settings.returning:
                person = int(generator.integers(max(0, people - _MEMORY), people))
            else:
                person, people = people, people + 1
            for visit in _walk(settings, person, next_coming, generator):
                heapq.heappush(upcoming, visit)
            next_coming += float(generator.exponential(every))
        while upcoming and upcoming[0].begin <= time:
            present.append(heapq.heappop(upcoming))
        present = [visit for visit in present if visit.end > time]
        detections = [_seen(settings, present, camera, time, scale, generator) for camera in range(len(CAMERAS))]
        yield time, detections, people - settings.known


def people_before(settings: SoakSettings) -> KnownPeople:
    """Return the ``known`` people as a process knows them that has run for long, with numbers from 1 on."""
    generator = np.random.default_rng((settings.seed, 1))
    scale = 1 / np.sqrt(settings.dimension)
    found = []
    for person in range(settings.known):
        unseen = (settings.known - person) * settings.seconds_between_people
        views = {}
        for visit in _walk(settings, person, 0.0, generator):
            noise = settings.crop_noise * scale * generator.normal(size=(_CROPS, settings.dimension))
            crops = normalised(visit.shown + noise)
            views[CAMERAS[visit.camera]] = AppearanceSummary.restored(
                crops.sum(axis=0), float(_CROPS), _CROPS, crops[:: _CROPS // 12], LONG_AGO - unseen
            )
        found.append(KnownIdentity(person + 1, unseen, views))
    return KnownPeople(found, settings.known + 1, {})


def _walk(settings: SoakSettings, person: int, time: float, generator: np.random.Generator) -> Iterator[_Visit]:
    look = normalised(np.random.default_rng((settings.seed, person)).normal(size=settings.dimension))
    pace = float(np.exp(generator.normal(0, _PACE)))
    order = range(len(CAMERAS)) if generator.random() < 0.5 else range(len(CAMERAS) - 1, -1, -1)
    for camera in list(order)[: int(generator.integers(2, len(CAMERAS) + 1))]:
        noise = settings.view_noise / np.sqrt(settings.dimension) * generator.normal(size=settings.dimension)
        stop = float(generator.exponential(30.0)) if generator.random() < 0.1 else 0.0
        end = time + _VISIT * pace
        direction = 1 if generator.random() < 0.5 else -1
        yield _Visit(time, end, camera, person, float(generator.uniform(0, 1)), direction, normalised(look + noise))
        time = end + _TRANSIT * pace + stop


def _seen(
    settings: SoakSettings,
    present: list[_Visit],
    camera: int,
    time: float,
    scale: float,
    generator: np.random.Generator,
) -> Detections:
    """Return what a detector finds of those in view: now and then it misses somebody, and boxes are not exact."""
    here = [visit for visit in present if visit.camera == camera and generator.random() >= 0.03]
    if not here:
        return Detections(
            np.zeros((0, 4), np.float32),
            np.zeros(0, np.float32),
            features=np.zeros((0, settings.dimension), np.float32),
        )
    way = np.array([(time - visit.begin) / (visit.end - visit.begin) for visit in here])
    way = np.where([visit.direction > 0 for visit in here], way, 1 - way)
    height = 180.0 + 120.0 * np.array([visit.row for visit in here])
    feet = 360.0 + 340.0 * np.array([visit.row for visit in here])
    left = 20.0 + way * (IMAGE_SIZE[0] - 40.0 - 0.4 * height)
    boxes = np.stack([left, feet - height, left + 0.4 * height, feet], axis=1)
    boxes += generator.normal(0, 0.01, boxes.shape) * height[:, None]
    shown = np.stack([visit.shown for visit in here])
    features = normalised(shown + settings.crop_noise * scale * generator.normal(size=shown.shape))
    scores = np.clip(generator.normal(0.85, 0.05, len(here)), 0.1, 0.99)
    return Detections(boxes.astype(np.float32), scores.astype(np.float32), features=features)
