"""What a measurement ran on: without it a time means nothing."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["THREAD_VARIABLES", "describe_machine", "describe_processor", "processor_has_int8_products"]

#: what numerical libraries read their number of threads from
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_PACKAGES = ("multicam-tracker", "numpy", "scipy", "lap", "opencv-python", "torch", "openvino", "onnxruntime")


def describe_machine(packages: Iterable[str] = ()) -> dict[str, Any]:
    """Return processor, cores, memory, system, versions and thread settings; nothing that names the machine or a user.

    Args:
        packages: distributions whose versions matter here, besides the usual ones.
    """
    versions = {}
    for package in dict.fromkeys((*_PACKAGES, *packages)):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "processor": describe_processor(),
        "cores_usable": _usable_cores(),
        "cores": os.cpu_count(),
        "memory_gib": _memory(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions,
        "threads": _threads(),
        **_accelerator(),
    }


def describe_processor() -> str:
    """Return the processor's name as it tells it, or its architecture."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def processor_has_int8_products() -> bool:
    """Return whether the processor adds products of 8 bits in one instruction (VNNI); ``False`` where nobody says."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    flags = next((line for line in text.splitlines() if line.startswith(("flags", "Features"))), "")
    return not {"avx512_vnni", "avx_vnni", "asimddp"}.isdisjoint(flags.partition(":")[2].split())


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return None


def _threads() -> dict[str, Any]:
    """Return what was set by the environment, and what libraries that are already loaded will use."""
    threads: dict[str, Any] = {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ}
    if "torch" in sys.modules:
        threads["torch"] = sys.modules["torch"].get_num_threads()
    if "cv2" in sys.modules:
        threads["opencv"] = sys.modules["cv2"].getNumThreads()
    return threads


def _accelerator() -> dict[str, Any]:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return {}
    return {"accelerator": torch.cuda.get_device_name()}
