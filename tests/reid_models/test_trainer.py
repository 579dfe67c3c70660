"""The training loop: exact resume, what each kind of epoch changes, and how it stops when it must."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reid_models.data.samplers import ShuffledPlan
from reid_models.errors import InputError
from reid_models.outputs import ModelOutput
from reid_models.training.objective import Objective
from reid_models.training.optimizers import LossOptimizers
from reid_models.training.recipe import LossSettings
from reid_models.training.run import build_model
from reid_models.training.run_files import RunFolder
from reid_models.training.trainer import TrainingData
from tests.reid_models.fixtures import read_fixture, relative_error
from tests.reid_models.training_runs import (
    BATCHES,
    BY_IDENTITY,
    TRIPLETS,
    as_files,
    history,
    last,
    made_up,
    recipe,
    run,
    same,
    stopper,
    trainer_of,
    without_times,
)

RUNS: dict[str, dict[str, Any]] = {
    "sgd": {"sampler": BY_IDENTITY, "losses": [{"kind": "cross_entropy"}, TRIPLETS]},
    "amsgrad": {
        "optimizer": {"kind": "amsgrad", "lr": 0.002, "gradient_clipping": 1.0},
        "schedule": {"kind": "cosine", "per_iteration": True, "warm_up": {"epochs": 1}},
        "augmentation": {"pad_and_crop": 2, "enlarge_and_crop": True, "color_jitter": {"hue": 0.1}},
        "classifier_only_epochs": 1,
    },
    "center_loss_and_memory": {
        "losses": [
            {"kind": "cross_entropy"},
            {"kind": "center", "weight": 5e-4},
            {"kind": "cluster_memory", "weight": 0.1},
        ],
        "optimizer": {"kind": "adam", "lr": 0.002},
    },
    "swa": {"averaging": {"kind": "swa", "start": 0}},
    "swag": {
        "averaging": {"kind": "swag", "start": 0, "rank": 2},
        "schedule": {"per_iteration": True, "cycles": {"start": 1, "length": 1}},
    },
    "resolutions": {"resolutions": [{"until": 1, "size": [16, 16]}, {"until": 2, "size": [32, 16]}],
                    "input_size": [48, 24]},
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_interrupted_and_resumed_equals_uninterrupted(name: str, tmp_path: Path) -> None:
    """Stopped in the middle of epoch 2, and gone on by a worker process instead of none."""
    settings = recipe(**RUNS[name])
    expected: list[Any] = []
    reports: list[Any] = []
    whole = run(settings, tmp_path / "whole", report=expected.append)
    stopped = run(settings, tmp_path / "parts", stop=stopper(BATCHES + 1), report=reports.append)
    assert (stopped.interrupted, stopped.epochs) == (True, 1)
    assert last(tmp_path / "parts")["epoch"] == 1 and not (tmp_path / "parts" / "weights.pt").exists()
    # Nothing that other code has drawn in between matters.
    torch.manual_seed(12345)
    resumed = run(settings, tmp_path / "parts", resume=True, workers=1, report=reports.append)
    assert (whole.interrupted, resumed.interrupted, whole.epochs, resumed.epochs) == (False, False, 3, 3)
    ours, theirs = last(tmp_path / "parts"), last(tmp_path / "whole")
    assert list(ours) == list(theirs) and ours["optimizer"]["state"]
    for part in ours:
        assert same(ours[part], theirs[part]), part
    weights = [torch.load(tmp_path / folder / "weights.pt", weights_only=True) for folder in ("parts", "whole")]
    assert same(*weights)
    assert [report.losses for report in reports] == [report.losses for report in expected]
    rows = without_times(history(tmp_path / "parts"))
    assert rows == without_times(history(tmp_path / "whole")) and [row["epoch"] for row in rows] == ["1", "2", "3"]
    if name == "swag":
        for each in (whole, resumed):
            each.trainer.sample(1)
        assert same(whole.network.state_dict(), resumed.network.state_dict())


def test_a_run_killed_between_history_and_checkpoint_repeats_its_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = recipe(epochs=2)
    run(settings, tmp_path / "whole")
    save, saved = RunFolder.save_checkpoint, iter((True, False))

    def killed(folder: RunFolder, state: Any) -> None:
        if not next(saved):
            raise KeyboardInterrupt
        save(folder, state)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(RunFolder, "save_checkpoint", killed)
        run(settings, tmp_path / "parts")
    assert len(history(tmp_path / "parts")) == 2 and last(tmp_path / "parts")["epoch"] == 1
    run(settings, tmp_path / "parts", resume=True)
    assert without_times(history(tmp_path / "parts")) == without_times(history(tmp_path / "whole"))
    assert same(last(tmp_path / "parts"), last(tmp_path / "whole"))


def test_a_seed_decides_everything(tmp_path: Path) -> None:
    def weights(name: str, **settings: Any) -> Any:
        torch.manual_seed(len(name))
        run(recipe(epochs=1, **settings), tmp_path / name)
        return torch.load(tmp_path / name / "weights.pt", weights_only=True)["state_dict"]

    first = weights("first")
    assert same(weights("again"), first)
    assert not same(weights("other", seed=1), first)


def test_a_finished_run_can_be_resumed_to_the_same_end(tmp_path: Path) -> None:
    settings = recipe(epochs=1)
    run(settings, tmp_path)
    weights = torch.load(tmp_path / "weights.pt", weights_only=True)
    (tmp_path / "weights.pt").unlink()
    assert run(settings, tmp_path, resume=True).epochs == 1
    assert same(torch.load(tmp_path / "weights.pt", weights_only=True), weights)


def test_classifier_only_epochs_move_only_classifiers(tmp_path: Path) -> None:
    settings = recipe(epochs=2, classifier_only_epochs=1, losses=[{"kind": "cross_entropy"}, TRIPLETS])
    initial = build_model(settings, 4).state_dict()
    run(settings, tmp_path, stop=stopper(BATCHES + 1))
    first = last(tmp_path)["model"]
    moved = {key for key in initial if not torch.equal(initial[key], first[key])}
    assert moved == {"classifier.weight", "classifier.bias"}
    run(settings, tmp_path, resume=True)
    second = last(tmp_path)["model"]
    counters = [key for key in second if key.endswith("num_batches_tracked")]
    assert counters and {int(second[key]) for key in counters} == {BATCHES}
    assert all(not torch.equal(first[key], second[key]) for key in second if key.endswith(("running_mean", "weight")))


def test_each_stage_has_its_image_size(tmp_path: Path) -> None:
    settings = recipe(**RUNS["resolutions"])
    trainer = trainer_of(settings, tmp_path)
    shapes: list[tuple[int, ...]] = []
    trainer.network.register_forward_pre_hook(lambda _, inputs: shapes.append(tuple(inputs[0].shape)))
    for _ in trainer.run():
        pass
    assert shapes == [(8, 3, 16, 16)] * 2 + [(8, 3, 32, 16)] * 2 + [(8, 3, 48, 24)] * 2


def test_the_last_step_of_an_epoch_still_belongs_to_it(tmp_path: Path) -> None:
    """At the end of a cycle, where weights are collected, the rate is nothing, not the next cycle's peak."""
    settings = recipe(**RUNS["swag"])
    rates = [report.learning_rate for report in trainer_of(settings, tmp_path / "cycles").run()]
    assert rates == pytest.approx([0.05, 0, 0], abs=1e-9)
    steps = recipe(schedule={"per_iteration": True, "milestones": [1, 2]})
    rates = [report.learning_rate for report in trainer_of(steps, tmp_path / "steps").run()]
    assert rates == pytest.approx([0.05, 0.005, 0.0005])


