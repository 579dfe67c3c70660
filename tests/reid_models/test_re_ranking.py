"""k-reciprocal re-ranking against published code's numbers and the definition spelt out in loops and sets."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_models.errors import InputError
from reid_models.evaluation import nearest, re_ranking
from reid_models.evaluation.nearest import smallest_of_rows
from reid_models.evaluation.re_ranking import re_rank, re_rank_distances
from tests.reid_models.fixtures import read_fixture


def by_definition(squared: np.ndarray, queries: int, k1: int, k2: int, lambda_value: float) -> np.ndarray:
    """Return (Q, G) from squared distances (N, N) float64, one image after the other."""
    count = len(squared)
    distance = squared / squared.max(axis=1, keepdims=True)
    ranks = [sorted(range(count), key=lambda j, row=row: (row[j], j)) for row in distance]

    def reciprocal(image: int, k: int) -> set[int]:
        return {other for other in ranks[image][: k + 1] if image in ranks[other][: k + 1]}

    encoded = np.zeros((count, count))
    for image in range(count):
        near = reciprocal(image, k1)
        expanded = set(near)
        for candidate in near:
            nearer = reciprocal(candidate, int(np.around(k1 / 2)))
            if len(nearer & near) > 2 / 3 * len(nearer):
                expanded |= nearer
        for other in expanded:
            encoded[image, other] = np.exp(-distance[image, other])
        encoded[image] /= encoded[image].sum() or 1
    if k2 > 1:
        encoded = np.stack([encoded[ranks[image][:k2]].mean(axis=0) for image in range(count)])
    result = np.empty((queries, count - queries))
    for query in range(queries):
        smaller = np.minimum(encoded[query], encoded[queries:]).sum(axis=1)
        result[query] = (1 - lambda_value) * (1 - smaller / (2 - smaller)) + lambda_value * distance[query, queries:]
    return result


def squared_distances(*parts: np.ndarray) -> np.ndarray:
    features = np.concatenate(parts).astype(np.float64)
    return ((features[:, None] - features[None]) ** 2).sum(axis=2)


def people(seed: int, queries: int = 15, gallery: int = 75, dimension: int = 12) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    centres = random.standard_normal((8, dimension))
    features = centres[random.integers(0, 8, queries + gallery)]
    features = (features + 0.7 * random.standard_normal(features.shape)).astype(np.float32)
    return features[:queries], features[queries:]


@pytest.mark.parametrize(
    ("k1", "k2", "lambda_value"),
    [(20, 6, 0.3), (10, 3, 0.3), (30, 10, 0.2), (5, 1, 0.5), (1, 2, 0.0), (7, 12, 0.9), (3, 200, 0.3)],
)
def test_equals_the_definition(k1: int, k2: int, lambda_value: float) -> None:
    query, gallery = people(k1)
    expected = by_definition(squared_distances(query, gallery), len(query), k1, k2, lambda_value)
    result = re_rank(query, gallery, k1=k1, k2=k2, lambda_value=lambda_value)
    assert result.dtype == np.float32 and result.shape == (15, 75)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6)


def test_neighbourhoods_larger_than_the_images_are_all_images() -> None:
    query, gallery = people(11, queries=4, gallery=21)
    expected = by_definition(squared_distances(query, gallery), 4, 60, 6, 0.3)
    np.testing.assert_allclose(re_rank(query, gallery, k1=60), expected, rtol=0, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 6), st.integers(1, 14), st.integers(1, 3), st.integers(1, 8), st.integers(1, 6), st.integers(0, 9999)
)
def test_equals_the_definition_with_equal_distances(
    queries: int, gallery: int, dimension: int, k1: int, k2: int, seed: int
) -> None:
    """On a coarse grid many images are at one distance, and some are the same; the order of images decides."""
    random = np.random.default_rng(seed)
    features = random.integers(0, 5, (queries + gallery, dimension)).astype(np.float32)
    features[0] = 7  # somebody is elsewhere, so that distances have a maximum
    features[-1] = -1
    expected = by_definition(squared_distances(features), queries, k1, min(k2, len(features)), 0.3)
    result = re_rank(features[:queries], features[queries:], k1=k1, k2=k2)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6)


def test_rounding_does_not_choose_neighbours() -> None:
    """All distances differ by less than a float32 matrix product can tell."""
    random = np.random.default_rng(4)
    features = 100 * np.eye(60, 300) + 1e-5 * random.standard_normal((60, 300))
    for dtype in (np.float64, np.float32):
        typed = features.astype(dtype)
        expected = by_definition(squared_distances(typed), 10, 20, 6, 0.3)
        result = re_rank(typed[:10], typed[10:])
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest, "_ROUNDING_UNITS", 0)
        assert np.abs(re_rank(typed[:10], typed[10:]) - expected).max() > 1e-3


def test_features_far_from_the_origin_lose_nothing() -> None:
    query, gallery = (part.astype(np.float64) + 1e4 for part in people(2))
    expected = by_definition(squared_distances(query, gallery), len(query), 20, 6, 0.3)
    np.testing.assert_allclose(re_rank(query, gallery), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-20, 1e18])
def test_the_unit_does_not_matter(scale: float) -> None:
    query, gallery = people(3)
    result = re_rank(query * np.float32(scale), gallery * np.float32(scale))
    np.testing.assert_allclose(result, re_rank(query, gallery), rtol=0, atol=1e-6)


def test_blocks_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    query, gallery = people(5)
    squared = squared_distances(query, gallery)
    distances = np.sqrt(squared)
    parts = (distances[:15, 15:], distances[:15, :15], distances[15:, 15:])
    expected = re_rank(query, gallery), re_rank_distances(*parts)
    for size in (1, 700, 2000):
        for module, name in (
            (nearest, "_BLOCK_VALUES"),
            (nearest, "_SEARCH_VALUES"),
            (nearest, "_GATHER_VALUES"),
            (re_ranking, "_TERMS"),
            (re_ranking, "_CELLS"),
        ):
            monkeypatch.setattr(module, name, size)
        np.testing.assert_allclose(re_rank(query, gallery), expected[0], rtol=0, atol=5e-7)
        np.testing.assert_array_equal(re_rank_distances(*parts), expected[1])


def test_distances_features_and_cosine_agree() -> None:
    query, gallery = people(6)
    units = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in (query, gallery)]
    distances = np.sqrt(squared_distances(*units))
    given_distances = re_rank_distances(distances[:15, 15:], distances[:15, :15], distances[15:, 15:])
    np.testing.assert_allclose(re_rank(*units), given_distances, rtol=0, atol=1e-6)
    np.testing.assert_allclose(re_rank(query, gallery, distance="cosine"), given_distances, rtol=0, atol=1e-6)


def test_given_distances_that_are_not_symmetric_are_taken_by_column() -> None:
    """The authors' code divides each column by its maximum and transposes."""
    random = np.random.default_rng(7)
    distances = random.random((40, 40)) + 0.1
    distances[8:, :8] = distances[:8, 8:].T
    result = re_rank_distances(distances[:8, 8:], distances[:8, :8], distances[8:, 8:], k1=6, k2=3)
    expected = by_definition((distances**2).T, 8, 6, 3, 0.3)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6)


