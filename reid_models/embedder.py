"""Crops in, L2-normalised vectors out: every way of embedding behind one call, :func:`create_embedder`.

What is returned has the attributes of the tracker's ``Embedder`` protocol. Importing this module imports no PyTorch.
"""

from __future__ import annotations

import os
from pathlib import Path

from reid_models.embedders import EMBEDDER_PRECISIONS, BatchEmbedder, Embedder, EmbedderOptions, normalized_rows
from reid_models.errors import InputError
from reid_models.exported_embedder import NetworkEmbedder, file_embedder
from reid_models.names import nearest_name_hint
from reid_models.registry import list_models
from reid_models.runtimes import EXPORT_SUFFIXES, RUNTIMES, accelerator_wanted
from reid_models.weights import list_weights, resolve_weights, shipped_weights

__all__ = [
    "EMBEDDER_PRECISIONS",
    "BatchEmbedder",
    "Embedder",
    "NetworkEmbedder",
    "create_embedder",
    "normalized_rows",
]

_CHECKPOINT_SUFFIXES = (".pt", ".pth", ".pth.tar", ".tar")


def create_embedder(
    spec: str,
    *,
    weights: str | os.PathLike[str] | None = None,
    device: str = "auto",
    half: bool = False,
    runtime: str = "auto",
    precision: str = "auto",
    calibration_images: str | os.PathLike[str] | None = None,
    batch_size: int = 32,
    input_size: tuple[int, int] | None = None,
    threads: int | None = None,
    untrained: bool = False,
    offline: bool | None = None,
) -> Embedder:
    """Return what turns crops of people into vectors.

    On the processor a model is exported once, into the cache that weights use, compared there with PyTorch on the same
    images, and from then on run from the export: the same vectors several times faster, and no import of PyTorch.

    Args:
        spec: name of a model (with ``weights``, unless some come with this package), ``"MODEL:WEIGHTS"``, an exported
            file (``.onnx``, OpenVINO's ``.xml``, ``.torchscript``), a checkpoint file of a known architecture, or
            ``"color_histogram"``, which needs no network.
        weights: for a model name: checkpoint, or the name of weights (:func:`reid_models.weights.list_weights`),
            fetched the first time.
        device: ``"auto"`` (a GPU if there is one), ``"cpu"``, ``"cuda"`` or ``"cuda:1"``. Exported files run on the
            processor.
        half: 16-bit precision where the device is faster with it: float16 on a GPU, else bfloat16.
        runtime: ``"auto"``, ``"torch"``, ``"openvino"`` or ``"onnxruntime"``. ``"auto"`` is PyTorch on a GPU, else
            OpenVINO where it is installed, else ONNX Runtime.
        precision: ``"auto"`` (bfloat16 where OpenVINO runs on a processor that has it and the vectors stay what they
            are in float32 to a cosine of 0.999 on test images, else float32), ``"float32"``, ``"bfloat16"``,
            ``"float16"`` (GPUs), or ``"int8"`` (the processor; needs ``calibration_images``).
        calibration_images: folder with crops of people, for ``"int8"``.
        batch_size: crops per call of the network.
        input_size: (height, width) instead of the recorded one.
        threads: processor threads; ``None``: the runtime's own choice.
        untrained: take a model name without weights, whose vectors mean nothing: for tests of speed and plumbing.
        offline: never download; ``None``: as ``MULTICAM_OFFLINE`` says.

    Raises:
        InputError: an unknown name (the nearest is suggested), a model without weights, weights that cannot be
            fetched, a file that is no embedder, or an option that the runtime does not have.
    """
    options = _options(device, half, runtime, precision, calibration_images, batch_size, input_size, threads)
    path = Path(spec)
    if spec == "color_histogram":
        from reid_models.color_histogram import ColorHistogram

        return ColorHistogram()
    if path.suffix.lower() in EXPORT_SUFFIXES and spec.partition(":")[0] not in list_models():
        if weights is not None:
            raise InputError(f"{spec} holds its own weights: leave --embedder-weights {weights} out")
        return file_embedder(path, options)
    spec, weights = _model_and_weights(spec, weights)
    if weights is None and not untrained:
        shipped = shipped_weights(spec)
        if shipped is None:
            raise InputError(
                f"the embedder {spec} was given no weights, and an untrained network cannot tell people apart: add "
                f"--embedder-weights FILE with a published checkpoint{_named_weights_hint(spec)}, or use --embedder "
                "color_histogram, which needs none"
            )
        weights = shipped.name
    if weights is not None and Path(weights).suffix.lower() in EXPORT_SUFFIXES:
        raise InputError(f"{weights} is an exported network: give it alone, --embedder {weights}, without a model name")
    file, known = (None, None) if weights is None else resolve_weights(spec, weights, offline=offline)
    if runtime == "torch" or accelerator_wanted(device):
        from reid_models.torch_embedder import create_torch_embedder

        return create_torch_embedder(spec, file, known, options)
    from reid_models.cached_embedder import cached_model_embedder

    return cached_model_embedder(spec, file, known, options)


def _options(
    device: str,
    half: bool,
    runtime: str,
    precision: str,
    calibration_images: str | os.PathLike[str] | None,
    batch_size: int,
    input_size: tuple[int, int] | None,
    threads: int | None,
) -> EmbedderOptions:
    if runtime not in RUNTIMES:
        raise InputError(f"unknown runtime {runtime!r}: give one of {', '.join(RUNTIMES)}")
    if precision not in EMBEDDER_PRECISIONS:
        raise InputError(f"unknown precision {precision!r}: give one of {', '.join(EMBEDDER_PRECISIONS)}")
    if half and precision not in ("auto", "bfloat16", "float16"):
        raise InputError(f"--half and --precision {precision} cannot both be: leave one out")
    if (precision == "int8") != (calibration_images is not None):
        raise InputError(
            "--precision int8 and --calibration-images DIR go together: 8 bits are fitted to what such pictures give"
        )
    folder = None if calibration_images is None else Path(calibration_images)
    return EmbedderOptions(device, half, runtime, precision, folder, batch_size, input_size, threads)


def _model_and_weights(spec: str, weights: str | os.PathLike[str] | None) -> tuple[str, str | os.PathLike[str] | None]:
    """Return the model's name, and what was given as its weights."""
    models = list_models()
    name, colon, given = spec.partition(":")
    if colon and name in models:
        if weights is not None or not given:
            problem = "names its weights itself" if given else "ends where the weights' name or file should follow"
            raise InputError(f"{spec} {problem}: give --embedder {name}:{given or 'NAME'} and no --embedder-weights")
        return name, given
    if spec in models:
        return spec, weights
    if not spec.lower().endswith(_CHECKPOINT_SUFFIXES):
        known = [*models, "color_histogram"]
        raise InputError(f"unknown embedder {spec!r}: {nearest_name_hint(name, known)} Or give an ONNX file.")
    from reid_models.checkpoints import read_description, read_state_dict, recognize_architecture

    state = read_state_dict(spec)
    found = read_description(Path(spec)).get("architecture") or recognize_architecture(state)
    if found is None:
        raise InputError(f"{spec} is a checkpoint of no architecture known here: {', '.join(models)}")
    return found, Path(spec)


def _named_weights_hint(model: str) -> str:
    names = [record.spec for record in list_weights(model) if not record.trunk_only and record.name != "imagenet"]
    return f", or --embedder {names[0]}, which fetches it" if names else ""
