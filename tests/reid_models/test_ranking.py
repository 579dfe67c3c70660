"""CMC, mAP and mINP against published evaluators' numbers and the definition spelt out in loops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_models.errors import InputError
from reid_models.evaluation import ranking
from reid_models.evaluation.ranking import evaluate_distances, evaluate_ranking
from tests.reid_models.fixtures import read_fixture


def by_definition(
    distances: np.ndarray, query_ids: list[int], query_cameras: list[int], ids: list[int], cameras: list[int]
) -> tuple[list[int], list[float], list[float], list[int]]:
    """Return first hit's rank, AP, INP and index of each query with a true match; equal strangers go first."""
    ranks, precisions, penalties, valid = [], [], [], []
    for query, (identity, camera) in enumerate(zip(query_ids, query_cameras)):
        listed = []
        for image, (other, seen_by) in enumerate(zip(ids, cameras)):
            if other == -1 or (other == identity and seen_by == camera):
                continue
            listed.append((distances[query, image], other == identity))
        hits = [place for place, (_, match) in enumerate(sorted(listed), 1) if match]
        if hits and identity != -1:
            valid.append(query)
            ranks.append(hits[0])
            precisions.append(sum(n / place for n, place in enumerate(hits, 1)) / len(hits))
            penalties.append(len(hits) / hits[-1])
    return ranks, precisions, penalties, valid


@st.composite
def galleries(draw: st.DrawFn) -> tuple[np.ndarray, list[int], list[int], list[int], list[int]]:
    queries, images = draw(st.integers(1, 6)), draw(st.integers(1, 25))
    ids = draw(st.lists(st.integers(-1, 3), min_size=images, max_size=images))
    cameras = draw(st.lists(st.integers(0, 2), min_size=images, max_size=images))
    query_ids = draw(st.lists(st.integers(-1, 3), min_size=queries, max_size=queries))
    query_cameras = draw(st.lists(st.integers(0, 2), min_size=queries, max_size=queries))
    # Few different values, so that ties are common.
    values = draw(st.lists(st.integers(0, draw(st.sampled_from([2, 1000]))), min_size=queries * images,
                           max_size=queries * images))  # fmt: skip
    return np.array(values, np.float32).reshape(queries, images), query_ids, query_cameras, ids, cameras


@settings(max_examples=300, deadline=None)
@given(galleries(), st.booleans(), st.booleans())
def test_equals_the_definition(
    case: tuple[np.ndarray, list[int], list[int], list[int], list[int]], sort: bool, small_chunks: bool
) -> None:
    distances, query_ids, query_cameras, ids, cameras = case
    ranks, precisions, penalties, valid = by_definition(distances, query_ids, query_cameras, ids, cameras)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "_SORT_FROM_MATCHES", 0 if sort else 64)
        patch.setattr(ranking, "_GIVEN_CHUNK_VALUES", 1 if small_chunks else 100_000)
        if not valid:
            with pytest.raises(InputError):
                evaluate_distances(distances, query_ids, query_cameras, ids, cameras)
            return
        result = evaluate_distances(distances, query_ids, query_cameras, ids, cameras)
    assert result.queries.tolist() == valid
    np.testing.assert_allclose(result.average_precision, precisions, rtol=1e-12)
    np.testing.assert_allclose(result.inverse_negative_penalty, penalties, rtol=1e-12)
    expected = [np.mean([rank <= k for rank in ranks]) for k in range(1, len(result.cmc) + 1)]
    np.testing.assert_allclose(result.cmc, expected, rtol=1e-12)
    assert result.mAP == pytest.approx(np.mean(precisions)) and result.mINP == pytest.approx(np.mean(penalties))


