"""How long embedding takes: every model in every runtime, and crop preparation, beside PyTorch crop by crop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.alternating import Times, measure_in_turn, time_figures
from reid_models.check_images import check_images, least_cosine
from reid_models.preprocessing import CropBatches, normalize
from reid_models.records import EmbeddingRecord
from reid_models.registry import list_models, model_spec
from tracker.errors import InputError

__all__ = [
    "EMBEDDER_RUNTIMES",
    "compare_crop_preparation",
    "compare_embedders",
    "crops_of_sizes",
    "embedder_table",
    "multiply_adds_per_second",
]

#: name → what runs the network; every side gets the same bytes and normalises them itself
EMBEDDER_RUNTIMES = ("torch eager", "torch channels-last", "openvino float32", "openvino bfloat16", "onnxruntime")
_REFERENCE = "torch eager"
#: a batch of what a network gets from cameras: 32 crops of different sizes, preparation included
USUAL, OURS = "PyTorch, crop by crop", "multicam"
TARGET = 5.0

Advance = Callable[[str], None]


def compare_embedders(
    models: Sequence[str] | None = None,
    runtimes: Sequence[str] | None = None,
    batches: Sequence[int] = (1, 8, 32),
    *,
    repeats: int = 5,
    threads: int | None = None,
    advance: Advance = lambda step: None,
) -> dict[str, Any]:
    """Measure networks with random weights, which take as long as trained ones, on batches of resized crops.

    Args:
        models: names, ``None``: all thirteen.
        runtimes: of :data:`EMBEDDER_RUNTIMES`, ``None``: all that this machine has.
        batches: crops per call.
        repeats: how often each is measured, in turn with the others of its model and batch.
        threads: of every runtime; ``None``: each one's own choice.
        advance: called before each measurement.

    Returns:
        ``settings`` and ``rows``: seconds (median, lowest, highest), crops per second, ``speed_ratio`` to eager
        PyTorch, ``cosine`` with it at the lowest, ``floor_seconds``: multiply-adds over the machine's measured rate.

    Raises:
        InputError: an unknown model or runtime, or a number that is too small.
    """
    names = list(models or list_models())
    for name in names:
        model_spec(name)
    chosen = _checked_runtimes(runtimes)
    if min(batches, default=0) < 1 or repeats < 1:
        raise InputError(f"batches {list(batches)} and repeats {repeats} must be at least 1")
    rate = multiply_adds_per_second(threads)
    rows: list[dict[str, Any]] = []
    for name in names:
        with TemporaryDirectory(prefix="multicam-speed-") as folder:
            record = model_spec(name).record
            sides, work = _sides(name, record, chosen, Path(folder), threads)
            images = check_images(record.input_size)
            expected = sides[_REFERENCE](images) if _REFERENCE in sides else None
            for batch in batches:
                given = images[np.arange(batch) % len(images)]
                calls = {side: _call(run, given) for side, run in sides.items()}
                seconds = measure_in_turn(calls, repeats, advance=_prefixed(advance, name))
                for side in sides:
                    row = _row(name, f"batch {batch}", side, seconds, _REFERENCE)
                    row |= {"crops_per_second": batch / row["seconds"], "floor_seconds": batch * work / rate}
                    if expected is not None:
                        row["cosine"] = least_cosine(expected, sides[side](images))
                    rows.append(row)
    settings = {
        "models": names, "runtimes": chosen, "batches": list(batches), "repeats": repeats,
        "threads": threads, "multiply_adds_per_second": rate,
    }  # fmt: skip
    return {"settings": settings, "rows": rows}


def compare_crop_preparation(
    model: str = "osnet_x1_0",
    crops: int = 32,
    *,
    repeats: int = 7,
    threads: int | None = None,
    seed: int = 0,
    advance: Advance = lambda step: None,
) -> dict[str, Any]:
    """Measure crops of different sizes to vectors, preparation included, and the preparation alone.

    Sides: torchvision's resize and normalisation of each crop, stacked, into the network in evaluation mode; the same
    preparation as ours with normalisation in NumPy before the network; and ours, where bytes go into the network.

    Returns:
        ``settings`` and ``rows``; ``max_abs_difference`` of the vectors, whose length is 1, to those of the side with
        NumPy's normalisation.
    """
    if crops < 1 or repeats < 1:
        raise InputError(f"crops {crops} and repeats {repeats} must be at least 1")
    from reid_models.runtimes import load_network

    record = model_spec(model).record
    given = crops_of_sizes(crops, seed)
    with TemporaryDirectory(prefix="multicam-speed-") as folder:
        path = Path(folder) / "model.onnx"
        network = _exported(model, record, path)
        _set_threads(threads)
        floats = load_network(path, threads=threads)
        buffer = np.empty((crops, 3, *record.input_size), np.float32)
        batches = CropBatches(record.input_size, crops)

        def resized() -> NDArray[np.uint8]:
            return next(iter(batches(given)))

        def by_numpy() -> NDArray[np.float32]:
            return np.asarray(floats(normalize(resized(), record, buffer))[0])

        usual_preparation = _usual_preparation(record)
        ours = _network_of_bytes(path, record, "openvino", "float32", threads)
        whole = {
            USUAL: lambda: _run_torch(network, usual_preparation(given)),
            "normalised in NumPy": by_numpy,
            OURS: lambda: ours(resized()),
        }
        alone = {
            USUAL: lambda: usual_preparation(given),
            "normalised in NumPy": lambda: normalize(resized(), record, buffer),
            OURS: resized,
        }
        rows = []
        reference = _unit(by_numpy())
        for task, sides in (("crops to vectors", whole), ("preparation alone", alone)):
            seconds = measure_in_turn(sides, repeats, advance=_prefixed(advance, task))
            for side in sides:
                row = _row(task, f"{crops} crops", side, seconds, USUAL)
                if task == "crops to vectors":
                    row["max_abs_difference"] = float(np.abs(_unit(sides[side]()) - reference).max())
                    if side == OURS:
                        row["speed_target"] = TARGET
                rows.append(row)
    settings = {"model": model, "crops": crops, "repeats": repeats, "threads": threads, "seed": seed}
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


def multiply_adds_per_second(threads: int | None = None) -> float:
    """Return how many multiply-adds in float32 this machine does in a second, by a matrix product of 1024."""
    import torch

    _set_threads(threads)
    first, second = torch.rand(1024, 1024), torch.rand(1024, 1024)
    seconds = measure_in_turn({"product": lambda: torch.mm(first, second)}, 15)["product"].wall
    return float(1024**3 / min(seconds))


def embedder_table(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Return header and lines of the table that is printed."""
    header = [
        "what",
        "size",
        "side",
        "ms",
        "times faster",
        "target",
        "CPU ms",
        "times less",
        "crops/s",
        "floor ms",
        "cosine",
        "difference",
    ]
    return header, [
        [
            row["name"],
            row["sequence"],
            row["implementation"],
            f"{1e3 * row['seconds']:.1f} ({1e3 * row['seconds_lowest']:.1f}–{1e3 * row['seconds_highest']:.1f})",
            f"{row['speed_ratio']:.2f}" if "speed_ratio" in row else "",
            f"{row['speed_target']:g}" if "speed_target" in row else "",
            f"{1e3 * row['processor_seconds']:.1f}",
            f"{row['processor_ratio']:.2f}" if "processor_ratio" in row else "",
            f"{row['crops_per_second']:.0f}" if "crops_per_second" in row else "",
            f"{1e3 * row['floor_seconds']:.1f}" if "floor_seconds" in row else "",
            f"{row['cosine']:.6f}" if "cosine" in row else "",
            f"{row['max_abs_difference']:.1e}" if "max_abs_difference" in row else "",
        ]
        for row in rows
    ]


