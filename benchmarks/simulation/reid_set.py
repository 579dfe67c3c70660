"""A data set of simulated people for re-identification, in the layout of Market-1501.

A room holds few people at once, so a set is made of many short scenes, each with people of its own. Training images
come from cameras that hang and see differently in every few scenes; those that networks are tested on from the four
corner cameras, and show people of other wardrobes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.cameras import MAXIMUM_CORNER_CAMERAS, Camera, corner_cameras
from benchmarks.simulation.gait import Stance
from benchmarks.simulation.new_folder import new_folder
from benchmarks.simulation.parallel import checked_workers, ordered_results
from benchmarks.simulation.render import Sighting
from benchmarks.simulation.room import Room
from benchmarks.simulation.scene import MAXIMUM_AT_ONCE, Scene, make_scene
from benchmarks.simulation.seeds import scene_seeds
from benchmarks.simulation.truth import detections_from_truth
from benchmarks.simulation.variation import (
    Sensor,
    Variation,
    decoded,
    encoded,
    people_of,
    renderer_of,
    varied_rig,
    varied_sensor,
)
from tracker.errors import InputError

__all__ = ["IDENTITIES_FILE", "ReidSet", "ReidSetSettings", "write_reid_set"]

#: beside the images: which scene and person each identity is
IDENTITIES_FILE = "identities.csv"
#: scenes are computed this often a second; their frames are numbered so
FRAME_RATE = 2.0
MAXIMUM_IDENTITIES = 100_000
#: that must have seen an identity
_MINIMUM_CAMERAS = 2
#: who has not moved so far, metres, turned so far, radians, sat down or stood up would be shown twice alike
_MOVED, _TURNED, _SAT = 0.25, 0.5, 0.5
_TRAIN, _QUERY, _GALLERY = "bounding_box_train", "query", "bounding_box_test"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ReidSetSettings:
    """How images are taken.

    Args:
        images_per_camera: of one identity, at most; 2 or more.
        cameras: that see each training scene, 2 to 8.
        scenes_per_rig: training scenes that the same cameras see; more are faster, fewer vary more.
        moments: at which each camera looks.
        spacing_seconds: between them.
        changed_outfits: show people to train on in all they wore; those to test on wear one thing, as in Market-1501.
        minimum_visibility: share of the whole figure that must be seen, 0.1 to 1.
        minimum_height: of a box, pixels.
        box_jitter: standard deviation of each side of a box, as a share of its size; more where less is seen.
        quality: JPEG quality of the files; the frames they are cut from were JPEGs, too.
        variation: of training cameras.
        corner_size: of the images of the corner cameras, width and height, pixels.

    Raises:
        InputError: a value is out of its range.
    """

    images_per_camera: int = 4
    cameras: int = 6
    scenes_per_rig: int = 4
    moments: int = 12
    spacing_seconds: float = 3.0
    changed_outfits: bool = True
    minimum_visibility: float = 0.5
    minimum_height: int = 64
    box_jitter: float = 0.025
    quality: int = 95
    variation: Variation = field(default_factory=Variation)
    corner_size: tuple[int, int] = (640, 480)

    def __post_init__(self) -> None:
        for name, low, high in (
            ("images_per_camera", 2, 50),
            ("cameras", _MINIMUM_CAMERAS, 8),
            ("scenes_per_rig", 1, 100),
            ("moments", 1, 200),
            ("spacing_seconds", 0.5, 30),
            ("minimum_visibility", 0.1, 1),
            ("minimum_height", 16, 1000),
            ("box_jitter", 0, 0.2),
            ("quality", 1, 100),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"ReID set with {name} {value:g}; give one between {low} and {high}")


@dataclass(frozen=True)
class ReidSet:
    """What ``write_reid_set`` wrote: where, and how many identities and images."""

    folder: Path
    identities: int
    test_identities: int
    training_images: int
    query_images: int
    gallery_images: int


@dataclass(frozen=True)
class _Crop:
    """One image of person ``person`` of a scene: the camera's number in the set, the scene's frame, the JPEG."""

    person: int
    camera: int
    frame: int
    content: bytes


@dataclass(frozen=True)
class _Job:
    """Scenes that the same cameras see; ``first_camera`` is the number of the first of them."""

    seeds: tuple[int, ...]
    cameras: tuple[Camera, ...]
    in_corridor: int
    first_camera: int
    varied: bool
    settings: ReidSetSettings


@dataclass(frozen=True)
class _Identity:
    seed: int
    person: int
    scene: int
    crops: tuple[_Crop, ...]


def write_reid_set(
    folder: str | Path,
    *,
    identities: int = 500,
    test_identities: int = 100,
    seed: int = 0,
    test_seeds: Sequence[int] | None = None,
    settings: ReidSetSettings | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> ReidSet:
    """Write crops of simulated people as ``bounding_box_train``, ``query`` and ``bounding_box_test``.

    Files are called ``PID_cCAMERAsSCENE_FRAME_PERSON.jpg``; corner cameras are 1 to 4, training cameras have numbers of
    their own from 5 on, and training identities are numbered before the others. ``identities.csv`` says which scene and
    person each identity is. Of every test identity and camera with two images or more, one is a query. Everything
    appears at the end, or nothing does. The same arguments give the same bytes with any number of processes.

    Args:
        folder: missing or empty.
        identities: to train on, each seen by two cameras or more; 0 leaves the training images out.
        test_identities: to test on, of whom no scene has been trained on; 0 leaves them out.
        seed: 0 to 99; two sets of different seeds share nobody.
        test_seeds: scenes of the test identities; ``None``: of the seeds for choosing among networks.
        settings: how images are taken; ``None``: by default.
        workers: processes; ``None``: one per processor. With more than one, scripts need the usual
            ``if __name__ == "__main__"`` guard.
        progress: called with the number of finished and of all identities.

    Raises:
        InputError: a value is out of its range, the scenes have too few people, or the folder cannot be used.
    """
    for what, count in (("training", identities), ("test", test_identities)):
        if not 0 <= count <= MAXIMUM_IDENTITIES:
            raise InputError(f"{count} {what} identities; give between 0 and {MAXIMUM_IDENTITIES}")
    total = identities + test_identities
    if not total:
        raise InputError("no identities, neither to train nor to test on; give at least 1")
    processes = checked_workers(workers)
    settings = settings or ReidSetSettings()
    training_seeds = scene_seeds("training", seed)
    tested_seeds = scene_seeds("validation", seed) if test_seeds is None else tuple(test_seeds)
    counts = dict.fromkeys((_TRAIN, _QUERY, _GALLERY), 0)
    number = 0
    lines = ["identity,part,scene_seed,person\n"]
    with new_folder(folder) as staging:
        for part, wanted, jobs in (
            (_TRAIN, identities, _training_jobs(training_seeds, settings)),
            (_GALLERY, test_identities, _corner_jobs(tested_seeds, settings)),
        ):
            if not wanted:
                continue
            folders = (_TRAIN,) if part == _TRAIN else (_QUERY, _GALLERY)
            for name in folders:
                (staging / name).mkdir()
            last = number + wanted
            for identity in _identities(jobs, min(processes, wanted)):
                number += 1
                lines.append(f"{number},{folders[-1]},{identity.seed},{identity.person}\n")
                for crop, name in zip(identity.crops, _parts(identity, part)):
                    file = f"{number:04d}_c{crop.camera}s{identity.scene}_{crop.frame:06d}_{crop.person:02d}.jpg"
                    (staging / name / file).write_bytes(crop.content)
                    counts[name] += 1
                if progress is not None:
                    progress(number, total)
                if number == last:
                    break
            if number < last:
                raise InputError(
                    f"the scenes hold only {number + wanted - last} {'training' if part == _TRAIN else 'test'} "
                    f"identities that are seen well enough, not {wanted}: ask for fewer"
                )
        (staging / IDENTITIES_FILE).write_text("".join(lines), encoding="ascii")
    return ReidSet(Path(folder).expanduser(), identities, test_identities, *counts.values())


def _training_jobs(seeds: Sequence[int], settings: ReidSetSettings) -> Iterator[_Job]:
    for rig, start in enumerate(range(0, len(seeds), settings.scenes_per_rig)):
        chosen = tuple(seeds[start : start + settings.scenes_per_rig])
        generator = np.random.default_rng([chosen[0], 60_131])
        first = MAXIMUM_CORNER_CAMERAS + 1 + rig * settings.cameras
        in_corridor, cameras = varied_rig(generator, settings.cameras, settings.variation, first=first)
        yield _Job(chosen, cameras, in_corridor, first, True, settings)


def _corner_jobs(seeds: Sequence[int], settings: ReidSetSettings) -> Iterator[_Job]:
    room = Room()
    cameras = tuple(corner_cameras(room.width, room.depth, size=settings.corner_size))
    for seed in seeds:
        yield _Job((seed,), cameras, 0, 1, False, settings)


def _identities(jobs: Iterator[_Job], workers: int) -> Iterator[_Identity]:
    """Yield the identities of all scenes, in order, that enough cameras have seen."""
    scene = 0
    for scenes in ordered_results(_crops, jobs, workers):
        for seed, crops in scenes:
            scene += 1
            by_person: dict[int, list[_Crop]] = defaultdict(list)
            for crop in crops:
                by_person[crop.person].append(crop)
            for person, mine in sorted(by_person.items()):
                cameras = len({crop.camera for crop in mine})
                # Some camera has seen more than one image, of which one can be a query.
                if cameras >= _MINIMUM_CAMERAS and len(mine) > cameras:
                    yield _Identity(seed, person, scene, tuple(mine))


def _parts(identity: _Identity, part: str) -> list[str]:
    """Return the folder of each crop of an identity.

    A camera's only image stays in the gallery: so every query is met by another camera there.
    """
    parts = [part] * len(identity.crops)
    if part == _TRAIN:
        return parts
    generator = np.random.default_rng([identity.seed, identity.person, 7])
    for camera in sorted({crop.camera for crop in identity.crops}):
        mine = [number for number, crop in enumerate(identity.crops) if crop.camera == camera]
        if len(mine) > 1:
            parts[mine[int(generator.integers(len(mine)))]] = _QUERY
    return parts


def _crops(job: _Job) -> list[tuple[int, list[_Crop]]]:
    """Return the crops of each scene of ``job`` with the scene's seed."""
    made = []
    settings = job.settings
    for seed in job.seeds:
        duration = settings.moments * settings.spacing_seconds
        scene = make_scene(
            seed=seed,
            seconds=duration,
            people=MAXIMUM_AT_ONCE,
            at_once=MAXIMUM_AT_ONCE,
            frame_rate=FRAME_RATE,
            corridor_cameras=job.in_corridor,
        )
        people = people_of(scene)
        worn = _shown_outfits(scene, job.varied and settings.changed_outfits)
        step = max(1, round(settings.spacing_seconds * FRAME_RATE))
        crops: list[_Crop] = []
        for place, camera in enumerate(job.cameras):
            generator = np.random.default_rng([seed, place, 60_169])
            sensor = varied_sensor(generator, settings.variation) if job.varied else Sensor()
            renderer = renderer_of(camera, scene.room, people)
            kept: dict[int, list[Stance]] = {identity: [] for identity in people}
            # Cameras look at different moments: twice as many poses in one scene.
            for frame in range(place % step, scene.frames, step):
                if all(len(poses) >= settings.images_per_camera for poses in kept.values()):
                    break
                stances = scene.stances(frame)
                image, sightings, _ = renderer.render(seed * 1000 + frame, stances)
                assert image is not None
                wanted = [
                    s
                    for s in sightings
                    if s.outfit in worn[s.identity] and _is_new(stances[s.identity], kept[s.identity], settings)
                ]
                boxes = [(s, _box(s, camera, settings, generator)) for s in wanted]
                if not any(box is not None for _, box in boxes):
                    continue
                picture = decoded(sensor.developed(image, generator))
                for sighting, box in boxes:
                    if box is not None:
                        kept[sighting.identity].append(stances[sighting.identity])
                        content = encoded(_cut(picture, box), settings.quality)
                        crops.append(_Crop(sighting.identity, job.first_camera + place, frame, content))
        made.append((seed, crops))
    return made


