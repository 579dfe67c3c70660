"""Figures of the LAB protocol: a run of ``multicam track`` against the truth of its sequence, and what the paper has.

On the floor, where the truth knows it, by ``floor.csv`` of the run; in the images, over the frames of all cameras
together, in which a person must have one identity everywhere.
"""

from __future__ import annotations

import csv
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.lab_sequence import LabSequence
from benchmarks.room_scores import score_room
from benchmarks.world_metrics import GATES, FloorTracks, score_floor
from tracker.errors import InputError
from tracker.storage.results import UNIDENTIFIED_OFFSET

__all__ = ["MEAN", "MOTION", "PAPER_ROWS", "LabScores", "mean_rows", "read_floor_results", "score_lab_run"]

#: what the row without re-identification is called, and the rows over all sequences
MOTION, MEAN = "motion alone", "mean"
_PAPER = "paper, real LAB"
#: figures over the images of all cameras together carry this, those on the floor their gate
_IMAGES = "@images"
_IMAGE_FIGURES = ("MOTA", "IDF1", "HOTA", "IDSW", "FP", "FN", "TP")
_COLUMNS = ("frame", "identity", "track", "x", "y")
_SEE = "run multicam track on calibrated cameras again"

#: Table 5 of the Robust-ReID paper, which does not say how far a match may be; its tracker is not published.
PAPER_ROWS: tuple[dict[str, Any], ...] = tuple(
    {"name": f"{_PAPER}: {name}", "sequence": "LAB", "MOTA": 96.1, "IDF1": idf1}
    for name, idf1 in (
        ("no ReID", 57.1),
        ("HA-CNN, Market-1501", 65.7),
        ("HA-CNN, DukeMTMC", 78.9),
        ("Robust-ReID, Market-1501", 79.6),
        ("Robust-ReID, DukeMTMC", 89.1),
    )
)


@dataclass(frozen=True, slots=True, eq=False)
class LabScores:
    """How one run did.

    Args:
        row: ``name``, ``sequence``; where the truth knows the floor, the figures of
            ``benchmarks.world_metrics.score_floor``; where it knows the images ``MOTA@images``, ``IDF1@images``,
            ``HOTA@images``, ``IDSW@images``, …; ``people`` and ``identities``, on the floor if that is known;
            ``frames`` of the longest camera, and ``frames_per_second``, all cameras' frames of an instant counted as
            one, of tracking without detection.
        engines: figure → package and version that computed it.
        tracks: the positions that counted; ``None`` where the floor is not known.
    """

    row: dict[str, Any]
    engines: dict[str, str]
    tracks: FloorTracks | None


def read_floor_results(path: str | Path) -> FloorTracks:
    """Read where a run says people are: ``floor.csv`` of ``multicam track``.

    A track without identity is somebody of its own: ``tracker.storage.results.UNIDENTIFIED_OFFSET`` more than its
    number.

    Raises:
        InputError: no such file, a column that is missing, or a line that cannot be read; the message has its number.
    """
    path = Path(path)
    frames, ids, places = list[int](), list[int](), list[tuple[float, float]]()
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in _COLUMNS if name not in (reader.fieldnames or [])]
            if missing:
                raise InputError(f"{path}: no column {missing[0]}; its first line names {', '.join(_COLUMNS)}; {_SEE}")
            for row in reader:
                try:
                    frames.append(int(row["frame"]))
                    ids.append(int(row["identity"]) if row["identity"] else UNIDENTIFIED_OFFSET + int(row["track"]))
                    places.append((float(row["x"]), float(row["y"])))
                except (TypeError, ValueError):
                    raise InputError(
                        f"{path}, line {reader.line_num}: frame, identity or track, x and y are not all numbers; {_SEE}"
                    ) from None
    except FileNotFoundError:
        raise InputError(f"no file {path}: that run did not follow people on the floor; {_SEE}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not text; {_SEE}") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
    try:
        return FloorTracks(frames, ids, places)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def score_lab_run(sequence: LabSequence, run: Path, name: str, gates: Sequence[float] = GATES) -> LabScores:
    """Compare a run with the truth.

    On the floor, people and results outside the sequence's area do not count, nor do frames that are not
    ``sequence.evaluated``.

    Args:
        sequence: of ``benchmarks.lab_sequence``.
        run: folder of ``multicam track`` on its cameras.
        name: of the row.
        gates: metres up to which a result may stand for a person.

    Raises:
        InputError: a file of the run is missing or cannot be read, or a gate that is not above 0.
    """
    row: dict[str, Any] = {"name": name, "sequence": sequence.name}
    engines: dict[str, str] = {}
    tracks = None
    if sequence.boxes:
        scores = score_room(sequence.folder, run, [camera.name for camera in sequence.cameras])
        row |= {f"{figure}{_IMAGES}": scores.rows[-1][figure] for figure in _IMAGE_FIGURES}
        row |= {"people": scores.people, "identities": scores.identities}
        engines |= {f"{figure}{_IMAGES}": scores.engines[figure] for figure in _IMAGE_FIGURES}
    if sequence.world is not None:
        tracks = read_floor_results(run / "floor.csv")
        if sequence.area is not None:
            tracks = tracks.inside(sequence.area)
        counted = [side[np.isin(side.frames, sequence.evaluated)] for side in (sequence.world, tracks)]
        tracks = counted[1]
        scored = score_floor({sequence.name: (counted[0], tracks)}, gates=gates)
        row |= scored["rows"][0]
        engines |= scored["engines"]
        identities = np.unique(tracks.ids[tracks.ids < UNIDENTIFIED_OFFSET])
        row |= {"people": row["GT"], "identities": len(identities)}
    record = _run_record(run)
    row["frames"] = max(camera["frames"] for camera in record["cameras"])
    row["frames_per_second"] = row["frames"] / max(float(record["seconds"]), 1e-3)
    if sequence.world is not None and sequence.evaluated[-1] > row["frames"]:
        warnings.warn(
            f"{sequence.name}: the truth on the floor goes to frame {sequence.evaluated[-1]}, the videos to "
            f"{row['frames']}; who is there later counts as missed: check the frame numbers",
            RuntimeWarning,
            stacklevel=2,
        )
    known = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()
    }
    return LabScores(known, engines, tracks)


def mean_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return for each name among the rows the mean of its figures over the sequences; none if there is only one.

    A figure that a sequence does not have, or that has no value there, is left out of the mean.
    """
    if len({row["sequence"] for row in rows}) < 2:
        return []
    result = []
    for name in dict.fromkeys(row["name"] for row in rows):
        mine = [row for row in rows if row["name"] == name]
        figures = dict.fromkeys(key for row in mine for key in row if key not in ("name", "sequence"))
        row: dict[str, Any] = {"name": name, "sequence": MEAN}
        for figure in figures:
            known = [one[figure] for one in mine if one.get(figure) is not None]
            row[figure] = float(np.mean(known)) if known else None
        result.append(row)
    return result


def _run_record(run: Path) -> dict[str, Any]:
    path = run / "run.json"
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(f"{path} cannot be read; {_SEE}") from None
    return record
