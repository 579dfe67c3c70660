"""Clothes, faces and hair as pictures: one texture atlas per person, painted once, that moves with the body."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.wardrobe import Appearance

__all__ = ["ATLAS", "REGIONS", "SLEEVE_END", "TORSO_TOP", "hem_height", "leg_cover", "paint_outfit"]

ATLAS = 256
# x, y, width, height in the atlas; all multiples of 8 so that halving it twice mixes no two regions.
REGIONS: dict[str, tuple[int, int, int, int]] = {
    "torso": (0, 0, 128, 128),
    "left_leg": (128, 0, 64, 128),
    "right_leg": (192, 0, 64, 128),
    "head": (0, 128, 96, 96),
    "hair": (96, 128, 64, 64),
    "left_arm": (160, 128, 48, 96),
    "right_arm": (208, 128, 48, 96),
    "bag": (96, 192, 64, 32),
    "pelvis": (0, 224, 64, 32),
    "shoe": (64, 224, 32, 32),
    "hand": (96, 224, 32, 32),
    "plain": (128, 224, 32, 32),
    "skirt": (160, 224, 96, 32),
}
TORSO_TOP = 1.505
SLEEVE_END = {"t-shirt": 1.205, "long-sleeve": 0.888, "shirt": 0.888, "hoodie": 0.885, "jacket": 0.885, "coat": 0.885}

FloatArray = NDArray[np.floating[Any]]


def hem_height(look: Appearance) -> float:
    """Return how far down the top reaches in the rest pose, metres."""
    return {"t-shirt": 0.87, "long-sleeve": 0.88, "shirt": 0.87, "hoodie": 0.85, "jacket": 0.84, "coat": 0.60}[
        look.top_kind
    ]


def leg_cover(look: Appearance) -> float:
    """Return how far down trousers reach, metres; legs are bare below."""
    return {"shorts": 0.50, "skirt": 0.94}.get(look.legs_kind, 0.0)


def paint_outfit(look: Appearance) -> FloatArray:
    """Return the (256, 256, 3) float32 BGR atlas of a person, grey levels in plain light."""
    generator = np.random.default_rng(look.seed)
    atlas = np.empty((ATLAS, ATLAS, 3), np.float32)
    atlas[:] = look.top
    for name, region in REGIONS.items():
        x, y, width, height = region
        painter = _PAINTERS[name.split("_")[-1]]
        atlas[y : y + height, x : x + width] = painter(look, generator, width, height)
    return np.clip(atlas, 2, 250)


def _fill(colour: tuple[float, float, float], width: int, height: int) -> FloatArray:
    return np.broadcast_to(np.asarray(colour, np.float32), (height, width, 3)).copy()


def _grid(width: int, height: int) -> tuple[FloatArray, FloatArray]:
    """Return angle (radians, 0 in front, left positive) and share of the way down, both (height, width)."""
    angle = np.linspace(-np.pi, np.pi, width, dtype=np.float32)
    down = np.linspace(0, 1, height, dtype=np.float32)
    return np.meshgrid(angle, down)


def _noise(generator: np.random.Generator, width: int, height: int, wide: float, high: float) -> FloatArray:
    field = generator.standard_normal((height, width)).astype(np.float32)
    wrapped = np.asarray(cv2.GaussianBlur(np.tile(field, (1, 3)), (0, 0), wide, sigmaY=high), np.float32)
    smoothed = wrapped[:, width : 2 * width]
    return smoothed / max(float(smoothed.std()), 1e-6)


def _weave(image: FloatArray, generator: np.random.Generator, folds: float = 0.10) -> FloatArray:
    """Give cloth its folds and a fine grain."""
    height, width = image.shape[:2]
    fold = _noise(generator, width, height, 2.2, 7.0) * 0.6 + _noise(generator, width, height, 5.0, 3.0) * 0.6
    grain = _noise(generator, width, height, 0.5, 0.5) * 0.02
    # Dark cloth hides its folds less in light than in shade; a little light is added to both.
    return image * (1 + folds * fold + grain)[..., None] + (3 * fold)[..., None]


def _pattern(look: Appearance, image: FloatArray, metres_around: float, metres_down: float) -> None:
    height, width = image.shape[:2]
    rows = np.arange(height) * metres_down / height
    columns = np.arange(width) * metres_around / width
    accent = np.asarray(look.accent, np.float32)
    period = 0.045 + 0.05 * ((look.seed >> 3) % 5) / 4
    if look.top_pattern == "stripes":
        image[(rows % period) < 0.42 * period] = accent
    elif look.top_pattern == "check":
        a = ((rows % (1.3 * period)) < 0.45 * period)[:, None]
        b = ((columns % (1.3 * period)) < 0.45 * period)[None]
        image[:] = image + (accent - image) * (0.4 * a + 0.4 * b)[..., None]
    elif look.top_pattern == "two-tone":
        image[rows < 0.24] = accent


def _torso(look: Appearance, generator: np.random.Generator, width: int, height: int) -> FloatArray:
    length = TORSO_TOP - hem_height(look)
    image = _fill(look.top, width, height)
    angle, down = _grid(width, height)
    metres = down * length
    _pattern(look, image, 0.95, length)
    dark = np.asarray(look.top, np.float32) * 0.62
    if look.top_pattern == "logo":
        side = 0.30 + 0.2 * (look.seed % 3)
        shape = look.seed // 3 % 3
        u, v = angle / side, (metres - 0.22) / (0.42 * side * 0.5)
        inside = (u**2 + v**2 < 1, (np.abs(u) < 1) & (np.abs(v) < 0.55), (np.abs(u) + np.abs(v) < 1))[shape]
        image[inside] = look.accent
    if look.top_kind in ("jacket", "coat"):
        shirt = np.asarray(look.accent, np.float32)
        gap = np.interp(metres[:, 0], (0, 0.12, 0.5, 0.9), (0.95, 0.55, 0.50, 0.36))[:, None]
        image[np.abs(angle) < gap] = shirt
        image[(np.abs(angle) >= gap) & (np.abs(angle) < gap + 0.09)] = dark
    elif look.top_kind == "shirt":
        image[np.abs(angle) < 0.02] = dark
        for button in np.arange(0.08, length, 0.09):
            image[(np.abs(angle) < 0.045) & (np.abs(metres - button) < 0.007)] = (210, 212, 212)
    elif look.top_kind == "hoodie":
        pocket = (np.abs(angle) < 0.85 - 0.5 * np.clip(0.5 - metres, 0, 0.2)) & (metres > 0.40) & (metres < 0.56)
        edge = cv2.morphologyEx(pocket.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) > 0
        image[edge] = dark
        image[(np.abs(np.abs(angle) - 0.22) < 0.035) & (metres < 0.20) & (metres > 0.03)] = (200, 202, 202)
        image[metres > length - 0.05] *= 0.84
    if look.top_kind in ("t-shirt", "long-sleeve"):
        neckline = 0.022 + (0.055 if look.femininity > 0.5 else 0.018) * np.exp(-((angle / 0.7) ** 2))
        image[metres < neckline] = look.skin
        image[(metres >= neckline) & (metres < neckline + 0.014)] = dark
    if look.legs_kind in ("trousers", "jeans") and look.top_kind == "shirt" and look.seed % 2:
        tucked = metres > length - 0.10
        image[tucked] = look.legs
        image[np.abs(metres - (length - 0.10)) < 0.016] = (30, 34, 44)
    image = _weave(image, generator, 0.11)
    if look.bag == "backpack":
        strap = (np.abs(np.abs(angle) - 0.85) < 0.13) & (metres < 0.36) & (np.abs(angle) < 1.6)
        image[strap] = np.asarray(look.bag_colour, np.float32) * 0.8
    elif look.bag == "shoulder":
        # From the left shoulder across the chest and the back to the right hip.
        across = np.where(np.abs(angle) < np.pi / 2, np.sin(angle), np.sin(angle))
        strap = np.abs(metres - (0.30 - 0.27 * across)) < 0.022
        image[strap] = np.asarray(look.bag_colour, np.float32) * 0.75
    image[metres > length - 0.012] *= 0.75
    return image


def _arm(look: Appearance, generator: np.random.Generator, width: int, height: int) -> FloatArray:
    image = _fill(look.top, width, height)
    z = np.linspace(1.458, 0.875, height, dtype=np.float32)
    if look.top_pattern in ("stripes", "check"):
        _pattern(look, image, 0.28, 0.58)
    image = _weave(image, generator, 0.11)
    end = SLEEVE_END[look.top_kind]
    cuff = (z > end) & (z < end + 0.03)
    image[cuff] *= 0.82
    skin = _skin(look, generator, width, height)
    image[z <= end] = skin[z <= end]
    return image


def _skin(look: Appearance, generator: np.random.Generator, width: int, height: int) -> FloatArray:
    return _fill(look.skin, width, height) * (1 + 0.025 * _noise(generator, width, height, 2.5, 2.5))[..., None]


def _leg(look: Appearance, generator: np.random.Generator, width: int, height: int) -> FloatArray:
    angle, _ = _grid(width, height)
    z = np.linspace(0.95, 0.05, height, dtype=np.float32)[:, None]
    image = _fill(look.legs, width, height)
    if look.legs_kind == "jeans":
        worn = np.exp(-((angle / 0.8) ** 2)) * np.exp(-(((z - 0.70) / 0.17) ** 2))
        worn = worn + 0.5 * np.exp(-((angle / 0.7) ** 2)) * np.exp(-(((z - 0.45) / 0.07) ** 2))
        image += (28 * worn)[..., None] * np.asarray((1.1, 0.95, 0.8), np.float32)
    if look.legs_kind != "skirt":
        seam = np.abs(np.abs(angle) - np.pi / 2) < 0.06
        image[seam] *= 0.80
    image = _weave(image, generator, 0.10)
    knee = np.sin(z * 190 + 2 * np.cos(angle)) * np.exp(-(((z - 0.50) / 0.07) ** 2)) * 0.06
    ankle = np.sin(z * 230) * np.exp(-(((z - 0.10) / 0.06) ** 2)) * 0.08
    image *= (1 + knee + ankle)[..., None]
    cover = leg_cover(look)
    skin = _skin(look, generator, width, height)
    if look.legs_kind == "skirt" and look.seed % 2:
        skin = _fill((40, 36, 36), width, height) + 0.15 * skin
    bare = z[:, 0] < cover
    image[bare] = skin[bare]
    if cover:
        image[z[:, 0] < 0.12] = (205, 206, 206) if look.seed % 3 else (40, 40, 42)
    return image


def _head(look: Appearance, generator: np.random.Generator, width: int, height: int) -> FloatArray:
    # Painted three times as large, then averaged, so that eyes and mouth are smooth.
    scale = 3
    angle, down = _grid(width * scale, height * scale)
    z = 1.75 - down * (1.75 - 1.518)
    image = _fill(look.skin, width * scale, height * scale)
    blush = np.exp(-(((np.abs(angle) - 0.65) / 0.25) ** 2)) * np.exp(-(((z - 1.595) / 0.02) ** 2))
    image += blush[..., None] * np.asarray((-6, -8, 6), np.float32)
    socket = np.exp(-(((np.abs(angle) - 0.38) / 0.24) ** 2)) * np.exp(-(((z - 1.638) / 0.014) ** 2))
    image *= (1 - 0.25 * socket)[..., None]
    beside_nose = np.exp(-(((np.abs(angle) - 0.22) / 0.07) ** 2)) * np.exp(-(((z - 1.60) / 0.022) ** 2))
    image *= (1 - 0.16 * beside_nose)[..., None]
    image *= (1 - 0.22 * np.exp(-((angle / 0.16) ** 2)) * np.exp(-(((z - 1.581) / 0.005) ** 2)))[..., None]
    hair = np.asarray(look.hair, np.float32)
    if look.beard:
        jaw = 1 / (1 + np.exp((z - 1.585 - 0.05 * np.clip(np.abs(angle) - 0.7, 0, 1)) / 0.005))
        jaw *= np.abs(angle) < 1.5
        image += (0.72 * jaw)[..., None] * (hair - image)
    elif look.femininity < 0.45:
        jaw = 1 / (1 + np.exp((z - 1.575) / 0.008)) * (np.abs(angle) < 1.4)
        image *= (1 - 0.10 * jaw)[..., None]
    lips = ((angle / 0.27) ** 2 + ((z - 1.5615) / 0.0065) ** 2) < 1
    image[lips] = image[lips] * (0.62, 0.60, 0.84)
    image[(np.abs(angle) < 0.25) & (np.abs(z - 1.5615) < 0.0012)] *= 0.55
    for side in (-1, 1):
        u, v = (angle - side * 0.37) / 0.16, (z - 1.638) / 0.0065
        image[u**2 + v**2 < 1] = (214, 218, 220)
        image[(u / 0.45) ** 2 + v**2 < 1] = (44, 48, 56)
        image[(np.abs(u) < 1.05) & (np.abs(v - 0.9 + 0.5 * u**2) < 0.28)] *= 0.35
        arch = 1.657 - 0.006 * ((angle - side * 0.40) / 0.22) ** 2
        brow = (np.abs(angle - side * 0.40) < 0.23) & (np.abs(z - arch) < 0.0035)
        image[brow] = image[brow] * 0.35 + 0.65 * hair * 0.8
    if look.hair_kind in ("bald", "buzz"):
        scalp = (z > 1.66 - 0.05 * (np.abs(angle) > 1.3)) & (np.abs(angle) > 0.9) & (z > 1.58)
        image[scalp] = image[scalp] * 0.75 + 0.25 * hair
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _hair(look: Appearance, generator: np.random.Generator, width: int, height: int) -> FloatArray:
    if look.hair_kind == "cap":
        image = _weave(_fill(look.accent, width, height), generator, 0.04)
        angle, down = _grid(width, height)
        image[(np.abs(angle) < 0.5) & (np.abs(down - 0.55) < 0.12)] = np.asarray(look.bag_colour, np.float32)
        return image
    strands = _noise(generator, width, height, 0.7, 9.0)
    light = np.exp(-(((np.linspace(0, 1, height) - 0.42) / 0.14) ** 2)).astype(np.float32)[:, None]
    image = _fill(look.hair, width, height)
    return image * (1 + 0.20 * strands)[..., None] + (13 * light * (1 + 0.5 * strands))[..., None]


def _bag(look: Appearance, generator: np.random.Generator, width: int, height: int) -> FloatArray:
    image = _weave(_fill(look.bag_colour, width, height), generator, 0.06)
    rows = np.linspace(0, 1, height)
    image[np.abs(rows - 0.38) < 0.03] *= 0.5
    image[(rows > 0.52) & (rows < 0.56)] *= 0.6
    return image


def _pelvis(look: Appearance, generator: np.random.Generator, width: int, height: int) -> FloatArray:
    image = _weave(_fill(look.legs, width, height), generator, 0.08)
    image[:4] = (28, 32, 40)
    return image


def _shoe(look: Appearance, generator: np.random.Generator, width: int, height: int) -> FloatArray:
    image = _fill(look.shoes, width, height) * (1 + 0.05 * _noise(generator, width, height, 2, 2))[..., None]
    angle, _ = _grid(width, height)
    sole = (206, 208, 208) if look.seed % 2 else (40, 40, 42)
    image[np.abs(angle) > 2.0] = sole
    return image


def _plain(look: Appearance, generator: np.random.Generator, width: int, height: int) -> FloatArray:
    return _weave(_fill(look.top, width, height), generator, 0.06)


def _skirt(look: Appearance, generator: np.random.Generator, width: int, height: int) -> FloatArray:
    return _weave(_fill(look.legs, width, height), generator, 0.14)


_PAINTERS = {
    "torso": _torso,
    "leg": _leg,
    "head": _head,
    "hair": _hair,
    "arm": _arm,
    "bag": _bag,
    "pelvis": _pelvis,
    "shoe": _shoe,
    "hand": _skin,
    "plain": _plain,
    "skirt": _skirt,
}
