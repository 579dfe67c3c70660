"""The rasteriser against a plain loop over triangles and subpixels."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.simulation.rasterise import rasterise


def _plain(x, y, w, triangles, width, height):  # type: ignore[no-untyped-def]
    """Return nearest inverse depth and triangle of each subpixel centre, and how near any edge came to a centre."""
    nearest = np.zeros((height, width))
    owner = np.full((height, width), -1)
    margin = np.full((height, width), np.inf)
    rows, columns = np.mgrid[0:height, 0:width] + 0.5
    for number, (a, b, c) in enumerate(triangles):
        area = (x[b] - x[a]) * (y[c] - y[a]) - (x[c] - x[a]) * (y[b] - y[a])
        if area >= -1e-4:
            continue
        weights = []
        for i, j in ((b, c), (c, a), (a, b)):
            edge = (x[j] - x[i]) * (rows - y[i]) - (columns - x[i]) * (y[j] - y[i])
            weights.append(edge / area)
            margin = np.minimum(margin, np.abs(edge) / np.hypot(x[j] - x[i], y[j] - y[i]))
        inside = np.minimum(np.minimum(*weights[:2]), weights[2]) > 0
        value = weights[0] * w[a] + weights[1] * w[b] + weights[2] * w[c]
        won = inside & (value > nearest)
        nearest[won], owner[won] = value[won], number
    return nearest, owner, margin


@pytest.mark.parametrize("seed", range(5))
def test_every_subpixel_shows_the_nearest_triangle(seed: int) -> None:
    generator = np.random.default_rng(seed)
    count, width, height = 60, 64, 48
    x = generator.uniform(-10, width + 10, count).astype(np.float32)
    y = generator.uniform(-10, height + 10, count).astype(np.float32)
    w = generator.uniform(0.1, 1.0, count).astype(np.float32)
    triangles = generator.integers(0, count, (40, 3)).astype(np.int32)
    triangles = triangles[[len(set(t)) == 3 for t in triangles.tolist()]]
    expected, owner, margin = _plain(*(v.astype(float) for v in (x, y, w)), triangles, width, height)
    fragments = rasterise(x, y, w, triangles, width, height, 2)
    assert fragments is not None
    assert fragments.left % 2 == 0 and fragments.top % 2 == 0
    drawn = np.zeros((height, width))
    number = np.full((height, width), -1)
    h, w_ = fragments.inverse_depth.shape
    window = (slice(fragments.top, fragments.top + h), slice(fragments.left, fragments.left + w_))
    drawn[window] = fragments.inverse_depth
    number[window] = np.where(fragments.inverse_depth > 0, fragments.triangle, -1)
    # Exactly on an edge either side is right.
    clear = margin > 1e-3
    np.testing.assert_allclose(drawn[clear], expected[clear], atol=1e-3)
    different = clear & (number != owner)
    assert different.sum() <= 2
    assert (owner >= 0).sum() > 100


def test_triangles_that_face_away_or_lie_behind_the_camera_are_not_drawn() -> None:
    x, y = np.array([2, 2, 12], np.float32), np.array([2, 12, 2], np.float32)
    front, back = np.array([[0, 1, 2]], np.int32), np.array([[0, 2, 1]], np.int32)
    near = np.ones(3, np.float32)
    assert rasterise(x, y, near, front, 16, 16, 2) is not None
    assert rasterise(x, y, near, back, 16, 16, 2) is None
    assert rasterise(x, y, np.array([1, 1, -1], np.float32), front, 16, 16, 2) is None
    assert rasterise(x + 100, y, near, front, 16, 16, 2) is None
