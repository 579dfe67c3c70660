"""The strong baseline against its paper's figures, torchvision's ResNet, and the published implementation's numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from reid_models import create_model, load_checkpoint
from reid_models.architectures.resnet import resnet_trunk
from reid_models.architectures.strong_baseline import TABLE_1, StrongBaseline
from reid_models.complexity import count_multiply_adds, count_parameters
from reid_models.errors import InputError
from reid_models.export import export_onnx
from reid_models.outputs import ModelOutput
from reid_models.records import EmbeddingRecord
from reid_models.runtimes import load_network
from tests.reid_models.fixtures import blocky, noise, published_state, read_fixture, relative_error

SIZE = (256, 128)
SMALL = (64, 32)


def build(**options: object) -> StrongBaseline:
    """Return a small one: everything but the depth is as in the paper."""
    model = create_model("strong_baseline_resnet50", **{"backbone": "resnet18", **options})  # type: ignore[arg-type]
    assert isinstance(model, StrongBaseline)
    return model


def lively(model: nn.Module, seed: int = 0) -> nn.Module:
    """Give every batch norm weights and statistics that are not those of an identity."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            assert module.running_mean is not None and module.running_var is not None
            for tensor, low in ((module.weight, 0.5), (module.running_var, 0.5), (module.running_mean, -0.5)):
                tensor.data.copy_(low + torch.rand(tensor.shape, generator=generator))
    return model


def without_neck(embedding: np.ndarray, state: dict[str, torch.Tensor]) -> np.ndarray:
    """Return what batch norm made the published embedding (B, 2048) from."""
    weight, bias, mean, variance = (
        state[f"bottleneck.{name}"].double().numpy() for name in ("weight", "bias", "running_mean", "running_var")
    )
    return (embedding - bias) / weight * np.sqrt(variance + 1e-5) + mean


def test_size_equals_the_published_implementation() -> None:
    with torch.device("meta"):
        model = create_model("strong_baseline_resnet50", num_classes=751)
    assert count_parameters(model) == 23_512_128
    assert count_parameters(model, with_classifier=True) == 25_050_176
    assert count_multiply_adds(model, SIZE) == 4_053_270_528


def test_stride_2_has_the_multiply_adds_of_torchvisions_resnet() -> None:
    with torch.device("meta"):
        trunk = resnet_trunk("resnet50").eval()
    with_fc = count_multiply_adds(trunk, (224, 224)) + 2048 * 1000
    assert round(with_fc / 1e9, 3) == torchvision.models.ResNet50_Weights.IMAGENET1K_V1.meta["_ops"]


@pytest.mark.parametrize(("rung", "maps"), [("Baseline-S", (8, 4)), ("+stride=1", (16, 8)), ("+BNNeck", (16, 8))])
def test_last_maps_have_the_size_of_section_3_4(rung: str, maps: tuple[int, int]) -> None:
    with torch.device("meta"):
        model = create_model("strong_baseline_resnet50", **TABLE_1[rung])
        assert isinstance(model, StrongBaseline)
        assert model.feature_maps(torch.zeros(1, 3, *SIZE)).shape == (1, 2048, *maps)


def test_the_stride_costs_no_parameters_and_the_neck_one_batch_norm() -> None:
    with torch.device("meta"):
        models = {rung: create_model("strong_baseline_resnet50", num_classes=10, **TABLE_1[rung]) for rung in TABLE_1}
    size = {rung: count_parameters(model, with_classifier=True) for rung, model in models.items()}
    assert size["Baseline-S"] == size["+stride=1"] == size["+LS"]
    assert size["+BNNeck"] - size["+stride=1"] == 2 * 2048 - 10  # no bias in the classifier
    assert size["+center loss"] == size["+BNNeck"]


