"""Figures of a training run are those of the data set's own protocol, which for some draws galleries at random."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from apps.reid_evaluate import evaluate_after_training, evaluator_while_training
from reid_models.evaluation.evaluate import embed_data, rank
from reid_models.evaluation.protocols import cuhk03_classic, evaluate_gallery_draws
from reid_models.training.data import load_data
from tests.apps.command import read_json
from tests.reid_models.dataset_folders import touch
from tests.reid_models.training_runs import recipe, run


def noise(folder: Path, names: list[str]) -> None:
    """Make images of noise, so that no network tells their identities apart."""
    touch(folder, names)
    random = np.random.default_rng(0)
    for name in names:
        cv2.imwrite(str(folder / name), random.integers(0, 256, (32, 16, 3), np.uint8))


def vehicleid(root: Path) -> Path:
    """Make VehicleID with four vehicles to train on and six to test, four images each."""
    folder = root / "VehicleID_V1.0"
    noise(folder / "image", [f"{number:07d}.jpg" for number in range(40)])
    lists = touch(folder / "train_test_split", [])
    for name, numbers in (("train_list", range(16)), ("test_list_800", range(16, 40))):
        (lists / f"{name}.txt").write_text("".join(f"{number:07d} {number // 4}\n" for number in numbers))
    return root


def cuhk03(root: Path) -> Path:
    """Make CUHK03's classic protocol with four persons to train on and six to test, two images in each of two views."""
    names = [f"1_{person:03d}_{1 + image // 2}_{image:02d}.png" for person in range(1, 11) for image in range(4)]
    noise(root / "images_detected", names)
    rows = [[name, 0, 0] for name in names]
    split = {"train": rows[:16], "query": rows[16:], "gallery": rows[16:]}
    (root / "splits_classic_detected.json").write_text(json.dumps([split]))
    return root


@pytest.mark.parametrize("name", ["vehicleid", "cuhk03:protocol=classic"])
def test_galleries_are_drawn_after_and_while_training(name: str, tmp_path: Path) -> None:
    root = vehicleid(tmp_path / "data") if name == "vehicleid" else cuhk03(tmp_path / "data")
    settings = recipe(epochs=1, evaluation={"distance": "cosine", "every": 1})
    loaded = load_data(settings, [name], [root])
    (data,) = loaded.identity_sets
    trained = run(settings, tmp_path / "run", data=loaded.training)
    embedded = embed_data(trained.network, data, trained.record)
    if name == "vehicleid":
        wanted = evaluate_gallery_draws(embedded.query, data.query.ids, distance="cosine").percentages()
    else:
        wanted = cuhk03_classic(embedded, "cosine")
    # What all images in the gallery would give is something else: the figures tell the protocols apart.
    everything = rank(embedded, "cosine").percentages()
    assert max(abs(everything[metric] - wanted[metric]) for metric in wanted) > 3

    evaluate_after_training(trained, loaded, settings, tmp_path / "run", 1, None)
    (row,) = read_json(tmp_path / "run" / "results.json")["rows"]
    assert row["sequence"] == data.name
    assert {metric: row[metric] for metric in wanted} == pytest.approx(wanted)

    evaluate = evaluator_while_training(loaded, settings)
    assert evaluate is not None
    figures = evaluate(trained.network)
    assert figures == pytest.approx({f"{data.name}_{metric}": wanted[metric] for metric in ("rank1", "mAP")})
