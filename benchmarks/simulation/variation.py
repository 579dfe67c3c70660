"""Views that differ as those of many installations do, so that a network learns people and not four cameras."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.cameras import Camera
from benchmarks.simulation.corridor import MAXIMUM_CORRIDOR_CAMERAS, cameras_in_corridor, make_corridor
from benchmarks.simulation.people import Person
from benchmarks.simulation.render import CameraRenderer
from benchmarks.simulation.room import Room
from benchmarks.simulation.scene import Scene
from tracker.errors import InputError

__all__ = [
    "Sensor",
    "Variation",
    "decoded",
    "encoded",
    "people_of",
    "renderer_of",
    "varied_camera",
    "varied_rig",
    "varied_sensor",
]

#: what an aim may not be nearer to its camera than, metres across the floor: who looks at its feet sees no room
_NEAREST_AIM = 1.8
#: where people would be in view, of the places a metre apart; a camera that sees fewer teaches little
_LEAST_PLACES = 4
#: height of a waist, metres
_WAIST = 0.9
#: distance of aims from the walls, metres
_AIM_MARGIN = 1.0
#: cameras whose backgrounds one process keeps, some 12 MB each at 640×480
_KEPT_RENDERERS = 8

Span = tuple[float, float]


@dataclass(frozen=True)
class Variation:
    """Between which values the cameras of a training set lie, each drawn evenly.

    Args:
        heights: of the camera, metres above the floor; above the furniture and below the ceiling.
        wall_distances: of the camera from the wall it hangs at, metres.
        aim_heights: of the point that the camera looks at, metres.
        fields_of_view: horizontal, degrees.
        sizes: images (width, height), pixels, one of them drawn.
        exposures: factor of all channels.
        white_balance: by how much, at most, each channel's factor differs from 1.
        gammas: exponent of grey levels as shares of 255; below 1 lifts shadows.
        saturations: factor of colourfulness.
        blurs: standard deviation of the lens's blur, pixels, besides the renderer's own.
        noises: standard deviation of noise, grey levels, besides the renderer's own.
        qualities: of the JPEG, 1 to 100.
        corridor_share: of rigs of which a camera or two hang in the corridor, where heights and places vary less.

    Raises:
        InputError: a range is the wrong way round, or leaves the room or what JPEG has.
    """

    heights: Span = (1.7, 2.7)
    wall_distances: Span = (0.1, 0.8)
    aim_heights: Span = (0.5, 1.2)
    fields_of_view: Span = (52.0, 98.0)
    sizes: tuple[tuple[int, int], ...] = ((480, 360), (640, 480), (640, 480), (640, 360), (704, 576), (800, 600))
    exposures: Span = (0.72, 1.25)
    white_balance: float = 0.12
    gammas: Span = (0.82, 1.22)
    saturations: Span = (0.65, 1.25)
    blurs: Span = (0.0, 0.9)
    noises: Span = (0.0, 5.0)
    qualities: tuple[int, int] = (60, 95)
    corridor_share: float = 0.4

    def __post_init__(self) -> None:
        for field in fields(self):
            span = getattr(self, field.name)
            if isinstance(span, tuple) and field.name != "sizes" and not 0 <= span[0] <= span[1]:
                raise InputError(f"variation of {field.name} from {span[0]:g} to {span[1]:g}; give the lower first")
        if not self.sizes:
            raise InputError("variation over no image sizes; give at least one")
        for name, low, high in (("heights", 1.5, 2.75), ("wall_distances", 0.1, 2.0), ("qualities", 1, 100)):
            span = getattr(self, name)
            if span[0] < low or span[1] > high:
                raise InputError(
                    f"variation of {name} from {span[0]:g} to {span[1]:g}; they must lie between {low} and {high}"
                )
        if not 0 <= self.white_balance < 1:
            raise InputError(f"variation of white_balance by {self.white_balance:g}; give a share from 0 to below 1")
        if not 0 <= self.corridor_share <= 1:
            raise InputError(f"variation with a corridor_share of {self.corridor_share:g}; give one from 0 to 1")


@dataclass(frozen=True)
class Sensor:
    """What happens to a rendered image until it is a JPEG; as it stands nothing but compression.

    Args:
        gain: (blue, green, red) factors.
        gamma, saturation, blur, noise: see :class:`Variation`.
        quality: of the JPEG, 1 to 100; 90 keeps about what the videos of ``simulate_room`` do.
    """

    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    saturation: float = 1.0
    blur: float = 0.0
    noise: float = 0.0
    quality: int = 90

    def developed(self, image: NDArray[np.uint8], generator: np.random.Generator) -> bytes:
        """Return ``image`` (H, W, 3) BGR as this sensor sees it, as the bytes of a JPEG file.

        Args:
            image: as rendered; not changed.
            generator: of the noise.
        """
        pixels: Any = image if self.blur == 0 else cv2.GaussianBlur(image, (0, 0), self.blur)
        if (self.gain, self.gamma, self.saturation, self.noise) != ((1.0, 1.0, 1.0), 1.0, 1.0, 0.0):
            values: NDArray[Any] = pixels.astype(np.float32) * np.asarray(self.gain, np.float32)
            if self.noise > 0:
                values += np.float32(self.noise) * generator.standard_normal(values.shape, np.float32)
            grey = values @ np.array([0.114, 0.587, 0.299], np.float32)
            values = grey[..., None] + np.float32(self.saturation) * (values - grey[..., None])
            np.clip(values, 0, 255, out=values)
            # Of 256 levels each has one place on the curve; a power for every pixel would cost more than all the rest.
            curve = 255 * (np.arange(256) / 255) ** self.gamma
            pixels = cv2.LUT(np.rint(values).astype(np.uint8), np.rint(curve).astype(np.uint8))
        return encoded(pixels, self.quality)


def encoded(image: NDArray[np.uint8], quality: int) -> bytes:
    """Return an image (H, W, 3) BGR as the bytes of a JPEG file of ``quality`` 1 to 100."""
    made, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert made
    return content.tobytes()


def decoded(content: bytes) -> NDArray[np.uint8]:
    """Return the image (H, W, 3) BGR of a JPEG file's bytes."""
    image: Any = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    return image


