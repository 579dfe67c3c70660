"""One camera's frames: the empty room, then shadows, people from far to near, the lens and the sensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.background import SAMPLES, Background, render_background
from benchmarks.simulation.cameras import Camera
from benchmarks.simulation.gait import Stance
from benchmarks.simulation.painting import paint
from benchmarks.simulation.people import Person
from benchmarks.simulation.poses import Posed, Poses
from benchmarks.simulation.rasterise import Fragments, rasterise
from benchmarks.simulation.room import Room
from benchmarks.simulation.shadows import cast_shadows

__all__ = ["CameraRenderer", "Sighting"]

FloatArray = NDArray[np.floating[Any]]

_NEAR = 0.12
_NOISE_MARGIN = 64
#: corners of what a person may fill, from the floor where they are, metres
_SURROUNDINGS = np.array([(x, y, z) for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (0.0, 2.2)])


@dataclass(frozen=True)
class Sighting:
    """What one camera's frame truly shows of one person.

    Args:
        identity: number of the person.
        box: full (amodal) ``x1, y1, x2, y2`` in pixels, as if nothing stood in front; may leave the image.
        visible_box: box of what is seen, inside the image.
        visibility: share of the whole figure that is seen, 0 to 1 (hidden and outside parts both count against it).
        position: floor x, y in metres.
        seated: 0 standing to 1 sitting.
        outfit: number, within those of the person, of the clothes drawn.
    """

    identity: int
    box: tuple[float, float, float, float]
    visible_box: tuple[float, float, float, float]
    visibility: float
    position: tuple[float, float]
    seated: float = 0.0
    outfit: int = 0


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A person whose figure is at least partly in the frame."""

    identity: int
    outfit: int
    box: tuple[float, float, float, float]
    fragments: Fragments


