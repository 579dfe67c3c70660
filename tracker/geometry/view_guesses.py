"""How a camera may look down on people, guessed from their boxes alone.

People are about equally tall. Of a camera that is not rolled, focal length and downward angle say of every box how
high the camera hangs, in heights of that person; where they are right, all boxes say the same (Lv, Zhao and Nevatia,
Camera Calibration from Video of a Walking Human, IEEE TPAMI 28(9), 2006, find the same from vanishing points). A guess
maps the foot of a box to a place on the floor, as seen from the camera, in metres. What remains unknown of the camera
is where it is and to which side it looks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.geometry.camera import Camera
from tracker.geometry.distortion import Distortion
from tracker.geometry.people_tracks import BoxTracks

__all__ = ["PERSON_HEIGHT", "Lens", "ViewGuess", "view_guesses"]

Array = NDArray[np.float64]

#: metres, of people who stand, and of the shoes that are nearest to the camera from the feet's middle
PERSON_HEIGHT, SHOE = 1.70, 0.175
#: focal lengths that are tried, as multiples of the image's longer side
_FOCAL_RANGE, _FOCAL_LENGTHS = (0.4, 3.5), 10
#: downward angles that are tried, degrees
_PITCHES = np.radians(np.arange(0.0, 80.0, 2.5))
#: heights of a camera that are believed, metres
_HEIGHTS = (1.0, 40.0)
#: by which factor, and how much, a guess's spread may exceed the least
_WORSE, _SLACK = 1.4, 0.01
#: angles kept for one focal length
_MOST_ANGLES = 3
_MOST_BOXES = 3000


class Lens:
    """What is known of a lens: a camera's K and distortion, or only that its pixels are square and its middle central.

    Args:
        width, height: of the image, pixels.
        intrinsics: a camera whose K and distortion hold; its pose is not looked at.
    """

    def __init__(self, width: int, height: int, intrinsics: Camera | None = None) -> None:
        self.width, self.height = width, height
        self.given = intrinsics
        self._distortion: Distortion | None = None
        if intrinsics is None:
            self._matrix, self._centre = np.eye(2), np.array([width, height]) / 2
            longest = float(max(width, height))
            self.focal_lengths = np.geomspace(*_FOCAL_RANGE, _FOCAL_LENGTHS) * longest
        else:
            self._matrix, self._centre = intrinsics.intrinsics[:2, :2], intrinsics.intrinsics[:2, 2]
            corners = np.array([(0, 0), (width, 0), (0, height), (width, height)], np.float64) - self._centre
            reach = float(np.hypot(*np.linalg.solve(self._matrix, corners.T)).max())
            self._distortion = Distortion(intrinsics.distortion, reach)
            self.focal_lengths = np.ones(1)

    def plane(self, pixels: Array) -> Array:
        """Return coordinates (N, 2), undistorted once divided by the focal length, which is 1 where K is given."""
        normal = (pixels - self._centre) @ np.linalg.inv(self._matrix).T
        return normal if self._distortion is None else self._distortion.undo(normal)

    def camera(self, name: str, focal: float, rotation: Array, position: Array) -> Camera:
        """Return the camera with this lens at ``position`` (3,); ``focal`` is not looked at where K is given."""
        translation = -rotation @ position
        if self.given is not None:
            lens = self.given
            return Camera(
                name, self.width, self.height, lens.intrinsics, lens.distortion, rotation, translation
            )  # fmt: skip
        intrinsics = np.diag([focal, focal, 1.0])
        intrinsics[:2, 2] = self._centre
        return Camera(name, self.width, self.height, intrinsics, np.zeros(5), rotation, translation)


@dataclass(frozen=True, eq=False)
class ViewGuess:
    """A camera without its place and direction on the floor.

    Args:
        focal: length in pixels; 1 where K is given.
        pitch: radians below the horizontal.
        height: metres above the floor, if people are ``PERSON_HEIGHT`` tall.
        spread: median share by which boxes differ from that.
    """

    focal: float
    pitch: float
    height: float
    spread: float

    def local(self, feet: Array) -> NDArray[np.complex128]:
        """Return (N,) floor places of feet (N, 2) in the lens' plane: forward + i · left, metres; NaN: no floor there.

        Feet are the shoes nearest to the camera; a place is the person's middle.
        """
        x, y = (feet / self.focal).T
        down = y * np.cos(self.pitch) + np.sin(self.pitch)
        with np.errstate(divide="ignore", invalid="ignore"):
            place = self.height * ((np.cos(self.pitch) - y * np.sin(self.pitch)) - 1j * x) / down
            place = place * (1 + SHOE / np.abs(place))
            return np.where(down > 1e-3, place, np.nan)

    def camera(self, lens: Lens, name: str, place: complex, turn: float, scale: float) -> Camera:
        """Return the camera above ``place`` (x + i·y) that looks along ``turn``, radians from x towards y.

        Its height is multiplied by ``scale``.
        """
        c, s = np.cos(turn), np.sin(turn)
        forward = np.array([c * np.cos(self.pitch), s * np.cos(self.pitch), -np.sin(self.pitch)])
        right = np.array([s, -c, 0.0])
        rotation = np.stack([right, np.cross(forward, right), forward])
        return lens.camera(name, self.focal, rotation, np.array([place.real, place.imag, scale * self.height]))


def view_guesses(tracks: BoxTracks, lens: Lens) -> list[ViewGuess]:
    """Return the guesses that the boxes bear out, the best first; none when there are too few whole boxes."""
    whole = ~tracks.sides_cut[:, [1, 3]].any(axis=1)
    boxes = tracks.boxes[whole]
    if len(boxes) < 5:
        return []
    boxes = boxes[:: -(-len(boxes) // _MOST_BOXES)]
    middle = (boxes[:, 0] + boxes[:, 2]) / 2
    bottoms = lens.plane(np.column_stack([middle, boxes[:, 3]]))[:, 1]
    tops = lens.plane(np.column_stack([middle, boxes[:, 1]]))[:, 1]
    found: list[ViewGuess] = []
    for focal in lens.focal_lengths:
        share, spread = _heights(bottoms / focal, tops / focal, _PITCHES)
        height = PERSON_HEIGHT / share
        spread = np.where((height > _HEIGHTS[0]) & (height < _HEIGHTS[1]), spread, np.inf)
        found += [
            ViewGuess(float(focal), float(_PITCHES[index]), float(height[index]), float(spread[index]))
            for index in _separate(spread)
        ]
    found = [guess for guess in found if np.isfinite(guess.spread)]
    least = min((guess.spread for guess in found), default=np.inf)
    return sorted(
        (guess for guess in found if guess.spread <= _WORSE * least + _SLACK), key=lambda guess: guess.spread
    )  # fmt: skip


def _heights(bottoms: Array, tops: Array, pitches: Array) -> tuple[Array, Array]:
    """Return (A,) the median of a person's share of the camera's height for each angle, and its relative spread."""
    cos, sin = np.cos(pitches)[:, None], np.sin(pitches)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        forward = (cos - bottoms * sin) / (bottoms * cos + sin)
        shares = 1 - forward * (sin + tops * cos) / (cos - tops * sin)
        usable = (forward > 0) & (bottoms * cos + sin > 1e-3) & (shares > 0) & np.isfinite(shares)
        middle = np.median(np.where(usable, shares, np.inf), axis=1)
        deviations = np.where(usable, np.abs(shares / middle[:, None] - 1), np.inf)
        return np.where(np.isfinite(middle), middle, np.nan), np.median(deviations, axis=1)


def _separate(spread: Array) -> list[int]:
    """Return the angles with the least spread, no two next to each other."""
    chosen: list[int] = []
    for index in np.argsort(spread, kind="stable"):
        if len(chosen) == _MOST_ANGLES or not spread[index] <= _WORSE * spread.min() + _SLACK:
            break
        if all(abs(index - other) > 1 for other in chosen):
            chosen.append(int(index))
    return chosen
