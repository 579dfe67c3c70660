"""A person's surface in the rest pose: cross-sections of limbs, trunk, head, hair and bags, lofted to triangles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.simulation.gait import BONES
from benchmarks.simulation.outfit import REGIONS, SLEEVE_END, TORSO_TOP, hem_height, leg_cover
from benchmarks.simulation.wardrobe import Appearance

__all__ = ["Mesh", "build_mesh"]

FloatArray = NDArray[np.float64]
Weights = Callable[[FloatArray], tuple[str, str, FloatArray]]


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles of one person of REST_HEIGHT in the rest pose.

    Args:
        points, normals: (V, 3) float32, metres.
        triangles: (T, 3) int32, counter-clockwise seen from outside.
        texture: (V, 2) float32 place in the atlas, 0 to 1.
        bone_a, bone_b, weight_b: (V,) each point follows two bones, the second by ``weight_b``.
        openness: (V,) float32, the share of surrounding light that the body itself lets through.
    """

    points: NDArray[np.float32]
    normals: NDArray[np.float32]
    triangles: NDArray[np.int32]
    texture: NDArray[np.float32]
    bone_a: NDArray[np.int64]
    bone_b: NDArray[np.int64]
    weight_b: NDArray[np.float32]
    openness: NDArray[np.float32]


class _Builder:
    def __init__(self) -> None:
        self._parts: list[tuple[NDArray, ...]] = []
        self._triangles: list[NDArray[np.int64]] = []
        self._count = 0

    def add(
        self,
        grid: FloatArray,
        region: str,
        bones: tuple[str, str],
        weight_b: ArrayLike = 0.0,
        openness: ArrayLike = 1.0,
        along: FloatArray | None = None,
    ) -> None:
        """Add a tube ``grid`` (rings, points a ring, 3); its texture runs around and ``along`` (0 to 1) the rings."""
        rings, around = grid.shape[:2]
        middle = grid.mean(axis=1, keepdims=True)
        across = np.gradient(grid, axis=1)
        if np.allclose(grid[:, 0], grid[:, -1]):
            # First and last point of a closed ring are the same place: their slope must be, too.
            across[:, 0] = across[:, -1] = (grid[:, 1] - grid[:, -2]) / 2
        lengthwise = np.gradient(grid, axis=0)
        normals = np.cross(across, lengthwise)
        normals /= np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1e-9)
        flipped = float(np.einsum("ijk,ijk->", normals, grid - middle)) < 0
        if flipped:
            normals = -normals
        x, y, width, height = REGIONS[region]
        u = np.linspace(0, 1, around)
        v = np.linspace(0, 1, rings) if along is None else along
        texture = np.empty((rings, around, 2))
        texture[..., 0] = (x + 0.5 + u * (width - 1)) / 256
        texture[..., 1] = ((y + 0.5 + v * (height - 1)) / 256)[:, None]
        shape = (rings, around)
        weights = np.broadcast_to(np.asarray(weight_b, float), shape)
        open_share = np.broadcast_to(np.asarray(openness, float), shape)
        index = np.arange(rings * around).reshape(shape) + self._count
        a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
        faces = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).reshape(-1, 3)
        self._triangles.append(faces[:, ::-1] if flipped else faces)
        first, second = (np.full(rings * around, BONES[name]) for name in bones)
        self._parts.append(
            (
                grid.reshape(-1, 3), normals.reshape(-1, 3), texture.reshape(-1, 2),
                first, second, weights.reshape(-1), open_share.reshape(-1),
            )
        )  # fmt: skip
        self._count += rings * around

    def mesh(self) -> Mesh:
        points, normals, texture, first, second, weights, openness = (np.concatenate(c) for c in zip(*self._parts))
        return Mesh(
            points.astype(np.float32),
            normals.astype(np.float32),
            np.concatenate(self._triangles).astype(np.int32),
            texture.astype(np.float32),
            first,
            second,
            weights.astype(np.float32),
            openness.astype(np.float32),
        )


def _angles(count: int) -> FloatArray:
    """Return angles around a ring, from the back over the right side, the front (0), the left side to the back."""
    return np.linspace(-np.pi, np.pi, count + 1)