def varied_rig(
    generator: np.random.Generator, count: int, variation: Variation, *, first: int = 1
) -> tuple[int, tuple[Camera, ...]]:
    """Return how many cameras hang in the corridor, as ``make_scene`` takes it, and all ``count``, these last.

    Args:
        generator: of all that is drawn.
        count: of the cameras, of which at least one hangs in the room.
        variation: how they differ.
        first: number of the first; they are called ``cam1``, ``cam2``, ….
    """
    in_corridor = 0
    if generator.random() < variation.corridor_share:
        in_corridor = min(int(generator.integers(1, MAXIMUM_CORRIDOR_CAMERAS + 1)), count - 1)
    room = Room()
    cameras = [
        varied_camera(generator, f"cam{first + number}", variation, room) for number in range(count - in_corridor)
    ]
    for usual in cameras_in_corridor(make_corridor(in_corridor)):
        cameras.append(_varied_corridor_camera(generator, f"cam{first + len(cameras)}", usual, variation))
    return in_corridor, tuple(cameras)


def _varied_corridor_camera(generator: np.random.Generator, name: str, usual: Camera, variation: Variation) -> Camera:
    position = np.add(usual.position, generator.uniform((-0.4, -0.3, -0.5), (0.4, 0.8, 0.08)))
    look_at = np.add(usual.look_at, generator.uniform((-0.5, -0.3, -0.4), (0.5, 0.3, 0.3)))
    width, height = variation.sizes[int(generator.integers(len(variation.sizes)))]
    return Camera(
        name,
        (float(position[0]), float(position[1]), float(position[2])),
        (float(look_at[0]), float(look_at[1]), float(look_at[2])),
        field_of_view=float(generator.uniform(*variation.fields_of_view)),
        width=width,
        height=height,
        noise=1.0,
    )


