"""Pictures as bytes straight into a network: normalisation as part of its graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from reid_models.errors import InputError
from reid_models.runtimes.signature import Port

__all__ = ["PixelInput", "pixel_graph", "pixel_port"]

_PREFIX = "multicam_pixels"


@dataclass(frozen=True, slots=True)
class PixelInput:
    """How a network's first input, images (N, 3, H, W) of floats, is made from BGR bytes (N, H, W, 3).

    Channel ``c`` of the network is ``(value - mean[c]) / std[c]`` of the byte values 0 … 255.

    Args:
        mean, std: in the network's channel order, on the scale of bytes.
        red_first: the network's channels are RGB.
    """

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    red_first: bool = True

    @staticmethod
    def of_shares(mean: tuple[float, float, float], std: tuple[float, float, float], *, red_first: bool) -> PixelInput:
        """Return the same with mean and std of values scaled to 0 … 1, as papers print them."""
        return PixelInput(
            (255 * mean[0], 255 * mean[1], 255 * mean[2]), (255 * std[0], 255 * std[1], 255 * std[2]), red_first
        )


def pixel_port(port: Port, name: str) -> Port:
    """Return the port for bytes in place of a network's image input.

    Raises:
        InputError: the network's first input takes no colour images of floats.
    """
    if len(port.shape) != 4 or port.shape[1] not in (3, None) or port.dtype.kind != "f":
        raise InputError(f"{name} takes {port.dtype} {port.shape}, no colour images (batch, 3, height, width)")
    return Port(port.name, (port.shape[0], port.shape[2], port.shape[3], 3), np.dtype(np.uint8))


def pixel_graph(model: Any, pixels: PixelInput) -> Any:
    """Return an ONNX model whose first input takes bytes; ``model`` is changed.

    Added in front: cast, channels first, reversed order where the network wants RGB, one multiplication and one
    addition, which give (value - mean) / std.
    """
    from onnx import TensorProto, helper, numpy_helper

    constants = {tensor.name for tensor in model.graph.initializer}
    given = next(value for value in model.graph.input if value.name not in constants)
    kind = given.type.tensor_type.elem_type
    float_type = helper.tensor_dtype_to_np_dtype(kind)
    axes = [axis.dim_value or axis.dim_param or None for axis in given.type.tensor_type.shape.dim]
    inner = f"{_PREFIX}_{given.name}"
    for node in model.graph.node:
        for position, name in enumerate(node.input):
            if name == given.name:
                node.input[position] = inner
    scale = 1 / np.asarray(pixels.std, np.float64)
    shift = -np.asarray(pixels.mean, np.float64) * scale
    tensors = {
        f"{_PREFIX}_order": np.array([2, 1, 0] if pixels.red_first else [0, 1, 2], np.int64),
        f"{_PREFIX}_scale": scale.astype(float_type).reshape(1, 3, 1, 1),
        f"{_PREFIX}_shift": shift.astype(float_type).reshape(1, 3, 1, 1),
    }
    names = [f"{_PREFIX}_{step}" for step in ("cast", "first", "ordered", "scaled")]
    nodes = [
        helper.make_node("Transpose", [given.name], [names[0]], perm=[0, 3, 1, 2]),
        helper.make_node("Gather", [names[0], f"{_PREFIX}_order"], [names[1]], axis=1),
        helper.make_node("Cast", [names[1]], [names[2]], to=kind),
        helper.make_node("Mul", [names[2], f"{_PREFIX}_scale"], [names[3]]),
        helper.make_node("Add", [names[3], f"{_PREFIX}_shift"], [inner]),
    ]
    replaced = helper.make_tensor_value_info(given.name, TensorProto.UINT8, [axes[0], axes[2], axes[3], 3])
    given.CopyFrom(replaced)
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in tensors.items())
    others = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *others])
    return model
