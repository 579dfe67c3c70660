"""Made-up people, vehicles, attributes and classes on disk, and a small network, for the ``multicam reid`` commands."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import scipy.io
import torch

from reid_models.records import EmbeddingRecord
from reid_models.registry import create_model
from reid_models.training.run_files import save_weights
from tests.reid_models.coloured_figures import draw_outfits, photograph
from tests.reid_models.dataset_folders import cells

#: an OSNet that is as small as one with gates can be
SMALL: dict[str, Any] = {"blocks_per_stage": [1, 1, 1], "num_streams": 2, "feature_dimension": 16}
SIZE = (32, 16)
#: a training run of a second
QUICK = (
    "--set", f"model={json.dumps({'name': 'osnet_x0_25', 'options': SMALL})}", "--set", f"input_size={list(SIZE)}",
    "--set", "epochs=1", "--set", "sampler.batch_size=8", "--set", "composites=null",
    "--workers", 0, "--threads", 1, "--device", "cpu",
)  # fmt: skip
#: identities of the first are trained on, those of the second tested
TRAINED, TESTED = 4, 6


def write_people(root: Path) -> Path:
    """Write Market-1501's layout: four people to train on and six to test, three images of each in each of two cameras.

    Of those tested, two are queries and one is in the gallery.
    """
    figures = photograph(draw_outfits(TRAINED + TESTED, 0), images_per_camera=3, size=SIZE, seed=0)
    for part in ("bounding_box_train", "query", "bounding_box_test"):
        (root / part).mkdir(parents=True)
    for number, (image, identity, camera) in enumerate(zip(figures.images, figures.ids, figures.cameras, strict=True)):
        part = "bounding_box_train" if identity < TRAINED else "query" if number % 3 < 2 else "bounding_box_test"
        cv2.imwrite(str(root / part / f"{identity + 1:04d}_c{camera + 1}s1_{number:06d}_00.png"), image)
    return root


def images_of(root: Path, part: str = "query") -> list[Path]:
    """The images of a part of the data set, in order."""
    return sorted((root / part).iterdir())


def rename(root: Path, part: str, name: Callable[[Path], str]) -> None:
    """Give all images of a part other names."""
    for path in images_of(root, part):
        path.rename(path.with_name(name(path)))


def write_vehicles(root: Path) -> Path:
    """Write VehicleID: three vehicles to train on and five to test, four images each."""
    figures = photograph(draw_outfits(8, 1), images_per_camera=2, size=SIZE, seed=1)
    (root / "image").mkdir(parents=True)
    (root / "train_test_split").mkdir()
    lists: dict[str, list[str]] = {"train_list": [], "test_list_800": []}
    for number, (image, vehicle) in enumerate(zip(figures.images, figures.ids.tolist(), strict=True)):
        cv2.imwrite(str(root / "image" / f"{number:07d}.jpg"), image)
        lists["train_list" if vehicle < 3 else "test_list_800"].append(f"{number:07d} {vehicle}\n")
    for name, lines in lists.items():
        (root / "train_test_split" / f"{name}.txt").write_text("".join(lines))
    return root


def write_cuhk03(root: Path) -> Path:
    """Write CUHK03 for its classic protocol: three people to train on and five to test, two images in each view."""
    figures = photograph(draw_outfits(8, 1), images_per_camera=2, size=SIZE, seed=1)
    (root / "images_detected").mkdir(parents=True)
    people = zip(figures.images, figures.ids, figures.cameras, strict=True)
    for number, (image, person, camera) in enumerate(people):
        name = f"1_{person + 1:03d}_{camera + 1}_{number % 4 + 1:02d}.png"
        cv2.imwrite(str(root / "images_detected" / name), image)
    (root / "testsets.json").write_text(json.dumps([[[1, person] for person in range(4, 9)]]))
    return root


def write_attributes(root: Path) -> Path:
    """Write PA-100K with three attributes: sixteen images to train on, eight to test."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, (28, 3))
    labels[:3] = np.eye(3)
    names = [f"{number:06d}.png" for number in range(28)]
    (root / "data").mkdir(parents=True)
    for name in names:
        cv2.imwrite(str(root / "data" / name), random.integers(0, 256, (*SIZE, 3), np.uint8))
    content: dict[str, Any] = {"attributes": cells(["Hat", "Bag", "Boots"])}
    for split, rows in {"train": slice(16), "val": slice(16, 20), "test": slice(20, 28)}.items():
        content |= {f"{split}_images_name": cells(names[rows]), f"{split}_label": labels[rows]}
    scipy.io.savemat(root / "annotation.mat", content)
    return root


def write_classes(root: Path) -> Path:
    """Write CIFAR-10 with eight images a batch."""
    random = np.random.default_rng(0)
    root.mkdir(parents=True)
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        batch = {b"data": random.integers(0, 256, (8, 3072), np.uint8), b"labels": random.integers(0, 10, 8).tolist()}
        (root / name).write_bytes(pickle.dumps(batch, protocol=2))
    names = {b"label_names": [f"class {number}".encode() for number in range(10)]}
    (root / "batches.meta").write_bytes(pickle.dumps(names, protocol=2))
    return root


def write_weights(
    path: Path, *, distance: str = "cosine", change: Callable[[str, torch.Tensor], None] | None = None
) -> Path:
    """Write random weights of the small network as our trainer does, each tensor changed by ``change``."""
    torch.manual_seed(0)
    model = create_model("osnet_x0_25", **SMALL)
    # Statistics of their own for each layer: embeddings are then not all alike.
    for name, value in model.state_dict().items():
        if name.endswith("running_mean"):
            value.normal_(0, 0.2)
        if change is not None:
            change(name, value)
    save_weights(path, model, "osnet_x0_25", SMALL, EmbeddingRecord(input_size=SIZE, distance=distance))
    return path
