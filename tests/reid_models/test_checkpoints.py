"""Published checkpoints load; everything else is refused in one clear line and leaves the model as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reid_models import create_model, load_checkpoint
from reid_models.errors import InputError

NAME = "osnet_x0_25"


def published(name: str = NAME, num_classes: int = 5, seed: int = 0) -> dict[str, Tensor]:
    """Return random weights under the key names of the published implementation."""
    torch.manual_seed(seed)
    model = create_model(name, num_classes=num_classes)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            module.running_mean.normal_()
    layout = "torchreid osnet_ain" if "ain" in name else "torchreid osnet"
    rename = model.published_key_layouts()[layout]  # type: ignore[operator]
    return {rename(key): value.clone() for key, value in model.state_dict().items()}


def embedding(model: nn.Module) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        result: Tensor = model.eval()(torch.randn(2, 3, 64, 32, generator=generator))
    return result


def test_published_names_are_those_of_the_original() -> None:
    keys = set(published())
    assert {
        "conv1.bn.running_var", "conv2.0.conv2a.conv1.weight", "conv2.0.conv2b.1.bn.bias", "conv2.1.gate.fc2.bias",
        "conv2.0.downsample.conv.weight", "conv2.2.0.conv.weight", "conv3.2.0.bn.weight", "conv4.1.conv3.bn.weight",
        "conv5.conv.weight", "fc.0.weight", "fc.1.running_mean", "classifier.bias",
    } <= keys  # fmt: skip
    assert {"conv2.0.conv2.3.layers.3.conv2.weight", "pool2.0.conv.weight", "conv3.1.IN.bias"} <= set(
        published("osnet_ain_x1_0")
    )


@pytest.mark.parametrize("wrapped", ["bare", "module", "state_dict", "trainer"])
def test_every_usual_packing_loads(wrapped: str, tmp_path: Path) -> None:
    state = published()
    content: object = state
    if wrapped == "module":
        content = {f"module.{key}": value for key, value in state.items()}
    elif wrapped == "state_dict":
        content = {"state_dict": {f"module.{key}": value for key, value in state.items()}, "epoch": 60}
    elif wrapped == "trainer":
        optimizer = torch.optim.Adam([torch.zeros(3, requires_grad=True)])
        content = {"state_dict": state, "rank1": np.float64(0.9), "optimizer": optimizer.state_dict()}
    torch.save(content, tmp_path / "weights.pth")
    model = create_model(NAME, num_classes=5)
    report = load_checkpoint(model, tmp_path / "weights.pth")
    assert report.layout == "torchreid osnet" and report.ignored == ()
    assert torch.equal(
        model.state_dict()["conv2.0.streams.1.0.pointwise.weight"], state["conv2.0.conv2b.0.conv1.weight"]
    )
    assert torch.equal(model.state_dict()["classifier.weight"], state["classifier.weight"])


def test_our_own_names_load_too(tmp_path: Path) -> None:
    source = create_model("osnet_ain_x1_0")
    torch.save(source.state_dict(), tmp_path / "own.pt")
    model = create_model("osnet_ain_x1_0", weights=tmp_path / "own.pt")
    assert torch.equal(embedding(model), embedding(source))


def test_only_the_classifier_is_ignored_when_class_counts_differ() -> None:
    state = published(num_classes=5)
    for classes in (0, 9):
        model = create_model(NAME, num_classes=classes)
        before = None if classes == 0 else model.state_dict()["classifier.weight"].clone()
        report = load_checkpoint(model, state)
        assert {"classifier.weight", "classifier.bias"} == set(report.ignored)
        if before is not None:
            assert torch.equal(model.state_dict()["classifier.weight"], before)
    without = {key: value for key, value in state.items() if not key.startswith("classifier")}
    assert load_checkpoint(create_model(NAME, num_classes=4), without).ignored


def test_missing_and_unexpected_keys_are_named_and_nothing_is_loaded() -> None:
    state = published()
    for key in ("conv1.conv.weight", "conv2.0.gate.fc1.bias", "conv4.1.conv1.bn.weight", "fc.0.bias"):
        del state[key]
    state["head.weight"] = torch.zeros(3)
    model = create_model(NAME)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(InputError) as caught:
        load_checkpoint(model, state)
    message = str(caught.value)
    assert "4 missing (conv1.conv.weight, conv2.0.gate.fc1.bias, conv4.1.conv1.bn.weight and 1 more)" in message
    assert "1 unexpected (head.weight)" in message
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("other", ["osnet_x0_5", "osnet_ain_x1_0"])
def test_a_checkpoint_of_another_architecture_says_which(other: str) -> None:
    with pytest.raises(InputError, match=rf"does not fit this OSNet: .*; it looks like {other}$"):
        load_checkpoint(create_model(NAME), published(other))


def test_weights_of_no_known_network_say_so() -> None:
    with pytest.raises(InputError, match="it looks like no network known here"):
        load_checkpoint(create_model(NAME), nn.Linear(3, 2).state_dict())


class Payload:
    """An object whose unpickling would run code."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("code ran",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "damaged or no PyTorch checkpoint"),
        (b"# some text, not weights\n" * 20, "no PyTorch checkpoint"),
        ("object", "no PyTorch checkpoint of plain weights"),
        ("list", "holds list, not weights by name"),
        ("numbers", "holds no weights"),
        ("cut", "cannot be loaded"),
    ],
)
def test_files_that_are_something_else(
    content: bytes | str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "weights.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "cut":
        torch.save(published(), path)
        path.write_bytes(path.read_bytes()[:5000])
    else:
        torch.save({"object": {"model": Payload()}, "list": [1, 2], "numbers": {"epoch": 3}}[content], path)
    with pytest.raises(InputError, match=message) as caught:
        load_checkpoint(create_model(NAME), path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert "code ran" not in capsys.readouterr().out


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_checkpoint(create_model(NAME), tmp_path / "nothing.pt")
    with pytest.raises(InputError, match="is a folder"):
        create_model(NAME, weights=tmp_path)


def test_weights_that_are_not_finite_are_refused() -> None:
    state = published()
    state["fc.0.weight"][3, 4] = torch.nan
    with pytest.raises(InputError, match=r"not finite in fc\.0\.weight"):
        load_checkpoint(create_model(NAME), state)


def fold(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Fold every 2-D batch norm into the convolution before it, as exporters do."""
    folded = dict(state)
    for key in state:
        if not key.endswith("bn.weight"):
            continue
        stem = key.removesuffix("bn.weight")
        convolution = f"{stem}conv2.weight" if f"{stem}conv2.weight" in state else f"{stem}conv.weight"
        scale = state[key] / (state[f"{stem}bn.running_var"] + 1e-5).sqrt()
        folded[convolution] = state[convolution] * scale[:, None, None, None]
        folded[f"{stem}bn.bias"] = state[f"{stem}bn.bias"] - state[f"{stem}bn.running_mean"] * scale
        folded[key] = torch.ones_like(scale)
        folded[f"{stem}bn.running_mean"] = torch.zeros_like(scale)
        folded[f"{stem}bn.running_var"] = torch.ones_like(scale) - 1e-5
    return folded


def test_folded_batch_norm_evaluates_alike_and_refuses_to_train() -> None:
    state = published()
    original, model = create_model(NAME), create_model(NAME)
    assert not load_checkpoint(original, state).batch_norm_folded
    assert load_checkpoint(model, fold(state)).batch_norm_folded
    torch.testing.assert_close(embedding(model), embedding(original), rtol=1e-4, atol=1e-4)
    with pytest.raises(InputError, match="folded into the convolutions: they can be evaluated"):
        model.train()(torch.zeros(2, 3, 64, 32))
    load_checkpoint(model, state)  # weights with statistics make it trainable again
    assert model.train()(torch.zeros(2, 3, 64, 32)).features[0].shape == (2, 512)
