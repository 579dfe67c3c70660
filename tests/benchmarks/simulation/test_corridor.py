"""Corridor cameras: views that share nothing with others, and people who pass them on their way in and out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.simulation.background import SAMPLES, Background, render_background
from benchmarks.simulation.cameras import Camera, corner_cameras
from benchmarks.simulation.corridor import Corridor, cameras_in_corridor, make_corridor
from benchmarks.simulation.room import Room
from benchmarks.simulation.scene import Scene, make_scene
from benchmarks.simulation.simulate import simulate_room
from benchmarks.simulation.walker import BODY_DISTANCE, FURNITURE_MARGIN
from tracker.errors import InputError
from tracker.storage.mot_files import read_tracks
from tracker.video.cameras import read_cameras

_SIZE = (160, 120)


def _sees(camera: Camera, view: Background, places: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (N,) whether ``camera`` sees any of a body that stands at floor ``places`` (N, 2)."""
    seen = np.zeros(len(places), bool)
    for offset in np.array([(0.0, 0.0), (0.25, 0.0), (-0.25, 0.0), (0.0, 0.25), (0.0, -0.25)]):
        for height in (0.0, 0.5, 1.0, 1.5, 2.0):
            points = np.column_stack([places + offset, np.full(len(places), height)])
            pixels, depth = camera.project(points)
            inside = (depth > 0.1) & (pixels >= 0).all(axis=1) & (pixels < (camera.width, camera.height)).all(axis=1)
            columns, rows = (SAMPLES * pixels[inside]).astype(int).T
            # What stands a little behind the surface that the pixel shows counts as seen, too.
            seen[inside] |= 1 / depth[inside] > view.inverse_depth[rows, columns] / 1.005
    return seen


def _views(room: Room) -> dict[str, NDArray[np.bool_]]:
    """Return for each camera which of the places of :func:`_places` it sees."""
    places = _places(room)
    cameras = [*corner_cameras(room.width, room.depth, 4, size=_SIZE), *cameras_in_corridor(room.corridor, size=_SIZE)]
    return {camera.name: _sees(camera, render_background(camera, room), places) for camera in cameras}


def _places(room: Room) -> NDArray[np.float64]:
    """Return places (N, 2), 10 cm apart, where somebody can walk."""
    grid = np.stack(np.meshgrid(np.arange(-7, 15, 0.1), np.arange(-5, 5.1, 0.1)), -1).reshape(-1, 2)
    return grid[room.inside(grid, FURNITURE_MARGIN)]


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make_scene(seed=5, seconds=60, people=10, at_once=5, corridor_cameras=2)


@pytest.mark.parametrize("count", [1, 2])
def test_corridor_views_share_no_place_with_each_other_or_the_room(count: int) -> None:
    room = Room(corridor=make_corridor(count))
    seen = _views(room)
    in_room = np.any([seen[name] for name in seen if name.startswith("cam")], axis=0)
    corridor = [seen[name] for name in seen if name.startswith("corridor")]
    assert len(corridor) == count
    assert (np.sum([in_room, *corridor], axis=0) <= 1).all()
    # Each watches several metres of the corridor's whole width.
    assert all(0.01 * view.sum() > 4 for view in corridor)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_no_camera_sees_where_people_come_from(count: int) -> None:
    room = Room(corridor=make_corridor(count))
    ends = np.array(room.corridor.hidden_ends)
    assert room.inside(ends, FURNITURE_MARGIN + 0.1).all()
    cameras = [*corner_cameras(room.width, room.depth, 4, size=_SIZE), *cameras_in_corridor(room.corridor, size=_SIZE)]
    around = np.concatenate([ends + 0.3 * np.array([np.cos(a), np.sin(a)]) for a in np.linspace(0, 6, 9)])
    assert len(cameras) == 4 + count
    for camera in cameras:
        assert not _sees(camera, render_background(camera, room), around).any(), camera.name