def random_case(seed: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    random = np.random.default_rng(seed)
    query = [random.standard_normal((12, 8)), random.integers(0, 5, 12), random.integers(1, 4, 12)]
    gallery = [random.standard_normal((90, 8)), random.integers(-1, 5, 90), random.integers(1, 4, 90)]
    return query, gallery


def test_distance_matrices_and_features_agree() -> None:
    query, gallery = random_case(0)
    labels = (query[1], query[2], gallery[1], gallery[2])
    euclidean = np.linalg.norm(query[0][:, None] - gallery[0][None], axis=2)
    units = [f / np.linalg.norm(f, axis=1, keepdims=True) for f in (query[0], gallery[0])]
    for distance, matrix in (("euclidean", euclidean), ("cosine", 1 - units[0] @ units[1].T)):
        ours = evaluate_ranking(*query, *gallery, distance=distance)  # type: ignore[arg-type]
        theirs = evaluate_distances(matrix, *labels)
        assert ours.mAP == pytest.approx(theirs.mAP, abs=1e-12)
        assert ours.cmc.tolist() == theirs.cmc.tolist()


def test_the_order_of_the_gallery_does_not_matter() -> None:
    query, gallery = random_case(1)
    gallery[0] = np.round(gallery[0])  # with ties
    query[0] = np.round(query[0])
    order = np.random.default_rng(2).permutation(len(gallery[1]))
    first = evaluate_ranking(*query, *gallery, distance="euclidean")
    second = evaluate_ranking(*query, *(part[order] for part in gallery), distance="euclidean")
    assert first.average_precision.tolist() == second.average_precision.tolist()


def test_features_that_are_all_alike_find_nobody_first() -> None:
    """A collapsed network must not look perfect because its distances are all equal."""
    ids = np.repeat(np.arange(1, 11), 2)
    features = np.ones((20, 4), np.float32)
    result = evaluate_ranking(features, ids, np.ones(20, int), features, ids, np.full(20, 2))
    assert result.cmc[0] == 0 and result.percentages()["rank10"] == 0


def test_percentages_are_named_as_results_are_written() -> None:
    query, gallery = random_case(3)
    result = evaluate_ranking(*query, *gallery)
    assert list(result.percentages()) == ["rank1", "rank5", "rank10", "mAP", "mINP"]
    assert result.percentages()["rank5"] == pytest.approx(100 * result.cmc[4])


def test_bad_input_is_named() -> None:
    features, ids, cameras = np.ones((3, 2), np.float32), np.array([1, 2, 3]), np.array([1, 1, 1])
    good = (features, ids, cameras)
    broken = features.copy()
    broken[1, 0] = np.nan
    for arguments, message in (
        ((np.zeros((0, 2)), ids[:0], cameras[:0], *good), "the query is empty"),
        ((*good, np.zeros((0, 2)), ids[:0], cameras[:0]), "the gallery is empty"),
        ((*good, features, -np.ones(3, int), cameras), "nothing but junk"),
        ((broken, ids, cameras, *good), "1 query features are not finite, first that of image 1"),
        ((*good, np.ones((3, 5)), ids, cameras), "2 dimensions and gallery features 5"),
        ((features, ids[:2], cameras, *good), "query ids have shape"),
        ((features, ids * 1.0, cameras, *good), "whole numbers"),
        ((*good, *good), "no query has a true match from another camera"),
    ):
        with pytest.raises(InputError, match=message):
            evaluate_ranking(*arguments)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="distance 'manhattan'"):
        evaluate_ranking(*good, *good, distance="manhattan")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no numbers"):
        evaluate_distances(np.full((3, 3), np.nan), ids, cameras, ids, cameras + 1)


@pytest.mark.data
def test_equals_published_evaluators(data_root: Path) -> None:
    spec, arrays = read_fixture(data_root, "evaluation")
    labels = [arrays[f"{side}_{what}"] for side, what in (("q", "pids"), ("q", "cams"))]
    result = evaluate_ranking(
        arrays["q_features"],
        *labels,
        arrays["g_features_all"],
        arrays["g_pids_all"],
        arrays["g_cams_all"],
        distance="euclidean",
    )
    torchreid, fastreid = spec["market1501_torchreid"], spec["market1501_fastreid"]
    np.testing.assert_allclose(result.cmc, torchreid["cmc"], rtol=1e-6)
    assert result.mAP == pytest.approx(torchreid["mAP"], abs=1e-12)
    np.testing.assert_allclose(result.average_precision, fastreid["AP_per_valid_query"], rtol=1e-12)
    np.testing.assert_allclose(result.inverse_negative_penalty, fastreid["INP_per_valid_query"], rtol=1e-12)
    assert result.mINP == pytest.approx(fastreid["mINP"], abs=1e-12)
    assert result.queries.tolist() == spec["valid_query_indices"]
    kept = arrays["g_pids_all"] != -1
    matrix = evaluate_distances(
        arrays["distmat_after_junk_removal"], *labels, arrays["g_pids_all"][kept], arrays["g_cams_all"][kept]
    )
    assert matrix.mAP == pytest.approx(torchreid["mAP"], abs=1e-12)
    without_cameras = evaluate_distances(
        arrays["distmat_after_junk_removal"], labels[0], labels[1] * 0 - 1, arrays["g_pids_all"][kept],
        arrays["g_cams_all"][kept],
    )  # fmt: skip
    assert without_cameras.mAP == pytest.approx(spec["market1501_msinet_remove_cam_false"]["mAP"], abs=1e-12)
