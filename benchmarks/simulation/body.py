"""A person's surface in the rest pose: cross-sections of trunk and limbs, lofted to triangles; clothes and bags."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.head import add_hair, add_head
from benchmarks.simulation.loft import Mesh, MeshBuilder, angles, smooth, tube
from benchmarks.simulation.outfit import SLEEVE_END, TORSO_TOP, hem_height, leg_cover
from benchmarks.simulation.wardrobe import Appearance

__all__ = ["build_mesh"]

FloatArray = NDArray[np.float64]


def build_mesh(look: Appearance) -> Mesh:
    """Return the surface of a person who looks like ``look``."""
    builder = MeshBuilder()
    _trunk(builder, look)
    for side in ("left", "right"):
        _leg(builder, look, side)
        _arm(builder, look, side)
    add_head(builder, look)
    add_hair(builder, look)
    _bag(builder, look)
    return builder.mesh()


_LOOSENESS = {"t-shirt": 0.006, "long-sleeve": 0.005, "shirt": 0.008, "hoodie": 0.018, "jacket": 0.016, "coat": 0.022}

_TRUNK_Z = (0.55, 0.75, 0.86, 0.93, 1.00, 1.08, 1.18, 1.28, 1.36, 1.41, 1.45, 1.475, 1.50)
_TRUNK_Y_MALE = (0.205, 0.190, 0.172, 0.168, 0.160, 0.156, 0.165, 0.180, 0.192, 0.195, 0.168, 0.102, 0.064)
_TRUNK_Y_FEMALE = (0.210, 0.195, 0.182, 0.174, 0.153, 0.138, 0.146, 0.160, 0.170, 0.173, 0.148, 0.090, 0.058)
_TRUNK_X_MALE = (0.160, 0.148, 0.130, 0.125, 0.118, 0.112, 0.118, 0.126, 0.122, 0.108, 0.088, 0.072, 0.062)
_TRUNK_X_FEMALE = (0.165, 0.150, 0.133, 0.125, 0.110, 0.101, 0.108, 0.116, 0.110, 0.098, 0.080, 0.066, 0.057)


def _blend(look: Appearance, z: FloatArray, male: tuple[float, ...], female: tuple[float, ...]) -> FloatArray:
    f = look.femininity
    return np.interp(z, _TRUNK_Z, (1 - f) * np.array(male) + f * np.array(female)) * look.breadth


def _trunk_size(look: Appearance, z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return half depth, half width and forward shift of the trunk at heights ``z``."""
    belly = look.softness * np.exp(-(((z - 1.05) / 0.13) ** 2))
    half_y = _blend(look, z, _TRUNK_Y_MALE, _TRUNK_Y_FEMALE) + 0.035 * belly + 0.012 * look.softness
    half_x = _blend(look, z, _TRUNK_X_MALE, _TRUNK_X_FEMALE) + 0.045 * belly + 0.008 * look.softness
    shift = np.interp(z, (1.30, 1.45), (0.0, -0.016)) + 0.028 * belly
    return half_x, half_y, shift


