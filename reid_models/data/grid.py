"""GRID (QMUL underground re-identification): Loy et al., Multi-Camera Activity Correlation Analysis, CVPR 2009."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reid_models.data.folders import check_choice, find_data_folder, list_images, read_mat
from reid_models.data.rows import ImageRows, ReidData
from reid_models.errors import InputError

__all__ = ["read_grid"]

_USUAL_NAMES = ("underground_reid", "GRID", "QMUL_GRID")
_PARTITIONS = "features_and_partitions.mat"
_NAME = re.compile(r"(\d+)_(\d+)_")


def read_grid(root: str | os.PathLike[str], *, split: int = 0, name: str = "grid") -> ReidData:
    """Read GRID: 250 persons, one image each in ``probe`` and ``gallery``, and 775 distractors in ``gallery``.

    Names are ``PID_CAM_….jpeg``; ``0000`` is a distractor. The ten published splits of ``features_and_partitions.mat``
    give the 125 persons to train on; the others are queries (probe) and gallery, with the distractors 125 + 775 images.

    Args:
        root: the data set's folder, or one that holds ``underground_reid``.
        split: which of the published splits, 0 … 9.
        name: what the data are called.

    Raises:
        InputError: a folder or the splits are missing or cannot be read.
    """
    found = find_data_folder(name, root, _USUAL_NAMES, [("probe", "gallery", _PARTITIONS)])
    probe, gallery = _rows(found.parts["probe"]), _rows(found.parts["gallery"])
    probe = probe[probe.ids > 0]
    trained = _training_persons(found.parts[_PARTITIONS], split, probe.ids)
    in_probe, in_gallery = np.isin(probe.ids, trained), np.isin(gallery.ids, trained)
    train = ImageRows.joined(probe[in_probe], gallery[in_gallery])
    return ReidData(name, train, probe[~in_probe], gallery[~in_gallery])


def _training_persons(path: Path, split: int, persons: NDArray[np.int64]) -> NDArray[np.int64]:
    partitions = read_mat(path, "trainIdxAll")["trainIdxAll"].ravel()
    check_choice("split", split, range(len(partitions)))
    try:
        # One structure per split; its third field lists the training persons.
        trained = np.asarray(partitions[split][0][0][2]).ravel().astype(np.int64)
    except (IndexError, TypeError, ValueError):
        trained = np.empty(0, np.int64)
    if not 0 < len(trained) < len(persons) or not np.isin(trained, persons).all():
        raise InputError(f"split {split} of {path} does not list persons of the probe folder: download it again")
    return trained


def _rows(folder: Path) -> ImageRows:
    rows = []
    for path in list_images(folder):
        match = _NAME.match(path.name)
        if match is None:
            raise InputError(f"{path} is not of the form PID_CAM_….jpeg, as GRID's images are")
        rows.append((path, int(match[1]), int(match[2])))
    return ImageRows.of(rows)