def _tube(
    z: ArrayLike, half_x: ArrayLike, half_y: ArrayLike, x: ArrayLike = 0.0, y: ArrayLike = 0.0,
    *, count: int = 12, squareness: float = 2.0,
) -> FloatArray:  # fmt: skip
    """Return an upright tube of superellipses, one ring per height ``z``."""
    heights = np.asarray(z, float)
    angle = _angles(count)
    cosine, sine = np.cos(angle), np.sin(angle)
    power = 2 / squareness
    cosine, sine = np.sign(cosine) * np.abs(cosine) ** power, np.sign(sine) * np.abs(sine) ** power
    grid = np.empty((len(heights), count + 1, 3))
    grid[..., 0] = np.broadcast_to(x, heights.shape)[:, None] + np.broadcast_to(half_x, heights.shape)[:, None] * cosine
    grid[..., 1] = np.broadcast_to(y, heights.shape)[:, None] + np.broadcast_to(half_y, heights.shape)[:, None] * sine
    grid[..., 2] = heights[:, None]
    return grid


def _smooth(low: float, high: float, value: FloatArray) -> FloatArray:
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def build_mesh(look: Appearance) -> Mesh:
    """Return the surface of a person who looks like ``look``."""
    builder = _Builder()
    _trunk(builder, look)
    for side in ("left", "right"):
        _leg(builder, look, side)
        _arm(builder, look, side)
    _head(builder, look)
    _hair(builder, look)
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


def _trunk(builder: _Builder, look: Appearance) -> None:
    angle = _angles(22)
    sides = np.abs(np.sin(angle))
    hem = hem_height(look)
    z = np.array([TORSO_TOP, 1.488, 1.472, 1.452, 1.43, 1.405, 1.36, 1.30, 1.24, 1.17, 1.10, 1.04, 0.98, 0.93])
    z = np.concatenate([z[z > hem + 0.03], np.linspace(max(hem, 0.9), hem, 1 if hem > 0.8 else 5)])
    half_x, half_y, shift = _trunk_size(look, z)
    loose = _LOOSENESS[look.top_kind] * np.interp(z, (1.0, 1.36, 1.48), (1.25, 0.8, 0.3))
    grid = _tube(z, half_x + loose, half_y + loose, shift, count=22, squareness=2.35)
    bust = 0.026 * look.femininity * np.exp(-(((z - 1.265) / 0.055) ** 2))[:, None]
    grid[..., 0] += bust * (np.exp(-(((angle - 0.55) / 0.4) ** 2)) + np.exp(-(((angle + 0.55) / 0.4) ** 2)))
    # Folds of cloth: shallow ridges that run obliquely around the waist.
    ridge = 0.0035 * np.sin(3 * angle[None] + 34 * z[:, None] + look.seed % 7) * np.exp(-(((z - 1.0) / 0.14) ** 2))[:, None]
    grid[..., 0] += ridge * np.cos(angle)
    grid[..., 1] += ridge * np.sin(angle)
    hidden = 1 - 0.16 * _smooth(1.47, 1.50, z)[:, None] - 0.30 * sides[None] ** 3 * _smooth(1.42, 1.36, z)[:, None] - 0.12 * _smooth(1.1, hem, z)[:, None]
    along = (TORSO_TOP - z) / (TORSO_TOP - hem)
    builder.add(grid, "torso", ("chest", "pelvis"), _smooth(1.16, 0.98, z)[:, None], hidden, along)
    z = np.array([1.0, 0.95, 0.90, 0.85, 0.81, 0.785])
    half_x, half_y, shift = _trunk_size(look, z)
    taper = np.array([0.97, 1.0, 1.0, 0.92, 0.70, 0.05])
    dark = np.array([0.9, 0.95, 0.98, 0.92, 0.75, 0.6])[:, None]
    builder.add(_tube(z, half_x * taper, half_y * taper, shift, count=18, squareness=2.3), "pelvis", ("pelvis", "pelvis"), 0.0, dark)
    if look.legs_kind == "skirt":
        z = np.array([0.99, 0.93, 0.86, 0.76, 0.66, 0.57, 0.53])
        half_x, half_y, shift = _trunk_size(look, z)
        flare = np.interp(z, (0.53, 0.86, 1.0), (0.045, 0.018, 0.006))
        grid = _tube(z, half_x + flare, half_y + flare, shift, count=18)
        grid[..., 0] += 0.008 * np.sin(5 * _angles(18))[None] * _smooth(0.9, 0.55, z)[:, None]
        follow = 0.45 * _smooth(0.88, 0.55, z)[:, None]
        # Cloth follows the thigh on its side and hangs still between the legs, so that both halves meet.
        beside = _smooth(0.0, 0.8, np.abs(np.sin(_angles(18))))[None]
        open_share = _smooth(0.40, 0.9, z)[:, None]
        for side, chosen in (("right", slice(0, 10)), ("left", slice(9, 19))):
            half = (follow * beside)[:, chosen]
            builder.add(grid[:, chosen], "skirt", ("pelvis", f"{side}_thigh"), half, open_share)
    if look.top_kind == "hoodie":
        z = np.array([1.53, 1.515, 1.48, 1.43, 1.38, 1.36])
        builder.add(
            _tube(z, [0.03, 0.055, 0.07, 0.06, 0.04, 0.01], [0.06, 0.095, 0.11, 0.095, 0.06, 0.01],
                  [-0.085, -0.09, -0.10, -0.115, -0.115, -0.11], count=12),
            "plain", ("chest", "neck"), 0.2, np.array([0.8, 1, 1, 1, 0.9, 0.7])[:, None],
        )  # fmt: skip
    if look.top_kind in ("shirt", "jacket", "coat"):
        z = np.array([1.465, 1.49, 1.525, 1.527, 1.50])
        builder.add(
            _tube(z, [0.074, 0.072, 0.066, 0.060, 0.056], [0.080, 0.074, 0.069, 0.063, 0.060], -0.014, count=12),
            "plain", ("chest", "neck"), 0.3, np.array([0.8, 0.95, 1, 0.8, 0.5])[:, None],
        )  # fmt: skip


