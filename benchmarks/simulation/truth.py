"""What is true of a simulated scene, as files; and detections as a detector would make them of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.render import Sighting
from benchmarks.simulation.room import Room
from benchmarks.simulation.scene import Scene
from tracker.detections import Detections
from tracker.errors import InputError

__all__ = [
    "COUNTED_VISIBILITY",
    "area_of_truth",
    "clip_box",
    "detections_from_truth",
    "write_detections",
    "write_truth",
    "write_world",
]

# People seen less than this are marked 0 in the truth: neither finding nor missing them counts.
COUNTED_VISIBILITY = 0.15

Box = tuple[float, float, float, float]


def clip_box(box: Box, size: tuple[int, int]) -> Box:
    """Return the part of ``box`` (x1, y1, x2, y2) inside an image of ``size`` (width, height)."""
    width, height = size
    return max(box[0], 0.0), max(box[1], 0.0), min(box[2], float(width)), min(box[3], float(height))


def write_truth(path: Path, sightings: Sequence[Sequence[Sighting]], size: tuple[int, int]) -> None:
    """Write one camera's truth as MOTChallenge ``gt.txt``: ``frame,id,left,top,width,height,mark,class,visibility``.

    Boxes are full figures, hidden parts included, cut at the image's edges; frames and pixels count from 1, as
    MOTChallenge does. Only people of whom something is seen are listed.

    Args:
        path: the file to write.
        sightings: for each frame, everybody in it.
        size: width and height of the image, pixels.
    """
    lines = []
    for frame, people in enumerate(sightings, start=1):
        for person in people:
            if person.visibility <= 0:
                continue
            x1, y1, x2, y2 = clip_box(person.box, size)
            mark = int(person.visibility >= COUNTED_VISIBILITY)
            lines.append(
                f"{frame},{person.identity},{x1 + 1:.2f},{y1 + 1:.2f},{x2 - x1:.2f},{y2 - y1:.2f},"
                f"{mark},1,{person.visibility:.4f}\n"
            )
    path.write_text("".join(lines), encoding="ascii")


def write_world(path: Path, scene: Scene) -> None:
    """Write ``frame,id,x,y,heading`` (frames from 1, metres, radians) of everybody inside the room.

    Where cameras watch the corridor, those in it are listed as well, with negative y.
    """
    lowest = area_of_truth(scene.room)["y"][0]
    lines = []
    for frame in range(scene.frames):
        for identity, stance in scene.stances(frame).items():
            if stance.y >= lowest:
                heading = (stance.heading + np.pi) % (2 * np.pi) - np.pi
                lines.append(f"{frame + 1},{identity},{stance.x:.4f},{stance.y:.4f},{heading:.4f}\n")
    path.write_text("".join(lines), encoding="ascii")


def area_of_truth(room: Room) -> dict[str, list[float]]:
    """Return between which x and y, metres, :func:`write_world` lists everybody: ``truth_area`` of ``cameras.yaml``."""
    low, high = (0.0, 0.0), room.width
    if room.corridor.watched:
        low, high = (min(0.0, room.corridor.low[0]), room.corridor.low[1]), max(high, room.corridor.high[0])
    return {"x": [low[0], high], "y": [low[1], room.depth]}


def detections_from_truth(
    sightings: Sequence[Sequence[Sighting]],
    size: tuple[int, int],
    *,
    seed: int = 0,
    miss_rate: float = 0.03,
    box_jitter: float = 0.025,
    false_alarms: float = 0.06,
) -> list[Detections]:
    """Return what a good person detector would report, one ``Detections`` a frame; the same seed gives the same.

    The less of a person is seen, the more often the person is missed, the lower the score, the less exact the box,
    and the more the box is that of the visible part only.

    Args:
        sightings: for each frame, everybody in it.
        size: width and height of the image, pixels.
        seed: of all randomness.
        miss_rate: share of fully visible people that are missed, 0 to 1.
        box_jitter: standard deviation of each side of a fully visible person's box, as a share of its size.
        false_alarms: mean number of boxes around nothing a frame.

    Raises:
        InputError: a rate is out of its range.
    """
    if not 0 <= miss_rate <= 1 or not 0 <= box_jitter <= 0.5 or not 0 <= false_alarms <= 50:
        raise InputError(
            f"simulated detections with miss rate {miss_rate:g}, jitter {box_jitter:g}, {false_alarms:g} false alarms "
            "a frame; give 0 to 1, 0 to 0.5 and 0 to 50"
        )
    generator = np.random.default_rng([seed, 5150])
    width, height = size
    made: list[Detections] = []
    for people in sightings:
        boxes: list[NDArray[np.float64]] = []
        scores: list[float] = []
        for person in people:
            # All numbers are drawn for everybody, so that one person's visibility changes nobody else's boxes.
            luck, tone = generator.random(), generator.normal()
            sides = generator.normal(size=4)
            visible = person.visibility
            found = (1 - miss_rate) * float(np.clip((visible - 0.08) / 0.42, 0, 1)) ** 0.6
            if luck >= found:
                continue
            full = np.array(clip_box(person.box, size))
            seen = np.array(person.visible_box)
            cut = float(np.clip((0.75 - visible) / 0.5, 0, 1)) * 0.8
            box = full + cut * (seen - full)
            spread = box_jitter * (1 + 1.5 * (1 - visible))
            box = box + spread * sides * np.tile(box[2:] - box[:2], 2)
            box = np.array(clip_box(tuple(box), size))
            if box[2] - box[0] < 4 or box[3] - box[1] < 8:
                continue
            boxes.append(box)
            scores.append(float(np.clip(0.36 + 0.56 * visible**0.7 + 0.06 * tone, 0.05, 0.99)))
        for _ in range(int(generator.poisson(false_alarms))):
            tall = generator.uniform(0.15, 0.45) * height
            wide = tall * generator.uniform(0.35, 0.6)
            x, y = generator.uniform(0, width - wide), generator.uniform(0.15 * height, height - tall)
            boxes.append(np.array([x, y, x + wide, y + tall]))
            scores.append(float(np.clip(generator.normal(0.30, 0.13), 0.05, 0.8)))
        made.append(Detections(np.array(boxes), scores) if boxes else Detections.empty())
    return made


def write_detections(path: Path, detections: Sequence[Detections]) -> None:
    """Write MOTChallenge ``det.txt``: ``frame,-1,left,top,width,height,score``, frames and pixels from 1."""
    lines = []
    for frame, found in enumerate(detections, start=1):
        for (x1, y1, x2, y2), score in zip(found.boxes.tolist(), found.scores.tolist()):
            lines.append(f"{frame},-1,{x1 + 1:.2f},{y1 + 1:.2f},{x2 - x1:.2f},{y2 - y1:.2f},{score:.4f}\n")
    path.write_text("".join(lines), encoding="ascii")
