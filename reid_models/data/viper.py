"""VIPeR: Gray et al., Evaluating Appearance Models for Recognition, Reacquisition, and Tracking, PETS 2007."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from reid_models.data.folders import check_choice, find_data_folder, list_images, random_split
from reid_models.data.rows import ImageRows, ReidData
from reid_models.errors import InputError

__all__ = ["read_viper"]

_USUAL_NAMES = ("VIPeR", "VIPeR.v1.0")
_NAME = re.compile(r"(\d+)_")


def read_viper(
    root: str | os.PathLike[str], *, split: int = 0, query_camera: str = "a", seed: int = 0, name: str = "viper"
) -> ReidData:
    """Read VIPeR: 632 persons, one image each in ``cam_a`` and ``cam_b`` (``PID_ANGLE.bmp``).

    Half of the persons, drawn at random, are trained on; the published figures are means over ten such splits, each
    with either camera as the query. Persons are numbered from 0 in the file names, so identity is that number + 1;
    camera 1 is ``cam_a`` and 2 ``cam_b``.

    Args:
        root: the data set's folder, or one that holds ``VIPeR``.
        split: which of the random splits, 0 … 9.
        query_camera: ``"a"`` or ``"b"``; the other one is the gallery.
        seed: of the random splits.
        name: what the data are called.

    Raises:
        InputError: a folder is missing, a name cannot be read, or a person is not in both cameras once.
    """
    check_choice("query_camera", query_camera, ("a", "b"))
    check_choice("split", split, range(10))
    found = find_data_folder(name, root, _USUAL_NAMES, [("cam_a", "cam_b")])
    cameras = {"a": _rows(found.parts["cam_a"], 1), "b": _rows(found.parts["cam_b"], 2)}
    if not np.array_equal(cameras["a"].ids, cameras["b"].ids):
        alone = np.setxor1d(cameras["a"].ids, cameras["b"].ids) - 1
        raise InputError(
            f"every person of {name} must be once in cam_a and once in cam_b of {found.folder}; "
            + (f"{len(alone)} are not, first number {alone[0]:03d}" if len(alone) else "some are there more than once")
        )
    persons = len(cameras["a"])
    trained = random_split(persons, persons // 2, split=split, seed=seed)
    train = ImageRows.joined(cameras["a"][trained], cameras["b"][trained])
    gallery = cameras["b" if query_camera == "a" else "a"]
    return ReidData(name, train, cameras[query_camera][~trained], gallery[~trained])


def _rows(folder: Path, camera: int) -> ImageRows:
    rows = []
    for path in list_images(folder):
        match = _NAME.match(path.name)
        if match is None:
            raise InputError(f"{path} is not of the form PID_ANGLE.bmp, as VIPeR's images are")
        rows.append((path, int(match[1]) + 1, camera))
    return ImageRows.of(sorted(rows, key=lambda row: row[1]))
