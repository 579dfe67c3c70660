"""An exported network (ONNX) as a function of arrays, run by OpenVINO or ONNX Runtime; nothing here needs PyTorch."""

from __future__ import annotations

import importlib.util
import threading
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from reid_models.errors import InputError
from reid_models.signal_stack import kept_signal_stack

__all__ = ["PRECISIONS", "RUNTIMES", "Network", "Port", "load_network"]

RUNTIMES = ("auto", "openvino", "onnxruntime")
PRECISIONS = ("float32", "bfloat16")

#: Rows per call when the batch axis is free. OpenVINO runs a network compiled for one fixed shape 25-35 % faster than
#: the same network with a free batch axis, and a row's result then has the same bits whatever shares its batch (with a
#: free axis it moves by 1e-5). Above 16 rows nothing more is gained; three sizes keep compile time and memory small.
_BATCH_SIZES = (16, 4, 1)
#: Compiled shapes kept by OpenVINO: enough for all batch sizes of two image sizes.
_COMPILED_SHAPES = 6


class Port(NamedTuple):
    """One input or output of a network: its name, its shape (``None`` for a free axis) and its NumPy dtype."""

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class _Signature:
    inputs: list[Port]
    outputs: list[Port]
    metadata: dict[str, str]


class _Backend(Protocol):
    runtime: str
    precision: str

    def run(self, arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]: ...


