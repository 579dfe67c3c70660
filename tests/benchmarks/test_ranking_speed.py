"""``python -m benchmarks.speed ranking``: both sides compute the same, and what is written is what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import ranking_speed
from benchmarks.ranking_speed import RankingSizes, compare_ranking, make_ranking_data, ranking_table
from benchmarks.usual_ranking import usual_re_ranking, usual_scores
from reid_models.evaluation.ranking import evaluate_distances, evaluate_ranking
from reid_models.evaluation.re_ranking import re_rank, re_rank_distances
from tests.benchmarks.conftest import SpeedCommand
from tests.reid_models.fixtures import read_fixture
from tracker.errors import InputError


def test_command_writes_json_of_the_common_shape_and_markdown(speed: SpeedCommand, tmp_path: Path) -> None:
    report_path, table_path = tmp_path / "speed.json", tmp_path / "speed.md"
    sizes = ["--queries", "40", "--gallery", "220", "--dimension", "32", "--seed", "5"]
    repeats = ["--repeats", "2", "--re-ranking-repeats", "1"]
    given = [*sizes, *repeats, "--json", str(report_path), "--markdown", str(table_path)]
    done = speed("ranking", "--quiet", *given)
    assert done.code == 0, done.err
    report = json.loads(report_path.read_text())
    assert list(report) == ["protocol", "settings", "machine", "rows"]
    assert report["protocol"] == "speed ranking"
    assert report["settings"] == {
        "queries": 40, "gallery": 220, "dimension": 32, "seed": 5, "repeats": 2, "re_ranking_repeats": 1,
        "k1": 20, "k2": 6, "lambda": 0.3,
    }  # fmt: skip
    assert [(row["name"], row["sequence"]) for row in report["rows"]] == [
        ("CMC, mAP", "40 × 220"), ("CMC, mAP", "40 × 220"), ("re-ranking", "40 × 220"), ("re-ranking", "40 × 220"),
    ]  # fmt: skip
    data = make_ranking_data(RankingSizes(40, 220, 32, 5))
    query, gallery = data.query_features, data.gallery_features
    labels = data.labels()
    scores = evaluate_ranking(query, *labels[:2], gallery, *labels[2:], distance="euclidean")
    again = evaluate_distances(re_rank(query, gallery), *labels)
    for place, (ours, usual) in enumerate(zip(report["rows"][::2], report["rows"][1::2], strict=True)):
        assert ours["implementation"].startswith("multicam ") and usual["implementation"] == "usual loop"
        for row in (ours, usual):
            assert 0 < row["seconds_lowest"] <= row["seconds"] <= row["seconds_highest"]
            assert row["mAP"] == pytest.approx(100 * (scores, again)[place].mAP)
            assert row["rank1"] == pytest.approx(100 * (scores, again)[place].cmc[0])
        assert ours["max_abs_difference"] < 1e-6
        assert ours["speed_ratio"] > 0
        # Targets are for Market-1501's size.
        assert not {"speed_target", "seconds_target", "memory_target"} & set(ours)
    for row in report["rows"][2:]:
        assert 0.02 < row["peak_gigabytes"] < 2
    assert report["rows"][2]["values_beyond_1e-6"] == 0
    table = table_path.read_text().splitlines()
    assert table[0].startswith("| task | s | usual s | times faster |")
    assert table[2].startswith("| CMC, mAP |") and table[3].startswith("| re-ranking |")
    assert f"{report['rows'][2]['mAP']:.2f}" in table[3]
    assert "Cython" in table[5] and "numpy" in table[7]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--queries", "300000", "--gallery", "9000000"], "the usual re-ranking of 300000 × 9000000 needs about"),
        (["--gallery", "2", "--queries", "1", "--re-ranking-repeats", "0"], "no query has a true match"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(speed: SpeedCommand, arguments: list[str], message: str) -> None:
    done = speed("ranking", "--quiet", *arguments)
    assert done.code == 2
    assert message in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_numbers_that_are_too_small_are_refused() -> None:
    with pytest.raises(InputError, match="repeats is 0; give at least 1"):
        compare_ranking(RankingSizes(5, 20, 4), repeats=0)
    with pytest.raises(InputError, match="queries is 0"):
        compare_ranking(RankingSizes(0, 20, 4))


def test_both_sides_score_alike() -> None:
    data = make_ranking_data(RankingSizes(60, 300, 16, seed=2))
    distances = np.linalg.norm(data.query_features[:, None] - data.gallery_features[None], axis=2)
    ours, usual = evaluate_distances(distances, *data.labels()), usual_scores(distances, *data.labels())
    assert 0.1 < usual.mAP < 0.99 and 0 < usual.mINP < usual.mAP
    np.testing.assert_allclose(ours.cmc, usual.cmc, rtol=1e-12)
    assert (ours.mAP, ours.mINP) == pytest.approx((usual.mAP, usual.mINP), rel=1e-12)


@pytest.mark.parametrize(("k1", "k2", "lambda_value"), [(20, 6, 0.3), (7, 1, 0.0), (5, 3, 0.8)])
def test_both_sides_re_rank_alike(k1: int, k2: int, lambda_value: float) -> None:
    data = make_ranking_data(RankingSizes(50, 260, 16, seed=3))
    features = np.concatenate([data.query_features, data.gallery_features]).astype(np.float64)
    distances = np.linalg.norm(features[:, None] - features[None], axis=2).astype(np.float32)
    parts = distances[:50, 50:], distances[:50, :50], distances[50:, 50:]
    options = {"k1": k1, "k2": k2, "lambda_value": lambda_value}
    usual = usual_re_ranking(*parts, **options)  # type: ignore[arg-type]
    np.testing.assert_allclose(re_rank_distances(*parts, **options), usual, rtol=0, atol=1e-6)  # type: ignore[arg-type]
    ours = re_rank(data.query_features, data.gallery_features, **options)  # type: ignore[arg-type]
    np.testing.assert_allclose(ours, usual, rtol=0, atol=1e-6)


@pytest.mark.data
def test_the_usual_side_equals_published_code(data_root: Path) -> None:
    spec, arrays = read_fixture(data_root, "evaluation")
    kept = arrays["g_pids_all"] != -1
    gallery = arrays["g_features_all"][kept].astype(np.float64)
    distances = arrays["distmat_after_junk_removal"]
    labels = arrays["q_pids"], arrays["q_cams"], arrays["g_pids_all"][kept], arrays["g_cams_all"][kept]
    scores = usual_scores(distances, *labels)
    np.testing.assert_allclose(scores.cmc, spec["market1501_torchreid"]["cmc"], rtol=1e-6)
    assert scores.mAP == pytest.approx(spec["market1501_torchreid"]["mAP"], abs=1e-12)
    assert scores.mINP == pytest.approx(spec["market1501_fastreid"]["mINP"], abs=1e-12)
    gallery_gallery = np.linalg.norm(gallery[:, None] - gallery[None], axis=2).astype(np.float32)
    result = usual_re_ranking(distances, arrays["rerank_qq"], gallery_gallery)
    np.testing.assert_allclose(result, arrays["rerank_torchreid_20_6_0.3"], rtol=0, atol=1e-6)


def test_made_up_embeddings_are_what_they_are_said_to_be() -> None:
    data = make_ranking_data(RankingSizes(300, 2000, 64, seed=0))
    for features, ids, cameras, count in (
        (data.query_features, data.query_ids, data.query_cameras, 300),
        (data.gallery_features, data.gallery_ids, data.gallery_cameras, 2000),
    ):
        assert features.shape == (count, 64) and features.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-6)
        assert ids.min() >= 1 and set(cameras) == set(range(1, 7))
    assert len(np.unique(data.gallery_ids)) == 100 and data.query_ids.max() <= 83
    again = make_ranking_data(RankingSizes(300, 2000, 64, seed=0))
    np.testing.assert_array_equal(again.query_features, data.query_features)


def test_the_clock_runs_in_the_evaluation_only_and_sides_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours moves the clock by 1 s and the usual loop by 12, so it is 12 times faster; making data costs nothing."""
    now, called = 0.0, []

    def side(name: str, seconds: float) -> object:
        def score(*_: object) -> SimpleNamespace:
            nonlocal now
            now += seconds
            called.append(name)
            return SimpleNamespace(cmc=np.ones(3), mAP=0.5 + seconds / 1000, mINP=0.25)

        return score

    monkeypatch.setattr(ranking_speed, "time", SimpleNamespace(perf_counter=lambda: now))
    monkeypatch.setattr(ranking_speed, "evaluate_distances", side("ours", 1))
    monkeypatch.setattr(ranking_speed, "usual_scores", side("usual", 12))
    monkeypatch.setattr(ranking_speed, "TARGET_SIZE", (4, 30))
    steps: list[str] = []
    found = compare_ranking(RankingSizes(4, 30, 8), repeats=3, re_ranking_repeats=0, advance=steps.append)
    ours, usual = found["rows"]
    assert (ours["seconds"], usual["seconds"], ours["speed_ratio"]) == (1, 12, 12)
    assert ours["max_abs_difference"] == pytest.approx(0.011)
    assert ours["seconds_target"] == 0.18
    assert len(steps) == 3
    # Ours is warmed up once.
    assert called == ["ours", "ours", "usual", "usual", "ours", "ours", "usual"]
    header, lines = ranking_table(found["rows"])
    assert len(header) == len(lines[0])
    assert lines[0][:5] == ["CMC, mAP", "1.00 (1.00–1.00)", "12.00 (12.00–12.00)", "12.0", "≤ 0.18 s"]


def test_peak_memory_is_of_the_measured_process_alone(tmp_path: Path) -> None:
    """The peak of this process, which held 400 MB, does not count for the one it starts."""
    assert np.ones(50_000_000).sum() == 50_000_000
    data = make_ranking_data(RankingSizes(10, 60, 8))
    np.save(tmp_path / "query.npy", data.query_features)
    np.save(tmp_path / "gallery.npy", data.gallery_features)
    seconds, peak = ranking_speed._in_own_process(ranking_speed.OURS, tmp_path)
    assert 0 < seconds < 60
    assert 0.02 < peak < 0.4
    expected = re_rank(data.query_features, data.gallery_features)
    np.testing.assert_allclose(np.load(tmp_path / "ours.npy"), expected, atol=1e-6)


def test_a_measured_process_that_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"usual loop, re-ranking, ended early \(FileNotFoundError.*query.npy"):
        ranking_speed._in_own_process(ranking_speed.USUAL, tmp_path)
