"""PA-100K and CIFAR on made-up folders, and batches that are not what they say."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from reid_models.data.datasets import read_attribute_dataset, read_class_dataset
from reid_models.errors import InputError
from tests.reid_models.dataset_folders import cells, touch

COUNTS = {"train": 3, "val": 1, "test": 2}


def pa100k(root: Path, images: str = "data", annotation: str = "annotation.mat", **changes: object) -> Path:
    content: dict[str, object] = {"attributes": cells(["Female", "AgeOver60", "Skirt&Dress"])}
    number = 0
    for split, count in COUNTS.items():
        files = [f"{number + index + 1:06d}.jpg" for index in range(count)]
        touch(root / images, files)
        content[f"{split}_images_name"] = cells(files)
        content[f"{split}_label"] = np.eye(count, 3, dtype=np.uint8)
        number += count
    (root / annotation).parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(root / annotation, content | changes)
    return root


@pytest.mark.parametrize(
    ("images", "annotation"),
    [
        ("data", "annotation.mat"),
        ("release_data/release_data", "annotation/annotation.mat"),
        ("data/release_data/release_data", "annotation.mat"),
    ],
)
def test_pa100k_rows_are_image_and_attributes(images: str, annotation: str, tmp_path: Path) -> None:
    pa100k(tmp_path / "PA-100K", images, annotation)
    data = read_attribute_dataset("pa100k", tmp_path)
    assert data.attributes == ("Female", "AgeOver60", "Skirt&Dress")
    assert (len(data.train), len(data.val), len(data.test)) == (3, 1, 2)
    assert data.test.paths[0] == tmp_path / "PA-100K" / images / "000005.jpg"
    assert data.train.labels.dtype == np.int8 and data.train.labels.tolist() == np.eye(3).tolist()
    chosen = data.train[data.train.labels[:, 1] == 1]
    assert [path.name for path in chosen.paths] == ["000002.jpg"] and chosen.labels.tolist() == [[0, 1, 0]]


def test_pa100k_tells_what_does_not_fit(tmp_path: Path) -> None:
    pa100k(tmp_path, val_label=np.ones((2, 3), np.uint8))
    with pytest.raises(InputError, match=r"val_label of .* has shape \(2, 3\); it should be \(1, 3\)"):
        read_attribute_dataset("pa100k", tmp_path)
    pa100k(tmp_path, val_label=np.full((1, 3), 2, np.uint8))
    with pytest.raises(InputError, match="zeros and ones"):
        read_attribute_dataset("pa100k", tmp_path)
    (pa100k(tmp_path) / "data" / "000002.jpg").unlink()
    with pytest.raises(InputError, match=r"1 of the 3 images that .*annotation\.mat lists do not exist"):
        read_attribute_dataset("pa100k", tmp_path)
    (tmp_path / "data" / "000001.jpg").unlink()
    with pytest.raises(InputError, match=r"000001\.jpg, the first of the train images, is in none of data/release"):
        read_attribute_dataset("pa100k", tmp_path)


def batch(labels: list[int], key: str = "labels", seed: int = 0) -> dict[bytes, object]:
    pixels = np.random.default_rng(seed).integers(0, 256, (len(labels), 3072), np.uint8)
    return {b"data": pixels, key.encode(): labels, b"batch_label": b"made up"}


def write(path: Path, content: object, protocol: int = 2) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol))


def cifar10(root: Path, protocol: int = 2) -> Path:
    for number in range(1, 6):
        write(root / f"data_batch_{number}", batch([number % 3, 0], seed=number), protocol)
    write(root / "test_batch", batch([2, 1, 0]), protocol)
    write(root / "batches.meta", {b"label_names": [b"airplane", b"automobile", b"bird"]}, protocol)
    return root


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_cifar10_is_read_into_memory(protocol: int, tmp_path: Path) -> None:
    cifar10(tmp_path / "cifar-10-batches-py", protocol)
    data = read_class_dataset("cifar10", tmp_path)
    assert data.classes == ("airplane", "automobile", "bird")
    assert data.train.labels.tolist() == [1, 0, 2, 0, 0, 0, 1, 0, 2, 0] and data.train.labels.dtype == np.int64
    assert data.train.images.shape == (10, 32, 32, 3) and data.train.images.dtype == np.uint8
    assert len(data.val) == 0 and data.test.labels.tolist() == [2, 1, 0]
    # A row of data is the red plane, then green, then blue, each row by row; images are BGR.
    pixels = batch([0, 0], seed=1)[b"data"][0].reshape(3, 32, 32)
    np.testing.assert_array_equal(data.train.images[0], pixels[::-1].transpose(1, 2, 0))


def test_cifar10_may_hold_out_training_images(tmp_path: Path) -> None:
    data = read_class_dataset("cifar10", cifar10(tmp_path), validation_images="4")
    assert len(data.train) == 6 and data.val.labels.tolist() == [1, 0, 2, 0]
    with pytest.raises(InputError, match="validation_images=10 must lie between 0 and 9"):
        read_class_dataset("cifar10", tmp_path, validation_images=10)


def test_cifar100_has_fine_labels(tmp_path: Path) -> None:
    root = tmp_path / "cifar-100-python"
    write(root / "train", batch([1, 0], "fine_labels") | {b"coarse_labels": [0, 0]})
    write(root / "test", batch([1], "fine_labels"))
    write(root / "meta", {b"fine_label_names": [b"apple", b"aquarium_fish"], b"coarse_label_names": [b"fish"]})
    data = read_class_dataset("cifar100", tmp_path)
    assert data.classes == ("apple", "aquarium_fish") and data.train.labels.tolist() == [1, 0]


class Command:
    """Runs a command when it is unpickled by a reader that lets it."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.marker}",)


def test_a_batch_that_runs_something_is_refused(tmp_path: Path) -> None:
    root = cifar10(tmp_path / "cifar10")
    marker = tmp_path / "ran"
    write(root / "data_batch_3", {b"data": Command(marker)})
    with pytest.raises(InputError, match=r"data_batch_3 asks for posix\.system when it is read"):
        read_class_dataset("cifar10", root)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "is no batch of CIFAR: it holds list"),
        ({b"data": np.zeros((2, 3072), np.uint8)}, "it has no entry 'labels'"),
        (batch([0]) | {b"data": np.zeros((1, 100), np.uint8)}, r"holds data uint8 \(1, 100\), not uint8"),
        (batch([0, 3]), "labels of .*data_batch_2 are not 2 classes from 0 to 2"),
        (batch([0, 1]) | {b"labels": [0]}, "are not 2 classes"),
    ],
)
def test_a_batch_of_something_else_is_named(content: object, message: str, tmp_path: Path) -> None:
    write(cifar10(tmp_path) / "data_batch_2", content)
    with pytest.raises(InputError, match=message):
        read_class_dataset("cifar10", tmp_path)


def test_a_batch_cut_short_is_named(tmp_path: Path) -> None:
    path = cifar10(tmp_path) / "test_batch"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"test_batch is no batch of CIFAR or is damaged .*: download it again"):
        read_class_dataset("cifar10", tmp_path)
