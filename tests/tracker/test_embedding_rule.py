"""Which crops are embedded, and that nothing gets worse by those that are not."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from pydantic import ValidationError

from tests.tracker.cross_camera.worlds import World, found, random_world, run
from tracker.association.assignment import assign
from tracker.cross_camera.identities import Identities
from tracker.cross_camera.identity_settings import CameraObservations, IdentitySettings
from tracker.embedding_rule import EmbeddingRule, EmbeddingSettings, presumed_tracks

NEEDED = EmbeddingSettings(rule="where-needed")


def box(left: float, height: float = 200.0) -> list[float]:
    return [left, 100.0, left + 80.0, 100.0 + height]


class Camera:
    """Ten frames a second for one rule."""

    def __init__(self, settings: EmbeddingSettings = NEEDED) -> None:
        self.rule, self.time = EmbeddingRule(settings, 0.15), 0.0

    def frame(self, people: dict[int, list[float]], quality: float = 0.8) -> set[int]:
        """Return the tracks that are embedded."""
        self.time = round(self.time + 0.1, 6)
        tracks = np.array(list(people), np.int64)
        boxes = np.array(list(people.values()), np.float32).reshape(-1, 4)
        chosen = self.rule.choose(self.time, tracks, boxes, np.full(len(tracks), quality, np.float32))
        return set(tracks[chosen].tolist())

    def frames(self, people: dict[int, list[float]], seconds: float, quality: float = 0.8) -> Counter[int]:
        """Return how often each track is embedded."""
        return Counter(track for _ in range(round(seconds * 10)) for track in self.frame(people, quality))


def settled() -> Camera:
    camera = Camera()
    assert camera.frames({1: box(100)}, 2.0)[1] >= 8
    return camera


def test_a_track_is_embedded_until_it_is_known_and_then_now_and_then() -> None:
    camera = Camera()
    assert camera.frames({1: box(100)}, 0.4)[1] == 4
    assert camera.frames({1: box(100)}, 0.8)[1] == 4, "every 0.15 s"
    assert camera.frames({1: box(100)}, 10.0)[1] == 10, "once a second"
    assert camera.rule.embedded == 18 and camera.rule.skipped == 112 - 18


@pytest.mark.parametrize(
    "happens",
    [
        lambda camera: [camera.frame({}) for _ in range(6)],  # out of sight
        lambda camera: camera.frame({1: box(400)}),  # elsewhere all of a sudden
        lambda camera: camera.frame({1: box(100, 320)}),  # half a person, or two
        lambda camera: camera.frames({1: box(100), 2: box(120)}, 0.5),  # met somebody
    ],
)
def test_where_a_track_may_have_slipped_it_is_looked_at_again(happens: object) -> None:
    camera = settled()
    quiet = camera.frames({1: box(100)}, 1.0)[1]
    happens(camera)  # type: ignore[operator]
    assert quiet == 1 and camera.frames({1: box(100)}, 1.0)[1] >= 5


def test_walking_and_a_missed_frame_are_no_reason() -> None:
    camera = settled()
    count = 0
    for step in range(40):
        if step % 10 != 5:
            count += len(camera.frame({1: box(100 + 5 * step)}))
    assert count <= 5


def test_who_is_seen_clearly_better_is_embedded() -> None:
    camera = settled()
    assert camera.frames({1: box(100)}, 0.5, quality=0.9)[1] <= 1
    camera = Camera()
    camera.frames({1: box(100)}, 3.0, quality=0.3)
    assert camera.frames({1: box(100)}, 0.3, quality=0.8)[1] == 1


def test_what_is_not_fit_is_never_embedded_and_whose_it_is_unknown_always() -> None:
    camera = Camera()
    assert camera.frames({1: box(100)}, 2.0, quality=0.0)[1] == 0
    assert camera.rule.embedded == camera.rule.skipped == 0
    assert camera.frames({0: box(100)}, 2.0)[0] == 20
    assert len(camera.rule) == 1, "of nobody's crops nothing is kept"


def test_memory_ends_with_the_tracks_and_edits_begin_anew() -> None:
    camera = settled()
    camera.frames({2: box(600)}, 0.1)
    camera.rule.keep_only({1})
    assert len(camera.rule) == 1
    camera.frame({1: box(100)})
    camera.rule.renew()
    assert camera.frames({1: box(100)}, 0.4)[1] == 4
    camera.rule.ended([1])
    assert len(camera.rule) == 0


def test_every_crop_as_before() -> None:
    camera = Camera(EmbeddingSettings())
    assert camera.frames({1: box(100)}, 0.4)[1] == 4
    assert camera.frames({1: box(100)}, 10.0)[1] == 50, "at most one in 0.15 s"
    assert "0.15 s" in camera.rule.settings.describe(0.15) and "8 fit crops" in NEEDED.describe(0.15)
    with pytest.raises(ValidationError):
        EmbeddingSettings(rule="sometimes")


def test_only_what_is_sure_is_presumed() -> None:
    before = np.array([box(100), box(400), box(440)], np.float32)
    tracks = np.array([7, 8, 9])
    boxes = np.array([box(105), box(402), box(900)], np.float32)
    assert presumed_tracks(boxes, before, tracks).tolist() == [7, 0, 0], "8 and 9 stand in each other"
    assert presumed_tracks(boxes[:0], before, tracks).tolist() == []
    assert presumed_tracks(boxes, before[:0], tracks[:0]).tolist() == [0, 0, 0]
    twice = np.array([box(100), box(106)], np.float32)
    assert presumed_tracks(twice, before[:1], tracks[:1]).tolist() == [0, 0], "two for one"


def with_rule(world: World, settings: EmbeddingSettings) -> tuple[World, int]:
    """Return the stream with only the vectors that the rule asks for, and how many these are."""
    rules = {name: EmbeddingRule(settings, 0.15) for name in world.cameras}
    steps = []
    for step in world.steps:
        now = []
        for one in step:
            chosen = rules[one.camera].choose(one.time, one.track_ids, one.boxes, one.qualities)
            rules[one.camera].ended(one.ended.tolist())
            assert one.features is not None
            features = np.where(chosen[:, None], one.features, np.nan).astype(np.float32)
            now.append(
                CameraObservations(
                    one.camera, one.time, one.track_ids, one.boxes, features, one.qualities, one.image_size, one.ended
                )
            )
        steps.append(now)
    return World(world.cameras, steps, world.truth), sum(rule.embedded for rule in rules.values())


def idf1(world: World) -> float:
    identities = Identities(world.cameras, IdentitySettings(), 0.5)
    run(identities, world)
    numbers = found(identities, world)
    pairs = Counter((world.truth[sight], number) for sight, number in numbers.items() if number)
    people, given = sorted({one for one, _ in pairs}), sorted({one for _, one in pairs})
    shared = np.array([[pairs[person, number] for number in given] for person in people], float)
    right = shared[assign(np.where(shared > 0, -shared, np.inf), 0.0)].sum()
    return float(2 * right / (len(world.truth) + sum(pairs.values())))


def test_identities_are_as_good_with_fewer_crops_where_tracks_slip_and_break() -> None:
    scores, crops = {}, {}
    worlds = [random_world(seed, seconds=25.0, noise=0.6) for seed in range(5)]
    for settings in (EmbeddingSettings(), NEEDED):
        runs = [with_rule(world, settings) for world in worlds]
        scores[settings.rule] = np.mean([idf1(world) for world, _ in runs])
        crops[settings.rule] = sum(count for _, count in runs)
    assert crops["where-needed"] < 0.8 * crops["every"]
    assert scores["where-needed"] > scores["every"] - 0.01, (scores, crops)
