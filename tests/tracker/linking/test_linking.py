from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.metrics import iou_matrix
from tests.tracker.linking.scenes import RATE, SIZE, shaken, tracks_of, walk
from tracker.errors import InputError
from tracker.linking import LinkingSettings, link_tracks
from tracker.linking.linking import link_with_evidence
from tracker.storage.mot_files import MotDetections, MotTracks

PLAIN = LinkingSettings(extend_seconds=0)


def _ids_at(tracks: MotTracks, frame: int) -> dict[int, np.ndarray]:
    rows = tracks.frames == frame
    return dict(zip(tracks.ids[rows].tolist(), tracks.boxes[rows], strict=True))


def _bridged(gap: int) -> MotTracks:
    before, after = np.arange(1, 41), np.arange(41 + gap, 81 + gap)
    return tracks_of(
        (1, before, shaken(walk(before, (200, 600), (4, 0)), 1.0, 0)),
        (2, after, shaken(walk(after, (200, 600), (4, 0)), 1.0, 1)),
    )


def test_somebody_hidden_for_a_second_keeps_the_number_and_has_boxes_in_between() -> None:
    linked = link_tracks(_bridged(25), RATE, SIZE, PLAIN)
    assert set(linked.ids) == {1}
    assert linked.frames.tolist() == list(range(1, 106))
    hidden = np.arange(41, 66)
    made = linked.boxes[(linked.frames > 40) & (linked.frames < 66)]
    overlap = np.diag(iou_matrix(made, walk(hidden, (200, 600), (4, 0))))
    assert overlap.min() > 0.75
    assert (linked.scores[(linked.frames > 40) & (linked.frames < 66)] == 0).all()


def test_a_gap_that_is_too_long_stays() -> None:
    assert set(link_tracks(_bridged(100), RATE, SIZE, PLAIN).ids) == {1, 2}
    filled = link_tracks(_bridged(40), RATE, SIZE, PLAIN.model_copy(update={"fill_seconds": 1.0}))
    assert set(filled.ids) == {1}
    assert not ((filled.frames > 40) & (filled.frames < 81)).any()


def test_who_begins_elsewhere_is_somebody_else() -> None:
    before, after = np.arange(1, 41), np.arange(60, 100)
    tracks = tracks_of((1, before, walk(before, (200, 600), (4, 0))), (2, after, walk(after, (1500, 400), (-4, 0))))
    assert set(link_tracks(tracks, RATE, None, PLAIN).ids) == {1, 2}


def test_two_people_who_cross_are_not_swapped() -> None:
    # both are lost where they meet, and found again on the other side
    before, after = np.arange(1, 41), np.arange(56, 96)
    right, left = ((300.0, 600.0), (5.0, 0.0)), ((780.0, 604.0), (-5.0, 0.0))
    tracks = tracks_of(
        (1, before, shaken(walk(before, *right), 1.5, 0)),
        (2, before, shaken(walk(before, *left), 1.5, 1)),
        (3, after, shaken(walk(after, *left), 1.5, 2)),
        (4, after, shaken(walk(after, *right), 1.5, 3)),
    )
    linked = link_tracks(tracks, RATE, SIZE, PLAIN)
    assert set(linked.ids) == {1, 2}
    first, last = _ids_at(linked, 5), _ids_at(linked, 90)
    for number in (1, 2):
        way = last[number][0] - first[number][0]
        assert way * (1 if first[number][0] < 500 else -1) > 400


def test_a_short_track_and_one_that_nothing_speaks_for_are_left_out() -> None:
    frames, short = np.arange(1, 60), np.arange(10, 14)
    tracks = tracks_of((1, frames, walk(frames, (200, 600), (4, 0))), (2, short, walk(short, (900, 300), (0, 0))))
    assert set(link_tracks(tracks, RATE, SIZE).ids) == {1}
    weak = np.where(tracks.ids == 1, 0.3, 0.95)
    doubted = MotTracks.from_arrays(tracks.frames, tracks.ids, tracks.boxes, weak)
    assert len(link_tracks(doubted, RATE, SIZE)) == 0


def test_features_decide_where_motion_cannot() -> None:
    before, after = np.arange(1, 31), np.arange(50, 80)
    boxes = walk(after, (400, 600), (0, 0))
    tracks = tracks_of(
        (1, before, walk(before, (400, 600), (0, 0))),
        (2, after, boxes + np.array([6, 0, 6, 0])),
        (3, after, boxes - np.array([6, 0, 6, 0])),
    )
    for same in (2, 3):
        looks = np.where((tracks.ids == 1) | (tracks.ids == same), 1.0, 0.0)
        features = np.stack([looks, 1 - looks], axis=1)
        linked = link_tracks(tracks, RATE, SIZE, PLAIN, features)
        _, late = _ids_at(linked, 5), _ids_at(linked, 70)
        assert late[1][0] == pytest.approx(400 - 30 + (6 if same == 2 else -6), abs=3)


def test_a_free_detection_corrects_a_box_that_is_filled_in() -> None:
    tracks = _bridged(10)
    frame = 45
    expected = walk(np.array([frame]), (200, 600), (4, 0)) + np.array([10, 0, 10, 0])
    detections = MotDetections(
        np.array([frame]), expected.astype(np.float32), np.array([0.4], np.float32), np.array([0])
    )
    plain = _ids_at(link_tracks(tracks, RATE, SIZE, PLAIN), frame)[1]
    linked = link_tracks(tracks, RATE, SIZE, PLAIN, detections=detections)
    assert linked.scores[linked.frames == frame] == pytest.approx([0.4])
    assert _ids_at(linked, frame)[1][0] > plain[0] + 2


