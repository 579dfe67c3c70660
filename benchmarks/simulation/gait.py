"""How people hold and move themselves: joint angles of walking and standing, and the bones that follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["BONES", "JOINTS", "REST_HEIGHT", "Stance", "bone_transforms", "step_length"]

REST_HEIGHT = 1.75

# Rest pose: standing, facing +x, left is +y, arms hanging; metres for a person of REST_HEIGHT.
JOINTS: dict[str, tuple[float, float, float]] = {
    "pelvis": (0.0, 0.0, 0.93),
    "chest": (-0.01, 0.0, 1.10),
    "neck": (-0.015, 0.0, 1.47),
    "head": (0.0, 0.0, 1.545),
    "left_arm": (-0.01, 0.192, 1.415),
    "left_forearm": (-0.01, 0.212, 1.135),
    "left_hand": (0.0, 0.218, 0.885),
    "right_arm": (-0.01, -0.192, 1.415),
    "right_forearm": (-0.01, -0.212, 1.135),
    "right_hand": (0.0, -0.218, 0.885),
    "left_thigh": (0.0, 0.092, 0.91),
    "left_shin": (0.005, 0.098, 0.495),
    "left_foot": (-0.01, 0.10, 0.085),
    "right_thigh": (0.0, -0.092, 0.91),
    "right_shin": (0.005, -0.098, 0.495),
    "right_foot": (-0.01, -0.10, 0.085),
}
BONES = {name: number for number, name in enumerate(JOINTS)}
_PARENTS = {
    "chest": "pelvis",
    "neck": "chest",
    "head": "neck",
    **{f"{side}_arm": "chest" for side in ("left", "right")},
    **{f"{side}_forearm": f"{side}_arm" for side in ("left", "right")},
    **{f"{side}_hand": f"{side}_forearm" for side in ("left", "right")},
    **{f"{side}_thigh": "pelvis" for side in ("left", "right")},
    **{f"{side}_shin": f"{side}_thigh" for side in ("left", "right")},
    **{f"{side}_foot": f"{side}_shin" for side in ("left", "right")},
}
_LEG = 0.83

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Stance:
    """One person's pose at one instant.

    Args:
        x, y: floor position, metres.
        heading: radians, direction the body faces, 0 along +x.
        phase: radians within the walking cycle (two steps per 2π).
        speed: metres per second, sets how far legs and arms swing.
        look: radians, head turned left of the body.
        gesture: 0 arms hang, 1 phone in one hand, 2 talking hands, 3 arms folded in front, 4 hand on strap or pocket.
        gesture_weight: 0 to 1.
        time: seconds, drives breathing and sway.
    """

    x: float
    y: float
    heading: float = 0.0
    phase: float = 0.0
    speed: float = 0.0
    look: float = 0.0
    gesture: int = 0
    gesture_weight: float = 0.0
    time: float = 0.0


def step_length(speed: float, stride: float = 1.0) -> float:
    """Return the length of one step, metres, at ``speed`` m/s (longer steps when faster) for a 1.75 m person."""
    return (0.33 + 0.30 * speed) * stride


def _pitch(angle: float) -> Matrix:
    """Rotation that swings something hanging down forward by ``angle``."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])