class Network:
    """An exported network as a function of arrays; made by :func:`load_network`. Calls from several threads are safe.

    Attributes:
        inputs, outputs: list of :class:`Port` (name, shape with ``None`` for free axes, dtype).
        runtime: ``"openvino"`` or ``"onnxruntime"``: what runs it.
        precision: ``"float32"`` or ``"bfloat16"``: what it computes in.
        description: for a run's record, for example ``"osnet_x0_25.onnx (openvino float32)"``.
        metadata: what the exporter wrote into the file (ONNX ``metadata_props``).
    """

    def __init__(self, path: Path, signature: _Signature, backend: _Backend) -> None:
        self.path = path
        self.inputs = signature.inputs
        self.outputs = signature.outputs
        self.metadata = signature.metadata
        self.runtime = backend.runtime
        self.precision = backend.precision
        self.description = f"{path.name} ({backend.runtime} {backend.precision})"
        self._backend = backend
        #: True, rows are independent and may be split over calls; the sizes that one call may have
        self._splits, self._sizes = _batch_sizes(signature)

    def __repr__(self) -> str:
        return f"Network({self.description})"

    def __call__(self, *arrays: NDArray[Any]) -> list[NDArray[Any]]:
        """Run the network.

        Rows (axis 0) are independent where every input and output has the same batch axis; any number of them is
        accepted then, also 0 and also by a graph exported for a fixed batch (it is filled up with rows of zeros).

        Args:
            arrays: one array per input, in the order of ``inputs``; cast to the input's dtype.

        Returns:
            One array per output, owned by the caller.

        Raises:
            InputError: the number of arrays or a shape does not fit, or the runtime cannot run the network.
        """
        prepared = self._checked(arrays)
        if not self._splits:
            return self._run(prepared)
        rows = len(prepared[0])
        if rows in self._sizes:
            return self._run(prepared)
        parts: list[list[NDArray[Any]]] = []
        for start, kept, size in _chunks(rows, self._sizes):
            chunk = [_filled(array[start : start + kept], size) for array in prepared]
            parts.append([output[:kept] for output in self._run(chunk)])
        return [np.concatenate([part[index] for part in parts]) for index in range(len(parts[0]))]

    def _run(self, arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
        try:
            return self._backend.run(arrays)
        except Exception as error:  # runtimes raise types of their own, documented nowhere
            shapes = ", ".join(str(array.shape) for array in arrays)
            raise InputError(
                f"{self.description} cannot run on input of shape {shapes}: {_first_line(error)}"
            ) from error

    def _checked(self, arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        if len(arrays) != len(self.inputs):
            raise InputError(f"{self.path.name} takes {len(self.inputs)} inputs, {len(arrays)} arrays were given")
        prepared = []
        for index, (port, given) in enumerate(zip(self.inputs, arrays)):
            array = np.ascontiguousarray(given, dtype=port.dtype)
            first = 1 if self._splits else 0
            fits = array.ndim == len(port.shape) and all(
                wanted is None or wanted == got for wanted, got in zip(port.shape[first:], array.shape[first:])
            )
            if not fits:
                shape = ", ".join("any" if size is None else str(size) for size in port.shape)
                raise InputError(
                    f"{self.path.name}: input {index} {port.name!r} has shape ({shape}), got an array {array.shape}"
                )
            prepared.append(array)
        if self._splits and len({len(array) for array in prepared}) > 1:
            raise InputError(
                f"{self.path.name}: inputs have {[len(array) for array in prepared]} rows; give equally many"
            )
        return prepared


def load_network(
    path: str | Path,
    *,
    runtime: str = "auto",
    threads: int | None = None,
    precision: str = "float32",
) -> Network:
    """Load an exported network.

    Args:
        path: an ONNX file.
        runtime: ``"openvino"``, ``"onnxruntime"``, or ``"auto"``: OpenVINO where it is installed and can run the
            network, else ONNX Runtime; ``Network.runtime`` says which.
        threads: processor threads per call; ``None``: the runtime's own choice.
        precision: ``"float32"``, or ``"bfloat16"``: faster on processors that have it, at less exact results
            (OpenVINO only). OpenVINO would choose it by itself, so it is always set on purpose.

    Returns:
        The network, ready to be called.

    Raises:
        InputError: unknown runtime or precision, a runtime that is not installed, or a file that is missing,
            unreadable or no ONNX network.
    """
    path = Path(path)
    if runtime not in RUNTIMES:
        raise InputError(f"unknown runtime {runtime!r}: give one of {', '.join(RUNTIMES)}")
    if precision not in PRECISIONS:
        raise InputError(f"unknown precision {precision!r}: give one of {', '.join(PRECISIONS)}")
    if threads is not None and threads < 1:
        raise InputError(f"threads is {threads}: give 1 or more")
    signature = _read_signature(path)
    if runtime == "auto":
        candidates = [name for name in ("openvino", "onnxruntime") if importlib.util.find_spec(name) is not None]
        if precision == "bfloat16" and "openvino" in candidates:
            candidates = ["openvino"]
    else:
        candidates = [runtime] if importlib.util.find_spec(runtime) is not None else []
    if not candidates:
        missing = "openvino or onnxruntime" if runtime == "auto" else runtime
        raise InputError(f"{path.name} needs {missing}, which is not installed: pip install openvino onnxruntime")
    failure: Exception | None = None
    for name in candidates:
        try:
            backend = _BACKENDS[name](path, signature, threads, precision)
        except InputError:
            raise
        except Exception as error:  # as above: any type
            failure = failure or error
            continue
        return Network(path, signature, backend)
    assert failure is not None
    raise InputError(f"{path} cannot be loaded by {' or '.join(candidates)}: {_first_line(failure)}") from failure


def _read_signature(path: Path) -> _Signature:
    """Return inputs, outputs and metadata as the ONNX file declares them, after checking that it is one."""
    if not path.exists():
        raise InputError(f"network file {path} does not exist")
    if path.is_dir():
        raise InputError(f"network file {path} is a folder; give an .onnx file")
    import onnx  # a tenth of a second, only for those who load a network

    try:
        if path.stat().st_size == 0:
            raise InputError(f"network file {path} is empty (0 bytes); export or copy it again")
        model = onnx.load(path, load_external_data=False)
    except OSError as error:
        raise InputError(f"network file {path} cannot be read: {error.strerror or error}") from error
    except InputError:
        raise
    except Exception as error:  # protobuf's DecodeError, whose module depends on protobuf's version
        raise InputError(f"{path} is not an ONNX network; give a file that was exported to ONNX") from error
    if not model.graph.node or not model.graph.output:
        raise InputError(f"{path} is not an ONNX network (it holds no graph)")
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [_port(value, path) for value in model.graph.input if value.name not in constants]
    outputs = [_port(value, path) for value in model.graph.output]
    if not inputs:
        raise InputError(f"the ONNX network {path} has no input")
    return _Signature(inputs, outputs, {entry.key: entry.value for entry in model.metadata_props})


def _port(value: Any, path: Path) -> Port:
    import onnx

    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type"):
        raise InputError(f"{path.name}: {value.name!r} is not a tensor; only networks of tensors can be run")
    shape = tuple(axis.dim_value if axis.dim_value > 0 else None for axis in tensor.shape.dim)
    return Port(value.name, shape, np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)))