def test_without_corridor_cameras_the_corridor_is_the_short_one() -> None:
    assert Room().corridor == make_corridor(0) == Corridor()
    assert cameras_in_corridor(Room().corridor) == []
    assert make_scene(seed=1, seconds=1).x.tobytes() == make_scene(seed=1, seconds=1, corridor_cameras=0).x.tobytes()


def test_people_keep_their_distances_in_the_corridor_too(scene: Scene) -> None:
    walking = scene.present & (scene.seat_height == 0)
    places = np.stack([scene.x[walking], scene.y[walking]], 1)
    assert scene.room.inside(places, FURNITURE_MARGIN).all()
    for frame in range(scene.frames):
        people = np.flatnonzero(scene.present[frame])
        places = np.stack([scene.x[frame, people], scene.y[frame, people]], 1)
        distance = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
        distance[np.diag_indices(len(people))] = np.inf
        assert len(people) < 2 or distance.min() >= BODY_DISTANCE - 1e-3
    both = scene.present[1:] & scene.present[:-1]
    speed = np.hypot(np.diff(scene.x, axis=0), np.diff(scene.y, axis=0))[both] * scene.frame_rate
    assert speed.max() < 2.5


def test_who_comes_in_passes_a_corridor_camera_before_and_after(scene: Scene) -> None:
    camera_x = [camera.position[0] for camera in cameras_in_corridor(scene.room.corridor)]
    came, went = 0, 0
    for number in range(scene.present.shape[1]):
        edges = np.flatnonzero(np.diff(np.r_[0, scene.present[:, number].astype(int), 0]))
        for first, last in edges.reshape(-1, 2):
            x, y = scene.x[first:last, number], scene.y[first:last, number]
            watched = (y > scene.room.corridor.low[1]) & ((x > camera_x[0] + 2) | (x < camera_x[1] - 2))
            inside = np.flatnonzero(y > 0.8)
            if first > 0:
                assert y[0] < scene.room.corridor.low[1] - 0.5
                if len(inside):
                    assert watched[: inside[0]].sum() > 2 * scene.frame_rate
                    # Nobody gets stuck on the way.
                    assert inside[0] / scene.frame_rate < 40
                    came += 1
            if last < scene.frames:
                assert y[-1] < scene.room.corridor.low[1] - 0.5
                assert watched[inside[-1] :].sum() > 2 * scene.frame_rate
                went += 1
    assert came >= 3 and went >= 3


def test_corridor_cameras_have_the_files_of_the_others(tmp_path: Path) -> None:
    result = simulate_room(
        tmp_path, seed=5, seconds=5, cameras=1, people=4, size=(128, 96), workers=1, corridor_cameras=2
    )
    assert result.cameras == ("cam1", "corridor1", "corridor2")
    assert [camera.name for camera in read_cameras(result.cameras_file)] == list(result.cameras)
    calibration = json.loads((tmp_path / "calibration.json").read_text())["cameras"]
    assert [camera["name"] for camera in calibration] == list(result.cameras)
    seen = 0
    for name in ("corridor1", "corridor2"):
        assert (tmp_path / f"{name}.mp4").stat().st_size > 1000
        assert (tmp_path / "detections" / f"{name}.txt").is_file()
        text = (tmp_path / "truth" / f"{name}.txt").read_text()
        seen += len(read_tracks(tmp_path / "truth" / f"{name}.txt").ids) if text else 0
    assert seen > 10
    world = np.loadtxt(tmp_path / "world.txt", delimiter=",", ndmin=2)
    assert world.shape[1] == 5 and world[:, 3].min() < -0.5


@pytest.mark.parametrize("count", [-1, 3])
def test_a_corridor_has_two_arms(count: int) -> None:
    with pytest.raises(InputError, match=f"{count} corridor cameras.*0 to 2"):
        make_scene(seconds=1, corridor_cameras=count)
