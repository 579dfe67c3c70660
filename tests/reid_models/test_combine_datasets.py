"""Several data sets as one: nobody of one is taken for somebody of another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reid_models.data.combine import train_on_all_images
from reid_models.data.datasets import ImageRows, ReidData, combine_datasets, read_dataset, read_datasets
from reid_models.errors import InputError
from tests.reid_models.dataset_folders import market_folder

FIRST = ReidData(
    "first",
    ImageRows.of([(Path("a/1"), 7, 1), (Path("a/2"), 2, 2)]),
    ImageRows.of([(Path("a/3"), 5, 6)]),
    ImageRows.of([(Path("a/4"), -1, 1), (Path("a/5"), 0, 2), (Path("a/6"), 5, 1)]),
)
SECOND = ReidData(
    "second",
    ImageRows.of([(Path("b/1"), 7, 1), (Path("b/2"), 1041, 15)]),
    ImageRows.of([(Path("b/3"), 2, 1)]),
    ImageRows.of([(Path("b/4"), 2, 3), (Path("b/5"), 0, 3)]),
)


def test_identities_and_cameras_are_numbered_in_order() -> None:
    both = combine_datasets([FIRST, SECOND])
    assert both.name == "first+second"
    # 2, 5, 7 of the first are 1, 2, 3; 2, 7, 1041 of the second 4, 5, 6.
    assert both.train.ids.tolist() == [3, 1, 5, 6]
    assert both.query.ids.tolist() == [2, 4]
    assert both.gallery.ids.tolist() == [-1, 0, 2, 4, 0]
    # Cameras 1, 2, 6 are 1, 2, 3; 1, 3, 15 are 4, 5, 6.
    assert both.train.cameras.tolist() == [1, 2, 4, 6]
    assert both.gallery.cameras.tolist() == [1, 2, 1, 5, 5]
    assert both.gallery.paths == FIRST.gallery.paths + SECOND.gallery.paths


def test_one_alone_keeps_its_numbers() -> None:
    alone = combine_datasets([SECOND], name="mine")
    assert alone.name == "mine" and alone.train.ids.tolist() == [7, 1041]
    with pytest.raises(InputError, match="no data set to combine"):
        combine_datasets([])


rows = st.lists(st.tuples(st.integers(-1, 6), st.integers(1, 4)), min_size=1, max_size=8)


@given(st.lists(st.tuples(rows, rows, rows), min_size=2, max_size=3))
def test_who_was_one_stays_one_and_nobody_else_joins(contents: list[tuple[list[tuple[int, int]], ...]]) -> None:
    datasets = [
        ReidData(
            str(number),
            *(
                ImageRows.of((Path(f"{number}/{part}/{index}"), *row) for index, row in enumerate(listed))
                for part, listed in enumerate(splits)
            ),
        )
        for number, splits in enumerate(contents)
    ]
    both = combine_datasets(datasets)
    before: dict[Path, tuple[int, int, int]] = {}
    for number, data in enumerate(datasets):
        for part in (data.train, data.query, data.gallery):
            before |= {p: (number, i, c) for p, i, c in zip(part.paths, part.ids, part.cameras, strict=True)}
    persons, cameras = set(), set()
    for part in (both.train, both.query, both.gallery):
        for path, identity, camera in zip(part.paths, part.ids, part.cameras, strict=True):
            number, old_identity, old_camera = before[path]
            cameras.add((number, old_camera, camera))
            if old_identity > 0:
                persons.add((number, old_identity, identity))
            else:
                assert identity == old_identity
    for pairs in (persons, cameras):
        # One to one, and the new numbers are 1 … their count.
        assert len({pair[:2] for pair in pairs}) == len(pairs)
        assert {pair[2] for pair in pairs} == set(range(1, len(pairs) + 1))


def test_the_same_folder_twice_is_refused(tmp_path: Path) -> None:
    market_folder(tmp_path / "shop")
    link = tmp_path / "other"
    link.symlink_to(tmp_path / "shop")
    twice = [read_dataset("shop", tmp_path), read_dataset("other", tmp_path)]
    with pytest.raises(InputError, match=r"shop \(number 1\) and other \(number 2\) hold the same image"):
        combine_datasets(twice)


def test_all_images_are_trained_on_once() -> None:
    data = ReidData("both", FIRST.train, FIRST.gallery, FIRST.gallery)
    assert [path.name for path in train_on_all_images(data).train.paths] == ["1", "2", "6"]


@pytest.mark.data
def test_real_training_sets_combine(data_root: Path) -> None:
    parts = read_datasets(["cuhk01+cuhk03-pair1"], [data_root / "data" / "reid"])
    both = combine_datasets(parts)
    assert both.train.identities == 385 + 643 and len(both.train) == 1540 + 6264
    assert both.query.identities == both.gallery.identities == 200
    assert both.train.training_labels().max() == 385 + 643 - 1
    assert np.unique(both.train.cameras).tolist() == [1, 2, 3, 4]
    assert np.intersect1d(both.train.ids, both.gallery.ids).size == 0
