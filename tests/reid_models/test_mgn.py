"""MGN against its paper's figures and the numbers of the published implementations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor, nn

from reid_models import create_model, load_checkpoint
from reid_models.architectures.mgn import TABLE_5, MultipleGranularityNetwork
from reid_models.complexity import count_multiply_adds, count_parameters
from reid_models.errors import InputError
from reid_models.export import export_onnx
from reid_models.outputs import ModelOutput
from reid_models.records import EmbeddingRecord
from reid_models.runtimes import load_network
from tests.reid_models.fixtures import blocky, noise, published_state, read_fixture, relative_error

SIZE = (384, 128)
SMALL = (96, 32)
PUBLISHED_CODE = {"global_softmax": "after_reduction", "classifier_bias": True}
PUBLISHED = {
    "mgn_seathiefwang_avg": ("MGN-pytorch", {**PUBLISHED_CODE, "pooling": "average"}),
    "mgn_seathiefwang_max": ("MGN-pytorch", PUBLISHED_CODE),
    "mgn_gnayuohz": ("ReID-MGN", {**PUBLISHED_CODE, "shared_reduction": True}),
}


def build(**options: object) -> MultipleGranularityNetwork:
    """Return a small one: everything but the depth is as in the paper."""
    model = create_model("mgn_resnet50", **{"backbone": "resnet18", **options})  # type: ignore[arg-type]
    assert isinstance(model, MultipleGranularityNetwork)
    return model


def lively(model: MultipleGranularityNetwork, seed: int = 0) -> MultipleGranularityNetwork:
    """Draw all weights and statistics anew, so that no branch nor head equals another."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data.mul_(0.8 + 0.4 * torch.rand(module.weight.shape, generator=generator))
        elif isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            for tensor, low in ((module.weight, 0.5), (module.running_var, 0.5), (module.running_mean, -0.5)):
                tensor.data.copy_(low + torch.rand(tensor.shape, generator=generator))
    return model


@pytest.mark.parametrize(("shared", "parameters"), [(False, 68_807_744), (True, 65_134_144)])
def test_size_equals_the_published_implementations(shared: bool, parameters: int) -> None:
    with torch.device("meta"):
        model = create_model("mgn_resnet50", num_classes=751, shared_reduction=shared)
        published = create_model("mgn_resnet50", num_classes=751, shared_reduction=shared, **PUBLISHED_CODE)
    assert count_parameters(model) == count_parameters(published) == parameters
    assert count_parameters(model, with_classifier=True) == parameters + 751 * (3 * 2048 + 5 * 256)
    assert count_parameters(published, with_classifier=True) == parameters + 751 * 8 * 257
    assert count_multiply_adds(model, SIZE) == 11_884_822_528


def test_maps_and_features_have_the_sizes_of_table_1() -> None:
    with torch.device("meta"):
        model = create_model("mgn_resnet50").eval()
        assert isinstance(model, MultipleGranularityNetwork)
        maps = model.branch_maps(torch.zeros(1, 3, *SIZE))
        assert model(torch.zeros(1, 3, *SIZE)).shape == (1, 2048)
    assert {count: tuple(branch.shape[1:]) for count, branch in maps.items()} == {
        1: (2048, 12, 4),
        2: (2048, 24, 8),
        3: (2048, 24, 8),
    }


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_the_embedding_is_globals_then_stripes_from_top_to_bottom(pooling: str) -> None:
    torch.manual_seed(0)
    model = lively(build(pooling=pooling)).eval()
    images = torch.randn(2, 3, 192, 64)

    def pooled(maps: Tensor) -> Tensor:
        return maps.amax((2, 3), keepdim=True) if pooling == "max" else maps.mean((2, 3), keepdim=True)

    with torch.no_grad():
        maps = model.branch_maps(images)
        assert maps[2].shape == maps[3].shape == (2, 512, 12, 4) and maps[1].shape == (2, 512, 6, 2)
        vectors = {
            "global": maps[1],
            "part2_global": maps[2],
            "part3_global": maps[3],
            "part2_0": maps[2][:, :, :6],
            "part2_1": maps[2][:, :, 6:],
            "part3_0": maps[3][:, :, :4],
            "part3_1": maps[3][:, :, 4:8],
            "part3_2": maps[3][:, :, 8:],
        }
        by_hand = [model.reductions[name](pooled(vector)).flatten(1) for name, vector in vectors.items()]
        torch.testing.assert_close(model(images), torch.cat(by_hand, dim=1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("global_softmax", ["before_reduction", "after_reduction"])
def test_training_gives_eight_logits_and_three_reduced_globals(global_softmax: str) -> None:
    torch.manual_seed(0)
    model = lively(build(num_classes=5, global_softmax=global_softmax))
    images = torch.randn(4, 3, *SMALL)
    output = model(images)
    assert isinstance(output, ModelOutput)
    assert [tuple(logits.shape) for logits in output.logits] == [(4, 5)] * 8
    assert [tuple(feature.shape) for feature in output.features] == [(4, 256)] * 3
    globals_ = list(model.classifiers.values())[:3]
    with torch.no_grad():  # batch statistics again, so the maps are the same
        pooled = [maps.amax((2, 3)) for maps in model.branch_maps(images).values()]
    taken = pooled if global_softmax == "before_reduction" else output.features
    for logits, classifier, vector in zip(output.logits[:3], globals_, taken, strict=True):
        assert isinstance(classifier, nn.Linear) and classifier.bias is None
        torch.testing.assert_close(logits, vector @ classifier.weight.T, rtol=1e-3, atol=1e-4)
    assert build()(images).logits == ()


@pytest.mark.parametrize("options", [{}, PUBLISHED_CODE, {"shared_reduction": True}, {"pooling": "average"}], ids=str)
def test_training_reaches_every_parameter(options: dict[str, object]) -> None:
    torch.manual_seed(0)
    model = build(num_classes=3, **options)
    output = model(torch.randn(4, 3, *SMALL))
    loss = sum(nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0])) for logits in output.logits)
    loss = loss + sum(feature.square().mean() for feature in output.features)
    assert isinstance(loss, Tensor)
    loss.backward()
    silent = [
        name for name, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()
    ]
    assert silent == []


