"""Whether there may be a graphics processor, without importing PyTorch to ask."""

from __future__ import annotations

import ctypes.util
import sys
from pathlib import Path

__all__ = ["accelerator_wanted"]

#: device files of NVIDIA's and AMD's drivers, and of Windows' Linux
_DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")


def accelerator_wanted(device: str) -> bool:
    """Return whether ``device`` means something else than the processor here.

    Args:
        device: ``"auto"`` means a CUDA device where there is one; asking PyTorch takes seconds, so it is asked only
            where a driver is.
    """
    if device != "auto":
        return device != "cpu"
    if not _driver_is_there():
        return False
    import torch

    return bool(torch.cuda.is_available())


def _driver_is_there() -> bool:
    if sys.platform.startswith("linux"):
        return any(Path(device).exists() for device in _DEVICES)
    return sys.platform != "darwin" and ctypes.util.find_library("nvcuda") is not None
