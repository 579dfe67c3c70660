"""Cameras whose truth is known, for the tests of this folder."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tracker.geometry.camera import Camera

Array = NDArray[np.float64]

#: distortions of real lenses, weak to strong, in OpenCV's three lengths
LENSES = {
    "none": (0.0, 0.0, 0.0, 0.0, 0.0),
    "barrel": (-0.28, 0.09, 0.0008, -0.0005, -0.012),
    "pincushion": (0.12, -0.04, -0.0006, 0.0004),
    "rational": (0.9, 0.25, 0.0003, 0.0002, 0.01, 1.2, 0.5, 0.06),
}


def look_at(position: ArrayLike, target: ArrayLike, roll: float = 0.0) -> tuple[Array, Array]:
    """Return R and t of a camera at ``position`` looking at ``target``, turned about its axis by ``roll`` radians."""
    place = np.asarray(position, np.float64)
    forward = np.asarray(target, np.float64) - place
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    c, s = np.cos(roll), np.sin(roll)
    rotation = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) @ rotation
    return rotation, -rotation @ place


def make_camera(
    name: str = "hall",
    position: ArrayLike = (0.5, -4.0, 3.0),
    target: ArrayLike = (1.0, 8.0, 0.6),
    lens: str = "none",
    roll: float = 0.05,
    size: tuple[int, int] = (1280, 720),
) -> Camera:
    """Return a camera with slightly unequal focal lengths and an off-centre principal point."""
    width, height = size
    rotation, translation = look_at(position, target, roll)
    intrinsics = np.array([[0.78 * width, 0, 0.51 * width], [0, 0.79 * width, 0.48 * height], [0, 0, 1]])
    return Camera(name, width, height, intrinsics, np.array(LENSES[lens]), rotation, translation)


def same_view(first: object, second: object, points: ArrayLike) -> float:
    """Return the largest distance, in pixels, between where two cameras see world points."""
    pixels = [camera.project(points)[0] for camera in (first, second)]  # type: ignore[attr-defined]
    return float(np.abs(pixels[0] - pixels[1]).max())