def test_swa_ends_with_the_mean_of_the_collected_weights(tmp_path: Path) -> None:
    trainer = trainer_of(recipe(averaging={"kind": "swa", "start": 1}), tmp_path)
    weights = [
        {name: value.detach().clone() for name, value in trainer.network.named_parameters()} for _ in trainer.run()
    ]
    statistics = {name: value.clone() for name, value in trainer.network.named_buffers()}
    trainer.finish()
    for name, value in trainer.network.named_parameters():
        torch.testing.assert_close(value, (weights[1][name] + weights[2][name]) / 2)
    again = {name: value for name, value in trainer.network.named_buffers() if name.endswith("running_mean")}
    assert all(not torch.equal(value, statistics[name]) for name, value in again.items())


@pytest.mark.data
def test_centers_step_as_the_published_code_has_them(data_root: Path) -> None:
    _, arrays = read_fixture(data_root, "losses")
    features, labels = torch.from_numpy(arrays["feat"]), torch.from_numpy(arrays["labels"]).long()
    term = LossSettings(kind="center", weight=5e-4)
    objective = Objective((term,), ModelOutput((), (features,)), 10)
    ((_, (centers,)),) = objective.own_parameters()
    with torch.no_grad():
        centers.copy_(torch.from_numpy(arrays["centers"]))
    optimizers = LossOptimizers(objective)
    loss, _ = objective(ModelOutput((), (features,)), labels)
    loss.backward()
    optimizers.step()
    assert relative_error(centers.detach(), arrays["centers_after_step_lr0.5_weight0.0005"]) < 1e-6


