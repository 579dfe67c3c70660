"""People who walk about a hall, as paths on the floor and as the boxes of a camera whose pose and clock are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from tests.tracker.geometry.worlds import Array, look_at
from tracker.geometry.camera import Camera
from tracker.geometry.people_tracks import BoxTracks, FloorPaths

SIZE = (640, 480)
#: metres; people walk in the middle of it
HALL = (8.0, 6.0)
LATTICE = np.stack(np.meshgrid(np.arange(0.5, 8, 0.5), np.arange(0.5, 6, 0.5)), axis=-1).reshape(-1, 2)


def corner_camera(
    name: str = "new", position: tuple[float, float, float] = (0.2, 0.3, 2.6), distortion: float = 0.0
) -> Camera:
    """Return a camera of 420 pixels' focal length that looks at the middle of the hall."""
    rotation, translation = look_at(position, (4.3, 3.3, 0.7), roll=0.02)
    intrinsics = np.array([[420.0, 0, 320], [0, 420, 240], [0, 0, 1]])
    return Camera(name, *SIZE, intrinsics, np.array([distortion, 0, 0, 0, 0]), rotation, translation)


@dataclass(frozen=True, eq=False)
class Walks:
    """Paths of four people, the first of whom stands still; and who a camera's track is."""

    paths: FloorPaths
    tracks: BoxTracks
    truth: Camera
    offset: float
    people: dict[int, int]
    rows: Array


def walks(
    seed: int = 0, *, seconds: float = 24.0, offset: float = 0.37, rate: float = 8.0, camera: Camera | None = None
) -> Walks:
    """Return people seen by a detector that errs by 3 % of a box's height, misses 15 % and sees 40 who are not there.

    The same people whatever the camera and its clock. Tracks break every 9 seconds, and their numbers say nothing of
    the people's. Paths err by 4 cm.
    """
    generator = np.random.default_rng(seed)
    view = camera or corner_camera()
    clock = np.arange(0, seconds, 1 / rate)
    heights = generator.normal(1.72, 0.07, 4)
    order = generator.permutation(4)
    rows, times, ids, boxes = [], [], [], []
    people: dict[int, int] = {}
    for person in range(4):
        count = int(seconds / 3.5) + 3
        walker, detector = (np.random.default_rng([seed, person, kind]) for kind in range(2))
        stops = walker.uniform((1.2, 1.0), (7.0, 5.2), (count, 2))
        if person == 0:
            stops[:] = (4.6, 3.0)
        path = PchipInterpolator(3.5 * np.arange(count), stops)
        places = path(clock) + walker.normal(0, 0.04, (len(clock), 2))
        rows.append(np.column_stack([clock, np.full(len(clock), person + 11), places]))
        seen = clock[clock + offset < seconds]
        x, y = path(seen + offset).T
        box = view.person_box(x, y, heights[person])
        box = box + detector.normal(0, 0.03, box.shape) * (box[:, 3:] - box[:, 1:2])
        found = (view.visible_share(box) > 0.4) & (detector.random(len(seen)) > 0.15)
        numbers = 10 * order[person] + (seen[found] // 9).astype(int)
        people |= {int(number): person + 11 for number in numbers}
        times.append(seen[found])
        ids.append(numbers)
        boxes.append(np.clip(box[found], 0, [*SIZE, *SIZE]))
    wrong = 40
    corner, tall = generator.uniform((0, 40), (540, 250), (wrong, 2)), generator.uniform(60, 200, wrong)
    times.append(generator.choice(clock, wrong))
    ids.append(1000 + np.arange(wrong))
    boxes.append(np.column_stack([corner, corner[:, 0] + 0.4 * tall, corner[:, 1] + tall]))
    table = np.concatenate(rows)
    paths = FloorPaths(table[:, 0], table[:, 1].astype(int), table[:, 2:])
    tracks = BoxTracks(np.concatenate(times), np.concatenate(ids), np.concatenate(boxes), *SIZE)
    return Walks(paths, tracks, view, offset, people, table)


def floor_error(found: Camera, truth: Camera) -> float:
    """Return the root mean square of the metres between where two cameras put the floor that the second sees."""
    points = np.column_stack([LATTICE, np.zeros(len(LATTICE))])
    seen = truth.visible(points)
    off = found.to_floor(truth.project(points[seen])[0], maximum_distance=np.inf) - LATTICE[seen]
    return float(np.sqrt((off**2).sum(axis=1).mean()))
