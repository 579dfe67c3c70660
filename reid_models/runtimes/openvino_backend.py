"""Networks run by OpenVINO on the processor."""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_models.runtimes.compiled_cache import CompiledCache
from reid_models.runtimes.pixels import PixelInput
from reid_models.runtimes.signature import Port, Signature
from reid_models.signal_stack import kept_signal_stack

__all__ = ["OpenVinoBackend", "processor_has_bfloat16"]

#: Compiled shapes kept: enough for all batch sizes of two image sizes.
_COMPILED_SHAPES = 6


def processor_has_bfloat16() -> bool:
    """Return whether OpenVINO computes in bfloat16 here; ``False`` where it is not installed."""
    try:
        import openvino
    except ImportError:
        return False
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVinoBackend:
    """OpenVINO on the processor, compiled per input shape; the least recently used shapes are dropped."""

    runtime = "openvino"

    def __init__(
        self,
        path: Path,
        signature: Signature,
        threads: int | None,
        precision: str,
        pixels: PixelInput | None,
        keep_compiled: bool,
    ) -> None:
        import openvino

        self._core = openvino.Core()
        if precision == "bfloat16" and "BF16" not in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            warnings.warn("this processor has no bfloat16: running in float32", RuntimeWarning, stacklevel=4)
            precision = "float32"
        self.precision = "int8" if signature.quantized else precision
        # one request at a time is what pipelines ask for; measured, throughput mode gains nothing for it
        self._settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        if threads is not None:
            self._settings["INFERENCE_NUM_THREADS"] = threads
        self._path = path
        self._inputs = signature.inputs
        self._outputs = len(signature.outputs)
        self._pixels = pixels
        self._free = any(None in port.shape for port in signature.inputs)
        self._compiled: OrderedDict[tuple[tuple[int, ...], ...], Any] = OrderedDict()
        self._requests = threading.local()
        self._lock = threading.Lock()
        self._order: list[int] = []
        self._cache = None
        if keep_compiled:
            facts = {"openvino": openvino.__version__, "pixels": repr(pixels), **self._settings}
            self._cache = CompiledCache(path, facts)
        if not self._free:
            self._compiled[()] = self._ready(())
        elif self._cache is None or self._cache.read("readable") is None:
            self._model()  # what cannot be read is known now
            if self._cache is not None:
                self._cache.write("readable", b"yes")

    def run(self, arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        shapes = tuple(array.shape for array in arrays) if self._free else ()
        requests: OrderedDict[Any, Any] = self._requests.__dict__.setdefault("kept", OrderedDict())
        request = requests.get(shapes)
        if request is None:
            request = requests[shapes] = self._network(shapes).create_infer_request()
            if len(requests) > _COMPILED_SHAPES:
                requests.popitem(last=False)
        requests.move_to_end(shapes)
        # inputs are shared (no copy), outputs copied: the request's own memory is overwritten by its next call
        results = request.infer(dict(zip(self._order, arrays)), share_inputs=True)
        return [np.array(results[index]) for index in range(self._outputs)]

    def _network(self, shapes: tuple[tuple[int, ...], ...]) -> Any:
        with self._lock:
            network = self._compiled.get(shapes)
            if network is None:
                network = self._compiled[shapes] = self._ready(shapes)
                if len(self._compiled) > _COMPILED_SHAPES:
                    self._compiled.popitem(last=False)
            self._compiled.move_to_end(shapes)
            return network

    def _ready(self, shapes: tuple[tuple[int, ...], ...]) -> Any:
        """Return the network compiled for ``shapes``, from the disk where it was before."""
        blob = None if self._cache is None else self._cache.read(shapes)
        with kept_signal_stack():
            if blob is not None:
                try:
                    network = self._core.import_model(blob, "CPU", self._settings)
                    self._order = _order(self._inputs, [port.get_names() for port in network.inputs])
                    return network
                except RuntimeError:  # of another build of the same version: compiled anew below
                    pass
            model = self._model()
            if shapes:
                model.reshape({model.inputs[place]: list(shape) for place, shape in zip(self._order, shapes)})
            network = self._core.compile_model(model, "CPU", self._settings)
            if self._cache is not None:
                self._cache.write(shapes, network.export_model().getvalue())
        return network

    def _model(self) -> Any:
        """Return the network as it was read, with normalisation in front where bytes are its input."""
        model = self._core.read_model(str(self._path))
        self._order = _order(self._inputs, [port.get_names() for port in model.inputs])
        return model if self._pixels is None else _with_pixels(model, self._order[0], self._pixels)


def _with_pixels(model: Any, place: int, pixels: PixelInput) -> Any:
    """Return the model with input ``place`` taking bytes (N, H, W, 3)."""
    import openvino
    from openvino.preprocess import PrePostProcessor

    processor = PrePostProcessor(model)
    given = processor.input(place)
    given.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    given.model().set_layout(openvino.Layout("NCHW"))
    steps = given.preprocess().convert_element_type(openvino.Type.f32)
    if pixels.red_first:
        steps = steps.reverse_channels()
    steps.mean(list(pixels.mean)).scale(list(pixels.std))
    return processor.build()


def _order(ports: list[Port], names: list[set[str]]) -> list[int]:
    """Return for each input of the file its place in the runtime's own order."""
    return [
        next((place for place, known in enumerate(names) if port.name in known), at) for at, port in enumerate(ports)
    ]
