"""Cameras and sensors that vary: they stay in the room, look into it, and change pictures as they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.simulation.cameras import Camera
from benchmarks.simulation.corridor import make_corridor
from benchmarks.simulation.people import Person
from benchmarks.simulation.render import CameraRenderer
from benchmarks.simulation.room import Room
from benchmarks.simulation.scene import make_scene
from benchmarks.simulation.variation import (
    Sensor,
    Variation,
    decoded,
    people_of,
    renderer_of,
    varied_camera,
    varied_rig,
    varied_sensor,
)
from tracker.errors import InputError

_ROOM = Room()


@example(seed=535)
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_cameras_hang_in_the_room_and_see_its_floor(seed: int) -> None:
    camera = varied_camera(np.random.default_rng(seed), "a", Variation(), _ROOM)
    x, y, z = camera.position
    assert 0.1 <= x <= _ROOM.width - 0.1 and 0.1 <= y <= _ROOM.depth - 0.1 and 1.7 <= z <= 2.7
    assert min(x, y, _ROOM.width - x, _ROOM.depth - y) <= 0.8
    spots = [(a, b, 0.9) for a in np.arange(1, 6) for b in np.arange(1, 5)]
    pixels, depth = camera.project(spots)
    inside = (depth > 0) & (pixels > 0).all(axis=1) & (pixels < (camera.width, camera.height)).all(axis=1)
    assert inside.sum() >= 4
    assert varied_camera(np.random.default_rng(seed), "a", Variation(), _ROOM) == camera


def test_no_two_seeds_give_one_camera() -> None:
    cameras = {varied_camera(np.random.default_rng(seed), "a", Variation(), _ROOM) for seed in range(40)}
    assert len(cameras) == 40
    assert len({(camera.width, camera.height) for camera in cameras}) > 3


def test_as_many_rigs_as_asked_have_cameras_in_the_corridor_which_see_its_floor() -> None:
    rigs = [varied_rig(np.random.default_rng(seed), 3, Variation(corridor_share=0.5), first=7) for seed in range(200)]
    assert sum(in_corridor > 0 for in_corridor, _ in rigs) == pytest.approx(100, abs=25)
    for in_corridor, cameras in rigs:
        assert [camera.name for camera in cameras] == ["cam7", "cam8", "cam9"]
        corridor = make_corridor(in_corridor)
        outside = [camera for camera in cameras if camera.position[1] < 0]
        assert outside == list(cameras[3 - in_corridor :])
        for arm, camera in zip(corridor.watched, outside):
            assert (np.array(corridor.low) < camera.position).all() and (
                camera.position < np.array(corridor.high)
            ).all()
            pixels, depth = camera.project([(corridor.door + arm * 7.5, -0.95, 0.0)])
            assert depth[0] > 0 and (pixels[0] > 0).all() and (pixels[0] < (camera.width, camera.height)).all()
    alone = [varied_rig(np.random.default_rng(seed), 1, Variation(corridor_share=1.0)) for seed in range(5)]
    assert all(in_corridor == 0 and cameras[0].position[1] > 0 for in_corridor, cameras in alone)


def _grey(level: int = 100) -> np.ndarray:
    return np.full((32, 48, 3), level, np.uint8)


def test_each_part_of_a_sensor_does_what_it_says() -> None:
    generator = np.random.default_rng(0)

    def mean(sensor: Sensor, image: np.ndarray) -> np.ndarray:
        return decoded(sensor.developed(image, generator)).reshape(-1, 3).mean(axis=0)

    np.testing.assert_allclose(mean(Sensor(quality=100), _grey()), 100, atol=1)
    np.testing.assert_allclose(mean(Sensor(gain=(1.2, 1.0, 0.8), quality=100), _grey()), (120, 100, 80), atol=2)
    np.testing.assert_allclose(mean(Sensor(gamma=0.5, quality=100), _grey(64)), 255 * np.sqrt(64 / 255), atol=1)
    coloured = _grey()
    coloured[..., 2] = 200
    # Without colour only the brightness is left: 0.114·100 + 0.587·100 + 0.299·200.
    np.testing.assert_allclose(mean(Sensor(saturation=0.0, quality=100), coloured), 129.9, atol=2)
    calm, noisy = (decoded(Sensor(noise=noise, quality=100).developed(_grey(), generator)) for noise in (0.0, 6.0))
    # JPEG halves the resolution of colour, so brightness alone keeps its noise.
    weights = np.array([0.114, 0.587, 0.299])
    assert (calm @ weights).std() < 0.5
    assert (noisy @ weights).std() == pytest.approx(6 * np.linalg.norm(weights), rel=0.1)
    edge = _grey(0)
    edge[:, 24:] = 255
    sharp, soft = (
        np.abs(np.diff(decoded(Sensor(blur=blur, quality=100).developed(edge, generator)).astype(int), axis=1)).max()
        for blur in (0.0, 1.5)
    )
    assert soft < 0.5 * sharp
    rough = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    small, large = (len(Sensor(quality=quality).developed(rough, generator)) for quality in (30, 95))
    assert small < large / 2


def test_a_sensor_leaves_the_rendered_image_alone() -> None:
    image = _grey()
    sensor = varied_sensor(np.random.default_rng(3), Variation())
    sensor.developed(image, np.random.default_rng(4))
    assert (image == 100).all()
    assert varied_sensor(np.random.default_rng(3), Variation()) == sensor


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"heights": (2.5, 2.0)}, "heights from 2.5 to 2; give the lower first"),
        ({"heights": (0.5, 2.0)}, "heights from 0.5 to 2; they must lie between 1.5"),
        ({"qualities": (50, 101)}, "qualities from 50 to 101"),
        ({"sizes": ()}, "no image sizes"),
        ({"white_balance": 1.5}, "white_balance by 1.5"),
        ({"corridor_share": -0.1}, "corridor_share of -0.1"),
    ],
)
def test_senseless_variation_is_refused_in_one_line(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        Variation(**arguments)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_a_kept_renderer_draws_the_next_scene_as_a_new_one_would() -> None:
    camera = Camera("kept", (0.2, 0.3, 2.4), (3.0, 2.5, 0.9), width=96, height=72)
    for seed in (1, 2):
        scene = make_scene(seed=seed, seconds=1, people=3, frame_rate=2)
        people: dict[int, Person] = people_of(scene)
        kept = renderer_of(camera, scene.room, people).render(1, scene.stances(1))
        fresh = CameraRenderer(camera, scene.room, people, seed=0).render(1, scene.stances(1))
        assert kept[0] is not None and fresh[0] is not None
        assert kept[0].tobytes() == fresh[0].tobytes() and kept[1] == fresh[1]
