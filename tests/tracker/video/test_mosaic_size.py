"""The size of the mosaic follows the pictures: hardly anything of it is empty."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.video.mosaic import mosaic, mosaic_size
from tracker.video.text import shortened, text_width


@pytest.mark.parametrize(
    ("count", "shape", "expected"),
    [
        (4, (480, 640), (1280, 960)),
        (4, (360, 640), (1280, 722)),
        (1, (1080, 1920), (1280, 724)),
        (2, (360, 640), (1280, 364)),
    ],
)
def test_usual_cameras(count: int, shape: tuple[int, int], expected: tuple[int, int]) -> None:
    size = mosaic_size([np.zeros((*shape, 3), np.uint8)] * count)
    assert size == pytest.approx(expected, abs=6)


@given(
    count=st.integers(1, 30),
    width=st.integers(64, 400),
    height=st.integers(64, 400),
    largest=st.tuples(st.integers(320, 960), st.integers(320, 960)).map(lambda size: (size[0] * 2, size[1] * 2)),
)
def test_tiles_fill_it(count: int, width: int, height: int, largest: tuple[int, int]) -> None:
    images = [np.full((height, width, 3), 200, np.uint8)] * count
    size = mosaic_size(images, largest)
    assert size[0] <= largest[0] and size[1] <= largest[1]
    assert size[0] % 2 == size[1] % 2 == 0
    picture = mosaic(images, [""] * count, size=size)
    shown = (picture == 200).all(axis=2).any(axis=0).mean(), (picture == 200).all(axis=2).any(axis=1).mean()
    assert min(shown) > 0.75, "no stripe beside or above the tiles"


def test_a_size_without_any_picture_is_that_of_a_screen() -> None:
    width, height = mosaic_size([None, None, None, None])
    assert width / height == pytest.approx(16 / 9, abs=0.02)


def test_long_names_are_cut_to_fit() -> None:
    assert shortened("cam1", 12, 200) == "cam1"
    cut = shortened("a camera with a long name", 12, 60)
    assert cut.startswith("a ca") and cut.endswith("…") and text_width(cut, 12) <= 60
