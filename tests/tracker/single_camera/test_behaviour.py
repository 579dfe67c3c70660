"""What each tracker is known for, on scenes where the right answer is plain."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tracker.single_camera.streams import box, frame, identities, person_features
from tracker import Detections, create_tracker

Frames = list[list[tuple[int, list[float], float]]]


def walkers(count: int, frames: int, score: float = 0.9) -> Frames:
    """People in separate lanes, each at its own speed."""
    return [
        [(person, box(100 + (3 + person) * step, 100 + 150 * person), score) for person in range(count)]
        for step in range(frames)
    ]


def turning_back(hidden: bool) -> Frames:
    """Two people meet, almost on one another, and both go back where they came from; one may be hidden meanwhile."""
    frames: Frames = []
    for step in range(70):
        half = abs(step - 35) * 4.0 + (0.0 if hidden else 3.0)
        people = [(0, box(400 - half), 0.9), (1, box(400 + half), 0.9)]
        frames.append(people[:1] if hidden and half < 30 else people)
    return frames


@pytest.mark.parametrize("name", ["multicam", "sort", "bytetrack", "ocsort", "botsort", "deepsort", "motdt"])
@pytest.mark.parametrize("with_features", [False, True])
def test_people_in_their_own_lanes_keep_one_identity_each(name: str, with_features: bool) -> None:
    features = person_features(4) if with_features else None
    found = identities(create_tracker(name), walkers(4, 40), features)
    ids = {person: {seen[person] for seen in found if person in seen} for person in range(4)}
    assert all(len(numbers) == 1 for numbers in ids.values())
    assert set.union(*ids.values()) == {1, 2, 3, 4}
    assert all(len(seen) == 4 for seen in found[5:])


def test_sort_reports_from_the_third_match_in_a_row() -> None:
    tracker = create_tracker("sort")
    frames = walkers(1, 14)
    for index in (7,):
        frames[index] = []
    shown = [0 in seen for seen in identities(tracker, [[]] * 5 + frames)][5:]
    # born in frame 0; a miss in frame 7 breaks the row; the track itself survives it
    assert shown == [False] * 3 + [True] * 4 + [False] * 3 + [True] * 4


def test_sort_forgets_after_two_misses() -> None:
    frames = walkers(1, 20)
    frames[9] = frames[10] = []
    found = identities(create_tracker("sort"), frames)
    assert found[8][0] == 1 and found[-1][0] == 2


def test_bytetrack_follows_a_person_whose_score_drops_and_sort_does_not() -> None:
    frames = walkers(2, 40)
    for step in range(15, 28):
        frames[step] = [(person, shape, 0.3 if person == 0 else score) for person, shape, score in frames[step]]
    found = identities(create_tracker("bytetrack"), frames)
    assert all(len(seen) == 2 for seen in found)
    assert len({seen[0] for seen in found}) == 1
    by_sort = identities(create_tracker("sort"), frames)
    assert all(0 not in seen for seen in by_sort[15:28])
    assert by_sort[-1][0] != by_sort[14][0]


def test_bytetrack_low_scores_start_no_track_and_find_no_lost_one() -> None:
    tracker = create_tracker("bytetrack")
    assert identities(tracker, [[(0, box(100), 0.3)]] * 10) == [{}] * 10
    tracker.reset()
    frames: Frames = [[(0, box(100), 0.9)]] * 5 + [[]] * 3 + [[(0, box(100), 0.3)]] * 3 + [[(0, box(100), 0.9)]] * 2
    found = identities(tracker, frames)
    assert found[8:11] == [{}] * 3
    assert found[-1] == {0: 1}


def test_bytetrack_confirms_at_the_second_detection_and_at_once_in_the_first_frame() -> None:
    tracker = create_tracker("bytetrack")
    late = [(1, box(500), 0.9)]
    frames: Frames = [[(0, box(100), 0.9)]] + [[(0, box(100), 0.9), *late]] * 3
    found = identities(tracker, frames)
    assert found[0] == {0: 1}
    assert found[1] == {0: 1}
    assert found[2] == {0: 1, 1: 2}
    # an alarm seen once is never a track
    tracker.reset()
    found = identities(tracker, [[], late, [], late, [], late, []])
    assert all(not seen for seen in found)


@pytest.mark.parametrize(("gap", "kept"), [(29, True), (32, False)])
def test_bytetrack_remembers_for_a_second(gap: int, kept: bool) -> None:
    frames: Frames = [[(0, box(100), 0.9)]] * 5 + [[]] * gap + [[(0, box(100), 0.9)]] * 3
    found = identities(create_tracker("bytetrack"), frames)
    assert (found[-1][0] == 1) is kept


def test_bytetrack_drops_the_younger_of_two_tracks_on_one_person() -> None:
    tracker = create_tracker("bytetrack")
    old = [(0, box(100), 0.9)]
    identities(tracker, [old] * 10)
    # the old track coasts onto a new one: both now claim the same box
    identities(tracker, [[(1, box(160), 0.9)]] * 3)
    table = tracker.table
    assert tracker.lost_ids.tolist() == [1] and tracker.active_ids.tolist() == [2]
    table.state[0, :2, table.id == 1] = table.state[0, :2, table.id == 2]
    table.state[0, 0, table.id == 1] += 1.0
    table.score[:] = 0.9
    identities(tracker, [[(1, box(161), 0.9)]])
    assert len(tracker.table) == 1


def test_ocsort_survives_a_turn_behind_an_obstacle_and_sort_does_not() -> None:
    """A runner disappears, stops and turns back unseen; prediction runs on, the last observation does not."""
    frames: Frames = []
    for step in range(60):
        if step < 20:
            frames.append([(0, box(100 + 9 * step), 0.9)])
        elif step < 32:
            frames.append([])
        else:
            frames.append([(0, box(285 - 9 * (step - 32)), 0.9)])
    patient_sort = identities(create_tracker("sort", lost_track_seconds=1.0), frames)
    ocsort = identities(create_tracker("ocsort"), frames)
    assert ocsort[19][0] == ocsort[-1][0] == 1
    assert patient_sort[-1][0] != patient_sort[19][0]


def test_ocsort_updates_again_along_the_virtual_path() -> None:
    """After a gap on a straight line the filter is where it would be, had all of it been observed."""
    motion = [box(100 + 6 * step, 200) for step in range(30)]
    whole, gapped = create_tracker("ocsort"), create_tracker("ocsort")
    for step, shape in enumerate(motion):
        whole.update(Detections([shape], [0.9]))
        gapped.update(Detections.empty() if 12 <= step < 20 else Detections([shape], [0.9]))
    np.testing.assert_allclose(gapped.table.state, whole.table.state, rtol=1e-9, atol=1e-7)
    irregular = create_tracker("ocsort")
    for step, shape in enumerate(motion):
        if not 12 <= step < 20 or step in (13, 17):
            detections = Detections.empty() if 12 <= step < 20 else Detections([shape], [0.9])
            irregular.update(detections, time=step / 30)
    np.testing.assert_allclose(irregular.table.state[:2], whole.table.state[:2], rtol=1e-2, atol=1e-1)


def test_ocsort_direction_settles_an_even_match() -> None:
    """Momentum: of two detections that overlap a track alike, the one on its way is its."""
    tracker = create_tracker("ocsort", inertia=1.0)
    for step in range(6):
        tracker.update(Detections([box(100 + 2 * step)], [0.9]))
    expected = 112.0
    tracks = tracker.update(Detections([box(expected - 12), box(expected + 12)], [0.9, 0.9]))
    row = tracks.detection_indices[tracks.ids == 1]
    assert row.tolist() == [1]


def test_ocsort_second_stage_is_bytetracks() -> None:
    frames = walkers(1, 30)
    for step in range(15, 22):
        frames[step] = [(0, frames[step][0][1], 0.3)]
    plain = identities(create_tracker("ocsort"), frames)
    with_stage = identities(create_tracker("ocsort", second_stage=True), frames)
    assert all(0 not in seen for seen in plain[15:22])
    assert all(seen.get(0) == 1 for seen in with_stage[15:22])


@pytest.mark.parametrize(
    ("name", "hidden"), [("botsort", False), ("deepsort", False), ("deepsort", True), ("motdt", True)]
)
def test_features_keep_identities_where_motion_alone_does_not(name: str, hidden: bool) -> None:
    seen = identities(create_tracker(name), turning_back(hidden), person_features(2))
    assert seen[20] == seen[-1] == {0: 1, 1: 2}
    blind = identities(create_tracker(name), turning_back(hidden))
    assert blind[20] == {0: 1, 1: 2}
    assert blind[-1] != blind[20]


@pytest.mark.parametrize("name", ["botsort", "deepsort", "motdt"])
def test_detections_that_were_not_embedded_match_by_motion_and_teach_nothing(name: str) -> None:
    features = person_features(1)
    tracker = create_tracker(name)
    frames = walkers(1, 30)
    for step, people in enumerate(frames):
        detections = frame(people, features)
        if step in (10, 11, 12):
            detections = detections.with_features(np.full((1, 32), np.nan))
        tracks = tracker.update(detections)
        if step > 4:
            assert tracks.ids.tolist() == [1]
        if step == 9:
            assert tracker.appearance is not None
            before = tracker.appearance.vectors.copy()
        if step == 12:
            assert tracker.appearance is not None
            np.testing.assert_array_equal(tracker.appearance.vectors, before)


def test_botsort_learns_only_from_confident_detections() -> None:
    features = person_features(2)
    tracker = create_tracker("botsort")
    tracker.update(Detections([box(100)], [0.9], features=features[:1]))
    tracker.update(Detections([box(100)], [0.3], features=features[1:]))
    assert tracker.active_ids.tolist() == [1]
    slot = tracker.table.slot[0]
    assert tracker.appearance is not None
    np.testing.assert_allclose(tracker.appearance.vectors[slot], features[0], atol=1e-6)


def test_botsort_follows_when_the_camera_is_jerked() -> None:
    rng = np.random.default_rng(0)
    # a textured wall, larger than the picture, and three people standing before it
    wall = np.kron(rng.integers(0, 255, (90, 120, 3)), np.ones((8, 8, 1))).astype(np.uint8)

    def scene(shift: int) -> tuple[Detections, np.ndarray]:
        boxes = [box(150 + 110 * i - shift, 200) for i in range(3)]
        return Detections(boxes, [0.9] * 3), np.ascontiguousarray(wall[100:500, 100 + shift : 740 + shift])

    ids = {}
    for compensates in (True, False):
        tracker = create_tracker("botsort", compensates_camera_motion=compensates)
        for shift in (0, 0, 0, 0, 38, 38):
            detections, image = scene(shift)
            tracks = tracker.update(detections, image=image)
        ids[compensates] = dict(zip(tracks.detection_indices.tolist(), tracks.ids.tolist(), strict=True))
    assert ids[True] == {0: 1, 1: 2, 2: 3}
    assert ids[False] != ids[True]


def test_deepsort_prefers_the_track_seen_last() -> None:
    """Cascade: a lost track's wide gate must not win it the detection that a fresh track explains well enough."""
    first, second = person_features(2)
    similar = 0.9 * first + np.sqrt(1 - 0.81, dtype=np.float32) * second
    tracker = create_tracker("deepsort")
    for _ in range(6):
        tracker.update(Detections([box(130), box(160)], [0.9, 0.8], features=[first, similar]))
    for _ in range(5):
        tracker.update(Detections([box(160)], [0.9], features=[similar]))
    # inside both gates, and exactly like the lost track
    tracks = tracker.update(Detections([box(150)], [0.9], features=[first]))
    assert tracks.ids.tolist() == [2]


