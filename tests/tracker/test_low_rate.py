"""People are followed, and known, where a machine looks at one or two pictures a second, and not at regular ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from tracker.cross_camera.frame_intervals import FrameIntervals
from tracker.cross_camera.identities import Identities
from tracker.cross_camera.identity_settings import CameraObservations, IdentitySettings
from tracker.detections import Detections
from tracker.pipeline import SMALL_DETECTOR_PARAMETERS
from tracker.single_camera import create_tracker

CAMERAS = ("aisle", "door")
SIZE = (1280, 720)
#: pixels: a person's height, and how far a brisk walk goes in a second
HEIGHT, SPEED = 250.0, 140.0
PEOPLE = 4
LOOKS = np.linalg.qr(np.random.default_rng(1).normal(size=(32, PEOPLE)))[0].T.astype(np.float32)


def place(person: int, camera: int, time: float) -> float | None:
    """Return the x of a person, who crosses first one view and then the other, ``None`` out of view."""
    inside = time - 5.0 * person - 12.0 * camera
    x = 60 + SPEED * inside
    # Every other one comes from the right.
    return None if inside < 0 or x > SIZE[0] - 60 else x if person % 2 else SIZE[0] - x


def seen(camera: int, time: float, generator: np.random.Generator) -> tuple[Detections, list[int]]:
    """Return what is found in a picture, and who it is."""
    who, boxes = [], []
    for person in range(PEOPLE):
        x = place(person, camera, time)
        if x is not None:
            who.append(person)
            feet = 420 + 70 * person
            boxes.append([x - 0.2 * HEIGHT, feet - HEIGHT, x + 0.2 * HEIGHT, feet])
    rows = np.array(boxes).reshape(-1, 4) + generator.normal(0, 0.01 * HEIGHT, (len(boxes), 4))
    looks = LOOKS[who] + generator.normal(0, 0.05, (len(who), 32))
    units = (looks / np.linalg.norm(looks, axis=1, keepdims=True)).astype(np.float32)
    return Detections(rows, np.full(len(who), 0.9), features=units), who


def follow(name: str, steps: Sequence[float]) -> tuple[dict[int, set[int]], dict[int, set[int]], NDArray[np.float64]]:
    """Run two cameras whose pictures differ in age by up to 0.4 s.

    Returns:
        Person → identities in the end; identity → people; and (N,) how many seconds somebody was in view, without an
        identity, before there was one.
    """
    generator = np.random.default_rng(7)
    trackers = [create_tracker(name, frame_rate=25, **SMALL_DETECTOR_PARAMETERS.get(name, {})) for _ in CAMERAS]
    identities = Identities(CAMERAS, IdentitySettings(), 0.5)
    said: list[tuple[str, int, float, int]] = []
    first: dict[int, float] = {}
    last = [-np.inf] * len(CAMERAS)
    for now in np.cumsum(steps).tolist():
        step, known = [], []
        for number, (camera, tracker) in enumerate(zip(CAMERAS, trackers)):
            time = max(now - float(generator.uniform(0, 0.4)), last[number] + 0.05)
            last[number] = time
            found, who = seen(number, time, generator)
            tracks = tracker.update(found, time=time)
            rows = tracks.detection_indices
            features = np.full((len(tracks), 32), np.nan, np.float32)
            assert found.features is not None
            features[rows >= 0] = found.features[rows[rows >= 0]]
            step.append(
                CameraObservations(camera, time, tracks.ids, tracks.boxes, features,
                                   np.where(rows >= 0, 0.9, 0).astype(np.float32), SIZE, tracker.removed_ids)
            )  # fmt: skip
            for track, row in zip(tracks.ids.tolist(), rows.tolist()):
                if row >= 0:
                    said.append((camera, track, time, who[row]))
                    known.append((camera, track, time, who[row]))
        identities.observe(step)
        for camera, track, time, person in known:
            if camera == CAMERAS[0] and identities.identity_of(camera, np.array([track]), np.array([time]))[0] > 0:
                first.setdefault(person, time)
    identities.finish()
    of_person: dict[int, set[int]] = {}
    of_identity: dict[int, set[int]] = {}
    for camera, track, time, person in said:
        (number,) = identities.identity_of(camera, np.array([track]), np.array([time])).tolist()
        if number:
            of_person.setdefault(person, set()).add(number)
            of_identity.setdefault(number, set()).add(person)
    return of_person, of_identity, np.array([first.get(person, np.inf) - 5.0 * person for person in range(PEOPLE)])


def irregular(mean: float, spread: float, seconds: float = 45.0) -> list[float]:
    generator = np.random.default_rng(3)
    return generator.uniform(mean - spread, mean + spread, int(seconds / mean)).tolist()


@pytest.mark.parametrize("name", ["bytetrack", "multicam", "ocsort", "botsort"])
@pytest.mark.parametrize(("mean", "spread", "longest"), [(0.67, 0.15, 4.5), (1.0, 0.2, 5.5)])
def test_who_walks_by_is_one_person_in_both_cameras(name: str, mean: float, spread: float, longest: float) -> None:
    of_person, of_identity, waited = follow(name, irregular(mean, spread))
    assert {person: len(numbers) for person, numbers in of_person.items()} == dict.fromkeys(range(PEOPLE), 1)
    assert all(len(people) == 1 for people in of_identity.values())
    assert (waited < longest).all()


def test_a_walkers_track_goes_on_over_long_steps_and_nobody_else_takes_it() -> None:
    tracker = create_tracker("bytetrack", frame_rate=25)
    found = [tracker.update(Detections([[x, 100, x + 100, 350]], [0.9]), time=0.67 * step) for step, x in
             enumerate(range(0, 1000, 120))]  # fmt: skip
    assert all(tracks.ids.tolist() == [1] for tracks in found)
    # Three body heights in one step, or half as tall: somebody else.
    for other in ([1700, 100, 1800, 350], [1000, 225, 1050, 350]):
        other_tracker = create_tracker("bytetrack", frame_rate=25)
        for step, x in enumerate(range(0, 1000, 120)):
            other_tracker.update(Detections([[x, 100, x + 100, 350]], [0.9]), time=0.67 * step)
        time = 0.67 * len(range(0, 1000, 120))
        other_tracker.update(Detections([other], [0.9]), time=time)
        assert other_tracker.update(Detections([other], [0.9]), time=time + 0.67).ids.tolist() == [2]


def test_one_missed_picture_ends_no_track_however_rare_pictures_are() -> None:
    for step in (0.04, 0.67, 1.2):
        tracker = create_tracker("bytetrack", frame_rate=25)
        for number in range(6):
            tracker.update(Detections([[0, 0, 40, 100]], [0.9]), time=step * number)
        tracker.update(Detections.empty(), time=step * 6)
        assert tracker.update(Detections([[0, 0, 40, 100]], [0.9]), time=step * 7).ids.tolist() == [1]
    # But a stream that stood still for a minute shows somebody else.
    assert tracker.update(Detections([[0, 0, 40, 100]], [0.9]), time=70.0).ids.tolist() != [1]


def test_a_slow_step_hides_nobody_and_a_standstill_does() -> None:
    intervals = FrameIntervals()
    times = [0.0, 0.5, 1.0, 1.5, 2.4, 2.9, 12.9]
    tolerated = [intervals.note(0, time) for time in times]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert tolerated[0] == 0.0 and tolerated[1:-1] == pytest.approx(gaps[:-1])
    assert tolerated[-1] == pytest.approx(1.0) and intervals.usual(0) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("interval", "needed"), [(0.04, 4), (0.2, 4), (0.4, 4), (0.5, 3), (0.67, 3), (1.0, 2), (5.0, 2)]
)
def test_fewer_crops_are_enough_where_pictures_are_rare(interval: float, needed: int) -> None:
    intervals = FrameIntervals()
    for number in range(5):
        intervals.note(0, number * interval)
    assert intervals.crops_needed(0, 4) == needed and intervals.crops_needed(0, 1) == 1
