"""CMC's sequences and WILDTRACK as scenes: what calibrated cameras saw of people whose places are known."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.cmc import (
    CameraDetections,
    cmc_detections,
    cmc_published_estimates,
    cmc_sequence,
    cmc_truth,
    evaluated_frames,
)
from benchmarks.wildtrack import (
    Wildtrack,
    detections_file,
    wildtrack_detections,
    wildtrack_frame_range,
    wildtrack_oracle_identities,
    wildtrack_positions,
)
from benchmarks.world_metrics import FloorArea, FloorTracks
from tracker.errors import InputError
from tracker.floor.tracker import FloorPeople
from tracker.floor.trajectories import FloorTrajectories
from tracker.geometry.camera import Camera
from tracker.geometry.projection_matrix import decompose_projection

__all__ = [
    "FloorScene",
    "cmc_folder",
    "cmc_scene",
    "cmc_sequence_folders",
    "oracle_tracks",
    "wildtrack_folder",
    "wildtrack_scene",
]

#: who is not seen for longer was nowhere in between, seconds
_LONGEST_GAP_SECONDS = 1.5
#: of a simulated box's lower end, as a share of its height, and of calibration, metres; only weighs cameras
_FOOT_NOISE, _FLOOR_NOISE = 0.04, 0.1


@dataclass(frozen=True, slots=True, eq=False)
class FloorScene:
    """What cameras saw of people whose places are known.

    Args:
        name: of the sequence, or of the detections where there is one sequence only.
        cameras: name → calibrated camera; those with detections.
        detections: camera → frame → what was found; every camera has the same frames, in order.
        truth: where people were, metres.
        area: where they are tracked; results outside do not count.
        frame_rate: frames per second.
        evaluated: first and last frame that count.
        references: what else can be scored on the scene: name → tracks.
    """

    name: str
    cameras: Mapping[str, Camera]
    detections: CameraDetections
    truth: FloorTracks
    area: FloorArea
    frame_rate: float
    evaluated: tuple[int, int]
    references: Mapping[str, FloorTracks] = field(default_factory=dict)

    @property
    def frames(self) -> list[int]:
        """Numbers of all frames, in order."""
        return list(next(iter(self.detections.values())))

    @property
    def longest_gap(self) -> int:
        """Frames for which somebody may go unseen and still have been there."""
        return _longest_gap(self.frame_rate)


def cmc_folder(root: str | Path) -> Path:
    """Return the folder of the CMC sequences: ``root``, or ``cmc`` or ``data/cmc`` in it.

    Raises:
        InputError: no such folder, or no sequence with a truth in any of these.
    """
    return _data_folder(root, "cmc", "*/gt_world.txt", "CMC sequence with its truth (CMC1/gt_world.txt)")


def cmc_sequence_folders(root: str | Path, names: Sequence[str] = ()) -> list[Path]:
    """Return the folders of the sequences named, each once, or of all that have a truth.

    Raises:
        InputError: as :func:`cmc_folder`; wrong names are noticed by :func:`cmc_scene`.
    """
    folder = cmc_folder(root)
    if names:
        return [folder / name for name in dict.fromkeys(names)]
    return [path.parent for path in sorted(folder.glob("*/gt_world.txt"))]


def cmc_scene(folder: str | Path, detector: str = "frcnn") -> FloorScene:
    """Read a CMC sequence with the boxes of one detector.

    Cameras without boxes of it are left out, with a warning. Its reference is ``published estimates``, where the folder
    has them: as they are, not cut to the tracked area, as they were scored by their authors.

    Args:
        folder: of the sequence.
        detector: ``frcnn``, ``fairmot`` or ``cstrack``.

    Raises:
        InputError: no such sequence or detector, or a file that is missing or cannot be read.
    """
    sequence = cmc_sequence(folder)
    truth, detections = cmc_truth(sequence), cmc_detections(sequence, detector)
    cameras = {}
    for camera in sequence.cameras:
        if camera.name in detections:
            label = f"{sequence.folder / 'cameras.json'}, {camera.name}"
            intrinsics, rotation, translation = decompose_projection(camera.projection, label)
            cameras[camera.name] = Camera(
                camera.name, *camera.image_size, intrinsics, np.zeros(5), rotation, translation
            )
    if len(cameras) < len(sequence.cameras):
        text = f"{sequence.name} has {detector} boxes of {', '.join(cameras)} only: the other cameras are left out"
        warnings.warn(text, RuntimeWarning, stacklevel=2)
    references = {}
    if (sequence.folder / "published_estimates.txt").exists():
        references["published estimates"] = cmc_published_estimates(sequence)
    frames = evaluated_frames(sequence, truth)
    return FloorScene(sequence.name, cameras, detections, truth, sequence.area, sequence.frame_rate, frames, references)


def wildtrack_folder(root: str | Path) -> Path:
    """Return the folder of WILDTRACK: ``root``, or ``wildtrack`` or ``data/wildtrack`` in it.

    Raises:
        InputError: no such folder, or no truth in any of these.
    """
    return _data_folder(root, "wildtrack", "positions.csv*", "WILDTRACK truth (positions.csv.gz)")


def wildtrack_scene(data: Wildtrack, detections: str | Path, frame_range: tuple[int, int] | None = None) -> FloorScene:
    """Read WILDTRACK with one file of detections; the scene has the level's name (``easy``) or that of the file.

    Its reference is ``oracle identities`` (:func:`oracle_tracks`), where the file says who truly is in a box.

    Args:
        data: of ``benchmarks.wildtrack.wildtrack``.
        detections: a file or a level.
        frame_range: first and last frame; left out: all that truth and detections have.

    Raises:
        InputError: no such detections or frames, or a file that cannot be read.
    """
    path = detections_file(data, detections)
    frames = wildtrack_frame_range(data, path, frame_range)
    found = wildtrack_detections(data, path, frames)
    cameras = {
        camera.name: Camera(
            camera.name, *camera.image_size, camera.intrinsics, np.zeros(5), camera.rotation, camera.translation
        )
        for camera in data.cameras
    }
    references = {}
    # Any other error was raised when the boxes were read: this file does not say who is in them.
    with contextlib.suppress(InputError):
        identities = wildtrack_oracle_identities(data, path, frames)
        oracle = oracle_tracks(cameras, found, identities, _longest_gap(data.frame_rate))
        references["oracle identities"] = oracle.inside(data.area)
    name = path.name.removesuffix(".gz").removesuffix(".csv").removeprefix("simulated-")
    truth = wildtrack_positions(data, frames)
    return FloorScene(name, cameras, found, truth, data.area, data.frame_rate, frames, references)


def oracle_tracks(
    cameras: Mapping[str, Camera],
    detections: CameraDetections,
    identities: Mapping[str, Mapping[int, NDArray[np.int64]]],
    longest_gap: int,
) -> FloorTracks:
    """Return where perfect identities would put people: the mean of where their boxes stand, cameras weighed.

    Nothing is smoothed in time; short gaps are filled as our own are.

    Args:
        cameras: name → calibrated camera.
        detections: camera → frame → boxes of whole people, cut nowhere, in pixels.
        identities: camera → frame → (N,) who is in each box, -1 nobody.
        longest_gap: frames.
    """
    trajectories = FloorTrajectories(longest_gap)
    for frame in next(iter(detections.values())):
        ids, points, weights = [], [], []
        for name, camera in cameras.items():
            boxes = detections[name][frame].boxes.astype(np.float64)
            feet = np.column_stack([boxes[:, [0, 2]].mean(axis=1), boxes[:, 3]])
            noise = (_FOOT_NOISE * (boxes[:, 3] - boxes[:, 1])) ** 2
            places, covariance = camera.to_floor_with_covariance(feet, noise[:, None, None] * np.eye(2))
            known = (identities[name][frame] >= 0) & np.isfinite(places).all(axis=1)
            ids.append(identities[name][frame][known])
            points.append(places[known])
            weights.append(np.linalg.inv(covariance[known] + _FLOOR_NOISE**2 * np.eye(2)))
        people, which = np.unique(np.concatenate(ids), return_inverse=True)
        total, vector = np.zeros((len(people), 2, 2)), np.zeros((len(people), 2))
        weight = np.concatenate(weights)
        np.add.at(total, which, weight)
        np.add.at(vector, which, np.einsum("nij,nj->ni", weight, np.concatenate(points)))
        covariances = np.asarray(np.linalg.inv(total), np.float64)
        positions = np.einsum("nij,nj->ni", covariances, vector)
        nothing, count = np.zeros((len(people), 2)), len(people)
        trajectories.add(
            frame,
            FloorPeople(
                people, positions, nothing, nothing[:, 0], covariances, {"": np.arange(count)}, np.ones(count, bool)
            ),
        )
    return FloorTracks(*trajectories.finished())


def _data_folder(root: str | Path, name: str, pattern: str, wanted: str) -> Path:
    root = Path(root).expanduser()
    if not root.is_dir():
        raise InputError(f"no folder {root}; give the one that holds the data")
    candidates = [root, root / name, root / "data" / name]
    for folder in candidates:
        if any(folder.glob(pattern)):
            return folder
    raise InputError(f"no {wanted} in {root}, nor in {candidates[1]} or {candidates[2]}; give the folder that has it")


def _longest_gap(frame_rate: float) -> int:
    return max(1, round(_LONGEST_GAP_SECONDS * frame_rate))