def test_deepsort_confirms_at_the_third_detection() -> None:
    found = identities(create_tracker("deepsort"), walkers(1, 5))
    assert [0 in seen for seen in found] == [False, False, True, True, True]


def test_motdt_shows_a_track_from_its_second_hit() -> None:
    found = identities(create_tracker("motdt"), walkers(1, 4))
    assert [0 in seen for seen in found] == [False, True, True, True]


def no_person(image: object, boxes: np.ndarray) -> np.ndarray:
    """A classifier that sees a person only in boxes that the detector found (they are wider by a hair)."""
    return np.where(boxes[:, 2] - boxes[:, 0] > 40.4, 0.9, 0.35)


def test_motdt_reports_a_lost_track_for_four_frames_at_most() -> None:
    tracker = create_tracker("motdt", scorer=no_person)
    for _ in range(8):
        tracker.update(Detections([box(100, width=41)], [0.9]))
    assert tracker.active_ids.tolist() == [1]
    # the classifier turns the predicted box down at once
    tracker.scorer = lambda image, boxes: np.full(len(boxes), 0.38)
    shown = [len(tracker.update(Detections.empty())) for _ in range(10)]
    assert shown == [1] * 4 + [0] * 6
    tracker.reset()
    tracker.scorer = no_person
    for _ in range(8):
        tracker.update(Detections([box(100, width=41)], [0.9]))
    tracker.scorer = lambda image, boxes: np.full(len(boxes), 0.2)
    assert [len(tracker.update(Detections.empty())) for _ in range(3)] == [0, 0, 0]


