"""CUHK01: Li et al., Human Reidentification with Transferred Metric Learning, ACCV 2012."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from reid_models.data.folders import check_choice, find_data_folder, list_images, random_split
from reid_models.data.market_layout import MARKET_FOLDERS, market_data
from reid_models.data.rows import ImageRows, ReidData
from reid_models.errors import InputError

__all__ = ["read_cuhk01"]

_USUAL_NAMES = ("CUHK01", "campus")
_NAME = re.compile(r"(\d{4})(\d{3})$")


def read_cuhk01(
    root: str | os.PathLike[str],
    *,
    test_identities: int = 486,
    split: int = 0,
    query_camera: int = 1,
    seed: int = 0,
    name: str = "cuhk01",
) -> ReidData:
    """Read CUHK01 as distributed (``campus/PPPPIII.png``), or already split in the layout of Market-1501.

    971 persons, each with two images (001, 002) from camera 1 and two (003, 004) from camera 2. There is no published
    list of test persons: they are drawn at random. 486 of them (485 to train) and 100 (871 to train) are usual.
    A folder in the layout of Market-1501 is taken as it is split there.

    Args:
        root: the data set's folder, or one that holds ``CUHK01``.
        test_identities: how many persons are left for test.
        split: which of the random splits, 0 … 9.
        query_camera: 1 or 2; the other one is the gallery.
        seed: of the random splits.
        name: what the data are called.

    Raises:
        InputError: a folder is missing, a name cannot be read, or an option is impossible.
    """
    check_choice("query_camera", query_camera, (1, 2))
    check_choice("split", split, range(10))
    found = find_data_folder(name, root, _USUAL_NAMES, [("campus",), MARKET_FOLDERS, ("0001001.png",)])
    if found.layout == 1:
        if (test_identities, split, query_camera, seed) != (486, 0, 1, 0):
            raise InputError(
                f"{found.folder} is already split (layout of Market-1501): leave test_identities, split, query_camera "
                "and seed out, or give the folder that holds campus"
            )
        return market_data(name, found.folder, [found.parts[part] for part in MARKET_FOLDERS])
    rows = _campus_rows(found.parts["campus"] if found.layout == 0 else found.folder)
    persons = np.unique(rows.ids)
    if not 0 < test_identities < len(persons):
        raise InputError(f"test_identities={test_identities} must lie between 1 and {len(persons) - 1}")
    test_persons = persons[random_split(len(persons), test_identities, split=split, seed=seed)]
    test = np.isin(rows.ids, test_persons)
    query = test & (rows.cameras == query_camera)
    return ReidData(name, rows[~test], rows[query], rows[test & ~query])


def _campus_rows(folder: Path) -> ImageRows:
    rows = []
    for path in list_images(folder):
        match = _NAME.match(path.stem)
        if match is None or not 1 <= int(match[2]) <= 4:
            raise InputError(f"{path} is not of the form PPPPIII.png, III one of 001 to 004, as CUHK01's images are")
        rows.append((path, int(match[1]), (int(match[2]) + 1) // 2))
    return ImageRows.of(rows)
