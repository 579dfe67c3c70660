"""What a network file declares: its inputs, its outputs, and what the exporter wrote beside them."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from reid_models.errors import InputError

__all__ = ["METADATA_FILE", "Port", "Signature", "batch_sizes", "first_line", "read_signature"]

#: Rows per call when the batch axis is free. OpenVINO runs a network compiled for one fixed shape 25-35 % faster than
#: the same network with a free batch axis, and a row's result then has the same bits whatever shares its batch (with a
#: free axis it moves by 1e-5). Above 16 rows nothing more is gained; three sizes keep compile time and memory small.
_BATCH_SIZES = (16, 4, 1)
#: extra file of a TorchScript archive: JSON with ``inputs``, ``outputs`` ([name, shape, dtype]) and ``metadata``
METADATA_FILE = "multicam.json"
#: the same of ultralytics' exporter: a JSON object of metadata alone
_ULTRALYTICS_FILE = "config.txt"


class Port(NamedTuple):
    """One input or output of a network: its name, its shape (``None`` for a free axis) and its NumPy dtype."""

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Signature:
    """Inputs, outputs and metadata of a network file.

    Attributes:
        inputs, outputs: in the order of the file.
        metadata: what the exporter wrote.
        quantized: the file computes in 8-bit integers where it can.
    """

    inputs: list[Port]
    outputs: list[Port]
    metadata: dict[str, str]
    quantized: bool = False

    def with_first_input(self, port: Port) -> Signature:
        """Return the same with another first input."""
        return replace(self, inputs=[port, *self.inputs[1:]])


def read_signature(path: Path) -> Signature:
    """Return what a network file (``.onnx``, OpenVINO's ``.xml``, ``.torchscript``) declares.

    Raises:
        InputError: no such file, or no network of the kind that its name says.
    """
    if not path.exists():
        raise InputError(f"network file {path} does not exist")
    if path.is_dir():
        raise InputError(f"network file {path} is a folder; give an .onnx file")
    try:
        if path.stat().st_size == 0:
            raise InputError(f"network file {path} is empty (0 bytes); export or copy it again")
        with path.open("rb"):
            pass
    except OSError as error:
        raise InputError(f"network file {path} cannot be read: {error.strerror or error}") from error
    suffix = path.suffix.lower()
    if suffix == ".xml":
        return _openvino_signature(path)
    return _torchscript_signature(path) if suffix in (".torchscript", ".ts") else _onnx_signature(path)


def batch_sizes(signature: Signature) -> tuple[bool, tuple[int, ...]]:
    """Return whether rows may be split over calls, and the row counts that one call may have, largest first."""
    ports = signature.inputs + signature.outputs
    leading = {port.shape[0] if port.shape else -1 for port in ports}
    if len(leading) != 1:
        return False, ()
    size = leading.pop()
    if size == -1:
        return False, ()
    return True, _BATCH_SIZES if size is None else (size,)


def first_line(error: BaseException) -> str:
    """Return the first line of an error of a runtime that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    informative = [line for line in lines if not line.startswith(("Exception from", "Check ", "[ GENERAL_ERROR"))]
    return (informative or lines or [type(error).__name__])[0][:300]


def _onnx_signature(path: Path) -> Signature:
    import onnx  # a tenth of a second, only for those who load a network

    try:
        model = onnx.load(path, load_external_data=False)
    except OSError as error:
        raise InputError(f"network file {path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # protobuf's DecodeError, whose module depends on protobuf's version
        raise InputError(f"{path} is not an ONNX network; give a file that was exported to ONNX") from error
    if not model.graph.node or not model.graph.output:
        raise InputError(f"{path} is not an ONNX network (it holds no graph)")
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [_onnx_port(value, path) for value in model.graph.input if value.name not in constants]
    outputs = [_onnx_port(value, path) for value in model.graph.output]
    if not inputs:
        raise InputError(f"the ONNX network {path} has no input")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    quantized = any(node.op_type in ("QuantizeLinear", "QLinearConv") for node in model.graph.node)
    return Signature(inputs, outputs, metadata, quantized)


def _onnx_port(value: Any, path: Path) -> Port:
    import onnx

    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type"):
        raise InputError(f"{path.name}: {value.name!r} is not a tensor; only networks of tensors can be run")
    shape = tuple(axis.dim_value if axis.dim_value > 0 else None for axis in tensor.shape.dim)
    return Port(value.name, shape, np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)))


def _openvino_signature(path: Path) -> Signature:
    try:
        import openvino
    except ImportError as error:
        raise InputError(f"{path.name} needs openvino, which is not installed: pip install openvino") from error
    if not path.with_suffix(".bin").is_file():
        raise InputError(f"{path} is half of an OpenVINO network: {path.with_suffix('.bin').name} must lie beside it")
    try:
        model = openvino.Core().read_model(str(path))
    except Exception as error:  # OpenVINO raises RuntimeError for whatever it is
        raise InputError(f"{path} is not an OpenVINO network ({first_line(error)}); export it again") from error
    metadata = {}
    if model.has_rt_info("multicam"):
        metadata = {
            str(key): str(getattr(value, "value", value)) for key, value in model.get_rt_info("multicam").value.items()
        }
    quantized = any(operation.get_type_name() == "FakeQuantize" for operation in model.get_ops())
    inputs, outputs = ([_openvino_port(port) for port in side] for side in (model.inputs, model.outputs))
    return Signature(inputs, outputs, metadata, quantized)


def _openvino_port(port: Any) -> Port:
    shape = tuple(axis.get_length() if axis.is_static else None for axis in port.get_partial_shape())
    return Port(port.get_any_name() if port.get_names() else "", shape, np.dtype(port.get_element_type().to_dtype()))


def _torchscript_signature(path: Path) -> Signature:
    """Return what an archive says of itself; PyTorch is not needed to read it."""
    try:
        with zipfile.ZipFile(path) as archive:
            extra = {Path(name).name: name for name in archive.namelist() if "/extra/" in name}
            if METADATA_FILE in extra:
                stored = json.loads(archive.read(extra[METADATA_FILE]))
                inputs, outputs = (
                    [Port(name, tuple(shape), np.dtype(kind)) for name, shape, kind in stored[side]]
                    for side in ("inputs", "outputs")
                )
                return Signature(inputs, outputs, {str(key): str(value) for key, value in stored["metadata"].items()})
            if _ULTRALYTICS_FILE in extra:
                stored = json.loads(archive.read(extra[_ULTRALYTICS_FILE]))
                height, width = stored["imgsz"]
                # JSON has no numbers as keys, and exports in other formats have these as numbers
                stored["names"] = {int(number): name for number, name in dict(stored.get("names", {})).items()}
                images = Port("images", (int(stored.get("batch", 1)), 3, height, width), np.dtype(np.float32))
                output = Port("output0", (int(stored.get("batch", 1)), None, None), np.dtype(np.float32))
                return Signature([images], [output], {str(key): str(value) for key, value in stored.items()})
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path} is not a TorchScript network; export it again") from error
    raise InputError(
        f"{path.name} does not say how it is fed: only TorchScript files of multicam and ultralytics do; export the "
        "network to ONNX"
    )
