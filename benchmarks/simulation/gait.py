"""How people hold and move themselves: joint angles of walking, standing and sitting, and the bones that follow."""

from __future__ import annotations

import math
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
    # Cloth in front of the belly and between the legs: hangs while standing, lies on the thighs while sitting.
    "lap": (0.0, 0.0, 0.91),
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
    "lap": "pelvis",
}
_PLACES = np.array(list(JOINTS.values()))
#: each bone and the number of the one it hangs from, −1 for none, which comes before it
_CHAIN = [(name, BONES[_PARENTS[name]] if name in _PARENTS else -1) for name in JOINTS]
_FROM_PARENT = np.array([_PLACES[number] - _PLACES[max(parent, 0)] for number, (_, parent) in enumerate(_CHAIN)])
_FEET = [BONES["left_foot"], BONES["right_foot"]]
#: heel and toes beside the ankle, (3, 2)
_SOLE = np.array([[-0.06, 0.17], [0.0, 0.0], [-0.085, -0.085]])
_LEG = 0.83
# Of a person of REST_HEIGHT who sits: hip joint above the seat, ankles ahead of the hip, and the bones between.
_HIP_ABOVE_SEAT, _FEET_AHEAD, _THIGH, _SHIN = 0.105, 0.40, 0.415, 0.41

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
        gesture: 0 arms hang, 1 phone in one hand, 2 talking hands, 3 arms folded in front, 4 hand on strap or pocket,
            5 a bag hangs from the right hand.
        gesture_weight: 0 to 1.
        seated: 0 standing to 1 sitting; between, the feet stay where they are while the pelvis moves back and down.
        seat_height: metres, of the surface sat upon.
        outfit: number of what the person wears.
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
    seated: float = 0.0
    seat_height: float = 0.45
    outfit: int = 0
    time: float = 0.0


def step_length(speed: float, stride: float = 1.0) -> float:
    """Return the length of one step, metres, at ``speed`` m/s (longer steps when faster) for a 1.75 m person."""
    return (0.33 + 0.30 * speed) * stride


def _pitch(angle: float) -> Matrix:
    """Rotation that swings something hanging down forward by ``angle``."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])


def _yaw(angle: float) -> Matrix:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def _roll(angle: float) -> Matrix:
    """Rotation that swings something hanging down to the left by ``angle``."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


# (shoulder forward, shoulder out, elbow bend, forearm inward) of right and left arm for each gesture, and of both with
# the hands on the thighs.
_GESTURES = {
    1: ((0.55, 0.10, 1.75, 0.45), (0.05, 0.08, 0.25, 0.0)),
    2: ((0.35, 0.12, 1.35, 0.25), (0.25, 0.12, 1.10, 0.25)),
    3: ((0.42, 0.05, 1.50, 1.05), (0.42, 0.05, 1.50, 1.05)),
    4: ((0.10, 0.20, 1.95, 0.15), (-0.15, 0.22, 0.55, 0.35)),
}
_ON_THIGHS = (0.02, 0.10, 0.97, 0.16)


def _seated_legs(seated: float, seat_height: float) -> tuple[float, float]:
    """Return pitch of thigh and of shin, radians forward, that put the sole flat on the floor under a lowered hip.

    Args:
        seated: 0 to 1, share of the way from standing to the seat.
        seat_height: of the seat, in lengths of a person of REST_HEIGHT.
    """
    standing, ankle = JOINTS["left_thigh"][2], JOINTS["left_foot"][2]
    drop = standing + seated * (seat_height + _HIP_ABOVE_SEAT - standing) - ankle
    ahead = seated * _FEET_AHEAD
    # Two bones of known length between hip and ankle: the law of cosines gives both angles.
    reach = min(float(np.hypot(drop, ahead)), _THIGH + _SHIN - 1e-4)
    direction = np.arctan2(ahead, drop)
    at_hip = np.arccos((_THIGH**2 + reach**2 - _SHIN**2) / (2 * _THIGH * reach))
    at_ankle = np.arccos((_SHIN**2 + reach**2 - _THIGH**2) / (2 * _SHIN * reach))
    return float(direction + at_hip), float(direction - at_ankle)


