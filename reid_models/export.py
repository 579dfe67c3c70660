"""ReID networks to ONNX and TorchScript, with the record that tells how to feed them."""

from __future__ import annotations

import dataclasses
import json
import warnings
from pathlib import Path

import torch
from torch import nn

from reid_models.exported_embedder import RECORD_KEY
from reid_models.records import EmbeddingRecord
from reid_models.runtimes.signature import METADATA_FILE

__all__ = ["RECORD_KEY", "export_onnx", "export_torchscript"]


def export_onnx(model: nn.Module, path: Path, record: EmbeddingRecord) -> None:
    """Write ``model``'s test embedding as an ONNX graph: ``images`` (batch, 3, H, W) → ``embeddings`` (batch, D).

    Args:
        model: on the CPU; its training mode is kept.
        path: file to write.
        record: stored in the file; ``input_size`` fixes H and W, the batch axis stays free.
    """
    import onnx

    was_training = model.training
    model.eval()
    try:
        with warnings.catch_warnings():
            # The tracing exporter is the one that needs no further package.
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.onnx.export(
                model,
                (torch.zeros(2, 3, *record.input_size),),
                str(path),
                dynamo=False,
                input_names=["images"],
                output_names=["embeddings"],
                dynamic_axes={"images": {0: "batch"}, "embeddings": {0: "batch"}},
                opset_version=17,
            )
    finally:
        model.train(was_training)
    graph = onnx.load(path)
    onnx.helper.set_model_props(graph, {RECORD_KEY: json.dumps(dataclasses.asdict(record))})
    onnx.save(graph, path)


def export_torchscript(model: nn.Module, path: Path, record: EmbeddingRecord) -> None:
    """Write ``model``'s test embedding as a TorchScript archive: ``images`` (batch, 3, H, W) → ``embeddings``.

    Args:
        model: on the CPU; its training mode is kept.
        path: file to write.
        record: stored in the archive; ``input_size`` fixes H and W, the batch axis stays free.
    """
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            images = torch.zeros(2, 3, *record.input_size)
            traced = torch.jit.freeze(torch.jit.trace(model, images, check_trace=False))
            dimension = traced(images).shape[1]
    finally:
        model.train(was_training)
    described = {
        "inputs": [["images", [None, 3, *record.input_size], "float32"]],
        "outputs": [["embeddings", [None, dimension], "float32"]],
        "metadata": {RECORD_KEY: json.dumps(dataclasses.asdict(record))},
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(traced, str(path), _extra_files={METADATA_FILE: json.dumps(described)})
