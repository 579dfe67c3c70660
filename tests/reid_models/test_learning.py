"""Do the networks learn to tell people apart? After a short run they know figures they have never seen; before, not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from reid_models import create_model
from reid_models.evaluation.embedding import embed_images
from reid_models.evaluation.ranking import evaluate_ranking
from reid_models.records import EmbeddingRecord
from reid_models.training.recipe import Recipe
from reid_models.training.run import build_model, create_accelerator, recipe_record
from reid_models.training.run_files import RunFolder
from reid_models.training.trainer import Trainer, TrainingData
from tests.reid_models.coloured_figures import ColouredFigures, draw_outfits, photograph

SIZE = (64, 32)
LEARNT, UNSEEN = 80, 32
#: options that make the networks narrow enough for a test, learning rate and epochs at most
CASES: dict[str, tuple[dict[str, Any], float, int]] = {
    "msinet": ({"channels": [16, 64, 96, 128]}, 0.01, 26),
    "robust_reid_1x": (
        {
            "channels": [16, 64, 96, 128],
            "stage_repeats": [1, 1, 1],
            "feature_dimension": 128,
            # Softmax of vectors of length 1, as the paper has it, takes hundreds of epochs.
            "feature_normalization": "l2_features",
        },
        0.008,
        12,
    ),
    "osnet_x0_25": ({}, 0.004, 26),
}
#: epochs between two looks at how well unseen figures are told apart, and the percentage at which training ends
EVERY, ENOUGH = 2, 93


@pytest.fixture(scope="module")
def figures() -> tuple[ColouredFigures, ColouredFigures]:
    """Figures to learn from, and others to be told apart afterwards, seen by the same two cameras."""
    everybody = photograph(draw_outfits(LEARNT + UNSEEN, 0), images_per_camera=4, size=SIZE, seed=1)
    learnt = everybody.ids < LEARNT

    def some(chosen: np.ndarray) -> ColouredFigures:
        return ColouredFigures(everybody.images[chosen], everybody.ids[chosen], everybody.cameras[chosen])

    return some(learnt), some(~learnt)


@pytest.fixture
def one_thread() -> Any:
    """Steps this small are slower on several threads when other tests run beside them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def rank1(model: nn.Module, record: EmbeddingRecord, people: ColouredFigures) -> float:
    """Return the percentage of images in the first camera whose nearest image in the second shows the same figure."""
    features = embed_images(model.eval(), people.images, record)
    query = people.cameras == 0
    result = evaluate_ranking(
        features[query], people.ids[query], people.cameras[query],
        features[~query], people.ids[~query], people.cameras[~query],
    )  # fmt: skip
    return result.percentages()["rank1"]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.usefixtures("one_thread")
def test_a_short_run_tells_people_apart_who_were_never_seen(
    name: str, figures: tuple[ColouredFigures, ColouredFigures], tmp_path: Path
) -> None:
    options, rate, epochs = CASES[name]
    learnt, unseen = figures
    recipe = Recipe.model_validate(
        {
            "name": "coloured_figures",
            "model": {"name": name, "options": options},
            "input_size": SIZE,
            "augmentation": {"flip": 0.5, "erasing": None},
            "sampler": {"kind": "identity", "identities": 8, "images": 4, "camera_aware": True},
            "losses": [
                {"kind": "cross_entropy", "options": {"label_smoothing": 0.1}},
                {"kind": "batch_hard_triplet", "options": {"margin": 0.3, "normalize": True}},
            ],
            "optimizer": {"kind": "amsgrad", "lr": rate},
            "schedule": {"kind": "cosine", "per_iteration": True, "warm_up": {"epochs": 1, "start_factor": 0.05}},
            "epochs": epochs,
        }
    )
    record = recipe_record(recipe)
    torch.manual_seed(0)
    untrained = rank1(create_model(name, num_classes=0, **options), record, unseen)
    data = TrainingData(learnt.images, learnt.ids, LEARNT, learnt.cameras)
    network = build_model(recipe, LEARNT)
    run = Trainer(network, recipe, data, record, RunFolder(tmp_path / "run"), accelerator=create_accelerator("cpu"))
    trained = 0.0
    for report in run.run():
        # How fast it goes depends on how a processor rounds: who knows enough need not go on.
        if report.epoch % EVERY == 0 or report.epoch == epochs:
            trained = rank1(network, record, unseen)
            print(f"{name}: rank-1 {untrained:.1f} % untrained, {trained:.1f} % after {report.epoch} epochs")
            if trained > ENOUGH:
                break
    assert untrained < 40
    assert trained > 90
