"""Networks run by ONNX Runtime on the processor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from reid_models.errors import InputError
from reid_models.runtimes.pixels import PixelInput, pixel_graph
from reid_models.runtimes.signature import Signature

__all__ = ["OnnxRuntimeBackend"]


class OnnxRuntimeBackend:
    """ONNX Runtime on the processor, always to the same bits."""

    runtime = "onnxruntime"

    def __init__(
        self,
        path: Path,
        signature: Signature,
        threads: int | None,
        precision: str,
        pixels: PixelInput | None,
        keep_compiled: bool,
    ) -> None:
        if precision != "float32":
            raise InputError(f"onnxruntime computes {path.name} in float32 only; {precision} needs runtime openvino")
        import onnxruntime

        onnxruntime.set_default_logger_severity(4)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.use_deterministic_compute = True
        if threads is not None:
            options.intra_op_num_threads = threads
            options.inter_op_num_threads = 1
        self.precision = "int8" if signature.quantized else precision
        source: str | bytes = str(path)
        if pixels is not None:
            import onnx

            source = pixel_graph(onnx.load(path), pixels).SerializeToString()
        self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        self._inputs = [port.name for port in signature.inputs]
        self._outputs = [port.name for port in signature.outputs]

    def run(self, arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        return list(self._session.run(self._outputs, dict(zip(self._inputs, arrays))))