def test_lambda_one_is_the_scaled_squared_distance() -> None:
    query, gallery = people(8)
    squared = squared_distances(query, gallery)
    expected = squared[:15, 15:] / squared[:15].max(axis=1, keepdims=True)
    np.testing.assert_allclose(re_rank(query, gallery, lambda_value=1), expected, atol=1e-6)


def test_images_that_are_all_alike_are_all_equally_far() -> None:
    result = re_rank(np.ones((3, 5)), np.ones((40, 5)))
    assert np.isfinite(result).all()
    # Ties alone decide who is whose neighbour, so the result says nothing; but it is a distance.
    assert result.min() >= 0 and result.max() <= 1


def test_neighbours_of_neighbours_come_nearer() -> None:
    """On two half circles the far end of the query's own is nearer than the other one only through its neighbours."""
    angle = np.linspace(0, np.pi, 60)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower = np.stack([1 - np.cos(angle), 0.35 - np.sin(angle)], axis=1)
    query, gallery = upper[:20:4], np.concatenate([np.delete(upper, range(0, 20, 4), axis=0), lower])
    own = np.arange(len(gallery)) < 55
    before = np.linalg.norm(query[:, None] - gallery[None], axis=2)
    after = re_rank(query, gallery, k1=8, k2=4)
    nearest_before, nearest_after = (np.argsort(part, axis=1)[:, :20] for part in (before, after))
    assert own[nearest_after].mean() > own[nearest_before].mean()


