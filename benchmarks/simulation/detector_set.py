"""A training set for person detectors of simulated frames, in the layout of ultralytics.

Frames of one scene are seconds apart, and each scene has cameras of its own, each frame another exposure, blur and
compression. Some frames show the empty room. Validation frames are those of the four corner cameras, with people of
other wardrobes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml

from benchmarks.simulation.cameras import Camera, corner_cameras
from benchmarks.simulation.new_folder import new_folder
from benchmarks.simulation.parallel import checked_workers, ordered_results
from benchmarks.simulation.render import Sighting
from benchmarks.simulation.room import Room
from benchmarks.simulation.scene import MAXIMUM_AT_ONCE, make_scene
from benchmarks.simulation.seeds import scene_seeds
from benchmarks.simulation.truth import Box, clip_box
from benchmarks.simulation.variation import Sensor, Variation, people_of, renderer_of, varied_rig, varied_sensor
from tracker.errors import InputError

__all__ = ["FRAMES_FILE", "DetectorSet", "DetectorSetSettings", "labelled_boxes", "write_detector_set"]

#: beside the images: which scene, camera and frame each image is
FRAMES_FILE = "frames.csv"
#: scenes are computed this often a second; their frames are numbered so
FRAME_RATE = 2.0
MAXIMUM_IMAGES = 200_000
#: the class of people, the only one
_PERSON = 0

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class DetectorSetSettings:
    """How frames are taken.

    Args:
        cameras: that see each training scene, 1 to 8.
        scenes_per_rig: training scenes that the same cameras see; more are faster, fewer vary more.
        moments: at which each camera looks.
        spacing_seconds: between them; in a longer scene more people sit.
        empty_share: of frames without people, 0 to 1.
        minimum_visibility: share of the whole figure that must be seen for a label, above 0, at most 1.
        variation: of training cameras and their pictures.
        corner_size: of the images of the corner cameras, width and height, pixels.

    Raises:
        InputError: a value is out of its range.
    """

    cameras: int = 4
    scenes_per_rig: int = 1
    moments: int = 10
    spacing_seconds: float = 6.0
    empty_share: float = 0.05
    minimum_visibility: float = 0.2
    variation: Variation = field(default_factory=Variation)
    corner_size: tuple[int, int] = (640, 480)

    def __post_init__(self) -> None:
        for name, low, high in (
            ("cameras", 1, 8),
            ("scenes_per_rig", 1, 100),
            ("moments", 1, 200),
            ("spacing_seconds", 0.5, 30),
            ("empty_share", 0, 1),
            ("minimum_visibility", 0.01, 1),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"detector set with {name} {value:g}; give one between {low} and {high}")


@dataclass(frozen=True)
class DetectorSet:
    """What ``write_detector_set`` wrote: where, and how many images and boxes."""

    folder: Path
    training_images: int
    validation_images: int
    boxes: int

    @property
    def data_file(self) -> Path:
        """``data.yaml``, which ultralytics trains from."""
        return self.folder / "data.yaml"


@dataclass(frozen=True)
class _Image:
    """One JPEG with its labels, and the scene, camera and frame it shows."""

    content: bytes
    label: str
    seed: int
    camera: str
    frame: int
    empty: bool


@dataclass(frozen=True)
class _Job:
    """Scenes that the same cameras see, for ``"train"`` or ``"val"``."""

    part: str
    seeds: tuple[int, ...]
    cameras: tuple[Camera, ...]
    in_corridor: int
    settings: DetectorSetSettings


def write_detector_set(
    folder: str | Path,
    *,
    images: int = 2000,
    validation_images: int | None = None,
    seed: int = 0,
    settings: DetectorSetSettings | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> DetectorSet:
    """Write frames and labels as ``images/train``, ``images/val``, ``labels/train``, ``labels/val`` and ``data.yaml``.

    Each line of a label file is ``class cx cy w h``, shares of the image, of a person's whole figure, hidden parts
    included, cut at the image's edges. ``data.yaml`` names its folders relative to itself; ``frames.csv`` says what
    each image shows. Everything appears at the end, or nothing does. The same arguments give the same bytes with any
    number of processes.

    Args:
        folder: missing or empty.
        images: to train on.
        validation_images: ``None``: a tenth of ``images``, at least one.
        seed: 0 to 99; two sets of different seeds share no scene.
        settings: how frames are taken; ``None``: by default.
        workers: processes; ``None``: one per processor. With more than one, scripts need the usual
            ``if __name__ == "__main__"`` guard.
        progress: called with the number of finished and of all images.

    Raises:
        InputError: a value is out of its range, the scenes do not suffice, or the folder cannot be used.
    """
    if validation_images is None:
        validation_images = max(1, images // 10)
    for what, count in (("training", images), ("validation", validation_images)):
        if not 1 <= count <= MAXIMUM_IMAGES:
            raise InputError(f"{count} {what} images; give between 1 and {MAXIMUM_IMAGES}")
    processes = checked_workers(workers)
    settings = settings or DetectorSetSettings()
    jobs = [
        *_training_jobs(scene_seeds("training", seed), images, settings),
        *_corner_jobs(scene_seeds("validation", seed), validation_images, settings),
    ]
    wanted = {"train": images, "val": validation_images}
    written = dict.fromkeys(wanted, 0)
    boxes = 0
    lines = ["image,scene_seed,camera,frame,empty\n"]
    with new_folder(folder) as staging:
        for part in wanted:
            for kind in ("images", "labels"):
                (staging / kind / part).mkdir(parents=True)
        for job, made in zip(jobs, ordered_results(_rendered, jobs, min(processes, len(jobs)))):
            part = job.part
            for image in made[: wanted[part] - written[part]]:
                written[part] += 1
                name = f"{written[part]:06d}"
                (staging / "images" / part / f"{name}.jpg").write_bytes(image.content)
                (staging / "labels" / part / f"{name}.txt").write_text(image.label, encoding="ascii")
                lines.append(f"{part}/{name},{image.seed},{image.camera},{image.frame},{int(image.empty)}\n")
                boxes += image.label.count("\n")
                if progress is not None:
                    progress(sum(written.values()), images + validation_images)
        (staging / FRAMES_FILE).write_text("".join(lines), encoding="ascii")
        # Without "path" ultralytics takes the file's own folder; "." would be the folder that training starts in.
        description = {"train": "images/train", "val": "images/val", "names": {_PERSON: "person"}}
        (staging / "data.yaml").write_text(yaml.safe_dump(description, sort_keys=False), encoding="utf-8")
    return DetectorSet(Path(folder).expanduser(), images, validation_images, boxes)


def labelled_boxes(sightings: Sequence[Sighting], size: tuple[int, int], minimum_visibility: float) -> list[Box]:
    """Return the boxes ``x1, y1, x2, y2``, pixels, of those who get a label.

    Args:
        sightings: everybody in the frame.
        size: width and height of the image, pixels.
        minimum_visibility: who is seen less gets none.
    """
    return [clip_box(person.box, size) for person in sightings if person.visibility >= minimum_visibility]


def _label(boxes: Sequence[Box], size: tuple[int, int]) -> str:
    width, height = size
    return "".join(
        f"{_PERSON} {(x1 + x2) / 2 / width:.6f} {(y1 + y2) / 2 / height:.6f} "
        f"{(x2 - x1) / width:.6f} {(y2 - y1) / height:.6f}\n"
        for x1, y1, x2, y2 in boxes
    )


def _training_jobs(seeds: Sequence[int], images: int, settings: DetectorSetSettings) -> Iterator[_Job]:
    """Yield as many jobs as ``images`` need."""
    scenes = _scenes(images, settings.moments * settings.cameras, seeds)
    for start in range(0, len(scenes), settings.scenes_per_rig):
        chosen = tuple(scenes[start : start + settings.scenes_per_rig])
        generator = np.random.default_rng([chosen[0], 60_217])
        in_corridor, cameras = varied_rig(generator, settings.cameras, settings.variation)
        yield _Job("train", chosen, cameras, in_corridor, settings)


def _corner_jobs(seeds: Sequence[int], images: int, settings: DetectorSetSettings) -> Iterator[_Job]:
    """Yield as many jobs as ``images`` need."""
    room = Room()
    cameras = tuple(corner_cameras(room.width, room.depth, size=settings.corner_size))
    for seed in _scenes(images, settings.moments * len(cameras), seeds):
        yield _Job("val", (seed,), cameras, 0, settings)


def _scenes(images: int, images_of_scene: int, seeds: Sequence[int]) -> Sequence[int]:
    count = -(-images // images_of_scene)
    if count > len(seeds):
        raise InputError(
            f"{images} images of {images_of_scene} a scene need {count} scenes, and there are {len(seeds)}: "
            "ask for fewer"
        )
    return seeds[:count]


def _rendered(job: _Job) -> list[_Image]:
    """Return the images of all scenes of ``job``, those of one moment one after the other."""
    settings = job.settings
    step = max(1, round(settings.spacing_seconds * FRAME_RATE))
    made: list[_Image] = []
    for seed in job.seeds:
        generator = np.random.default_rng([seed, 60_223])
        scene = make_scene(
            seed=seed,
            seconds=settings.moments * step / FRAME_RATE,
            people=MAXIMUM_AT_ONCE,
            at_once=int(generator.integers(1, MAXIMUM_AT_ONCE + 1)),
            frame_rate=FRAME_RATE,
            corridor_cameras=job.in_corridor,
        )
        people = people_of(scene)
        for moment in range(settings.moments):
            for place, camera in enumerate(job.cameras):
                # Cameras look at different moments: more poses in one scene.
                frame = moment * step + place % step
                empty = bool(generator.random() < settings.empty_share)
                sensor = varied_sensor(generator, settings.variation) if job.part == "train" else Sensor()
                renderer = renderer_of(camera, scene.room, people)
                image, sightings, _ = renderer.render(seed * 1000 + frame, {} if empty else scene.stances(frame))
                assert image is not None
                size = (camera.width, camera.height)
                label = _label(labelled_boxes(sightings, size, settings.minimum_visibility), size)
                made.append(_Image(sensor.developed(image, generator), label, seed, camera.name, frame, empty))
    return made
