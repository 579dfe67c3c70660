"""The multi-camera track of the AI City Challenge 2024: HOTA on the floor, scene by scene.

As the published evaluator has it: a scene is a group of cameras; in it a person counts once in a frame, wherever the
first line says; results are matched with the truth by ``max(0, 1 - d / 2)``, ``d`` being their distance in metres; and
the figure over all scenes is the mean of theirs.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.metrics import COMBINED, PairedFrames, pair_points, score_sequences
from tracker.errors import InputError
from tracker.storage.aicity_files import AiCityRows

__all__ = ["FIGURES", "ZERO_DISTANCE", "Scene", "first_rows", "pair_scenes", "read_scenes", "score_scenes"]

#: metres at which nothing is left of the similarity
ZERO_DISTANCE = 2.0
FIGURES = ("HOTA", "DetA", "AssA", "LocA")
_REMEDY = 'give a list of {"scene_name": "scene_001", "camera_ids": [1, 2]}'


@dataclass(frozen=True, slots=True)
class Scene:
    """A group of cameras that see one place.

    Args:
        name: of the scene.
        cameras: their numbers.
    """

    name: str
    cameras: tuple[int, ...]


def read_scenes(path: str | Path) -> list[Scene]:
    """Read which cameras make up which scene: a JSON list of ``{"scene_name", "camera_ids"}``.

    Raises:
        InputError: no such file, another shape, a scene twice or called ``combined``, or a camera in two scenes.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"no such file: {path}; {_REMEDY}") from None
    except (UnicodeDecodeError, ValueError):
        raise InputError(f"{path} is no JSON; {_REMEDY}") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
    if not isinstance(content, list) or not content:
        raise InputError(f"{path} is not a list of scenes; {_REMEDY}")
    scenes: list[Scene] = []
    owner: dict[int, str] = {}
    for number, entry in enumerate(content):
        scene = _scene(path, number, entry)
        if scene.name in (COMBINED, *(known.name for known in scenes)):
            raise InputError(f"{path}: two scenes are called {scene.name!r}, or one like the row over all; rename one")
        for camera in scene.cameras:
            if camera in owner:
                raise InputError(f"{path}: camera {camera} is in {owner[camera]} and in {scene.name}; leave it in one")
            owner[camera] = scene.name
        scenes.append(scene)
    return scenes


def first_rows(rows: AiCityRows) -> AiCityRows:
    """Return of each person and frame the first row, in the order of the file: the same person seen by many cameras."""
    _, first = np.unique(np.stack([rows.ids, rows.frames]), axis=1, return_index=True)
    return rows[np.sort(first)]


def pair_scenes(truth: AiCityRows, results: AiCityRows, scenes: Sequence[Scene]) -> dict[str, PairedFrames]:
    """Return scene → truth and results on the floor, frame by frame; scenes without truth are left out.

    Warns of scenes without truth or results and of cameras that are in no scene.

    Args:
        truth: all its lines.
        results: likewise.
        scenes: which cameras belong together.

    Raises:
        InputError: no scene has any truth.
    """
    _warn_of_strangers(truth, scenes, "the ground truth")
    _warn_of_strangers(results, scenes, "the results")
    paired = {}
    for scene in scenes:
        sides = [first_rows(side[np.isin(side.cameras, scene.cameras)]) for side in (truth, results)]
        if not len(sides[0]):
            if len(sides[1]):
                _warn(f"{scene.name}: no ground truth of its cameras; its {len(sides[1])} results do not count")
            continue
        if not len(sides[1]):
            _warn(f"{scene.name}: no results of its cameras {', '.join(map(str, scene.cameras))}; all are missed")
        points = [(side.frames, side.ids, side.positions) for side in sides]
        paired[scene.name] = pair_points(points[0], points[1], zero_distance=ZERO_DISTANCE)
    if not paired:
        known = ", ".join(map(str, np.unique(truth.cameras).tolist()[:12])) or "none"
        raise InputError(f"no camera of the scenes is in the ground truth, which has {known}; correct the scene map")
    return paired


def score_scenes(paired: Mapping[str, PairedFrames]) -> dict[str, Any]:
    """Return HOTA, DetA, AssA and LocA of each scene and, as ``combined``, their means.

    Args:
        paired: of :func:`pair_scenes`.

    Returns:
        ``rows``, each with ``sequence`` (the scene), the four in percent, and ``GT`` and ``IDs``, the numbers of true
        people and of ids in the results (over all scenes their sums); ``engines``: figure → ``"package version"``.
    """
    scored = score_sequences(paired, engine="trackeval")
    rows: list[dict[str, Any]] = []
    for row, frames in zip(scored["rows"], paired.values()):
        counts = frames.for_trackeval()
        people = {"GT": counts["num_gt_ids"], "IDs": counts["num_tracker_ids"]}
        rows.append({"sequence": row["sequence"], **{name: row[name] for name in FIGURES}, **people})
    whole: dict[str, Any] = {"sequence": COMBINED}
    whole |= {name: float(np.mean([row[name] for row in rows])) for name in FIGURES}
    whole |= {name: sum(row[name] for row in rows) for name in ("GT", "IDs")}
    return {"rows": [*rows, whole], "engines": {name: scored["engines"][name] for name in FIGURES}}


def _scene(path: Path, number: int, entry: Any) -> Scene:
    name, cameras = (entry.get(key) if isinstance(entry, dict) else None for key in ("scene_name", "camera_ids"))
    if not isinstance(name, str) or not name or not isinstance(cameras, list) or not cameras:
        raise InputError(f"{path}: entry {number} has no scene_name or no camera_ids; {_REMEDY}")
    for camera in cameras:
        # Some write them as text.
        if isinstance(camera, bool) or not re.fullmatch(r"\d+", str(camera)):
            raise InputError(f"{path}: camera {camera!r} of {name} is no whole number; {_REMEDY}")
    return Scene(name, tuple(int(camera) for camera in cameras))


def _warn_of_strangers(rows: AiCityRows, scenes: Sequence[Scene], whose: str) -> None:
    known = [camera for scene in scenes for camera in scene.cameras]
    strange = ~np.isin(rows.cameras, known)
    if strange.any():
        cameras = ", ".join(map(str, np.unique(rows.cameras[strange]).tolist()[:8]))
        _warn(f"{int(strange.sum())} lines of {whose} are of cameras in no scene and do not count: {cameras}")


def _warn(message: str) -> None:
    warnings.warn(message, RuntimeWarning, stacklevel=3)
