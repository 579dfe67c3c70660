"""Appearance memories equal their definitions, and give memory back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.association.appearance import AverageAppearance, GalleryAppearance, cosine_distance, unit_vectors
from tracker.association.gating import gated_pairs
from tracker.motion.kalman import create_filter


def units(rng: np.random.Generator, count: int, dimension: int = 16) -> np.ndarray:
    return unit_vectors(rng.normal(size=(count, dimension)).astype(np.float32))[0]


def test_unit_vectors_of_any_length() -> None:
    rows = np.array([[3, 4], [np.nan, np.nan], [0, 0], [3e30, 4e30], [3e-25, 4e-25], [np.inf, 1]], np.float32)
    found, embedded = unit_vectors(rows)
    assert embedded.tolist() == [True, False, False, True, True, False]
    np.testing.assert_allclose(found[[0, 3, 4]], [[0.6, 0.8]] * 3, rtol=1e-5)
    np.testing.assert_array_equal(found[[1, 2, 5]], 0.0)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_cosine_distance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = units(rng, 4), units(rng, 5)
    found = cosine_distance(first, second)
    for row in range(4):
        for column in range(5):
            expected = 1 - sum(float(a) * float(b) for a, b in zip(first[row], second[column], strict=True))
            assert found[row, column] == pytest.approx(expected, abs=1e-5)
    np.testing.assert_allclose(cosine_distance(first, first).diagonal(), 0.0, atol=1e-6)


def test_average_is_the_papers_moving_average() -> None:
    rng = np.random.default_rng(0)
    memory = AverageAppearance(0.9)
    memory.dimension = 16
    slot = memory.allocate(1, np.zeros(0, int))
    history = units(rng, 6)
    expected = history[0]
    memory.add(slot, history[:1])
    for feature in history[1:]:
        memory.add(slot, feature[None])
        expected = 0.9 * expected + 0.1 * feature
        expected = expected / np.linalg.norm(expected)
    np.testing.assert_allclose(memory.vectors[slot[0]], expected, rtol=1e-5)
    found = memory.similarity(np.repeat(slot, 3), history, np.array([1, 4, 5]))
    np.testing.assert_allclose(found, history[[1, 4, 5]] @ expected, rtol=1e-5)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), size=st.integers(1, 7), added=st.integers(1, 20))
def test_gallery_is_the_nearest_of_the_last_features(seed: int, size: int, added: int) -> None:
    rng = np.random.default_rng(seed)
    memory = GalleryAppearance(size)
    memory.dimension = 16
    slots = memory.allocate(3, np.zeros(0, int))
    histories: list[list[np.ndarray]] = [[], [], []]
    for _ in range(added):
        chosen = rng.permutation(3)[: rng.integers(1, 4)]
        new = units(rng, len(chosen))
        memory.add(slots[chosen], new)
        for track, feature in zip(chosen, new, strict=True):
            histories[track].append(feature)
    queries = units(rng, 4)
    for track in range(3):
        if not histories[track]:
            continue
        expected = np.max([queries @ feature for feature in histories[track][-size:]], axis=0)
        found = memory.similarity(np.repeat(slots[track], 4), queries, np.arange(4))
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("memory", [AverageAppearance(), GalleryAppearance(4)], ids=["average", "gallery"])
def test_slots_are_reused_empty_and_memory_is_given_back(memory: AverageAppearance | GalleryAppearance) -> None:
    rng = np.random.default_rng(1)
    memory.dimension = 16
    slots = memory.allocate(300, np.zeros(0, int))
    features = units(rng, 300)
    memory.add(slots, features)
    full = memory.nbytes
    kept = slots[100:110]
    moved = memory.shrink(kept)
    assert moved is not None and memory.nbytes < full / 4
    np.testing.assert_allclose(memory.similarity(moved, features[100:110], np.arange(10)), 1.0, rtol=1e-5)
    new = memory.allocate(5, moved)
    assert not set(new.tolist()) & set(moved.tolist())
    other = units(rng, 5)
    memory.add(new, other)
    np.testing.assert_allclose(memory.similarity(new, other, np.arange(5)), 1.0, rtol=1e-5)
    assert memory.shrink(np.arange(memory.capacity)) is None


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), rows=st.integers(1, 60), columns=st.integers(1, 60))
def test_gated_pairs_are_those_inside_the_gate(seed: int, rows: int, columns: int) -> None:
    rng = np.random.default_rng(seed)
    motion = create_filter("xyah")

    def boxes(count: int) -> np.ndarray:
        low = rng.uniform(0, 200, (2, count))
        size = rng.uniform(80, 120, count)
        return np.concatenate([low, low + np.stack([size * 0.4, size])])

    state = motion.initiate(motion.measure(boxes(rows)))
    motion.predict(state)
    measurements = motion.measure(boxes(columns))
    distances = motion.squared_distance(state, measurements)
    found_rows, found_columns, squared = gated_pairs(motion, state, measurements, 9.4877)
    found = set(zip(found_rows.tolist(), found_columns.tolist(), strict=True))
    assert found == {tuple(pair) for pair in np.argwhere(distances <= 9.4877).tolist()}
    np.testing.assert_allclose(squared, distances[found_rows, found_columns], rtol=1e-9)