def _shown_outfits(scene: Scene, changed: bool) -> dict[int, set[int]]:
    """Return the outfits that each person is shown in: all, or the one that was worn first."""
    shown = {}
    for identity in scene.identities:
        outfits = scene.outfit[scene.present[:, identity - 1], identity - 1]
        shown[identity] = set(outfits.tolist()) if changed else {int(outfits[0])}
    return shown


def _is_new(stance: Stance, kept: Sequence[Stance], settings: ReidSetSettings) -> bool:
    """Return whether another image of a person is wanted and would differ from all before."""
    if len(kept) >= settings.images_per_camera:
        return False
    for other in kept:
        turned = abs((stance.heading - other.heading + np.pi) % (2 * np.pi) - np.pi)
        moved = np.hypot(stance.x - other.x, stance.y - other.y)
        sat = abs(stance.seated - other.seated)
        if moved < _MOVED and turned < _TURNED and sat < _SAT and stance.outfit == other.outfit:
            return False
    return True


def _box(
    sighting: Sighting, camera: Camera, settings: ReidSetSettings, generator: np.random.Generator
) -> NDArray[np.float32] | None:
    """Return the box that a detector might draw around a person, or ``None`` where too little is seen."""
    if sighting.visibility < settings.minimum_visibility:
        return None
    found = detections_from_truth(
        [[sighting]],
        (camera.width, camera.height),
        seed=int(generator.integers(2**31)),
        miss_rate=0.0,
        box_jitter=settings.box_jitter,
        false_alarms=0.0,
    )[0]
    if not len(found) or found.boxes[0, 3] - found.boxes[0, 1] < settings.minimum_height:
        return None
    return found.boxes[0]


def _cut(image: NDArray[np.uint8], box: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the pixels of ``image`` in a box that lies inside it, rounded as the tracker does."""
    left, top, right, bottom = (round(float(side)) for side in box)
    return image[top : max(bottom, top + 1), left : max(right, left + 1)]
