"""The layout of Market-1501, which many data sets are distributed or converted in."""

from __future__ import annotations

import os
import re
from pathlib import Path

from reid_models.data.folders import find_data_folder, list_images
from reid_models.data.rows import ImageRows, ReidData
from reid_models.errors import InputError

__all__ = ["MARKET_FOLDERS", "market_data", "market_rows", "read_market1501"]

#: train, query and gallery
MARKET_FOLDERS = ("bounding_box_train", "query", "bounding_box_test")
#: hand-drawn boxes of the queries' identities and cameras, for multi-query evaluation; only Market-1501 itself has it
_MULTI_QUERY_FOLDER = "gt_bbox"
_MARKET_NAME = re.compile(r"(-?\d+)_c(\d+)(?:s\d+)?_")
_USUAL_NAMES = {
    "market1501": ("Market-1501-v15.09.15", "market1501", "Market-1501", "Market"),
    "dukemtmc": ("DukeMTMC-reID", "dukemtmc", "dukemtmcreid", "duke"),
}


def read_market1501(root: str | os.PathLike[str], *, name: str = "market1501") -> ReidData:
    """Read a folder in the layout of Market-1501 (Zheng et al., ICCV 2015), as DukeMTMC-reID (ICCV 2017) is too.

    ``bounding_box_train``, ``query`` and ``bounding_box_test`` hold images called ``PID_cCAMsX_FRAME_XX.jpg``; in the
    gallery, identity −1 is junk (kept here, dropped by the ranking) and 0 a distractor. The training split leaves both
    out. Market-1501 itself: 751 / 750 identities, 12,936 / 3,368 / 15,913 images (gallery with distractors, without
    junk), 6 cameras; DukeMTMC-reID: 702 / 702 identities, 16,522 / 2,228 / 17,661 images, 8 cameras.

    Args:
        root: the data set's folder, or one that holds a folder of its usual name or of ``name``.
        name: what the data are called.

    Raises:
        InputError: a folder is missing or without images, or a file name cannot be read.
    """
    found = find_data_folder(name, root, _USUAL_NAMES.get(name, (name,)), [MARKET_FOLDERS])
    return market_data(name, found.folder, [found.parts[part] for part in MARKET_FOLDERS])


def market_data(name: str, folder: Path, parts: list[Path] | None = None) -> ReidData:
    """Return the data of ``folder``, whose train, query and gallery folders are there or given as ``parts``."""
    train, query, gallery = map(market_rows, parts or [folder / part for part in MARKET_FOLDERS])
    boxes = folder / _MULTI_QUERY_FOLDER
    multi_query = market_rows(boxes) if boxes.is_dir() else None
    return ReidData(name, train[train.ids > 0], query, gallery, multi_query)


def market_rows(folder: Path, paths: list[Path] | None = None) -> ImageRows:
    """Return the rows of one folder's images, or of those given, called ``PID_cCAMsX_…`` (``sX`` may be absent).

    Raises:
        InputError: there are no images, or a name is of another form.
    """
    if paths is None:
        paths = list_images(folder)
    matches = [_MARKET_NAME.match(path.name) for path in paths]
    unreadable = [path for path, match in zip(paths, matches, strict=True) if match is None]
    if unreadable:
        raise InputError(
            f"{len(unreadable)} file names in {folder} are not of the form PID_cCAMsX_FRAME_XX.jpg, first "
            f"{unreadable[0].name}"
        )
    return ImageRows.of(
        (path, int(match[1]), int(match[2])) for path, match in zip(paths, matches, strict=True) if match
    )
