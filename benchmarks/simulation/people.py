"""A person that can be posed: surface, texture and bones together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.body import build_mesh
from benchmarks.simulation.gait import JOINTS, Stance, bone_transforms
from benchmarks.simulation.outfit import ATLAS, paint_outfit
from benchmarks.simulation.wardrobe import Appearance

__all__ = ["Person"]

FloatArray = NDArray[np.floating[Any]]

_LEVELS = 3


class Person:
    """One person's body and clothes, ready to be posed and drawn.

    Args:
        look: what the person is made from.
        changes: what the same person may wear instead.

    Attributes:
        outfits: the person in each of the clothes, this one first.
        look: what the person was made from.
        triangles: (T, 3) int32 corners.
        texture: (V, 2) float32 place of each point in the atlas, 0 to 1.
        openness: (V,) float32 share of the surrounding light that reaches each point.
        atlases: the texture at full, half and quarter size, each (n·n, 3) float32 BGR, and its side n.
    """

    def __init__(self, look: Appearance, *changes: Appearance) -> None:
        mesh = build_mesh(look)
        self.outfits: tuple[Person, ...] = (self, *(Person(change) for change in changes))
        self.look = look
        self.triangles = mesh.triangles
        self.texture = mesh.texture
        self.openness = mesh.openness
        # Points beside their bones in homogeneous form: one matrix product poses them all.
        rest = np.concatenate([mesh.points, np.ones((len(mesh.points), 1), np.float32)], axis=1)
        self._place = np.zeros((len(rest), len(JOINTS) * 4), np.float32)
        self._turn = np.zeros((len(rest), len(JOINTS) * 3), np.float32)
        rows = np.arange(len(rest))
        for bone, weight in ((mesh.bone_a, 1 - mesh.weight_b), (mesh.bone_b, mesh.weight_b)):
            for axis in range(4):
                np.add.at(self._place, (rows, bone * 4 + axis), weight * rest[:, axis])
            for axis in range(3):
                np.add.at(self._turn, (rows, bone * 3 + axis), weight * mesh.normals[:, axis])
        atlas = paint_outfit(look)
        levels = [atlas]
        for _ in range(_LEVELS - 1):
            half = cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            levels.append(np.asarray(half, np.float32))
        self.atlases = [(np.ascontiguousarray(level.reshape(-1, 3)), level.shape[0]) for level in levels]

    def posed(self, stance: Stance) -> tuple[FloatArray, FloatArray]:
        """Return world points (V, 3) in metres and unit normals (V, 3)."""
        matrices, offsets = self._bones(stance)
        place = np.concatenate([matrices.transpose(0, 2, 1), offsets[:, None]], axis=1).reshape(-1, 3)
        points = self._place @ place
        normals = self._turn @ matrices.transpose(0, 2, 1).reshape(-1, 3)
        normals /= np.sqrt(np.einsum("ij,ij->i", normals, normals))[:, None] + np.float32(1e-9)
        return points, normals

    def _bones(self, stance: Stance) -> tuple[FloatArray, FloatArray]:
        look = self.look
        if look.bag == "tote":
            # A hand that holds a bag does not gesture.
            stance = replace(stance, gesture=5)
        return bone_transforms(stance, look.height, stride=look.stride, arm_swing=look.arm_swing, posture=look.posture)

    def atlas_for(self, pixels_per_metre: float) -> tuple[FloatArray, int]:
        """Return the texture whose texels are closest to a pixel in size, and its side."""
        # A trunk is about a metre around and takes half the atlas.
        ratio = ATLAS / 2 / max(pixels_per_metre, 1.0)
        level = int(np.clip(np.floor(np.log2(max(ratio, 1e-6)) + 0.4), 0, _LEVELS - 1))
        return self.atlases[level]

    def joints(self, stance: Stance) -> dict[str, NDArray[np.float64]]:
        """Return the world place (3,) of each joint, metres."""
        matrices, offsets = self._bones(stance)
        return {
            name: np.asarray(matrices[number] @ np.asarray(joint) + offsets[number], np.float64)
            for number, (name, joint) in enumerate(JOINTS.items())
        }
