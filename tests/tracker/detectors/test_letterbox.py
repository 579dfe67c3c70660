"""Boxes survive the way into a network's input and back; the pictures are what the networks are trained on."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.detectors.letterbox import fit_centred, fit_top_left

SIZES = [(360, 640), (432, 768), (1080, 1920), (640, 360), (416, 416), (100, 37), (17, 301), (1, 500)]


@pytest.mark.parametrize("fit", [fit_centred, fit_top_left])
@pytest.mark.parametrize("size", [(360, 640), (1080, 1920), (333, 217)])
def test_a_box_drawn_in_the_image_is_found_where_it_was(fit, size: tuple[int, int]) -> None:
    height, width = size
    drawn = np.array([width // 5, height // 4, width // 2, height - height // 5], np.float32)
    image = np.zeros((height, width, 3), np.uint8)
    image[int(drawn[1]) : int(drawn[3]), int(drawn[0]) : int(drawn[2])] = 255
    letterbox = fit(image, 416, 320)
    assert letterbox.canvas.shape == (416, 320, 3)
    rows, columns = np.nonzero(letterbox.canvas[..., 0] > 160)
    seen = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]])
    # the edge of a scaled box is blurred over a pixel of the network's input
    np.testing.assert_allclose(letterbox.boxes_in_image(seen)[0], drawn, atol=1.1 / min(letterbox.scales))


@settings(max_examples=60, deadline=None)
@given(st.integers(5, 300), st.integers(5, 300), st.booleans(), st.data())
def test_boxes_come_back_inside_the_image(height: int, width: int, centred: bool, data: st.DataObject) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    letterbox = fit_centred(image, 96, 64) if centred else fit_top_left(image, 96, 64)
    inside = np.array(
        [[data.draw(st.floats(0, width)), data.draw(st.floats(0, height)), float(width), float(height)]], np.float64
    )
    placed = inside * np.array(letterbox.scales * 2) + [letterbox.left, letterbox.top, letterbox.left, letterbox.top]
    np.testing.assert_allclose(letterbox.boxes_in_image(placed), inside, atol=1e-3)
    outside = placed + np.array([-500, -500, 500, 500])
    np.testing.assert_array_equal(letterbox.boxes_in_image(outside), [[0, 0, width, height]])


def test_yolox_pictures_lie_in_the_top_left_corner_on_grey() -> None:
    image = np.random.default_rng(0).integers(0, 255, (360, 640, 3), np.uint8)
    canvas = fit_top_left(image, 416, 416).canvas
    np.testing.assert_array_equal(canvas[:234], cv2.resize(image, (416, 234), interpolation=cv2.INTER_LINEAR))
    assert (canvas[234:] == 114).all()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shrinks", [False, True])
@pytest.mark.usefixtures("ultralytics")
def test_centred_pictures_equal_those_of_ultralytics(size: tuple[int, int], shrinks: bool) -> None:
    from ultralytics.data.augment import LetterBox
    from ultralytics.utils import ops

    image = np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)
    wanted = LetterBox((640, 640), auto=shrinks, stride=32)(image=image)
    got = fit_centred(image, 640, 640, 32 if shrinks else None)
    np.testing.assert_array_equal(got.canvas, wanted)
    boxes = np.array([[40.5, 300, 600, 333.25], [1, 2, 700, 650], [310, 320, 330, 333]], np.float32)
    mapped = ops.scale_boxes(wanted.shape[:2], boxes.copy(), size)
    np.testing.assert_allclose(got.boxes_in_image(boxes), mapped, atol=1e-3, rtol=1e-5)
