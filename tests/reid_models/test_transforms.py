"""Training transforms against hand-computed values, torchvision's, and the published code's random draws."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torchvision.transforms import functional

from reid_models.data.transforms import (
    AugmentationSettings,
    Augmenter,
    ColorJitter,
    Erasing,
    erasing_rectangle,
    image_random,
)
from reid_models.preprocessing import normalize
from reid_models.records import IMAGENET_MEAN, EmbeddingRecord
from tests.reid_models.fixtures import read_fixture

#: a record that leaves 0..255 as they are, but for the channels' order
PLAIN = EmbeddingRecord(input_size=(32, 16), mean=(0, 0, 0), std=(1 / 255,) * 3)
NOTHING: dict[str, Any] = {"flip": 0, "erasing": None}


def made_up(count: int = 1, height: int = 32, width: int = 16, seed: int = 0) -> np.ndarray:
    """Return smooth images (count, height, width, 3) uint8 BGR with values from 0 to 255."""
    small = np.random.default_rng(seed).integers(0, 256, (count, height // 4, width // 4, 3), dtype=np.uint8)
    return np.stack([cv2.resize(image, (width, height)) for image in small])


def augmented(
    image: np.ndarray, place: int = 0, seed: int = 0, record: EmbeddingRecord = PLAIN, **settings: Any
) -> np.ndarray:
    """Return one image after augmentation, as float BGR (H, W, 3) where nothing is normalised."""
    settings = NOTHING | settings
    result = Augmenter(AugmentationSettings(**settings), record, seed)([image], [(0, place)])[0]
    return result[::-1].transpose(1, 2, 0)


@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_without_augmentation_it_is_the_input_of_inference(order: str) -> None:
    record = EmbeddingRecord(input_size=(32, 16), mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3), color_order=order)
    images = made_up(3)
    ours = Augmenter(AugmentationSettings(**NOTHING), record, seed=3)(list(images), [(0, 0), (0, 1), (5, 2)])
    expected = normalize(images, record, np.empty((3, 3, 32, 16), np.float32))
    assert ours.dtype == np.float32 and np.array_equal(ours, expected)
    blue = (images[0, 4, 5, 0] / 255 - (0.3 if order == "RGB" else 0.5)) / (0.3 if order == "RGB" else 0.2)
    assert ours[0, 2 if order == "RGB" else 0, 4, 5] == pytest.approx(blue, abs=1e-5)


def test_draws_are_a_function_of_seed_epoch_and_place() -> None:
    settings = AugmentationSettings(pad_and_crop=4, color_jitter=ColorJitter(), erasing=Erasing(probability=1))
    image = made_up()[0]

    def of(seed: int, epoch: int, place: int) -> np.ndarray:
        return Augmenter(settings, PLAIN, seed)([image], [(epoch, place)])[0]

    # Alone, in a batch, or after others: the same.
    batch = Augmenter(settings, PLAIN, 1)([image] * 3, [(2, 8), (2, 9), (3, 8)])
    assert np.array_equal(batch[1], of(1, 2, 9)) and np.array_equal(batch[2], of(1, 3, 8))
    different = [of(1, 2, 8), of(1, 2, 9), of(1, 3, 8), of(2, 2, 8)]
    assert all(not np.array_equal(a, b) for i, a in enumerate(different) for b in different[:i])
    assert image_random(1, 23, 4).random() != image_random(12, 3, 4).random()


def test_flip_mirrors_about_half_of_the_images() -> None:
    image = made_up()[0]
    assert np.array_equal(augmented(image, flip=1).round(), image[:, ::-1])
    flipped = [np.array_equal(augmented(image, place, flip=0.5).round(), image[:, ::-1]) for place in range(200)]
    assert 80 <= sum(flipped) <= 120
    assert all(np.array_equal(augmented(image, place).round(), image) for place in range(20))


def test_pad_and_crop_shifts_within_a_black_border() -> None:
    image = made_up()[0] // 2 + 100
    padded = np.pad(image, ((3, 3), (3, 3), (0, 0)))
    windows = {padded[top : top + 32, left : left + 16].tobytes(): (top, left) for top in range(7) for left in range(7)}
    found = {
        windows[augmented(image, place, pad_and_crop=3).round().astype(np.uint8).tobytes()] for place in range(400)
    }
    # Every one of the 49 shifts is drawn, the outermost too.
    assert found == set(windows.values())


def test_enlarge_and_crop_shows_a_window_of_the_image_an_eighth_larger() -> None:
    image = made_up()[0]
    larger = cv2.resize(image, (18, 36), interpolation=cv2.INTER_LINEAR)
    windows = {larger[top : top + 32, left : left + 16].tobytes() for top in range(5) for left in range(3)}
    results = [augmented(image, place, enlarge_and_crop=True).round().astype(np.uint8) for place in range(300)]
    cropped = [result.tobytes() for result in results if not np.array_equal(result, image)]
    assert 120 <= len(cropped) <= 180 and set(cropped) == windows


CHANGES = {
    "brightness": functional.adjust_brightness,
    "contrast": functional.adjust_contrast,
    "saturation": functional.adjust_saturation,
    "hue": functional.adjust_hue,
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("place", range(4))
def test_each_colour_change_is_torchvisions(name: str, place: int) -> None:
    strengths = dict.fromkeys(CHANGES, 0.0) | {name: 0.4}
    image = made_up()[0]
    ours = augmented(image, place, color_jitter={**strengths, "probability": 1})
    generator = image_random(0, 0, place)
    generator.random(), generator.random(), generator.sample(range(4), 4)
    factor = generator.uniform(-0.4, 0.4) if name == "hue" else generator.uniform(0.6, 1.4)
    rgb = torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1) / 255
    theirs = CHANGES[name](rgb, factor).permute(1, 2, 0).numpy()[..., ::-1] * 255
    assert np.abs(ours - theirs).max() <= 0.6
    assert np.abs(ours - image).max() > 3


def test_colour_changes_follow_each_other_in_random_order_within_their_ranges() -> None:
    """On one grey pixel value only brightness acts: the ratios are the factors."""
    grey = np.full((8, 4, 3), 100, np.uint8)
    jitter = {"brightness": 0.2, "contrast": 0.15, "saturation": 0.1, "hue": 0.05}
    values = [float(augmented(grey, place, color_jitter=jitter)[0, 0, 0]) for place in range(300)]
    assert 80 <= min(values) < 83 and 117 < max(values) <= 120 and np.mean(values) == pytest.approx(100, abs=2)
    bright, orders = made_up(seed=2)[0], set()
    strong = {"brightness": 0.9, "contrast": 0.9, "saturation": 0.9, "hue": 0.0}
    for place in range(60):
        generator = image_random(0, 0, place)
        generator.random(), generator.random()
        order = [name for name in generator.sample(tuple(CHANGES), 4) if name != "hue"]
        image = torch.from_numpy(bright[..., ::-1].copy()).permute(2, 0, 1) / 255
        for name in order:
            image = CHANGES[name](image, generator.uniform(0.1, 1.9))
        ours = augmented(bright, place, color_jitter=strong)
        assert np.abs(ours - image.permute(1, 2, 0).numpy()[..., ::-1] * 255).max() <= 0.6
        orders.add(tuple(order))
    assert len(orders) == 6


def test_colour_jitter_has_a_probability() -> None:
    image = made_up()[0]
    jitter = {"brightness": 0.5, "probability": 0.25}
    changed = [not np.array_equal(augmented(image, place, color_jitter=jitter).round(), image) for place in range(200)]
    assert 30 <= sum(changed) <= 70


@pytest.mark.data
def test_rectangles_are_those_of_the_published_code(data_root: Path) -> None:
    spec, _ = read_fixture(data_root, "losses")
    erasing = spec["losses"]["random_erasing"]
    constants, settings = erasing["constants"], Erasing()
    assert settings.probability == constants["probability"]
    assert settings.area == (constants["area_min"], constants["area_max"])
    assert settings.aspect == pytest.approx((constants["aspect_min"], constants["aspect_max"]), abs=1e-12)
    generator = random.Random(0)
    ours = [erasing_rectangle(256, 128, settings, generator) for _ in range(40)]
    expected = erasing["rectangles_random_seed_0_image_256x128_40_calls"]
    assert [None if found is None else list(found) for found in ours] == expected
    assert sum(found is not None for found in ours) > 10


def test_rectangles_stay_inside_and_have_the_area_and_shape_asked_for() -> None:
    settings, generator = Erasing(probability=1, area=(0.1, 0.2), aspect=(0.5, 2)), random.Random(1)
    corners = set()
    for _ in range(500):
        found = erasing_rectangle(64, 32, settings, generator)
        assert found is not None
        top, left, rows, columns = found
        assert 0 <= top <= 64 - rows and 0 <= left <= 32 - columns
        assert 0.085 <= rows * columns / (64 * 32) <= 0.215 and 0.45 <= rows / columns <= 2.2
        corners.add((top == 0, top == 64 - rows, left == 0, left == 32 - columns))
    # Positions reach all four edges.
    assert all(any(corner[edge] for corner in corners) for edge in range(4))
    assert erasing_rectangle(64, 32, Erasing(probability=0), generator) is None
    # What never fits is given up: 0.9 of the image at four times its width.
    assert erasing_rectangle(64, 32, Erasing(probability=1, area=(0.9, 1), aspect=(0.1, 0.1)), generator) is None


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        ("mean", (0, 0, 0)),
        ("mean_after_normalization", IMAGENET_MEAN),
        ((0.4914, 0.4822, 0.4465), (0.4914, 0.4822, 0.4465)),
    ],
)
def test_what_is_erased_is_filled(fill: Any, expected: tuple[float, ...]) -> None:
    record = EmbeddingRecord(input_size=(32, 16))
    erasing = Erasing(probability=1, fill=fill)
    image = made_up()[0]
    erased, whole = (
        Augmenter(AugmentationSettings(flip=0, erasing=each), record, 0)([image], [(0, 7)])[0]
        for each in (erasing, None)
    )
    generator = image_random(0, 0, 7)
    generator.random()
    rectangle = erasing_rectangle(32, 16, erasing, generator)
    assert rectangle is not None
    top, left, rows, columns = rectangle
    inside = np.zeros((32, 16), bool)
    inside[top : top + rows, left : left + columns] = True
    assert np.array_equal(erased[:, ~inside], whole[:, ~inside])
    assert np.array_equal(erased[:, inside], np.float32(expected)[:, None].repeat(inside.sum(), 1))


def test_the_mean_is_what_a_grey_image_of_the_mean_becomes() -> None:
    record = EmbeddingRecord(input_size=(8, 4), mean=(0.2, 0.4, 0.6), std=(0.5, 0.25, 0.1))
    image = np.full((8, 4, 3), (153, 102, 51), np.uint8)
    normalised = Augmenter(AugmentationSettings(**NOTHING), record, 0)([image], [(0, 0)])[0]
    assert np.abs(normalised - Erasing(fill="mean").value(record)[:, None, None]).max() < 1e-6


@pytest.mark.parametrize(
    "settings",
    [
        {"flip": 1.5},
        {"pad_and_crop": -1},
        {"color_jitter": {"hue": 0.6}},
        {"erasing": {"probability": 2}},
        {"erasing": {"area": (0.1, 1.5)}},
        {"erasing": {"aspect": (0, 1)}},
        {"erasing": {"fill": "black"}},
        {"mirror": True},
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AugmentationSettings.model_validate(settings)
