"""The Market-1501 layout."""

from __future__ import annotations

from pathlib import Path

import pytest

from reid_models.data.datasets import read_market1501
from reid_models.errors import InputError

FOLDERS = ("bounding_box_train", "query", "bounding_box_test")


def make(root: Path, **files: list[str]) -> Path:
    defaults = {
        "bounding_box_train": ["0007_c2s1_000003_00.jpg", "0002_c1s1_000451_03.jpg", "-1_c1s1_000000_00.jpg"],
        "query": ["0001_c3s2_000100_00.jpg"],
        "bounding_box_test": ["-1_c1s1_000401_03.jpg", "0000_c5s1_000151_01.jpg", "0001_c1s1_001051_00.png", "a.db"],
    }  # fmt: skip
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True)
        for name in files.get(folder, defaults[folder]):
            (root / folder / name).touch()
    return root


def test_rows_are_image_identity_camera(tmp_path: Path) -> None:
    data = read_market1501(make(tmp_path / "market"))
    assert [path.name for path in data.train.paths] == ["0002_c1s1_000451_03.jpg", "0007_c2s1_000003_00.jpg"]
    assert data.train.ids.tolist() == [2, 7] and data.train.cameras.tolist() == [1, 2]
    assert data.train.training_labels().tolist() == [0, 1]
    assert data.query.ids.tolist() == [1] and data.query.cameras.tolist() == [3]
    assert data.gallery.ids.tolist() == [-1, 0, 1]  # junk and distractors are kept for the ranking
    assert data.gallery.identities == 1 and len(data.gallery) == 3


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_market1501(tmp_path / "nothing")
    (tmp_path / "partial" / "query").mkdir(parents=True)
    with pytest.raises(InputError, match="bounding_box_train, bounding_box_test missing"):
        read_market1501(tmp_path / "partial")
    with pytest.raises(InputError, match=r"query holds no images"):
        read_market1501(make(tmp_path / "empty", query=["notes.txt"]))
    with pytest.raises(InputError, match=r"1 file names in .*query are not of the form .*first person1\.jpg"):
        read_market1501(make(tmp_path / "named", query=["person1.jpg", "0001_c3s2_000100_00.jpg"]))


@pytest.mark.data
def test_real_folders(data_root: Path) -> None:
    cuhk01 = read_market1501(data_root / "data" / "reid" / "cuhk01", name="cuhk01")
    assert (cuhk01.train.identities, cuhk01.query.identities, cuhk01.gallery.identities) == (385, 100, 100)
    assert set(cuhk01.train.cameras.tolist()) == {1, 2}