class CameraRenderer:
    """Draws the frames of one camera; the same arguments give the same bytes.

    Args:
        camera: where to look from.
        room: what to look at.
        people: every person that can appear, by identity; or their poses, shared by renderers that take turns.
        seed: of the sensor's noise.
    """

    def __init__(self, camera: Camera, room: Room, people: Mapping[int, Person] | Poses, *, seed: int = 0) -> None:
        self.camera = camera
        self.room = room
        self.show(people)
        self.background: Background = render_background(camera, room)
        self._seed = seed
        generator = np.random.default_rng([seed, 911, sum(map(ord, camera.name))])
        shape = (camera.height + _NOISE_MARGIN, camera.width + _NOISE_MARGIN, 3)
        noise = cv2.GaussianBlur(generator.standard_normal(shape).astype(np.float32), (0, 0), 0.45)
        noise *= camera.noise / noise.std()
        self._noise = (noise, np.ascontiguousarray(noise[::-1, ::-1]))
        self._rotation = camera.rotation.astype(np.float32)
        self._translation = camera.translation.astype(np.float32)
        self._position = np.asarray(camera.position, np.float32)
        self._gain = np.asarray(camera.gain, np.float32)
        # Kept from frame to frame: fresh memory for so much costs more than filling it.
        self._depth = self.background.inverse_depth.copy()
        self._owners = np.full(self._depth.shape, -1, np.int16)
        self._canvas = np.empty_like(self.background.image)
        self._lens = np.empty_like(self.background.image)
        self._covered: list[tuple[slice, slice]] = []

    def show(self, people: Mapping[int, Person] | Poses) -> None:
        """Draw these people from now on."""
        self._poses = people if isinstance(people, Poses) else Poses(people, self.room)

    def render(
        self, frame: int, stances: Mapping[int, Stance], *, picture: bool = True
    ) -> tuple[NDArray[np.uint8] | None, list[Sighting], NDArray[np.int16]]:
        """Return frame number ``frame`` with ``stances`` by identity.

        Returns:
            The image (H, W, 3) uint8 BGR (``None`` without ``picture``), the sightings of everybody who is at least
            partly in the image's frame, and the identity at each subpixel (H·2, W·2), −1 for the room, which is to be
            read before the next frame is rendered.
        """
        camera = self.camera
        width, height = camera.width * SAMPLES, camera.height * SAMPLES
        depth, owners = self._depth, self._owners
        for window in self._covered:
            depth[window] = self.background.inverse_depth[window]
            owners[window] = -1
        self._covered.clear()
        canvas = self._canvas if picture else None
        if canvas is not None:
            np.copyto(canvas, self.background.image)
            cast_shadows(canvas, self.background, camera, self.room, list(stances.values()))
        drawn: list[_Drawn] = []
        for identity in self._near(stances):
            posed = self._poses.of(identity, stances[identity])
            person = posed.person
            seen = posed.points @ self._rotation.T + self._translation
            distance = seen[:, 2]
            if distance.min() < _NEAR:
                continue
            inverse = 1 / distance
            focal = np.float32(camera.intrinsics[0, 0])
            x = seen[:, 0] * (focal * inverse) + np.float32(camera.width / 2)
            y = seen[:, 1] * (focal * inverse) + np.float32(camera.height / 2)
            box = (float(x.min()), float(y.min()), float(x.max()), float(y.max()))
            if box[2] <= 0 or box[3] <= 0 or box[0] >= camera.width or box[1] >= camera.height:
                continue
            fragments = rasterise(x * SAMPLES, y * SAMPLES, inverse, person.triangles, width, height, SAMPLES)
            if fragments is None:
                continue
            window = fragments.window
            won = fragments.inverse_depth > depth[window]
            drawn.append(_Drawn(identity, posed.outfit, box, fragments))
            if not won.any():
                continue
            self._covered.append(window)
            np.copyto(depth[window], fragments.inverse_depth, where=won)
            np.copyto(owners[window], np.int16(identity), where=won)
            if canvas is not None:
                paint(
                    canvas,
                    fragments,
                    won,
                    (x, y),
                    person.triangles,
                    self._light(posed),
                    person.texture,
                    person.atlas_for(float(focal * np.median(inverse))),
                    self._gain,
                )
        sightings = self._sightings(drawn, owners, stances)
        image = None if canvas is None else self._expose(canvas, frame)
        shown = owners.view()
        shown.flags.writeable = False
        return image, sightings, shown

    def _near(self, stances: Mapping[int, Stance]) -> list[int]:
        """Return who may be in the image, far ones first; looking at their surroundings is cheaper than drawing."""
        if not stances:
            return []
        floor = np.array([_floor(stance) for stance in stances.values()])
        corners = (np.pad(floor, ((0, 0), (0, 1)))[:, None] + _SURROUNDINGS).reshape(-1, 3)
        pixels, depth = (values.reshape(len(floor), len(_SURROUNDINGS), -1) for values in self.camera.project(corners))
        (x1, y1), (x2, y2) = pixels.min(axis=1).T, pixels.max(axis=1).T
        inside = (x2 > 0) & (y2 > 0) & (x1 < self.camera.width) & (y1 < self.camera.height)
        nearest, farthest = depth.min(axis=(1, 2)), depth.max(axis=(1, 2))
        seen = np.where(nearest <= _NEAR, farthest > _NEAR, inside)
        distance = np.hypot(*(floor - self.camera.position[:2]).T)
        identities = list(stances)
        return [identities[number] for number in np.argsort(-distance, kind="stable") if seen[number]]

    def _light(self, posed: Posed) -> FloatArray:
        """Return (V,) brightness as seen from here: what falls on the points, and a faint rim against the light."""
        toward = self._position - posed.points
        facing = np.einsum("ij,ij->i", toward, posed.normals) / np.sqrt(np.einsum("ij,ij->i", toward, toward))
        rim = np.clip(1 - facing, 0, 1) ** 3
        return posed.light * (1.08 + 0.10 * rim)

    def _expose(self, canvas: FloatArray, frame: int) -> NDArray[np.uint8]:
        """Blur as the lens does, add the sensor's noise and round to 8 bits."""
        image = cv2.GaussianBlur(canvas, (3, 3), 0.55, dst=self._lens)
        generator = np.random.default_rng([self._seed, 17, frame])
        dy, dx, sign, mirror = generator.integers(0, (_NOISE_MARGIN, _NOISE_MARGIN, 2, 2))
        noise = self._noise[mirror][dy : dy + self.camera.height, dx : dx + self.camera.width]
        (np.add if sign else np.subtract)(image, noise, out=image)
        np.maximum(image, 0, out=image)
        # Rounded and kept below 256 in one pass.
        return np.asarray(cv2.convertScaleAbs(image), np.uint8)

    def _sightings(
        self,
        drawn: list[_Drawn],
        owners: NDArray[np.int16],
        stances: Mapping[int, Stance],
    ) -> list[Sighting]:
        width, height = self.camera.width, self.camera.height
        found: list[Sighting] = []
        for one in drawn:
            identity, box, fragments = one.identity, one.box, one.fragments
            seen = owners[fragments.window] == identity
            count, own_area = np.count_nonzero(seen), np.count_nonzero(fragments.inverse_depth)
            inside = max(min(box[2], width) - max(box[0], 0), 0) * max(min(box[3], height) - max(box[1], 0), 0)
            in_frame = min(1.0, inside / max((box[2] - box[0]) * (box[3] - box[1]), 1e-6))
            visible_box = (0.0, 0.0, 0.0, 0.0)
            if count:
                ys, xs = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
                visible_box = (
                    (fragments.left + int(xs[0])) / SAMPLES,
                    (fragments.top + int(ys[0])) / SAMPLES,
                    (fragments.left + int(xs[-1]) + 1) / SAMPLES,
                    (fragments.top + int(ys[-1]) + 1) / SAMPLES,
                )
            share = min(1.0, count / own_area * in_frame)
            stance = stances[identity]
            found.append(Sighting(identity, box, visible_box, share, _floor(stance), stance.seated, one.outfit))
        return sorted(found, key=lambda sighting: sighting.identity)


def _floor(stance: Stance) -> tuple[float, float]:
    return stance.x, stance.y
