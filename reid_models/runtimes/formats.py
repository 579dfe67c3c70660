"""Network files of other formats, with what their readers need to know inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["files_of", "move_network", "write_openvino"]


def write_openvino(source: Path, target: Path, metadata: Mapping[str, str]) -> None:
    """Write an ONNX network as OpenVINO's ``.xml`` with its ``.bin``, weights in float32.

    Args:
        metadata: kept in the file's ``rt_info``, section ``multicam``.
    """
    import openvino

    model = openvino.Core().read_model(str(source))
    for key, value in metadata.items():
        model.set_rt_info(value, ["multicam", key])
    openvino.save_model(model, str(target), compress_to_fp16=False)


def files_of(path: Path) -> Sequence[Path]:
    """Return the files that make up a network: of OpenVINO's two, of others one."""
    return [path, path.with_suffix(".bin")] if path.suffix.lower() == ".xml" else [path]


def move_network(source: Path, target: Path) -> None:
    """Give a network's files another name of the same folder's file system, weights first."""
    for old, new in reversed(list(zip(files_of(source), files_of(target), strict=True))):
        old.replace(new)
