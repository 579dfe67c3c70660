"""How long embedding takes: every model in every runtime and precision, beside eager PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.alternating import measure_in_turn, time_figures
from benchmarks.machine import processor_has_int8_products
from benchmarks.network_sides import (
    NetworkSide,
    exported_network,
    multiply_adds_per_second,
    network_of_bytes,
    quantized_network,
    set_threads,
    torch_side,
)
from reid_models.check_images import check_images, least_cosine
from reid_models.records import EmbeddingRecord
from reid_models.registry import list_models, model_spec
from tracker.errors import InputError

__all__ = ["EMBEDDER_RUNTIMES", "compare_embedders", "embedder_table"]

#: name → what runs the network; every side gets the same bytes and normalises them itself
EMBEDDER_RUNTIMES = (
    "torch eager",
    "torch channels-last",
    "openvino float32",
    "openvino bfloat16",
    "openvino int8",
    "onnxruntime",
)
_REFERENCE = "torch eager"

Advance = Callable[[str], None]


def compare_embedders(
    models: Sequence[str] | None = None,
    runtimes: Sequence[str] | None = None,
    batches: Sequence[int] = (1, 8, 32),
    *,
    repeats: int = 5,
    seconds: float | None = None,
    threads: int | None = None,
    known: Mapping[str, Any] | None = None,
    advance: Advance = lambda step: None,
    after_model: Callable[[dict[str, Any]], None] = lambda found: None,
) -> dict[str, Any]:
    """Measure networks with random weights, which take as long as trained ones, on batches of resized crops.

    Args:
        models: names, ``None``: all thirteen.
        runtimes: of :data:`EMBEDDER_RUNTIMES`, ``None``: all that this machine has: bfloat16 and int8 where the
            processor computes in them.
        batches: crops per call.
        repeats: how often each is measured, in turn with the others of its model and batch, at most.
        seconds: for each model and batch; then no further repeat is begun, once there are three. ``None``: no limit.
        threads: of every runtime; ``None``: each one's own choice.
        known: what an earlier call with the same settings returned or gave to ``after_model``: its models are not
            measured again.
        advance: called before each measurement.
        after_model: called after each model with what there is so far, of the same form as what is returned.

    Returns:
        ``settings`` and ``rows``: seconds (median, lowest, highest) and the number of ``repeats``, ``precision``, crops
        per second, ``speed_ratio`` to eager PyTorch, ``cosine`` with it (else with the first side) at the lowest,
        ``floor_seconds``: multiply-adds over the machine's measured rate.

    Raises:
        InputError: an unknown model or runtime, a number that is too small, or ``known`` of other settings.
    """
    names = list(models or list_models())
    for name in names:
        model_spec(name)
    chosen = _checked_runtimes(runtimes)
    if min(batches, default=0) < 1 or repeats < 1:
        raise InputError(f"batches {list(batches)} and repeats {repeats} must be at least 1")
    settings: dict[str, Any] = {
        "models": names, "runtimes": chosen, "batches": list(batches), "repeats": repeats, "seconds": seconds,
        "threads": threads,
    }  # fmt: skip
    rows = [] if known is None else _rows_of(known, settings)
    rate = multiply_adds_per_second(threads) if known is None else known["settings"]["multiply_adds_per_second"]
    settings["multiply_adds_per_second"] = rate
    measured = list(dict.fromkeys(row["name"] for row in rows))
    settings["models"] = list(dict.fromkeys([*measured, *names]))
    for name in settings["models"][len(measured) :]:
        rows += _rows_of_model(name, settings, _prefixed(advance, name))
        after_model({"settings": settings, "rows": rows})
    return {"settings": settings, "rows": rows}


def _rows_of_model(name: str, settings: Mapping[str, Any], advance: Advance) -> list[dict[str, Any]]:
    rows = []
    with TemporaryDirectory(prefix="multicam-speed-") as folder:
        record = model_spec(name).record
        sides, work = _sides(name, record, settings["runtimes"], Path(folder), settings["threads"])
        images = check_images(record.input_size)
        expected = next(iter(sides.values())).run(images)
        cosines = {side: least_cosine(expected, one.run(images)) for side, one in sides.items()}
        for batch in settings["batches"]:
            given = images[np.arange(batch) % len(images)]
            calls = {side: _call(one, given) for side, one in sides.items()}
            times = measure_in_turn(calls, settings["repeats"], seconds=settings["seconds"], advance=advance)
            for side in sides:
                row: dict[str, Any] = {"name": name, "sequence": f"batch {batch}", "implementation": side}
                row |= time_figures(times, side, _REFERENCE)
                row |= {
                    "repeats": len(times[side].wall),
                    "crops_per_second": batch / row["seconds"],
                    "floor_seconds": batch * work / settings["multiply_adds_per_second"],
                    "precision": sides[side].precision,
                    "cosine": cosines[side],
                }
                rows.append(row)
    return rows


def _rows_of(known: Mapping[str, Any], settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of the models wanted, if the rest was measured in the same way."""
    for name, value in settings.items():
        if name != "models" and known["settings"].get(name) != value:
            raise InputError(
                f"what was measured before has {name} {known['settings'].get(name)}, and now it is {value}: give the "
                "same options, or write to another file"
            )
    return [dict(row) for row in known["rows"]]


def embedder_table(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Return header and lines of the table that is printed."""
    header = [
        "what",
        "size",
        "side",
        "precision",
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
            row.get("precision", ""),
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


def _checked_runtimes(runtimes: Sequence[str] | None) -> list[str]:
    from reid_models.runtimes.openvino_backend import processor_has_bfloat16

    has = {"openvino bfloat16": processor_has_bfloat16(), "openvino int8": processor_has_int8_products()}
    if runtimes is None:
        return [name for name in EMBEDDER_RUNTIMES if has.get(name, True)]
    for name in runtimes:
        if name not in EMBEDDER_RUNTIMES:
            raise InputError(f"unknown runtime {name!r}: give some of {', '.join(EMBEDDER_RUNTIMES)}")
    # Sums of 8-bit products can be had from any processor, only slower.
    if "openvino bfloat16" in runtimes and not has["openvino bfloat16"]:
        raise InputError("this processor has no bfloat16: leave the runtime 'openvino bfloat16' out")
    return [name for name in EMBEDDER_RUNTIMES if name in runtimes]


def _sides(
    name: str, record: EmbeddingRecord, runtimes: Sequence[str], folder: Path, threads: int | None
) -> tuple[dict[str, NetworkSide], int]:
    """Return each runtime's side, and the network's multiply-adds for one image."""
    import torch

    from reid_models.complexity import count_multiply_adds

    path = folder / "model.onnx"
    work = count_multiply_adds(exported_network(name, record, path), record.input_size)
    set_threads(threads)
    sides: dict[str, NetworkSide] = {}
    for runtime in runtimes:
        if runtime.startswith("torch"):
            layout = torch.channels_last if runtime == "torch channels-last" else torch.contiguous_format
            sides[runtime] = torch_side(name, record, layout)
            continue
        engine, _, precision = runtime.partition(" ")
        file = quantized_network(path, record, folder / "int8.onnx") if precision == "int8" else path
        asked = "bfloat16" if precision == "bfloat16" else "float32"
        sides[runtime] = network_of_bytes(file, record, engine, asked, threads)
    return sides, work


def _prefixed(advance: Advance, name: str) -> Advance:
    return lambda side: advance(f"{name}, {side}")


def _call(side: NetworkSide, given: Any) -> Callable[[], Any]:
    return lambda: side.run(given)
