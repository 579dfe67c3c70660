"""A head with ears, nose and brows, its neck, and the hair or cap on it."""

from __future__ import annotations

import numpy as np

from benchmarks.simulation.loft import MeshBuilder, angles, smooth, tube
from benchmarks.simulation.wardrobe import Appearance

__all__ = ["add_hair", "add_head"]

_HEAD_Z = (1.750, 1.747, 1.738, 1.718, 1.690, 1.655, 1.620, 1.590, 1.565, 1.545, 1.527, 1.518)
_HEAD_X = (0.004, 0.028, 0.054, 0.078, 0.092, 0.097, 0.095, 0.088, 0.079, 0.070, 0.052, 0.012)
_HEAD_Y = (0.004, 0.024, 0.045, 0.062, 0.072, 0.075, 0.073, 0.068, 0.061, 0.052, 0.036, 0.008)
_HEAD_C = (-0.004, -0.004, -0.003, -0.002, 0.0, 0.002, 0.006, 0.011, 0.016, 0.021, 0.030, 0.036)


def add_head(builder: MeshBuilder, look: Appearance) -> None:
    """Add neck, head and ears."""
    z = np.array([1.43, 1.46, 1.49, 1.52, 1.55, 1.58])
    thick = 1.06 - 0.16 * look.femininity + 0.08 * look.softness
    neck = tube(
        z,
        np.array([0.075, 0.066, 0.060, 0.058, 0.058, 0.058]) * thick,
        np.array([0.085, 0.066, 0.056, 0.054, 0.054, 0.054]) * thick,
        [-0.022, -0.020, -0.016, -0.012, -0.008, -0.005],
        count=12,
    )
    front = 1 - 0.35 * np.clip(np.cos(angles(12)), 0, 1)[None] * smooth(1.48, 1.54, z)[:, None]
    builder.add(neck, "hand", ("neck", "head"), smooth(1.46, 1.57, z)[:, None], 0.88 * front)
    z = np.array(_HEAD_Z)
    angle = angles(20)
    head = tube(z, _HEAD_X, np.array(_HEAD_Y) * (1.03 - 0.05 * look.femininity), _HEAD_C, count=20, squareness=2.15)
    nose = np.interp(z, (1.565, 1.59, 1.62, 1.66), (0.0, 0.020, 0.012, 0.0))[:, None] * (np.abs(angle) < 0.15)
    brow = 0.004 * np.exp(-(((z - 1.658) / 0.014) ** 2))[:, None] * np.exp(-((angle / 0.8) ** 2))
    eyes = -0.006 * np.exp(-(((z - 1.630) / 0.014) ** 2))[:, None] * np.exp(-(((np.abs(angle) - 0.4) / 0.22) ** 2))
    head[..., 0] += nose + brow + eyes
    under = np.interp(z, (1.52, 1.56, 1.60), (0.68, 0.88, 1.0))[:, None]
    builder.add(head, "head", ("head", "head"), 0.0, under, (1.75 - z) / (1.75 - 1.518))
    if look.hair_kind not in ("long", "bob"):
        z = np.array([1.655, 1.648, 1.63, 1.61, 1.595, 1.588])
        for sign in (1.0, -1.0):
            ear = tube(
                z,
                [0.004, 0.014, 0.019, 0.015, 0.010, 0.003],
                [0.003, 0.008, 0.010, 0.008, 0.006, 0.002],
                -0.004,
                sign * 0.077,
                count=8,
            )
            builder.add(ear, "hand", ("head", "head"), 0.0, 0.85)


# For each style: lower edge of the hair in front, at the sides and at the back (metres), and its thickness.
_HAIR = {
    "buzz": (1.706, 1.650, 1.580, 0.005),
    "short": (1.700, 1.640, 1.555, 0.014),
    "bob": (1.694, 1.560, 1.520, 0.022),
    "long": (1.694, 1.560, 1.400, 0.020),
    "ponytail": (1.704, 1.640, 1.560, 0.011),
    "bun": (1.704, 1.640, 1.560, 0.011),
    "cap": (1.690, 1.668, 1.640, 0.013),
}