def test_first_weights_are_those_of_the_published_code() -> None:
    torch.manual_seed(0)
    model = build(num_classes=200)
    branches = [branch.state_dict() for branch in model.branches.values()]
    for other in branches[1:]:
        assert all(torch.equal(value, branches[0][key]) for key, value in other.items())
        assert all(value.data_ptr() != branches[0][key].data_ptr() for key, value in other.items())
    heads = list(model.reductions.values())
    kernels = torch.cat([head.get_parameter("conv.weight").flatten() for head in heads])
    norms = torch.cat([head.get_parameter("norm.weight") for head in heads])
    assert kernels.std().item() == pytest.approx((2 / 512) ** 0.5, rel=0.02)
    assert norms.std().item() == pytest.approx(0.02, rel=0.1) and norms.mean().item() == pytest.approx(1, abs=0.002)
    assert model.classifiers.get_parameter("global.weight").std().item() == pytest.approx((2 / 200) ** 0.5, rel=0.02)


def test_rows_of_table_5() -> None:
    """Every branch adds its global and its stripes, 256 values each."""
    lengths = {}
    with torch.device("meta"):
        for row, options in TABLE_5.items():
            lengths[row] = build(**options).eval()(torch.zeros(1, 3, *SIZE)).shape[1] // 256
    assert lengths == {
        "ResNet-50": 1, "ResNet-101": 1, "ResNet-50+TP": 1, "Global (Branch)": 1,
        "Part-2 (Single)": 3, "Part-2 (Branch)": 3, "Part-3 (Single)": 4, "Part-3 (Branch)": 4,
        "MGN w/o Part-3": 4, "MGN w/ Part-4": 13, "MGN (Part2+4)": 9, "MGN (Part3+4)": 10,
        "MGN w/o TP": 8, "MGN": 8,
    }  # fmt: skip


def test_one_branch_at_test_gives_its_features_of_the_whole() -> None:
    torch.manual_seed(0)
    whole = lively(build()).eval()
    images = torch.randn(2, 3, *SMALL)
    with torch.no_grad():
        features = whole(images).split(256, dim=1)
        for stripes, wanted in ((1, (0,)), (2, (1, 3, 4)), (3, (2, 5, 6, 7))):
            branch = build(test_branches=(stripes,)).eval()
            branch.load_state_dict(whole.state_dict())
            torch.testing.assert_close(branch(images), torch.cat([features[index] for index in wanted], dim=1))
            assert len(branch.train()(images).features) == 3
            assert count_multiply_adds(branch, SMALL) < 0.7 * count_multiply_adds(whole, SMALL)