def test_a_loss_that_is_not_finite_names_its_batch_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    """The rate becomes absurd in epoch 2: its first step ruins the weights, its second sees it."""
    data = as_files(tmp_path)
    ruinous = {"milestones": [1], "gamma": 1e30}
    with pytest.raises(InputError) as caught:
        run(recipe(schedule=ruinous), tmp_path / "run", data=data)
    rows = ShuffledPlan(16, 8, seed=0).order(1)[8:12]
    names = ", ".join(f"{row:02d}.png" for row in rows)
    message = str(caught.value)
    assert message.startswith("the loss (cross_entropy ")
    assert f"is no longer finite in epoch 2, batch 2 ({names} and 4 more): lower optimizer.lr or lengthen" in message
    assert message.endswith(f"{tmp_path / 'run' / 'last.pt'} of epoch 1 is kept")
    run(recipe(epochs=1), tmp_path / "good", data=data)
    assert same(last(tmp_path / "run")["model"], last(tmp_path / "good")["model"])
    assert len(history(tmp_path / "run")) == 1 and not (tmp_path / "run" / "weights.pt").exists()


def test_weights_ruined_by_an_epochs_last_step_are_not_kept(tmp_path: Path) -> None:
    settings = recipe(
        sampler={"kind": "random", "batch_size": 16},
        losses=[{"kind": "cross_entropy", "weight": 1e4}],
        optimizer={"lr": 1e-6},
        schedule={"milestones": [1], "gamma": 1e43},
    )
    expected = r"the weights .+ are no longer finite in epoch 2, batch 1 \(\d+\.png, .*of epoch 1 is kept"
    with pytest.raises(InputError, match=expected):
        run(settings, tmp_path / "run", data=as_files(tmp_path))
    state = last(tmp_path / "run")
    assert state["epoch"] == 1 and all(value.isfinite().all() for value in state["model"].values())


def test_labels_that_are_not_numbers_are_told_with_their_batch(tmp_path: Path) -> None:
    images = made_up().images
    labels = np.eye(16, 3, dtype=np.float32)
    labels[5, 1] = np.nan
    settings = recipe(losses=[{"kind": "weighted_multi_label", "options": {"positive_ratios": [0.5, 0.5, 0.5]}}])
    rows = ShuffledPlan(16, 8, seed=0).order(0)
    batch = int(np.flatnonzero(rows == 5)[0]) // 8 + 1
    expected = rf"weighted_multi_label nan\) .* epoch 1, batch {batch} \(image \d+, .*no epoch was finished"
    with pytest.raises(InputError, match=expected):
        run(settings, tmp_path, data=TrainingData(images, labels, 3))
    assert not (tmp_path / "last.pt").exists()


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        (np.arange(16) % 5, 4, "labels go from 0 to 4, but there are 4 classes: number them from 0"),
        (np.arange(16) - 1, 16, "labels go from -1 to 14, but there are 16 classes"),
        (np.arange(15), 15, "16 images but 15 labels: give one for each"),
        (np.zeros((16, 3), np.float32), 4, "labels have 3 columns, but there are 4 attributes"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels: np.ndarray, classes: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        TrainingData(made_up().images, labels, classes)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sampler": {"batch_size": 17}}, r"16 training images do not fill 1 batch\(es\) of 17"),
        ({"sampler": {"kind": "identity", "identities": 5}}, "4 training identities do not fill a batch of 5 × 4"),
        (
            {"losses": [{"kind": "cross_entropy", "inputs": [1]}]},
            "cross_entropy wants inputs .* returns 1 of that",
        ),
        ({"losses": [{"kind": "spatial_alignment"}]}, "spatial_alignment wants inputs .* returns 0 of that kind"),
        ({"losses": [{**TRIPLETS, "options": {"margn": 1}}]}, "has no option 'margn': did you mean 'margin'"),
        ({"losses": [{**TRIPLETS, "options": {"margin": "wide"}}]}, "batch_hard_triplet cannot use its options"),
        ({"losses": [{"kind": "weighted_multi_label"}]}, "needs a data set with attributes, such as pa100k"),
    ],
)
def test_recipes_that_do_not_suit_network_or_data_are_told(tmp_path: Path, settings: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        trainer_of(recipe(**settings), tmp_path)


def test_batches_by_identity_need_identities(tmp_path: Path) -> None:
    attributes = TrainingData(made_up().images, np.eye(16, 3, dtype=np.float32), 3)
    with pytest.raises(InputError, match=r"the sampler 'identity' needs identities: set sampler\.kind=random"):
        run(recipe(sampler=BY_IDENTITY), tmp_path, data=attributes)
