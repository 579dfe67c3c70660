"""MSMT17: Wei et al., Person Transfer GAN to Bridge Domain Gap for Person Re-Identification, CVPR 2018."""

from __future__ import annotations

import os
from pathlib import Path

from reid_models.data.folders import check_choice, check_listed_files, find_data_folder, read_numbered_list
from reid_models.data.rows import ImageRows, ReidData
from reid_models.errors import InputError

__all__ = ["read_msmt17"]

_LISTS = ("list_train.txt", "list_val.txt", "list_query.txt", "list_gallery.txt")
#: image folders for training and test
_VERSIONS = {"v1": ("train", "test"), "v2": ("mask_train_v2", "mask_test_v2")}
_USUAL_NAMES = {"v1": ("MSMT17_V1", "MSMT17"), "v2": ("MSMT17_V2", "MSMT17")}


def read_msmt17(
    root: str | os.PathLike[str], *, version: str = "any", include_validation: bool = False, name: str = "msmt17"
) -> ReidData:
    """Read MSMT17, version 1 (``train``, ``test``) or 2 (``mask_train_v2``, ``mask_test_v2``, faces blurred).

    ``list_train.txt`` and so on hold a file and its person's number a line; a name is ``PID_…_CAM_….jpg`` in a folder
    per person. Persons are counted from 0, once for training and once more for test: here training persons are
    1 … 1,041 and test persons follow them, so that no two share an identity and none is a distractor.

    The complete set: 1,041 / 3,060 identities, 30,248 (32,621 with validation) / 11,659 / 82,161 images, 15 cameras.

    Args:
        root: the data set's folder, or one that holds ``MSMT17_V1`` or ``MSMT17_V2`` (also inside ``MSMT17``).
        version: ``"v1"``, ``"v2"``, or ``"any"``, which takes version 1 where both lie.
        include_validation: train on the 2,373 validation images, which are of the training persons, too.
        name: what the data are called.

    Raises:
        InputError: a list, a folder or a listed image is missing, or a line or a name cannot be read.
    """
    check_choice("version", version, ("any", *_VERSIONS))
    wanted = tuple(_VERSIONS) if version == "any" else (version,)
    usual = dict.fromkeys(folder for each in wanted for folder in _USUAL_NAMES[each])
    layouts = [(*_LISTS, *_VERSIONS[each]) for each in wanted]
    found = find_data_folder(name, root, tuple(usual), layouts)
    train_folder, test_folder = (found.parts[part] for part in _VERSIONS[wanted[found.layout]])
    train_lists = [found.parts["list_train.txt"]]
    if include_validation:
        train_lists.append(found.parts["list_val.txt"])
    train = [row for each in train_lists for row in _rows(each, train_folder, 1)]
    # Validation persons are training persons, so the offset of test persons must not depend on the option.
    first = 1 + max(number for each in _LISTS[:2] for _, number in read_numbered_list(found.parts[each]))
    query, gallery = (ImageRows.of(_rows(found.parts[each], test_folder, 1 + first)) for each in _LISTS[2:])
    return ReidData(name, ImageRows.of(train), query, gallery)


def _rows(listed: Path, folder: Path, first: int) -> list[tuple[Path, int, int]]:
    rows = [(folder / file, number + first, _camera(file, listed)) for file, number in read_numbered_list(listed)]
    check_listed_files([path for path, _, _ in rows], listed)
    return rows


def _camera(file: str, listed: Path) -> int:
    words = Path(file).name.split("_")
    if len(words) < 4 or not words[2].isdecimal():
        raise InputError(f"{file} in {listed} is not of the form PID_NUMBER_CAM_….jpg")
    return int(words[2])
