"""Crops in, unit vectors out, by every way of embedding; and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from reid_models import create_model
from reid_models.data.datasets import ImageRows, read_market1501
from reid_models.embedder import Embedder, NetworkEmbedder, create_embedder
from reid_models.errors import InputError
from reid_models.evaluation.ranking import evaluate_ranking
from reid_models.export import export_onnx
from reid_models.preprocessing import normalize, resize_crop
from reid_models.records import EmbeddingRecord
from tests.reid_models.test_checkpoints import published

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def crops(count: int, seed: int = 0) -> list[np.ndarray]:
    """Return smooth random images of various sizes, BGR uint8."""
    random = np.random.default_rng(seed)
    images = []
    for _ in range(count):
        height, width = random.integers(20, 400), random.integers(10, 200)
        coarse = random.integers(0, 256, (6, 3, 3), np.uint8)
        images.append(cv2.resize(coarse, (int(width), int(height)), interpolation=cv2.INTER_LINEAR))
    return images


def write_onnx(path: Path, **options: Any) -> Path:
    """Write a graph of the mean colour per image, times a matrix; ``options`` make it something else."""
    dimension = options.get("dimension", 8)
    size = options.get("size", (64, 32))
    matrix = np.random.default_rng(1).standard_normal((3, dimension)).astype(np.float32)
    if options.get("broken"):
        matrix[:] = np.nan
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["vectors"]),
    ]
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, *size])]
    outputs = [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", dimension])]
    kind = options.get("kind")
    if kind == "maps":
        outputs = [helper.make_tensor_value_info("pooled", TensorProto.FLOAT, ["batch", 3, 1, 1])]
    elif kind == "detector":
        nodes.append(helper.make_node("Reshape", ["vectors", "cells"], ["boxes"]))
        outputs = [helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["batch", dimension // 4, 4])]
    elif kind == "two outputs":
        outputs.append(helper.make_tensor_value_info("flat", TensorProto.FLOAT, ["batch", 3]))
    elif kind == "two inputs":
        inputs.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, ["batch", dimension]))
        nodes[-1] = helper.make_node("MatMul", ["flat", "matrix"], ["product"])
        nodes.append(helper.make_node("Add", ["product", "more"], ["vectors"]))
    initializers = [numpy_helper.from_array(matrix, "matrix")]
    if kind == "detector":
        initializers.append(numpy_helper.from_array(np.array([-1, dimension // 4, 4]), "cells"))
    graph = helper.make_graph(nodes, "graph", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, options.get("metadata", {}))
    onnx.save(model, path)
    return path


def expected(image: np.ndarray, size: tuple[int, int], mean: np.ndarray = MEAN, std: np.ndarray = STD) -> np.ndarray:
    """Return what :func:`write_onnx`'s graph makes of one crop, computed from the definition."""
    resized = np.empty((*size, 3), np.uint8)
    resize_crop(image, resized)
    rgb = resized[..., ::-1].astype(np.float64) / 255
    matrix = np.random.default_rng(1).standard_normal((3, 8)).astype(np.float32)
    vector = ((rgb - mean) / std).mean((0, 1)) @ matrix
    result: np.ndarray = vector / np.linalg.norm(vector)
    return result


def has_the_protocol(embedder: Embedder) -> bool:
    """Return whether the attributes of the tracker's protocol are there, with their types."""
    return (
        isinstance(embedder.description, str)
        and isinstance(embedder.dimension, int)
        and isinstance(embedder.default_threshold, float)
    )


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "osnet_x0_25_somewhere.pth"
    torch.save(published(), path)
    return path


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_an_onnx_file_gives_normalised_vectors_of_rgb_imagenet_input(runtime: str, tmp_path: Path) -> None:
    embedder = create_embedder(
        str(write_onnx(tmp_path / "tiny.onnx")), runtime=runtime, precision="float32", batch_size=4
    )
    assert has_the_protocol(embedder) and embedder.dimension == 8
    assert embedder.description == f"tiny.onnx ({runtime} float32)"
    images = crops(11)
    vectors = embedder.embed(images)
    assert vectors.shape == (11, 8) and vectors.dtype == np.float32
    for vector, image in zip(vectors, images, strict=True):
        np.testing.assert_allclose(vector, expected(image, (64, 32)), atol=2e-5)
    np.testing.assert_array_equal(embedder.embed(images[5:6]), vectors[5:6])


def test_no_crops_no_vectors(weights: Path, tmp_path: Path) -> None:
    for embedder in (
        create_embedder("color_histogram"),
        create_embedder(str(write_onnx(tmp_path / "tiny.onnx"))),
        create_embedder("osnet_x0_25", weights=weights, runtime="torch", device="cpu"),
    ):
        empty = embedder.embed([])
        assert empty.shape == (0, embedder.dimension) and empty.dtype == np.float32


