"""Several identity data sets as one, and one data set with all its images to train on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reid_models.data.rows import ImageRows, ReidData
from reid_models.errors import InputError

__all__ = ["combine_datasets", "train_on_all_images"]


def combine_datasets(datasets: Sequence[ReidData], name: str | None = None) -> ReidData:
    """Return one data set of all, in their order, in which no two of them share an identity or a camera.

    Identities are numbered 1, 2, … in order of data set and of their numbers there, and cameras likewise; junk (−1)
    and distractors (0) keep their numbers. Within a data set, an identity keeps one number over its splits. A single
    data set comes back with its own numbers.

    Args:
        datasets: one or more.
        name: of the result; ``None``: their names with ``+`` between.

    Raises:
        InputError: there is none, or two of them hold the same image.
    """
    if not datasets:
        raise InputError("no data set to combine: give at least one")
    name = "+".join(data.name for data in datasets) if name is None else name
    if len(datasets) == 1:
        return replace(datasets[0], name=name)
    _check_disjoint(datasets)
    renumbered = []
    last_identity = last_camera = 0
    for data in datasets:
        splits = (data.train, data.query, data.gallery)
        ids = np.unique(np.concatenate([rows.ids for rows in splits]))
        persons = ids[ids > 0]
        cameras = np.unique(np.concatenate([rows.cameras for rows in splits]))
        renumbered.append(
            tuple(
                ImageRows(
                    rows.paths,
                    np.where(rows.ids > 0, _numbers(persons, rows.ids, last_identity), rows.ids),
                    _numbers(cameras, rows.cameras, last_camera),
                )
                for rows in splits
            )
        )
        last_identity += len(persons)
        last_camera += len(cameras)
    train, query, gallery = (ImageRows.joined(*parts) for parts in zip(*renumbered, strict=True))
    return ReidData(name, train, query, gallery)


def _numbers(known: NDArray[np.int64], values: NDArray[np.int64], last: int) -> NDArray[np.int64]:
    return (np.searchsorted(known, values) + last + 1).astype(np.int64)


def _check_disjoint(datasets: Sequence[ReidData]) -> None:
    """Raise when one folder was given twice: each person would be two, and the network be told to tell them apart."""
    owner: dict[str, str] = {}
    real: dict[Path, str] = {}
    for place, data in enumerate(datasets):
        seen: dict[str, str] = {}
        for path in (path for rows in (data.train, data.query, data.gallery) for path in rows.paths):
            if path.parent not in real:
                real[path.parent] = os.path.realpath(path.parent)
            seen[f"{real[path.parent]}/{path.name}"] = f"{data.name} (number {place + 1})"
        shared = owner.keys() & seen.keys()
        if shared:
            first = min(shared)
            raise InputError(
                f"{owner[first]} and {seen[first]} hold the same image {first}: leave one of them out, or give each "
                "its own --root"
            )
        owner.update(seen)


def train_on_all_images(data: ReidData) -> ReidData:
    """Return ``data`` with the persons of query and gallery among the training images too.

    That is how a set is used as the *source* of cross-domain training (OSNet, appendix: "all 126,441 images of 4,101
    identities in MSMT17"); its own test figures mean nothing afterwards. No image is taken twice.
    """
    rows = ImageRows.joined(data.train, data.query, data.gallery)
    rows = rows[rows.ids > 0]
    first: dict[Path, int] = {}
    for index, path in enumerate(rows.paths):
        first.setdefault(path, index)
    return replace(data, train=rows[np.fromiter(first.values(), np.int64)])
