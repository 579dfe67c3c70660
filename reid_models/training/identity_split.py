"""The split of Twins Contrastive Search: identities to train on, to validate on, and in both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid_models.errors import InputError

__all__ = ["IdentitySplit", "SharedImages", "split_identities"]

SharedImages = Literal["halved", "all"]


@dataclass(frozen=True, slots=True)
class IdentitySplit:
    """Which images belong to which side, with identities numbered anew on each.

    Args:
        train_rows: (N,) int64, positions in the labels that were split, ascending.
        train_labels: (N,) int64, 0 … ``train_classes`` − 1, the row of each image's identity in the training memory.
        validation_rows: (M,) int64.
        validation_labels: (M,) int64.
        train_identities: (``train_classes``,) original labels; ``train_labels`` index them.
        validation_identities: (``validation_classes``,) original labels.
    """

    train_rows: NDArray[np.int64]
    train_labels: NDArray[np.int64]
    validation_rows: NDArray[np.int64]
    validation_labels: NDArray[np.int64]
    train_identities: NDArray[np.int64]
    validation_identities: NDArray[np.int64]

    @property
    def train_classes(self) -> int:
        """Return the number of training identities."""
        return len(self.train_identities)

    @property
    def validation_classes(self) -> int:
        """Return the number of validation identities."""
        return len(self.validation_identities)

    @property
    def shared_identities(self) -> NDArray[np.int64]:
        """Return the original labels that both sides have, ascending."""
        return np.intersect1d(self.train_identities, self.validation_identities)


def split_identities(
    labels: ArrayLike,
    *,
    seed: int = 0,
    train_only: float = 0.2,
    both: float = 0.4,
    shared_images: SharedImages = "halved",
) -> IdentitySplit:
    """Split identities so that training and validation overlap in a set ratio (Sec. 3.1).

    The default is the published code's: 1/5 of the identities to train only, 2/5 in both, 2/5 to validate only.
    ``train_only=0, both=1`` is the usual scheme of classification ("TCM Overlap" of Fig. 5 a), ``both=0`` has no
    overlap. The same identities are shared whatever ``shared_images`` is.

    Args:
        labels: (N,) identity of each image, 0 or larger.
        seed: of the shuffle of identities, and of which half of an identity's images is for which side.
        train_only: share of identities to train on only, 0 to 1.
        both: share of identities in both; the rest is for validation only.
        shared_images: ``"halved"``: each image of a shared identity is on one side, half of them on each, an odd one
            to validate; an identity with a single image has it on both, for neither memory could know it otherwise.
            ``"all"``: every image is on both sides. The paper tells the overlap of identities only; halves are the
            published code's (the first and the second half of the list, where ours are drawn at random).

    Raises:
        InputError: labels that are no identities, shares out of range, a side with fewer than two identities, or
            ``shared_images`` that is neither.
    """
    given = np.asarray(labels)
    if given.ndim != 1 or not len(given) or not np.issubdtype(given.dtype, np.integer):
        raise InputError(f"labels of shape {given.shape} and type {given.dtype} must be a list of whole numbers")
    if given.min() < 0:
        raise InputError(f"the label {given.min()} is no identity: leave junk images out before the search")
    if not (0 <= train_only <= 1 and 0 <= both <= 1 and train_only + both <= 1 + 1e-9):
        raise InputError(f"train_only {train_only} and both {both} must be shares from 0 to 1 that add up to 1 at most")
    if shared_images not in get_args(SharedImages):
        raise InputError(f"shared_images {shared_images!r} is not one of {', '.join(get_args(SharedImages))}")
    identities = np.unique(given).astype(np.int64)
    generator = np.random.default_rng(seed)
    shuffled = generator.permutation(identities)
    first_shared = round(train_only * len(identities))
    end_shared = round((train_only + both) * len(identities))
    train, validation = np.sort(shuffled[:end_shared]), np.sort(shuffled[first_shared:])
    if min(len(train), len(validation)) < 2:
        raise InputError(
            f"{len(identities)} identities with train_only {train_only} and both {both} give {len(train)} to train "
            f"and {len(validation)} to validate: each side needs two or more; change the shares or give more identities"
        )

    to_train, to_validate = np.isin(given, train), np.isin(given, validation)
    if shared_images == "halved":
        for identity in np.intersect1d(train, validation):
            rows = generator.permutation(np.flatnonzero(given == identity))
            half = len(rows) // 2
            if half:
                to_validate[rows[:half]] = False
                to_train[rows[half:]] = False

    def side(mask: NDArray[np.bool_], chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        rows = np.flatnonzero(mask).astype(np.int64)
        return rows, np.searchsorted(chosen, given[rows]).astype(np.int64)

    return IdentitySplit(*side(to_train, train), *side(to_validate, validation), train, validation)