@pytest.mark.parametrize("source", ["sidecar", "metadata"])
def test_the_record_beside_or_inside_a_file_is_followed(source: str, tmp_path: Path) -> None:
    record = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4], "input_size": [48, 16], "default_threshold": 0.11}
    metadata = {"reid_models.record": json.dumps(record)} if source == "metadata" else {}
    path = write_onnx(tmp_path / "tiny.onnx", size=("height", "width"), metadata=metadata)
    if source == "sidecar":
        path.with_suffix(".json").write_text(json.dumps(record))
    embedder = create_embedder(str(path), precision="float32")
    assert embedder.default_threshold == 0.11
    image = crops(1)[0]
    wanted = expected(image, (48, 16), np.array(record["mean"]), np.array(record["std"]))
    np.testing.assert_allclose(embedder.embed([image])[0], wanted, atol=2e-5)


def test_free_image_axes_mean_256_by_128(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "tiny.onnx", size=("height", "width"))
    assert create_embedder(str(path)).record.input_size == (256, 128)  # type: ignore[attr-defined]
    assert create_embedder(str(path), input_size=(96, 48)).record.input_size == (96, 48)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("[1]", "no JSON object"),
        ('{"means": [0, 0, 0]}', "unknown field 'means': did you mean 'mean'"),
        ('{"std": [1, 1, 0]}', "must be positive"),
        ('{"input_size": [256]}', "input_size .* must be 2 whole numbers"),
        ('{"color_order": "GRB"}', "not one of RGB, BGR"),
        ('{"input_size": [256, 128]}', "takes images of 64×32 only, not 256×128"),
    ],
)
def test_a_record_that_cannot_be_used_is_named(text: str, message: str, tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "tiny.onnx")
    path.with_suffix(".json").write_text(text)
    with pytest.raises(InputError, match=message):
        create_embedder(str(path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "maps"}, r"another task: it returns \(any, 3, 1, 1\)"),
        ({"kind": "detector"}, r"another task: it returns \(any, 2, 4\)"),
        ({"kind": "two outputs"}, "another task: it returns"),
        ({"kind": "two inputs"}, "another task: it has 2 inputs"),
        ({"metadata": {"task": "detect"}}, r"another task \(detect\)"),
    ],
)
def test_networks_of_another_task_are_refused(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        create_embedder(str(write_onnx(tmp_path / "other.onnx", **options)))


def test_vectors_that_are_not_finite_name_the_embedder(tmp_path: Path) -> None:
    embedder = create_embedder(str(write_onnx(tmp_path / "broken.onnx", broken=True)))
    with pytest.raises(InputError, match=r"embedder broken\.onnx returned values that are not finite for 3 of 3 crops"):
        embedder.embed(crops(3))


def test_vectors_of_a_changed_length_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = create_embedder(str(write_onnx(tmp_path / "tiny.onnx")))
    assert isinstance(embedder, NetworkEmbedder)
    monkeypatch.setattr(embedder, "_network", lambda images: [np.ones((len(images), 9), np.float32)])
    with pytest.raises(InputError, match=r"returned \(2, 9\) for 2 crops, after vectors of 8"):
        embedder.embed(crops(2))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8), "photo.jpg",
    ],
)  # fmt: skip
def test_crops_that_are_no_images_are_named(image: Any) -> None:
    with pytest.raises(InputError, match="crop 1 "):
        create_embedder("color_histogram").embed([np.zeros((4, 4, 3), np.uint8), image])


@pytest.mark.parametrize("runtime", ["torch", "openvino", "onnxruntime"])
def test_a_model_embeds_as_called_directly(runtime: str, weights: Path) -> None:
    options = {"weights": weights, "device": "cpu", "runtime": runtime, "precision": "float32", "batch_size": 3}
    embedder = create_embedder("osnet_x0_25", **options)
    images = crops(7)
    model = create_model("osnet_x0_25", weights=weights).eval()
    batch = np.empty((7, 256, 128, 3), np.uint8)
    for image, target in zip(images, batch, strict=True):
        resize_crop(image, target)
    pixels = (batch[..., ::-1] / 255 - MEAN) / STD
    with torch.no_grad():
        direct = model(torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float32))).numpy()
    direct /= np.linalg.norm(direct, axis=1, keepdims=True)
    np.testing.assert_allclose(embedder.embed(images), direct, atol=1e-4)
    assert embedder.dimension == 512 and has_the_protocol(embedder)
    assert all(part in embedder.description for part in ("osnet_x0_25", weights.name, runtime, "float32"))


def test_a_checkpoint_alone_is_recognised(weights: Path) -> None:
    embedder = create_embedder(str(weights), runtime="torch", device="cpu", input_size=(64, 32))
    assert embedder.description.startswith("osnet_x0_25, osnet_x0_25_somewhere.pth")


def test_half_precision_stays_near_on_the_cpu(weights: Path) -> None:
    options: dict[str, Any] = {"weights": weights, "device": "cpu", "runtime": "torch", "input_size": (128, 64)}
    full, half = create_embedder("osnet_x0_25", **options), create_embedder("osnet_x0_25", half=True, **options)
    images = crops(4)
    assert "bfloat16" in half.description
    assert (full.embed(images) * half.embed(images)).sum(1).min() > 0.99


