"""A camera and its clock from people's own tracks, against the camera that made the boxes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.tracker.geometry.walks import LATTICE, SIZE, Walks, corner_camera, floor_error, walks
from tracker.errors import InputError
from tracker.geometry.aligned_homography import aligned_homography
from tracker.geometry.alignment import Alignment, align_camera, align_clock
from tracker.geometry.alignment_checks import checked_agreement, checked_offsets
from tracker.geometry.alignment_refinement import AlignedView, Deviations, improved
from tracker.geometry.box_explanation import LOOK_SECONDS, explain, side_errors
from tracker.geometry.camera import Camera
from tracker.geometry.people_tracks import BoxTracks, FloorPaths
from tracker.geometry.view_guesses import Lens, view_guesses


@pytest.fixture(scope="module")
def hall() -> Walks:
    return walks()


@pytest.fixture(scope="module")
def aligned(hall: Walks) -> Alignment:
    return align_camera(hall.paths, hall.tracks, name="new", offset_range=1.0)


def boxes_at(times: list[float], boxes: list[tuple[float, float, float, float]], ids: list[int]) -> BoxTracks:
    return BoxTracks(np.array(times, float), np.array(ids), np.array(boxes, float), *SIZE)


def test_a_camera_is_found_from_tracks_alone(hall: Walks, aligned: Alignment) -> None:
    camera = aligned.camera
    assert isinstance(camera, Camera) and camera.name == "new"
    assert np.linalg.norm(camera.position - hall.truth.position) < 0.10
    assert floor_error(camera, hall.truth) < 0.06
    assert camera.intrinsics[0, 0] == pytest.approx(420, rel=0.03)
    assert np.degrees(np.arccos(camera.rotation[2] @ hall.truth.rotation[2])) < 0.5
    assert aligned.offset == pytest.approx(hall.offset, abs=0.025), "a fifth of a frame"
    assert aligned.deviations.offset < 0.02 and aligned.deviations.position.max() < 0.1


def test_who_is_who_is_found(hall: Walks, aligned: Alignment) -> None:
    right = [aligned.people.get(track) == person for track, person in hall.people.items()]
    assert np.mean(right) >= 0.9
    assert aligned.people_matched == 4, "who stands still, too"
    assert aligned.explained >= 0.75 * (aligned.looks - 40) and aligned.score > 0.7
    record = aligned.record()
    assert record["offset_seconds"] == aligned.offset and record["rms_floor_metres"] < 0.3
    assert 1 < record["feet_rms_pixels"] < 10


def test_a_known_camera_s_clock_is_found(hall: Walks) -> None:
    result = align_clock(hall.paths, hall.tracks, hall.truth, offset_range=1.0)
    assert result.offset == pytest.approx(hall.offset, abs=0.025)
    assert result.camera is hall.truth and result.people_matched == 4


def test_given_intrinsics_hold(hall: Walks) -> None:
    truth = corner_camera(distortion=-0.15)
    bent = walks(3, seconds=12, camera=truth)
    lens = Lens(*SIZE, truth)
    start = AlignedView(1.0, truth.rotation, truth.position + 0.15, bent.offset + 0.2, np.full(4, 1.7))
    view, pairs, deviations = improved(
        start, lens, bent.paths, bent.tracks.looks(LOOK_SECONDS), tolerances=(2.0, 1.0, 1.0)
    )  # fmt: skip
    camera = view.camera(lens)
    assert isinstance(camera, Camera) and deviations is not None and deviations.focal == 0
    np.testing.assert_array_equal(camera.distortion, truth.distortion)
    assert np.linalg.norm(camera.position - truth.position) < 0.12 and pairs.score > 0.7
    assert view.offset == pytest.approx(bent.offset, abs=0.04)


def test_a_homography_needs_no_central_principal_point() -> None:
    plain = corner_camera()
    shifted = Camera(
        "new", *SIZE, plain.intrinsics + np.array([[0, 0, 60], [0, 0, -40], [0, 0, 0]]), np.zeros(5), plain.rotation,
        plain.translation,
    )  # fmt: skip
    generator = np.random.default_rng(2)
    places = generator.uniform((1.5, 1.2), (7, 5.2), (400, 2))
    boxes = shifted.person_box(places[:, 0], places[:, 1], 1.7) + generator.normal(0, 2, (400, 4))
    boxes[:40, 3] -= 80
    whole = np.flatnonzero(shifted.visible_share(boxes) == 1)
    tracks = BoxTracks(np.arange(400.0), np.arange(400), boxes, *SIZE).subset(whole)
    found = aligned_homography(plain, tracks, places[whole])
    lattice = np.column_stack([LATTICE, np.zeros(len(LATTICE))])
    seen = shifted.visible(lattice)
    off = found.to_floor(shifted.project(lattice[seen])[0], maximum_distance=np.inf) - LATTICE[seen]
    assert np.hypot(*off.T).mean() < 0.05 < floor_error(plain, shifted), "the pose with a central one is wrong"
    with pytest.raises(InputError, match="too few for a homography"):
        aligned_homography(plain, tracks.subset(np.arange(5)), places[whole][:5])


def test_boxes_alone_say_how_a_camera_looks_down() -> None:
    truth = corner_camera()
    places = np.random.default_rng(5).uniform((2, 1.5), (7, 5), (60, 2))
    boxes = truth.person_box(places[:, 0], places[:, 1], 1.7)
    tracks = BoxTracks(np.arange(60.0), np.arange(60), boxes, *SIZE)
    whole = np.flatnonzero(~tracks.sides_cut.any(axis=1))
    guess = min(view_guesses(tracks.subset(whole), Lens(*SIZE)), key=lambda guess: abs(guess.focal - 420))
    assert np.degrees(guess.pitch) == pytest.approx(-np.degrees(np.arcsin(truth.rotation[2, 2])), abs=2.6)
    assert guess.height == pytest.approx(2.6, rel=0.1)
    local = guess.local(Lens(*SIZE).plane(np.column_stack([boxes[:, [0, 2]].mean(axis=1), boxes[:, 3]])))[whole]
    distance = np.hypot(*(places[whole] - truth.position[:2]).T)
    np.testing.assert_allclose(np.abs(local), distance, rtol=0.15)


def test_paths_end_where_they_end_and_are_smooth() -> None:
    times = np.array([0, 1, 2, 5, 6], float)
    paths = FloorPaths(times, np.ones(5, int), np.column_stack([2 * times, 7 - times]))
    found = paths.at([-0.1, 0.0, 0.5, 1.9, 3.0, 5.5, 6.1])[:, 0]
    assert np.isnan(found[[0, 4, 6]]).all(), "before, in a gap, and after"
    np.testing.assert_allclose(found[[1, 2, 3, 5]], [(0, 7), (1, 6.5), (3.8, 5.1), (11, 1.5)], atol=1e-9)
    generator = np.random.default_rng(0)
    still = FloorPaths(np.arange(0, 60, 0.1), np.ones(600, int), generator.normal(0, 0.1, (600, 2)))
    on, between = (still.at(np.arange(1, 59, 0.1) + shift)[:, 0].std() for shift in (0, 0.05))
    assert on < 0.06 and on == pytest.approx(between, rel=0.1), "no time is favoured"
    with pytest.raises(InputError, match="not finite"):
        FloorPaths([0.0], [1], [(np.nan, 1.0)])


def test_looks_are_means_and_remember_what_was_cut() -> None:
    tracks = boxes_at(
        [0.0, 0.2, 0.5, 0.1], [(10, 20, 50, 200), (14, 24, 54, 480), (1, 20, 50, 200), (300, 20, 350, 90)], [1, 1, 1, 2]
    )
    looks = tracks.looks(0.4)
    assert list(looks.ids) == [1, 2, 1] and looks.times == pytest.approx([0.1, 0.1, 0.5])
    np.testing.assert_allclose(looks.boxes[0], (12, 22, 52, 340))
    assert looks.sides_cut.tolist() == [[False, False, False, True], [False] * 4, [True, False, False, False]]


def test_a_side_at_the_border_only_says_that_there_is_more() -> None:
    look = boxes_at([0.0], [(100, 80, 160, 480)], [1])
    longer, shorter = (side_errors(look, np.array([(100.0, 80, 160, bottom)])) for bottom in (600, 400))
    np.testing.assert_array_equal(longer, np.zeros((1, 3)))
    assert shorter[0, 2] < -2 and shorter[0, :2].tolist() == [0, 0]
    low = side_errors(boxes_at([0.0], [(100, 80, 160, 280)], [1]), np.array([(110.0, 80, 170, 280)]))
    assert low[0, 0] == pytest.approx(10 / (0.06 * 200 + 1.5))


def test_one_box_is_one_person_s() -> None:
    camera = corner_camera()
    paths = FloorPaths([0, 1, 0, 1], [1, 1, 2, 2], [(4, 3), (4, 3), (4.1, 3), (4.1, 3)])
    box = tuple(camera.person_box(4.0, 3.0, 1.7)[0])
    one = explain(camera, paths, boxes_at([0.5], [box], [7]), 0.0, np.full(2, 1.7))
    assert one.looks.tolist() == [0] and one.people.tolist() == [0]
    assert one.score == pytest.approx(2 / 3), "one pair of a look and two expected people"
    both = explain(camera, paths, boxes_at([0.5, 0.5], [box, box], [7, 8]), 0.0, np.full(2, 1.7))
    assert sorted(both.people.tolist()) == [0, 1]
    elsewhere = explain(camera, paths, boxes_at([0.5], [(5, 300, 60, 450)], [7]), 0.0, np.full(2, 1.7))
    assert not len(elsewhere.looks) and elsewhere.score == 0
    assert not len(explain(camera, paths, boxes_at([0.5], [box], [7]), 9.0, np.full(2, 1.7)).looks), "nobody then"


def test_other_people_s_tracks_are_refused(hall: Walks) -> None:
    stranger = walks(8)
    with pytest.raises(InputError, match=r"cannot be aligned: .*; give point pairs with multicam calibrate$"):
        align_camera(hall.paths, stranger.tracks, offset_range=0.4)


def test_what_cannot_be_aligned_is_said(hall: Walks) -> None:
    def refused(paths: FloorPaths, tracks: BoxTracks, fragment: str, offset_range: float = 1.0) -> None:
        with pytest.raises(InputError, match=f"camera hall.*{fragment}"):
            align_camera(paths, tracks, name="hall", offset_range=offset_range)

    times, ids, places = hall.rows[:, 0], hall.rows[:, 1].astype(int), hall.rows[:, 2:]
    refused(FloorPaths(times + 500, ids, places), hall.tracks, "share no time within 1 seconds; check the frame rates")
    refused(FloorPaths([], [], np.zeros((0, 2))), hall.tracks, "nobody is followed on the floor")
    refused(hall.paths, hall.tracks.subset(np.zeros(len(hall.tracks), bool)), "nobody is followed in it")
    still = ids == 11
    refused(FloorPaths(times[still], ids[still], places[still]), hall.tracks, "people on the floor stay within")
    refused(FloorPaths(times, ids, places * (1, 0.01)), hall.tracks, "all people on the floor are on one line")
    cut = dataclasses.replace(hall.tracks, cut=np.ones((len(hall.tracks), 4), bool))
    refused(hall.paths, cut, "too few boxes of whole people")
    with pytest.raises(InputError, match="unknown model 'plane': Known: homography, pose"):
        align_camera(hall.paths, hall.tracks, model="plane")
    with pytest.raises(InputError, match="a homography uses no intrinsics"):
        align_camera(hall.paths, hall.tracks, model="homography", intrinsics=hall.truth)
    with pytest.raises(InputError, match="clocks that differ by up to -1 seconds"):
        align_camera(hall.paths, hall.tracks, offset_range=-1)
    np.testing.assert_allclose(checked_offsets(0.5, 0.2), [-0.6, -0.4, -0.2, 0, 0.2, 0.4, 0.6], atol=1e-12)


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        ({"score": 0.2}, "no place and clock explains enough"),
        ({"explained": 10}, "the best 10 of "),
        ({"runner_up": 0.99}, "two answers explain its boxes about equally well"),
        (
            {"deviations": Deviations(np.zeros(3), 0.0, 0.6)},
            "people move too little to tell its clock to better than 0.60",
        ),
        ({"deviations": Deviations(np.array([0, 1.5, 0]), 0.0, 0.0)}, "its place is uncertain by 1.5 m"),
    ],
    ids=["score", "few", "two", "clock", "place"],
)
def test_an_uncertain_answer_is_none(aligned: Alignment, change: dict[str, object], fragment: str) -> None:
    assert checked_agreement(aligned, "new", "do this") is aligned
    with pytest.raises(InputError, match=f"{fragment}.*; do this$"):
        checked_agreement(dataclasses.replace(aligned, **change), "new", "do this")  # type: ignore[arg-type]
