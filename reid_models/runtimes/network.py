"""An exported network as a function of arrays, whatever runs it."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from reid_models.errors import InputError
from reid_models.runtimes.pixels import PixelInput, pixel_port
from reid_models.runtimes.signature import Signature, batch_sizes, first_line, read_signature

__all__ = ["EXPORT_SUFFIXES", "PRECISIONS", "RUNTIMES", "Network", "load_network"]

RUNTIMES = ("auto", "openvino", "onnxruntime", "torch")
PRECISIONS = ("float32", "bfloat16")
#: files that :func:`load_network` reads, and what can run them, in the order in which it is chosen
_RUNTIMES_OF = {
    ".onnx": ("openvino", "onnxruntime"),
    ".xml": ("openvino",),
    ".torchscript": ("torch",),
    ".ts": ("torch",),
}
EXPORT_SUFFIXES = tuple(_RUNTIMES_OF)


class _Backend(Protocol):
    runtime: str
    precision: str

    def run(self, arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]: ...


class Network:
    """An exported network as a function of arrays; made by :func:`load_network`. Calls from several threads are safe.

    Attributes:
        inputs, outputs: list of :class:`Port` (name, shape with ``None`` for free axes, dtype).
        runtime: ``"openvino"``, ``"onnxruntime"`` or ``"torch"``: what runs it.
        precision: ``"float32"``, ``"bfloat16"`` or ``"int8"``: what it computes in.
        description: for a run's record, for example ``"osnet_x0_25.onnx (openvino float32)"``.
        metadata: what the exporter wrote into the file.
    """

    def __init__(self, path: Path, signature: Signature, backend: _Backend) -> None:
        self.path = path
        self.inputs = signature.inputs
        self.outputs = signature.outputs
        self.metadata = signature.metadata
        self.runtime = backend.runtime
        self.precision = backend.precision
        self.description = f"{path.name} ({backend.runtime} {backend.precision})"
        self._backend = backend
        #: True, rows are independent and may be split over calls; the sizes that one call may have
        self._splits, self._sizes = batch_sizes(signature)

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
                f"{self.description} cannot run on input of shape {shapes}: {first_line(error)}"
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
    pixels: PixelInput | None = None,
    keep_compiled: bool = False,
) -> Network:
    """Load an exported network.

    Args:
        path: a file that ends in ``.onnx``, ``.xml`` (OpenVINO, its ``.bin`` beside it) or ``.torchscript`` / ``.ts``.
        runtime: ``"openvino"``, ``"onnxruntime"`` (ONNX files), ``"torch"`` (TorchScript files), or ``"auto"``:
            OpenVINO where it is installed and can run the network, else ONNX Runtime; ``Network.runtime`` says which.
        threads: processor threads per call; ``None``: the runtime's own choice.
        precision: ``"float32"``, or ``"bfloat16"``: faster on processors that have it, at less exact results
            (OpenVINO only). OpenVINO would choose it by itself, so it is always set on purpose. A network that was
            quantised computes in ``"int8"`` whatever is given.
        pixels: the first input takes BGR bytes (N, H, W, 3) instead, and the network itself normalises them so.
        keep_compiled: keep what OpenVINO compiles on disk (``MULTICAM_CACHE``), so that the next start is quick.

    Returns:
        The network, ready to be called.

    Raises:
        InputError: unknown runtime or precision, a runtime that is not installed or cannot run such files, or a file
            that is missing, unreadable or no network.
    """
    path = Path(path)
    if runtime not in RUNTIMES:
        raise InputError(f"unknown runtime {runtime!r}: give one of {', '.join(RUNTIMES)}")
    if precision not in PRECISIONS:
        raise InputError(f"unknown precision {precision!r}: give one of {', '.join(PRECISIONS)}")
    if threads is not None and threads < 1:
        raise InputError(f"threads is {threads}: give 1 or more")
    usable = _RUNTIMES_OF.get(path.suffix.lower(), _RUNTIMES_OF[".onnx"])
    if runtime not in ("auto", *usable):
        raise InputError(
            f"{path.name} cannot be run by {runtime}: leave the runtime out, or give {' or '.join(usable)}"
        )
    signature = read_signature(path)
    if pixels is not None:
        signature = signature.with_first_input(pixel_port(signature.inputs[0], path.name))
    candidates = [
        name for name in (usable if runtime == "auto" else (runtime,)) if importlib.util.find_spec(name) is not None
    ]
    if runtime == "auto" and precision == "bfloat16" and "openvino" in candidates:
        candidates = ["openvino"]
    if not candidates:
        missing = " or ".join(usable) if runtime == "auto" else runtime
        raise InputError(
            f"{path.name} needs {missing}, which is not installed: pip install {missing.replace(' or', '')}"
        )
    failure: Exception | None = None
    for name in candidates:
        try:
            backend = _backend(name)(path, signature, threads, precision, pixels, keep_compiled)
        except InputError:
            raise
        except Exception as error:  # as above: any type
            failure = failure or error
            continue
        return Network(path, signature, backend)
    assert failure is not None
    raise InputError(f"{path} cannot be loaded by {' or '.join(candidates)}: {first_line(failure)}") from failure


def _backend(name: str) -> Any:
    if name == "openvino":
        from reid_models.runtimes.openvino_backend import OpenVinoBackend

        return OpenVinoBackend
    if name == "onnxruntime":
        from reid_models.runtimes.onnxruntime_backend import OnnxRuntimeBackend

        return OnnxRuntimeBackend
    from reid_models.runtimes.torchscript_backend import TorchScriptBackend

    return TorchScriptBackend


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
