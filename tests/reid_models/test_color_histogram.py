"""The descriptor that needs no network."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from reid_models.color_histogram import ColorHistogram
from reid_models.data.datasets import ImageRows, read_market1501
from reid_models.evaluation.ranking import evaluate_ranking

COLORS = {
    "red": (40, 40, 200), "green": (60, 160, 60), "blue": (190, 80, 40), "yellow": (40, 200, 210),
    "white": (225, 225, 225), "black": (25, 25, 25),
}  # fmt: skip


def figure(
    shirt: str, trousers: str, *, size: tuple[int, int] = (160, 60), seed: int = 0, light: float = 1.0
) -> np.ndarray:
    """Return a standing person (height, width, 3) on grey ground, with noise, a little off centre."""
    random = np.random.default_rng(seed)
    image = np.full((160, 60, 3), 128, np.uint8)
    shift = int(random.integers(-4, 5))
    cv2.ellipse(image, (30 + shift, 16), (8, 10), 0, 0, 360, (120, 150, 190), -1)
    cv2.rectangle(image, (16 + shift, 28), (44 + shift, 86), COLORS[shirt], -1)
    cv2.rectangle(image, (18 + shift, 86), (42 + shift, 152), COLORS[trousers], -1)
    noisy = image * light + random.normal(0, 6, image.shape)
    return cv2.resize(np.clip(noisy, 0, 255).astype(np.uint8), size[::-1], interpolation=cv2.INTER_AREA)


PEOPLE = [(shirt, trousers) for shirt in COLORS for trousers in ("blue", "black", "green")]


def test_tells_simple_figures_apart_in_other_light_and_size() -> None:
    embedder = ColorHistogram()
    assert embedder.dimension <= 512
    first = embedder.embed([figure(*person, seed=index) for index, person in enumerate(PEOPLE)])
    second = embedder.embed(
        [figure(*person, seed=50 + index, light=0.75, size=(230, 90)) for index, person in enumerate(PEOPLE)]
    )
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, atol=1e-5)
    ids = np.arange(len(PEOPLE))
    result = evaluate_ranking(first, ids, ids * 0, second, ids, ids * 0 + 1).percentages()
    assert result["rank1"] == 100
    distances = 1 - first @ second.T
    same = np.diag(distances)
    assert same.max() < embedder.default_threshold
    assert np.median(distances[~np.eye(len(ids), dtype=bool)]) > embedder.default_threshold


@pytest.mark.parametrize("size", [(640, 240), (80, 30), (300, 60), (47, 41)])
def test_the_size_of_a_crop_hardly_matters(size: tuple[int, int]) -> None:
    embedder = ColorHistogram()
    reference = figure("red", "blue", size=(320, 120))
    resized = cv2.resize(reference, size[::-1], interpolation=cv2.INTER_AREA)
    distance = 1 - float(np.prod(embedder.embed([reference, resized]), axis=0).sum())
    assert distance < 0.03


def test_exposure_does_not_matter() -> None:
    embedder = ColorHistogram()
    image = figure("yellow", "green")
    darker = (image * 0.6).astype(np.uint8)
    assert 1 - float(np.prod(embedder.embed([image, darker]), axis=0).sum()) < 0.05


def test_crops_do_not_depend_on_their_neighbours() -> None:
    embedder = ColorHistogram()
    images = [figure(*person) for person in PEOPLE]
    together = embedder.embed(images)
    np.testing.assert_array_equal(together[3:4], embedder.embed(images[3:4]))
    flat = embedder.embed([np.zeros((1, 1, 3), np.uint8), np.full((9, 5, 3), 255, np.uint8)])
    assert np.isfinite(flat).all()


@pytest.mark.data
def test_documented_baseline(data_root: Path) -> None:
    data = read_market1501(data_root / "data" / "reid" / "cuhk01")
    embedder = ColorHistogram()

    def embed(rows: ImageRows) -> np.ndarray:
        images = [cv2.imread(str(path)) for path in rows.paths]
        return embedder.embed([image for image in images if image is not None])

    query, gallery = data.query, data.gallery
    result = evaluate_ranking(
        embed(query), query.ids, query.cameras, embed(gallery), gallery.ids, gallery.cameras
    ).percentages()
    assert result["rank1"] == pytest.approx(26.5, abs=1)
    assert result["mAP"] == pytest.approx(33.9, abs=1)