def test_tracks_are_continued_but_not_over_others_nor_out_of_the_picture() -> None:
    frames = np.arange(20, 60)
    alone = tracks_of((1, frames, walk(frames, (600, 600), (4, 0))))
    linked = link_tracks(alone, RATE, SIZE, LinkingSettings(extend_seconds=0.2))
    assert linked.frames.tolist() == list(range(15, 60))  # nobody knows of frames after the last one
    leaving = tracks_of((1, np.arange(1, 41), walk(np.arange(1, 41), (1120, 600), (4, 0))),
                        (2, np.arange(1, 60), walk(np.arange(1, 60), (100, 600), (4, 0))))  # fmt: skip
    kept = link_tracks(leaving, RATE, SIZE, LinkingSettings(extend_seconds=0.4))
    assert kept.frames[kept.ids == 1].max() < 43
    assert (kept.boxes[kept.ids == 1, [0]] + 30 < SIZE[0]).all()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_no_number_is_twice_in_a_frame_and_nothing_reported_is_lost_in_time(seed: int) -> None:
    generator = np.random.default_rng(seed)
    parts = []
    for number in range(1, 9):
        begin = int(generator.integers(1, 60))
        frames = np.arange(begin, begin + int(generator.integers(10, 40)))
        frames = frames[generator.random(len(frames)) < 0.8]
        start = (float(generator.uniform(300, 500)), float(generator.uniform(500, 600)))
        parts.append((number, frames, walk(frames, start, (float(generator.normal(0, 2)), 0.0))))
    tracks = tracks_of(*(part for part in parts if len(part[1]) > 8))
    linked = link_tracks(tracks, RATE, SIZE)
    keys = np.stack([linked.frames, linked.ids])
    assert len(np.unique(keys, axis=1).T) == len(linked)
    assert np.isfinite(linked.boxes).all()
    assert (linked.boxes[:, 2:] > linked.boxes[:, :2]).all()
    for frame in np.unique(tracks.frames).tolist():
        assert (linked.frames == frame).sum() >= (tracks.frames == frame).sum()


def test_places_sizes_and_numbers_do_not_matter() -> None:
    tracks = _bridged(20)
    linked = link_tracks(tracks, RATE, None)
    moved = MotTracks.from_arrays(tracks.frames, tracks.ids, 2 * tracks.boxes + 300, tracks.scores)
    again = link_tracks(moved, RATE, None)
    np.testing.assert_allclose(again.boxes, 2 * linked.boxes + 300, atol=0.1)
    renamed = MotTracks.from_arrays(tracks.frames, 50 - tracks.ids, tracks.boxes, tracks.scores)
    np.testing.assert_allclose(link_tracks(renamed, RATE, None).boxes, linked.boxes, atol=1e-6)


def test_nothing_gives_nothing() -> None:
    assert len(link_tracks(MotTracks.from_arrays([], [], []), RATE, SIZE)) == 0


def test_bad_input_is_named() -> None:
    frames = np.arange(1, 20)
    tracks = tracks_of((1, frames, walk(frames, (200, 600), (4, 0))))
    with pytest.raises(InputError, match="frame rate 0"):
        link_tracks(tracks, 0, SIZE)
    with pytest.raises(InputError, match="image size 0x720"):
        link_tracks(tracks, RATE, (0, 720))
    with pytest.raises(InputError, match="3 features for 19 boxes"):
        link_tracks(tracks, RATE, SIZE, features=np.zeros((3, 4)))
    twice = tracks_of((1, frames, tracks.boxes), (1, frames[:1], tracks.boxes[:1]))
    with pytest.raises(InputError, match="id 1 appears twice in frame 1"):
        link_tracks(twice, RATE, SIZE)
    flat = MotTracks.from_arrays(frames, tracks.ids, tracks.boxes[:, [0, 1, 0, 3]], tracks.scores)
    with pytest.raises(InputError, match="track 1 has a box without width"):
        link_tracks(flat, RATE, SIZE)


def test_doubtful_boxes_decide_nothing_and_fill_only_what_is_empty() -> None:
    tracks = _bridged(25)
    odds = np.full(len(tracks), 2.0)
    # of the second: inside the gap, and (elsewhere) where it has a box; of the first: after its end, at the same time
    frames = np.array([60, 65, 70, 62, 65])
    boxes = np.concatenate([walk(frames[:2], (200, 600), (4, 0)), walk(frames[2:3], (900, 300), (0, 0)),
                            walk(frames[3:], (200, 600), (4, 0)) + 1.0])  # fmt: skip
    doubtful = MotTracks.from_arrays(frames, [2, 2, 2, 1, 1], boxes, [0.4, 0.4, 0.4, 0.3, 0.3])
    plain = PLAIN.model_copy(update={"smooth_noise": 1e6})
    linked = link_with_evidence(tracks, odds, RATE, SIZE, plain, doubtful=doubtful)
    assert set(linked.ids) == {1} and linked.frames.tolist() == list(range(1, 106))
    scores = dict(zip(linked.frames.tolist(), linked.scores.tolist(), strict=True))
    assert [round(scores[frame], 2) for frame in (59, 60, 62, 65)] == [0, 0.4, 0.3, 0.4]
    before = tracks.boxes[tracks.frames == 70][0]
    np.testing.assert_allclose(linked.boxes[linked.frames == 70][0], before, atol=1e-3)
    # alone it makes no track
    far = MotTracks.from_arrays([60], [2], walk(np.array([60]), (900, 300), (0, 0)), [0.9])
    ignored = link_with_evidence(tracks, odds, RATE, SIZE, plain.model_copy(update={"doubtful_boxes": False}),
                                 doubtful=far)  # fmt: skip
    assert (ignored.scores[(ignored.frames > 40) & (ignored.frames < 66)] == 0).all()
