"""One camera's frames: the empty room, then shadows, people from far to near, the lens and the sensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.background import SAMPLES, Background, render_background
from benchmarks.simulation.cameras import Camera
from benchmarks.simulation.gait import Stance
from benchmarks.simulation.lighting import irradiance
from benchmarks.simulation.people import Person
from benchmarks.simulation.rasterise import Fragments, rasterise
from benchmarks.simulation.room import Room

__all__ = ["CameraRenderer", "Sighting"]

FloatArray = NDArray[np.floating[Any]]

_NEAR = 0.12
_NOISE_MARGIN = 64


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


class CameraRenderer:
    """Draws the frames of one camera; the same arguments give the same bytes.

    Args:
        camera: where to look from.
        room: what to look at.
        people: every person that can appear, by identity.
        seed: of the sensor's noise.
    """

    def __init__(self, camera: Camera, room: Room, people: Mapping[int, Person], *, seed: int = 0) -> None:
        self.camera = camera
        self.room = room
        self.people = people
        self.background: Background = render_background(camera, room)
        self._seed = seed
        generator = np.random.default_rng([seed, 911, sum(map(ord, camera.name))])
        shape = (camera.height + _NOISE_MARGIN, camera.width + _NOISE_MARGIN, 3)
        self._noise = cv2.GaussianBlur(generator.standard_normal(shape).astype(np.float32), (0, 0), 0.45)
        self._noise *= camera.noise / self._noise.std()
        self._rotation = camera.rotation.astype(np.float32)
        self._translation = camera.translation.astype(np.float32)
        self._position = np.asarray(camera.position, np.float32)
        self._gain = np.asarray(camera.gain, np.float32)

    def render(
        self, frame: int, stances: Mapping[int, Stance], *, picture: bool = True
    ) -> tuple[NDArray[np.uint8] | None, list[Sighting], NDArray[np.int16]]:
        """Return frame number ``frame`` with ``stances`` by identity.

        Returns:
            The image (H, W, 3) uint8 BGR (``None`` without ``picture``), the sightings of everybody who is at least
            partly in the image's frame, and the identity at each subpixel (H·2, W·2), −1 for the room.
        """
        camera = self.camera
        width, height = camera.width * SAMPLES, camera.height * SAMPLES
        depth = self.background.inverse_depth.copy()
        owners = np.full((height, width), -1, np.int16)
        canvas = self.background.image.copy() if picture else None
        if canvas is not None:
            self._cast_shadows(canvas, list(stances.values()))
        order = sorted(
            (identity for identity, stance in stances.items() if self._may_show(stance)),
            key=lambda identity: -np.hypot(*(np.subtract(self.camera.position[:2], _floor(stances[identity])))),
        )
        drawn: list[tuple[int, tuple[float, float, float, float], Fragments, int]] = []
        for identity in order:
            person = self.people[identity].outfits[self._outfit(identity, stances[identity])]
            points, normals = person.posed(stances[identity])
            seen = points @ self._rotation.T + self._translation
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
            rows = slice(fragments.top, fragments.top + fragments.inverse_depth.shape[0])
            columns = slice(fragments.left, fragments.left + fragments.inverse_depth.shape[1])
            won = fragments.inverse_depth > depth[rows, columns]
            drawn.append((identity, box, fragments, int(np.count_nonzero(fragments.inverse_depth))))
            if not won.any():
                continue
            np.copyto(depth[rows, columns], fragments.inverse_depth, where=won)
            np.copyto(owners[rows, columns], np.int16(identity), where=won)
            if canvas is not None:
                self._paint(canvas, person, points, normals, x, y, inverse, fragments, won)
        sightings = self._sightings(drawn, owners, stances)
        image = None if canvas is None else self._expose(canvas, frame)
        return image, sightings, owners

    def _may_show(self, stance: Stance) -> bool:
        """Return whether any part of a person there can be in the image; far cheaper than drawing in vain."""
        reach, tallest = 1.0, 2.2
        corners = [
            (stance.x + a, stance.y + b, z) for a in (-reach, reach) for b in (-reach, reach) for z in (0, tallest)
        ]
        pixels, depth = self.camera.project(corners)
        if depth.min() <= _NEAR:
            return bool(depth.max() > _NEAR)
        (x1, y1), (x2, y2) = pixels.min(axis=0), pixels.max(axis=0)
        return bool(x2 > 0 and y2 > 0 and x1 < self.camera.width and y1 < self.camera.height)

    def _outfit(self, identity: int, stance: Stance) -> int:
        """Return the number of the clothes that ``stance`` asks for, or of the last there are of who has fewer."""
        return min(stance.outfit, len(self.people[identity].outfits) - 1)

    def _paint(
        self,
        canvas: FloatArray,
        person: Person,
        points: FloatArray,
        normals: FloatArray,
        x: FloatArray,
        y: FloatArray,
        inverse: FloatArray,
        fragments: Fragments,
        won: NDArray[np.bool_],
    ) -> None:
        """Shade the subpixels that ``won`` once per pixel and blend them by their share of it."""
        light = self._light(person, points, normals)
        blocks = won.reshape(won.shape[0] // SAMPLES, SAMPLES, won.shape[1] // SAMPLES, SAMPLES)
        chosen = np.where(blocks, fragments.triangle.reshape(blocks.shape), -1)
        coverage = blocks[:, 0].astype(np.uint8) + blocks[:, 1]
        coverage = coverage[..., 0] + coverage[..., 1]
        rows, columns = np.nonzero(coverage)
        share = coverage[rows, columns].astype(np.float32) / (SAMPLES * SAMPLES)
        cells = chosen[rows, :, columns, :].reshape(len(rows), -1)
        atlas, side = person.atlas_for(float(self.camera.intrinsics[0, 0] * np.median(inverse)))
        left, top = fragments.left // SAMPLES, fragments.top // SAMPLES
        across, down = person.texture.T
        colour = np.zeros((len(rows), 3), np.float32)
        # Two opposite subpixels are shaded, so that edges between limbs are smooth as well.
        for pair, (dx, dy) in (((0, 1), (0.5, 0.25)), ((2, 3), (0.5, 0.75))):
            triangle = np.maximum(cells[:, pair[0]], cells[:, pair[1]])
            triangle = np.where(triangle < 0, cells.max(axis=1), triangle)
            corners = person.triangles.take(triangle, axis=0)
            px = columns.astype(np.float32) + np.float32(left + dx)
            py = rows.astype(np.float32) + np.float32(top + dy)
            weights = _barycentric(x.take(corners), y.take(corners), px, py)
            shade = np.einsum("ij,ij->i", weights, light.take(corners))
            u = np.einsum("ij,ij->i", weights, across.take(corners))
            v = np.einsum("ij,ij->i", weights, down.take(corners))
            texel = (v * side).astype(np.int32) * side + (u * side).astype(np.int32)
            colour += atlas.take(texel, axis=0) * shade[:, None]
        colour *= self._gain * np.float32(0.5)
        np.minimum(colour, 255, out=colour)
        pixels, places = canvas.reshape(-1, 3), (rows + top) * self.camera.width + columns + left
        target = pixels.take(places, axis=0)
        pixels[places] = target + (colour - target) * share[:, None]

    def _light(self, person: Person, points: FloatArray, normals: FloatArray) -> FloatArray:
        """Return (V,) brightness: lamps, surrounding light, less near the floor, a faint rim against the light."""
        light = irradiance(points, normals, self.room) * person.openness
        light *= 0.80 + 0.20 * np.minimum(points[:, 2] / 0.5, 1)
        toward = self._position - points
        facing = np.einsum("ij,ij->i", toward, normals) / np.sqrt(np.einsum("ij,ij->i", toward, toward))
        rim = np.clip(1 - facing, 0, 1) ** 3
        return light * (1.08 + 0.10 * rim)

    def _cast_shadows(self, canvas: FloatArray, stances: Sequence[Stance]) -> None:
        """Darken the floor under and beside people: contact at both feet, and a soft shadow away from each lamp."""
        floor = self.background.floor
        shadow = np.ones(floor.shape[:2], np.float32)
        touched: list[tuple[int, int, int, int]] = []
        for stance in stances:
            window = self._floor_window(stance)
            if window is None:
                continue
            x1, y1, x2, y2 = window
            touched.append(window)
            dx = floor[y1:y2, x1:x2, 0] - np.float32(stance.x)
            dy = floor[y1:y2, x1:x2, 1] - np.float32(stance.y)
            seated = stance.seated
            # A seated body is further from the floor, and its feet are ahead of it.
            total = (0.42 - 0.20 * seated) * np.exp(-(dx * dx + dy * dy) / np.float32(2 * 0.17**2))
            total += 0.22 * np.exp(-(dx * dx + dy * dy) / np.float32(2 * 0.42**2))
            forward = (np.cos(stance.heading), np.sin(stance.heading))
            stride = 0.30 * min(1.0, stance.speed / 0.8) * np.sin(stance.phase)
            for sign in (1, -1):
                ahead = 0.05 + 0.40 * seated
                fx = sign * (stride * forward[0] - 0.10 * forward[1]) + ahead * forward[0]
                fy = sign * (stride * forward[1] + 0.10 * forward[0]) + ahead * forward[1]
                ex, ey = dx - np.float32(fx), dy - np.float32(fy)
                total += 0.34 * np.exp(-(ex * ex + ey * ey) / np.float32(2 * 0.085**2))
            for lamp in self.room.lamps if stance.y > 0 else self.room.corridor.lamps or self.room.lamps:
                ax, ay = stance.x - lamp[0], stance.y - lamp[1]
                reach = np.hypot(ax, ay)
                if reach < 0.3:
                    continue
                ax, ay = ax / reach, ay / reach
                along = dx * np.float32(ax) + dy * np.float32(ay)
                across = dy * np.float32(ax) - dx * np.float32(ay)
                wide = 0.15 + 0.16 * np.maximum(along, 0)
                fall = np.clip(1 - along / np.float32((0.55 * reach + 0.35) * (1 - 0.3 * seated)), 0, 1) * (
                    along > -0.05
                )
                strength = 0.20 / (0.7 + 0.35 * reach)
                total += np.float32(strength) * fall * np.exp(-((across / wide) ** 2))
            shadow[y1:y2, x1:x2] *= np.maximum(1 - total, 0.18)
        if not touched:
            return
        boxes = np.array(touched)
        x1, y1 = boxes[:, :2].min(axis=0) * 2
        x2, y2 = boxes[:, 2:].max(axis=0) * 2
        crop = shadow[y1 // 2 : y2 // 2, x1 // 2 : x2 // 2]
        full = cv2.resize(crop, (int(x2 - x1), int(y2 - y1)), interpolation=cv2.INTER_LINEAR)
        full = 1 - (1 - full) * self.background.floor_share[y1:y2, x1:x2]
        canvas[y1:y2, x1:x2] *= full[..., None]

    def _floor_window(self, stance: Stance) -> tuple[int, int, int, int] | None:
        reach = 1.25
        corners = [(stance.x + a, stance.y + b, 0.0) for a in (-reach, reach) for b in (-reach, reach)]
        pixels, depth = self.camera.project(corners)
        rows, columns = self.background.floor.shape[:2]
        if depth.min() < 0.2:
            return 0, 0, columns, rows
        x1, y1 = np.floor(pixels.min(axis=0) / 2).astype(int)
        x2, y2 = np.ceil(pixels.max(axis=0) / 2).astype(int) + 1
        x1, y1, x2, y2 = max(x1, 0), max(y1, 0), min(x2, columns), min(y2, rows)
        return (int(x1), int(y1), int(x2), int(y2)) if x2 > x1 and y2 > y1 else None

    def _expose(self, canvas: FloatArray, frame: int) -> NDArray[np.uint8]:
        """Blur as the lens does, add the sensor's noise and round to 8 bits."""
        image = cv2.GaussianBlur(canvas, (3, 3), 0.55)
        generator = np.random.default_rng([self._seed, 17, frame])
        dy, dx, sign, mirror = generator.integers(0, (_NOISE_MARGIN, _NOISE_MARGIN, 2, 2))
        noise = self._noise[dy : dy + self.camera.height, dx : dx + self.camera.width]
        if mirror:
            noise = noise[::-1, ::-1]
        # The sum is rounded and kept within 0 to 255 by OpenCV in the same pass.
        combine = cv2.add if sign else cv2.subtract
        return np.asarray(combine(image, noise, dtype=cv2.CV_8U), np.uint8)

    def _sightings(
        self,
        drawn: list[tuple[int, tuple[float, float, float, float], Fragments, int]],
        owners: NDArray[np.int16],
        stances: Mapping[int, Stance],
    ) -> list[Sighting]:
        width, height = self.camera.width, self.camera.height
        found: list[Sighting] = []
        for identity, box, fragments, own_area in drawn:
            rows = slice(fragments.top, fragments.top + fragments.inverse_depth.shape[0])
            columns = slice(fragments.left, fragments.left + fragments.inverse_depth.shape[1])
            seen = owners[rows, columns] == identity
            count = int(np.count_nonzero(seen))
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
            outfit = self._outfit(identity, stance)
            found.append(Sighting(identity, box, visible_box, share, _floor(stance), stance.seated, outfit))
        return sorted(found, key=lambda sighting: sighting.identity)


def _floor(stance: Stance) -> tuple[float, float]:
    return stance.x, stance.y


def _barycentric(x: FloatArray, y: FloatArray, px: FloatArray, py: FloatArray) -> FloatArray:
    """Return (N, 3) weights of the corners (N, 3) at points (N,), clipped into the triangle."""
    x0, x1, x2 = x.T
    y0, y1, y2 = y.T
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    inverse = 1 / np.where(np.abs(area) < 1e-6, np.float32(1e-6), area)
    weights = np.empty((len(px), 3), np.float32)
    weights[:, 1] = ((px - x0) * (y2 - y0) - (x2 - x0) * (py - y0)) * inverse
    weights[:, 2] = ((x1 - x0) * (py - y0) - (px - x0) * (y1 - y0)) * inverse
    weights[:, 0] = 1 - weights[:, 1] - weights[:, 2]
    np.clip(weights, 0, 1, out=weights)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights
