"""Rendered frames and their truth."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.simulation.background import SAMPLES
from benchmarks.simulation.cameras import Camera
from benchmarks.simulation.gait import Stance
from benchmarks.simulation.people import Person
from benchmarks.simulation.render import CameraRenderer
from benchmarks.simulation.room import Room
from benchmarks.simulation.scene import make_scene
from benchmarks.simulation.wardrobe import Wardrobe

_CAMERA = Camera("test", (0.15, 0.15, 2.4), (3.2, 2.7, 0.8), width=192, height=144)


@pytest.fixture(scope="module")
def people() -> dict[int, Person]:
    wardrobe = Wardrobe(0)
    return {number: Person(wardrobe.person(number)) for number in range(8)}


@pytest.fixture(scope="module")
def renderer(people: dict[int, Person]) -> CameraRenderer:
    return CameraRenderer(_CAMERA, Room(), people, seed=3)


def _walk(number: int) -> Stance:
    spots = ((2.0, 2.2), (3.1, 1.9), (3.9, 3.0), (2.4, 3.1), (4.6, 2.2), (1.8, 1.3), (3.0, 3.0), (4.4, 1.6))
    x, y = spots[number]
    speed = 1.1 * (number % 2)
    return Stance(x, y, 0.8 * number, phase=1.1 * number, speed=speed, gesture=number % 5, gesture_weight=1.0)


def test_boxes_enclose_the_projected_joints(renderer: CameraRenderer, people: dict[int, Person]) -> None:
    for number, person in people.items():
        stance = _walk(number)
        _, sightings, _ = renderer.render(0, {number: stance}, picture=False)
        (sighting,) = sightings
        pixels, depth = _CAMERA.project(np.array(list(person.joints(stance).values())))
        assert (depth > 0).all()
        x1, y1, x2, y2 = sighting.box
        assert (pixels[:, 0] > x1).all() and (pixels[:, 0] < x2).all()
        assert (pixels[:, 1] > y1).all() and (pixels[:, 1] < y2).all()


def test_people_are_as_tall_as_they_are_and_stand_on_the_floor(people: dict[int, Person]) -> None:
    for number, person in people.items():
        for phase in np.linspace(0, 6, 5):
            stance = Stance(1.0, 2.0, 0.3, phase=phase, speed=1.2)
            points, normals = person.posed(stance)
            assert -0.03 < points[:, 2].min() < 0.02
            assert points[:, 2].max() == pytest.approx(person.look.height, abs=0.10)
            np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-3)
        points, _ = person.posed(_walk(number))
        assert np.hypot(points[:, 0] - _walk(number).x, points[:, 1] - _walk(number).y).max() < 1.0


def test_truth_is_what_the_identity_buffer_shows(renderer: CameraRenderer, people: dict[int, Person]) -> None:
    stances = {number: _walk(number) for number in people}
    image, sightings, owners = renderer.render(5, stances)
    assert image is not None and image.shape == (144, 192, 3) and image.dtype == np.uint8
    assert owners.shape == (144 * SAMPLES, 192 * SAMPLES)
    assert {int(v) for v in np.unique(owners)} - {-1} <= {s.identity for s in sightings}
    for sighting in sightings:
        assert 0 <= sighting.visibility <= 1
        ys, xs = np.nonzero(owners == sighting.identity)
        assert (len(ys) > 0) == (sighting.visibility > 0)
        if len(ys):
            shown = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]) / SAMPLES
            np.testing.assert_allclose(sighting.visible_box, shown)
            x1, y1, x2, y2 = sighting.box
            assert shown[0] >= x1 - 1 and shown[1] >= y1 - 1 and shown[2] <= x2 + 1 and shown[3] <= y2 + 1
        assert sighting.position == (stances[sighting.identity].x, stances[sighting.identity].y)


def test_who_stands_behind_is_hidden_and_who_stands_alone_is_not(renderer: CameraRenderer) -> None:
    near, far = Stance(2.0, 1.7), Stance(2.75, 2.33)
    alone = renderer.render(0, {1: far}, picture=False)[1][0]
    assert alone.visibility > 0.95
    both = {s.identity: s for s in renderer.render(0, {1: far, 2: near}, picture=False)[1]}
    assert both[2].visibility > 0.95
    assert both[1].visibility < 0.6
    assert both[1].box == alone.box


def test_behind_the_wall_nobody_is_seen(renderer: CameraRenderer) -> None:
    _, sightings, owners = renderer.render(0, {0: Stance(1.5, -0.95)}, picture=False)
    assert all(s.visibility == 0 for s in sightings)
    assert (owners == -1).all()


def test_people_cover_the_pixels_that_the_truth_gives_them(renderer: CameraRenderer) -> None:
    empty = renderer.render(0, {})[0]
    image, sightings, owners = renderer.render(0, {3: _walk(3)})
    assert empty is not None and image is not None
    changed = np.abs(image.astype(int) - empty).max(axis=2) > 25
    mine = (owners == 3).reshape(144, SAMPLES, 192, SAMPLES).mean(axis=(1, 3))
    assert changed[mine == 1].mean() > 0.6
    x1, y1, x2, y2 = sightings[0].box
    outside = changed.copy()
    outside[int(y1) - 2 : int(y2) + 14, int(x1) - 20 : int(x2) + 20] = False
    assert outside.sum() == 0


def test_the_same_seed_gives_the_same_bytes() -> None:
    scene = make_scene(seed=6, seconds=1, people=4)
    made = []
    for seed in (1, 1, 2):
        people = {identity: Person(scene.looks[identity - 1]) for identity in scene.identities}
        renderer = CameraRenderer(_CAMERA, scene.room, people, seed=seed)
        image, sightings, owners = renderer.render(7, scene.stances(7))
        assert image is not None
        made.append((image.tobytes(), owners.tobytes(), sightings))
    assert made[0] == made[1]
    assert made[0][0] != made[2][0]
    assert made[0][1:] == made[2][1:]
