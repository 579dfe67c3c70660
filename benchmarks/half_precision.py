"""An ONNX file with its weights in 16 bits: half the size, and the same arithmetic in 32."""

from __future__ import annotations

from pathlib import Path

import numpy as np

__all__ = ["halve_weights"]

#: smaller ones (biases, shapes) are not worth a node of their own
_SMALLEST = 1024


def halve_weights(path: Path, *, description: str | None = None) -> int:
    """Store the float32 weights of an ONNX file as float16, each behind a node that casts it back.

    Runtimes cast constants once, when they load the file.

    Args:
        path: the file, which is replaced.
        description: to put in the place of the file's own, if it has one.

    Returns:
        Bytes of the new file.

    Raises:
        ValueError: a weight lies outside the range of float16.
    """
    import onnx
    from onnx import numpy_helper

    model = onnx.load(path)
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < _SMALLEST:
            continue
        with np.errstate(over="ignore"):
            halved = values.astype(np.float16)
        if not np.isfinite(halved).all():
            raise ValueError(f"{path}: {tensor.name} has values that 16 bits cannot hold")
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(halved, f"{name}.half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    for entry in model.metadata_props:
        if description is not None and entry.key == "description":
            entry.value = description
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path.stat().st_size