def test_memory_is_far_below_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "_BLOCK_VALUES", 300_000)
    monkeypatch.setattr(re_ranking, "_TERMS", 50_000)
    monkeypatch.setattr(re_ranking, "_CELLS", 100_000)
    query, gallery = people(9, queries=100, gallery=2900, dimension=8)
    tracemalloc.start()
    re_rank(query, gallery)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3000 * 3000 * 4 / 2


def test_progress_ends_at_the_total() -> None:
    steps: list[tuple[int, int]] = []
    query, gallery = people(10)
    re_rank(query, gallery, progress=lambda done, total: steps.append((done, total)))
    assert steps == sorted(steps)
    assert steps[-1] == (105, 105) and {total for _, total in steps} == {105}


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 4), st.integers(1, 300), st.integers(1, 40), st.integers(0, 9999), st.sampled_from([3, 10**6]))
def test_smallest_values_are_those_of_a_stable_sort(rows: int, width: int, count: int, seed: int, values: int) -> None:
    count = min(count, width)
    array = np.random.default_rng(seed).integers(0, values, (rows, width)).astype(np.float32)
    columns, found = smallest_of_rows(array, count)
    expected = np.argsort(array, axis=1, kind="stable")[:, :count]
    np.testing.assert_array_equal(columns, expected)
    np.testing.assert_array_equal(found, np.take_along_axis(array, expected, axis=1))


def test_bad_input_is_named() -> None:
    good = np.ones((3, 4), np.float32)
    broken = good.copy()
    broken[2, 1] = np.inf
    for arguments, options, message in (
        ((good[:0], good), {}, "the query is empty"),
        ((good, good[:0]), {}, "the gallery is empty"),
        ((good, broken), {}, "1 gallery features are not finite, first that of image 2"),
        ((good, good[:, :2]), {}, "query features have 4 dimensions and gallery features 2"),
        ((good, good), {"k1": 0}, "k1=0 and k2=6: both must be at least 1"),
        ((good, good), {"k2": 0}, "both must be at least 1"),
        ((good, good), {"lambda_value": 1.5}, "lambda_value=1.5 must lie between 0 and 1"),
        ((good, good), {"distance": "manhattan"}, "distance 'manhattan'"),
    ):
        with pytest.raises(InputError, match=message):
            re_rank(*arguments, **options)  # type: ignore[arg-type]
    square = np.ones((3, 3))
    lost = square.copy()
    lost[1, 2] = np.nan
    for parts, message in (
        ((square, square, square[:2]), r"give floats \(Q, G\), \(Q, Q\) and \(G, G\)"),
        ((square[:0], np.ones((0, 0)), square), "no query or no gallery image"),
        ((square, square, lost), "not finite"),
        ((lost, square, square), "not finite"),
    ):
        with pytest.raises(InputError, match=message):
            re_rank_distances(*parts)


@pytest.mark.data
def test_equals_published_code(data_root: Path) -> None:
    spec, arrays = read_fixture(data_root, "evaluation")
    query, gallery = arrays["q_features"], arrays["g_features_all"][arrays["g_pids_all"] != -1]
    gallery_gallery = np.sqrt(squared_distances(gallery)).astype(np.float32)
    names = [name for name in spec["rerank"]["results"] if name.startswith(("rerank_torchreid", "rerank_mgn"))]
    assert len(names) == 5
    for name in names:
        k1, k2, lambda_value = name.split("_")[2:]
        options = {"k1": int(k1), "k2": int(k2), "lambda_value": float(lambda_value)}
        parts = (arrays["distmat_after_junk_removal"], arrays["rerank_qq"], gallery_gallery)
        for result in (
            re_rank(query, gallery, **options),  # type: ignore[arg-type]
            re_rank(query, gallery, distance="cosine", **options),  # type: ignore[arg-type]
            re_rank_distances(*parts, **options),  # type: ignore[arg-type]
        ):
            np.testing.assert_allclose(result, arrays[name], rtol=0, atol=1e-6)
    # The strong baseline's code computes in float16.
    half = arrays["rerank_strong_baseline_20_6_0.3"]
    np.testing.assert_allclose(re_rank(query, gallery), half, rtol=0, atol=5e-3)