def _trunk(builder: MeshBuilder, look: Appearance) -> None:
    angle = angles(22)
    sides = np.abs(np.sin(angle))
    hem = hem_height(look)
    z = np.array([TORSO_TOP, 1.488, 1.472, 1.452, 1.43, 1.405, 1.36, 1.30, 1.24, 1.17, 1.10, 1.04, 0.98, 0.93])
    z = np.concatenate([z[z > hem + 0.03], np.linspace(max(hem, 0.9), hem, 1 if hem > 0.8 else 5)])
    half_x, half_y, shift = _trunk_size(look, z)
    loose = _LOOSENESS[look.top_kind] * np.interp(z, (1.0, 1.36, 1.48), (1.25, 0.8, 0.3))
    grid = tube(z, half_x + loose, half_y + loose, shift, count=22, squareness=2.35)
    bust = 0.026 * look.femininity * np.exp(-(((z - 1.265) / 0.055) ** 2))[:, None]
    grid[..., 0] += bust * (np.exp(-(((angle - 0.55) / 0.4) ** 2)) + np.exp(-(((angle + 0.55) / 0.4) ** 2)))
    # Folds of cloth: shallow ridges that run obliquely around the waist.
    ridge = (
        0.0035 * np.sin(3 * angle[None] + 34 * z[:, None] + look.seed % 7) * np.exp(-(((z - 1.0) / 0.14) ** 2))[:, None]
    )
    grid[..., 0] += ridge * np.cos(angle)
    grid[..., 1] += ridge * np.sin(angle)
    hidden = (
        1
        - 0.16 * smooth(1.47, 1.50, z)[:, None]
        - 0.30 * sides[None] ** 3 * smooth(1.42, 1.36, z)[:, None]
        - 0.12 * smooth(1.1, hem, z)[:, None]
    )
    along = (TORSO_TOP - z) / (TORSO_TOP - hem)
    # What hangs below the hip joints follows the lap.
    split = int((z >= 0.9).sum())
    builder.add(
        grid[:split],
        "torso",
        ("chest", "pelvis"),
        smooth(1.16, 0.98, z[:split])[:, None],
        hidden[:split],
        along[:split],
    )
    if len(z) > split + 1:
        below = slice(split - 1, None)
        builder.add(
            grid[below], "torso", ("pelvis", "lap"), smooth(0.92, 0.80, z[below])[:, None], hidden[below], along[below]
        )
    z = np.array([1.0, 0.95, 0.90, 0.85, 0.81, 0.785])
    half_x, half_y, shift = _trunk_size(look, z)
    taper = np.array([0.97, 1.0, 1.0, 0.92, 0.70, 0.05])
    dark = np.array([0.9, 0.95, 0.98, 0.92, 0.75, 0.6])[:, None]
    builder.add(
        tube(z, half_x * taper, half_y * taper, shift, count=18, squareness=2.3),
        "pelvis",
        ("pelvis", "pelvis"),
        0.0,
        dark,
    )
    if look.legs_kind == "skirt":
        z = np.array([0.99, 0.93, 0.86, 0.76, 0.66, 0.57, 0.53])
        half_x, half_y, shift = _trunk_size(look, z)
        flare = np.interp(z, (0.53, 0.86, 1.0), (0.045, 0.018, 0.006))
        grid = tube(z, half_x + flare, half_y + flare, shift, count=18)
        grid[..., 0] += 0.008 * np.sin(5 * angles(18))[None] * smooth(0.9, 0.55, z)[:, None]
        follow = 0.45 * smooth(0.88, 0.55, z)[:, None]
        # Cloth follows the thigh on its side and the lap between the legs, so that both halves meet.
        beside = smooth(0.0, 0.8, np.abs(np.sin(angles(18))))[None]
        open_share = smooth(0.40, 0.9, z)[:, None]
        builder.add(grid[:3], "skirt", ("pelvis", "lap"), smooth(0.97, 0.87, z[:3])[:, None], open_share[:3])
        for side, chosen in (("right", slice(0, 10)), ("left", slice(9, 19))):
            half = (follow * beside)[2:, chosen]
            builder.add(grid[2:, chosen], "skirt", ("lap", f"{side}_thigh"), half, open_share[2:])
    if look.top_kind == "hoodie":
        z = np.array([1.53, 1.515, 1.48, 1.43, 1.38, 1.36])
        builder.add(
            tube(
                z,
                [0.03, 0.055, 0.07, 0.06, 0.04, 0.01],
                [0.06, 0.095, 0.11, 0.095, 0.06, 0.01],
                [-0.085, -0.09, -0.10, -0.115, -0.115, -0.11],
                count=12,
            ),
            "plain",
            ("chest", "neck"),
            0.2,
            np.array([0.8, 1, 1, 1, 0.9, 0.7])[:, None],
        )
    if look.top_kind in ("shirt", "jacket", "coat"):
        z = np.array([1.465, 1.49, 1.525, 1.527, 1.50])
        builder.add(
            tube(z, [0.074, 0.072, 0.066, 0.060, 0.056], [0.080, 0.074, 0.069, 0.063, 0.060], -0.014, count=12),
            "plain",
            ("chest", "neck"),
            0.3,
            np.array([0.8, 0.95, 1, 0.8, 0.5])[:, None],
        )


_LEG_Z = (0.95, 0.91, 0.86, 0.75, 0.62, 0.52, 0.47, 0.40, 0.33, 0.22, 0.12, 0.055)
_LEG_R = (0.070, 0.090, 0.095, 0.088, 0.075, 0.063, 0.060, 0.060, 0.058, 0.047, 0.041, 0.042)


