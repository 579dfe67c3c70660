"""The vehicle data sets: VeRi-776 and VehicleID."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from reid_models.data.folders import check_choice, check_listed_files, find_data_folder, read_numbered_list
from reid_models.data.market_layout import market_rows
from reid_models.data.rows import ImageRows, ReidData
from reid_models.errors import InputError

__all__ = ["VEHICLEID_TEST_SIZES", "read_vehicleid", "read_veri776"]

#: vehicles in the published test lists; figures are given for the first three
VEHICLEID_TEST_SIZES = (800, 1600, 2400, 3200, 6000, 13164)
_VERI_FOLDERS = {"train": "image_train", "query": "image_query", "test": "image_test"}


def read_veri776(root: str | os.PathLike[str], *, name: str = "veri776") -> ReidData:
    """Read VeRi-776 (Liu et al., ECCV 2016): ``image_train``, ``image_query``, ``image_test``.

    Names are ``VID_cCAM_….jpg``. Where ``name_train.txt``, ``name_query.txt`` or ``name_test.txt`` lie beside the
    folders, they say which images count. The complete set: 576 / 200 vehicles, 37,778 / 1,678 / 11,579 images,
    20 cameras.

    Raises:
        InputError: a folder or a listed image is missing, or a name cannot be read.
    """
    found = find_data_folder(name, root, ("VeRi", "VeRi-776", "VeRi776"), [tuple(_VERI_FOLDERS.values())])
    train, query, gallery = (
        _veri_rows(found.parts[folder], found.folder / f"name_{split}.txt") for split, folder in _VERI_FOLDERS.items()
    )
    return ReidData(name, train[train.ids > 0], query, gallery)


def _veri_rows(folder: Path, names: Path) -> ImageRows:
    if not names.is_file():
        return market_rows(folder)
    paths = [folder / file for file in names.read_text(encoding="utf-8", errors="replace").split()]
    if not paths:
        raise InputError(f"{names} lists no images")
    check_listed_files(paths, names)
    return market_rows(folder, paths)


def read_vehicleid(root: str | os.PathLike[str], *, test_size: int = 800, name: str = "vehicleid") -> ReidData:
    """Read VehicleID (Liu et al., CVPR 2016): ``image`` and ``train_test_split/*.txt``, one ``IMAGE VEHICLE`` a line.

    The protocol draws one random image of each test vehicle as the gallery, the others are queries, and averages over
    ten draws: query and gallery are therefore both all test images, for the evaluation to draw from. Cameras are not
    told: training images all have camera 1, and each test image a camera of its own, so that the ranking drops no
    image but the query itself. Identity is the vehicle's number + 1, because 0 would be a distractor.

    The complete set: 13,164 vehicles, 113,346 images to train.

    Args:
        root: the data set's folder, or one that holds ``VehicleID_V1.0``.
        test_size: vehicles in the test list: 800, 1600 or 2400 as published figures are given; 3200, 6000, 13164.
        name: what the data are called.

    Raises:
        InputError: a list or a listed image is missing, or a line cannot be read.
    """
    check_choice("test_size", test_size, VEHICLEID_TEST_SIZES)
    lists = ("train_test_split/train_list.txt", f"train_test_split/test_list_{test_size}.txt")
    found = find_data_folder(name, root, ("VehicleID_V1.0", "VehicleID"), [("image", *lists)])
    train, test = (_vehicle_rows(found.parts[each], found.parts["image"]) for each in lists)
    test = ImageRows(test.paths, test.ids, np.arange(1, len(test) + 1, dtype=np.int64))
    return ReidData(name, train, test, test)


def _vehicle_rows(listed: Path, folder: Path) -> ImageRows:
    rows = [
        (folder / (file if file.endswith(".jpg") else f"{file}.jpg"), vehicle + 1, 1)
        for file, vehicle in read_numbered_list(listed)
    ]
    check_listed_files([path for path, _, _ in rows], listed)
    return ImageRows.of(rows)
