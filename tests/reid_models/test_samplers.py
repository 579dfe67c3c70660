"""Which images make a batch: shuffled, P identities × K images, over cameras, processes and epochs."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_models.data.samplers import BatchPlan, IdentityPlan, PlannedImage, ShuffledPlan
from reid_models.errors import InputError


def rows_of(plan: BatchPlan, epoch: int = 0) -> list[list[int]]:
    """Return the rows of each batch."""
    return [[planned.row for planned in batch] for batch in plan.batches(epoch)]


def labels_of(counts: list[int]) -> np.ndarray:
    """Return labels with ``counts[i]`` images of class i, mixed up."""
    return np.random.default_rng(5).permutation(np.repeat(np.arange(len(counts)), counts))


def test_a_shuffled_epoch_shows_every_image_once_and_drops_the_incomplete_batch() -> None:
    batches = rows_of(ShuffledPlan(23, 5, seed=1))
    assert [len(batch) for batch in batches] == [5, 5, 5, 5]
    seen = [row for batch in batches for row in batch]
    assert len(set(seen)) == 20 and set(seen) < set(range(23))
    whole = [row for batch in rows_of(ShuffledPlan(20, 5, seed=1)) for row in batch]
    assert sorted(whole) == list(range(20)) and whole != list(range(20))


def test_places_number_the_epoch_and_name_it() -> None:
    plan = ShuffledPlan(12, 4, seed=0)
    planned = [image for batch in plan.batches(3) for image in batch]
    assert [image.place for image in planned] == list(range(12)) and {image.epoch for image in planned} == {3}
    assert planned[0] == PlannedImage(3, 0, int(plan.order(3)[0]))


@pytest.mark.parametrize("kind", ["shuffled", "identity"])
def test_order_is_a_function_of_seed_and_epoch(kind: str) -> None:
    def plan(seed: int) -> BatchPlan:
        if kind == "shuffled":
            return ShuffledPlan(40, 8, seed)
        return IdentityPlan(labels_of([5] * 8), 4, 2, seed)

    first, again = plan(7), plan(7)
    expected = [rows_of(first, epoch) for epoch in range(3)]
    # Asked for in another order, as a resumed run does.
    assert [rows_of(again, epoch) for epoch in (2, 0, 1)] == [expected[2], expected[0], expected[1]]
    assert expected[0] != expected[1] != expected[2] != expected[0]
    assert rows_of(plan(8)) != expected[0]


counts_of_identities = st.lists(st.integers(1, 9), min_size=4, max_size=9)


@settings(deadline=None)
@given(counts_of_identities, st.integers(2, 4), st.integers(2, 4), st.integers(0, 2**32 - 1))
def test_batches_are_p_identities_by_k_images(counts: list[int], people: int, images: int, seed: int) -> None:
    labels = labels_of(counts)
    batches = rows_of(IdentityPlan(labels, people, images, seed))
    assert batches
    seen = Counter(row for batch in batches for row in batch)
    groups_left = [max(1, count // images) for count in counts]
    for batch in batches:
        assert len(batch) == people * images
        groups = labels[np.array(batch)].reshape(people, images)
        # Each K in a row are one person, and no person comes twice.
        assert (groups == groups[:, :1]).all() and len(set(groups[:, 0].tolist())) == people
        for identity in groups[:, 0]:
            groups_left[identity] -= 1
    # The epoch ends only when fewer than P persons have images left, and nobody is dealt more than is there.
    assert min(groups_left) >= 0 and sum(left > 0 for left in groups_left) < people
    for row, times in seen.items():
        assert times == 1 or counts[labels[row]] < images


def test_an_epoch_shows_nearly_all_and_a_few_epochs_show_everyone() -> None:
    counts = [4] * 30 + [8] * 10
    labels = labels_of(counts)
    plan = IdentityPlan(labels, 8, 4, seed=0)
    possible = sum(count // 4 for count in counts) // 8
    missed = set(range(40))
    for epoch in range(5):
        batches = rows_of(plan, epoch)
        assert possible - 1 <= len(batches) <= possible
        missed -= set(labels[np.array(batches).ravel()].tolist())
    assert not missed


def test_people_with_many_images_are_not_left_over() -> None:
    """Three people with ten groups each beside twenty with one: 50 groups, at most 12 batches of four people."""
    labels = labels_of([40] * 3 + [4] * 20)
    batches = [len(rows_of(IdentityPlan(labels, 4, 4, seed=seed))) for seed in range(20)]
    assert min(batches) >= 10 and max(batches) == 12


def test_few_images_are_repeated_and_all_of_them_shown() -> None:
    labels = np.array([0, 0, 0, 1, 2, 2, 2, 2])
    (batch,) = rows_of(IdentityPlan(labels, 3, 4, seed=0))
    by_identity = {identity: [row for row in batch if labels[row] == identity] for identity in range(3)}
    assert set(by_identity[0]) == {0, 1, 2} and len(by_identity[0]) == 4
    assert by_identity[1] == [3, 3, 3, 3]
    assert sorted(by_identity[2]) == [4, 5, 6, 7]


def test_labels_need_not_be_numbered_without_gaps() -> None:
    batches = rows_of(IdentityPlan([70, 5, 70, 5, 900, 900], 3, 2, seed=0))
    assert [sorted(batch) for batch in batches] == [[0, 1, 2, 3, 4, 5]]


def test_camera_aware_groups_mix_cameras() -> None:
    """Each person has 12 images of camera 1 and 4 of each of three others."""
    labels = np.repeat(np.arange(6), 24)
    cameras = np.tile(np.repeat([1, 2, 3, 4], [12, 4, 4, 4]), 6)

    def cameras_per_group(plan: IdentityPlan) -> list[int]:
        return [
            len(set(cameras[rows].tolist()))
            for batch in rows_of(plan)
            for rows in np.array(batch).reshape(-1, 4)
        ]  # fmt: skip

    aware = cameras_per_group(IdentityPlan(labels, 3, 4, seed=0, cameras=cameras))
    blind = cameras_per_group(IdentityPlan(labels, 3, 4, seed=0))
    # Four groups of a person can hold all four cameras; the two that remain have camera 1 alone.
    assert Counter(aware) == {4: 24, 1: 12}
    assert Counter(blind)[4] < 12


@settings(deadline=None)
@given(st.lists(st.integers(1, 3), min_size=4, max_size=12), st.integers(0, 1000))
def test_the_first_group_has_as_many_cameras_as_there_are(cameras: list[int], seed: int) -> None:
    seen_by = np.array([*cameras, *cameras])
    plan = IdentityPlan(np.repeat([0, 1], len(cameras)), 2, 4, seed, cameras=seen_by)
    groups = [rows for batch in rows_of(plan) for rows in np.array(batch).reshape(-1, 4)]
    for identity in (0, 1):
        own = [group for group in groups if group[0] // len(cameras) == identity]
        assert max(len(set(seen_by[group].tolist())) for group in own) == len(set(cameras))


@settings(deadline=None)
@given(st.integers(1, 4), st.integers(16, 50), st.integers(2, 4), st.integers(0, 100))
def test_processes_take_different_batches_and_equally_many(processes: int, images: int, size: int, seed: int) -> None:
    alone = ShuffledPlan(images, size, seed).batches(2)
    parts = [ShuffledPlan(images, size, seed, process, processes).batches(2) for process in range(processes)]
    assert len({len(part) for part in parts}) == 1 and len(parts[0]) == images // size // processes
    # Put together by turns they are one process' batches, with the same places and so the same augmentation.
    together = [batch for step in zip(*parts, strict=True) for batch in step]
    assert together == alone[: len(together)]


def test_identity_batches_are_shared_among_processes_too() -> None:
    labels = labels_of([6] * 10)
    alone = rows_of(IdentityPlan(labels, 4, 2, seed=3))
    parts = [rows_of(IdentityPlan(labels, 4, 2, seed=3, process=process, processes=2)) for process in range(2)]
    assert parts[0] == alone[: 2 * len(parts[0]) : 2] and parts[1] == alone[1 : 2 * len(parts[1]) : 2]
    assert len(parts[0]) == len(parts[1]) == len(alone) // 2 > 0


def test_too_few_images_or_identities_are_told() -> None:
    with pytest.raises(InputError, match=r"7 training images do not fill 1 batch\(es\) of 8: lower sampler.batch_size"):
        ShuffledPlan(7, 8, seed=0)
    with pytest.raises(InputError, match=r"15 training images do not fill 2 batch\(es\) of 8"):
        ShuffledPlan(15, 8, seed=0, processes=2)
    with pytest.raises(
        InputError, match=r"3 training identities do not fill a batch of 4 × 2: lower sampler.identities"
    ):
        IdentityPlan([0, 0, 1, 1, 2, 2], 4, 2, seed=0)
    with pytest.raises(InputError, match=r"fill 1 batch\(es\) of 4, fewer than there are processes \(2\)"):
        IdentityPlan([0, 0, 1, 1], 2, 2, seed=0, processes=2).batches(0)
