"""What must hold of rows before they are trained on or ranked, told in one line when it does not."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reid_models.data.rows import ImageRows, ReidData
from reid_models.errors import InputError

__all__ = [
    "check_evaluation_rows",
    "check_training_rows",
    "identities_with_few_images",
    "queries_without_match",
    "without_images",
]


def identities_with_few_images(rows: ImageRows, minimum: int) -> NDArray[np.int64]:
    """Return the (M,) identities, ascending, of which ``rows`` hold fewer than ``minimum`` images."""
    identities, counts = np.unique(rows.ids[rows.ids > 0], return_counts=True)
    few: NDArray[np.int64] = identities[counts < minimum]
    return few


def check_training_rows(rows: ImageRows, *, minimum_images: int = 1, strict: bool = False) -> tuple[str, ...]:
    """Return warnings about training rows, of which a sampler takes ``minimum_images`` per identity (the K of P×K).

    An identity with fewer images than that is no obstacle, for a sampler can draw one twice: it is warned about, or,
    with ``strict``, refused.

    Raises:
        InputError: no images, junk or distractors among them, fewer than two identities, or (``strict``) identities
            with too few images.
    """
    if not len(rows):
        raise InputError("there are no training images: check --data and --root")
    strangers = int((rows.ids <= 0).sum())
    if strangers:
        raise InputError(f"{strangers} of {len(rows)} training images are junk or distractors: leave them out")
    if rows.identities < 2:
        raise InputError(f"all {len(rows)} training images are of one identity: nothing can be learnt from them")
    few = identities_with_few_images(rows, minimum_images)
    if not len(few):
        return ()
    shown = ", ".join(map(str, few[:5])) + (", …" if len(few) > 5 else "")
    message = f"{len(few)} of {rows.identities} identities have fewer than {minimum_images} images ({shown})"
    if strict:
        raise InputError(f"{message}: leave them out, or take fewer images per identity")
    return (f"{message}: some of their images are drawn more than once in a batch",)


def queries_without_match(query: ImageRows, gallery: ImageRows) -> NDArray[np.int64]:
    """Return the (M,) indices of queries of whose identity no other camera has an image in ``gallery``."""
    if not len(query):
        return np.empty(0, np.int64)
    # An identity seen by one camera only matches every query but that camera's own.
    order = np.lexsort((gallery.cameras, gallery.ids))
    ids, cameras = gallery.ids[order], gallery.cameras[order]
    first = np.searchsorted(ids, query.ids, "left")
    stop = np.searchsorted(ids, query.ids, "right")
    found = (stop > first) & (query.ids > 0)
    matched = np.zeros(len(query), bool)
    # Cameras of one identity are ascending: another one than the query's is at either end.
    matched[found] = (cameras[first[found]] != query.cameras[found]) | (
        cameras[stop[found] - 1] != query.cameras[found]
    )
    return np.flatnonzero(~matched)


def check_evaluation_rows(data: ReidData) -> NDArray[np.int64]:
    """Return the (M,) indices of queries that have no true match and are left out of every mean.

    Raises:
        InputError: no queries, an empty gallery or one of junk only, or no query with a true match.
    """
    if not len(data.query):
        raise InputError(f"{data.name} has no query images: nothing to evaluate")
    if not len(data.gallery):
        raise InputError(f"the gallery of {data.name} is empty: nothing to rank")
    if not (data.gallery.ids != -1).any():
        raise InputError(f"the {len(data.gallery)} gallery images of {data.name} are all junk (identity -1)")
    lone = queries_without_match(data.query, data.gallery)
    if len(lone) == len(data.query):
        raise InputError(
            f"none of the {len(lone)} queries of {data.name} has a true match from another camera in the gallery: "
            "check identities and cameras in the file names"
        )
    return lone


def without_images(rows: ImageRows, paths: Iterable[Path]) -> ImageRows:
    """Return ``rows`` without the given images, such as broken ones."""
    unwanted = set(paths)
    return rows[np.array([path not in unwanted for path in rows.paths], bool)]