def add_hair(builder: MeshBuilder, look: Appearance) -> None:
    """Add the hair, a pony tail or bun, or the cap."""
    if look.hair_kind == "bald":
        return
    front, side, back, thickness = _HAIR[look.hair_kind]
    angle = angles(20)
    turn = np.abs(angle)
    edge = np.interp(
        turn,
        (0, 0.5, 0.80, 1.15, 1.40, 1.75, 2.3, np.pi),
        (front, front + 0.004, front + 0.002, side + 0.012, side - 0.012, side + 0.004, back, back - 0.008),
    )
    crown = 1.750 + 0.9 * thickness
    steps = np.linspace(0, 1, 12)[:, None] ** 1.35
    z = crown + (edge - crown) * steps
    # Below the skull's widest place hair hangs instead of following the jaw.
    shape_z = np.maximum(z - 0.9 * thickness * (1 - steps), 1.600 if look.hair_kind in ("long", "bob") else 1.56)
    half_x, half_y, centre = (np.interp(-shape_z, -np.array(_HEAD_Z), table) for table in (_HEAD_X, _HEAD_Y, _HEAD_C))
    generator = np.random.default_rng(look.seed)
    wave = 1 + 0.10 * np.sin(angle * generator.integers(3, 6) + generator.uniform(0, 6) + 9 * steps)
    swell = thickness * wave * np.minimum(1, 0.15 + 2.2 * (1 - steps) + (look.hair_kind in ("long", "bob")))
    # The crown is closed: without it the scalp shows through the first ring.
    swell = swell * np.minimum(1, 14 * steps)
    grid = np.empty((*z.shape, 3))
    grid[..., 0] = centre + (half_x + swell) * np.cos(angle)
    grid[..., 1] = (half_y + swell) * np.sin(angle)
    grid[..., 2] = z
    grid[..., 0] -= np.clip(1.55 - z, 0, None) * 0.30
    open_share = np.broadcast_to(1.05 - 0.30 * steps**2, z.shape)
    follow = smooth(1.56, 1.42, z) * 0.7
    builder.add(grid, "hair", ("head", "chest"), follow, open_share)
    if look.hair_kind == "cap":
        rows = np.array([0.0, 0.03, 0.06, 0.075])
        across = np.linspace(-1, 1, 9)
        top = np.empty((2 * len(rows), 9, 3))
        for layer, lift in enumerate((0.004, -0.004)):
            for number, reach in enumerate(rows if layer == 0 else rows[::-1]):
                bow = np.sqrt(np.clip(1 - (0.92 * across) ** 2, 0, 1))
                ring = top[layer * len(rows) + number]
                ring[:, 0] = 0.055 + 0.045 * bow + reach * bow
                ring[:, 1] = 0.075 * across
                ring[:, 2] = 1.690 + lift - 0.25 * reach - 0.02 * across**2
        builder.add(top, "hair", ("head", "head"), 0.0, 0.8)
    elif look.hair_kind == "ponytail":
        z = np.array([1.69, 1.685, 1.66, 1.60, 1.53, 1.46, 1.42])
        builder.add(
            tube(
                z,
                [0.006, 0.022, 0.028, 0.028, 0.026, 0.018, 0.004],
                [0.006, 0.020, 0.026, 0.030, 0.028, 0.018, 0.004],
                [-0.09, -0.105, -0.125, -0.135, -0.128, -0.12, -0.115],
                count=8,
            ),
            "hair",
            ("head", "chest"),
            smooth(1.58, 1.42, z)[:, None] * 0.5,
            0.95,
        )
    elif look.hair_kind == "bun":
        z = np.array([1.765, 1.76, 1.74, 1.71, 1.68, 1.665, 1.66])
        size = np.array([0.004, 0.020, 0.036, 0.042, 0.034, 0.018, 0.004])
        builder.add(tube(z, size, size, -0.085, count=10), "hair", ("head", "head"), 0.0, 0.95)
