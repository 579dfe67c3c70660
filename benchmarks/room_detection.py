"""Person detectors in the simulated room: whom they find, and how precisely, against the exact truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.average_precision import TrueBoxes, average_precision, match_detections
from benchmarks.simulation.cameras import corner_cameras
from benchmarks.simulation.parallel import checked_workers, ordered_results
from benchmarks.simulation.scene import MAXIMUM_AT_ONCE, make_scene
from benchmarks.simulation.seeds import check_test_seeds
from benchmarks.simulation.truth import Box, clip_box
from benchmarks.simulation.variation import Sensor, decoded, people_of, renderer_of
from tracker.detections import Detections
from tracker.errors import InputError
from tracker.protocols import Detector
from tracker.video.frames import Frame

__all__ = [
    "PRECISION_TARGET",
    "RECALL_TARGET",
    "RoomImage",
    "SeenPerson",
    "detected",
    "precision_rows",
    "recall_rows",
    "room_images",
]

#: percent of the people who walk or stand
RECALL_TARGET = 92.0
#: AP50, percent
PRECISION_TARGET = 97.0
#: less of the whole figure need not be found
CLEARLY_VISIBLE = 0.5
#: scenes are computed this often a second
_FRAME_RATE = 2.0
#: who is slower stands, metres a second
_WALKING_SPEED = 0.3
#: one who sits down or stands up counts for what is nearer
_SEATED = 0.5

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SeenPerson:
    """One person in one image.

    Args:
        box: whole figure, hidden parts included, cut at the image's edges; ``x1, y1, x2, y2``, pixels.
        visible_box: what is seen of it.
        visibility: share of the whole figure that is seen, 0 to 1.
        pose: ``"walking"``, ``"standing"`` or ``"seated"``.
    """

    box: Box
    visible_box: Box
    visibility: float
    pose: str

    @property
    def height(self) -> float:
        """Pixels of the box, from its upper to its lower edge."""
        return self.box[3] - self.box[1]


@dataclass(frozen=True)
class RoomImage:
    """One JPEG of a corner camera, and everybody of whom something is seen in it."""

    seed: int
    camera: str
    frame: int
    content: bytes
    people: tuple[SeenPerson, ...]

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """The image (H, W, 3) BGR."""
        return decoded(self.content)


@dataclass(frozen=True)
class _Job:
    seed: int
    moments: int
    spacing_seconds: float
    size: tuple[int, int]


def room_images(
    seeds: Sequence[int],
    *,
    moments: int = 10,
    spacing_seconds: float = 5.0,
    size: tuple[int, int] = (640, 480),
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[RoomImage]:
    """Return what the four corner cameras see of each scene, the images of one scene seconds apart.

    Args:
        seeds: of the scenes; test seeds only.
        moments: at which all cameras look.
        spacing_seconds: between them; in a longer scene more people sit.
        size: of the images, width and height.
        workers: processes; ``None``: one per processor.
        progress: called with the number of finished and of all scenes.

    Raises:
        InputError: a value is out of its range.
    """
    check_test_seeds(tuple(seeds))
    if not 1 <= moments <= 500:
        raise InputError(f"{moments} moments of each scene; give between 1 and 500")
    processes = min(checked_workers(workers), len(seeds))
    jobs = [_Job(seed, moments, spacing_seconds, size) for seed in seeds]
    images: list[RoomImage] = []
    for done, made in enumerate(ordered_results(_images, jobs, processes), start=1):
        images += made
        if progress is not None:
            progress(done, len(jobs))
    return images


def _images(job: _Job) -> list[RoomImage]:
    scene = make_scene(
        seed=job.seed,
        seconds=job.moments * job.spacing_seconds,
        people=MAXIMUM_AT_ONCE,
        at_once=MAXIMUM_AT_ONCE - job.seed % 3,
        frame_rate=_FRAME_RATE,
    )
    people = people_of(scene)
    step = max(1, round(job.spacing_seconds * _FRAME_RATE))
    generator = np.random.default_rng([job.seed, 60_251])
    images = []
    for frame in range(step - 1, scene.frames, step):
        stances = scene.stances(frame)
        for camera in corner_cameras(scene.room.width, scene.room.depth, size=job.size):
            image, sightings, _ = renderer_of(camera, scene.room, people).render(job.seed * 1000 + frame, stances)
            assert image is not None
            seen = tuple(
                SeenPerson(
                    clip_box(person.box, job.size),
                    person.visible_box,
                    person.visibility,
                    _pose(person.seated, stances[person.identity].speed),
                )
                for person in sightings
                if person.visibility > 0
            )
            images.append(RoomImage(job.seed, camera.name, frame, Sensor().developed(image, generator), seen))
    return images


def _pose(seated: float, speed: float) -> str:
    if seated >= _SEATED:
        return "seated"
    return "walking" if speed >= _WALKING_SPEED else "standing"


def detected(detector: Detector, images: Sequence[RoomImage], progress: Progress | None = None) -> list[Detections]:
    """Return what ``detector`` reports of each image.

    Raises:
        InputError: it reads files instead of images.
    """
    if not detector.needs_images:
        raise InputError(f"{detector.description} does not look at images: give a network")
    found: list[Detections] = []
    for number, image in enumerate(images):
        found += detector.detect([Frame(image.camera, number, float(number), image.pixels)])
        if progress is not None:
            progress(number + 1, len(images))
    return found


def recall_rows(
    images: Sequence[RoomImage], found: Sequence[Detections], *, minimum_height: float = 80.0, iou: float = 0.5
) -> list[dict[str, Any]]:
    """Return the share of clearly visible people that were found, in percent, for each pose.

    Args:
        images: what was looked at.
        found: what was reported of each.
        minimum_height: who is smaller is not asked for, pixels.
        iou: overlap from which a person is found.

    Returns:
        Rows ``walking``, ``standing``, ``walking and standing`` (which has a ``target``) and ``seated``, each with
        ``people``, ``found`` and ``recall`` (``None`` where there was nobody).
    """
    asked: dict[str, int] = {"walking": 0, "standing": 0, "seated": 0}
    hits = dict(asked)
    for image, detections in zip(images, found):
        wanted = [person for person in image.people if _is_wanted(person, minimum_height)]
        _, is_found = match_detections(TrueBoxes(_boxes(person.box for person in wanted)), detections, iou=iou)
        for person, hit in zip(wanted, is_found):
            asked[person.pose] += 1
            hits[person.pose] += bool(hit)
    upright = "walking and standing"
    asked[upright], hits[upright] = (count["walking"] + count["standing"] for count in (asked, hits))
    rows = []
    for name in ("walking", "standing", upright, "seated"):
        recall = 100 * hits[name] / asked[name] if asked[name] else None
        row = {"name": name, "sequence": "combined", "people": asked[name], "found": hits[name], "recall": recall}
        if name == upright:
            row["target"] = RECALL_TARGET
        rows.append(row)
    return rows


def precision_rows(
    images: Sequence[RoomImage], found: Sequence[Detections], *, minimum_height: float = 40.0
) -> list[dict[str, Any]]:
    """Return AP50 in percent for each camera and for all together (which has a ``target``).

    People of whom less than half is seen, or who are smaller, may be found or not, by their whole figure or by what is
    seen of it.

    Args:
        images: what was looked at.
        found: what was reported of each, unsure boxes included.
        minimum_height: who is smaller is not asked for, pixels.

    Raises:
        InputError: some camera sees nobody who is to be found.
    """
    truth = [_true_boxes(image, minimum_height) for image in images]
    combined = "combined"
    rows = []
    for camera in (*sorted({image.camera for image in images}), combined):
        chosen = [number for number, image in enumerate(images) if camera in (image.camera, combined)]
        score = average_precision([truth[number] for number in chosen], [found[number] for number in chosen])
        row: dict[str, Any] = {"name": "person", "sequence": camera, "images": len(chosen), "people": score.true_boxes}
        row |= {"AP50": 100 * score.value, "recall": 100 * float(score.recall[-1]) if len(score.recall) else 0.0}
        if camera == combined:
            row["target"] = PRECISION_TARGET
        rows.append(row)
    return rows


def _is_wanted(person: SeenPerson, minimum_height: float) -> bool:
    return person.visibility >= CLEARLY_VISIBLE and person.height >= minimum_height


def _true_boxes(image: RoomImage, minimum_height: float) -> TrueBoxes:
    wanted = [person.box for person in image.people if _is_wanted(person, minimum_height)]
    others = [person for person in image.people if not _is_wanted(person, minimum_height)]
    return TrueBoxes(
        _boxes(wanted), _boxes([*(person.box for person in others), *(person.visible_box for person in others)])
    )


def _boxes(boxes: Iterator[Box] | Sequence[Box]) -> NDArray[np.float64]:
    return np.array(list(boxes), np.float64).reshape(-1, 4)
