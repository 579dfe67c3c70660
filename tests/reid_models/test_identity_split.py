"""The sides of Twins Contrastive Search: which identities and which of their images are trained and validated on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reid_models.errors import InputError
from reid_models.training.identity_split import split_identities


@pytest.mark.parametrize(
    ("train_only", "both", "counts"), [(0.2, 0.4, (20, 40, 40)), (0, 1, (0, 100, 0)), (0.5, 0, (50, 0, 50))]
)
def test_identities_overlap_in_the_set_ratio(train_only: float, both: float, counts: tuple[int, int, int]) -> None:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(100) * 7 + 3, 5))
    split = split_identities(labels, seed=3, train_only=train_only, both=both, shared_images="all")
    train, validation = set(split.train_identities.tolist()), set(split.validation_identities.tolist())
    assert (len(train - validation), len(train & validation), len(validation - train)) == counts
    assert set(split.shared_identities.tolist()) == train & validation
    for rows, numbered, identities in (
        (split.train_rows, split.train_labels, split.train_identities),
        (split.validation_rows, split.validation_labels, split.validation_identities),
    ):
        assert np.array_equal(identities[numbered], labels[rows])
        assert len(rows) == 5 * len(identities) and sorted(set(numbered.tolist())) == list(range(len(identities)))
    again = split_identities(labels, seed=3, train_only=train_only, both=both, shared_images="all")
    assert np.array_equal(split.train_rows, again.train_rows)
    halved = split_identities(labels, seed=3, train_only=train_only, both=both)
    assert np.array_equal(split.train_identities, halved.train_identities)
    assert np.array_equal(split.validation_identities, halved.validation_identities)
    if counts != (0, 100, 0):
        other = split_identities(labels, seed=4, train_only=train_only, both=both)
        assert not np.array_equal(split.train_identities, other.train_identities)


def test_images_of_a_shared_identity_are_halved() -> None:
    """The published code's sides: floor(n / 2) images to train, the others to validate, none of them on both."""
    sizes = {3: 1, 10: 2, 17: 5, 24: 6, 31: 1}
    labels = np.random.default_rng(0).permutation(np.repeat(list(sizes), list(sizes.values())))
    split = split_identities(labels, seed=2, train_only=0, both=1, shared_images="halved")
    assert split.train_identities.tolist() == split.validation_identities.tolist() == list(sizes)
    for numbered, share in (
        (split.train_labels, {3: 1, 10: 1, 17: 2, 24: 3, 31: 1}),
        (split.validation_labels, {3: 1, 10: 1, 17: 3, 24: 3, 31: 1}),
    ):
        assert np.bincount(numbered).tolist() == list(share.values())
    # Where there is one image only, both sides have it.
    on_both = np.intersect1d(split.train_rows, split.validation_rows)
    assert sorted(labels[on_both].tolist()) == [3, 31]
    assert np.array_equal(np.union1d(split.train_rows, split.validation_rows), np.arange(len(labels)))
    for rows, numbered in ((split.train_rows, split.train_labels), (split.validation_rows, split.validation_labels)):
        assert np.array_equal(split.train_identities[numbered], labels[rows]) and np.all(np.diff(rows) > 0)
    again, other = (split_identities(labels, seed=seed, train_only=0, both=1) for seed in (2, 3))
    assert np.array_equal(split.train_rows, again.train_rows)
    assert not np.array_equal(split.train_rows, other.train_rows)


def test_images_of_one_side_only_are_not_halved() -> None:
    labels = np.repeat(np.arange(10), 4)
    split = split_identities(labels, seed=1)
    shared = np.isin(labels, split.shared_identities)
    assert shared.sum() == 16
    for rows, identities in (
        (split.train_rows, split.train_identities),
        (split.validation_rows, split.validation_identities),
    ):
        assert (~shared[rows]).sum() == 4 * (len(identities) - 4) and shared[rows].sum() == 8


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        ([], {}, "whole numbers"),
        ([0.5, 1.0], {}, "whole numbers"),
        ([1, -1, 2, 3], {}, "label -1 is no identity"),
        ([1, 2, 3, 4], {"train_only": 0.8, "both": 0.4}, "add up to 1 at most"),
        ([1, 1, 2, 2], {}, "each side needs two or more"),
        ([1, 2, 3, 4], {"shared_images": "half"}, "'half' is not one of halved, all"),
    ],
)
def test_labels_that_cannot_be_split_are_refused(labels: list[float], options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        split_identities(labels, **options)
