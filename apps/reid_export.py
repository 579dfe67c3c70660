"""``multicam reid export``: a network as an ONNX file, or its weights in half the size, checked against PyTorch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from apps.reid_model import load_named_model, parsed_options

__all__ = ["run_export"]

#: cosine between the exported network's embedding and PyTorch's, at least
_LEAST_COSINE = 0.9999


def run_export(
    model: str,
    weights: str | None,
    options: Sequence[str],
    record: Sequence[str],
    output: Path,
    untrained: bool,
    overwrite: bool,
    offline: bool,
) -> None:
    """Write ``output`` and say how near its embeddings are to PyTorch's.

    Raises:
        InputError: the network or the file cannot be used, or the export does not compute the same.
    """
    import torch

    from reid_models.errors import InputError
    from reid_models.export import export_onnx
    from reid_models.runtimes import load_network
    from reid_models.training.run_files import save_weights

    suffix = output.suffix.lower()
    if suffix not in (".onnx", ".pt"):
        raise InputError(f"--output {output} must end in .onnx, or in .pt for weights of 16 bits")
    if output.exists() and not overwrite:
        raise InputError(f"{output} exists already: add --overwrite to replace it")
    named = load_named_model(model, weights, options, untrained=untrained, offline=offline)
    if record:
        changed = named.record.updated(parsed_options(record, "--record"), "--record")
        named = dataclasses.replace(named, record=changed)
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f"{output.stem}.partial{suffix}")
    try:
        height, width = named.record.input_size
        noise = np.random.default_rng(0).standard_normal((3, 3, height, width)).astype(np.float32)
        blocks = noise[:, :, ::16, ::16].repeat(16, axis=2).repeat(16, axis=3)[:, :, :height, :width]
        images = np.concatenate([noise, blocks])
        with torch.inference_mode():
            ours = named.network(torch.from_numpy(images)).numpy()
        if suffix == ".onnx":
            export_onnx(named.network, partial, named.record)
            theirs = np.asarray(load_network(partial, runtime="onnxruntime")(images)[0])
        else:
            save_weights(partial, named.network, named.name, named.options, named.record, half=True)
            written = load_named_model(str(partial), None)
            with torch.inference_mode():
                theirs = written.network(torch.from_numpy(images)).numpy()
        products = (ours * theirs).sum(1) / (np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1))
        if not products.min() >= _LEAST_COSINE:
            raise InputError(
                f"the export of {named.label} computes something else (cosine {products.min():.6f}): not written"
            )
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
    megabytes = output.stat().st_size / 1e6
    print(f"{output}: {named.label}, {height}×{width}, {ours.shape[1]} values, {megabytes:.1f} MB; "
          f"cosine with PyTorch at least {products.min():.6f}")  # fmt: skip