def test_imagenet_weights_fill_all_branches_alike() -> None:
    torch.manual_seed(0)
    reference = torchvision.models.resnet18(weights=None).eval()
    model = lively(build()).eval()
    model.load_imagenet(reference.state_dict())
    images = torch.randn(2, 3, *SMALL)
    with torch.no_grad():
        maps = model.branch_maps(images)
        reference.avgpool, reference.fc = nn.Identity(), nn.Identity()
        torch.testing.assert_close(maps[1].flatten(1), reference(images))
        reference.layer4[0].conv1.stride = reference.layer4[0].downsample[0].stride = (1, 1)
        for count in (2, 3):
            torch.testing.assert_close(maps[count].flatten(1), reference(images))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(InputError, match=r"no ImageNet weights of resnet18: keys .*unexpected \(layer1\.2\.conv1"):
        model.load_imagenet(torchvision.models.resnet34(weights=None).state_dict())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_it_exports_to_onnx(tmp_path: Path, pooling: str) -> None:
    torch.manual_seed(0)
    model = lively(build(pooling=pooling)).eval()
    path = tmp_path / "model.onnx"
    export_onnx(model, path, EmbeddingRecord(input_size=SMALL))
    images = torch.randn(3, 3, *SMALL)
    with torch.no_grad():
        expected = model(images).numpy()
    got = load_network(path, runtime="onnxruntime", threads=1)(images.numpy())[0]
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-3)


def test_stripes_that_overlap_run_but_are_not_exported(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = lively(build(branches=(2,))).eval()
    images = torch.randn(1, 3, 80, 32)
    with torch.no_grad():
        maps = model.branch_maps(images)[2]
        vectors = {"part2_global": maps, "part2_0": maps[:, :, :3], "part2_1": maps[:, :, 2:]}  # five rows
        by_hand = [model.reductions[name](rows.amax((2, 3), keepdim=True)) for name, rows in vectors.items()]
        torch.testing.assert_close(model(images), torch.cat(by_hand, dim=1).flatten(1))
    with pytest.raises(InputError, match=r"maps of 5 rows cannot be cut into 2 equal stripes.* multiple of 32"):
        export_onnx(model, tmp_path / "model.onnx", EmbeddingRecord(input_size=(80, 32)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": "avg"}, "pooling = 'avg' is not one of max, average"),
        ({"global_softmax": "both"}, "not one of before_reduction, after_reduction"),
        ({"shared_reduction": 1}, "shared_reduction = 1"),
        ({"branches": ()}, r"branches = \(\) must be numbers of stripes"),
        ({"branches": (2, 1)}, "ascending"),
        ({"branches": (1, 2), "test_branches": (3,)}, r"test_branches = \(3,\) must be .* out of 1, 2"),
        ({"reduced_dimension": 0}, "reduced_dimension = 0 must be"),
        ({"backbone": "resnet49"}, "backbone = 'resnet49' is not one of resnet18"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        create_model("mgn_resnet50", **options)


@pytest.mark.data
@pytest.mark.parametrize("name", PUBLISHED)
def test_embedding_equals_the_published_implementations(name: str, data_root: Path) -> None:
    spec, arrays = read_fixture(data_root, name)
    layout, options = PUBLISHED[name]
    model = create_model("mgn_resnet50", num_classes=spec["num_classes"], **options)
    report = load_checkpoint(model, published_state(spec))
    assert report.ignored == () and report.layout == layout
    assert count_parameters(model, with_classifier=True) == spec["parameters"]["with_classifier"]
    images = noise(*SIZE)
    with torch.no_grad():
        embedding = model.eval()(images)
        assert relative_error(embedding, arrays["embedding"]) <= 1e-5
        assert relative_error(model(blocky(*SIZE)), arrays["embedding_blocky"]) <= 1e-5
        both = nn.functional.normalize(embedding + model(images.flip(3)))
        assert relative_error(both, arrays["flip_sum_l2"]) <= 1e-5
        output = model.train()(noise(*SIZE, seed=8, batch=4))
    for ours, theirs in zip((*output.features, *output.logits), spec["train_mode"]["outputs"][1:], strict=True):
        assert list(ours.shape) == theirs["shape"]
        assert relative_error(ours.flatten()[:8], theirs["first8"]) <= 1e-3


@pytest.mark.data
def test_one_published_reduction_fills_all_eight(data_root: Path) -> None:
    spec, arrays = read_fixture(data_root, "mgn_gnayuohz")
    state = {key: value for key, value in published_state(spec).items() if not key.startswith("fc_id")}
    model = create_model("mgn_resnet50").eval()
    load_checkpoint(model, state)
    with torch.no_grad():
        assert relative_error(model(blocky(*SIZE)), arrays["embedding_blocky"]) <= 1e-5