def _yaw(angle: float) -> Matrix:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def _roll(angle: float) -> Matrix:
    """Rotation that swings something hanging down to the left by ``angle``."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


# (shoulder forward, shoulder out, elbow bend, forearm inward) of right and left arm for each gesture.
_GESTURES = {
    1: ((0.55, 0.10, 1.75, 0.45), (0.05, 0.08, 0.25, 0.0)),
    2: ((0.35, 0.12, 1.35, 0.25), (0.25, 0.12, 1.10, 0.25)),
    3: ((0.42, 0.05, 1.50, 1.05), (0.42, 0.05, 1.50, 1.05)),
    4: ((0.10, 0.20, 1.95, 0.15), (-0.15, 0.22, 0.55, 0.35)),
}


def _local_rotations(stance: Stance, stride: float, arm_swing: float, posture: float) -> dict[str, Matrix]:
    moving = float(np.clip(stance.speed / 0.35, 0, 1))
    moving = moving * moving * (3 - 2 * moving)
    half_step = step_length(stance.speed, stride) / (2 * _LEG)
    reach = float(np.arcsin(min(half_step, 0.6))) * moving
    sway = 0.02 * (1 - moving) * np.sin(0.9 * stance.time + 1.7 * stance.phase)
    turn = 0.16 * moving * np.sin(stance.phase)
    rotations: dict[str, Matrix] = {
        "pelvis": _yaw(-0.5 * turn) @ _roll(0.035 * moving * np.cos(stance.phase) + sway),
        "chest": _pitch(-posture - 0.035 * moving) @ _yaw(turn) @ _roll(-0.02 * moving * np.cos(stance.phase) - sway),
        "neck": _pitch(-0.10 + posture),
        "head": _yaw(stance.look - 0.3 * turn) @ _pitch(0.07 - 0.04 * np.sin(0.5 * stance.time)),
    }
    gestures = _GESTURES.get(stance.gesture)
    for side, sign, offset in (("left", 1.0, 0.0), ("right", -1.0, np.pi)):
        phase = stance.phase + offset
        hip = reach * np.sin(phase) + 0.05 * moving
        swing = max(0.0, np.cos(phase + 0.45))
        knee = moving * (0.10 + 0.70 * swing**1.6 + 0.12 * max(0.0, np.sin(phase))) + 0.04
        ankle = moving * (0.33 * np.sin(phase) + 0.06) - (hip - knee)
        rotations[f"{side}_thigh"] = _roll(sign * 0.025 * (1 - moving)) @ _pitch(hip)
        rotations[f"{side}_shin"] = _pitch(-knee)
        rotations[f"{side}_foot"] = _yaw(sign * 0.14) @ _pitch(ankle)
        forward = -0.85 * arm_swing * reach * np.sin(phase) + 0.04
        bend = 0.22 + moving * (0.18 + 0.35 * arm_swing * max(0.0, -np.sin(phase)))
        out, inward = 0.07, 0.10
        if gestures is not None and stance.gesture_weight > 0:
            target = np.asarray(gestures[0 if side == "right" else 1], float)
            if stance.gesture == 2:
                target = target + (0.14, 0.05, 0.35, 0.2) * np.sin(
                    np.array([2.1, 1.7, 2.6, 1.9]) * stance.time + offset
                )
            mix = stance.gesture_weight
            forward, out, bend, inward = (1 - mix) * np.array([forward, out, bend, inward]) + mix * target
        rotations[f"{side}_arm"] = _roll(sign * out) @ _pitch(forward) @ _yaw(-sign * inward)
        rotations[f"{side}_forearm"] = _pitch(bend)
        rotations[f"{side}_hand"] = _pitch(0.12)
    return rotations


def bone_transforms(
    stance: Stance, height: float, *, stride: float = 1.0, arm_swing: float = 1.0, posture: float = 0.0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return rotations·scale (B, 3, 3) and offsets (B, 3) that take rest-pose points into the world.

    The lowest sole is put on the floor, so a person never floats or sinks.
    """
    local = _local_rotations(stance, stride, arm_swing, posture)
    rotations: dict[str, Matrix] = {}
    origins: dict[str, NDArray[np.float64]] = {}
    for name, joint in JOINTS.items():
        parent = _PARENTS.get(name)
        if parent is None:
            rotations[name], origins[name] = local[name], np.asarray(joint)
            continue
        rotations[name] = rotations[parent] @ local[name]
        origins[name] = origins[parent] + rotations[parent] @ np.subtract(joint, JOINTS[parent])
    lowest = min(
        (origins[f"{side}_foot"] + rotations[f"{side}_foot"] @ np.array([along, 0.0, -0.085]))[2]
        for side in ("left", "right")
        for along in (-0.06, 0.17)
    )
    scale = height / REST_HEIGHT
    world = _yaw(stance.heading) * scale
    place = np.array([stance.x, stance.y, -lowest * scale])
    matrices = np.stack([world @ rotations[name] for name in JOINTS])
    offsets = np.stack(
        [world @ (origins[name] - rotations[name] @ np.asarray(JOINTS[name])) + place for name in JOINTS]
    )
    return matrices.astype(np.float32), offsets.astype(np.float32)
