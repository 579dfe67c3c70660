"""Data sets by name and root, and the Market-1501 layout."""

from __future__ import annotations

from pathlib import Path

import pytest

from reid_models.data.datasets import (
    dataset_spec,
    list_datasets,
    parse_datasets,
    read_attribute_dataset,
    read_class_dataset,
    read_dataset,
    read_datasets,
    read_market1501,
)
from reid_models.errors import InputError
from tests.reid_models.dataset_folders import market_folder, touch, triples


def test_rows_are_image_identity_camera(tmp_path: Path) -> None:
    data = read_market1501(market_folder(tmp_path / "market"))
    assert triples(data.train) == [("0002_c1s1_000451_03.jpg", 2, 1), ("0007_c2s1_000003_00.jpg", 7, 2)]
    assert data.train.training_labels().tolist() == [0, 1]
    assert data.query.ids.tolist() == [1] and data.query.cameras.tolist() == [3]
    assert data.gallery.ids.tolist() == [-1, 0, 1]  # junk and distractors are kept for the ranking
    assert data.gallery.identities == 1 and len(data.gallery) == 3


def test_rows_are_chosen_by_mask_index_and_slice(tmp_path: Path) -> None:
    gallery = read_market1501(market_folder(tmp_path)).gallery
    assert triples(gallery[gallery.ids >= 0]) == triples(gallery)[1:]
    assert triples(gallery[1:]) == triples(gallery)[1:]
    assert triples(gallery[gallery.ids.argsort()[::-1]]) == triples(gallery)[::-1]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"does not exist: give the folder of market1501 \(the one that holds bound"):
        read_market1501(tmp_path / "nothing")
    (tmp_path / "partial" / "query").mkdir(parents=True)
    with pytest.raises(InputError, match="bounding_box_train, bounding_box_test missing"):
        read_market1501(tmp_path / "partial")
    with pytest.raises(InputError, match=r"query holds no images"):
        read_market1501(market_folder(tmp_path / "empty", query=["notes.txt"]))
    with pytest.raises(InputError, match=r"1 file names in .*query are not of the form .*first person1\.jpg"):
        read_market1501(market_folder(tmp_path / "named", query=["person1.jpg", "0001_c3s2_000100_00.jpg"]))


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("market1501", "."),
        ("market1501", "Market-1501-v15.09.15"),
        ("market1501", "market1501"),
        ("market1501", "market1501/Market-1501-v15.09.15"),
        ("dukemtmc", "DukeMTMC-reID"),
        ("dukemtmc", "dukemtmc"),
        ("shop7", "shop7"),
    ],
)
def test_root_is_the_folder_or_holds_it(name: str, folder: str, tmp_path: Path) -> None:
    market_folder(tmp_path / folder)
    data = read_dataset(name, tmp_path)
    assert data.name == name and data.train.paths[0].parent == tmp_path / folder / "bounding_box_train"


def test_a_data_set_not_found_tells_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read_dataset("market1501", tmp_path)
    assert f"was not found in {tmp_path} (looked there and in its folders Market-1501-v15.09.15 or" in str(error.value)
    assert "bounding_box_train, query, bounding_box_test missing" in str(error.value)
    # The folder of the right name is the one that is incomplete.
    (tmp_path / "Market-1501" / "query").mkdir(parents=True)
    with pytest.raises(InputError, match=r"in .*Market-1501 bounding_box_train, bounding_box_test missing"):
        read_dataset("market1501", tmp_path)


def test_duke_has_no_sequence_in_its_names(tmp_path: Path) -> None:
    market_folder(tmp_path, query=["0005_c2_f0046985.jpg"], bounding_box_test=["0005_c8_f0001.jpg"])
    data = read_dataset("dukemtmc", tmp_path)
    assert triples(data.query) == [("0005_c2_f0046985.jpg", 5, 2)]
    assert triples(data.gallery) == [("0005_c8_f0001.jpg", 5, 8)]


def test_any_folder_takes_its_own_name(tmp_path: Path) -> None:
    assert read_dataset("folder", market_folder(tmp_path / "shop")).name == "shop"
    assert read_dataset("shop", tmp_path / "shop").name == "shop"


def test_an_unknown_name_suggests_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown data set 'market1051': did you mean 'market1501'"):
        read_dataset("market1051", tmp_path)
    with pytest.raises(InputError, match="unknown data set 'cifar': did you mean 'cifar10'"):
        read_class_dataset("cifar", tmp_path)


