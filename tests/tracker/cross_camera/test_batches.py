"""What is computed for many at once is what its definition says of each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracker.cross_camera.test_settlement import graph
from tests.tracker.cross_camera.worlds import seen, unit_vectors
from tracker.cross_camera.appearance import AppearanceSummary, normalised
from tracker.cross_camera.archive import Archive
from tracker.cross_camera.frame_intervals import FrameIntervals
from tracker.cross_camera.gallery import Gallery
from tracker.cross_camera.identities import Identities
from tracker.cross_camera.identity_settings import LONG_RUN, IdentitySettings
from tracker.cross_camera.joint_evidence import Joint
from tracker.cross_camera.settlement import _grow
from tracker.cross_camera.threshold import OpenSetThreshold
from tracker.cross_camera.tracklets import Tracklet
from tracker.cross_camera.view_geometry import (
    COMPANION_DEVIATION,
    COMPANION_SHARE,
    FEW_INSTANTS,
    HEAD_DEVIATION,
    INDEPENDENT_SECONDS,
    OUTLIER_SHARE,
    CoVisible,
    CoVisiblePairs,
    ViewMapping,
    fit_mapping,
)
from tracker.cross_camera.visits import Visits

seeds = st.integers(0, 2**32 - 1)


def paths(rng: np.random.Generator) -> CoVisible:
    """Return two paths of up to a hundred instants with gaps: walking or still, one person's or two people's."""
    count = int(rng.integers(2, 100))
    times = np.sort(rng.choice(400, count, replace=False)) * 0.2
    first = rng.uniform(0, 1000, 2) + rng.choice([0.0, 3.0, 30.0]) * np.cumsum(rng.normal(size=(count, 2)), axis=0)
    offset = rng.choice([0.0, 20.0, 400.0]) * rng.normal(size=2)
    second = 0.8 * first + 100 + offset + rng.choice([2.0, 40.0]) * rng.normal(size=(count, 2))
    return CoVisible(first, second, rng.uniform(50, 300, (count, 2)), times)


def evidence_of_one(mapping: ViewMapping, pair: CoVisible) -> float:
    """Return what a mapping says of one pair, by the definition."""
    mapped, spread = mapping.predict(pair.first)
    variance = (HEAD_DEVIATION * pair.heights[:, 1]) ** 2 + spread
    squared = ((pair.second - mapped) ** 2).sum(axis=1)
    log_background = -np.log(mapping.area)
    log_inlier = -squared / (2 * variance) - np.log(2 * np.pi * variance)
    log_same = np.logaddexp(np.log(1 - OUTLIER_SHARE) + log_inlier, np.log(OUTLIER_SHARE) + log_background)
    ratio = np.where(np.isfinite(log_same), log_same - log_background, np.log(OUTLIER_SHARE))
    speaking_for = float(np.clip(ratio[distinct_of(pair)], 0, None).sum())
    seconds = np.floor((pair.times - pair.times[0]) / INDEPENDENT_SECONDS).astype(int)
    against = [min(0.0, float(np.median(ratio[seconds == second]))) for second in np.unique(seconds)]
    offset = np.median((pair.second - mapped) / pair.heights[:, 1:], axis=0)
    own = HEAD_DEVIATION**2 + float(np.median(spread / pair.heights[:, 1] ** 2))
    beside = own + COMPANION_DEVIATION**2
    companion = np.log(beside / own / COMPANION_SHARE) - float((offset**2).sum()) * (0.5 / own - 0.5 / beside)
    enough = len(pair) / (len(pair) + FEW_INSTANTS)
    speaking_for = enough * min(speaking_for * float(np.mean(ratio > 0)) ** 2, max(0.0, companion))
    return float(np.clip(speaking_for + float(np.sum(against)), -30.0, 30.0))


def distinct_of(pair: CoVisible) -> list[int]:
    """Return the rows that lie a quarter of a box from all distinct ones before, in either view; at most 24."""
    scaled = np.concatenate([pair.first / pair.heights[:, :1], pair.second / pair.heights[:, 1:]], axis=1) / 0.25
    kept: list[int] = []
    for row in range(len(pair)):
        if all(np.abs(scaled[other] - scaled[row]).max() > 1.0 for other in kept) and len(kept) < 24:
            kept.append(row)
    return kept


@settings(max_examples=60, deadline=None)
@given(seed=seeds, count=st.integers(1, 12))
def test_evidence_of_many_pairs_is_that_of_each(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = [paths(rng) for _ in range(count)]
    for pair in pairs:
        assert pair.distinct.tolist() == distinct_of(pair)
    mapping = None
    while mapping is None:
        mapping = fit_mapping([paths(rng) for _ in range(3)], rng.uniform(0.25, 1, 3).tolist(), 1280.0 * 720.0)
    expected = [evidence_of_one(mapping, pair) for pair in pairs]
    assert mapping.evidence(CoVisiblePairs(pairs)) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(seed=seeds, count=st.integers(0, 30), known=st.floats(0.0, 1.0))
def test_evidence_of_visits_is_the_weighted_mean_of_their_pieces(seed: int, count: int, known: float) -> None:
    rng = np.random.default_rng(seed)
    of = rng.integers(-1, max(1, count // 2), count)
    _, dense = np.unique(of[of >= 0], return_inverse=True)
    of[of >= 0] = rng.permutation(int(dense.max()) + 1)[dense] if len(dense) else []
    number = int(of.max(initial=-1)) + 1
    each = np.zeros(number, np.int64)
    visits = Visits(of, each, each, each, each * 1.0, each * 1.0, each == 0, each == 0)
    values = rng.normal(size=(count, count)).astype(np.float32)
    values[rng.random((count, count)) > known] = np.nan
    weights = rng.uniform(0.1, 3, count).astype(np.float32)
    means = visits.mean(values, weights)
    assert means.shape == (number, number)
    for first in range(number):
        for second in range(number):
            rows, columns = np.flatnonzero(of == first), np.flatnonzero(of == second)
            found = values[np.ix_(rows, columns)]
            mass = np.outer(weights[rows], weights[columns]) * np.isfinite(found)
            expected = (np.nan_to_num(found) * mass).sum() / mass.sum() if mass.any() else np.nan
            assert means[first, second] == pytest.approx(expected, rel=1e-4, abs=1e-6, nan_ok=True)


@settings(max_examples=100, deadline=None)
@given(seed=seeds, count=st.integers(1, 25), coarse=st.booleans(), margin=st.sampled_from([0.0, 0.5]))
def test_clusters_grow_by_the_strongest_pair_of_all(seed: int, count: int, coarse: bool, margin: float) -> None:
    """Also among equals, which are many where evidence comes in whole nats."""
    evidence, forbidden, weights, bonds = graph(seed, count)
    if coarse:
        evidence, weights = np.round(evidence), np.ones(count, np.float32)
    known = np.isfinite(evidence)
    mass = np.where(known, np.outer(weights, weights), 0.0).astype(np.float64)
    total = np.where(known, evidence, 0.0) * mass
    bond = np.zeros((count, count))
    for first, second, nats in bonds:
        bond[first, second] += nats
        bond[second, first] += nats
    labels = _grow(total, mass, bond, forbidden.copy(), margin)
    members = {row: [row] for row in range(count)}
    while True:
        best, chosen = margin, None
        for first in members:
            for second in members:
                block = np.ix_(members[first], members[second])
                if first < second and not forbidden[block].any():
                    score = bond[block].sum()
                    score += total[block].sum() / mass[block].sum() if mass[block].any() else 0.0
                    if score > best + 1e-9:
                        best, chosen = score, (first, second)
        if chosen is None:
            break
        members[chosen[0]] += members.pop(chosen[1])
    expected = np.zeros(count, np.int64)
    for first, rows in members.items():
        expected[rows] = first
    assert labels.tolist() == expected.tolist()


def test_a_gallery_knows_the_nearest_view_of_everybody() -> None:
    rng = np.random.default_rng(4)
    gallery, looks = Gallery(), unit_vectors(40, 16)
    expected: dict[int, list[np.ndarray]] = {}
    queries = unit_vectors(5, 16, seed=1)
    for turn in range(40):
        number = gallery.open(float(turn)) if turn < 12 else int(rng.integers(1, 13))
        if turn != 3:
            summary = AppearanceSummary()
            summary.add(looks[turn], 0.0)
            # Each in a camera of its own, so that a mean is one look.
            gallery.add(number, turn, summary, float(turn))
            expected.setdefault(number, []).append(looks[turn])
        if turn == 20:
            gallery.forget(7)
            expected.pop(7, None)
        numbers, distances = gallery.distances(queries)
        assert numbers.tolist() == sorted(expected)
        for column, one in enumerate(sorted(expected)):
            nearest = (1.0 - queries @ np.stack(expected[one]).T).min(axis=1)
            assert distances[:, column] == pytest.approx(nearest, abs=1e-5)


def node(key: int, mean: np.ndarray, identity: int | None = None, end: float = 0.0) -> Tracklet:
    summary = AppearanceSummary()
    summary.add(mean, end)
    return Tracklet(key, 0, key, end, end, summary=summary, identity=identity, closed=True)


def test_the_archive_shows_whom_is_held_and_of_the_others_the_nearest() -> None:
    looks = unit_vectors(200, 16)
    archive = Archive(1000)
    for number, mean in enumerate(looks, start=1):
        archive.add(node(number, mean, identity=number))
    nodes = [node(1001, looks[4], identity=9, end=5.0), node(1002, looks[7], end=5.0), node(1003, looks[8], 300, 20.0)]
    summaries = {one.key: one.summary for one in nodes}

    def nearest(row: int, most: int, near: float) -> set[int]:
        distances = 1.0 - looks @ looks[row]
        return {int(place) + 1 for place in np.argsort(distances)[:most] if distances[place] < near}

    def shown(near: float, most: int | None, since: float = -np.inf) -> set[int]:
        return {anchor.identity or 0 for anchor, _ in archive.anchors(nodes, summaries, near, most, since)}

    assert shown(0.6, None) == {9} | nearest(4, 200, 0.6) | nearest(7, 200, 0.6) | nearest(8, 200, 0.6)
    assert shown(2.1, 3) == {9} | nearest(4, 3, 2.1) | nearest(7, 3, 2.1) | nearest(8, 3, 2.1)
    # Who is somebody, and was over at the settlement before, is not compared again; of the three one is nobody yet.
    assert shown(2.1, 3, since=10.0) == {9} | nearest(7, 3, 2.1) | nearest(8, 3, 2.1)
    assert shown(0.01, 3, since=10.0) == {9, 8}


def test_what_others_hold_of_the_archive_does_not_change() -> None:
    looks = unit_vectors(4, 16)
    archive = Archive(10)
    archive.add(node(1, looks[0], identity=1))
    archive.add(node(2, looks[1], identity=2))
    before = archive.views()
    counts = {number: {camera: one.count for camera, one in views.items()} for number, views in before.items()}
    archive.add(node(3, looks[2], identity=1))
    after = archive.views()
    assert after[1] is not before[1] and after[2] is before[2]
    archive.merge(2, 1)
    archive.split_off(1, 5, 0, -1.0, 1.0)
    archive.forget_before(100.0, 0.0)
    assert {number: {camera: one.count for camera, one in views.items()} for number, views in before.items()} == counts


@pytest.mark.parametrize("count", [1, 2, 3, 8, 9, 30])
def test_the_usual_interval_is_the_median(count: int) -> None:
    times = np.cumsum(np.random.default_rng(count).exponential(size=count + 1))
    intervals = FrameIntervals()
    for time in times:
        intervals.note(0, float(time))
    assert intervals.usual(0) == pytest.approx(np.median(np.diff(times)[-9:]))


def test_a_threshold_is_the_quantile_of_student_t() -> None:
    from scipy.stats import t as student_t

    different = np.random.default_rng(0).normal(0.9, 0.1, 40)
    threshold = OpenSetThreshold(0.5, prior_place=1e-9, prior_spread=1e-9)
    threshold.learn(different, np.zeros(0))
    spread = np.sqrt(different.var() * (41 / 40))
    quantile = different.mean() + spread * student_t.ppf(0.01, 40)
    assert threshold.value == pytest.approx(quantile, rel=1e-6)


@pytest.mark.parametrize("chosen", [LONG_RUN | {"remembered_tracklets": 20}, {"remembered_tracklets": 20}])
def test_a_long_run_is_settled_with_few_of_many_known(chosen: dict[str, Any]) -> None:
    """However many are known; and who comes back is recognised as where everybody is looked at.

    They come two by two, so that it is learnt how far apart strangers are.
    """
    people, dimension = 180, 512
    identities = Identities(["a"], IdentitySettings(**chosen), 0.5)
    gather, found = identities.evidence.gather, []

    def counted(nodes: list[Tracklet], *rest: Any, **named: Any) -> Joint:
        found.append(len(nodes))
        return gather(nodes, *rest, **named)

    identities.evidence.gather = counted  # type: ignore[method-assign, assignment]
    looks, rng = unit_vectors(people, dimension), np.random.default_rng(0)
    numbers: dict[int, set[int]] = {}
    for visit, first in enumerate([*range(0, people, 2), *range(0, people, 14)]):
        tracks = [2 * visit, 2 * visit + 1]
        for step in range(8):
            time = 4.0 * visit + 0.2 * step
            features = normalised(looks[first : first + 2] + 0.01 * rng.normal(size=(2, dimension)))
            rows = [(track, [400.0 * row + 5 * step, 100, 400 * row + 60 + 5 * step, 260], features[row], 1.0)
                    for row, track in enumerate(tracks)]  # fmt: skip
            gone = [track - 2 for track in tracks] if visit and not step else []
            identities.observe([seen("a", time, rows, ended=gone, dimension=dimension)])
        now = identities.identity_of("a", np.array(tracks), np.array([time, time]))
        for row in range(2):
            numbers.setdefault(first + row, set()).add(int(now[row]))
    assert all(len(one) == 1 for one in numbers.values())
    assert len(set.union(*numbers.values())) == people
    # Twenty remembered and six new ones, whom they hold, and five for each that is new.
    few = 2 * (20 + 6) + 5 * 6
    assert max(found) <= few if "archived_candidates" in chosen else max(found) > 1.5 * few
