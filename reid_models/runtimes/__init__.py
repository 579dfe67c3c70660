"""Exported networks as functions of arrays: OpenVINO, ONNX Runtime, TorchScript. The last alone needs PyTorch.

Both halves of the house run their networks by this: the detectors and the embedders.
"""

from reid_models.runtimes.accelerators import accelerator_wanted
from reid_models.runtimes.network import EXPORT_SUFFIXES, PRECISIONS, RUNTIMES, Network, load_network
from reid_models.runtimes.pixels import PixelInput
from reid_models.runtimes.signature import Port, Signature, read_signature

__all__ = [
    "EXPORT_SUFFIXES",
    "PRECISIONS",
    "RUNTIMES",
    "Network",
    "PixelInput",
    "Port",
    "Signature",
    "accelerator_wanted",
    "load_network",
    "read_signature",
]
