"""OpenCV's YAML and XML files (``cv::FileStorage``), and WILDTRACK's pairs of them, as named numbers.

A file holds K and the distortion, R or a rotation vector, and t under any of their usual names; WILDTRACK and others
keep the first two in one file and the others in a second. OpenCV's pixel (0, 0) is the *centre* of the first pixel:
``entries.py`` moves the principal point by half a pixel when it is told so.
"""

from __future__ import annotations

from typing import Any

from tracker.errors import InputError

__all__ = ["FIRST_PIXEL_CENTRE", "is_opencv_file", "read_opencv_nodes"]

#: OpenCV's coordinate of the centre of the first pixel
FIRST_PIXEL_CENTRE = 0.0


def is_opencv_file(text: str) -> bool:
    """Return whether a file's text is one that OpenCV's FileStorage wrote (YAML or XML)."""
    head = text.lstrip("\ufeff \t\r\n")[:4000]
    return head.startswith("%YAML:1.0") or "<opencv_storage>" in head or "!!opencv-matrix" in text


def read_opencv_nodes(text: str, label: str) -> dict[str, Any]:
    """Return the nodes of a file: name → number, text, nested list, mapping, or matrix as an array.

    Raises:
        InputError: OpenCV cannot read it.
    """
    import cv2

    text = text.lstrip("\ufeff \t\r\n")
    if text.startswith("%YAML 1.0"):
        # Both spellings exist; FileStorage in memory knows the first.
        text = text.replace("%YAML 1.0", "%YAML:1.0", 1)
    elif not text.startswith(("%YAML", "<")):
        text = "%YAML:1.0\n" + text
    try:
        storage = cv2.FileStorage(text, cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
        root = storage.root()
        nodes = {key: _value(root.getNode(key)) for key in root.keys()}  # noqa: SIM118
    except (cv2.error, SystemError, TypeError) as error:
        reason = str(getattr(error, "err", "") or error).strip().rstrip(".")
        raise InputError(f"{label}: not a file OpenCV can read ({reason}); write it again with FileStorage") from None
    if not nodes:
        raise InputError(f"{label}: an OpenCV file without nodes; write camera_matrix, rvec and tvec into it")
    return nodes


def _value(node: Any) -> Any:
    if node.isNone():
        return None
    if node.isInt() or node.isReal():
        return node.real()
    if node.isString():
        return node.string()
    if node.isSeq():
        return [_value(node.at(index)) for index in range(node.size())]
    keys = node.keys()
    if "data" in keys and "rows" in keys:
        return node.mat()
    return {key: _value(node.getNode(key)) for key in keys}
