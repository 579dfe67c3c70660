"""An ONNX file with weights in 16 bits: half as large, and it computes the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.half_precision import halve_weights


def write_network(path: Path, weights: np.ndarray) -> None:
    """A network that multiplies (N, 64) images by ``weights`` (64, 32)."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["images", "weights"], ["vectors"])],
        "network",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 64])],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", 32])],
        [numpy_helper.from_array(weights, "weights")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def run(path: Path, images: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"images": images})[0]


def test_it_is_half_as_large_and_computes_with_the_rounded_weights(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    weights = generator.normal(size=(64, 32)).astype(np.float32)
    images = generator.normal(size=(5, 64)).astype(np.float32)
    path = tmp_path / "network.onnx"
    write_network(path, weights)
    before = path.stat().st_size
    assert halve_weights(path) == path.stat().st_size < 0.6 * before
    np.testing.assert_allclose(run(path, images), images @ weights.astype(np.float16).astype(np.float32), rtol=1e-4)


def test_what_16_bits_cannot_hold_is_refused_and_the_file_left(tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    write_network(path, np.full((64, 32), 1e6, np.float32))
    before = path.read_bytes()
    with pytest.raises(ValueError, match="weights has values that 16 bits cannot hold"):
        halve_weights(path)
    assert path.read_bytes() == before
