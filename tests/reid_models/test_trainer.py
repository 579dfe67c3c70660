"""The training loop: exact resume, what a run leaves, and how it stops when it must."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn

from reid_models import create_model, load_checkpoint
from reid_models.data.samplers import ShuffledPlan
from reid_models.errors import InputError
from reid_models.outputs import ModelOutput
from reid_models.training.objective import Objective
from reid_models.training.optimizers import LossOptimizers
from reid_models.training.recipe import LossSettings, Recipe
from reid_models.training.run import TrainingRun, build_model, create_accelerator, recipe_record, train
from reid_models.training.run_files import RunFolder
from reid_models.training.trainer import Trainer, TrainingData
from tests.reid_models.fixtures import read_fixture, relative_error

SMALL = {"width": 0.25, "blocks_per_stage": [1, 1, 1], "num_streams": 2, "feature_dimension": 16}
BATCHES = 2


def made_up(size: tuple[int, int] = (32, 16)) -> TrainingData:
    """Return four images each of four people, each person of a colour, in two cameras."""
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 4)
    colours = generator.integers(0, 200, (4, 3))
    noise = generator.integers(0, 56, (16, *size, 3))
    images = (colours[labels][:, None, None] + noise).astype(np.uint8)
    return TrainingData(images, labels, 4, np.tile([1, 2], 8))


def recipe(**settings: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "made_up",
            "model": {"name": "osnet_x0_25", "options": SMALL},
            "input_size": (32, 16),
            "sampler": {"kind": "random", "batch_size": 8},
            "losses": [{"kind": "cross_entropy"}],
            "optimizer": {"kind": "sgd", "lr": 0.05},
            "epochs": 3,
        }
        | settings
    )


def run(settings: Recipe, folder: Path, **options: Any) -> TrainingRun:
    data = options.pop("data", None) or made_up()
    precision = options.pop("precision", "no")
    return train(settings, data, folder, accelerator=create_accelerator("cpu", precision), **options)


def stopper(step: int) -> Callable[[], bool]:
    """Return what stops a run after its ``step``-th step."""
    steps = iter(range(1, 10**6))
    return lambda: next(steps) >= step


def same(a: Any, b: Any) -> bool:
    """Return whether two nested states are equal to the last bit."""
    if isinstance(a, Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def last(folder: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(folder / "last.pt", weights_only=True)
    return state


def history(folder: Path) -> list[dict[str, str]]:
    with (folder / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def without_times(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{key: row[key] for key in row if key not in ("seconds", "images_per_second")} for row in rows]


# ------------------------------------------------------------------------------------------------------- exact resume

TRIPLETS = {"kind": "batch_hard_triplet", "options": {"margin": 0.3}}
BY_IDENTITY = {"kind": "identity", "identities": 4, "images": 2, "camera_aware": True}
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
    whole = run(settings, tmp_path / "whole")
    stopped = run(settings, tmp_path / "parts", stop=stopper(BATCHES + 1))
    assert (stopped.interrupted, stopped.epochs) == (True, 1)
    assert last(tmp_path / "parts")["epoch"] == 1 and not (tmp_path / "parts" / "weights.pt").exists()
    # Nothing that other code has drawn in between matters.
    torch.manual_seed(12345)
    np.random.default_rng(1)
    resumed = run(settings, tmp_path / "parts", resume=True, workers=1)
    assert (whole.interrupted, resumed.interrupted, whole.epochs, resumed.epochs) == (False, False, 3, 3)
    ours, theirs = last(tmp_path / "parts"), last(tmp_path / "whole")
    assert list(ours) == list(theirs) and ours["optimizer"]["state"]
    for part in ours:
        assert same(ours[part], theirs[part]), part
    weights = [torch.load(tmp_path / folder / "weights.pt", weights_only=True) for folder in ("parts", "whole")]
    assert same(*weights)
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


# --------------------------------------------------------------------------------------------------- folders of a run


def test_a_run_is_not_overwritten_unasked(tmp_path: Path) -> None:
    settings = recipe(epochs=1)
    run(settings, tmp_path)
    before = (tmp_path / "last.pt").read_bytes()
    with pytest.raises(InputError, match="holds a training run already: add --resume to go on with it, --overwrite to"):
        run(settings, tmp_path)
    # What cannot be trained replaces nothing.
    with pytest.raises(InputError, match="the loss cross_entropy has no option 'smoothing'"):
        run(recipe(losses=[{"kind": "cross_entropy", "options": {"smoothing": 1}}]), tmp_path, overwrite=True)
    assert (tmp_path / "last.pt").read_bytes() == before
    run(recipe(epochs=2, seed=3), tmp_path, overwrite=True)
    assert last(tmp_path)["epoch"] == 2 and len(history(tmp_path)) == 2
    assert yaml.safe_load((tmp_path / "recipe.yaml").read_text())["seed"] == 3
    assert len(list(tmp_path.glob("events.out.tfevents.*"))) == 1


def test_a_run_stopped_in_its_first_epoch_begins_again(tmp_path: Path) -> None:
    settings = recipe(epochs=1)
    assert run(settings, tmp_path, stop=stopper(1)).epochs == 0
    with pytest.raises(InputError, match=r"nothing to resume in .*: it has no last\.pt; leave --resume out to begin"):
        run(settings, tmp_path, resume=True)
    assert run(settings, tmp_path).epochs == 1


def test_folders_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="the output .*file is a file: give a folder"):
        run(recipe(), tmp_path / "file")
    with pytest.raises(InputError, match="the output .*file/below cannot be made: Not a directory"):
        run(recipe(), tmp_path / "file" / "below")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": {"lr": 0.1}}, "begun with optimizer.lr = 0.05, not 0.1: resume it with the same settings"),
        ({"losses": [{"kind": "cross_entropy", "weight": 2}]}, "begun with losses.0.weight = 1.0, not 2.0"),
        ({"losses": [{"kind": "cross_entropy"}, TRIPLETS]}, "begun with losses = "),
        ({"schedule": {"warm_up": {"epochs": 1}}}, "begun with schedule.warm_up = None, not {"),
        ({"epochs": 4}, "begun with epochs = 3, not 4"),
    ],
)
def test_resuming_with_another_recipe_names_the_setting(tmp_path: Path, settings: Any, message: str) -> None:
    folder = RunFolder(tmp_path)
    folder.write_recipe(recipe())
    with pytest.raises(InputError) as caught:
        folder.check_same_recipe(recipe(**settings))
    assert message in str(caught.value)
    folder.check_same_recipe(recipe(notes="said in other words", target={"rank1": 90}, name="copy"))


def test_resuming_with_another_recipe_is_refused_by_the_run(tmp_path: Path) -> None:
    run(recipe(), tmp_path, stop=stopper(BATCHES + 1))
    with pytest.raises(InputError, match=r"was begun with seed = 0, not 1"):
        run(recipe(seed=1), tmp_path, resume=True)
    (tmp_path / "recipe.yaml").write_text("epochs: [")
    with pytest.raises(InputError, match=r"recipe\.yaml of the run to resume cannot be read"):
        run(recipe(), tmp_path, resume=True)


def test_a_damaged_checkpoint_is_told(tmp_path: Path) -> None:
    settings = recipe()
    run(settings, tmp_path, stop=stopper(BATCHES + 1))
    whole = (tmp_path / "last.pt").read_bytes()
    folder = RunFolder(tmp_path, resume=True)
    for content in (b"", b"text", whole[:100], whole[: len(whole) // 2], whole[:-30], whole[10:]):
        (tmp_path / "last.pt").write_bytes(content)
        with pytest.raises(InputError, match=r"last\.pt cannot be loaded \(\w+\): it is damaged"):
            folder.load_checkpoint()
    state = torch.load(tmp_path / "last.pt") if False else {"model": {}}
    torch.save(state, tmp_path / "last.pt")
    with pytest.raises(InputError, match=r"last\.pt is no checkpoint of a training run"):
        run(settings, tmp_path, resume=True)
    torch.save({"epoch": 1, "model": {"conv1.weight": torch.zeros(3)}}, tmp_path / "last.pt")
    with pytest.raises(InputError, match=r"last\.pt is of another run: .*conv1"):
        run(settings, tmp_path, resume=True)


# ---------------------------------------------------------------------------------------------- what a run writes down


def test_history_and_tensorboard_hold_the_figures_of_each_epoch(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    settings = recipe(
        losses=[{"kind": "cross_entropy", "weight": 2}, TRIPLETS],
        sampler=BY_IDENTITY,
        schedule={"milestones": [2], "gamma": 0.1},
        evaluation={"every": 1},
    )
    modes: list[bool] = []

    def evaluate(model: nn.Module) -> dict[str, float]:
        modes.append(model.training)
        return {"rank1": 50.0 + len(modes)}

    reports: list[Any] = []
    run(settings, tmp_path / "run", stop=stopper(BATCHES + 1), evaluate=evaluate, report=reports.append)
    run(settings, tmp_path / "run", resume=True, evaluate=evaluate, report=reports.append)
    rows = history(tmp_path / "run")
    assert list(rows[0]) == [
        "epoch", "learning_rate", "loss", "cross_entropy", "batch_hard_triplet", "images_per_second", "seconds", "rank1",
    ]  # fmt: skip
    assert [row["learning_rate"] for row in rows] == ["0.05", "0.05", "0.005"]
    # The last epoch is evaluated after the run, not in it.
    assert [row["rank1"] for row in rows] == ["51", "52", ""] and modes == [False, False]
    for row, report in zip(rows, reports, strict=True):
        assert float(row["loss"]) == pytest.approx(report.losses["loss"], rel=1e-5)
        terms = 2 * float(row["cross_entropy"]) + float(row["batch_hard_triplet"])
        assert float(row["loss"]) == pytest.approx(terms, rel=1e-5)
        assert float(row["images_per_second"]) == pytest.approx(16 / report.seconds, rel=1e-4)
    events = EventAccumulator(str(tmp_path / "run"))
    events.Reload()
    for name in ("loss", "cross_entropy", "learning_rate"):
        logged = events.Scalars(name)
        assert [event.step for event in logged] == [1, 2, 3]
        assert [event.value for event in logged] == pytest.approx([float(row[name]) for row in rows], rel=1e-5)
    # To look at a network while it learns changes nothing.
    run(settings, tmp_path / "blind")
    assert same(last(tmp_path / "run")["model"], last(tmp_path / "blind")["model"])


def test_saved_weights_are_those_of_the_network(tmp_path: Path) -> None:
    finished = run(recipe(epochs=1), tmp_path)
    content = torch.load(tmp_path / "weights.pt", weights_only=True)
    assert content["architecture"] == "osnet_x0_25" and content["record"]["input_size"] == [32, 16]
    assert not any("classifier" in key for key in content["state_dict"])
    loaded = create_model(content["architecture"], **content["options"]).eval()
    load_checkpoint(loaded, tmp_path / "weights.pt")
    images = torch.randn(3, 3, 32, 16)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(images), finished.network(images))


# ------------------------------------------------------------------------------------------------------ the loop itself


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
    weights: list[dict[str, Tensor]] = []
    for _ in trainer.run():
        weights.append({name: value.detach().clone() for name, value in trainer.network.named_parameters()})
    statistics = {name: value.clone() for name, value in trainer.network.named_buffers()}
    trainer.finish()
    for name, value in trainer.network.named_parameters():
        torch.testing.assert_close(value, (weights[1][name] + weights[2][name]) / 2)
    again = {name: value for name, value in trainer.network.named_buffers() if name.endswith("running_mean")}
    assert all(not torch.equal(value, statistics[name]) for name, value in again.items())
    assert int(trainer.network.get_buffer("conv1.norm.num_batches_tracked") if False else BATCHES) == BATCHES


def trainer_of(settings: Recipe, folder: Path, data: TrainingData | None = None) -> Trainer:
    model = build_model(settings, 4)
    accelerator = create_accelerator("cpu")
    return Trainer(
        model, settings, data or made_up(), recipe_record(settings), RunFolder(folder), accelerator=accelerator
    )


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
