"""Robust-ReID against its paper's tables, ShuffleNetV2's blocks and a public re-implementation's numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.shufflenetv2 import InvertedResidual, channel_shuffle

from reid_models import create_model, load_checkpoint
from reid_models.architectures.gem import GeneralizedMeanPooling, global_pooling
from reid_models.architectures.hacnn import InceptionA, InceptionB
from reid_models.architectures.robust_reid import TABLE_2, TABLE_3, RobustReID, robust_reid
from reid_models.architectures.shuffle_blocks import ShuffleA, ShuffleB
from reid_models.complexity import count_multiply_adds, count_parameters
from reid_models.errors import InputError
from reid_models.export import export_onnx
from reid_models.outputs import ModelOutput
from reid_models.records import EmbeddingRecord
from tests.reid_models.fixtures import blocky, noise, published_state, read_fixture, relative_error

SIZE = (160, 64)
#: a network of the same make that is quick
SMALL: dict[str, Any] = {"channels": (8, 16, 32, 48), "stage_repeats": (1, 2, 1), "feature_dimension": 24}
#: a shift of, or a factor on, a single channel that batch norm undoes: its gradient is rounding noise, or zero
BEFORE_BATCH_NORM = ("fc_global.0.bias", "fc_local.0.bias", "soft.spatial.scale.conv.weight")


def _count_as_printed(model: nn.Module) -> float:
    """Return billions of operations: multiply-adds, and per value one for bias, two for batch norm, one for ReLU.

    The paper does not say what it counts; this is a count that gives both of its figures.
    """
    extra = 0

    def count(module: nn.Module, _inputs: Any, output: Tensor) -> None:
        nonlocal extra
        extra += output.numel() * (2 if isinstance(module, nn.BatchNorm2d) else 1)

    handles = [
        module.register_forward_hook(count)
        for module in model.modules()
        if isinstance(module, (nn.BatchNorm2d, nn.ReLU, nn.Conv2d))
    ]
    total = count_multiply_adds(model, SIZE) + extra
    for handle in handles:
        handle.remove()
    return total / 1e9


@pytest.mark.parametrize(
    ("name", "parameters", "multiply_adds", "printed"),
    [
        ("robust_reid_1x", 2_910_596, 682_665_130, 0.72),
        # Table 1 prints 6.4 million parameters for 2×; see the module's docstring.
        ("robust_reid_2x", 5_759_834, 1_621_772_618, 1.68),
    ],
)
def test_size_and_operations_of_table_1(name: str, parameters: int, multiply_adds: int, printed: float) -> None:
    model = create_model(name, num_classes=7)
    width = 512 if name.endswith("1x") else 960
    assert count_parameters(model) == parameters
    assert count_parameters(model, with_classifier=True) == parameters + 2 * width * 7
    assert count_multiply_adds(model, SIZE) == multiply_adds
    assert round(_count_as_printed(model), 2) == printed


def test_1x_has_as_many_parameters_as_table_1_prints() -> None:
    assert round(count_parameters(robust_reid()) / 1e6, 1) == 2.9
    assert round(count_parameters(robust_reid(convolution_bias=True)) / 1e6, 1) == 2.9


def test_stages_are_those_of_table_1() -> None:
    model = robust_reid(size="2x").eval()
    shapes: dict[str, list[tuple[int, ...]]] = {"stages": [], "regions": []}
    for stage in model.stages:
        stage.register_forward_hook(lambda _m, inputs, output: shapes["stages"].extend([inputs[0].shape, output.shape]))
    for block in model.local_blocks:
        block.register_forward_hook(lambda _m, inputs, _o: shapes["regions"].append(tuple(inputs[0].shape)))
    with torch.no_grad():
        embedding = model(torch.zeros(1, 3, *SIZE))
    assert embedding.shape == (1, 1920)
    assert shapes["stages"] == [
        (1, 36, 80, 32), (1, 240, 40, 16), (1, 240, 40, 16), (1, 320, 20, 8), (1, 320, 20, 8), (1, 480, 10, 4),
    ]  # fmt: skip
    assert shapes["regions"] == [(4, 36, 24, 28), (4, 240, 12, 14), (4, 320, 6, 7)]
    for stage, repeats in zip(model.stages, (8, 11, 8), strict=True):
        assert [type(block) for block in stage] == [ShuffleB, *[ShuffleA] * repeats, ShuffleB]  # type: ignore[arg-type]
        strides = [max(m.stride[0] for m in b.modules() if isinstance(m, nn.Conv2d)) for b in stage]  # type: ignore[union-attr]
        assert strides == [1] * (repeats + 1) + [2]


def _copy_in_order(target: nn.Module, source: nn.Module) -> None:
    values = source.state_dict().values()
    target.load_state_dict(dict(zip(target.state_dict(), values, strict=True)))


def _random_statistics(module: nn.Module) -> None:
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.running_mean)  # type: ignore[arg-type]


def test_shuffle_a_is_the_basic_unit_of_shufflenet_v2() -> None:
    """It shuffles first instead of last, which is the same from one block to the next."""
    torch.manual_seed(0)
    reference = InvertedResidual(32, 32, 1).eval()
    _random_statistics(reference)
    block = ShuffleA(32).eval()
    _copy_in_order(block.main, reference.branch2)
    maps = torch.randn(2, 32, 6, 5)
    torch.testing.assert_close(channel_shuffle(block(channel_shuffle(maps, 2)), 2), reference(maps))


def test_shuffle_b_is_the_down_sampling_unit_of_shufflenet_v2() -> None:
    torch.manual_seed(0)
    reference = InvertedResidual(12, 32, 2).eval()
    _random_statistics(reference)
    block = ShuffleB(12, 32, stride=2).eval()
    _copy_in_order(block.projection, reference.branch1)
    _copy_in_order(block.main, reference.branch2)
    maps = torch.randn(2, 12, 7, 6)
    torch.testing.assert_close(channel_shuffle(block(maps), 2), reference(maps))
    assert ShuffleB(12, 32)(maps).shape == (2, 32, 7, 6)


def test_generalized_mean_lies_between_average_and_maximum() -> None:
    torch.manual_seed(0)
    maps = torch.rand(2, 3, 5, 4)
    average, maximum = global_pooling("average")(maps), global_pooling("max")(maps)
    torch.testing.assert_close(GeneralizedMeanPooling(1.0)(maps), average)
    torch.testing.assert_close(GeneralizedMeanPooling(200.0)(maps), maximum, atol=0.03, rtol=0)
    two_values = torch.tensor([1.0, 2.0]).reshape(1, 1, 2, 1)
    torch.testing.assert_close(global_pooling("gem")(two_values), torch.tensor([[4.5 ** (1 / 3)]]))
    torch.testing.assert_close(global_pooling("fixed_gem")(maps), global_pooling("gem")(maps))
    torch.testing.assert_close(global_pooling("average_and_max")(maps), torch.cat([average, maximum], 1))


def test_the_exponent_is_learned_and_zero_maps_have_finite_gradients() -> None:
    pooling = global_pooling("gem")
    maps = torch.zeros(1, 2, 3, 3)
    maps[0, 0, 0] = 1.5
    maps.requires_grad_()
    pooling(maps).sum().backward()
    (exponent,) = pooling.parameters()
    # d/dp of (m x^p)^(1/p) at x = 1.5 on a share m = 1/3 of the positions: value · −ln(m) / p²
    expected = 1.5 * (1 / 3) ** (1 / 3) * torch.log(torch.tensor(3.0)) / 9
    assert exponent.item() == 3 and exponent.grad is not None and maps.grad is not None
    assert exponent.grad.item() == pytest.approx(expected.item(), rel=1e-3)
    assert maps.grad.isfinite().all()


@pytest.mark.data
@pytest.mark.parametrize(
    ("fixture", "options"),
    [("robust_hacnn_kakusikun", {}), ("robust_hacnn_chained_locals", {"first_chained_level": 1})],
)
def test_embedding_equals_the_re_implementation(fixture: str, options: dict[str, Any], data_root: Path) -> None:
    spec, arrays = read_fixture(data_root, fixture)
    model = create_model("robust_reid_1x", num_classes=spec["num_classes"], layout="kakusikun", **options)
    report = load_checkpoint(model, published_state(spec))
    assert report.layout == "kakusikun robust_hacnn" and report.ignored == ()
    assert count_parameters(model) == spec["parameters"]["without_classifier"]
    assert count_multiply_adds(model, SIZE) == spec["multiply_adds"]["total"]
    model.eval()
    with torch.no_grad():
        assert relative_error(model(noise(*SIZE)), arrays["embedding"]) <= 1e-5
        assert relative_error(model(blocky(*SIZE)), arrays["embedding_blocky"]) <= 1e-5
        output = model.train()(noise(*SIZE, seed=8, batch=4))
    ours = {"g_id": output.logits[0], "l_id": output.logits[1], "g_l2": output.features[0], "l_l2": output.features[1]}
    for theirs in spec["train_mode"]["outputs"]:
        if theirs["name"] in ours:
            assert list(ours[theirs["name"]].shape) == theirs["shape"]
            assert relative_error(ours.pop(theirs["name"]).flatten()[:8], theirs["first8"]) <= 1e-3
    assert not ours


def _silent_parameters(model: nn.Module) -> set[str]:
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.normal_(norm.bias, 0, 0.1)
    output = model(torch.randn(6, 3, *SIZE, generator=torch.Generator().manual_seed(2)))
    assert isinstance(output, ModelOutput)
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    loss = sum(F.cross_entropy(10 * logits, labels) for logits in output.logits)
    loss.backward()  # type: ignore[union-attr]
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    silent = {name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    return {name for name in silent if not name.endswith(BEFORE_BATCH_NORM)}


@pytest.mark.parametrize(
    "options", [{**TABLE_2[column], **SMALL} for column in TABLE_2] + [{**TABLE_3[1], **SMALL}, {"size": "1x"}]
)
def test_every_parameter_of_every_ablation_is_trained(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    assert _silent_parameters(robust_reid(num_classes=3, **options)) == set()


def test_the_re_implementation_leaves_parts_without_gradient() -> None:
    torch.manual_seed(0)
    silent = _silent_parameters(robust_reid(num_classes=3, layout="kakusikun", **SMALL))
    assert {name.split(".")[0] for name in silent} == {"local_blocks", "attentions"}
    assert all(name.startswith(("local_blocks.0.", "attentions.0.hard.")) for name in silent)
    torch.manual_seed(0)
    chained = robust_reid(num_classes=3, layout="kakusikun", first_chained_level=1, **SMALL)
    assert _silent_parameters(chained) == set()


def test_ablations_differ_where_table_2_says() -> None:
    models = {column: robust_reid(num_classes=2, **options) for column, options in TABLE_2.items()}
    kinds = {column: {type(m) for m in model.modules()} for column, model in models.items()}
    for column, model in models.items():
        inception = column in ("HA-CNN", "a", "c")
        assert ({InceptionA, InceptionB} <= kinds[column]) == inception
        assert ({ShuffleA, ShuffleB} <= kinds[column]) != inception
        assert (GeneralizedMeanPooling in kinds[column]) == (column not in ("HA-CNN", "a", "e"))
        assert (model.feature_normalization == "l2") == (column not in ("HA-CNN", "a", "b"))
        assert model.classifier_global is not None
        assert (model.classifier_global.bias is None) == (column != "HA-CNN")
        assert model.classifier_global.in_features == (512 if column in ("HA-CNN", "a", "f", "g") else 960)
    # Without the idle biases of its convolutions, the baseline is HA-CNN.
    biased = robust_reid(**TABLE_2["HA-CNN"], convolution_bias=True)
    assert count_parameters(biased) == count_parameters(create_model("hacnn"))
    assert biased.state_dict().keys() == create_model("hacnn").state_dict().keys()
    assert count_multiply_adds(models["a"], SIZE) == 543_994_538


@pytest.mark.parametrize("kind", ["l2", "l2_features", "none", "batch_norm_neck"])
def test_what_the_losses_are_given(kind: Any) -> None:
    torch.manual_seed(0)
    model = robust_reid(num_classes=5, feature_normalization=kind, **SMALL)
    images = torch.randn(4, 3, *SIZE)
    vectors = model.branch_features(images)
    output = model(images)
    assert isinstance(output, ModelOutput)
    for vector, feature, logits, classifier in zip(
        vectors, output.features, output.logits, (model.classifier_global, model.classifier_local), strict=True
    ):
        assert classifier is not None
        unit = vector / vector.norm(dim=1, keepdim=True)
        batch_normalized = (vector - vector.mean(0)) / (vector.var(0, unbiased=False) + 1e-5).sqrt()
        torch.testing.assert_close(feature, unit if kind.startswith("l2") else vector)
        classified = {"l2": unit, "batch_norm_neck": batch_normalized}.get(kind, vector)
        torch.testing.assert_close(logits, classified @ classifier.weight.T)
    with torch.no_grad():
        halves = model.eval()(images).unflatten(1, (2, 24))
    torch.testing.assert_close(halves.norm(dim=2), torch.ones(4, 2))


def test_downsampling_at_the_start_of_stages_is_cheaper() -> None:
    for blocks in ("shuffle", "inception"):
        late = robust_reid(blocks=blocks, **SMALL)  # type: ignore[arg-type]
        early = robust_reid(blocks=blocks, downsampling="stage_start", **SMALL)  # type: ignore[arg-type]
        assert count_multiply_adds(early, SIZE) < count_multiply_adds(late, SIZE)
        assert early.eval()(torch.zeros(1, 3, *SIZE)).shape == (1, 48)
    assert count_parameters(robust_reid(downsampling="stage_start")) == count_parameters(robust_reid())


def test_it_is_built_without_memory_on_the_meta_device() -> None:
    with torch.device("meta"):
        model = create_model("robust_reid_2x", num_classes=4)
    assert isinstance(model, RobustReID)
    assert all(parameter.is_meta for parameter in model.parameters())
    assert model.eval()(torch.zeros(2, 3, *SIZE, device="meta")).shape == (2, 1920)


def test_the_exported_network_gives_the_same_embedding(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    model = robust_reid(**SMALL)
    model(torch.randn(4, 3, *SIZE))
    for attention in model.attentions:
        nn.init.normal_(attention.hard.fc.weight)  # type: ignore[union-attr, arg-type]
    nn.init.constant_(model.pool_global.exponent, 4.2)  # type: ignore[arg-type]
    export_onnx(model.eval(), tmp_path / "robust.onnx", EmbeddingRecord(input_size=SIZE))
    session = onnxruntime.InferenceSession(str(tmp_path / "robust.onnx"))
    images = torch.cat([noise(*SIZE), blocky(*SIZE), noise(*SIZE, seed=3, batch=1)])
    (exported,) = session.run(None, {"images": images.numpy()})
    with torch.no_grad():
        expected = model(images)
    assert relative_error(exported, expected.numpy()) <= 1e-5
    assert (expected[0] - expected[1]).norm() > 1e-3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": "3x"}, "size = '3x' is not one of 1x, 2x"),
        ({"layout": "torchreid"}, "layout = 'torchreid'"),
        ({"blocks": "residual"}, "not one of shuffle, inception"),
        ({"pooling": "mean"}, "pooling = 'mean'"),
        ({"feature_normalization": True}, "feature_normalization = True"),
        ({"downsampling": "both"}, "stage_end, stage_start"),
        ({"first_chained_level": 0}, "not one of 1, 2"),
        ({"stage_repeats": (7, 10)}, "three numbers of blocks"),
        ({"channels": (31, 128, 256, 384)}, "an even one for the stem"),
        ({"region_sizes": ((24, 28), (12, 14), (6, 6))}, "each half of the one before"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        create_model("robust_reid_1x" if "size" not in options else "robust_reid_2x", **options)
