"""What every evaluation is given: features, identities and cameras, checked with one line when they cannot be used."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid_models.errors import InputError

__all__ = ["JUNK", "Labels", "checked_feature_pair", "checked_features", "normalized_features"]

#: id of images that the protocol drops before anything (false detections)
JUNK = -1


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Identities and cameras of queries (Q,) and gallery (G,), all int64."""

    query_ids: NDArray[np.int64]
    query_cameras: NDArray[np.int64]
    gallery_ids: NDArray[np.int64]
    gallery_cameras: NDArray[np.int64]

    @classmethod
    def checked(
        cls,
        query_ids: ArrayLike,
        query_cameras: ArrayLike,
        gallery_ids: ArrayLike,
        gallery_cameras: ArrayLike,
        queries: int,
        gallery: int,
    ) -> Labels:
        """Return the labels of ``queries`` and ``gallery`` images.

        Raises:
            InputError: lengths differ, values are no whole numbers, or the gallery holds nothing but junk.
        """
        arrays = []
        for name, values, count in (
            ("query ids", query_ids, queries),
            ("query cameras", query_cameras, queries),
            ("gallery ids", gallery_ids, gallery),
            ("gallery cameras", gallery_cameras, gallery),
        ):
            array = np.asarray(values)
            if array.shape != (count,) or (array.size and array.dtype.kind not in "iu"):
                raise InputError(f"{name} have shape {array.shape} and type {array.dtype}; give {count} whole numbers")
            arrays.append(array.astype(np.int64))
        if not (arrays[2] != JUNK).any():
            raise InputError(f"the gallery of {gallery} images holds nothing but junk (identity -1): nothing to rank")
        return cls(*arrays)

    def without_junk(self) -> tuple[Labels, NDArray[np.int64] | None]:
        """Return the labels without junk gallery images, and the kept columns (``None``: all)."""
        if (self.gallery_ids != JUNK).all():
            return self, None
        kept = np.flatnonzero(self.gallery_ids != JUNK)
        return replace(self, gallery_ids=self.gallery_ids[kept], gallery_cameras=self.gallery_cameras[kept]), kept


def checked_feature_pair(query: ArrayLike, gallery: ArrayLike) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return query (Q, D) and gallery (G, D) features, each as :func:`checked_features` does.

    Raises:
        InputError: as there, or the dimensions differ.
    """
    first, second = checked_features("query", query), checked_features("gallery", gallery)
    if first.shape[1] != second.shape[1]:
        raise InputError(
            f"query features have {first.shape[1]} dimensions and gallery features {second.shape[1]}: "
            "embed both with one model"
        )
    return first, second


def checked_features(name: str, values: ArrayLike) -> NDArray[np.floating]:
    """Return (N, D) features, float64 if they were given so and float32 otherwise.

    Raises:
        InputError: another shape or type, no rows, or a value that is not finite; ``name`` says whose features.
    """
    array = np.asarray(values)
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise InputError(f"{name} features have shape {array.shape} and type {array.dtype}; give (images, D) floats")
    if not len(array):
        raise InputError(f"the {name} is empty: nothing to rank")
    array = array if array.dtype == np.float64 else array.astype(np.float32)
    broken = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(broken):
        raise InputError(f"{len(broken)} {name} features are not finite, first that of image {broken[0]}")
    return array


def normalized_features(features: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return features (N, D) scaled to length 1; a vector of zeros stays."""
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    result: NDArray[np.floating] = features / np.maximum(norms, np.finfo(features.dtype).tiny)
    return result
