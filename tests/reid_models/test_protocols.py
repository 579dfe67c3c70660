"""CUHK03's classic protocol, VehicleID's draws, several images per query, and keeping the query's own camera."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_models.data.rows import ImageRows, ReidData
from reid_models.errors import InputError
from reid_models.evaluation.evaluate import Embedded
from reid_models.evaluation.protocols import (
    cuhk03_classic,
    evaluate_gallery_draws,
    evaluate_single_gallery_shot,
    multi_query_ranking,
    pool_query_features,
    vehicleid,
)
from reid_models.evaluation.ranking import evaluate_distances, evaluate_ranking
from tests.reid_models.fixtures import read_fixture


def fixture_arguments(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    kept = arrays["g_pids_all"] != -1
    return {
        "distances": arrays["distmat_after_junk_removal"],
        "query_ids": arrays["q_pids"],
        "query_cameras": arrays["q_cams"],
        "gallery_ids": arrays["g_pids_all"][kept],
        "gallery_cameras": arrays["g_cams_all"][kept],
    }


def rows(ids: np.ndarray, cameras: np.ndarray) -> ImageRows:
    paths = tuple(Path(f"{number}.jpg") for number in range(len(ids)))
    return ImageRows(paths, np.asarray(ids, np.int64), np.asarray(cameras, np.int64))


def embedded(query: np.ndarray, query_rows: ImageRows, gallery: np.ndarray, gallery_rows: ImageRows) -> Embedded:
    data = ReidData("made-up", rows(np.zeros(0), np.zeros(0)), query_rows, gallery_rows)
    return Embedded(data, query.astype(np.float32), gallery.astype(np.float32))


@pytest.mark.data
def test_single_gallery_shot_equals_published_code_to_the_draw(data_root: Path) -> None:
    spec, arrays = read_fixture(data_root, "evaluation")
    spec = spec["cuhk03_torchreid_seed0"]
    arguments = fixture_arguments(arrays)
    result = evaluate_single_gallery_shot(**arguments, seed=0)
    assert len(result.cmc) == spec["max_rank"] == 12
    np.testing.assert_allclose(result.cmc, spec["cmc"], atol=1e-6)
    assert result.mAP == pytest.approx(spec["mAP"], abs=1e-12)
    # With junk in the gallery, which is dropped, and from features.
    kept = arrays["g_pids_all"] != -1
    data = embedded(
        arrays["q_features"], rows(arrays["q_pids"], arrays["q_cams"]), arrays["g_features_all"],
        rows(arrays["g_pids_all"], arrays["g_cams_all"]),
    )  # fmt: skip
    assert 0 < kept.sum() < len(kept)
    for distance in ("euclidean", "cosine"):
        figures = cuhk03_classic(data, distance, seed=0)  # type: ignore[arg-type]
        assert figures["rank1"] == pytest.approx(100 * spec["cmc"][0], abs=1e-4)
        assert figures["mAP"] == pytest.approx(100 * spec["mAP"])


@pytest.mark.data
def test_single_gallery_shot_has_the_published_mean_over_seeds(data_root: Path) -> None:
    spec, arrays = read_fixture(data_root, "evaluation")
    arguments = fixture_arguments(arrays)
    curves = [evaluate_single_gallery_shot(**arguments, draws=100, seed=seed).cmc for seed in range(1, 11)]
    np.testing.assert_allclose(
        np.mean(curves, axis=0), spec["cuhk03_torchreid_seed0"]["cmc_mean_over_200_seeds"], atol=0.02
    )
    assert np.std([curve[0] for curve in curves]) > 0


@pytest.mark.data
def test_keeping_the_own_camera_equals_published_code(data_root: Path) -> None:
    spec, arrays = read_fixture(data_root, "evaluation")
    result = evaluate_distances(**fixture_arguments(arrays), remove_camera=False)
    np.testing.assert_allclose(result.cmc, spec["market1501_msinet_remove_cam_false"]["cmc"], atol=1e-6)
    assert result.mAP == pytest.approx(spec["market1501_msinet_remove_cam_false"]["mAP"], abs=1e-12)
    features = evaluate_ranking(
        arrays["q_features"], arrays["q_pids"], arrays["q_cams"], arrays["g_features_all"], arrays["g_pids_all"],
        arrays["g_cams_all"], remove_camera=False,
    )  # fmt: skip
    np.testing.assert_allclose(features.average_precision, result.average_precision, rtol=1e-9)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 9999), st.integers(1, 5), st.booleans())
def test_one_draw_of_single_gallery_shot_is_a_ranking_of_one_image_per_identity(
    seed: int, queries: int, remove_camera: bool
) -> None:
    """Replay the draws with scalar calls; equal distances are common, and true matches go behind them."""
    random = np.random.default_rng(seed)
    distances = random.integers(0, 12, (queries, 14)).astype(np.float64)
    ids, cameras = random.integers(-1, 4, 14), random.integers(0, 3, 14)
    query_ids, query_cameras = random.integers(1, 4, queries), random.integers(0, 3, queries)
    legacy = np.random.RandomState(seed)
    hits, valid = np.zeros(50), 0
    for query in range(queries):
        own = (ids == query_ids[query]) & (cameras == query_cameras[query]) & remove_camera
        listed = [image for image in range(14) if ids[image] != -1 and not own[image]]
        listed.sort(key=lambda image, query=query: (distances[query, image], ids[image] == query_ids[query], image))
        ranked = [ids[image] for image in listed]
        if query_ids[query] not in ranked:
            continue
        valid += 1
        for _ in range(3):
            drawn = {}
            for identity in dict.fromkeys(ranked):
                places = [place for place, other in enumerate(ranked) if other == identity]
                drawn[identity] = places[legacy.randint(len(places))]
            rank = sorted(drawn, key=lambda identity: drawn[identity]).index(query_ids[query])
            hits[rank:] += 1
    arguments = (distances, query_ids, query_cameras, ids, cameras)
    options = {"draws": 3, "seed": seed, "remove_camera": remove_camera}
    if not valid:
        with pytest.raises(InputError):
            evaluate_single_gallery_shot(*arguments, **options)  # type: ignore[arg-type]
        return
    result = evaluate_single_gallery_shot(*arguments, **options)  # type: ignore[arg-type]
    assert 1 <= len(result.cmc) <= 4
    np.testing.assert_allclose(result.cmc, hits[: len(result.cmc)] / valid / 3)
    assert result.cmc[-1] == 1


def test_gallery_draws_take_one_image_per_identity_and_differ() -> None:
    random = np.random.default_rng(0)
    ids = np.repeat(np.arange(1, 31), random.integers(2, 6, 30))
    features = np.eye(31)[ids] + 0.5 * random.standard_normal((len(ids), 31))
    found = evaluate_gallery_draws(features, ids, draws=10, seed=3)
    assert len(found.results) == 10
    for result in found.results:
        # One true match each: AP is the inverse of its rank, and all images but 30 query.
        assert len(result.queries) == len(ids) - 30
        np.testing.assert_array_equal(result.average_precision, result.inverse_negative_penalty)
        assert len(result.cmc) == 30 and result.cmc[-1] == 1
    rank1 = [100 * result.cmc[0] for result in found.results]
    assert found.percentages()["rank1"] == pytest.approx(np.mean(rank1))
    assert found.deviations()["rank1"] == pytest.approx(np.std(rank1, ddof=1)) and found.deviations()["rank1"] > 0
    again = evaluate_gallery_draws(features, ids, draws=10, seed=3)
    assert again.percentages() == found.percentages()
    assert evaluate_gallery_draws(features, ids, draws=10, seed=4).percentages() != found.percentages()
    assert evaluate_gallery_draws(features, ids, draws=1).deviations()["mAP"] == 0
    # Query and gallery are read as all test images, each with a camera of its own.
    test_rows = rows(ids, np.arange(1, len(ids) + 1))
    assert vehicleid(embedded(features, test_rows, features, test_rows), "cosine", seed=3) == pytest.approx(
        found.percentages(), abs=0.2
    )


def test_gallery_draws_of_strangers_find_a_match_by_chance() -> None:
    random = np.random.default_rng(1)
    ids = np.repeat(np.arange(1, 21), 20)
    found = evaluate_gallery_draws(random.standard_normal((400, 8)), ids, draws=20)
    assert found.percentages()["rank1"] == pytest.approx(100 / 20, abs=2)
    assert found.percentages()["rank10"] == pytest.approx(50, abs=5)


def test_gallery_draws_leave_junk_out() -> None:
    ids = np.array([1, 1, 2, 2, -1, -1])
    features = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1], [1, 0.05], [0.05, 1]])
    for result in evaluate_gallery_draws(features, ids, draws=3).results:
        assert len(result.queries) == 2 and result.mAP == 1


def test_pooled_queries() -> None:
    ids, cameras = [1, 1, 1, 2], [1, 2, 1, 1]
    wanted = ([1, 1, 1], [1, 2, 1])
    features = np.array([[0, 0.0], [2, 0], [4, 6], [9, 9]])
    average = pool_query_features(*wanted, features, ids, cameras, normalize=False)
    np.testing.assert_array_equal(average, [[2, 3], [2, 0], [2, 3]])
    largest = pool_query_features(*wanted, features, ids, cameras, pooling="max", normalize=False)
    np.testing.assert_array_equal(largest, [[4, 6], [2, 0], [4, 6]])
    # Of length 1 they are (1, 0) and (0.6, 0.8), and average to (0.8, 0.4).
    features = np.array([[5, 0.0], [2, 0], [3, 4], [9, 9]])
    both = np.array([2, 1]) / np.sqrt(5)
    np.testing.assert_allclose(pool_query_features(*wanted, features, ids, cameras), [both, [1, 0], both])


def test_several_images_of_a_query_find_more_than_one() -> None:
    random = np.random.default_rng(2)
    ids = np.repeat(np.arange(20), 6) + 1
    centres = random.standard_normal((21, 16))
    query, gallery = (centres[ids] + 1.5 * random.standard_normal((120, 16)) for _ in range(2))
    data = embedded(query, rows(ids, np.ones(120)), gallery, rows(ids, np.full(120, 2)))
    single = evaluate_ranking(query, ids, np.ones(120, int), gallery, ids, np.full(120, 2))
    for pooling in ("average", "max"):
        several = multi_query_ranking(data, "cosine", pooling)
        assert len(several.queries) == 20
        if pooling == "average":
            assert several.mAP > single.mAP + 0.1
    with pytest.raises(InputError, match="one query image for each identity and camera"):
        multi_query_ranking(embedded(query[::6], rows(ids[::6], np.ones(20)), gallery, data.data.gallery), "cosine")


def test_bad_input_is_named() -> None:
    features, ids, cameras = np.eye(4), np.array([1, 1, 2, 3]), np.array([1, 2, 1, 1])
    broken = features.copy()
    broken[3, 0] = np.nan
    with pytest.raises(InputError, match="1 test features are not finite, first that of image 3"):
        evaluate_gallery_draws(broken, ids)
    with pytest.raises(InputError, match="draws is 0"):
        evaluate_gallery_draws(features, ids, draws=0)
    with pytest.raises(InputError, match="none of the 4 identities has two images"):
        evaluate_gallery_draws(features, np.arange(4))
    with pytest.raises(InputError, match="nothing but junk"):
        evaluate_gallery_draws(features, -np.ones(4, int))
    with pytest.raises(InputError, match="draws is 0"):
        evaluate_single_gallery_shot(features, ids, cameras, ids, cameras, draws=0)
    with pytest.raises(InputError, match="no query has a true match"):
        evaluate_single_gallery_shot(features, ids + 9, cameras, ids, cameras)
    with pytest.raises(InputError, match="nothing but junk"):
        evaluate_single_gallery_shot(np.zeros((4, 0)), ids, cameras, [], [])
    with pytest.raises(InputError, match=r"query 1 \(identity 2, camera 9\) has no image to pool"):
        pool_query_features([1, 2], [1, 9], features, ids, cameras)
    with pytest.raises(InputError, match="pooling 'sum' is not one of average, max"):
        pool_query_features([1], [1], features, ids, cameras, pooling="sum")
    with pytest.raises(InputError, match="gallery cameras have shape"):
        pool_query_features([1], [1], features, ids, cameras[:2])
