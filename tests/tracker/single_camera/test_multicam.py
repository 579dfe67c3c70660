"""The tracker of our own on small made-up scenes: what each part is there for, and what it must not depend on."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tracker.single_camera.streams import HEIGHT, WIDTH, box, identities, random_stream, same
from tracker import Detections, InputError, create_tracker
from tracker.single_camera.base import SingleCameraTracker

Frames = list[list[tuple[int, list[float], float]]]


def panned(camera: np.ndarray, people: int = 4) -> Frames:
    """Return people who stand still, 150 pixels apart, in front of a camera that is at ``camera`` (F,)."""
    return [[(person, box(150.0 * person + x), 0.99) for person in range(people)] for x in camera]


def changes(found: list[dict[int, int]]) -> int:
    """Return how often a person's number is not the one that person had before."""
    last: dict[int, int] = {}
    count = 0
    for frame in found:
        count += sum(last.get(person, number) != number for person, number in frame.items())
        last |= frame
    return count


def shaken(frames: int = 60) -> np.ndarray:
    """Return a camera that swings to and fro, in the end by up to 27 pixels a frame: most of a box's width."""
    return np.linspace(0.0, 65.0, frames) * np.sin(0.42 * np.arange(frames))


def test_the_cameras_motion_is_seen_in_the_boxes() -> None:
    assert changes(identities(create_tracker("multicam"), panned(shaken()))) == 0
    assert changes(identities(create_tracker("multicam", compensates_camera_motion=False), panned(shaken()))) > 0


def test_a_lost_person_moves_with_the_camera() -> None:
    frames = panned(np.concatenate([np.zeros(20), 8.0 * np.arange(40)]))
    for number in range(22, 50):
        # the camera turns while nobody sees person 3
        frames[number] = frames[number][:3]
    assert changes(identities(create_tracker("multicam"), frames)) == 0
    assert changes(identities(create_tracker("multicam", compensates_camera_motion=False), frames)) > 0


def test_one_person_walking_is_no_camera_motion() -> None:
    tracker = create_tracker("multicam")
    for step in range(30):
        tracker.update(Detections([box(100), box(400), box(700 + 4 * step)], [0.99] * 3))
    speeds = np.sort(tracker.table.state[1, 0])
    np.testing.assert_allclose(speeds, [0, 0, 4], atol=0.3)


def test_an_occluded_person_is_still_reported_for_a_while_and_keeps_the_number() -> None:
    tracker = create_tracker("multicam", lost_shown_seconds=0.3, lost_shown_deviation=1.0)
    for step in range(30):
        # the weak box elsewhere is nobody; it shows how wide the picture is
        tracks = tracker.update(Detections([box(100 + 3 * step), box(900)], [0.99, 0.2]))
    number = tracks.ids.tolist()
    shown = [tracker.update(Detections.empty()) for _ in range(20)]
    assert [len(tracks) for tracks in shown] == [1] * 9 + [0] * 11
    assert shown[5].ids.tolist() == number and shown[5].detection_indices.tolist() == [-1]
    # where the person is by then: 3 pixels further in each frame
    np.testing.assert_allclose(shown[5].boxes[0], box(100 + 3 * 35), atol=3)
    assert tracker.update(Detections([box(100 + 3 * 50)], [0.99])).ids.tolist() == number


def test_where_a_person_is_too_uncertain_nothing_is_reported() -> None:
    counts = []
    for limit in (0.08, 0.2):
        tracker = create_tracker("multicam", lost_shown_seconds=1.0, lost_shown_deviation=limit)
        for step in range(30):
            tracker.update(Detections([box(100 + 3 * step)], [0.99]))
        counts.append(sum(len(tracker.update(Detections.empty())) for _ in range(30)))
    assert 0 < counts[0] < counts[1] < 30


def test_a_person_who_left_the_picture_is_not_reported() -> None:
    tracker = create_tracker("multicam")
    for step in range(30):
        # somebody else shows how wide the picture is
        tracker.update(Detections([box(800 + 5 * step), box(100)], [0.99, 0.99]))
    shown = [tracker.update(Detections([box(100)], [0.99])) for _ in range(9)]
    assert len(shown[0]) == 2
    assert len(shown[8]) == 1, "its centre is beyond all boxes so far"


@pytest.mark.parametrize(("margin", "found"), [(1.5, True), (-0.4, False)])
def test_margins_are_recognised(margin: float, found: bool) -> None:
    tracker = create_tracker("multicam")
    for _ in range(10):
        # the box elsewhere shows what kind of scores these are
        tracks = tracker.update(Detections([box(100), box(500)], [margin, -0.5]))
    assert (len(tracks) == 1) == found


def test_margins_are_thinned_and_probabilities_less() -> None:
    boxes = [box(100), box(110)]
    for scores, expected in (([2.0, 1.9], 1), ([0.99, 0.98], 2)):
        tracker = create_tracker("multicam", suppression_iou=0.7, duplicate_iou=1.0)
        for _ in range(5):
            tracks = tracker.update(Detections(boxes, scores))
        assert len(tracks) == expected