def test_an_unknown_option_suggests_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cuhk03 has no option 'protocoll': did you mean 'protocol'\? Known: images,"):
        read_dataset("cuhk03", tmp_path, protocoll="new")
    with pytest.raises(InputError, match="market1501 has no option 'split': it has none"):
        read_dataset("market1501", tmp_path, split=1)
    with pytest.raises(InputError, match="split=one is not a whole number"):
        read_dataset("viper", tmp_path, split="one")
    with pytest.raises(InputError, match="include_validation=yes is neither true nor false"):
        read_dataset("msmt17", tmp_path, include_validation="yes")


def test_each_kind_has_its_own_reader(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"pa100k holds attributes, not identities.*read_attribute_dataset"):
        read_dataset("pa100k", tmp_path)
    with pytest.raises(InputError, match=r"cifar10 holds classes, not attributes: choose one of pa100k"):
        read_attribute_dataset("cifar10", tmp_path)
    assert set(list_datasets()) == {
        name for kind in ("identity", "attributes", "classes") for name in list_datasets(kind)
    }


@pytest.mark.parametrize("name", list_datasets())
def test_every_data_set_names_what_it_looks_for(name: str, tmp_path: Path) -> None:
    read = {"identity": read_dataset, "attributes": read_attribute_dataset, "classes": read_class_dataset}
    with pytest.raises(InputError, match=r"was not found in .*missing; it needs") as error:
        read[dataset_spec(name).kind](name, tmp_path)
    assert "\n" not in str(error.value) and str(tmp_path) in str(error.value)
    with pytest.raises(InputError, match="does not exist: give the folder"):
        read[dataset_spec(name).kind](name, tmp_path / "nowhere")


def test_requests_are_parsed_with_their_options(tmp_path: Path) -> None:
    first, second = parse_datasets("market1501 + cuhk03:images=labeled,split=3", tmp_path)
    assert first == ("market1501", tmp_path, {})
    assert second == ("cuhk03", tmp_path, {"images": "labeled", "split": "3"})
    with pytest.raises(InputError, match="names no data set"):
        parse_datasets("market1501+", tmp_path)
    with pytest.raises(InputError, match=r"'images' in --data cuhk03:images is no option: write cuhk03:OPTION=VALUE"):
        parse_datasets("cuhk03:images", tmp_path)


def test_one_root_serves_all_names_or_each_has_its_own(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        market_folder(tmp_path / name)
    assert [data.name for data in read_datasets(["a+b", "c"], [tmp_path])] == ["a", "b", "c"]
    own = read_datasets(["a", "folder"], [tmp_path, tmp_path / "c"])
    assert [data.train.paths[0].parent.parent.name for data in own] == ["a", "c"]
    with pytest.raises(InputError, match="3 --data but 2 --root"):
        read_datasets(["a", "b", "c"], [tmp_path, tmp_path])
    with pytest.raises(InputError, match="no data set given"):
        read_datasets([], [tmp_path])


def test_all_images_may_be_trained_on(tmp_path: Path) -> None:
    market_folder(tmp_path / "shop")
    data = read_dataset("shop", tmp_path, all_images="true")
    assert data.train.ids.tolist() == [2, 7, 1, 1]  # no junk, no distractor
    assert len(data.gallery) == 3


def test_parts_are_found_whatever_their_case(tmp_path: Path) -> None:
    market_folder(tmp_path / "MARKET-1501")
    (tmp_path / "MARKET-1501" / "query").rename(tmp_path / "MARKET-1501" / "Query")
    assert triples(read_dataset("market1501", tmp_path).query) == [("0001_c3s2_000100_00.jpg", 1, 3)]


def test_a_file_where_a_folder_should_be_is_no_data_set(tmp_path: Path) -> None:
    touch(tmp_path, ["market1501"])
    with pytest.raises(InputError, match=f"in {tmp_path} bounding_box_train"):
        read_dataset("market1501", tmp_path)


@pytest.mark.data
def test_real_folders(data_root: Path) -> None:
    cuhk01, cuhk03 = read_datasets(["cuhk01", "cuhk03-pair1"], [data_root / "data" / "reid"])
    assert (cuhk01.train.identities, cuhk01.query.identities, cuhk01.gallery.identities) == (385, 100, 100)
    assert (len(cuhk01.train), len(cuhk01.query), len(cuhk01.gallery)) == (1540, 200, 200)
    assert set(cuhk01.train.cameras.tolist()) == {1, 2}
    assert (cuhk03.train.identities, cuhk03.query.identities, cuhk03.gallery.identities) == (643, 100, 100)
    assert (len(cuhk03.train), len(cuhk03.query), len(cuhk03.gallery)) == (6264, 200, 775)
    assert set(cuhk03.train.cameras.tolist()) == {1, 2}
