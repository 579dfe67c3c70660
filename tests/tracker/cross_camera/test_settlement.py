"""Clustering of tracklets: by hand, against every possible clustering, and whatever the order of the nodes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.cross_camera.settlement import cluster

Graph = tuple[np.ndarray, np.ndarray, np.ndarray, list[tuple[int, int, float]]]


def graph(seed: int, count: int, forbidden_share: float = 0.2, unknown_share: float = 0.2) -> Graph:
    """Return random evidence, forbidden pairs, weights and bonds."""
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.normal(-0.5, 3, (count, count)), 1)
    upper[rng.random((count, count)) < unknown_share] = np.nan
    evidence = np.where(np.tri(count, dtype=bool), upper.T, upper)
    np.fill_diagonal(evidence, 0)
    forbidden = np.triu(rng.random((count, count)) < forbidden_share, 1)
    bonds = []
    if count > 2:
        for _ in range(count // 3):
            first, second = rng.choice(count, 2, replace=False).tolist()
            bonds.append((first, second, float(rng.uniform(0.5, 2))))
    return evidence.astype(np.float32), forbidden | forbidden.T, rng.uniform(0.2, 3, count).astype(np.float32), bonds


def partition(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


def hand(pairs: dict[tuple[int, int], float], count: int) -> np.ndarray:
    evidence = np.full((count, count), np.nan, np.float32)
    for (first, second), nats in pairs.items():
        evidence[first, second] = evidence[second, first] = nats
    return evidence


def objective(
    labels: Sequence[int] | np.ndarray, evidence: np.ndarray, weights: np.ndarray, bonds: list[tuple[int, int, float]]
) -> float:
    """Weighted evidence inside clusters, and the bonds inside them: what correlation clustering maximises."""
    labels = np.asarray(labels)
    inside = np.triu(labels[:, None] == labels, 1)
    value = float((np.nan_to_num(evidence) * np.outer(weights, weights))[inside].sum())
    return value + sum(nats for first, second, nats in bonds if labels[first] == labels[second])


def clusterings(count: int) -> Iterator[list[int]]:
    """Yield every way to put ``count`` nodes into clusters."""

    def extend(labels: list[int]) -> Iterator[list[int]]:
        if len(labels) == count:
            yield labels
            return
        for label in range(max(labels, default=-1) + 2):
            yield from extend([*labels, label])

    return extend([])


def test_hand_made_cases() -> None:
    none = np.zeros((3, 3), bool)
    ones = np.ones(3, np.float32)
    chain = hand({(0, 1): 3.0, (1, 2): -1.0, (0, 2): -1.0}, 3)
    assert cluster(chain, none, ones).tolist() == [0, 0, 1]
    # nothing known: everybody is somebody else
    assert cluster(hand({}, 3), none, ones).tolist() == [0, 1, 2]
    # the stronger of two that exclude each other
    both = hand({(0, 1): 2.0, (0, 2): 3.0, (1, 2): 0.0}, 3)
    apart = none.copy()
    apart[1, 2] = apart[2, 1] = True
    assert cluster(both, apart, ones).tolist() == [0, 1, 0]
    # evidence below the margin joins nobody
    assert cluster(hand({(0, 1): 0.4}, 3), none, ones, margin=0.5).tolist() == [0, 1, 2]
    assert cluster(hand({(0, 1): 0.6}, 3), none, ones, margin=0.5).tolist() == [0, 0, 1]
    assert cluster(np.zeros((0, 0), np.float32), np.zeros((0, 0), bool), np.zeros(0, np.float32)).tolist() == []
    assert cluster(np.zeros((1, 1), np.float32), np.zeros((1, 1), bool), np.ones(1, np.float32)).tolist() == [0]


def test_averages_not_sums() -> None:
    """Many weak hints do not drag a node into a cluster that one strong piece of evidence speaks against."""
    evidence = hand({(0, 1): 4.0, (0, 2): 4.0, (1, 2): 4.0, (0, 3): 0.3, (1, 3): 0.3, (2, 3): -2.0}, 4)
    assert cluster(evidence, np.zeros((4, 4), bool), np.ones(4, np.float32)).tolist() == [0, 0, 0, 1]


def test_weights_say_whose_evidence_counts() -> None:
    evidence = hand({(0, 1): 4.0, (0, 2): 2.0, (1, 2): -2.0}, 3)
    none = np.zeros((3, 3), bool)
    assert cluster(evidence, none, np.array([4, 1, 1], np.float32)).tolist() == [0, 0, 0]
    assert cluster(evidence, none, np.array([1, 4, 1], np.float32)).tolist() == [0, 0, 1]


def test_bonds_join_what_looks_do_not_know_and_bend_before_them() -> None:
    none = np.zeros((2, 2), bool)
    ones = np.ones(2, np.float32)
    assert cluster(hand({}, 2), none, ones, [(0, 1, 1.0)]).tolist() == [0, 0]
    assert cluster(hand({(0, 1): -3.0}, 2), none, ones, [(0, 1, 1.0)]).tolist() == [0, 1]
    assert cluster(hand({(0, 1): -3.0}, 2), none, ones, [(0, 1, 4.0)]).tolist() == [0, 0]
    assert cluster(hand({}, 2), ~np.eye(2, dtype=bool), ones, [(0, 1, 9.0)]).tolist() == [0, 1]
    # a bond is between two nodes, but their clusters join
    evidence = hand({(0, 1): 3.0, (2, 3): 3.0}, 4)
    nodes = np.ones(4, np.float32)
    assert cluster(evidence, np.zeros((4, 4), bool), nodes, [(1, 2, 1.0)]).tolist() == [0, 0, 0, 0]
    crossed = ~np.eye(4, dtype=bool) & (np.add.outer(np.arange(4), np.arange(4)) == 3)
    assert len(partition(cluster(evidence, crossed, nodes, [(1, 2, 1.0)]))) == 2


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 14), margin=st.sampled_from([0.1, 0.5]))
def test_whatever_the_order_of_nodes(seed: int, count: int, margin: float) -> None:
    evidence, forbidden, weights, bonds = graph(seed, count)
    labels = cluster(evidence, forbidden, weights, bonds, margin=margin)
    assert not (forbidden & (labels[:, None] == labels)).any()
    first_seen = list(dict.fromkeys(labels.tolist()))
    assert first_seen == list(range(len(first_seen)))
    order = np.random.default_rng(seed).permutation(count)
    place = np.argsort(order)
    again = cluster(
        evidence[np.ix_(order, order)],
        forbidden[np.ix_(order, order)],
        weights[order],
        [(int(place[first]), int(place[second]), nats) for first, second, nats in bonds],
        margin=margin,
    )
    assert partition(again[place]) == partition(labels)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(2, 7))
def test_against_every_clustering(seed: int, count: int) -> None:
    evidence, forbidden, weights, _ = graph(seed, count)
    labels = cluster(evidence, forbidden, weights)
    allowed = [
        candidate
        for candidate in clusterings(count)
        if not (forbidden & (np.array(candidate)[:, None] == np.array(candidate))).any()
    ]
    values = [objective(candidate, evidence, weights, []) for candidate in allowed]
    reached = objective(labels, evidence, weights, [])
    assert reached <= max(values) + 1e-4
    assert reached >= -1e-4, "never worse than everybody alone"
    everybody_one = objective(np.zeros(count), evidence, weights, [])
    assert forbidden.any() or reached >= min(everybody_one, 0) - 1e-4


def test_near_the_best_on_average() -> None:
    reached, best = 0.0, 0.0
    for seed in range(40):
        evidence, forbidden, weights, _ = graph(seed, 6)
        reached += objective(cluster(evidence, forbidden, weights), evidence, weights, [])
        best += max(
            objective(candidate, evidence, weights, [])
            for candidate in clusterings(6)
            if not (forbidden & (np.array(candidate)[:, None] == np.array(candidate))).any()
        )
    assert reached >= 0.9 * best


@pytest.mark.parametrize("people", [5, 40])
def test_finds_people_among_many_noisy_tracklets(people: int) -> None:
    rng = np.random.default_rng(people)
    truth = rng.integers(0, people, 400)
    same = truth[:, None] == truth
    noise = np.triu(rng.normal(0, 1.0, (400, 400)), 1)
    evidence = np.where(same, 2.0, -4.0) + noise + noise.T
    begin = time.perf_counter()
    labels = cluster(evidence.astype(np.float32), np.zeros((400, 400), bool), np.ones(400, np.float32), margin=0.5)
    assert time.perf_counter() - begin < 5.0
    assert partition(labels) == partition(truth)
