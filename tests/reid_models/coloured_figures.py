"""Made-up people to learn from: coloured figures in two cameras whose light, backgrounds and poses hide who they are.

Clothes come in twos: for every figure with an upper part in one colour and a lower part in another there is one that
wears the same two colours the other way round. The whole image's mean colour therefore says nothing about which of the
two it is, and backgrounds, brightness and the cameras' tints change pixels far more than clothes do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["ColouredFigures", "Outfit", "draw_outfits", "photograph"]

Pattern = Literal["plain", "hoops"]
#: blue, green, red of clothes: eight hues around the circle, of one saturation and brightness
_COLOURS = (
    (34, 34, 230),
    (34, 181, 230),
    (34, 230, 132),
    (83, 230, 34),
    (230, 230, 34),
    (230, 83, 34),
    (230, 34, 132),
    (181, 34, 230),
)
#: pixels drawn for one of the image, so that edges are smooth
_FINENESS = 4


@dataclass(frozen=True, slots=True)
class Outfit:
    """What makes an identity: numbers of the colours of its upper and lower part, and the upper part's pattern."""

    upper: int
    lower: int
    pattern: Pattern


@dataclass(frozen=True, slots=True, eq=False)
class ColouredFigures:
    """Images (N, H, W, 3) BGR uint8, and the identity and camera (N,) int64 of each."""

    images: NDArray[np.uint8]
    ids: NDArray[np.int64]
    cameras: NDArray[np.int64]


def draw_outfits(count: int, seed: int) -> list[Outfit]:
    """Return ``count`` different outfits, an even number: each is followed by the same colours the other way round."""
    colours = range(len(_COLOURS))
    pairs = [(a, b, pattern) for a in colours for b in colours if a < b for pattern in get_args(Pattern)]
    if count % 2 or not 0 < count <= 2 * len(pairs):
        raise ValueError(f"{count} outfits: an even number up to {2 * len(pairs)} can be had")
    chosen = np.random.default_rng(seed).choice(len(pairs), count // 2, replace=False)
    drawn = (pairs[number] for number in chosen.tolist())
    return [outfit for a, b, pattern in drawn for outfit in (Outfit(a, b, pattern), Outfit(b, a, pattern))]


def photograph(
    outfits: Sequence[Outfit], *, images_per_camera: int, cameras: int = 2, size: tuple[int, int] = (64, 32), seed: int
) -> ColouredFigures:
    """Return ``images_per_camera`` images of each outfit in each camera; identities are the outfits' positions.

    Args:
        outfits: who is photographed.
        images_per_camera: of each, every one with its own pose, place, scale, brightness, noise and background.
        cameras: each with a tint and a contrast of its own, the same for the same ``seed``.
        size: (height, width) of the images.
        seed: decides everything random.
    """
    generator = np.random.default_rng(seed)
    tints = generator.uniform(0.82, 1.18, (cameras, 3))
    gammas = generator.uniform(0.9, 1.1, cameras)
    images, ids, seen_by = [], [], []
    for identity, outfit in enumerate(outfits):
        for camera in range(cameras):
            for _ in range(images_per_camera):
                scene = _figure(outfit, _background(size, generator), generator)
                images.append(_exposed(scene, size, tints[camera], float(gammas[camera]), generator))
                ids.append(identity)
                seen_by.append(camera)
    return ColouredFigures(np.stack(images), np.array(ids, np.int64), np.array(seen_by, np.int64))


def _background(size: tuple[int, int], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Return pale walls and furniture (H, W, 3), ``_FINENESS`` times as fine as the image."""
    height, width = (length * _FINENESS for length in size)
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = _pale(generator)
    for _ in range(generator.integers(3, 8)):
        top, left = generator.integers(-height // 4, height), generator.integers(-width // 4, width)
        rows, columns = generator.integers(height // 8, height // 2), generator.integers(width // 8, width)
        corner, opposite = (int(left), int(top)), (int(left + columns), int(top + rows))
        cv2.rectangle(canvas, corner, opposite, _pale(generator), thickness=-1)
    return canvas


def _pale(generator: np.random.Generator) -> tuple[float, ...]:
    """Return a colour that is nearly grey, dark or light."""
    return tuple(np.clip(generator.uniform(20, 235) + generator.uniform(-8, 8, 3), 0, 255).tolist())


def _figure(outfit: Outfit, canvas: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a walking figure on ``canvas`` and return it, facing left or right."""
    height, width = canvas.shape[:2]
    tall = height * generator.uniform(0.72, 0.95)
    wide = tall * generator.uniform(0.17, 0.22)
    middle = width * generator.uniform(0.4, 0.6)
    top = generator.uniform(0, height - tall)
    swing, lean = tall * generator.uniform(0, 0.14), tall * generator.uniform(-0.04, 0.04)
    neck, waist, feet = top + 0.17 * tall, top + 0.54 * tall, top + tall
    upper, lower = _worn(outfit.upper, generator), _worn(outfit.lower, generator)

    def point(x: float, y: float) -> tuple[int, int]:
        return round(x), round(y)

    for side in (-1, 1):
        cv2.line(canvas, point(middle + side * wide * 0.4, waist - 0.03 * tall),
                 point(middle + side * (wide * 0.4 + swing), feet), lower, round(0.55 * wide))  # fmt: skip
    hem = 0.75 * wide
    body = [point(middle + lean - wide, neck), point(middle + lean + wide, neck),
            point(middle + hem, waist), point(middle - hem, waist)]  # fmt: skip
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.array(body, np.int32)], 255)
    for side in (-1, 1):
        cv2.line(mask, body[0] if side < 0 else body[1],
                 point(middle + lean + side * (wide + 0.6 * swing), waist), 255, round(0.4 * wide))  # fmt: skip
    rows, columns = np.mgrid[:height, :width]
    period = 0.1 * tall
    bands = {"plain": None, "hoops": rows - neck, "stripes": columns - middle - 0.25 * period}[outfit.pattern]
    canvas[mask > 0] = upper
    if bands is not None:
        canvas[(mask > 0) & (bands % period < 0.4 * period)] = 245
    cv2.circle(canvas, point(middle + 1.3 * lean, top + 0.085 * tall), round(0.08 * tall),
               generator.choice([(110, 140, 190), (60, 80, 120), (150, 175, 215)]).tolist(), -1)  # fmt: skip
    return canvas[:, ::-1] if generator.random() < 0.5 else canvas


def _worn(colour: int, generator: np.random.Generator) -> tuple[float, ...]:
    return tuple(np.clip(np.array(_COLOURS[colour]) + generator.normal(0, 8, 3), 0, 255).tolist())


def _exposed(
    scene: NDArray[np.uint8],
    size: tuple[int, int],
    tint: NDArray[np.float64],
    gamma: float,
    generator: np.random.Generator,
) -> NDArray[np.uint8]:
    """Return what the camera makes of the scene: smaller, tinted, darker or brighter, noisy."""
    small = cv2.resize(np.ascontiguousarray(scene), size[::-1], interpolation=cv2.INTER_AREA).astype(np.float64)
    exposed = 255 * (small / 255) ** gamma * tint * generator.uniform(0.35, 1.3)
    return np.clip(exposed + generator.normal(0, 6, exposed.shape), 0, 255).round().astype(np.uint8)