_LEG_Z = (0.95, 0.91, 0.86, 0.75, 0.62, 0.52, 0.47, 0.40, 0.33, 0.22, 0.12, 0.055)
_LEG_R = (0.070, 0.090, 0.095, 0.088, 0.075, 0.063, 0.060, 0.060, 0.058, 0.047, 0.041, 0.042)


def _leg(builder: _Builder, look: Appearance, side: str) -> None:
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
    grid = _tube(z, radius * deep, radius, x, y, count=12)
    inner = np.clip(-sign * np.sin(_angles(12)), 0, 1)[None]
    hidden = (1 - 0.45 * inner * _smooth(0.35, 0.85, z)[:, None]) * np.interp(z, (0.05, 0.3), (0.88, 1.0))[:, None]
    hidden = hidden * np.where((z < cover) & (z > cover - 0.06), 0.72, 1.0)[:, None]
    along = (0.95 - z) / 0.90
    region = f"{side}_leg"
    upper_part = z >= 0.62
    split = int(upper_part.sum())
    builder.add(grid[:split + 1], region, (f"{side}_thigh", "pelvis"), 0.45 * _smooth(0.84, 0.95, z[:split + 1])[:, None],
                hidden[:split + 1], along[:split + 1])  # fmt: skip
    builder.add(grid[split:], region, (f"{side}_thigh", f"{side}_shin"), _smooth(0.555, 0.44, z[split:])[:, None],
                hidden[split:], along[split:])  # fmt: skip
    # The shoe lies along x: rings across it, flat underneath.
    along_x = np.array([-0.085, -0.08, -0.06, -0.01, 0.04, 0.09, 0.14, 0.172, 0.185])
    half_width = np.array([0.006, 0.028, 0.037, 0.040, 0.043, 0.048, 0.045, 0.032, 0.006])
    top = np.array([0.055, 0.085, 0.108, 0.112, 0.094, 0.072, 0.058, 0.045, 0.028])
    angle = _angles(10)
    shoe = np.empty((len(along_x), len(angle), 3))
    shoe[..., 0] = along_x[:, None] - 0.002
    shoe[..., 1] = sign * 0.102 + half_width[:, None] * np.sin(angle)
    flat = np.clip(np.cos(angle), -0.72, 1.0) / 0.86 + 0.0
    shoe[..., 2] = top[:, None] * np.clip(0.42 + 0.50 * flat, 0.0, 1.0)
    builder.add(shoe, "shoe", (f"{side}_foot", f"{side}_foot"), 0.0, np.interp(np.cos(angle), (-1, 0.2), (0.5, 1.0))[None])


