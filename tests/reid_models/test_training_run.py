"""What a run leaves in its folder, what it refuses, and on which device and with which precision it computes."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import nn

from reid_models import create_model, load_checkpoint
from reid_models.errors import InputError
from reid_models.training.run import create_accelerator, train
from reid_models.training.run_files import RunFolder
from tests.reid_models.training_runs import (
    BATCHES,
    BY_IDENTITY,
    TRIPLETS,
    history,
    last,
    made_up,
    recipe,
    run,
    same,
    stopper,
)


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
    with pytest.raises(InputError, match=r"the output .*file is a file: give a folder"):
        run(recipe(), tmp_path / "file")
    with pytest.raises(InputError, match=r"the output .*file/below cannot be made: Not a directory"):
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
    torch.save({"model": {}}, tmp_path / "last.pt")
    with pytest.raises(InputError, match=r"last\.pt is no checkpoint of a training run"):
        run(settings, tmp_path, resume=True)
    torch.save({"epoch": 1, "model": {"conv1.weight": torch.zeros(3)}}, tmp_path / "last.pt")
    with pytest.raises(InputError, match=r"last\.pt is of another run: .*conv1"):
        run(settings, tmp_path, resume=True)


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
    # TensorBoard orders its files by second, and within one by a number as text: 10 before 9.
    time.sleep(1.1)
    run(settings, tmp_path / "run", resume=True, evaluate=evaluate, report=reports.append)
    rows = history(tmp_path / "run")
    assert list(rows[0]) == [
        "epoch", "learning_rate", "loss", "cross_entropy", "batch_hard_triplet", "images_per_second", "seconds",
        "rank1",
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


@pytest.mark.parametrize(
    ("device", "precision", "message"),
    [
        ("gpu", "no", "--device gpu is not one of auto, cpu, cuda, cuda:N, mps"),
        ("cuda:first", "no", "--device cuda:first is not one of"),
        ("cudas", "no", "--device cudas is not one of"),
        ("cpu", "fp8", "--precision fp8 is not one of no, bf16, fp16"),
        ("cpu", "fp16", "--precision fp16 needs a GPU; on the CPU use no, or bf16"),
    ],
)
def test_devices_and_precisions_that_do_not_exist_are_told(device: str, precision: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        create_accelerator(device, precision)


def test_devices_that_are_not_here_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(InputError, match="--device mps: PyTorch sees no Apple GPU here; use --device cpu"):
        create_accelerator("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for device in ("cuda", "cuda:0"):
        with pytest.raises(InputError, match=f"--device {device}: PyTorch sees no GPU here; use --device cpu"):
            create_accelerator(device)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(InputError, match="--device cuda:2: there are 2 GPUs, numbered from 0"):
        create_accelerator("cuda:2")


def test_trainings_of_different_precision_follow_each_other(tmp_path: Path) -> None:
    settings = recipe(epochs=1)
    runs = {
        name: run(settings, tmp_path / name, precision=precision)
        for name, precision in (("first", "no"), ("half", "bf16"), ("again", "no"))
    }
    states = {name: last(tmp_path / name)["model"] for name in runs}
    assert same(states["first"], states["again"])
    key = "fc.0.weight"
    assert not torch.equal(states["half"][key], states["first"][key])
    torch.testing.assert_close(states["half"][key], states["first"][key], atol=0.02, rtol=0.1)
    # Saved in float32, and computing in it once training is over.
    assert states["half"][key].dtype == torch.float32
    loaded = create_model("osnet_x0_25", **settings.model.options).eval()
    load_checkpoint(loaded, tmp_path / "half" / "weights.pt")
    images = torch.randn(2, 3, 32, 16)
    with torch.inference_mode():
        torch.testing.assert_close(runs["half"].network(images), loaded(images), rtol=1e-5, atol=1e-6)


def scaling(factor: float) -> Any:
    """Return an accelerator that multiplies gradients as fp16 on a GPU does."""
    accelerator = create_accelerator("cpu")
    accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=factor)
    return accelerator


SCALED: dict[str, Any] = {
    "losses": [{"kind": "cross_entropy"}, {"kind": "center", "weight": 5e-4}],
    "optimizer": {"lr": 0.05, "gradient_clipping": 0.5},
    "classifier_only_epochs": 1,
    "epochs": 2,
}


def test_gradients_scaled_for_fp16_give_the_same_steps(tmp_path: Path) -> None:
    settings = recipe(**SCALED)
    run(settings, tmp_path / "plain")
    run(settings, tmp_path / "scaled", accelerator=scaling(4096.0))
    ours, theirs = last(tmp_path / "scaled"), last(tmp_path / "plain")
    for part in ("model", "objective"):
        for key, value in theirs[part].items():
            torch.testing.assert_close(ours[part][key], value, rtol=1e-4, atol=1e-6)
    assert ours["scaler"]["scale"] == 4096 and "scaler" not in theirs


def test_a_step_whose_scaled_gradients_overflow_is_left_out_and_resumes(tmp_path: Path) -> None:
    settings = recipe(epochs=2, losses=[{"kind": "cross_entropy", "weight": 100}], optimizer={"lr": 5e-4})
    run(settings, tmp_path / "whole", accelerator=scaling(2.0**127))
    run(settings, tmp_path / "parts", accelerator=scaling(2.0**127), stop=stopper(BATCHES + 1))
    assert last(tmp_path / "parts")["scaler"]["scale"] == 2.0 ** (127 - BATCHES)
    run(settings, tmp_path / "parts", accelerator=scaling(1.0), resume=True)
    ours, theirs = last(tmp_path / "parts"), last(tmp_path / "whole")
    assert same(ours, theirs) and theirs["scaler"]["scale"] < 2.0 ** (127 - BATCHES)


def one_of_two(process: int, port: int, folder: Path) -> None:
    """Train as one of two processes, as ``accelerate launch`` starts them, and save what it holds."""
    os.environ |= {"RANK": str(process), "LOCAL_RANK": str(process), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
                   "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}  # fmt: skip
    settings = recipe(
        sampler={"kind": "random", "batch_size": 4},
        losses=[{"kind": "cross_entropy"}, {"kind": "center", "weight": 0.01}],
        epochs=1,
    )
    finished = train(settings, made_up(), folder / "run", accelerator=create_accelerator("cpu"))
    trainer = finished.trainer
    assert trainer.accelerator.num_processes == 2
    state = {"model": finished.network.state_dict(), "centers": trainer.objective.state_dict()}
    torch.save(state, folder / f"{process}.pt")


def test_two_processes_end_with_the_same_weights_and_centers(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    torch.multiprocessing.start_processes(one_of_two, (port, tmp_path), nprocs=2, start_method="fork")
    first, second = (torch.load(tmp_path / f"{process}.pt", weights_only=True) for process in range(2))
    parameters = [key for key in first["model"] if "running" not in key]
    assert all(torch.equal(first["model"][key], second["model"][key]) for key in parameters)
    assert same(first["centers"], second["centers"])
    assert len(history(tmp_path / "run")) == 1
    assert len(list((tmp_path / "run").glob("events.out.tfevents.*"))) == 1
    saved = torch.load(tmp_path / "run" / "weights.pt", weights_only=True)["state_dict"]
    assert all(torch.equal(saved[key], first["model"][key]) for key in saved)
