"""The floor from above: what part of it is shown, and who is where in the picture."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from apps.floor_area import FloorArea, floor_area, viewing_direction
from apps.floor_picture import draw_floor_picture
from apps.floor_plan import NOBODY, FloorPlan, PeopleOnFloor
from apps.floor_view import FloorView
from apps.rendering import Renderer
from tests.tracker.floor.room import corner_cameras
from tests.tracker.geometry.worlds import make_camera
from tracker.geometry.homography import HomographyCamera
from tracker.storage.floor_results import FLOOR_OBSERVATION
from tracker.video.drawing import identity_color
from tracker.video.frames import Frame
from tracker.video.mosaic import mosaic, mosaic_size, tile_size

CAMERAS = list(corner_cameras().values())
SIZES = [(640, 480), (320, 240), (400, 640)]


def standing(*places: tuple[float, float], identities: list[int], seen: bool = True) -> PeopleOnFloor:
    return PeopleOnFloor(np.array(places), np.array(identities), np.full(len(places), seen))


def pixel(image: np.ndarray, place: np.ndarray) -> tuple[int, ...]:
    """Return the colour of the pixel that covers a place (2,) in pixels."""
    column, row = np.floor(place).astype(int)
    return tuple(image[row, column].tolist())


def mirrored_cameras() -> list[HomographyCamera]:
    """Return the corner cameras as a plan knows them whose y runs down: −y in ours."""
    flip = np.diag([1.0, -1.0, 1.0])
    found = []
    for camera in CAMERAS:
        matrix = camera.intrinsics @ np.column_stack([camera.rotation[:, :2], camera.translation])
        found.append(HomographyCamera(camera.name, camera.width, camera.height, matrix @ flip))
    return found


def test_the_room_between_four_cameras_is_shown_and_not_what_lies_behind_it() -> None:
    area = floor_area(CAMERAS)
    assert (area.low > -1.5).all() and (area.low < 0).all()
    assert (area.high < [7.5, 6.5]).all() and (area.high > [6, 5]).all()
    assert not area.mirrored


def test_the_area_grows_to_where_people_were_and_does_not_shrink_to_it() -> None:
    usual = floor_area(CAMERAS)
    inside = floor_area(CAMERAS, (np.array([2.0, 2.0]), np.array([3.0, 3.0])))
    np.testing.assert_array_equal([inside.low, inside.high], [usual.low, usual.high])
    beyond = floor_area(CAMERAS, (np.array([2.0, -4.0]), np.array([9.0, 3.0])))
    assert beyond.low[0] == usual.low[0] and beyond.high[1] == usual.high[1]
    assert -5 < beyond.low[1] < -4 and 9 < beyond.high[0] < 10


def test_a_camera_far_away_does_not_shrink_the_floor_it_looks_at() -> None:
    far = make_camera("tower", (0.0, -60.0, 25.0), (0.0, 0.0, 0.0))
    far = dataclasses.replace(far, intrinsics=np.array([[9000.0, 0, 640], [0, 9000, 360], [0, 0, 1]]))
    area = floor_area([far], (np.array([-2.0, -2.0]), np.array([2.0, 2.0])))
    assert area.low[1] > -30 and area.high[1] < 30


@pytest.mark.parametrize("size", SIZES)
def test_metres_and_pixels_go_both_ways_and_the_area_fits(size: tuple[int, int]) -> None:
    area = FloorArea(np.array([-1.0, -2.0]), np.array([7.0, 6.0]))
    view = FloorView(area, size, (0.02, 0.1, 0.0, 0.04))
    corners = view.to_pixels([area.low, area.high])
    np.testing.assert_allclose(view.to_floor(corners), [area.low, area.high])
    assert (corners >= 0).all() and (corners <= size).all()
    assert corners[:, 1].min() >= 0.1 * size[1] - 1e-9
    east, north = view.to_pixels([(1, 0), (0, 1)]) - view.to_pixels([(0, 0)])
    np.testing.assert_allclose([east, north], [(view.scale, 0), (0, -view.scale)], atol=1e-9)


def test_a_floor_whose_y_runs_down_is_not_shown_as_in_a_mirror() -> None:
    mirrored = mirrored_cameras()
    area = floor_area(mirrored)
    assert area.mirrored
    usual, turned = FloorPlan(CAMERAS, floor_area(CAMERAS)), FloorPlan(mirrored, area)
    where = usual.view((640, 480)).to_pixels([(1.0, 4.0)])
    np.testing.assert_allclose(turned.view((640, 480)).to_pixels([(1.0, -4.0)]), where, atol=12)


def test_cameras_look_into_the_room() -> None:
    for camera in CAMERAS:
        towards = np.array([3.0, 2.5]) - camera.position[:2]
        direction = viewing_direction(camera)
        assert direction is not None
        np.testing.assert_allclose(direction, towards / np.hypot(*towards), atol=0.01)
        left, right = viewing_direction(camera, 0.0), viewing_direction(camera, 1.0)
        assert left is not None and right is not None
        assert left[0] * direction[1] - left[1] * direction[0] < 0 < right[0] * direction[1] - right[1] * direction[0]


def test_a_camera_straight_above_has_no_direction_and_is_drawn() -> None:
    # A level grid as seen from 5 m above (3, 2): x to the right, y up.
    ground = np.array([[100.0, 0, 20], [0, -100, 440], [0, 0, 1]])
    above = HomographyCamera("above", 640, 480, ground, np.array([[125.0, 0, -55], [0, -125, 490], [0, 0, 1]]), 1.0)
    assert viewing_direction(above) is None
    area = floor_area([above])
    assert not area.mirrored
    plan = FloorPlan([above], area)
    picture = plan.draw((320, 240), 0.0, NOBODY)
    assert min(pixel(picture, plan.view((320, 240)).to_pixels(above.position[:2])[0])) > 150


@pytest.mark.parametrize("size", SIZES)
def test_dots_are_where_people_are_in_the_colour_of_their_boxes(size: tuple[int, int]) -> None:
    plan = FloorPlan(CAMERAS, floor_area(CAMERAS))
    places = [(1.5, 1.0), (4.5, 4.0), (3.0, 2.0)]
    picture = plan.draw(size, 0.0, standing(*places, identities=[1, 2, 0]))
    assert picture.shape == (size[1], size[0], 3)
    for place, identity in zip(plan.view(size).to_pixels(places), (1, 2, 0)):
        for shift in ((0, 0), (-2, 0), (2, 0), (0, -2), (0, 2)):
            assert pixel(picture, place + shift) == identity_color(identity)
    empty = FloorPlan(CAMERAS, floor_area(CAMERAS)).draw(size, 0.0, NOBODY)
    changed = (picture != empty).any(axis=2)
    # Three dots and two tags: who has no identity has none.
    assert 0 < changed.mean() < 0.05
    for identity in (1, 2):
        assert (picture == identity_color(identity)).all(axis=2).sum() > 2 * (picture == identity_color(0)).all(
            axis=2
        ).sum()


def test_who_is_only_expected_there_is_a_ring() -> None:
    plan = FloorPlan(CAMERAS, floor_area(CAMERAS))
    picture = plan.draw((640, 480), 0.0, standing((3.0, 2.0), identities=[4], seen=False))
    middle = plan.view((640, 480)).to_pixels([(3.0, 2.0)])[0]
    assert pixel(picture, middle) != identity_color(4)
    assert pixel(picture, middle + np.array([4, 0])) == identity_color(4)


def test_trails_show_the_last_seconds_and_fade() -> None:
    plan = FloorPlan(CAMERAS, floor_area(CAMERAS))
    empty = plan.draw((640, 480), 0.0, NOBODY).astype(int)
    for step in range(61):
        picture = plan.draw((640, 480), 0.1 * step, standing((0.08 * step + 0.6, 2.25), identities=[1]))
    places = plan.view((640, 480)).to_pixels([(0.08 * step + 0.6, 2.25) for step in (10, 35, 50)])
    strength = [np.abs(pixel(picture.astype(int), place) - np.array(pixel(empty, place))).sum() for place in places]
    assert strength[0] == 0 < strength[1] < strength[2]


def test_nobody_outside_of_the_plan_has_a_tag_in_it() -> None:
    plan = FloorPlan(CAMERAS, floor_area(CAMERAS))
    empty = plan.draw((640, 480), 0.0, NOBODY)
    assert np.array_equal(plan.draw((640, 480), 0.1, standing((300.0, 2.0), identities=[1])), empty)


def test_the_plan_is_the_last_tile_of_the_mosaic_as_sharp_as_it_is_drawn() -> None:
    plan, names = FloorPlan(CAMERAS, floor_area(CAMERAS)), [camera.name for camera in CAMERAS]
    people = standing((1.5, 1.0), identities=[3])
    renderer = Renderer(names, [15.0] * 4, [], None, keep_mosaic=True, floor_plan=plan)
    for name in names:
        image = np.full((480, 640, 3), 90, np.uint8)
        renderer.draw(Frame(name, 0, 0.0, image), np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    renderer.draw_floor(people)
    renderer.finish_instant(0.0)
    images = [np.full((480, 640, 3), 90, np.uint8)] * 4
    size = mosaic_size([*images, None], (1920, 1080))
    tile = tile_size([*images, None], size)
    assert tile == pytest.approx((640, 480), abs=8), "views stay as large as without the plan"
    drawn = FloorPlan(CAMERAS, floor_area(CAMERAS)).draw(tile, 0.0, people)
    assert renderer.picture is not None
    np.testing.assert_array_equal(renderer.picture, mosaic([*images, drawn], [*names, "floor"], time=0.0, size=size))
    # At the next instant nobody was said to be there; only the trail is left.
    renderer.finish_instant(0.1)
    assert (renderer.picture == identity_color(3)).all(axis=2).sum() == 0


def test_the_picture_of_a_run_has_everybodys_way_from_ring_to_dot() -> None:
    area = floor_area(CAMERAS)
    records = np.zeros(90, FLOOR_OBSERVATION)
    records["time"], records["track"] = np.repeat(np.arange(45), 2) / 15, np.tile([5, 6], 45)
    along = np.linspace(0.5, 5.5, 45)
    records["place"][::2], records["place"][1::2] = np.column_stack([along, 0 * along + 1]), (3.3, 4.3)
    records["place"][1::2, 1] += along / 10
    # Track 5 is away for a second, and nobody knows where.
    records = records[~((records["track"] == 5) & (np.abs(records["time"] - 1.5) < 0.6))]
    identities = np.where(records["track"] == 5, 8, 0)
    whole = draw_floor_picture(CAMERAS, area, [(records, identities)])
    parts = [(records[first : first + 7], identities[first : first + 7]) for first in range(0, len(records), 7)]
    differing = (draw_floor_picture(CAMERAS, area, parts) != whole).any(axis=2)
    assert differing.mean() < 1e-4, "in how many parts it is read changes no line"
    view = FloorView(area, *_view_of(whole, area))
    start, there, gap, end, nobody = view.to_pixels([(0.5, 1.0), (1.5, 1.0), (3.0, 1.0), (5.5, 1.0), (3.3, 4.6)])
    assert pixel(whole, start) != identity_color(8) and pixel(whole, end) == identity_color(8)
    assert pixel(whole, there) == identity_color(8) and min(pixel(whole, nobody)) > 90
    assert pixel(whole, gap) != identity_color(8)
    legend = whole[:, view.width :]
    assert (legend == identity_color(8)).all(axis=2).any()


@pytest.mark.parametrize("extent", [(100.0, 3.0), (3.0, 100.0), (1000.0, 1000.0)])
def test_any_shape_of_floor_is_a_picture_that_can_be_looked_at(extent: tuple[float, float]) -> None:
    area = FloorArea(np.zeros(2), np.array(extent))
    height, width = draw_floor_picture([], area, []).shape[:2]
    assert 640 <= height <= 1500 and 640 <= width <= 2000


def _view_of(picture: np.ndarray, area: FloorArea) -> tuple[tuple[int, int], tuple[float, float, float, float]]:
    from apps import floor_picture

    width, height = floor_picture._picture_size(area)
    assert picture.shape[0] == height and picture.shape[1] > width
    return (width, height), floor_picture._MARGINS


@pytest.mark.parametrize("count", [0, 200])
def test_nobody_and_very_many_fit_into_the_legend(count: int) -> None:
    records = np.zeros(count, FLOOR_OBSERVATION)
    records["track"], records["place"] = np.arange(count), (3.0, 2.0)
    picture = draw_floor_picture(CAMERAS, floor_area(CAMERAS), [(records, np.arange(1, count + 1))])
    width = _view_of(picture, floor_area(CAMERAS))[0][0]
    assert picture.shape[1] - width < 0.5 * width
    legend = picture[:, width:]
    assert (legend[-3:] == legend[-1, -1]).all(), "nothing is cut off below"
