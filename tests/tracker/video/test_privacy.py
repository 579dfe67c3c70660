from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

from tracker.video.privacy import PrivacyFilter, head_boxes, obscured


def noise(height: int = 240, width: int = 320, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def changed(image: np.ndarray, result: np.ndarray) -> np.ndarray:
    return (image != result).any(axis=2)


def test_only_the_inside_of_boxes_changes_and_the_image_given_stays() -> None:
    image = noise()
    before = image.copy()
    result = obscured(image, [[40.4, 30, 120, 200.5], [-50, 220, 20, 400]])
    assert np.array_equal(image, before)
    inside = np.zeros((240, 320), bool)
    inside[30:201, 40:120] = inside[220:240, 0:20] = True
    difference = changed(image, result)
    assert not difference[~inside].any()
    assert difference[inside].mean() > 0.99


@pytest.mark.parametrize("side", [12, 40, 200, 800])
def test_nothing_finer_than_a_few_tiles_is_left(side: int) -> None:
    """Two very different pictures with the same few mean colours give the same result: there is no way back."""
    tiles = max(min(4, round(side / 6)), 1)
    size = side // tiles * tiles
    step = size // tiles
    cells = np.random.default_rng(5).integers(60, 190, (tiles, tiles, 3)).astype(np.float64)
    plain = np.kron(cells, np.ones((step, step, 1)))
    rows, columns = np.indices((size, size))
    letters = plain + 50 * np.where((columns % step < step / 2) ^ (rows % step < step / 2), 1, -1)[..., None]
    if step % 2:
        return
    box = [[0, 0, size, size]]
    first, second = (obscured(picture.astype(np.uint8), box).astype(int) for picture in (plain, letters))
    assert np.abs(plain - letters).mean() > 40
    assert np.abs(first - second).max() <= 1


def test_a_face_is_not_recognised_by_its_nearest_pixels() -> None:
    """Of ten random faces no blurred one is nearer to its own original's details than to the others'."""
    faces = [cv2.resize(noise(12, 12, seed), (96, 96), interpolation=cv2.INTER_CUBIC) for seed in range(10)]
    blurred = [obscured(face, [[0, 0, 96, 96]]).astype(float) for face in faces]
    details = [face - cv2.blur(face, (25, 25)).astype(float) for face in faces]
    rest = [face - cv2.blur(face, (25, 25)) for face in blurred]
    own = [np.corrcoef(details[i].ravel(), rest[i].ravel())[0, 1] for i in range(10)]
    assert max(own) < 0.45 and np.mean(own) < 0.35


def test_boxes_that_overlap_hide_both_and_their_order_does_not_matter_for_what_is_hidden() -> None:
    image = noise()
    boxes = [[40, 30, 120, 200], [80, 60, 160, 220]]
    one, other = obscured(image, boxes), obscured(image, boxes[::-1])
    for result in (one, other):
        assert (
            changed(image, result)[30:200, 40:80].mean() > 0.99
            and changed(image, result)[200:220, 90:160].mean() > 0.99
        )


@pytest.mark.parametrize("boxes", [[], [[0, 0, 0, 0]], [[50, 50, 40, 40]], [[-20, -20, -1, -1]], [[400, 10, 500, 50]]])
def test_boxes_without_anything_inside(boxes: list[list[float]]) -> None:
    image = noise()
    assert np.array_equal(obscured(image, boxes), image)


def test_a_box_of_no_numbers_and_one_beyond_everything_do_no_harm() -> None:
    image = noise()
    result = obscured(image, [[np.nan, np.nan, np.nan, np.nan], [-np.inf, -np.inf, np.inf, np.inf]])
    assert changed(image, result).mean() > 0.99


def test_where_heads_are() -> None:
    standing, seated, wide = head_boxes([[100, 100, 180, 300], [100, 100, 200, 160], [0, 0, 300, 50]])
    assert standing.tolist() == pytest.approx([100, 92, 180, 156])
    assert seated.tolist() == pytest.approx([100, 97.6, 200, 162.4]), "only head and shoulders are seen"
    assert wide[3] == pytest.approx(52)
    assert head_boxes(np.zeros((0, 4))).shape == (0, 4)


def test_the_head_is_hidden_and_the_feet_are_not() -> None:
    image = noise()
    result = PrivacyFilter("faces").apply("cam", 0.0, image, [[100, 20, 160, 200]])
    difference = changed(image, result)
    assert difference[20:56, 100:160].mean() > 0.99 and not difference[80:, :].any()
    result = PrivacyFilter("people").apply("cam", 0.0, image, [[100, 20, 160, 200]])
    assert changed(image, result)[20:200, 100:160].mean() > 0.99


def test_who_is_overlooked_for_a_moment_stays_hidden() -> None:
    image = noise()
    privacy = PrivacyFilter("people", hold_seconds=1.0)
    box = [[100, 20, 160, 200]]
    privacy.apply("cam", 0.0, image, box)
    assert changed(image, privacy.apply("cam", 0.9, image, np.zeros((0, 4))))[30:190, 110:150].mean() > 0.99
    assert not changed(image, privacy.apply("other", 0.9, image, [])).any(), "another camera"
    assert not changed(image, privacy.apply("cam", 1.1, image, [])).any()
    privacy.apply("cam", 2.0, image, box)
    elsewhere = privacy.apply("cam", 2.5, image, [[110, 20, 170, 200]])
    assert not changed(image, elsewhere)[:, 100:109].any(), "who is still found is hidden where they are now"


def test_many_are_hidden_all_and_memory_is_bounded() -> None:
    image = noise(600, 900)
    boxes = [[20 * x, 20 * y, 20 * x + 12, 20 * y + 14] for x in range(40) for y in range(25)]
    privacy = PrivacyFilter("people")
    difference = changed(image, privacy.apply("cam", 0.0, image, boxes))
    assert all(difference[y + 2 : y + 12, x + 2 : x + 10].mean() > 0.9 for x, y, _, _ in boxes)
    for number in range(1, 20):
        privacy.apply("cam", number * 0.01, image, [[number * 40, 0, number * 40 + 12, 600]])
    assert max(len(parts) for _, parts in privacy._held.values()) <= 256


def test_it_is_quick() -> None:
    image = noise(1080, 1920)
    boxes = [[90 * number, 300, 90 * number + 80, 520] for number in range(20)]
    privacy = PrivacyFilter("people")
    privacy.apply("cam", 0.0, image, boxes)
    took = []
    for number in range(5):
        began = time.thread_time()
        privacy.apply("cam", 0.04 * number, image, boxes)
        took.append(time.thread_time() - began)
    assert min(took) < 0.05, "seconds a frame of 1920×1080 with 20 people"