def test_weak_detections_carry_a_person_on_and_start_nobody() -> None:
    tracker = create_tracker("multicam")
    for _ in range(10):
        tracker.update(Detections([box(100)], [0.99]))
    for _ in range(60):
        tracks = tracker.update(Detections([box(100), box(500)], [0.3, 0.3]))
    assert tracks.detection_indices.tolist() == [0]


def test_boxes_of_another_height_are_another_person() -> None:
    small = box(100, 200, WIDTH * 0.55, HEIGHT * 0.55)
    for weight, matched in ((1.0, False), (0.0, True)):
        tracker = create_tracker("multicam", height_weight=weight)
        for _ in range(10):
            number = tracker.update(Detections([box(100)], [0.99])).ids.tolist()
        tracks = tracker.update(Detections([small], [0.99]))
        assert (tracks.ids[tracks.detection_indices == 0].tolist() == number) == matched


def test_nobody_starts_on_somebody_who_is_followed() -> None:
    second = box(108, 204)
    for limit, expected in ((0.5, 1), (1.0, 2)):
        tracker = create_tracker("multicam", suppression_iou=1.0, duplicate_iou=limit)
        for step in range(20):
            boxes = [box(100)] if step < 5 else [box(100), second]
            tracks = tracker.update(Detections(boxes, [0.99] * len(boxes)))
        assert len(tracks) == expected


def test_looks_tell_apart_who_stands_close() -> None:
    looks = np.eye(8, dtype=np.float32)[:2]

    def run(features: bool) -> list[int]:
        tracker = create_tracker("multicam", suppression_iou=1.0)
        for step in range(12):
            places = (100, 108) if step < 10 else (108, 100)
            rows = Detections([box(x) for x in places], [0.99, 0.99], features=looks if features else None)
            tracks = tracker.update(rows)
        return tracks.ids[np.argsort(tracks.detection_indices)].tolist()

    assert run(True) == [1, 2]
    assert run(False) == [2, 1]


def run_at(tracker: SingleCameraTracker, rate: float, seconds: float) -> dict[float, list[int]]:
    """Follow two people who meet and part; return time in tenths → numbers of those reported."""
    found = {}
    for step in range(int(seconds * rate)):
        time = step / rate
        boxes, scores = [box(100 + 60 * time)], [0.97]
        if not 1.9 < time < 2.45:
            boxes.append(box(360 - 70 * time, 210))
            scores.append(0.9)
        tracks = tracker.update(Detections(boxes, scores), time=time)
        if abs(time * 10 - round(time * 10)) < 1e-6:
            found[round(time, 1)] = sorted(tracks.ids.tolist())
    return found


def test_twice_as_many_frames_a_second_change_nothing() -> None:
    slow = run_at(create_tracker("multicam", frame_rate=20), 20, 5)
    fast = run_at(create_tracker("multicam", frame_rate=40), 40, 5)
    differences = [time for time in slow if slow[time] != fast[time]]
    # one person is confirmed and hidden a frame earlier, in time
    assert len(differences) <= 2, differences
    assert slow[4.9] == fast[4.9] == [1, 2]


def test_dropped_frames_are_ordinary_when_times_tell() -> None:
    tracker = create_tracker("multicam")
    numbers = set()
    for step in [*range(0, 20), 27, 28, 29, 40, 41, 42]:
        tracks = tracker.update(Detections([box(100 + 4 * step), box(300 + 4 * step)], [0.99, 0.99]), time=step / 30)
        numbers |= set(tracks.ids.tolist())
    assert numbers == {1, 2}
    assert (tracks.detection_indices >= 0).all()


def test_later_frames_change_nothing_of_earlier_ones() -> None:
    stream = random_stream(5, frames=60, crowded=True)
    whole = [tracker.update(frame) for tracker in [create_tracker("multicam")] for frame in stream]
    for length in (1, 17, 40):
        tracker = create_tracker("multicam")
        for number, frame in enumerate(stream[:length]):
            assert same(tracker.update(frame), whole[number])


def test_options_are_checked() -> None:
    with pytest.raises(InputError, match=r"looks_per_second is 0; give a value"):
        create_tracker("multicam", looks_per_second=0)
    with pytest.raises(InputError, match=r"suppression_iou is 1.2; give a value from 0 to 1"):
        create_tracker("multicam", suppression_iou=1.2)


def test_who_is_not_believed_yet_can_be_asked_for() -> None:
    """With the whole of a track known, its doubtful beginning belongs to it: the number is the same from the first."""
    found = {}
    for everyone in (False, True):
        tracker = create_tracker("multicam", reports_unconfirmed=everyone)
        found[everyone] = [tracker.update(Detections([box(100 + 2 * step)], [0.8])) for step in range(20)]
        # nobody is reported without a detection then, however sure the place is
        found[everyone].append(tracker.update(Detections.empty()))
    counts = {everyone: [len(tracks) for tracks in one] for everyone, one in found.items()}
    assert counts[True] == [1] * 20 + [0]
    assert counts[False][0] == 0 and counts[False][-1] == 1 and sum(counts[False]) < 20
    assert {int(tracks.ids[0]) for tracks in found[True][:20]} == {1}
