"""How long it takes from crops of different sizes to vectors, beside PyTorch crop by crop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.alternating import measure_in_turn, time_figures
from benchmarks.network_sides import NetworkSide, exported_network, network_of_bytes, run_torch, set_threads, unit_rows
from reid_models.check_images import check_images, least_cosine
from reid_models.preprocessing import CropBatches, normalize
from reid_models.records import EmbeddingRecord
from reid_models.registry import model_spec
from tracker.errors import InputError

__all__ = ["CROP_PRECISIONS", "OURS", "OURS_BFLOAT16", "USUAL", "compare_crop_preparation", "crops_of_sizes"]

USUAL, OURS, OURS_BFLOAT16 = "PyTorch, crop by crop", "multicam float32", "multicam bfloat16"
CROP_PRECISIONS = ("auto", "float32", "bfloat16")
TARGET = 5.0
_NUMPY = "normalised in NumPy"


def compare_crop_preparation(
    model: str = "osnet_x1_0",
    crops: int = 32,
    *,
    precision: str = "auto",
    repeats: int = 7,
    threads: int | None = None,
    seed: int = 0,
    advance: Callable[[str], None] = lambda step: None,
) -> dict[str, Any]:
    """Measure crops of different sizes to vectors, preparation included, and the preparation alone.

    Sides: torchvision's resize and normalisation of each crop, stacked, into the network in evaluation mode; the same
    preparation as ours with normalisation in NumPy before the network; and ours, where bytes go into the network, in
    float32 and, where the processor has it, in bfloat16.

    Args:
        model: name; random weights, which take as long as trained ones.
        crops: in a batch.
        precision: of :data:`CROP_PRECISIONS`, which of ours is held against the target: what ``--precision`` of the
            commands would run here, ``"auto"`` as they choose.
        repeats: how often each side is measured, in turn.
        threads: of every side; ``None``: its own choice.
        seed: of the crops' sizes.
        advance: called before each measurement.

    Returns:
        ``settings`` (``chosen``: the side held against the target) and ``rows``; ``cosine`` (the lowest) and
        ``max_abs_difference`` of the vectors, whose length is 1, to those of the side with NumPy's normalisation.

    Raises:
        InputError: an unknown model, or a number or a precision that cannot be.
    """
    if crops < 1 or repeats < 1:
        raise InputError(f"crops {crops} and repeats {repeats} must be at least 1")
    if precision not in CROP_PRECISIONS:
        raise InputError(f"unknown precision {precision!r}: give one of {', '.join(CROP_PRECISIONS)}")
    from reid_models.runtimes import load_network
    from reid_models.runtimes.openvino_backend import processor_has_bfloat16

    has_bfloat16 = processor_has_bfloat16()
    if precision == "bfloat16" and not has_bfloat16:
        raise InputError("this processor has no bfloat16: leave --precision out")
    record = model_spec(model).record
    given = crops_of_sizes(crops, seed)
    with TemporaryDirectory(prefix="multicam-speed-") as folder:
        path = Path(folder) / "model.onnx"
        network = exported_network(model, record, path)
        set_threads(threads)
        floats = load_network(path, threads=threads)
        buffer = np.empty((crops, 3, *record.input_size), np.float32)
        batches = CropBatches(record.input_size, crops)

        def resized() -> NDArray[np.uint8]:
            return next(iter(batches(given)))

        def by_numpy() -> NDArray[np.float32]:
            return np.asarray(floats(normalize(resized(), record, buffer))[0])

        usual_preparation = _usual_preparation(record)
        ours = {OURS: network_of_bytes(path, record, "openvino", "float32", threads)}
        if has_bfloat16:
            ours[OURS_BFLOAT16] = network_of_bytes(path, record, "openvino", "bfloat16", threads)
        chosen = _chosen(ours, precision, record)
        whole: dict[str, Callable[[], NDArray[np.float32]]] = {
            USUAL: lambda: run_torch(network, usual_preparation(given)),
            _NUMPY: by_numpy,
            **{name: _of_crops(side, resized) for name, side in ours.items()},
        }
        alone = {
            USUAL: lambda: usual_preparation(given),
            _NUMPY: lambda: normalize(resized(), record, buffer),
            "multicam": resized,
        }
        rows = []
        reference = unit_rows(by_numpy())
        for task, sides in (("crops to vectors", whole), ("preparation alone", alone)):
            times = measure_in_turn(sides, repeats, advance=_prefixed(advance, task))
            for name in sides:
                row: dict[str, Any] = {"name": task, "sequence": f"{crops} crops", "implementation": name}
                row |= time_figures(times, name, USUAL)
                if task == "crops to vectors":
                    vectors = unit_rows(whole[name]())
                    row["precision"] = ours[name].precision if name in ours else "float32"
                    row["cosine"] = least_cosine(reference, vectors)
                    row["max_abs_difference"] = float(np.abs(vectors - reference).max())
                    if name == chosen:
                        row["speed_target"] = TARGET
                rows.append(row)
    settings = {
        "model": model, "crops": crops, "precision": precision, "chosen": chosen, "repeats": repeats,
        "threads": threads, "seed": seed,
    }  # fmt: skip
    return {"settings": settings, "rows": rows}


def crops_of_sizes(count: int, seed: int = 0) -> list[NDArray[np.uint8]]:
    """Return crops (H, W, 3) as cameras give them: heights of 60 to 400 pixels, widths of a third to half of that."""
    import cv2

    random = np.random.default_rng(seed)
    people = check_images((256, 128))
    found = []
    for index in range(count):
        height = int(random.integers(60, 401))
        width = max(16, int(height * random.uniform(0.33, 0.5)))
        found.append(np.asarray(cv2.resize(people[index % len(people)], (width, height)), np.uint8))
    return found


def _chosen(ours: dict[str, NetworkSide], precision: str, record: EmbeddingRecord) -> str:
    """Return which of our sides ``--precision`` would run, by the rule of the embedders."""
    from reid_models.exported_embedder import keeps_vectors

    if OURS_BFLOAT16 not in ours or precision == "float32":
        return OURS
    if precision == "bfloat16" or keeps_vectors(ours[OURS].run, ours[OURS_BFLOAT16].run, record):
        return OURS_BFLOAT16
    return OURS


def _prefixed(advance: Callable[[str], None], task: str) -> Callable[[str], None]:
    return lambda side: advance(f"{task}, {side}")


def _of_crops(side: NetworkSide, resized: Callable[[], NDArray[np.uint8]]) -> Callable[[], NDArray[np.float32]]:
    return lambda: side.run(resized())


def _usual_preparation(record: EmbeddingRecord) -> Callable[[Sequence[NDArray[np.uint8]]], Any]:
    """Return what is usually done: each crop a picture of Pillow's, resized, a tensor, normalised, then stacked."""
    import torch
    from PIL import Image
    from torchvision import transforms

    steps = transforms.Compose(
        [transforms.Resize(record.input_size), transforms.ToTensor(), transforms.Normalize(record.mean, record.std)]
    )
    return lambda crops: torch.stack([steps(Image.fromarray(np.ascontiguousarray(crop[..., ::-1]))) for crop in crops])
