"""OSNet against its paper's figures and the published implementation's numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from reid_models import create_model, load_checkpoint
from reid_models.architectures.osnet import TABLE_5, GatedFusion, OmniScaleBlock, OSNet
from reid_models.complexity import count_multiply_adds, count_parameters
from reid_models.errors import InputError
from reid_models.outputs import ModelOutput
from tests.reid_models.fixtures import blocky, noise, published_state, read_fixture, relative_error

SIZE = (256, 128)
PUBLISHED = ("osnet_x1_0", "osnet_x0_25", "osnet_ibn_x1_0", "osnet_ain_x1_0")


@pytest.mark.parametrize(
    ("name", "parameters", "multiply_adds"),
    [
        ("osnet_x1_0", 2_169_508, 978_875_392),
        ("osnet_x0_75", 1_285_754, 571_752_192),
        ("osnet_x0_5", 630_034, 272_899_328),
        ("osnet_x0_25", 201_864, 82_314_880),
        ("osnet_ibn_x1_0", 2_170_532, 978_875_392),
        ("osnet_ain_x1_0", 2_169_508, 978_875_392),
    ],
)
def test_size_equals_the_published_implementation(name: str, parameters: int, multiply_adds: int) -> None:
    model = create_model(name, num_classes=7)
    assert count_parameters(model) == parameters
    assert count_parameters(model, with_classifier=True) == parameters + 512 * 7 + 7
    assert count_multiply_adds(model, SIZE) == multiply_adds
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize(
    ("width", "size", "millions"),
    [
        (1.0, (192, 96), 550.7), (1.0, (128, 64), 244.9), (1.0, (64, 32), 61.5),
        (0.75, (192, 96), 321.7), (0.75, (128, 64), 143.1), (0.75, (64, 32), 35.9),
        (0.5, (192, 96), 153.6), (0.5, (128, 64), 68.3), (0.5, (64, 32), 17.2),
        (0.25, (192, 96), 46.3), (0.25, (128, 64), 20.6), (0.25, (64, 32), 5.2),
    ],
)  # fmt: skip
def test_multiply_adds_of_table_6(width: float, size: tuple[int, int], millions: float) -> None:
    assert round(count_multiply_adds(create_model("osnet_x1_0", width=width), size) / 1e6, 1) == millions


def test_full_convolutions_have_the_papers_size() -> None:
    """Sec. 3.3: 6.9 million parameters and 3,384.9 million multiply-adds.

    Convolutions and linear layers alone make 3,376.2: the paper's figure is met to its last digit when batch norm (one
    per value) and average pooling (one per pooled value) are counted too, which its figures for lite layers leave out.
    """
    model = create_model("osnet_x1_0", **TABLE_5[2])
    assert round(count_parameters(model) / 1e6, 1) == 6.9
    assert count_multiply_adds(model, SIZE) == 3_376_182_272
    extra = 0

    def count(module: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        nonlocal extra
        extra += inputs[0].numel() if isinstance(module, nn.AvgPool2d) else output.numel()

    for module in model.modules():
        if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm1d, nn.AvgPool2d)):
            module.register_forward_hook(count)
    total = count_multiply_adds(model, SIZE) + extra
    assert round(total / 1e6, 1) == 3384.9


@pytest.mark.parametrize(("blocks", "layers", "millions"), [((2, 2, 2), 78, 2.2), ((3, 8, 6), 210, 4.6)])
def test_depth_and_parameters_of_table_8(blocks: tuple[int, ...], layers: int, millions: float) -> None:
    """Pointwise and depthwise convolutions are separate layers; the longest path counts, gates included."""
    model = create_model("osnet_x1_0", blocks_per_stage=blocks, small_images=True, num_classes=10)
    deepest = 0
    for module in model.modules():
        if isinstance(module, OmniScaleBlock):
            longest = max(sum(isinstance(m, nn.Conv2d) for m in stream.modules()) for stream in module.streams)
            gate = sum(isinstance(m, nn.Conv2d) for m in module.fusion.modules())
            deepest += longest + gate + 2
    assert isinstance(model, OSNet)
    outside = len([model.conv1, model.transition2, model.transition3, model.conv5, model.fc, model.classifier])
    assert deepest + outside == layers
    assert round(count_parameters(model) / 1e6, 1) == millions
    assert model.eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 512)


@pytest.mark.parametrize("row", sorted(TABLE_5))
def test_every_ablation_trains_all_its_parameters(row: int) -> None:
    torch.manual_seed(row)
    model = create_model("osnet_x0_25", num_classes=3, **TABLE_5[row])
    output = model(torch.randn(4, 3, 64, 32))
    assert isinstance(output, ModelOutput)
    assert output.logits[0].shape == (4, 3) and output.features[0].shape == (4, 512)
    torch.nn.functional.cross_entropy(output.logits[0], torch.tensor([0, 1, 2, 0])).backward()
    # A bias just before batch norm has no effect on the loss: its gradient is rounding noise or zero.
    silent = [
        name
        for name, parameter in model.named_parameters()
        if (parameter.grad is None or not parameter.grad.any()) and name != "fc.0.bias"
    ]
    dead_gates = [name for name in silent if ".fusion.gate" in name]  # their one hidden unit may be off (ReLU)
    assert silent == dead_gates
    assert len(dead_gates) <= 0.75 * sum(".fusion.gate" in name for name, _ in model.named_parameters())


def test_ablations_differ_where_table_5_says() -> None:
    size = {row: count_parameters(create_model("osnet_x1_0", **options)) for row, options in TABLE_5.items()}
    gate = 2 * sum(2 * c * (c // 16) + c // 16 + c for c in (64, 96, 128))
    assert size[1] - size[5] == gate  # the primary model is addition plus one gate a block
    assert size[6] - size[1] == 3 * gate  # separate gates: four instead of one
    assert size[8] - size[5] == 2 * 4 * (64 + 96 + 128)  # fixed gates: one weight a channel and stream
    assert size[4] - size[5] == 2 * 3 * (64 * 256 + 96 * 384 + 128 * 512)  # concatenation: a wider last 1×1
    lite = [c * c + 9 * c + 2 * c for c in (64, 96, 128)]
    assert size[1] - size[11] == 2 * 4 * sum(lite)  # T: the stream of four layers, then that of three
    assert size[11] - size[10] == 2 * 3 * sum(lite)
    assert size[3] - size[1] == 2 * 6 * sum(lite)  # same depth: 16 layers instead of 10


def test_the_unified_gate_is_equation_3() -> None:
    torch.manual_seed(0)
    fusion = GatedFusion(32, 3)
    streams = [torch.randn(2, 32, 5, 4) for _ in range(3)]
    gate = fusion.gate
    expected = torch.zeros(2, 32, 5, 4)
    for stream in streams:
        hidden = torch.relu(gate.reduce(stream.mean((2, 3), keepdim=True)))
        expected += torch.sigmoid(gate.expand(hidden)) * stream
    torch.testing.assert_close(fusion(streams), expected)
    assert GatedFusion(32, 3, stream_wise=True).weights(streams)[0].shape == (2, 1, 1, 1)


def test_a_network_without_classes_has_features_only() -> None:
    output = create_model("osnet_x0_25")(torch.randn(2, 3, 64, 32))
    assert output.logits == () and output.maps == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fusion": "gate"}, "fusion = 'gate'"),
        ({"num_streams": 5}, "num_streams = 5 is not one of 1, 2, 3, 4"),
        ({"convolution": "depthwise"}, "not one of lite, full"),
        ({"width": 0.3}, "multiples of 4"),
        ({"blocks_per_stage": (2, 2)}, "three numbers"),
        ({"instance_norm": "ain", "blocks_per_stage": (3, 8, 6)}, "searched for"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        create_model("osnet_x1_0", **options)


@pytest.mark.data
@pytest.mark.parametrize("name", PUBLISHED)
def test_embedding_equals_the_published_implementation(name: str, data_root: Path) -> None:
    spec, arrays = read_fixture(data_root, name)
    model = create_model(name, num_classes=spec["num_classes"])
    report = load_checkpoint(model, published_state(spec))
    assert report.ignored == () and not report.batch_norm_folded
    assert count_parameters(model, with_classifier=True) == spec["parameters"]["with_classifier"]
    model.eval()
    with torch.no_grad():
        assert relative_error(model(noise(*SIZE)), arrays["embedding"]) <= 1e-5
        assert relative_error(model(blocky(*SIZE)), arrays["embedding_blocky"]) <= 1e-5
        output = model.train()(noise(*SIZE, seed=8, batch=4))
    for ours, theirs in zip((output.logits[0], output.features[0]), spec["train_mode"]["outputs"], strict=True):
        assert list(ours.shape) == theirs["shape"]
        assert relative_error(ours.flatten()[:8], theirs["first8"]) <= 1e-3


@pytest.mark.data
def test_embedding_of_real_weights(data_root: Path) -> None:
    _, arrays = read_fixture(data_root, "osnet_x0_25_msmt17_real")
    model = create_model("osnet_x0_25", weights=data_root / "weights" / "osnet_x0_25_msmt17.pt").eval()
    with torch.no_grad():
        assert relative_error(model(noise(*SIZE)), arrays["embedding"]) <= 1e-5
        assert relative_error(model(blocky(*SIZE)), arrays["embedding_blocky"]) <= 1e-5
        assert relative_error(model(blocky(*SIZE)), arrays["embedding_blocky_onnxruntime"]) <= 1e-5
