"""Person re-identification data sets as rows: image, identity, camera."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reid_models.errors import InputError

__all__ = ["ImageRows", "ReidData", "read_market1501"]

_MARKET_NAME = re.compile(r"(-?\d+)_c(\d+)(?:s\d+)?_")
_MARKET_FOLDERS = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}
_IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp"}


@dataclass(frozen=True, slots=True, eq=False)
class ImageRows:
    """Images of one split, in order of their names.

    Args:
        paths: N files.
        ids: (N,) int64 identities as the data set numbers them; −1 is junk, 0 a distractor.
        cameras: (N,) int64 cameras as the data set numbers them.
    """

    paths: tuple[Path, ...]
    ids: NDArray[np.int64]
    cameras: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def identities(self) -> int:
        """Number of persons, junk and distractors left out."""
        return len(np.unique(self.ids[self.ids > 0]))

    def training_labels(self) -> NDArray[np.int64]:
        """Return (N,) class numbers 0 … identities − 1 in order of identity, for rows without junk and distractors."""
        return np.unique(self.ids, return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class ReidData:
    """The three splits of one data set."""

    name: str
    train: ImageRows
    query: ImageRows
    gallery: ImageRows


def read_market1501(root: str | os.PathLike[str], *, name: str = "market1501") -> ReidData:
    """Read a folder in the layout of Market-1501.

    ``bounding_box_train``, ``query`` and ``bounding_box_test`` hold images called ``PID_cCAMsX_FRAME_XX.jpg``; in the
    gallery, identity −1 is junk (kept here, dropped by the ranking) and 0 a distractor. The training split leaves both
    out.

    Raises:
        InputError: a folder is missing or without images, or a file name cannot be read.
    """
    folder = Path(root)
    if not folder.is_dir():
        raise InputError(f"the data set folder {folder} does not exist: give the folder that holds bounding_box_train")
    missing = [part for part in _MARKET_FOLDERS.values() if not (folder / part).is_dir()]
    if missing:
        raise InputError(
            f"{folder} has not the layout of Market-1501: {', '.join(missing)} missing; it needs "
            f"{', '.join(_MARKET_FOLDERS.values())}"
        )
    rows = {split: _market_rows(folder / part) for split, part in _MARKET_FOLDERS.items()}
    train = rows["train"]
    person = train.ids > 0
    train = ImageRows(
        tuple(path for path, keep in zip(train.paths, person, strict=True) if keep),
        train.ids[person],
        train.cameras[person],
    )
    return ReidData(name, train, rows["query"], rows["gallery"])


def _market_rows(folder: Path) -> ImageRows:
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _IMAGE_SUFFIXES)
    if not paths:
        raise InputError(f"{folder} holds no images (jpg, png, bmp)")
    matches = [_MARKET_NAME.match(path.name) for path in paths]
    unreadable = [path for path, match in zip(paths, matches, strict=True) if match is None]
    if unreadable:
        raise InputError(
            f"{len(unreadable)} file names in {folder} are not of the form PID_cCAMsX_FRAME_XX.jpg, first "
            f"{unreadable[0].name}"
        )
    numbers = np.array([(int(match[1]), int(match[2])) for match in matches if match], np.int64)
    return ImageRows(tuple(paths), numbers[:, 0], numbers[:, 1])