def _row(name: str, sequence: str, side: str, times: Mapping[str, Times], reference: str) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "sequence": sequence, "implementation": side}
    return row | time_figures(times, side, reference)


def _checked_runtimes(runtimes: Sequence[str] | None) -> list[str]:
    from reid_models.runtimes.openvino_backend import processor_has_bfloat16

    if runtimes is None:
        return [name for name in EMBEDDER_RUNTIMES if name != "openvino bfloat16" or processor_has_bfloat16()]
    for name in runtimes:
        if name not in EMBEDDER_RUNTIMES:
            raise InputError(f"unknown runtime {name!r}: give some of {', '.join(EMBEDDER_RUNTIMES)}")
    if "openvino bfloat16" in runtimes and not processor_has_bfloat16():
        raise InputError("this processor has no bfloat16: leave the runtime 'openvino bfloat16' out")
    return list(runtimes)


def _sides(
    name: str, record: EmbeddingRecord, runtimes: Sequence[str], folder: Path, threads: int | None
) -> tuple[dict[str, Callable[[NDArray[np.uint8]], NDArray[np.float32]]], int]:
    """Return each runtime as a function of bytes, and the network's multiply-adds for one image."""
    import torch

    from reid_models.complexity import count_multiply_adds

    path = folder / "model.onnx"
    model = _exported(name, record, path)
    work = count_multiply_adds(model, record.input_size)
    _set_threads(threads)
    sides: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.float32]]] = {}
    for runtime in runtimes:
        if runtime.startswith("torch"):
            layout = torch.channels_last if runtime == "torch channels-last" else torch.contiguous_format
            sides[runtime] = _torch_side(name, record, layout)
        else:
            engine, _, precision = runtime.partition(" ")
            sides[runtime] = _network_of_bytes(path, record, engine, precision or "float32", threads)
    return sides, work


