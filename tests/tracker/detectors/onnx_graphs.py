"""Tiny ONNX networks of known output: a constant, plus a multiple of how bright the first channel of the input is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

HEIGHT, WIDTH = 96, 64
#: cells of the three grids of a 96×64 input
CELLS = 12 * 8 + 6 * 4 + 3 * 2


def write_network(
    path: Path,
    output: NDArray[np.float32],
    *,
    brightness: NDArray[np.float32] | None = None,
    input_shape: tuple[int | str, ...] = (1, 3, HEIGHT, WIDTH),
    extra_outputs: int = 0,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write a network giving ``output`` (1, …) + ``brightness`` (1, …) × mean of the first input channel."""
    rank = output.ndim
    lift = np.zeros_like(output) if brightness is None else brightness
    nodes = [
        helper.make_node("Gather", ["images", "zero"], ["channel"], axis=1),
        helper.make_node("ReduceMean", ["channel"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Reshape", ["mean", "shape"], ["level"]),
        helper.make_node("Mul", ["level", "lift"], ["lifted"]),
        helper.make_node("Add", ["lifted", "base"], ["output"]),
    ]
    constants = [
        numpy_helper.from_array(np.array(0, np.int64), "zero"),
        numpy_helper.from_array(np.array([-1] + [1] * (rank - 1), np.int64), "shape"),
        numpy_helper.from_array(lift.astype(np.float32), "lift"),
        numpy_helper.from_array(output.astype(np.float32), "base"),
    ]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, (input_shape[0], *output.shape[1:]))]
    for number in range(extra_outputs):
        nodes.append(helper.make_node("Identity", ["images"], [f"extra{number}"]))
        outputs.append(helper.make_tensor_value_info(f"extra{number}", TensorProto.FLOAT, input_shape))
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, input_shape)]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    for key, value in (metadata or {}).items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, path)
    return path


def yolox_output(classes: int = 80) -> NDArray[np.float32]:
    """Return (1, A, 5 + C) of a YOLOX network that sees nothing: offsets from the cells, sizes as logarithms."""
    output = np.zeros((1, CELLS, 5 + classes), np.float32)
    output[..., :2] = 0.5
    return output


def yolo_output(classes: int = 80) -> NDArray[np.float32]:
    """Return (1, 4 + C, A) of an ultralytics network that sees nothing."""
    return np.zeros((1, 4 + classes, CELLS), np.float32)
