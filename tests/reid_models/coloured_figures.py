"""Made-up people to learn from: coloured figures whose light, backgrounds and poses hide who they are.

A figure wears three of seven colours, on head, body and legs. Its two cameras see it under tints, before backgrounds
and at a brightness that change pixels far more than clothes do.

Those to be found again after training wear the colours of the seven lines of the Fano plane, in all six arrangements
each: the same colours in another order are another person, so colours without places say little, while any two of these
people differ in at least two of three garments. Those to learn from wear three colours that are no such line.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["ColouredFigures", "Outfit", "photograph", "training_outfits", "unseen_outfits"]

#: blue, green, red of clothes, far enough apart to survive a tint
_COLOURS = (
    (40, 40, 220),
    (40, 200, 220),
    (60, 190, 60),
    (220, 200, 40),
    (220, 70, 40),
    (210, 60, 190),
    (30, 30, 30),
)
_LINES = frozenset(frozenset((start, (start + 1) % 7, (start + 3) % 7)) for start in range(7))
#: pixels drawn for one of the image, so that edges are smooth
_FINENESS = 3


@dataclass(frozen=True, slots=True)
class Outfit:
    """What makes an identity: the numbers of the colours on its body, its legs and its head."""

    body: int
    legs: int
    head: int


@dataclass(frozen=True, slots=True, eq=False)
class ColouredFigures:
    """Images (N, H, W, 3) BGR uint8, and the identity and camera (N,) int64 of each."""

    images: NDArray[np.uint8]
    ids: NDArray[np.int64]
    cameras: NDArray[np.int64]


def unseen_outfits() -> list[Outfit]:
    """Return the 42 outfits in the colours of lines: none of them, nor their three colours, are trained on."""
    return [outfit for outfit in _all_outfits() if _is_line(outfit)]


def training_outfits(count: int, seed: int) -> list[Outfit]:
    """Return ``count`` of the 168 outfits whose colours are no line, drawn with ``seed``."""
    outfits = [outfit for outfit in _all_outfits() if not _is_line(outfit)]
    chosen = np.random.default_rng(seed).choice(len(outfits), count, replace=False)
    return [outfits[number] for number in chosen.tolist()]


def photograph(
    outfits: Sequence[Outfit], *, images_per_camera: int, size: tuple[int, int], seed: int
) -> ColouredFigures:
    """Return ``images_per_camera`` images of each outfit in each of two cameras; identities are outfits' positions.

    Args:
        outfits: who is photographed.
        images_per_camera: each with its own pose, place, scale, brightness, noise and background.
        size: (height, width) of the images.
        seed: decides everything random.
    """
    generator = np.random.default_rng(seed)
    images, ids, cameras = [], [], []
    for identity, outfit in enumerate(outfits):
        for camera in (0, 1):
            for _ in range(images_per_camera):
                scene = _figure(outfit, _background(size, generator), generator)
                images.append(_exposed(scene, size, camera, generator))
                ids.append(identity)
                cameras.append(camera)
    return ColouredFigures(np.stack(images), np.array(ids, np.int64), np.array(cameras, np.int64))


def _all_outfits() -> list[Outfit]:
    return [Outfit(*colours) for colours in itertools.permutations(range(len(_COLOURS)), 3)]


def _is_line(outfit: Outfit) -> bool:
    return frozenset((outfit.body, outfit.legs, outfit.head)) in _LINES


def _background(size: tuple[int, int], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Return walls and furniture (H, W, 3) without much colour, ``_FINENESS`` times as fine as the image."""
    height, width = (length * _FINENESS for length in size)
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = _greyish(generator)
    for _ in range(generator.integers(6, 14)):
        top, left = generator.integers(-height // 4, height), generator.integers(-width // 4, width)
        rows, columns = generator.integers(height // 8, height // 2), generator.integers(width // 8, width)
        corner, opposite = (int(left), int(top)), (int(left + columns), int(top + rows))
        cv2.rectangle(canvas, corner, opposite, _greyish(generator), thickness=-1)
    return canvas


def _greyish(generator: np.random.Generator) -> tuple[float, ...]:
    values = generator.uniform(20, 235) + generator.uniform(-PALE, PALE, 3)
    return tuple(np.clip(values, 0, 255).tolist())


PALE = 10


def _figure(outfit: Outfit, canvas: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a walking figure on ``canvas`` and return it, or its mirror image."""
    height, width = canvas.shape[:2]
    tall = height * generator.uniform(0.72, 0.95)
    wide = tall * generator.uniform(0.17, 0.22)
    middle = width * generator.uniform(0.4, 0.6)
    top = generator.uniform(0, height - tall)
    swing, lean = tall * generator.uniform(0, 0.14), tall * generator.uniform(-0.04, 0.04)
    neck, waist, feet = top + 0.19 * tall, top + 0.56 * tall, top + tall

    def point(x: float, y: float) -> tuple[int, int]:
        return round(x), round(y)

    legs = _worn(outfit.legs, generator)
    for side in (-1, 1):
        hip, foot = middle + side * 0.4 * wide, middle + side * (0.4 * wide + swing)
        cv2.line(canvas, point(hip, waist - 0.03 * tall), point(foot, feet), legs, round(0.8 * wide))
    body = _worn(outfit.body, generator)
    left, right = point(middle + lean - wide, neck), point(middle + lean + wide, neck)
    hem = point(middle + 0.75 * wide, waist), point(middle - 0.75 * wide, waist)
    cv2.fillPoly(canvas, [np.array([left, right, *hem], np.int32)], body)
    for side, shoulder in ((-1, left), (1, right)):
        hand = point(middle + lean + side * (wide + 0.6 * swing), waist)
        cv2.line(canvas, shoulder, hand, body, round(0.4 * wide))
    face = point(middle + 1.3 * lean, top + 0.11 * tall)
    radius = round(0.13 * tall)
    cv2.circle(canvas, face, radius, _worn(outfit.head, generator), -1)
    cv2.circle(canvas, (face[0], face[1] + radius // 3), radius // 2, (120, 150, 200), -1)
    return canvas[:, ::-1] if generator.random() < 0.5 else canvas


def _worn(colour: int, generator: np.random.Generator) -> tuple[float, ...]:
    """Return a garment's colour in one image."""
    return tuple(np.clip(np.array(_COLOURS[colour]) + generator.normal(0, 8, 3), 0, 255).tolist())


TINT = 0.18
BRIGHT = (0.65, 1.25)


def _exposed(
    scene: NDArray[np.uint8], size: tuple[int, int], camera: int, generator: np.random.Generator
) -> NDArray[np.uint8]:
    """Return what a camera makes of the scene: smaller, bluish and pale or reddish and hard, dark or bright, noisy."""
    small = cv2.resize(np.ascontiguousarray(scene), size[::-1], interpolation=cv2.INTER_AREA).astype(np.float64)
    warmth = (-1, 1)[camera]
    tint = 1 + warmth * np.array([-TINT, 0.0, TINT])
    exposed = 255 * (small / 255) ** (1 + 0.12 * warmth) * tint * generator.uniform(*BRIGHT)
    return np.clip(exposed + generator.normal(0, 6, exposed.shape), 0, 255).round().astype(np.uint8)
