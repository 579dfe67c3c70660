"""PA-100K: Liu et al., HydraPlus-Net: Attentive Deep Features for Pedestrian Analysis, ICCV 2017."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_models.data.folders import check_listed_files, find_data_folder, read_mat
from reid_models.errors import InputError

__all__ = ["AttributeData", "AttributeRows", "read_pa100k"]

_USUAL_NAMES = ("PA-100K", "PA100K", "pa_100k")
_ANNOTATIONS = ("annotation.mat", "annotation/annotation.mat")
_IMAGE_FOLDERS = ("data/release_data/release_data", "release_data/release_data", "release_data", "data", "images", ".")


@dataclass(frozen=True, slots=True, eq=False)
class AttributeRows:
    """Images with yes/no attributes.

    Args:
        paths: N files.
        labels: (N, A) int8, 1 where image n has attribute a, otherwise 0.
    """

    paths: tuple[Path, ...]
    labels: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.int64] | slice) -> AttributeRows:
        """Return the rows that a mask (N,), indices or a slice choose."""
        chosen = np.arange(len(self))[rows]
        return AttributeRows(tuple(self.paths[index] for index in chosen), self.labels[chosen])


@dataclass(frozen=True, slots=True, eq=False)
class AttributeData:
    """The three splits of an attribute data set; ``attributes`` are the names of the A columns."""

    name: str
    attributes: tuple[str, ...]
    train: AttributeRows
    val: AttributeRows
    test: AttributeRows


def read_pa100k(root: str | os.PathLike[str], *, name: str = "pa100k") -> AttributeData:
    """Read PA-100K: 80,000 / 10,000 / 10,000 images with 26 attributes.

    ``annotation.mat`` (also in ``annotation/``) holds the names of the attributes and, for ``train``, ``val`` and
    ``test``, ``…_images_name`` and ``…_label``. The images lie in ``data``, ``release_data`` or ``images``, one or two
    folders deep as the archive unpacks.

    Raises:
        InputError: the annotation or an image is missing, or the annotation cannot be read.
    """
    found = find_data_folder(name, root, _USUAL_NAMES, [(each,) for each in _ANNOTATIONS])
    source = found.parts[_ANNOTATIONS[found.layout]]
    splits = ("train", "val", "test")
    variables = [f"{split}_{part}" for split in splits for part in ("images_name", "label")]
    content = read_mat(source, "attributes", *variables)
    attributes = _texts(content["attributes"])
    train, val, test = (
        _rows(found.folder, source, split, content[f"{split}_images_name"], content[f"{split}_label"], len(attributes))
        for split in splits
    )
    return AttributeData(name, tuple(attributes), train, val, test)


def _texts(cells: NDArray[Any]) -> list[str]:
    """Return the texts of a MATLAB cell array of them."""
    return [str(np.asarray(cell).ravel()[0]) for cell in cells.ravel()]


def _rows(
    folder: Path, source: Path, split: str, names: NDArray[Any], labels: NDArray[Any], attributes: int
) -> AttributeRows:
    files = _texts(names)
    if labels.shape != (len(files), attributes) or not len(files) or not np.isin(labels, (0, 1)).all():
        raise InputError(
            f"{split}_label of {source} has shape {labels.shape}; it should be ({len(files)}, {attributes}) zeros and "
            "ones: download it again"
        )
    images = next((folder / part for part in _IMAGE_FOLDERS if (folder / part / files[0]).is_file()), None)
    if images is None:
        raise InputError(
            f"{files[0]}, the first of the {split} images, is in none of {', '.join(_IMAGE_FOLDERS[:-1])} of {folder}: "
            "unpack the images there"
        )
    paths = tuple(images / file for file in files)
    check_listed_files(paths, source)
    return AttributeRows(paths, labels.astype(np.int8))