def _torch_side(name: str, record: EmbeddingRecord, layout: Any) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    model = _network(name).to(memory_format=layout)

    def run(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        import torch

        images = torch.from_numpy(normalize(batch, record, np.empty((len(batch), 3, *record.input_size), np.float32)))
        return _run_torch(model, images.contiguous(memory_format=layout))

    return run


def _network(name: str) -> Any:
    import torch

    from reid_models.registry import create_model

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return create_model(name).eval()


def _exported(name: str, record: EmbeddingRecord, path: Path) -> Any:
    from reid_models.export import export_onnx

    model = _network(name)
    export_onnx(model, path, record)
    return model


def _network_of_bytes(
    path: Path, record: EmbeddingRecord, engine: str, precision: str, threads: int | None
) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    from reid_models.exported_embedder import pixel_input
    from reid_models.runtimes import load_network

    network = load_network(path, runtime=engine, precision=precision, threads=threads, pixels=pixel_input(record))
    return lambda batch: np.asarray(network(batch)[0])


def _usual_preparation(record: EmbeddingRecord) -> Callable[[Sequence[NDArray[np.uint8]]], Any]:
    """Return what is usually done: each crop a picture of Pillow's, resized, a tensor, normalised, then stacked."""
    import torch
    from PIL import Image
    from torchvision import transforms

    steps = transforms.Compose(
        [transforms.Resize(record.input_size), transforms.ToTensor(), transforms.Normalize(record.mean, record.std)]
    )
    return lambda crops: torch.stack([steps(Image.fromarray(np.ascontiguousarray(crop[..., ::-1]))) for crop in crops])


def _run_torch(model: Any, images: Any) -> NDArray[np.float32]:
    import torch

    with torch.inference_mode():
        vectors: NDArray[np.float32] = model(images).numpy()
    return vectors


def _prefixed(advance: Advance, name: str) -> Advance:
    return lambda side: advance(f"{name}, {side}")


def _call(run: Callable[[Any], Any], given: Any) -> Callable[[], Any]:
    return lambda: run(given)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    result: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return result


def _set_threads(threads: int | None) -> None:
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