_ARM_Z = (1.452, 1.443, 1.425, 1.38, 1.30, 1.20, 1.135, 1.08, 1.00, 0.93, 0.875)
_ARM_R = (0.010, 0.030, 0.043, 0.052, 0.050, 0.045, 0.041, 0.041, 0.037, 0.030, 0.027)


def _arm(builder: _Builder, look: Appearance, side: str) -> None:
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
    grid = _tube(z, radius * 1.06, radius, x, y, count=10)
    inner = np.clip(-sign * np.sin(_angles(10)), 0, 1)[None]
    hidden = 1 - 0.40 * inner * (_smooth(0.95, 1.25, z) * _smooth(1.43, 1.36, z))[:, None]
    along = (1.452 - z) / (1.452 - 0.875)
    split = int((z >= 1.26).sum())
    builder.add(grid[:split + 1], f"{side}_arm", (f"{side}_arm", "chest"), 0.5 * _smooth(1.37, 1.452, z[:split + 1])[:, None],
                hidden[:split + 1], along[:split + 1])  # fmt: skip
    builder.add(grid[split:], f"{side}_arm", (f"{side}_arm", f"{side}_forearm"), _smooth(1.175, 1.09, z[split:])[:, None],
                hidden[split:], along[split:])  # fmt: skip
    hand_y = float(y[-1])
    z = np.array([0.885, 0.86, 0.825, 0.79, 0.755, 0.72, 0.705])
    hand = _tube(z, [0.025, 0.032, 0.042, 0.042, 0.036, 0.024, 0.004], [0.023, 0.019, 0.018, 0.016, 0.014, 0.011, 0.003],
                 [0.0, 0.003, 0.007, 0.010, 0.012, 0.014, 0.014], hand_y, count=8)  # fmt: skip
    builder.add(hand, "hand", (f"{side}_forearm", f"{side}_hand"), _smooth(0.90, 0.86, z)[:, None], 0.92)
    z = np.array([0.84, 0.825, 0.80, 0.78, 0.77])
    builder.add(_tube(z, [0.006, 0.012, 0.012, 0.010, 0.003], [0.006, 0.011, 0.010, 0.009, 0.003],
                      [0.035, 0.045, 0.055, 0.058, 0.058], hand_y - sign * 0.012, count=6),
                "hand", (f"{side}_hand", f"{side}_hand"), 0.0, 0.95)  # fmt: skip


_HEAD_Z = (1.750, 1.747, 1.738, 1.718, 1.690, 1.655, 1.620, 1.590, 1.565, 1.545, 1.527, 1.518)
_HEAD_X = (0.004, 0.028, 0.054, 0.078, 0.092, 0.097, 0.095, 0.088, 0.079, 0.070, 0.052, 0.012)
_HEAD_Y = (0.004, 0.024, 0.045, 0.062, 0.072, 0.075, 0.073, 0.068, 0.061, 0.052, 0.036, 0.008)
_HEAD_C = (-0.004, -0.004, -0.003, -0.002, 0.0, 0.002, 0.006, 0.011, 0.016, 0.021, 0.030, 0.036)


def _head(builder: _Builder, look: Appearance) -> None:
    z = np.array([1.43, 1.46, 1.49, 1.52, 1.55, 1.58])
    thick = 1.06 - 0.16 * look.femininity + 0.08 * look.softness
    neck = _tube(z, np.array([0.075, 0.066, 0.060, 0.058, 0.058, 0.058]) * thick,
                 np.array([0.085, 0.066, 0.056, 0.054, 0.054, 0.054]) * thick, [-0.022, -0.020, -0.016, -0.012, -0.008, -0.005], count=12)  # fmt: skip
    front = 1 - 0.35 * np.clip(np.cos(_angles(12)), 0, 1)[None] * _smooth(1.48, 1.54, z)[:, None]
    builder.add(neck, "hand", ("neck", "head"), _smooth(1.46, 1.57, z)[:, None], 0.88 * front)
    z = np.array(_HEAD_Z)
    angle = _angles(20)
    head = _tube(z, _HEAD_X, np.array(_HEAD_Y) * (1.03 - 0.05 * look.femininity), _HEAD_C, count=20, squareness=2.15)
    nose = np.interp(z, (1.565, 1.59, 1.62, 1.66), (0.0, 0.020, 0.012, 0.0))[:, None] * (np.abs(angle) < 0.15)
    brow = 0.004 * np.exp(-(((z - 1.658) / 0.014) ** 2))[:, None] * np.exp(-((angle / 0.8) ** 2))
    eyes = -0.006 * np.exp(-(((z - 1.630) / 0.014) ** 2))[:, None] * np.exp(-(((np.abs(angle) - 0.4) / 0.22) ** 2))
    head[..., 0] += nose + brow + eyes
    under = np.interp(z, (1.52, 1.56, 1.60), (0.68, 0.88, 1.0))[:, None]
    builder.add(head, "head", ("head", "head"), 0.0, under, (1.75 - z) / (1.75 - 1.518))
    if look.hair_kind not in ("long", "bob"):
        z = np.array([1.655, 1.648, 1.63, 1.61, 1.595, 1.588])
        for sign in (1.0, -1.0):
            ear = _tube(z, [0.004, 0.014, 0.019, 0.015, 0.010, 0.003], [0.003, 0.008, 0.010, 0.008, 0.006, 0.002],
                        -0.004, sign * 0.077, count=8)  # fmt: skip
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


