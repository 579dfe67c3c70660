"""Several images a query from Market-1501's folder of them; the distance from which two crops are of one person."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from reid_models.data.datasets import read_dataset
from reid_models.data.rows import ImageRows, ReidData
from reid_models.errors import InputError
from reid_models.evaluation.evaluate import Embedded
from reid_models.evaluation.protocols import multi_query_ranking
from reid_models.evaluation.thresholds import verification

EMPTY = ImageRows.of([])


def rows(ids: list[int], cameras: list[int]) -> ImageRows:
    return ImageRows.of((Path(f"{i}_{number}.jpg"), i, c) for number, (i, c) in enumerate(zip(ids, cameras)))


def unit(*degrees: float) -> np.ndarray:
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_the_folder_of_more_query_images_is_read(tmp_path: Path) -> None:
    image = np.zeros((8, 4, 3), np.uint8)
    for folder, names in {
        "bounding_box_train": ["0001_c1s1_000001_00.jpg"],
        "query": ["0002_c1s1_000001_00.jpg"],
        "bounding_box_test": ["0002_c2s1_000001_00.jpg"],
        "gt_bbox": ["0002_c1s1_000001_00.jpg", "0002_c1s1_000002_00.jpg"],
    }.items():
        (tmp_path / folder).mkdir()
        for name in names:
            cv2.imwrite(str(tmp_path / folder / name), image)
    data = read_dataset("folder", tmp_path)
    assert data.multi_query is not None
    assert (data.multi_query.ids.tolist(), data.multi_query.cameras.tolist()) == ([2, 2], [1, 1])
    assert len(data.query) == 1


def test_more_images_mend_a_bad_query() -> None:
    """The query looks like the stranger, its other images like the person: their mean is nearer to the person."""
    data = ReidData("made up", EMPTY, rows([1], [1]), rows([1, 2], [2, 2]), rows([1, 1, 1], [1, 1, 1]))
    single = Embedded(data, unit(80), unit(0, 90))
    with pytest.raises(InputError, match="one query image"):
        multi_query_ranking(single, "cosine")
    several = replace(single, multi_query=unit(80, 5, 5))
    assert multi_query_ranking(several, "cosine").cmc[0] == 1


def test_a_share_of_strangers_is_nearer_than_the_threshold() -> None:
    generator = np.random.default_rng(0)
    ids = list(range(1, 201))
    people = generator.standard_normal((200, 16))
    query, gallery = ((people + 0.3 * generator.standard_normal((200, 16))).astype(np.float32) for _ in range(2))
    data = ReidData("made up", EMPTY, rows(ids, [1] * 200), rows(ids, [2] * 200))
    found = verification(Embedded(data, query, gallery), 0.01)
    a, b = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (query, gallery))
    distances = 1 - a @ b.T
    strangers = distances[~np.eye(200, dtype=bool)]
    assert found.threshold == pytest.approx(np.quantile(strangers, 0.01), abs=2e-3)
    assert found.true_match_rate == pytest.approx((np.diag(distances) < found.threshold).mean(), abs=0.01)


def test_one_camera_has_no_threshold() -> None:
    data = ReidData("made up", EMPTY, rows([1, 2], [1, 1]), rows([1, 2], [1, 1]))
    with pytest.raises(InputError, match="different cameras"):
        verification(Embedded(data, unit(0, 90), unit(0, 90)))
