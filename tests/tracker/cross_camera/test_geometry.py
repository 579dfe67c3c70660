"""Two views learn where the other sees a person: against pinhole cameras over a floor."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from tests.tracker.cross_camera.worlds import IMAGE, identity, seen, unit_vectors
from tracker.cross_camera.appearance import normalised
from tracker.cross_camera.identities import Identities
from tracker.cross_camera.identity_settings import IdentitySettings
from tracker.cross_camera.overlapping_views import OverlappingViews
from tracker.cross_camera.tracklets import SLOT_SECONDS, Tracklet
from tracker.cross_camera.view_geometry import co_visible, fit_mapping

AREA = 640.0 * 360.0


@dataclass
class Pinhole:
    """A camera ```height`` metres above the floor that looks at (3, 3) of a room of 6 × 6 metres."""

    position: tuple[float, float]
    height: float
    focal: float = 900.0
    rotation: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        centre = np.array([*self.position, self.height])
        forward = np.array([3.0, 3.0, 1.0]) - centre
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0, 0, 1.0])
        right /= np.linalg.norm(right)
        self.rotation = np.stack([right, np.cross(forward, right), forward])

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project (N, 3) metres to (N, 2) pixels."""
        local = (points - np.array([*self.position, self.height])) @ self.rotation.T
        return local[:, :2] / local[:, 2:] * self.focal + np.array(IMAGE) / 2

    def boxes(self, feet: np.ndarray, tall: float) -> np.ndarray:
        """Return boxes (N, 4) of somebody ``tall`` metres high standing at ``feet`` (N, 2)."""
        foot = self.project(np.concatenate([feet, np.zeros((len(feet), 1))], axis=1))
        head = self.project(np.concatenate([feet, np.full((len(feet), 1), tall)], axis=1))
        half = (foot[:, 1] - head[:, 1])[:, None] * 0.18
        return np.concatenate([head[:, :1] - half, head[:, 1:], head[:, :1] + half, foot[:, 1:]], axis=1)


ONE, OTHER = Pinhole((-3.0, -2.0), 5.0), Pinhole((9.0, -3.0), 4.5)


def wander(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return a walk (count, 2) in metres through the room, a place every fifth of a second, at about 1 m/s."""
    place, goal, steps = rng.uniform(1, 5, 2), rng.uniform(1, 5, 2), []
    for _ in range(count):
        if np.linalg.norm(goal - place) < 0.3:
            goal = rng.uniform(1, 5, 2)
        place = place + (goal - place) / max(np.linalg.norm(goal - place), 1e-6) * 0.2
        steps.append(place)
    return np.array(steps)


def tracklet(key: int, camera: int, boxes: np.ndarray, first_slot: int, rng: np.random.Generator) -> Tracklet:
    """Return a tracklet with these boxes (N, 4), one every 0.2 s, as shaky as a detector makes them."""
    height = boxes[:, 3] - boxes[:, 1]
    heads = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 1]], axis=1)
    heads = heads + rng.normal(0, 0.02, heads.shape) * height[:, None]
    slots = list(range(first_slot, first_slot + len(boxes)))
    start, end = slots[0] * SLOT_SECONDS, slots[-1] * SLOT_SECONDS
    return Tracklet(
        key, camera, key, start, end, observations=len(boxes), slots=slots, heads=[(x, y) for x, y in heads.tolist()],
        heights=height.tolist(), usable=[True] * len(boxes),
    )  # fmt: skip


def room(
    seed: int, people: int = 4, length: int = 60, *, related: bool = True, tall: tuple[float, float] = (1.6, 1.85)
) -> list[tuple[int, Tracklet]]:
    """Return (person, tracklet) of people two at a time seen by both cameras; unrelated: by either in another room."""
    rng = np.random.default_rng(seed)
    found: list[tuple[int, Tracklet]] = []
    for person in range(people):
        first_slot = (person // 2) * length
        height = rng.uniform(*tall)
        path = wander(rng, length)
        for number, camera in enumerate((ONE, OTHER)):
            feet = path if related or number == 0 else wander(rng, length)
            found.append((person, tracklet(len(found), number, camera.boxes(feet, height), first_slot, rng)))
    return found


def appearance(people: list[int], same: float, other: float) -> np.ndarray:
    """Return evidence (N, N) in nats."""
    who = np.array(people)
    evidence = np.where(who[:, None] == who, same, other).astype(np.float32)
    np.fill_diagonal(evidence, 0)
    return evidence


@pytest.mark.parametrize(("tall", "median", "most"), [((1.7, 1.75), 0.03, 0.08), ((1.6, 1.85), 0.09, 0.2)])
def test_heads_are_mapped_within_a_few_percent_of_the_height(
    tall: tuple[float, float], median: float, most: float
) -> None:
    """What remains is mainly that people are not equally tall."""
    errors = []
    for seed in range(8):
        rng = np.random.default_rng(1000 + seed)
        by_person = room(seed, tall=tall)
        pairs = [co_visible(by_person[row][1], by_person[row + 1][1]) for row in range(0, len(by_person), 2)]
        mapping = fit_mapping([pair for pair in pairs if pair is not None], [1.0] * len(pairs), AREA)
        assert mapping is not None
        feet = wander(rng, 40)
        here, there = ONE.boxes(feet, 1.72), OTHER.boxes(feet, 1.72)
        mapped, variance = mapping.predict(np.stack([(here[:, 0] + here[:, 2]) / 2, here[:, 1]], axis=1))
        target = np.stack([(there[:, 0] + there[:, 2]) / 2, there[:, 1]], axis=1)
        errors.append(np.linalg.norm(mapped - target, axis=1) / (there[:, 3] - there[:, 1]))
        assert (variance > 0).all()
    assert np.median(errors) < median
    assert np.quantile(errors, 0.95) < most


def test_says_nothing_about_places_where_nobody_was() -> None:
    by_person = room(1)
    pairs = [co_visible(by_person[row][1], by_person[row + 1][1]) for row in range(0, len(by_person), 2)]
    mapping = fit_mapping([pair for pair in pairs if pair is not None], [1.0] * len(pairs), AREA)
    assert mapping is not None
    seen_here = np.concatenate([pair.first for pair in pairs if pair is not None])
    _, near = mapping.predict(seen_here.mean(axis=0, keepdims=True))
    _, far = mapping.predict(np.array([[-3000.0, -1000.0]]))
    assert far[0] > 25 * near[0]


def partners(who: list[int]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return (row in the first view, row in the second) of the same person, and of two who were there together."""
    pairs = [(first, second) for first in range(0, len(who), 2) for second in range(1, len(who), 2)]
    return (
        [pair for pair in pairs if who[pair[0]] == who[pair[1]]],
        [(a, b) for a, b in pairs if who[a] != who[b] and who[a] // 2 == who[b] // 2],
    )


def test_tells_the_same_from_others_even_where_looks_are_unknown() -> None:
    same_blind, same, others = [], [], []
    for seed in range(8):
        by_person = room(seed, people=6)
        who = [person for person, _ in by_person]
        looks = appearance(who, 2.0, -4.0)
        blind = [row for row, person in enumerate(who) if person in (2, 5)]
        looks[blind, :] = looks[:, blind] = np.nan
        evidence, known = OverlappingViews().evidence([piece for _, piece in by_person], looks)
        assert np.array_equal(evidence, evidence.T)
        assert np.array_equal(known, known.T)
        assert not known[0, 5], "never in view at one time"
        for pair in partners(who)[0]:
            (same_blind if who[pair[0]] in (2, 5) else same).append(float(evidence[pair]) if known[pair] else 0.0)
        others += [float(evidence[pair]) for pair in partners(who)[1] if known[pair]]
    assert np.median(same) > 1.5 and np.mean(np.array(same) > 0) > 0.8
    assert np.median(same_blind) > 1.5 and np.mean(np.array(same_blind) > 0) > 0.75
    assert len(others) >= 40
    assert np.mean(np.array(others) < -8) > 0.95 and max(others) < 0


def test_wrong_seeds_are_outvoted() -> None:
    """Two people look so alike that appearance takes each for the other, and the views know better."""
    right, wrong, learnt = 0, 0, 0
    for seed in range(6):
        by_person = room(seed, people=8, tall=(1.68, 1.77))
        who = [person for person, _ in by_person]
        looks = appearance(who, 2.0, -4.0)
        for first, second in ((0, 3), (1, 2)):
            looks[first, second] = looks[second, first] = 3.0
        for first, second in ((0, 1), (2, 3)):
            looks[first, second] = looks[second, first] = -2.0
        views = OverlappingViews()
        evidence, _ = views.evidence([piece for _, piece in by_person], looks)
        learnt += bool(views.mappings)
        right += evidence[0, 1] > 1.0 and evidence[2, 3] > 1.0
        wrong += evidence[0, 3] > -8 or evidence[1, 2] > -8
    assert (learnt, right, wrong) == (6, 6, 0)


def test_unrelated_views_teach_each_other_nothing() -> None:
    """People in two rooms, each with a double in the other one, who walk where they like."""
    learnt = 0
    for seed in range(40):
        by_person = room(seed, people=4, length=40, related=False)
        views = OverlappingViews()
        views.evidence([piece for _, piece in by_person], appearance([person for person, _ in by_person], 1.0, -3.0))
        learnt += bool(views.mappings)
    assert learnt <= 1


def test_one_pair_that_stands_still_teaches_nothing() -> None:
    rng = np.random.default_rng(0)
    feet = np.tile([[3.0, 3.0]], (50, 1))
    pieces = [tracklet(number, number, camera.boxes(feet, 1.7), 0, rng) for number, camera in enumerate((ONE, OTHER))]
    views = OverlappingViews()
    _, known = views.evidence(pieces, appearance([0, 0], 4.0, -4.0))
    assert not known.any() and not views.mappings


def test_a_pair_does_not_vouch_for_itself() -> None:
    """The only walk of all gives a mapping, but nothing by which to judge that walk."""
    rng = np.random.default_rng(3)
    path = wander(rng, 120)
    pieces = [tracklet(number, number, camera.boxes(path, 1.7), 0, rng) for number, camera in enumerate((ONE, OTHER))]
    views = OverlappingViews()
    _, known = views.evidence(pieces, appearance([0, 0], 3.0, -4.0))
    assert views.mappings and not known.any()


def test_a_companion_is_not_the_person() -> None:
    """Somebody at arm's length: geometry prefers the person and alone is not enough for the companion."""
    better, joined = 0, 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        by_person = room(seed, people=6, tall=(1.68, 1.77))
        path = wander(rng, 60)
        beside = path + np.array([0.5, 0.25])
        slot = 3 * 60
        person, companion_seen = ONE.boxes(path, 1.72), OTHER.boxes(beside, 1.72)
        pieces = [piece for _, piece in by_person]
        pieces += [tracklet(90, 0, person, slot, rng), tracklet(91, 1, OTHER.boxes(path, 1.72), slot, rng)]
        pieces += [tracklet(92, 1, companion_seen, slot, rng)]
        looks = appearance([person for person, _ in by_person] + [90, 90, 92], 2.0, -4.0)
        looks[-3:, :] = looks[:, -3:] = np.nan
        evidence, known = OverlappingViews().evidence(pieces, looks)
        assert known[-3, -2] and known[-3, -1]
        better += evidence[-3, -2] > evidence[-3, -1]
        # joint evidence takes 1.5 nats off where looks are unknown
        joined += evidence[-3, -1] - 1.5 > 0.5
    assert better == 8
    assert joined == 0


def test_identities_join_views_by_geometry() -> None:
    """Four of six people are never embedded in the second view, and are still known there."""
    rng = np.random.default_rng(2)
    looks = unit_vectors(6)
    right, wrong, total = 0, 0, 0
    identities = Identities(["one", "other"], IdentitySettings(settle_seconds=10.0), 0.5)
    paths = [wander(rng, 100) for _ in range(6)]
    for slot in range(300):
        step = []
        for name, camera in (("one", ONE), ("other", OTHER)):
            rows = []
            for person in range(6):
                row = slot - (person // 2) * 100
                if 0 <= row < 100:
                    box = camera.boxes(paths[person][row : row + 1], 1.7)[0]
                    hidden = name == "other" and person not in (0, 1)
                    crop = normalised(looks[person] + 0.3 * rng.normal(size=32) / np.sqrt(32))
                    rows.append((person + 1, box, None if hidden else crop, 0.0 if hidden else 0.8))
            step.append(seen(name, slot * SLOT_SECONDS, rows))
        identities.observe(step)
    identities.finish()
    for person in range(2, 6):
        for row in range(5, 95, 5):
            time = ((person // 2) * 100 + row) * SLOT_SECONDS
            here, there = (identity(identities, name, person + 1, time) for name in ("one", "other"))
            others = {identity(identities, "one", other + 1, time) for other in range(6) if other != person} - {0}
            right += here == there != 0
            wrong += there in others
            total += 1
    assert wrong == 0
    assert right >= 0.7 * total


def test_a_search_in_vain_is_repeated_when_patience_ends() -> None:
    """People in two rooms of whom no two look alike in the two views."""
    pieces = [piece for _, piece in room(0, people=8, related=False)]
    looks = appearance(list(range(len(pieces))), 0.0, -2.0)
    views, searched = OverlappingViews(patience=4), []
    for _ in range(9):
        views.evidence(pieces, looks, thorough=False)
        ((_, settlements),) = views._in_vain.values()
        searched.append(settlements == 0)
    assert searched == [True, False, False, False] * 2 + [True]