def test_with_stem_relu_and_stride_2_it_is_torchvisions_resnet() -> None:
    torch.manual_seed(0)
    reference = lively(torchvision.models.resnet18(weights=None)).eval()
    images = torch.randn(2, 3, *SMALL)
    model = build(last_stride=2, stem_relu=True, neck="none").eval()
    assert isinstance(model, StrongBaseline)
    model.load_imagenet(reference.state_dict())
    reference.fc = nn.Identity()
    with torch.no_grad():
        torch.testing.assert_close(model(images), reference(images))
        reference.relu = nn.Identity()  # the stem's only; blocks have their own
        without = build(last_stride=2, neck="none").eval()
        without.load_imagenet(model.trunk.state_dict())
        torch.testing.assert_close(without(images), reference(images))
        assert relative_error(without(images), model(images).numpy()) > 1e-3


def test_the_test_embedding_is_on_the_side_asked_for() -> None:
    torch.manual_seed(0)
    model = lively(build(embedding="before")).eval()
    assert isinstance(model, StrongBaseline) and isinstance(model.neck, nn.BatchNorm1d)
    other = build(embedding="after").eval()
    load_checkpoint(other, model.state_dict())
    neck, images = model.neck, torch.randn(2, 3, *SMALL)
    assert neck.running_mean is not None and neck.running_var is not None
    with torch.no_grad():
        before, after = model(images), other(images)
        by_hand = (before - neck.running_mean) / torch.sqrt(neck.running_var + neck.eps) * neck.weight
        torch.testing.assert_close(before, model.feature_maps(images).mean((2, 3)))
    torch.testing.assert_close(after, by_hand)


def test_training_takes_logits_after_and_the_feature_before_batch_norm() -> None:
    torch.manual_seed(0)
    model = build(num_classes=5)
    output = model(torch.randn(6, 3, *SMALL))
    assert isinstance(output, ModelOutput) and model.classifier is not None
    assert output.logits[0].shape == (6, 5) and output.features[0].shape == (6, 512)
    feature = output.features[0]
    whitened = (feature - feature.mean(0)) / torch.sqrt(feature.var(0, unbiased=False) + 1e-5)
    torch.testing.assert_close(output.logits[0], whitened @ model.classifier.weight.T, rtol=1e-3, atol=1e-5)
    assert build()(torch.randn(2, 3, *SMALL)).logits == ()


def test_the_bias_of_the_neck_stays_zero() -> None:
    torch.manual_seed(0)
    model = build(num_classes=3)
    optimizer = torch.optim.Adam(filter(lambda parameter: parameter.requires_grad, model.parameters()), lr=0.01)
    frozen = [name for name, parameter in model.named_parameters() if not parameter.requires_grad]
    output = model(torch.randn(4, 3, *SMALL))
    nn.functional.cross_entropy(output.logits[0], torch.tensor([0, 1, 2, 0])).backward()
    optimizer.step()
    assert isinstance(model.neck, nn.BatchNorm1d)
    assert frozen == ["neck.bias"]
    assert not model.neck.bias.any() and not torch.equal(model.neck.weight, torch.ones(512))


def test_classifiers_start_as_code_or_paper_say() -> None:
    torch.manual_seed(0)
    normal, kaiming = build(num_classes=200), build(num_classes=200, classifier_initialization="kaiming")
    plain = build(num_classes=200, neck="none")
    assert normal.classifier is not None and kaiming.classifier is not None and plain.classifier is not None
    assert normal.classifier.bias is None and plain.classifier.bias is not None
    assert normal.classifier.weight.std().item() == pytest.approx(0.001, rel=0.02)
    assert kaiming.classifier.weight.std().item() == pytest.approx((2 / 200) ** 0.5, rel=0.02)
    assert plain.classifier.weight.abs().max().item() == pytest.approx(512**-0.5, rel=0.01)


def test_imagenet_weights_fill_the_trunk_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = torchvision.models.resnet18(weights=None).state_dict()
    old = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    model = build(num_classes=4)
    neck = {key: value.clone() for key, value in model.state_dict().items() if not key.startswith("trunk.")}
    model.load_imagenet(old)
    after = model.state_dict()
    assert all(torch.equal(after[f"trunk.{key}"], value) for key, value in old.items() if not key.startswith("fc."))
    assert all(torch.equal(after[key], value) for key, value in neck.items())
    torch.save(state, tmp_path / "resnet18.pth")
    torch.manual_seed(1)
    from_file = build()
    from_file.load_imagenet(tmp_path / "resnet18.pth")  # type: ignore[arg-type]
    assert torch.equal(from_file.trunk.conv1.weight, state["conv1.weight"])