def _leg(builder: MeshBuilder, look: Appearance, side: str) -> None:
    sign = 1.0 if side == "left" else -1.0
    cover = leg_cover(look)
    z = np.array([0.95, 0.91, 0.86, 0.79, 0.71, 0.63, 0.56, 0.52, 0.48, 0.44, 0.38, 0.31, 0.22, 0.13, 0.055])
    if look.legs_kind == "shorts":
        z = np.sort(np.append(z[np.abs(z - cover) > 0.02], [cover + 0.003, cover - 0.003]))[::-1]
    radius = np.interp(-z, -np.array(_LEG_Z), _LEG_R) * (0.55 + 0.45 * look.breadth) * (1 + 0.12 * look.softness)
    covered = z > cover
    ease = {"jeans": (0.004, 0.010), "trousers": (0.007, 0.020), "shorts": (0.012, 0.026), "skirt": (0.0, 0.0)}
    upper, lower = ease[look.legs_kind]
    radius = np.where(covered, radius + np.interp(z, (0.05, 0.4, 0.9), (lower, lower, upper)), radius - 0.006)
    x = np.interp(z, (0.055, 0.33, 0.5, 0.95), (-0.012, -0.014, 0.004, 0.0))
    y = sign * np.interp(z, (0.055, 0.95), (0.102, 0.090)) * (0.6 + 0.4 * look.breadth)
    deep = np.interp(z, (0.3, 0.36, 0.9), (1.0, 1.05, 1.08))
    grid = tube(z, radius * deep, radius, x, y, count=12)
    inner = np.clip(-sign * np.sin(angles(12)), 0, 1)[None]
    hidden = (1 - 0.45 * inner * smooth(0.35, 0.85, z)[:, None]) * np.interp(z, (0.05, 0.3), (0.88, 1.0))[:, None]
    hidden = hidden * np.where((z < cover) & (z > cover - 0.06), 0.72, 1.0)[:, None]
    along = (0.95 - z) / 0.90
    region = f"{side}_leg"
    upper_part = z >= 0.62
    split = int(upper_part.sum())
    builder.add(
        grid[: split + 1],
        region,
        (f"{side}_thigh", "pelvis"),
        0.45 * smooth(0.84, 0.95, z[: split + 1])[:, None],
        hidden[: split + 1],
        along[: split + 1],
    )
    builder.add(
        grid[split:],
        region,
        (f"{side}_thigh", f"{side}_shin"),
        smooth(0.555, 0.44, z[split:])[:, None],
        hidden[split:],
        along[split:],
    )
    # The shoe lies along x: rings across it, flat underneath.
    along_x = np.array([-0.085, -0.08, -0.06, -0.01, 0.04, 0.09, 0.14, 0.172, 0.185])
    half_width = np.array([0.006, 0.028, 0.037, 0.040, 0.043, 0.048, 0.045, 0.032, 0.006])
    top = np.array([0.055, 0.085, 0.108, 0.112, 0.094, 0.072, 0.058, 0.045, 0.028])
    angle = angles(10)
    shoe = np.empty((len(along_x), len(angle), 3))
    shoe[..., 0] = along_x[:, None] - 0.002
    shoe[..., 1] = sign * 0.102 + half_width[:, None] * np.sin(angle)
    flat = np.clip(np.cos(angle), -0.72, 1.0) / 0.86 + 0.0
    shoe[..., 2] = top[:, None] * np.clip(0.42 + 0.50 * flat, 0.0, 1.0)
    builder.add(
        shoe, "shoe", (f"{side}_foot", f"{side}_foot"), 0.0, np.interp(np.cos(angle), (-1, 0.2), (0.5, 1.0))[None]
    )


_ARM_Z = (1.452, 1.443, 1.425, 1.38, 1.30, 1.20, 1.135, 1.08, 1.00, 0.93, 0.875)
_ARM_R = (0.010, 0.030, 0.043, 0.052, 0.050, 0.045, 0.041, 0.041, 0.037, 0.030, 0.027)


