"""ReID networks to ONNX, with the record that tells how to feed them."""

from __future__ import annotations

import dataclasses
import json
import warnings
from pathlib import Path

import torch
from torch import nn

from reid_models.records import EmbeddingRecord

__all__ = ["RECORD_KEY", "export_onnx"]

#: metadata entry of the ONNX file that holds the embedding record as JSON
RECORD_KEY = "reid_models.record"


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