def test_weights_of_something_else_are_refused_and_change_nothing(tmp_path: Path) -> None:
    model = build()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    good = torchvision.models.resnet18(weights=None).state_dict()
    deeper = torchvision.models.resnet34(weights=None).state_dict()
    short = {key: value for key, value in good.items() if not key.startswith("layer4.1.bn2.")}
    wide = {**good, "conv1.weight": torch.zeros(64, 1, 7, 7)}
    osnet = create_model("osnet_x0_25").state_dict()
    for state, message in (
        (deeper, r"no ImageNet weights of resnet18: keys \d+ unexpected \(layer1\.2\.conv1\.weight, .* and \d+ more\)"),
        (short, r"keys 4 missing \(layer4\.1\.bn2\.weight, .* and 1 more\)"),
        (wide, r"1 of another shape \(conv1\.weight \(64, 1, 7, 7\) instead of \(64, 3, 7, 7\)\)"),
        (osnet, r"missing .* unexpected .*give the state dict of torchvision\.models\.resnet18"),
        (tmp_path / "none.pth", r"none\.pth does not exist"),
    ):
        with pytest.raises(InputError, match=message):
            model.load_imagenet(state)  # type: ignore[arg-type]
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_it_exports_to_onnx(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = lively(build()).eval()
    path = tmp_path / "model.onnx"
    export_onnx(model, path, EmbeddingRecord(input_size=SMALL))
    images = torch.randn(3, 3, *SMALL)
    with torch.no_grad():
        expected = model(images).numpy()
    got = load_network(path, runtime="onnxruntime", threads=1)(images.numpy())[0]
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"last_stride": 4}, "last_stride = 4 is not one of 1, 2"),
        ({"last_stride": True}, "last_stride = True"),
        ({"neck": "no"}, "neck = 'no' is not one of bnneck, none"),
        ({"embedding": "both"}, "not one of after, before"),
        ({"stem_relu": "yes"}, "stem_relu = 'yes'"),
        ({"classifier_initialization": "zero"}, "not one of normal, kaiming"),
        ({"backbone": "resnet20"}, "backbone = 'resnet20' is not one of resnet18"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        create_model("strong_baseline_resnet50", **options)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "options"), [("bot_resnet50", {}), ("bot_resnet50_stem_relu", {"stem_relu": True})], ids=str
)
def test_embedding_equals_the_published_implementation(name: str, options: dict[str, object], data_root: Path) -> None:
    spec, arrays = read_fixture(data_root, name)
    state = published_state(spec)
    model = create_model("strong_baseline_resnet50", num_classes=spec["num_classes"], **options)
    report = load_checkpoint(model, state)
    assert report.ignored == () and report.layout == "reid-strong-baseline"
    assert count_parameters(model) == spec["parameters"]["without_classifier"]
    before = create_model("strong_baseline_resnet50", embedding="before", **options).eval()
    load_checkpoint(before, state)
    model.eval()
    with torch.no_grad():
        assert relative_error(model(noise(*SIZE)), arrays["embedding"]) <= 1e-5
        assert relative_error(model(blocky(*SIZE)), arrays["embedding_blocky"]) <= 1e-5
        # Made from the blocky images, though the fixtures say noise: with batch norm undone, `embedding` agrees.
        assert relative_error(before(blocky(*SIZE)), arrays["before_bn"]) <= 1e-5
        assert relative_error(before(noise(*SIZE)), without_neck(arrays["embedding"], state)) <= 1e-5
        output = model.train()(noise(*SIZE, seed=8, batch=4))
    for ours, theirs in zip((*output.logits, *output.features), spec["train_mode"]["outputs"], strict=True):
        assert list(ours.shape) == theirs["shape"]
        assert relative_error(ours.flatten()[:8], theirs["first8"]) <= 1e-3