def _arm(builder: MeshBuilder, look: Appearance, side: str) -> None:
    sign = 1.0 if side == "left" else -1.0
    end = SLEEVE_END[look.top_kind]
    z = np.array([1.452, 1.443, 1.425, 1.38, 1.32, 1.26, 1.20, 1.165, 1.135, 1.105, 1.07, 1.01, 0.95, 0.905, 0.875])
    z = np.sort(np.append(z[np.abs(z - end) > 0.012], [end + 0.002, end - 0.002]))[::-1]
    slim = (0.6 + 0.4 * look.breadth) * (1 - 0.13 * look.femininity) * (1 + 0.15 * look.softness)
    radius = np.interp(-z, -np.array(_ARM_Z), _ARM_R) * slim
    ease = {"t-shirt": 0.012, "long-sleeve": 0.005, "shirt": 0.008, "hoodie": 0.014, "jacket": 0.013, "coat": 0.016}
    loose = ease[look.top_kind] * np.interp(z, (end, 1.30, 1.40, 1.452), (1.0, 0.8, 0.3, 0.0))
    radius = np.where(z > end, radius + loose, radius)
    centre = 0.205 * (look.breadth - 1) - 0.018 * look.femininity + 0.012 * look.softness
    y = sign * (np.interp(z, (0.875, 1.135, 1.38, 1.452), (0.218, 0.213, 0.192, 0.170)) + centre)
    x = np.interp(z, (0.875, 1.135, 1.45), (0.0, -0.012, -0.012))
    grid = tube(z, radius * 1.06, radius, x, y, count=10)
    inner = np.clip(-sign * np.sin(angles(10)), 0, 1)[None]
    hidden = 1 - 0.40 * inner * (smooth(0.95, 1.25, z) * smooth(1.43, 1.36, z))[:, None]
    along = (1.452 - z) / (1.452 - 0.875)
    split = int((z >= 1.26).sum())
    builder.add(
        grid[: split + 1],
        f"{side}_arm",
        (f"{side}_arm", "chest"),
        0.5 * smooth(1.37, 1.452, z[: split + 1])[:, None],
        hidden[: split + 1],
        along[: split + 1],
    )
    builder.add(
        grid[split:],
        f"{side}_arm",
        (f"{side}_arm", f"{side}_forearm"),
        smooth(1.175, 1.09, z[split:])[:, None],
        hidden[split:],
        along[split:],
    )
    hand_y = float(y[-1])
    z = np.array([0.885, 0.86, 0.825, 0.79, 0.755, 0.72, 0.705])
    hand = tube(
        z,
        [0.025, 0.032, 0.042, 0.042, 0.036, 0.024, 0.004],
        [0.023, 0.019, 0.018, 0.016, 0.014, 0.011, 0.003],
        [0.0, 0.003, 0.007, 0.010, 0.012, 0.014, 0.014],
        hand_y,
        count=8,
    )
    builder.add(hand, "hand", (f"{side}_forearm", f"{side}_hand"), smooth(0.90, 0.86, z)[:, None], 0.92)
    z = np.array([0.84, 0.825, 0.80, 0.78, 0.77])
    builder.add(
        tube(
            z,
            [0.006, 0.012, 0.012, 0.010, 0.003],
            [0.006, 0.011, 0.010, 0.009, 0.003],
            [0.035, 0.045, 0.055, 0.058, 0.058],
            hand_y - sign * 0.012,
            count=6,
        ),
        "hand",
        (f"{side}_hand", f"{side}_hand"),
        0.0,
        0.95,
    )


def _bag(builder: MeshBuilder, look: Appearance) -> None:
    if look.bag == "backpack":
        back = float(_trunk_size(look, np.array([1.25]))[0][0])
        z = np.array([1.47, 1.465, 1.44, 1.38, 1.28, 1.16, 1.06, 1.03, 1.02])
        depth = np.array([0.01, 0.05, 0.075, 0.085, 0.095, 0.100, 0.095, 0.06, 0.01])
        width = np.array([0.02, 0.09, 0.125, 0.14, 0.148, 0.15, 0.145, 0.11, 0.02])
        bag = tube(z, depth, width, -back - depth * 0.8, count=16, squareness=3.2)
        builder.add(bag, "bag", ("chest", "chest"), 0.0, np.interp(z, (1.02, 1.2), (0.75, 1.0))[:, None])
    elif look.bag == "shoulder":
        wide = float(_trunk_size(look, np.array([0.93]))[1][0])
        z = np.array([1.00, 0.995, 0.97, 0.88, 0.79, 0.765, 0.76])
        size = np.array([0.1, 0.8, 1.0, 1.04, 1.0, 0.8, 0.1])
        bag = tube(z, 0.15 * size, 0.05 * size, -0.05, -(wide + 0.055), count=14, squareness=3.4)
        builder.add(bag, "bag", ("pelvis", "pelvis"), 0.0, 0.95)
    elif look.bag == "tote":
        z = np.array([0.70, 0.695, 0.66, 0.56, 0.45, 0.42, 0.415])
        size = np.array([0.1, 0.75, 0.92, 1.0, 1.0, 0.8, 0.1])
        bag = tube(z, 0.16 * size, 0.045 * size, 0.012, -0.222, count=14, squareness=3.2)
        builder.add(bag, "bag", ("right_hand", "right_hand"), 0.0, 0.95)
