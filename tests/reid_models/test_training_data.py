"""From data sets on disk to what a recipe learns from, and what is told of those it cannot use."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import scipy.io

from reid_models.data.datasets import read_dataset
from reid_models.errors import InputError
from reid_models.training.data import load_data, usable_images
from reid_models.training.recipe import Recipe
from tests.reid_models.dataset_folders import cells

TRAIN = ["0007_c2s1_000003_00.png", "0007_c1s1_000009_00.png", "0002_c1s1_000451_03.png", "0002_c3s1_000452_03.png",
         "0030_c1s1_000001_00.png"]  # fmt: skip
QUERY = ["0001_c3s2_000100_00.png", "0004_c1s1_000001_00.png"]
GALLERY = ["-1_c1s1_000401_03.png", "0000_c5s1_000151_01.png", "0001_c1s1_001051_00.png", "0004_c1s1_000002_00.png"]


def recipe(task: str = "reid", **settings: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "made_up",
            "task": task,
            "model": {"name": "osnet_x0_25"},
            "losses": [{"kind": "cross_entropy"}],
            "optimizer": {"lr": 0.1},
            "epochs": 1,
        }
        | settings
    )


def images(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        cv2.imwrite(str(folder / name), np.full((8, 4, 3), 90, np.uint8))


def market(root: Path, train: list[str] = TRAIN, query: list[str] = QUERY, gallery: list[str] = GALLERY) -> Path:
    for part, names in (("bounding_box_train", train), ("query", query), ("bounding_box_test", gallery)):
        images(root / part, names)
    return root


def test_identities_become_classes(tmp_path: Path) -> None:
    loaded = load_data(recipe(), ["market1501"], [market(tmp_path)])
    training = loaded.training
    assert isinstance(training.images, tuple)
    rows = zip((path.name for path in training.images), training.labels.tolist(), strict=True)
    # Identities 2, 7 and 30 are classes 0, 1 and 2.
    assert dict(rows) == dict(zip(TRAIN, [1, 1, 0, 0, 2], strict=True))
    assert training.num_classes == 3 and training.labels.dtype == np.int64
    assert training.cameras is not None
    cameras = dict(zip((path.name for path in training.images), training.cameras.tolist(), strict=True))
    assert [cameras[name] for name in TRAIN] == [2, 1, 1, 3, 1]
    (evaluated,) = loaded.identity_sets
    assert evaluated.name == "market1501" and (len(evaluated.query), len(evaluated.gallery)) == (2, 4)


def test_people_are_warned_of_what_is_lacking(tmp_path: Path) -> None:
    by_identity = recipe(sampler={"kind": "identity", "identities": 2, "images": 2})
    few, lone = load_data(by_identity, ["market1501"], [market(tmp_path)]).warnings
    assert few == (
        "1 of 3 identities have fewer than 2 images (30): some of their images are drawn more than once in a batch"
    )
    assert lone == "1 queries of market1501 have no true match and are left out"
    # Where batches are not by identity, one image of a person is enough.
    assert load_data(recipe(), ["market1501"], [tmp_path]).warnings == (lone,)


def test_broken_images_are_named_and_refused_or_left_out(tmp_path: Path) -> None:
    market(tmp_path)
    (tmp_path / "bounding_box_train" / TRAIN[4]).write_bytes(b"")
    for part in ("bounding_box_train", "query"):
        whole = next((tmp_path / part).iterdir()) if part == "query" else tmp_path / part / TRAIN[0]
        whole.write_bytes(whole.read_bytes()[:-20])
    with pytest.raises(InputError) as caught:
        load_data(recipe(), ["market1501"], [tmp_path])
    message = str(caught.value)
    assert f"the image {tmp_path / 'bounding_box_train' / TRAIN[0]} is broken (is cut short" in message
    assert ", and 1 more: mend or remove it, or leave such images out with --skip-broken" in message
    progress: list[tuple[int, int]] = []
    loaded = load_data(
        recipe(), ["market1501"], [tmp_path], skip_broken=True, progress=lambda *both: progress.append(both)
    )
    assert progress[-1] == (5, 5)
    # With identity 30's only image its class goes too.
    assert loaded.training.num_classes == 2 and sorted(loaded.training.labels.tolist()) == [0, 0, 1]
    assert loaded.warnings[0] == f"2 broken images are left out: {', '.join(sorted([TRAIN[0], TRAIN[4]]))}"


def test_broken_query_and_gallery_images_too(tmp_path: Path) -> None:
    data = read_dataset("market1501", market(tmp_path))
    same, nothing = usable_images(data, skip_broken=False)
    assert same is data and nothing == []
    (tmp_path / "query" / QUERY[1]).write_bytes(b"none")
    (tmp_path / "bounding_box_test" / GALLERY[0]).write_bytes(b"none")
    with pytest.raises(InputError, match=rf"{QUERY[1]} is broken .*, and 1 more"):
        usable_images(data, skip_broken=False)
    usable, (warning,) = usable_images(data, skip_broken=True)
    assert [path.name for path in usable.query.paths] == QUERY[:1] and len(usable.gallery) == 3
    assert usable.train is data.train and warning == f"2 broken images are left out: {GALLERY[0]}, {QUERY[1]}"


def test_several_data_sets_are_numbered_anew_and_evaluated_each_by_itself(tmp_path: Path) -> None:
    market(tmp_path / "first")
    market(tmp_path / "second", train=["0002_c1s1_000001_00.png", "0009_c1s1_000001_00.png"])
    loaded = load_data(recipe(), ["folder", "folder"], [tmp_path / "first", tmp_path / "second"])
    training = loaded.training
    assert training.num_classes == 5 and isinstance(training.images, tuple) and training.cameras is not None
    classes: dict[tuple[str, str], int] = {}
    for path, label in zip(training.images, training.labels.tolist(), strict=True):
        classes[path.parts[-3], path.name[:4]] = label
    # Person 2 of the one is not person 2 of the other, nor camera 1 the same.
    assert classes == {("first", "0002"): 0, ("first", "0007"): 1, ("first", "0030"): 2,
                       ("second", "0002"): 3, ("second", "0009"): 4}  # fmt: skip
    first = np.array([path.parts[-3] == "first" for path in training.images])
    assert not set(training.cameras[first].tolist()) & set(training.cameras[~first].tolist())
    assert [data.name for data in loaded.identity_sets] == ["first", "second"]
    # One root for all, and two sets in one name.
    (tmp_path / "both").mkdir()
    (tmp_path / "first").rename(tmp_path / "both" / "first")
    (tmp_path / "second").rename(tmp_path / "both" / "second")
    again = load_data(recipe(), ["first", "second"], [tmp_path / "both"]).training
    joined = load_data(recipe(), ["first+second"], [tmp_path / "both"]).training
    assert again.labels.tolist() == joined.labels.tolist() == training.labels.tolist()


def test_roots_and_names_must_fit(tmp_path: Path) -> None:
    root = market(tmp_path)
    with pytest.raises(InputError, match="3 --data but 2 --root: give one --root for all, or one for each"):
        load_data(recipe(), ["folder"] * 3, [root, root])
    for task, name in (("attributes", "pa100k"), ("classification", "cifar10")):
        with pytest.raises(InputError, match=f"learns {task}: give one --data and one --root"):
            load_data(recipe(task), [name], [root, root])
        with pytest.raises(InputError, match=f"learns {task} from one data set, not from {name}\\+{name}"):
            load_data(recipe(task), [f"{name}+{name}"], [root])
    with pytest.raises(InputError, match="pa100k holds attributes, not identities"):
        load_data(recipe(), ["pa100k"], [root])
    with pytest.raises(InputError, match="market1501 holds identities, not classes"):
        load_data(recipe("classification"), ["market1501"], [root])


def test_data_without_anything_to_learn_or_rank_is_refused(tmp_path: Path) -> None:
    market(tmp_path / "one", train=TRAIN[:2])
    with pytest.raises(InputError, match="all 2 training images are of one identity"):
        load_data(recipe(), ["folder"], [tmp_path / "one"])
    market(tmp_path / "two", gallery=GALLERY[:2])
    with pytest.raises(InputError, match="none of the 2 queries of two has a true match"):
        load_data(recipe(), ["folder"], [tmp_path / "two"])


def test_attributes_are_shares_of_one(tmp_path: Path) -> None:
    content: dict[str, object] = {"attributes": cells(["Female", "Hat"])}
    labels = {"train": [[1, 0], [1, 1], [0, 1]], "val": [[0, 0]], "test": [[1, 0]]}
    for split, rows in labels.items():
        names = [f"{split}{index}.png" for index in range(len(rows))]
        images(tmp_path / "data", names)
        content |= {f"{split}_images_name": cells(names), f"{split}_label": np.array(rows, np.uint8)}
    scipy.io.savemat(tmp_path / "annotation.mat", content)
    settings = recipe("attributes", losses=[{"kind": "weighted_multi_label"}])
    loaded = load_data(settings, ["pa100k"], [tmp_path])
    assert loaded.training.num_classes == 2 and loaded.training.labels.dtype == np.float32
    assert loaded.training.labels.tolist() == labels["train"] and loaded.identity_sets == ()
    assert loaded.attributes is not None and loaded.attributes.attributes == ("Female", "Hat")
    (tmp_path / "data" / "train1.png").write_bytes(b"none")
    with pytest.raises(InputError, match=r"train1\.png is broken"):
        load_data(settings, ["pa100k"], [tmp_path])
    skipped = load_data(settings, ["pa100k"], [tmp_path], skip_broken=True)
    assert skipped.training.labels.tolist() == [[1, 0], [0, 1]]
    assert [Path(path).name for path in skipped.training.images] == ["train0.png", "train2.png"]
    assert skipped.warnings == ("1 broken images are left out: train1.png",)


def test_classes_come_as_arrays(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        batch = {b"data": generator.integers(0, 256, (2, 3072), dtype=np.uint8), b"labels": [0, 2]}
        (tmp_path / name).write_bytes(pickle.dumps(batch))
    (tmp_path / "batches.meta").write_bytes(pickle.dumps({b"label_names": [b"cat", b"dog", b"owl"]}))
    loaded = load_data(recipe("classification"), ["cifar10"], [tmp_path])
    assert isinstance(loaded.training.images, np.ndarray) and loaded.training.images.shape == (10, 32, 32, 3)
    assert loaded.training.num_classes == 3 and loaded.training.labels.tolist() == [0, 2] * 5
    assert loaded.classes is not None and loaded.classes.classes == ("cat", "dog", "owl")


@pytest.mark.data
def test_the_real_training_sets(data_root: Path) -> None:
    """Every image is whole, and classes have no gaps."""
    loaded = load_data(recipe(), ["cuhk01"], [data_root / "data" / "reid"])
    assert len(loaded.training.labels) == len(loaded.training.images) > 1000
    assert len(set(loaded.training.labels.tolist())) == loaded.training.num_classes
    assert [data.name for data in loaded.identity_sets] == ["cuhk01"]
