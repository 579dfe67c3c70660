"""HA-CNN and harmonious attention against the published implementation's numbers and PyTorch's own sampling."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from reid_models import create_model, load_checkpoint
from reid_models.architectures.hacnn import HACNN
from reid_models.architectures.harmonious_attention import HardAttention, SpatialAttention, crop_regions
from reid_models.complexity import count_multiply_adds, count_parameters
from reid_models.errors import InputError
from reid_models.export import export_onnx
from reid_models.outputs import ModelOutput
from reid_models.records import EmbeddingRecord
from tests.reid_models.fixtures import blocky, noise, published_state, read_fixture, relative_error

SIZE = (160, 64)
SMALL = {"channels": (8, 16, 32, 48), "feature_dimension": 24}
#: a shift of, or a factor on, a single channel that batch norm undoes: its gradient is rounding noise, or zero
BEFORE_BATCH_NORM = ("fc_global.0.bias", "fc_local.0.bias", "soft.spatial.scale.conv.weight")


def test_size_equals_the_published_implementation() -> None:
    model = create_model("hacnn", num_classes=7)
    assert count_parameters(model) == 2_929_112
    assert count_parameters(model, with_classifier=True) == 2_929_112 + 2 * (512 * 7 + 7)
    assert count_multiply_adds(model, SIZE) == 543_994_538


@pytest.mark.data
def test_embedding_equals_the_published_implementation(data_root: Path) -> None:
    spec, arrays = read_fixture(data_root, "hacnn_align_true")
    model = create_model("hacnn", num_classes=spec["num_classes"])
    report = load_checkpoint(model, published_state(spec))
    assert report.layout == "torchreid hacnn" and report.ignored == ()
    assert count_parameters(model, with_classifier=True) == spec["parameters"]["with_classifier"]
    model.eval()
    with torch.no_grad():
        assert relative_error(model(noise(*SIZE)), arrays["embedding"]) <= 1e-5
        assert relative_error(model(blocky(*SIZE)), arrays["embedding_blocky"]) <= 1e-5
        output = model.train()(noise(*SIZE, seed=8, batch=4))
    for ours, theirs in zip((*output.logits, *output.features), spec["train_mode"]["outputs"], strict=True):
        assert list(ours.shape) == theirs["shape"]
        assert relative_error(ours.flatten()[:8], theirs["first8"]) <= 1e-3


@pytest.mark.parametrize(("maps_size", "size"), [((80, 32), (24, 28)), ((40, 16), (12, 14)), ((20, 8), (6, 7))])
def test_regions_are_those_of_an_affine_grid(maps_size: tuple[int, int], size: tuple[int, int]) -> None:
    """Values and both gradients of grid sampling at full resolution and resizing, as the published code does it."""
    generator = torch.Generator().manual_seed(1)
    maps = torch.randn(3, 5, *maps_size, generator=generator, dtype=torch.float64).float().requires_grad_()
    translations = (torch.rand(3, 4, 2, generator=generator) * 2 - 1).requires_grad_()
    expected = []
    for region in range(4):
        theta = torch.zeros(3, 2, 3)
        theta[:, 0, 0], theta[:, 1, 1] = 1, 0.25
        theta = torch.cat([theta[:, :, :2], translations[:, region, :, None]], dim=2)
        grid = F.affine_grid(theta, [3, 5, *maps_size], align_corners=True)
        sampled = F.grid_sample(maps, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
        expected.append(F.interpolate(sampled, size, mode="bilinear", align_corners=True))
    reference = torch.stack(expected, dim=1)
    ours = crop_regions(maps, translations, size)
    torch.testing.assert_close(ours, reference, atol=2e-5, rtol=1e-4)
    weights = torch.randn(reference.shape, generator=generator)
    for mine, theirs in zip(
        torch.autograd.grad((ours * weights).sum(), (maps, translations)),
        torch.autograd.grad((reference * weights).sum(), (maps, translations)),
        strict=True,
    ):
        assert relative_error(mine, theirs.numpy()) <= 1e-4


def test_training_starts_from_four_regions_below_each_other() -> None:
    centers = HardAttention(16)(torch.randn(2, 16, 5, 4))
    assert centers.shape == (2, 4, 2)
    expected = torch.tensor([[0, -0.75], [0, -0.25], [0, 0.25], [0, 0.75]]).tanh()
    torch.testing.assert_close(centers, expected.expand(2, 4, 2))
    rows = torch.arange(81.0)[:, None].expand(81, 33)[None, None]
    middles = crop_regions(rows, centers[:1], (25, 5))[0, :, 0, 12, 2]
    torch.testing.assert_close(middles, 40 + 40 * expected[:, 1], atol=1e-3, rtol=1e-4)


def test_spatial_attention_resizes_bilinearly() -> None:
    torch.manual_seed(0)
    attention = SpatialAttention(bias=True).eval()
    maps = torch.randn(2, 6, 20, 8)
    small = attention.reduce(maps.mean(1, keepdim=True))
    expected = attention.scale(F.interpolate(small, (20, 8), mode="bilinear", align_corners=True))
    torch.testing.assert_close(attention(maps), expected)


def test_regions_have_batch_statistics_of_their_own_while_training() -> None:
    """The shared block normalises each region by itself, so each output channel has mean β for every region."""
    torch.manual_seed(0)
    model = create_model("hacnn", **SMALL)
    assert isinstance(model, HACNN)
    means = []
    norm = model.local_blocks[2].streams[2][1].norm  # type: ignore[index, union-attr]
    norm.register_forward_hook(lambda _module, _inputs, output: means.append(output.mean((0, 2, 3))))
    model(torch.randn(4, 3, *SIZE))
    assert len(means) == 4
    torch.testing.assert_close(torch.stack(means), torch.zeros(4, 24), atol=1e-5, rtol=0)


def test_every_parameter_is_trained() -> None:
    torch.manual_seed(0)
    model = create_model("hacnn", num_classes=3, convolution_bias=False, **SMALL)
    for norm in model.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(norm.bias, 0, 0.1)
    output = model(torch.randn(6, 3, *SIZE))
    assert isinstance(output, ModelOutput)
    assert [tensor.shape for tensor in (*output.logits, *output.features)] == [(6, 3), (6, 3), (6, 24), (6, 24)]
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    sum(F.cross_entropy(logits, labels) for logits in output.logits).backward()  # type: ignore[union-attr]
    assert all(parameter.grad is not None for parameter in model.parameters())
    silent = {name for name, parameter in model.named_parameters() if not parameter.grad.any()}
    assert {name for name in silent if not name.endswith(BEFORE_BATCH_NORM)} == set()


def test_both_halves_of_the_embedding_have_length_one() -> None:
    model = create_model("hacnn", **SMALL).eval()
    with torch.no_grad():
        embedding = model(torch.randn(3, 3, *SIZE))
    assert embedding.shape == (3, 48)
    torch.testing.assert_close(embedding.unflatten(1, (2, 24)).norm(dim=2), torch.ones(3, 2))


def test_the_exported_network_gives_the_same_embedding(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    model = create_model("hacnn", **SMALL)
    model(torch.randn(4, 3, *SIZE))
    for attention in model.attentions:
        torch.nn.init.normal_(attention.hard.fc.weight)  # regions that depend on the image
    export_onnx(model.eval(), tmp_path / "hacnn.onnx", EmbeddingRecord(input_size=SIZE))
    session = onnxruntime.InferenceSession(str(tmp_path / "hacnn.onnx"))
    images = torch.cat([noise(*SIZE), blocky(*SIZE), noise(*SIZE, seed=3, batch=1)])
    (exported,) = session.run(None, {"images": images.numpy()})
    with torch.no_grad():
        assert relative_error(exported, model(images).numpy()) <= 1e-5
    assert np.isfinite(exported).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": "mean"}, "pooling = 'mean' is not one of gem"),
        ({"feature_normalization": "unit"}, "feature_normalization = 'unit'"),
        ({"channels": (32, 128, 256)}, "four numbers"),
        ({"channels": (32, 128, 250, 384)}, "multiples of 16"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        create_model("hacnn", **options)