def _hair(builder: _Builder, look: Appearance) -> None:
    if look.hair_kind == "bald":
        return
    front, side, back, thickness = _HAIR[look.hair_kind]
    angle = _angles(20)
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
    grid = np.empty((*z.shape, 3))
    grid[..., 0] = centre + (half_x + swell) * np.cos(angle)
    grid[..., 1] = (half_y + swell) * np.sin(angle)
    grid[..., 2] = z
    grid[..., 0] -= np.clip(1.55 - z, 0, None) * 0.30
    open_share = np.broadcast_to(1.05 - 0.30 * steps**2, z.shape)
    follow = _smooth(1.56, 1.42, z) * 0.7
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
        builder.add(_tube(z, [0.006, 0.022, 0.028, 0.028, 0.026, 0.018, 0.004], [0.006, 0.020, 0.026, 0.030, 0.028, 0.018, 0.004],
                          [-0.09, -0.105, -0.125, -0.135, -0.128, -0.12, -0.115], count=8),
                    "hair", ("head", "chest"), _smooth(1.58, 1.42, z)[:, None] * 0.5, 0.95)  # fmt: skip
    elif look.hair_kind == "bun":
        z = np.array([1.765, 1.76, 1.74, 1.71, 1.68, 1.665, 1.66])
        size = np.array([0.004, 0.020, 0.036, 0.042, 0.034, 0.018, 0.004])
        builder.add(_tube(z, size, size, -0.085, count=10), "hair", ("head", "head"), 0.0, 0.95)


def _bag(builder: _Builder, look: Appearance) -> None:
    if look.bag == "backpack":
        back = float(_trunk_size(look, np.array([1.25]))[0][0])
        z = np.array([1.47, 1.465, 1.44, 1.38, 1.28, 1.16, 1.06, 1.03, 1.02])
        depth = np.array([0.01, 0.05, 0.075, 0.085, 0.095, 0.100, 0.095, 0.06, 0.01])
        width = np.array([0.02, 0.09, 0.125, 0.14, 0.148, 0.15, 0.145, 0.11, 0.02])
        bag = _tube(z, depth, width, -back - depth * 0.8, count=16, squareness=3.2)
        builder.add(bag, "bag", ("chest", "chest"), 0.0, np.interp(z, (1.02, 1.2), (0.75, 1.0))[:, None])
    elif look.bag == "shoulder":
        wide = float(_trunk_size(look, np.array([0.93]))[1][0])
        z = np.array([1.00, 0.995, 0.97, 0.88, 0.79, 0.765, 0.76])
        size = np.array([0.1, 0.8, 1.0, 1.04, 1.0, 0.8, 0.1])
        bag = _tube(z, 0.15 * size, 0.05 * size, -0.05, -(wide + 0.055), count=14, squareness=3.4)
        builder.add(bag, "bag", ("pelvis", "pelvis"), 0.0, 0.95)
    elif look.bag == "tote":
        z = np.array([0.70, 0.695, 0.66, 0.56, 0.45, 0.42, 0.415])
        size = np.array([0.1, 0.75, 0.92, 1.0, 1.0, 0.8, 0.1])
        bag = _tube(z, 0.16 * size, 0.045 * size, 0.012, -0.222, count=14, squareness=3.2)
        builder.add(bag, "bag", ("right_hand", "right_hand"), 0.0, 0.95)