def _batch_sizes(signature: _Signature) -> tuple[bool, tuple[int, ...]]:
    """Return whether rows may be split over calls, and the row counts that one call may have, largest first."""
    ports = signature.inputs + signature.outputs
    leading = {port.shape[0] if port.shape else -1 for port in ports}
    if len(leading) != 1:
        return False, ()
    size = leading.pop()
    if size == -1:
        return False, ()
    return True, _BATCH_SIZES if size is None else (size,)


def _chunks(rows: int, sizes: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """Return (first row, rows kept, rows run) of each call; a call is filled up when one row is missing, or must be.

    >>> _chunks(23, (16, 4, 1))
    [(0, 16, 16), (16, 4, 4), (20, 3, 4)]
    """
    chunks = []
    start = 0
    for position, size in enumerate(sizes):
        smaller = sizes[position + 1] if position + 1 < len(sizes) else 0
        while rows - start >= size:
            chunks.append((start, size, size))
            start += size
        left = rows - start
        if left and (not smaller or left == size - 1):
            chunks.append((start, left, size))
            return chunks
    return chunks or [(0, 0, sizes[-1])]


def _filled(array: NDArray[Any], size: int) -> NDArray[Any]:
    if len(array) == size:
        return array
    return np.concatenate([array, np.zeros((size - len(array), *array.shape[1:]), array.dtype)])


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    informative = [line for line in lines if not line.startswith(("Exception from", "Check ", "[ GENERAL_ERROR"))]
    return (informative or lines or [type(error).__name__])[0][:300]


class _OpenVino:
    """OpenVINO on the processor, compiled per input shape; the least recently used shapes are dropped."""

    runtime = "openvino"

    def __init__(self, path: Path, signature: _Signature, threads: int | None, precision: str) -> None:
        import openvino

        self._core = openvino.Core()
        if precision == "bfloat16" and "BF16" not in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            warnings.warn("this processor has no bfloat16: running in float32", RuntimeWarning, stacklevel=4)
            precision = "float32"
        self.precision = precision
        # one request at a time is what pipelines ask for; measured, throughput mode gains nothing for it
        self._settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        if threads is not None:
            self._settings["INFERENCE_NUM_THREADS"] = threads
        self._path = path
        self._outputs = len(signature.outputs)
        self._free = any(None in port.shape for port in signature.inputs)
        self._compiled: OrderedDict[tuple[tuple[int, ...], ...], Any] = OrderedDict()
        self._requests = threading.local()
        self._lock = threading.Lock()
        model = self._core.read_model(str(path))
        self._order = _order(signature.inputs, [port.get_names() for port in model.inputs])
        if not self._free:
            with kept_signal_stack():
                self._compiled[()] = self._core.compile_model(model, "CPU", self._settings)

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
                model = self._core.read_model(str(self._path))
                model.reshape({model.inputs[place]: list(shape) for place, shape in zip(self._order, shapes)})
                with kept_signal_stack():
                    network = self._compiled[shapes] = self._core.compile_model(model, "CPU", self._settings)
                if len(self._compiled) > _COMPILED_SHAPES:
                    self._compiled.popitem(last=False)
            self._compiled.move_to_end(shapes)
            return network


def _order(ports: list[Port], names: list[set[str]]) -> list[int]:
    """Return for each input of the file its place in the runtime's own order."""
    return [
        next((place for place, known in enumerate(names) if port.name in known), at) for at, port in enumerate(ports)
    ]


class _OnnxRuntime:
    """ONNX Runtime on the processor."""

    runtime = "onnxruntime"

    def __init__(self, path: Path, signature: _Signature, threads: int | None, precision: str) -> None:
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
        self.precision = precision
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._inputs = [port.name for port in signature.inputs]
        self._outputs = [port.name for port in signature.outputs]

    def run(self, arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        return list(self._session.run(self._outputs, dict(zip(self._inputs, arrays))))


_BACKENDS: dict[str, Any] = {"openvino": _OpenVino, "onnxruntime": _OnnxRuntime}