def test_an_exported_model_carries_its_record(tmp_path: Path) -> None:
    model = create_model("osnet_x0_25")
    record = EmbeddingRecord(input_size=(64, 32), mean=(0.1, 0.2, 0.3), default_threshold=0.19)
    export_onnx(model, tmp_path / "exported.onnx", record)
    assert model.training
    embedder = create_embedder(str(tmp_path / "exported.onnx"))
    assert embedder.record == record and embedder.dimension == 512  # type: ignore[attr-defined]


def test_measured_thresholds_go_with_published_file_names(tmp_path: Path) -> None:
    measured = create_embedder(str(write_onnx(tmp_path / "osnet_x0_25_msmt17.onnx"))).default_threshold
    unknown = create_embedder(str(write_onnx(tmp_path / "network.onnx"))).default_threshold
    assert measured == 0.34 and unknown == 0.25


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ("osnet_x0_5", {}, "no weights, and an untrained network cannot tell people apart: add --embedder-weights"),
        ("osnet_x025", {}, "unknown embedder 'osnet_x025': did you mean 'osnet_x0_25'"),
        ("nothing.onnx", {}, r"nothing\.onnx does not exist"),
        ("nothing.pth", {}, r"nothing\.pth does not exist"),
        ("a.onnx", {"weights": "b.pt"}, "holds its own weights"),
        ("osnet_x0_25", {"weights": "b.onnx"}, "give it alone"),
        ("a.onnx", {"device": "cuda"}, "run on the CPU"),
        ("osnet_x0_25", {"untrained": True, "device": "gpu"}, "unknown device 'gpu'"),
        ("osnet_x0_25", {"untrained": True, "device": "meta"}, "unknown device 'meta'"),
        ("osnet_x0_25", {"untrained": True, "device": "cuda:99"}, "the device 'cuda:99' is not there"),
        ("osnet_x0_25", {"untrained": True, "runtime": "tensorflow"}, "unknown runtime 'tensorflow'"),
        ("osnet_x0_25", {"untrained": True, "device": "cpu", "batch_size": 0}, "batch_size 0"),
        ("osnet_x0_25", {"untrained": True, "device": "cpu", "input_size": (0, 64)}, "at least one pixel"),
    ],
)
def test_what_cannot_be_built_says_why(spec: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        create_embedder(spec, **options)


def test_an_untrained_network_is_the_same_every_time() -> None:
    options: dict[str, Any] = {"untrained": True, "runtime": "torch", "device": "cpu", "input_size": (64, 32)}
    state = torch.random.get_rng_state()
    vectors = [create_embedder("osnet_x0_25", **options).embed(crops(2)) for _ in range(2)]
    np.testing.assert_array_equal(*vectors)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_normalisation_follows_the_colour_order() -> None:
    batch = np.random.default_rng(0).integers(0, 256, (2, 4, 3, 3), np.uint8)
    for order, channels in (("RGB", batch[..., ::-1]), ("BGR", batch)):
        out = np.empty((5, 3, 4, 3), np.float32)
        images = normalize(batch, EmbeddingRecord(color_order=order), out)
        np.testing.assert_allclose(images, ((channels / 255 - MEAN) / STD).transpose(0, 3, 1, 2), atol=1e-5)


def test_shrinking_does_not_alias() -> None:
    """Stripes one pixel wide average to grey; sampling without a filter would keep black or white ones."""
    stripes = np.zeros((512, 300, 3), np.uint8)
    stripes[::2] = 255
    small = np.empty((64, 32, 3), np.uint8)
    resize_crop(stripes, small)
    assert small.min() >= 120 and small.max() <= 135


@pytest.mark.data
def test_zero_shot_figures_of_published_weights(data_root: Path) -> None:
    """Rank-1 / mAP 86.5 / 85.1 on CUHK01 (100 test), by an independent script."""
    data = read_market1501(data_root / "data" / "reid" / "cuhk01")
    embedder = create_embedder(str(data_root / "weights" / "osnet_x0_25_msmt17.onnx"), threads=1)
    assert embedder.default_threshold == 0.34

    def embed(rows: ImageRows) -> np.ndarray:
        images = [cv2.imread(str(path)) for path in rows.paths]
        return embedder.embed([image for image in images if image is not None])

    query, gallery = data.query, data.gallery
    result = evaluate_ranking(
        embed(query), query.ids, query.cameras, embed(gallery), gallery.ids, gallery.cameras
    ).percentages()
    assert result["rank1"] == pytest.approx(86.5, abs=0.51)
    assert result["mAP"] == pytest.approx(85.1, abs=0.2)


@pytest.mark.data
def test_a_detector_is_no_embedder(data_root: Path) -> None:
    with pytest.raises(InputError, match=r"yolox_nano\.onnx was made for another task"):
        create_embedder(str(data_root / "weights" / "yolox_nano.onnx"))