def test_motdt_bridges_a_gap_with_predicted_boxes_as_their_score_decays() -> None:
    tracker = create_tracker("motdt")
    for step in range(8):
        tracker.update(Detections([box(100 + 3 * step)], [1.0]))
    scores = [max(0.0, 1 - np.log(1 + 0.05 * frames)) for frames in range(1, 40)]
    kept = sum(score >= 0.4 for score in scores)
    shown = []
    for _ in range(25):
        tracks = tracker.update(Detections.empty())
        assert (tracks.detection_indices == -1).all()
        shown.append(len(tracks))
    # 16 frames as a candidate of its own, then 4 as a lost track
    assert kept == 16
    assert shown == [1] * (kept + 4) + [0] * (25 - kept - 4)


def test_motdt_keeps_the_best_of_overlapping_detections() -> None:
    tracker = create_tracker("motdt")
    for _ in range(5):
        tracks = tracker.update(Detections([box(100), box(104), box(300)], [0.7, 0.95, 0.39]))
    assert tracks.detection_indices.tolist() == [1]


def test_motdt_new_tracks_need_a_high_score() -> None:
    tracker = create_tracker("motdt")
    for _ in range(5):
        tracks = tracker.update(Detections([box(100), box(300)], [0.55, 0.61]))
    assert tracks.detection_indices.tolist() == [1]


@pytest.mark.parametrize("name", ["multicam", "sort", "bytetrack", "ocsort", "botsort", "deepsort", "motdt"])
def test_classes_do_not_mix(name: str) -> None:
    tracker = create_tracker(name)
    for _ in range(6):
        tracks = tracker.update(Detections([box(100), box(300)], [0.9, 0.9], [0, 1]))
    old = dict(zip(tracks.classes.tolist(), tracks.ids.tolist(), strict=True))
    for _ in range(5):
        # the dog stands where the person stood
        tracks = tracker.update(Detections([box(100)], [0.9], [1]))
    assert old[0] not in tracks.ids[tracks.detection_indices >= 0].tolist()
    assert old[1] not in tracks.ids[tracks.detection_indices >= 0].tolist()
