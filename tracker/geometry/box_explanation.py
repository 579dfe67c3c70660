"""How well a camera and its clock explain its boxes by people on the floor, one box to a person at every instant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.association.assignment import assign
from tracker.geometry.floor_camera import FloorCamera
from tracker.geometry.people_tracks import BoxTracks, FloorPaths

__all__ = ["LOOK_SECONDS", "Explanation", "explain", "side_errors"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

#: seconds of a look, and of what counts as one instant
LOOK_SECONDS = 0.4
#: deviations of a box's middle across, its top and its bottom, as shares of its height, and pixels besides. They hold
#: what detectors err, how people's heights differ, and where in a path of 10 cm their feet are
_SHARES, _PIXELS = np.array([0.06, 0.06, 0.06]), 1.5
#: deviations from which a side says nothing more (feet are hidden, heads are bent), and what a pair may cost in all
_SIDE_LIMIT, _LIMIT = 3.0, 14.0
#: share of a person inside the image, and of the image's height that they fill, from which a box is expected
_INSIDE, _LARGE = 0.7, 0.06


@dataclass(frozen=True, eq=False)
class Explanation:
    """Which boxes are whose.

    Args:
        looks: (M,) rows of the looks that are explained.
        people: (M,) rows of the paths that explain them.
        score: agreement of the pairs, twice, over the number of looks and of people who should have been seen (Dice);
            0 to 1.
    """

    looks: Ints
    people: Ints
    score: float


def side_errors(looks: BoxTracks, predicted: Array) -> Array:
    """Return (…, 3) by how many deviations the middle, top and bottom of predicted boxes (…, 4) are off.

    A side at the image's border only says that the person goes on beyond it. The looks' (N,) is the first axis.
    """
    cut = looks.sides_cut.reshape(len(looks), *[1] * (predicted.ndim - 2), 4)
    boxes = looks.boxes.reshape(len(looks), *[1] * (predicted.ndim - 2), 4)
    sizes = boxes[..., 2:] - boxes[..., :2]
    height = np.maximum(sizes[..., 1], np.where(cut[..., [1, 3]].any(axis=-1), 2 * sizes[..., 0], 0.0))
    off = predicted - boxes
    across = np.where(cut[..., [0, 2]], 0.0, off[..., [0, 2]])
    middle = across.sum(axis=-1) / np.maximum((~cut[..., [0, 2]]).sum(axis=-1), 1)
    top = np.where(cut[..., 1], np.maximum(off[..., 1], 0), off[..., 1])
    bottom = np.where(cut[..., 3], np.minimum(off[..., 3], 0), off[..., 3])
    return np.stack([middle, top, bottom], axis=-1) / (_SHARES * height[..., None] + _PIXELS)


def explain(
    camera: FloorCamera, paths: FloorPaths, looks: BoxTracks, offset: float, heights: Array, tolerance: float = 1.0
) -> Explanation:
    """Return the one-to-one assignment of looks to people that agrees best at every instant.

    Args:
        camera: where it is thought to be.
        paths: of J people.
        looks: of the camera, sorted by time.
        offset: seconds to be added to the camera's times.
        heights: (J,) metres.
        tolerance: by which all deviations are multiplied.
    """
    places = paths.at(looks.times + offset)
    there = np.isfinite(places[..., 0])
    predicted = np.full((*there.shape, 4), np.nan)
    people = np.nonzero(there)[1]
    x, y = places[there].T
    predicted[there] = camera.person_box(x, y, heights[people])
    errors = np.nan_to_num(side_errors(looks, predicted) / tolerance, nan=np.inf) ** 2
    cost = errors[..., 0] + np.minimum(errors[..., 1:], _SIDE_LIMIT**2).sum(axis=-1)
    # Of a person, something must be where it should: the top or the bottom.
    cost[(errors[..., 1:] > _SIDE_LIMIT**2).all(axis=-1) | (errors[..., 0] > _SIDE_LIMIT**2)] = np.inf
    instants = np.floor(looks.times / LOOK_SECONDS)
    firsts = np.flatnonzero(np.diff(instants, prepend=-np.inf))
    matched: list[tuple[Ints, Ints]] = []
    for first, last in zip(firsts, [*firsts[1:], len(looks)]):
        mine, theirs = assign(cost[first:last], _LIMIT)
        matched.append((mine + first, theirs))
    chosen = np.concatenate([mine for mine, _ in matched]) if matched else np.zeros(0, np.int64)
    whose = np.concatenate([theirs for _, theirs in matched]) if matched else np.zeros(0, np.int64)
    agreement = float((1 - cost[chosen, whose] / _LIMIT).sum())
    shown = predicted[firsts].reshape(-1, 4)
    large = np.nan_to_num(shown[:, 3] - shown[:, 1]) > _LARGE * camera.height
    expected = int(((camera.visible_share(shown) > _INSIDE) & large).sum())
    asked = len(looks) + expected
    return Explanation(chosen, whose, 2 * agreement / asked if asked else 0.0)
