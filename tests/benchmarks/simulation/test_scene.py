"""Scenes: people keep apart, stay out of furniture, come, leave and come back; the same seed gives the same scene."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.simulation.crowd import BODY_DISTANCE, FURNITURE_MARGIN
from benchmarks.simulation.scene import Scene, make_scene
from benchmarks.simulation.wardrobe import Wardrobe
from tracker.errors import InputError


@pytest.fixture(scope="module", params=[(1, 7, 12), (2, 5, 8)], ids=["seven at once", "five at once"])
def scene(request: pytest.FixtureRequest) -> Scene:
    seed, at_once, people = request.param
    return make_scene(seed=seed, seconds=40, people=people, at_once=at_once, frame_rate=15)


def test_no_two_people_share_a_place(scene: Scene) -> None:
    for frame in range(scene.frames):
        people = np.flatnonzero(scene.present[frame])
        places = np.stack([scene.x[frame, people], scene.y[frame, people]], 1)
        distance = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
        distance[np.diag_indices(len(people))] = np.inf
        assert len(people) < 2 or distance.min() >= BODY_DISTANCE - 1e-3


def test_nobody_stands_in_furniture_or_walls(scene: Scene) -> None:
    # Only who is at a seat is where nobody walks; see test_seating.py.
    walking = scene.present & (scene.seat_height == 0)
    places = np.stack([scene.x[walking], scene.y[walking]], 1)
    assert scene.room.inside(places, FURNITURE_MARGIN).all()


def test_people_walk_and_never_jump(scene: Scene) -> None:
    both = scene.present[1:] & scene.present[:-1]
    speed = np.hypot(np.diff(scene.x, axis=0), np.diff(scene.y, axis=0))[both] * scene.frame_rate
    assert speed.max() < 2.5
    assert speed.mean() > 0.15


def test_people_come_leave_and_come_back(scene: Scene) -> None:
    entries = np.diff(scene.present.astype(int), axis=0)
    assert (entries == 1).any() and (entries == -1).any()
    stays = (np.diff(np.vstack([np.zeros(scene.present.shape[1]), scene.present]), axis=0) == 1).sum(axis=0)
    assert stays.max() >= 2


def test_people_appear_and_vanish_only_behind_the_wall(scene: Scene) -> None:
    for number in range(scene.present.shape[1]):
        frames = np.flatnonzero(np.diff(scene.present[:, number].astype(int)) != 0)
        for frame in frames:
            seen = frame + 1 if scene.present[frame + 1, number] else frame
            assert scene.y[seen, number] < -0.3
            assert not scene.room.door[0] - 1 < scene.x[seen, number] < scene.room.door[1] + 1


def test_no_more_people_than_asked_for(scene: Scene) -> None:
    assert scene.present.sum(axis=1).max() <= 7
    assert make_scene(seed=3, seconds=20, people=6, at_once=2).present.sum(axis=1).max() == 2


def test_the_same_seed_gives_the_same_scene_and_another_does_not() -> None:
    first, again, other = (make_scene(seed=seed, seconds=4, people=5) for seed in (4, 4, 5))
    for name in ("present", "x", "y", "heading", "phase", "speed", "look", "gesture", "gesture_weight", "seated"):
        assert getattr(first, name).tobytes() == getattr(again, name).tobytes()
    assert first.looks == again.looks
    assert first.x.tobytes() != other.x.tobytes()


def test_people_of_two_seeds_are_different_people() -> None:
    def sample(seed: int) -> set[int]:
        return {Wardrobe(seed).person(number).seed for number in range(100)}

    assert len(sample(0)) == 100
    assert not sample(0) & sample(1)


def test_clothes_are_worn_as_often_as_on_a_street() -> None:
    people = [Wardrobe(9).person(number) for number in range(400)]
    dark = np.mean([np.mean(person.top) < 60 for person in people])
    bright = np.mean([np.ptp(person.top) > 80 for person in people])
    assert 0.35 < dark < 0.75
    assert bright < 0.2
    assert 1.55 < np.mean([person.height for person in people]) < 1.85


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"seconds": 0}, "0 seconds"),
        ({"seconds": float("nan")}, "nan seconds"),
        ({"people": 0}, "0 people"),
        ({"people": 500}, "500 people"),
        ({"people": 9, "at_once": 8}, "8 people at once do not fit"),
        ({"frame_rate": 0}, "0 frames a second"),
        ({"seed": -1}, "seed -1"),
    ],
)
def test_impossible_scenes_are_refused_in_one_line(arguments: dict[str, float], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        make_scene(**arguments)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
