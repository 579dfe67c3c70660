"""CUHK03: Li et al., DeepReID: Deep Filter Pairing Neural Network for Person Re-identification, CVPR 2014."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reid_models.data.folders import check_choice, check_listed_files, find_data_folder, list_images, read_mat
from reid_models.data.market_layout import MARKET_FOLDERS, market_data
from reid_models.data.rows import ImageRows, ReidData
from reid_models.errors import InputError

__all__ = ["TEST_SETS_FILE", "read_cuhk03"]

#: what :mod:`reid_models.data.cuhk03_release` writes of the release's ``testsets``
TEST_SETS_FILE = "testsets.json"
_USUAL_NAMES = ("cuhk03", "CUHK03-NP", "cuhk03_np", "cuhk03_release")
_NAME = re.compile(r"(\d)_(\d{3,4})_([12])_\d+\.png$")
_INDICES = ("train_idx", "query_idx", "gallery_idx")


def read_cuhk03(
    root: str | os.PathLike[str],
    *,
    protocol: str = "new",
    images: str = "detected",
    split: int = 0,
    name: str = "cuhk03",
) -> ReidData:
    """Read CUHK03 by the new or the classic protocol, with detected or hand-drawn boxes.

    The release is one MATLAB 7.3 file; ``python -m reid_models.data.cuhk03_release cuhk-03.mat FOLDER`` writes its
    images into ``images_detected`` and ``images_labeled`` under the names the field uses,
    ``PAIR_PERSON_VIEW_NUMBER.png``, and its classic test sets into ``testsets.json``. Besides these folders

    - the **new** protocol (Zhong et al., CVPR 2017; 767 / 700 persons, detected 7,365 / 1,400 / 5,332 images, labelled
      7,368 / 1,400 / 5,328) takes ``cuhk03_new_protocol_config_detected.mat`` as its authors publish it, or
      ``splits_new_detected.json``; or the authors' CUHK03-NP, where ``detected`` and ``labeled`` have the layout of
      Market-1501, in place of it all;
    - the **classic** protocol (20 splits, 100 test persons each) takes ``testsets.json`` or
      ``splits_classic_detected.json``. Query and gallery are then both all test images: the protocol draws one gallery
      image per person, which is the evaluation's part.

    A person is a camera pair (1 … 5) and a number in it: the identity is 1000 · pair + number. Camera is the view, 1
    or 2. CUHK03-NP keeps its own numbers.

    Args:
        root: the data set's folder, or one that holds ``cuhk03`` or ``CUHK03-NP``.
        protocol: ``"new"`` or ``"classic"``.
        images: ``"detected"`` or ``"labeled"``.
        split: of the classic protocol, 0 … 19.
        name: what the data are called.

    Raises:
        InputError: something is missing or cannot be read; names it, and how to get it out of the release.
    """
    check_choice("protocol", protocol, ("new", "classic"))
    check_choice("images", images, ("detected", "labeled"))
    if protocol == "new" and split != 0:
        raise InputError(f"split={split}: the new protocol of CUHK03 has one split only, leave it out")
    folder = f"images_{images}"
    market = tuple(f"{images}/{part}" for part in MARKET_FOLDERS)
    published = f"cuhk03_new_protocol_config_{images}.mat"
    written = f"splits_{protocol}_{images}.json"
    if protocol == "new":
        layouts: list[tuple[str, ...]] = [(folder, published), (folder, written), market]
    else:
        layouts = [(folder, TEST_SETS_FILE), (folder, written)]
    try:
        found = find_data_folder(name, root, _USUAL_NAMES, layouts)
    except InputError as error:
        raise InputError(f"{error}{_release_hint(name, root)}") from None
    if market[0] in found.parts:
        return market_data(name, found.folder, [found.parts[part] for part in market])
    parts = layouts[found.layout]
    source = found.parts[parts[1]]
    if parts[1] == TEST_SETS_FILE:
        return _classic_data(name, found.parts[folder], source, split)
    lists = _published_lists(source) if parts[1] == published else _written_lists(source, split)
    train, query, gallery = (_rows(found.parts[folder], files, source) for files in lists)
    return ReidData(name, train, query, gallery)


def _release_hint(name: str, root: str | os.PathLike[str]) -> str:
    """Return how to unpack the release, where only that is there."""
    layouts = [("cuhk-03.mat",), ("cuhk03_release/cuhk-03.mat",)]
    try:
        found = find_data_folder(name, root, _USUAL_NAMES, layouts)
    except InputError:
        return ""
    release = found.parts[layouts[found.layout][0]]
    return (
        f"; {release} is there: python -m reid_models.data.cuhk03_release {release} {found.folder} writes "
        "images_detected, images_labeled and testsets.json out of it"
    )


def _rows(folder: Path, files: Iterable[str], source: Path) -> ImageRows:
    rows = []
    for file in files:
        match = _NAME.match(file)
        if match is None:
            raise InputError(f"{file} in {source} is not of the form PAIR_PERSON_VIEW_NUMBER.png")
        rows.append((folder / file, 1000 * int(match[1]) + int(match[2]), int(match[3])))
    check_listed_files([path for path, _, _ in rows], source)
    return ImageRows.of(rows)


def _published_lists(source: Path) -> list[list[str]]:
    """Return the file names of train, query and gallery: ``filelist`` and indices into it, counted from 1."""
    content = read_mat(source, "filelist", *_INDICES)
    files = [str(np.asarray(cell).ravel()[0]) for cell in content["filelist"].ravel()]
    lists = []
    for variable in _INDICES:
        indices = content[variable].ravel().astype(np.int64) - 1
        if not len(indices) or indices.min() < 0 or indices.max() >= len(files):
            raise InputError(f"{variable} of {source} does not fit its {len(files)} files: download it again")
        lists.append([files[index] for index in indices])
    return lists


def _written_lists(source: Path, split: int) -> list[list[str]]:
    """Return the file names of a ``splits_….json``: a list of splits, each with (path, person, camera) rows.

    Only the names of the files count: paths are those of the machine that wrote them, and persons are numbered anew.
    """
    splits = _read_json(source)
    try:
        check_choice("split", split, range(len(splits)))
        return [
            [Path(str(row[0])).name for row in splits[split][part]]  #
            for part in ("train", "query", "gallery")
        ]
    except (KeyError, IndexError, TypeError):
        raise InputError(f"{source} holds no splits with train, query and gallery: it is another file") from None


def _classic_data(name: str, folder: Path, source: Path, split: int) -> ReidData:
    test_sets = _read_json(source)
    check_choice("split", split, range(len(test_sets)))
    try:
        persons = [1000 * int(pair) + int(person) for pair, person in test_sets[split]]
    except (TypeError, ValueError):
        raise InputError(f"{source} holds no lists of (pair, person): write it again from the release") from None
    rows = _rows(folder, (path.name for path in list_images(folder)), folder)
    test = np.isin(rows.ids, persons)
    if not test.any() or test.all():
        raise InputError(f"split {split} of {source} leaves no images for training or for test in {folder}")
    return ReidData(name, rows[~test], rows[test], rows[test])


def _read_json(path: Path) -> Sequence[Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is no JSON file ({error})") from None
    if not isinstance(content, list) or not content:
        raise InputError(f"{path} is not a list of splits")
    return content
