"""The AI City protocol against figures worked out by hand."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from benchmarks.aicity import Scene, first_rows, pair_scenes, read_scenes, score_scenes
from tracker.errors import InputError
from tracker.storage.aicity_files import AiCityRows

SCENES = [Scene("hall", (1, 2)), Scene("yard", (3,))]


def rows_of(*rows: tuple[int, int, int, float, float]) -> AiCityRows:
    """Rows of camera, id, frame, x and y."""
    table = np.array(rows, float).reshape(-1, 5)
    whole = table[:, :3].astype(np.int64)
    return AiCityRows(whole[:, 0], whole[:, 1], whole[:, 2], np.zeros((len(table), 4)), table[:, 3:])


def walk(camera: int, person: int, x: float, frames: int = 4) -> list[tuple[int, int, int, float, float]]:
    return [(camera, person, frame, x, float(frame)) for frame in range(frames)]


def scored(truth: AiCityRows, results: AiCityRows, scenes: list[Scene] = SCENES) -> dict[str, dict[str, float]]:
    return {row["sequence"]: row for row in score_scenes(pair_scenes(truth, results, scenes))["rows"]}


def test_the_first_row_of_a_person_in_a_frame_wins() -> None:
    rows = rows_of((2, 5, 0, 1, 1), (1, 5, 0, 9, 9), (1, 5, 1, 2, 2), (1, 6, 0, 3, 3), (2, 5, 1, 8, 8))
    assert first_rows(rows).positions.tolist() == [[1, 1], [2, 2], [3, 3]]
    truth = rows_of(*walk(1, 1, 0.0))
    right_first = rows_of(*[row for right, wrong in zip(walk(1, 8, 0.0), walk(2, 8, 50.0)) for row in (right, wrong)])
    wrong_first = rows_of(*[row for right, wrong in zip(walk(1, 8, 0.0), walk(2, 8, 50.0)) for row in (wrong, right)])
    assert scored(truth, right_first)["hall"]["HOTA"] == 100
    assert scored(truth, wrong_first)["hall"]["HOTA"] == 0


def test_the_same_person_and_frame_in_another_scene_is_no_duplicate() -> None:
    truth = rows_of(*walk(1, 1, 0.0), *walk(3, 1, 20.0))
    assert {name: row["HOTA"] for name, row in scored(truth, truth).items()} == {
        "hall": 100, "yard": 100, "combined": 100,
    }  # fmt: skip


@pytest.mark.parametrize(
    # Similarity 1 - d/2: with d metres off, the match holds at thresholds up to it, of 0.05, 0.1, ... 0.95.
    ("off", "thresholds"),
    [(0.0, 19), (0.51, 14), (1.0, 10), (1.75, 2), (2.0, 0)],
)
def test_similarity_falls_to_nothing_at_two_metres(off: float, thresholds: int) -> None:
    truth = rows_of(*walk(1, 1, 0.0))
    row = scored(truth, rows_of(*walk(1, 4, off)))["hall"]
    assert row["HOTA"] == pytest.approx(100 * thresholds / 19)
    assert row["DetA"] == pytest.approx(100 * thresholds / 19)
    if thresholds:
        # TrackEval counts 100 % where nothing matches.
        assert row["LocA"] == pytest.approx((thresholds * 100 * (1 - off / 2) + (19 - thresholds) * 100) / 19)


def test_an_identity_that_changes_half_way() -> None:
    truth = rows_of(*walk(1, 1, 0.0))
    changed = rows_of(*[(1, 8 if frame < 2 else 9, frame, x, y) for _, _, frame, x, y in walk(1, 1, 0.0)])
    row = scored(truth, changed)["hall"]
    # Each of four matches: 2 frames in common of 4 in all. HOTA = sqrt(DetA * AssA).
    assert (row["DetA"], row["AssA"]) == (100, pytest.approx(50))
    assert row["HOTA"] == pytest.approx(100 * np.sqrt(0.5))
    assert (row["GT"], row["IDs"]) == (1, 2)


def test_combined_is_the_mean_of_the_scenes_however_long_they_are() -> None:
    truth = rows_of(*walk(1, 1, 0.0, 30), *walk(3, 1, 20.0, 2))
    rows = scored(truth, rows_of(*walk(2, 1, 0.0, 30), *walk(3, 1, 90.0, 2)))
    assert (rows["hall"]["HOTA"], rows["yard"]["HOTA"], rows["combined"]["HOTA"]) == (100, 0, 50)
    assert rows["combined"]["DetA"] == 50
    assert list(rows) == ["hall", "yard", "combined"]


def test_what_does_not_count_is_said() -> None:
    truth = rows_of(*walk(1, 1, 0.0), (77, 1, 0, 0, 0))
    with pytest.warns(RuntimeWarning) as caught:
        rows = scored(truth, rows_of(*walk(1, 1, 0.0), *walk(3, 1, 0.0)))
    said = [str(warning.message) for warning in caught]
    assert said == [
        "1 lines of the ground truth are of cameras in no scene and do not count: 77",
        "yard: no ground truth of its cameras; its 4 results do not count",
    ]
    assert list(rows) == ["hall", "combined"]
    with pytest.warns(RuntimeWarning, match="hall: no results of its cameras 1, 2; all are missed"):
        assert scored(rows_of(*walk(1, 1, 0.0)), rows_of())["hall"]["HOTA"] == 0


def test_no_scene_with_truth_is_refused() -> None:
    with warnings.catch_warnings(), pytest.raises(InputError, match="which has 9; correct"):
        warnings.simplefilter("ignore")
        pair_scenes(rows_of(*walk(9, 1, 0.0)), rows_of(), SCENES)


def test_scene_maps(tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    path.write_text(json.dumps([{"scene_name": "s1", "camera_ids": [1, "2"]}, {"scene_name": "s2", "camera_ids": [3]}]))
    assert read_scenes(path) == [Scene("s1", (1, 2)), Scene("s2", (3,))]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is no JSON"),
        ("[]", "is not a list of scenes"),
        ('{"s1": [1]}', "is not a list of scenes"),
        ('[{"scene_name": "s1"}]', "entry 0 has no scene_name or no camera_ids"),
        ('[{"scene_name": "s1", "camera_ids": [1.5]}]', "camera 1.5 of s1 is no whole number"),
        ('[{"scene_name": "s1", "camera_ids": ["c1"]}]', "camera 'c1' of s1 is no whole number"),
        ('[{"scene_name": "s", "camera_ids": [1]}, {"scene_name": "s", "camera_ids": [2]}]', "two scenes are called"),
        ('[{"scene_name": "combined", "camera_ids": [1]}]', "rename one"),
        (
            '[{"scene_name": "a", "camera_ids": [1]}, {"scene_name": "b", "camera_ids": [1]}]',
            "camera 1 is in a and in b",
        ),
    ],
)
def test_a_scene_map_of_another_shape_is_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "map.json").write_text(content)
    with pytest.raises(InputError, match="map") as error:
        read_scenes(tmp_path / "map.json")
    assert said in str(error.value)