def varied_camera(generator: np.random.Generator, name: str, variation: Variation, room: Room) -> Camera:
    """Return a camera near some wall of ``room`` that looks into it; the sensor is left as rendered.

    Args:
        generator: of all that is drawn.
        name: unique among the cameras that look at the scene.
        variation: how cameras differ.
        room: where.
    """
    while True:
        camera = _drawn_camera(generator, name, variation, room)
        if _places_seen(camera, room) >= _LEAST_PLACES:
            return camera


def _drawn_camera(generator: np.random.Generator, name: str, variation: Variation, room: Room) -> Camera:
    position = _place_near_wall(generator, variation, room)
    while True:
        x = generator.uniform(_AIM_MARGIN, room.width - _AIM_MARGIN)
        y = generator.uniform(_AIM_MARGIN, room.depth - _AIM_MARGIN)
        if np.hypot(x - position[0], y - position[1]) >= _NEAREST_AIM:
            break
    width, height = variation.sizes[int(generator.integers(len(variation.sizes)))]
    return Camera(
        name,
        position,
        (float(x), float(y), float(generator.uniform(*variation.aim_heights))),
        field_of_view=float(generator.uniform(*variation.fields_of_view)),
        width=width,
        height=height,
        noise=1.0,
    )


def _places_seen(camera: Camera, room: Room) -> int:
    """Return at how many places, a metre apart, the camera would see the waist of a person."""
    x, y = np.meshgrid(np.arange(1.0, room.width), np.arange(1.0, room.depth))
    pixels, depth = camera.project(np.stack([x, y, np.full_like(x, _WAIST)], -1))
    inside = (depth > 0) & (pixels > 0).all(axis=1) & (pixels < (camera.width, camera.height)).all(axis=1)
    return int(inside.sum())


def _place_near_wall(generator: np.random.Generator, variation: Variation, room: Room) -> tuple[float, float, float]:
    away = float(generator.uniform(*variation.wall_distances))
    along = float(generator.uniform(0, 1))
    height = float(generator.uniform(*variation.heights))
    across_x, across_y = room.width - 0.2, room.depth - 0.2
    side = int(generator.integers(4))
    if side < 2:
        return 0.1 + along * across_x, away if side == 0 else room.depth - away, height
    return away if side == 2 else room.width - away, 0.1 + along * across_y, height


def varied_sensor(generator: np.random.Generator, variation: Variation) -> Sensor:
    """Return a sensor drawn from ``variation``."""
    balance = 1 + generator.uniform(-variation.white_balance, variation.white_balance, 3)
    gain = generator.uniform(*variation.exposures) * balance
    return Sensor(
        gain=(float(gain[0]), float(gain[1]), float(gain[2])),
        gamma=float(generator.uniform(*variation.gammas)),
        saturation=float(generator.uniform(*variation.saturations)),
        blur=float(generator.uniform(*variation.blurs)),
        noise=float(generator.uniform(*variation.noises)),
        quality=int(generator.integers(variation.qualities[0], variation.qualities[1] + 1)),
    )


def people_of(scene: Scene) -> dict[int, Person]:
    """Return everybody who comes into ``scene``, by identity, with all their clothes, ready to be drawn."""
    return {identity: Person(*scene.outfits[identity - 1]) for identity in scene.identities}


def renderer_of(camera: Camera, room: Room, people: Mapping[int, Person]) -> CameraRenderer:
    """Return a renderer of ``camera`` with ``people`` by identity, good until the camera's is asked for again.

    A process keeps the backgrounds of its latest cameras: casting one takes as long as drawing dozens of frames.
    """
    renderer = _kept_renderer(camera, room)
    renderer.show(people)
    return renderer


@lru_cache(maxsize=_KEPT_RENDERERS)
def _kept_renderer(camera: Camera, room: Room) -> CameraRenderer:
    return CameraRenderer(camera, room, {}, seed=0)
