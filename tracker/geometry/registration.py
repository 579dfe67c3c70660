"""Which track is whose path, at which offset of the clocks: rough hypotheses from stretches of single tracks.

A view guess makes of a camera's track a path on the floor, as seen from the camera. Laid onto a stretch of somebody's
path, at some offset of the clocks, it says where the camera is and to which side it looks (a similarity, by least
squares; Umeyama, IEEE TPAMI 13(4), 1991). Each such hypothesis is judged by how many boxes of all tracks then lie on
somebody. Most stretches are paired with the wrong person; that does not matter as long as some are not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.geometry.people_tracks import BoxTracks, FloorPaths
from tracker.geometry.view_guesses import Lens, ViewGuess

__all__ = ["OFFSET_STEP", "Registration", "registrations"]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
Ints = NDArray[np.int64]

#: seconds between offsets that are tried
OFFSET_STEP = 0.2
#: looks of a stretch, at least and at most
_STRETCH = (6, 16)
#: share of a stretch during which the person's path is known
_KNOWN = 0.8
#: by how much people may be smaller or taller than a guess takes them for, all together
_SCALES = (0.75, 1.33)
#: metres: root mean square of a stretch about its middle, at least; and what a path is off by anyway
_LEAST_EXTENT, _NOISE = 0.4, 0.15
#: metres within which a look lies on somebody, and what is added for each metre from the camera
_NEAR, _NEAR_SHARE = 0.35, 0.08
#: hypotheses kept of a stretch and a guess; then after a first judgement of so many looks; then in all
_OF_STRETCH, _FIRST_LOOKS, _JUDGED, _KEPT = 16, 100, 200, 24
_BLOCK = 4_000_000
#: two hypotheses are one when their offsets, places (m) and directions (radians) differ by less
_ALIKE = (0.5, 0.8, 0.25)


@dataclass(frozen=True, eq=False)
class Registration:
    """A camera's place and direction on the floor and its clock, roughly.

    Args:
        guess: how it looks down.
        offset: seconds to be added to the camera's times.
        place: x + i·y, metres.
        turn: radians from x towards y.
        scale: of the guess's height.
        score: mean over the looks of how well each lies on somebody, 0 to 1.
    """

    guess: ViewGuess
    offset: float
    place: complex
    turn: float
    scale: float
    score: float


def registrations(
    paths: FloorPaths,
    looks: BoxTracks,
    lens: Lens,
    guesses: Sequence[ViewGuess],
    offsets: Array,
    advance: Callable[[], None] | None = None,
) -> list[Registration]:
    """Return the best hypotheses, the best first and no two alike.

    Args:
        paths: of people on the floor.
        looks: of the camera.
        lens: of the camera.
        guesses: how it may look down.
        offsets: (D,) seconds that are tried.
        advance: called once for each guess.
    """
    feet = lens.plane(np.column_stack([(looks.boxes[:, 0] + looks.boxes[:, 2]) / 2, looks.boxes[:, 3]]))
    usable = np.asarray(~looks.sides_cut[:, [0, 2, 3]].any(axis=1))
    people = np.stack([paths.at(looks.times + offset) @ (1, 1j) for offset in offsets])
    stretches = _stretches(looks, usable)
    found: list[Registration] = []
    for guess in guesses:
        local = np.where(usable, guess.local(feet), np.nan)
        rough = [_laid(local[rows], people[:, rows]) for rows in stretches]
        if rough:
            found += _judged(guess, np.concatenate(rough), local, people, offsets)
        if advance is not None:
            advance()
    return _different(found)


def _stretches(looks: BoxTracks, usable: NDArray[np.bool_]) -> list[Ints]:
    """Return the looks of overlapping stretches of each track."""
    least, most = _STRETCH
    result = []
    for track in np.unique(looks.ids):
        rows = np.flatnonzero((looks.ids == track) & usable)
        starts = range(0, max(len(rows) - least, 0) + 1, most // 2)
        result += [rows[start : start + most] for start in starts if len(rows[start : start + most]) >= least]
    return result


def _laid(local: Complex, people: Complex) -> NDArray[np.float64]:
    """Return the best rows: how good, number of the offset, place x and y, turn, scale of a stretch laid on paths.

    Args:
        local: (n,) as seen from the camera.
        people: (D, n, J) where everybody was at each offset.
    """
    known = np.isfinite(people) & np.isfinite(local)[:, None]
    count = known.sum(axis=1)
    safe = np.maximum(count, 1)
    seen = np.where(known, np.nan_to_num(local)[:, None], 0)
    true = np.where(known, np.nan_to_num(people), 0)
    seen_middle, true_middle = seen.sum(axis=1) / safe, true.sum(axis=1) / safe
    together = (np.conj(seen) * true).sum(axis=1) - safe * np.conj(seen_middle) * true_middle
    seen_square = (np.abs(seen) ** 2).sum(axis=1) - safe * np.abs(seen_middle) ** 2
    true_square = (np.abs(true) ** 2).sum(axis=1) - safe * np.abs(true_middle) ** 2
    size = np.abs(together)
    scale = np.clip(size / np.maximum(seen_square, 1e-9), *_SCALES)
    left = np.maximum(true_square - 2 * scale * size + scale**2 * seen_square, 0) / safe
    moving = np.minimum(true_square, seen_square) / safe > _LEAST_EXTENT**2
    usable = (count >= _KNOWN * len(local)) & moving
    gain = count * np.log(np.where(usable, true_square / safe, 1.0) / (left + _NOISE**2))
    good = np.where(usable, gain, 0.0)
    order = np.argsort(-good, axis=None, kind="stable")[:_OF_STRETCH]
    order = order[good.ravel()[order] > 0]
    at = np.unravel_index(order, good.shape)
    turn, scale = np.angle(together[at]), scale[at]
    place = true_middle[at] - scale * np.exp(1j * turn) * seen_middle[at]
    return np.column_stack([good[at], at[0], place.real, place.imag, turn, scale])


def _judged(guess: ViewGuess, rows: Array, local: Complex, people: Complex, offsets: Array) -> list[Registration]:
    """Return the best of the hypotheses ``rows`` (H, 6) of one guess by all looks, first by a part of them."""
    every = np.flatnonzero(np.isfinite(local))
    if not len(rows) or not len(every):
        return []
    some = every[:: -(-len(every) // _FIRST_LOOKS)]
    first = _scores(rows, local, people, some)
    rows = rows[np.argsort(-first, kind="stable")[:_JUDGED]]
    scores = _scores(rows, local, people, every)
    best = np.argsort(-scores, kind="stable")[: 4 * _KEPT]
    return [
        Registration(
            guess, float(offsets[int(rows[i, 1])]), complex(rows[i, 2], rows[i, 3]), float(rows[i, 4]),
            float(rows[i, 5]), float(scores[i]),
        )
        for i in best
    ]  # fmt: skip


def _scores(rows: Array, local: Complex, people: Complex, looks: Ints) -> Array:
    """Return (H,) the mean over ``looks`` of how well each lies on somebody, 0 to 1."""
    seen, there = local[looks], people[:, looks]
    result = np.zeros(len(rows))
    step = max(1, _BLOCK // max(there[0].size, 1))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        reached = part[:, 5:] * seen
        places = (part[:, 2] + 1j * part[:, 3])[:, None] + np.exp(1j * part[:, 4])[:, None] * reached
        distance = np.abs(places[:, :, None] - there[part[:, 1].astype(int)])
        nearest = np.nan_to_num(distance, nan=np.inf).min(axis=2, initial=np.inf)
        near = nearest / (_NEAR + _NEAR_SHARE * np.abs(reached))
        result[start : start + step] = np.maximum(1 - near**2, 0).mean(axis=1)
    return result


def _different(found: list[Registration]) -> list[Registration]:
    chosen: list[Registration] = []
    for one in sorted(found, key=lambda registration: -registration.score):
        if not any(
            abs(one.offset - other.offset) < _ALIKE[0]
            and abs(one.place - other.place) < _ALIKE[1]
            and abs(np.angle(np.exp(1j * (one.turn - other.turn)))) < _ALIKE[2]
            for other in chosen
        ):
            chosen.append(one)
        if len(chosen) == _KEPT:
            break
    return chosen
