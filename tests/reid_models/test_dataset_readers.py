"""Each data set's own layout, on made-up folders."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from reid_models.data.cuhk03_release import extract_cuhk03, main
from reid_models.data.datasets import ImageRows, ReidData, read_dataset
from reid_models.errors import InputError
from tests.reid_models.dataset_folders import cells, market_folder, touch, triples


def persons(rows: ImageRows) -> set[int]:
    return set(rows.ids.tolist())


# MSMT17


def msmt17(root: Path, train: str = "train", test: str = "test") -> Path:
    lists = {
        "list_train.txt": (train, ["0000/0000_000_01_0303morning_0008_0.jpg 0", "0001/0001_000_14_0113noon_1_2.jpg 1"]),
        "list_val.txt": (train, ["0000/0000_006_05_0303morning_0009_0.jpg 0"]),
        "list_query.txt": (test, ["0000/0000_000_02_0303morning_0018_0.jpg 0"]),
        "list_gallery.txt": (test, ["0000/0000_001_15_0303noon_0019_1.jpg 0", "0001/0001_001_01_0303noon_1_1.jpg 1"]),
    }
    for name, (folder, lines) in lists.items():
        touch(root / folder, [line.split()[0] for line in lines])
        (root / name).write_text("\n".join(lines) + "\n")
    return root


@pytest.mark.parametrize(
    ("folder", "train", "test"),
    [("MSMT17_V1", "train", "test"), ("msmt17/MSMT17_V2", "mask_train_v2", "mask_test_v2")],
)
def test_msmt17_numbers_test_persons_after_training_persons(folder: str, train: str, test: str, tmp_path: Path) -> None:
    msmt17(tmp_path / folder, train, test)
    data = read_dataset("msmt17", tmp_path)
    assert triples(data.train) == [
        ("0000_000_01_0303morning_0008_0.jpg", 1, 1),
        ("0001_000_14_0113noon_1_2.jpg", 2, 14),
    ]
    assert triples(data.query) == [("0000_000_02_0303morning_0018_0.jpg", 3, 2)]
    assert data.gallery.ids.tolist() == [3, 4] and data.gallery.cameras.tolist() == [15, 1]
    assert data.gallery.paths[0] == tmp_path / folder / test / "0000" / "0000_001_15_0303noon_0019_1.jpg"


def test_msmt17_validation_images_may_be_trained_on(tmp_path: Path) -> None:
    data = read_dataset("msmt17", msmt17(tmp_path), include_validation=True)
    assert data.train.ids.tolist() == [1, 2, 1] and data.query.ids.tolist() == [3]


def test_msmt17_versions_are_told_apart(tmp_path: Path) -> None:
    msmt17(tmp_path / "MSMT17_V1")
    msmt17(tmp_path / "MSMT17_V2", "mask_train_v2", "mask_test_v2")
    assert "MSMT17_V1" in str(read_dataset("msmt17", tmp_path).train.paths[0])
    assert "mask_train_v2" in str(read_dataset("msmt17", tmp_path, version="v2").train.paths[0])
    with pytest.raises(InputError, match="version=v3 is not one of any, v1, v2"):
        read_dataset("msmt17", tmp_path, version="v3")


def test_msmt17_names_missing_files_and_bad_lines(tmp_path: Path) -> None:
    root = msmt17(tmp_path)
    (root / "train" / "0001" / "0001_000_14_0113noon_1_2.jpg").unlink()
    with pytest.raises(
        InputError, match=r"1 of the 2 images that .*list_train\.txt lists do not exist, first .*0001_00"
    ):
        read_dataset("msmt17", root)
    (root / "list_train.txt").write_text("0000/0000_000_01_0303morning_0008_0.jpg\n")
    with pytest.raises(InputError, match=r"line 1 of .*list_train\.txt is '0000/.*'; it should be a file and a number"):
        read_dataset("msmt17", root)
    (root / "list_train.txt").unlink()
    with pytest.raises(InputError, match=r"list_train\.txt missing; it needs"):
        read_dataset("msmt17", root)


# CUHK01


def cuhk01(root: Path, count: int = 10) -> Path:
    return touch(root, [f"{person:04d}{image:03d}.png" for person in range(1, count + 1) for image in range(1, 5)])


def test_cuhk01_is_split_at_random_and_repeatably(tmp_path: Path) -> None:
    cuhk01(tmp_path / "CUHK01" / "campus")
    data = read_dataset("cuhk01", tmp_path, test_identities=4)
    assert (data.train.identities, data.query.identities, data.gallery.identities) == (6, 4, 4)
    assert persons(data.train).isdisjoint(persons(data.query)) and persons(data.query) == persons(data.gallery)
    assert (len(data.train), len(data.query), len(data.gallery)) == (24, 8, 8)
    assert set(data.query.cameras.tolist()) == {1} and set(data.gallery.cameras.tolist()) == {2}
    # Images 001 and 002 are of camera 1.
    assert {path.stem[4:] for path in data.query.paths} == {"001", "002"}
    again = read_dataset("cuhk01", tmp_path, test_identities=4)
    assert triples(again.train) == triples(data.train)
    splits = {tuple(read_dataset("cuhk01", tmp_path, test_identities=4, split=n).query.ids) for n in range(10)}
    assert len(splits) > 5
    other = read_dataset("cuhk01", tmp_path, test_identities=4, query_camera=2)
    assert triples(other.query) == triples(data.gallery)


def test_cuhk01_may_be_split_already(tmp_path: Path) -> None:
    market_folder(tmp_path / "cuhk01")
    assert read_dataset("cuhk01", tmp_path).train.ids.tolist() == [2, 7]
    with pytest.raises(InputError, match="is already split"):
        read_dataset("cuhk01", tmp_path, split=1)


def test_cuhk01_refuses_what_it_cannot_use(tmp_path: Path) -> None:
    cuhk01(tmp_path / "campus")
    with pytest.raises(InputError, match="test_identities=486 must lie between 1 and 9"):
        read_dataset("cuhk01", tmp_path)
    touch(tmp_path / "campus", ["0001005.png"])
    with pytest.raises(InputError, match=r"0001005\.png is not of the form"):
        read_dataset("cuhk01", tmp_path, test_identities=4)


# CUHK03

CUHK03_FILES = [
    f"{pair}_{person:03d}_{number}.png"
    for pair, person in ((1, 1), (1, 2), (2, 1))
    for number in ("1_01", "1_02", "2_06", "2_07")
]


def cuhk03(root: Path, images: str = "detected") -> Path:
    return touch(root / f"images_{images}", CUHK03_FILES).parent


def published_split(path: Path, *, train: list[int], query: list[int], gallery: list[int]) -> None:
    scipy.io.savemat(
        path,
        {
            "filelist": cells(CUHK03_FILES),
            "labels": np.repeat([1, 2, 3], 4)[:, None],
            "train_idx": np.array(train)[:, None],
            "query_idx": np.array(query)[:, None],
            "gallery_idx": np.array(gallery)[:, None],
        },
    )


def check_new_protocol(data: ReidData) -> None:
    assert triples(data.train) == [(file, 1001, 1 if "_1_0" in file[5:] else 2) for file in CUHK03_FILES[:4]]
    assert triples(data.query) == [("1_002_1_01.png", 1002, 1), ("2_001_2_06.png", 2001, 2)]
    assert triples(data.gallery) == [("1_002_2_06.png", 1002, 2), ("2_001_1_02.png", 2001, 1)]


def test_cuhk03_new_protocol_from_the_published_indices(tmp_path: Path) -> None:
    root = cuhk03(tmp_path / "cuhk03", "labeled")
    published = root / "cuhk03_new_protocol_config_labeled.mat"
    published_split(published, train=[1, 2, 3, 4], query=[5, 11], gallery=[7, 10])
    check_new_protocol(read_dataset("cuhk03", tmp_path, images="labeled"))
    with pytest.raises(InputError, match=r"in .*cuhk03 images_detected, .*\.mat missing; it needs images_detected"):
        read_dataset("cuhk03", tmp_path)
    published_split(published, train=[1, 2, 3, 4], query=[5, 13], gallery=[7, 10])
    with pytest.raises(InputError, match=r"query_idx of .*labeled\.mat does not fit its 12 files"):
        read_dataset("cuhk03", tmp_path, images="labeled")


def test_cuhk03_new_protocol_from_a_written_split(tmp_path: Path) -> None:
    root = cuhk03(tmp_path)
    # Paths of another machine, persons numbered anew.
    rows = [[f"/elsewhere/images_detected/{file}", 0, 0] for file in CUHK03_FILES]
    split = {"train": rows[:4], "query": [rows[4], rows[10]], "gallery": [rows[6], rows[9]]}
    (root / "splits_new_detected.json").write_text(json.dumps([split]))
    check_new_protocol(read_dataset("cuhk03", root))
    with pytest.raises(InputError, match="the new protocol of CUHK03 has one split only"):
        read_dataset("cuhk03", root, split=1)
    (root / "splits_new_detected.json").write_text('[{"train": []}]')
    with pytest.raises(InputError, match="holds no splits with train, query and gallery"):
        read_dataset("cuhk03", root)


def test_cuhk03_new_protocol_in_market_layout(tmp_path: Path) -> None:
    market_folder(tmp_path / "CUHK03-NP" / "labeled", query=["0003_c1_21.png"])
    assert triples(read_dataset("cuhk03", tmp_path, images="labeled").query) == [("0003_c1_21.png", 3, 1)]


@pytest.mark.parametrize("written", [False, True])
def test_cuhk03_classic_protocol(written: bool, tmp_path: Path) -> None:
    root = cuhk03(tmp_path)
    if written:
        rows = [[file, 0, 0] for file in CUHK03_FILES]
        splits = [
            {"train": [], "query": [], "gallery": []},
            {"train": rows[4:], "query": rows[:4], "gallery": rows[:4]},
        ]
        (root / "splits_classic_detected.json").write_text(json.dumps(splits))
    else:
        (root / "testsets.json").write_text(json.dumps([[[2, 1]], [[1, 1]]]))
    data = read_dataset("cuhk03", root, protocol="classic", split=1)
    assert persons(data.train) == {1002, 2001} and persons(data.query) == {1001}
    assert triples(data.query) == triples(data.gallery) and data.query.cameras.tolist() == [1, 1, 2, 2]
    with pytest.raises(InputError, match="split=2 is not one of 0, 1"):
        read_dataset("cuhk03", root, protocol="classic", split=2)
    with pytest.raises(InputError, match="protocol=old is not one of new, classic"):
        read_dataset("cuhk03", root, protocol="old")


def test_cuhk03_release_alone_tells_how_to_unpack_it(tmp_path: Path) -> None:
    touch(tmp_path / "cuhk03_release", ["cuhk-03.mat"])
    with pytest.raises(
        InputError, match=r"python -m reid_models\.data\.cuhk03_release .*cuhk-03\.mat .* writes images"
    ):
        read_dataset("cuhk03", tmp_path)


def test_cuhk03_release_needs_h5py(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(InputError, match=r"needs h5py, which is not installed: pip install h5py"):
        extract_cuhk03(tmp_path / "cuhk-03.mat", tmp_path)
    assert main([str(tmp_path / "cuhk-03.mat"), str(tmp_path)]) == 2
    assert re.fullmatch(r"error: .*pip install h5py\n", capsys.readouterr().err)


def test_cuhk03_release_becomes_images(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    import cv2

    image = np.arange(4 * 3 * 3, dtype=np.uint8).reshape(4, 3, 3)  # (H, W, 3) RGB
    release = tmp_path / "cuhk-03.mat"
    with h5py.File(release, "w") as content:

        def put(key: str, value: np.ndarray) -> object:
            content.create_dataset(key, data=value)
            return content[key].ref

        for images in ("detected", "labeled"):
            pairs = np.empty((1, 2), h5py.ref_dtype)
            for pair in range(2):
                # MATLAB's axes are stored reversed: persons × 10 becomes 10 × persons.
                people = np.empty((10, 1), h5py.ref_dtype)
                for number in range(10):
                    filled = number in (0, 4, 5)
                    value = image.T + np.uint8(number) if filled else np.zeros(2, np.uint64)
                    people[number, 0] = put(f"refs/{images}{pair}{number}", value)
                pairs[0, pair] = put(f"refs/{images}{pair}", people)
            content.create_dataset(images, data=pairs)
        tests = np.empty((1, 1), h5py.ref_dtype)
        tests[0, 0] = put("refs/tests", np.array([[2.0], [1.0]]))
        content.create_dataset("testsets", data=tests)
    assert main([str(release), str(tmp_path / "out")]) == 0
    assert extract_cuhk03(release, tmp_path / "out") == 12
    names = sorted(path.name for path in (tmp_path / "out" / "images_labeled").iterdir())
    assert names == [f"{pair}_001_{end}.png" for pair in (1, 2) for end in ("1_01", "1_05", "2_06")]
    read = cv2.imread(str(tmp_path / "out" / "images_detected" / "2_001_2_06.png"))
    np.testing.assert_array_equal(read[:, :, ::-1], image + 5)
    data = read_dataset("cuhk03", tmp_path / "out", protocol="classic")
    assert persons(data.train) == {1001} and persons(data.query) == {2001}


# VIPeR


def test_viper_halves(tmp_path: Path) -> None:
    root = tmp_path / "viper" / "VIPeR"
    touch(root / "cam_a", [f"{person:03d}_45.bmp" for person in range(12)])
    touch(root / "cam_b", [f"{person:03d}_{90 + person}.bmp" for person in range(12)])
    data = read_dataset("viper", tmp_path)
    assert (data.train.identities, data.query.identities, data.gallery.identities) == (6, 6, 6)
    assert persons(data.train) | persons(data.query) == set(range(1, 13))
    assert len(data.train) == 12 and data.query.ids.tolist() == data.gallery.ids.tolist()
    assert set(data.query.cameras.tolist()) == {1} and set(data.gallery.cameras.tolist()) == {2}
    assert all(int(path.name[:3]) + 1 == person for path, person in zip(data.query.paths, data.query.ids, strict=True))
    other = read_dataset("viper", tmp_path, query_camera="b")
    assert triples(other.query) == triples(data.gallery) and triples(other.train) == triples(data.train)
    assert len({tuple(read_dataset("viper", tmp_path, split=split).query.ids) for split in range(10)}) > 5
    assert triples(read_dataset("viper", tmp_path, seed=1).train) != triples(data.train)
    with pytest.raises(InputError, match="split=10 is not one of 0, 1"):
        read_dataset("viper", tmp_path, split=10)
    (root / "cam_b" / "003_93.bmp").unlink()
    with pytest.raises(InputError, match=r"1 are not, first number 003"):
        read_dataset("viper", tmp_path)
    touch(root / "cam_b", ["003_1.bmp", "003_2.bmp"])
    with pytest.raises(InputError, match=r"some are there more than once"):
        read_dataset("viper", tmp_path)


# GRID


def grid(root: Path, splits: list[list[int]]) -> Path:
    touch(root / "probe", [f"{person:04d}_1_25004_107_32_106_221.jpeg" for person in range(1, 7)])
    touch(
        root / "gallery", [f"{person:04d}_8_25008_{n}_2_3_4.jpeg" for n, person in enumerate([1, 2, 3, 4, 5, 6, 0, 0])]
    )
    parts = np.empty((1, len(splits)), object)
    for index, trained in enumerate(splits):
        parts[0, index] = {"first": 1.0, "second": 2.0, "third": np.array([trained])}
    scipy.io.savemat(root / "features_and_partitions.mat", {"trainIdxAll": parts})
    return root


def test_grid_takes_the_published_splits(tmp_path: Path) -> None:
    grid(tmp_path / "grid" / "underground_reid", [[1, 2, 3], [6, 4, 2]])
    data = read_dataset("grid", tmp_path, split=1)
    assert data.train.ids.tolist() == [2, 4, 6, 2, 4, 6] and data.train.cameras.tolist() == [1, 1, 1, 8, 8, 8]
    assert data.query.ids.tolist() == [1, 3, 5]
    assert data.gallery.ids.tolist() == [0, 0, 1, 3, 5]  # distractors are in the gallery only
    assert read_dataset("grid", tmp_path).query.ids.tolist() == [4, 5, 6]
    with pytest.raises(InputError, match="split=2 is not one of 0, 1"):
        read_dataset("grid", tmp_path, split=2)


def test_grid_refuses_other_splits(tmp_path: Path) -> None:
    root = grid(tmp_path, [[1, 2, 900]])
    with pytest.raises(InputError, match=r"split 0 of .*partitions\.mat does not list persons of the probe folder"):
        read_dataset("grid", root)
    scipy.io.savemat(root / "features_and_partitions.mat", {"trainIdxAll": np.ones((1, 1))})
    with pytest.raises(InputError, match=r"split 0 of .*partitions\.mat does not list persons of the probe folder"):
        read_dataset("grid", root)
    scipy.io.savemat(root / "features_and_partitions.mat", {"other": 1})
    with pytest.raises(InputError, match="lacks trainIdxAll"):
        read_dataset("grid", root)
    (root / "features_and_partitions.mat").write_bytes(b"no such file")
    with pytest.raises(InputError, match="cannot be read as a MATLAB file"):
        read_dataset("grid", root)


# Vehicles


def test_veri776_takes_its_lists_where_there_are_any(tmp_path: Path) -> None:
    root = tmp_path / "VeRi"
    touch(root / "image_train", ["0001_c001_00016450_0.jpg", "0003_c020_00016460_0.jpg"])
    touch(root / "image_query", ["0002_c002_00030600_0.jpg"])
    touch(root / "image_test", ["0002_c003_00030600_0.jpg", "0002_c002_00030605_0.jpg"])
    data = read_dataset("veri776", tmp_path)
    assert triples(data.train) == [("0001_c001_00016450_0.jpg", 1, 1), ("0003_c020_00016460_0.jpg", 3, 20)]
    assert data.gallery.cameras.tolist() == [2, 3]
    (root / "name_test.txt").write_text("0002_c003_00030600_0.jpg\n")
    assert triples(read_dataset("veri776", tmp_path).gallery) == [("0002_c003_00030600_0.jpg", 2, 3)]
    (root / "name_query.txt").write_text("0009_c002_00030600_0.jpg\n")
    with pytest.raises(InputError, match=r"1 of the 1 images that .*name_query\.txt lists do not exist"):
        read_dataset("veri776", tmp_path)


def test_vehicleid_leaves_the_draws_to_the_evaluation(tmp_path: Path) -> None:
    root = tmp_path / "VehicleID_V1.0"
    touch(root / "image", [f"{number:07d}.jpg" for number in range(1, 8)])
    (root / "train_test_split").mkdir()
    (root / "train_test_split" / "train_list.txt").write_text("0000001 0\n0000002 0\n0000003 17\n")
    (root / "train_test_split" / "test_list_800.txt").write_text("0000004 5\n0000005 5\n0000006 6\n0000007 6\n")
    data = read_dataset("vehicleid", tmp_path)
    assert triples(data.train) == [("0000001.jpg", 1, 1), ("0000002.jpg", 1, 1), ("0000003.jpg", 18, 1)]
    assert data.query.ids.tolist() == [6, 6, 7, 7] and triples(data.query) == triples(data.gallery)
    assert data.query.cameras.tolist() == [1, 2, 3, 4]
    with pytest.raises(InputError, match=r"train_test_split/test_list_2400\.txt missing"):
        read_dataset("vehicleid", tmp_path, test_size="2400")
    with pytest.raises(InputError, match="test_size=100 is not one of 800, 1600, 2400"):
        read_dataset("vehicleid", tmp_path, test_size=100)