def _local_rotations(
    stance: Stance, scale: float, stride: float, arm_swing: float, posture: float
) -> dict[str, Matrix]:
    seated = stance.seated
    thigh, shin = _seated_legs(seated, stance.seat_height / scale)
    # Who sits down first bends forward, then leans back.
    lean = 0.16 * seated - 1.9 * seated * (1 - seated)
    folded = min(1.0, seated / 0.2)
    moving = float(np.clip(stance.speed / 0.35, 0, 1))
    moving = moving * moving * (3 - 2 * moving)
    half_step = step_length(stance.speed, stride) / (2 * _LEG)
    reach = float(np.arcsin(min(half_step, 0.6))) * moving
    sway = 0.02 * (1 - moving) * np.sin(0.9 * stance.time + 1.7 * stance.phase)
    turn = 0.16 * moving * np.sin(stance.phase)
    rotations: dict[str, Matrix] = {
        "pelvis": _yaw(-0.5 * turn) @ _roll(0.035 * moving * np.cos(stance.phase) + sway),
        "chest": _pitch(lean - posture - 0.035 * moving)
        @ _yaw(turn)
        @ _roll(-0.02 * moving * np.cos(stance.phase) - sway),
        "neck": _pitch(-0.10 + posture - 0.8 * lean),
        "head": _yaw(stance.look - 0.3 * turn) @ _pitch(0.07 - 0.04 * np.sin(0.5 * stance.time)),
        # Flattened a little: the cloth lies on the thighs instead of standing around them.
        "lap": _pitch(folded * thigh) @ np.diag((1 - 0.2 * seated, 1.0, 1.0)),
    }
    gestures = _GESTURES.get(stance.gesture)
    for side, sign, offset in (("left", 1.0, 0.0), ("right", -1.0, np.pi)):
        phase = stance.phase + offset
        hip = reach * np.sin(phase) + 0.05 * moving
        swing = max(0.0, np.cos(phase + 0.45))
        knee = moving * (0.10 + 0.70 * swing**1.6 + 0.12 * max(0.0, np.sin(phase))) + 0.04
        ankle = moving * (0.33 * np.sin(phase) + 0.06) - (hip - knee)
        hip += folded * (thigh - hip)
        knee += folded * (thigh - shin - knee)
        ankle += folded * (knee - hip - ankle)
        rotations[f"{side}_thigh"] = _yaw(sign * 0.13 * seated) @ _roll(sign * 0.025 * (1 - moving)) @ _pitch(hip)
        rotations[f"{side}_shin"] = _pitch(-knee)
        rotations[f"{side}_foot"] = _yaw(sign * 0.14) @ _pitch(ankle)
        forward = -0.85 * arm_swing * reach * np.sin(phase) + 0.04
        bend = 0.22 + moving * (0.18 + 0.35 * arm_swing * max(0.0, -np.sin(phase)))
        arm = np.array([forward, 0.07, bend, 0.10])
        arm += seated * (_ON_THIGHS - arm)
        if gestures is not None and stance.gesture_weight > 0:
            target = np.asarray(gestures[0 if side == "right" else 1], float)
            if stance.gesture == 2:
                target = target + (0.14, 0.05, 0.35, 0.2) * np.sin(
                    np.array([2.1, 1.7, 2.6, 1.9]) * stance.time + offset
                )
            # An arm that hangs beside who stands rests on the thigh of who sits.
            mix = stance.gesture_weight * (1 - seated * (target[2] < 0.6))
            arm += mix * (target - arm)
        forward, out, bend, inward = arm
        rotations[f"{side}_arm"] = _roll(sign * out) @ _pitch(forward) @ _yaw(-sign * inward)
        rotations[f"{side}_forearm"] = _pitch(bend)
        # A bag keeps hanging down beside the thigh of who sits.
        hanging = seated * (side == "right" and stance.gesture == 5)
        rotations[f"{side}_hand"] = _pitch(0.12 - hanging * (forward + bend + lean))
    return rotations


def bone_transforms(
    stance: Stance, height: float, *, stride: float = 1.0, arm_swing: float = 1.0, posture: float = 0.0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return rotations·scale (B, 3, 3) and offsets (B, 3) that take rest-pose points into the world.

    The lowest sole is put on the floor, so a person never floats or sinks.
    """
    scale = height / REST_HEIGHT
    local = _local_rotations(stance, scale, stride, arm_swing, posture)
    rotations = np.empty((len(BONES), 3, 3))
    origins = np.empty((len(BONES), 3))
    for number, (name, parent) in enumerate(_CHAIN):
        if parent < 0:
            rotations[number], origins[number] = local[name], _PLACES[number]
            continue
        rotations[number] = rotations[parent] @ local[name]
        origins[number] = origins[parent] + rotations[parent] @ _FROM_PARENT[number]
    # Of heel and toes of both feet.
    lowest = float((origins[_FEET, 2, None] + rotations[_FEET, 2] @ _SOLE).min())
    world = _yaw(stance.heading) * scale
    place = np.array([stance.x, stance.y, -lowest * scale])
    matrices = world @ rotations
    offsets = (origins - np.einsum("bij,bj->bi", rotations, _PLACES)) @ world.T + place
    return matrices.astype(np.float32), offsets.astype(np.float32)
