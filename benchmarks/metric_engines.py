"""The engines of the metrics: what each says of one sequence, and of several together.

Sequences can be computed apart, in other processes too: a *part* is what an engine says of one, in its own form, and
rows are made from the parts of all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from benchmarks.metrics import PairedFrames

__all__ = [
    "Engine",
    "clear_and_identity_part",
    "clear_and_identity_rows",
    "combine_higher_order",
    "engine_version",
    "engines_of",
    "higher_order_parts",
    "higher_order_row",
]

Engine = Literal["motmetrics", "trackeval"]

_HIGHER_ORDER = ("HOTA", "DetA", "AssA", "LocA", "DetRe", "DetPr", "AssRe", "AssPr")
_SHARES = ("MOTA", "MOTP", "IDF1", "IDP", "IDR", "Rcll", "Prcn")
_COUNTS = ("IDSW", "FP", "FN", "TP", "MT", "PT", "ML", "GT")
_MOTMETRICS_NAMES = {
    "mota": "MOTA",
    "motp": "MOTP",
    "idf1": "IDF1",
    "idp": "IDP",
    "idr": "IDR",
    "recall": "Rcll",
    "precision": "Prcn",
    "num_switches": "IDSW",
    "num_false_positives": "FP",
    "num_misses": "FN",
    "num_detections": "TP",
    "mostly_tracked": "MT",
    "partially_tracked": "PT",
    "mostly_lost": "ML",
    "num_unique_objects": "GT",
}
_TRACKEVAL_NAMES = {
    "MOTA": "MOTA",
    "MOTP": "MOTP",
    "IDF1": "IDF1",
    "IDP": "IDP",
    "IDR": "IDR",
    "CLR_Re": "Rcll",
    "CLR_Pr": "Prcn",
    "IDSW": "IDSW",
    "CLR_FP": "FP",
    "CLR_FN": "FN",
    "CLR_TP": "TP",
    "MT": "MT",
    "PT": "PT",
    "ML": "ML",
}


def higher_order_parts(paired: PairedFrames) -> dict[str, Any]:
    """Return what TrackEval's HOTA says of one sequence: (19,) arrays, one value for each localisation threshold."""
    from trackeval.metrics import HOTA

    return dict(HOTA().eval_sequence(paired.for_trackeval()))


def combine_higher_order(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the same of all sequences together, from sequence → :func:`higher_order_parts`."""
    from trackeval.metrics import HOTA

    return dict(HOTA().combine_sequences(dict(parts)))


def higher_order_row(part: Mapping[str, Any]) -> dict[str, float]:
    """Return HOTA, DetA, … as means over the thresholds, in percent, from :func:`higher_order_parts`."""
    return {name: 100 * float(np.mean(part[name])) for name in _HIGHER_ORDER}


def clear_and_identity_part(paired: PairedFrames, threshold: float, engine: Engine) -> Any:
    """Return what an engine says of one sequence, in its own form, for :func:`clear_and_identity_rows`."""
    return _ENGINES[engine][0](paired, threshold)


def clear_and_identity_rows(parts: Sequence[Any], engine: Engine) -> list[dict[str, Any]]:
    """Return a row for each part of that engine, in order, and one for all together."""
    return _ENGINES[engine][1](parts)


def engines_of(engine: Engine = "motmetrics") -> dict[str, str]:
    """Return metric → ``"package version"`` where that engine computes CLEAR and identity metrics."""
    return dict.fromkeys(_HIGHER_ORDER, engine_version("trackeval")) | dict.fromkeys(
        (*_SHARES, *_COUNTS), engine_version(engine)
    )


def _trackeval_part(paired: PairedFrames, threshold: float) -> dict[str, Any]:
    from trackeval.metrics import CLEAR, Identity

    settings, data = {"THRESHOLD": threshold, "PRINT_CONFIG": False}, paired.for_trackeval()
    return {
        "clear": CLEAR(settings).eval_sequence(data),
        "identity": Identity(settings).eval_sequence(data),
        "people": data["num_gt_ids"],
    }


def _trackeval_rows(parts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    from trackeval.metrics import CLEAR, Identity

    whole: dict[str, Any] = {"people": sum(part["people"] for part in parts)}
    for name, metric in (("clear", CLEAR({"PRINT_CONFIG": False})), ("identity", Identity({"PRINT_CONFIG": False}))):
        whole[name] = metric.combine_sequences({str(index): part[name] for index, part in enumerate(parts)})
    return [
        _row({new: (part["clear"] | part["identity"])[old] for old, new in _TRACKEVAL_NAMES.items()}
             | {"GT": part["people"]})
        for part in (*parts, whole)
    ]  # fmt: skip


def _motmetrics_part(paired: PairedFrames, threshold: float) -> dict[str, Any]:
    import motmetrics

    host = motmetrics.metrics.create()
    wanted = list(_MOTMETRICS_NAMES)
    return dict(
        host.compute(_accumulate(paired, threshold), metrics=wanted, return_dataframe=False, return_cached=True)
    )


def _motmetrics_rows(parts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    import motmetrics

    whole = motmetrics.metrics.create().compute_overall(parts, metrics=list(_MOTMETRICS_NAMES), return_dataframe=False)
    # Its own merging would make the mean distance NaN as soon as one sequence has no match.
    distances = sum(part["motp"] * part["num_detections"] for part in parts if part["num_detections"])
    whole["motp"] = distances / whole["num_detections"] if whole["num_detections"] else np.nan
    # motmetrics' MOTP is the mean distance of matches, everybody else's their mean overlap.
    return [
        _row({new: part[old] for old, new in _MOTMETRICS_NAMES.items()} | {"MOTP": 1 - part["motp"]})
        for part in (*parts, whole)
    ]


def _accumulate(paired: PairedFrames, threshold: float) -> Any:
    """Return motmetrics' accumulator of events.

    Only pairs that may match are handed over as distances; the rest is NaN, "do not pair".
    """
    import motmetrics

    accumulator = motmetrics.MOTAccumulator()
    for frame, truth_ids, result_ids, similarity in zip(
        paired.frames.tolist(), paired.truth_ids, paired.result_ids, paired.similarities, strict=True
    ):
        distances = np.where(similarity >= threshold - np.finfo(float).eps, 1.0 - similarity, np.nan)
        accumulator.update(truth_ids, result_ids, distances, frameid=frame)
    return accumulator


_ENGINES: dict[str, tuple[Callable[[PairedFrames, float], Any], Callable[[Sequence[Any]], list[dict[str, Any]]]]] = {
    "motmetrics": (_motmetrics_part, _motmetrics_rows),
    "trackeval": (_trackeval_part, _trackeval_rows),
}


def _row(values: Mapping[str, Any]) -> dict[str, Any]:
    shares = {name: 100 * float(values[name]) for name in _SHARES}
    # motmetrics divides by 0 where nothing was there to be found; JSON has neither NaN nor infinity.
    known: dict[str, Any] = {name: share if np.isfinite(share) else None for name, share in shares.items()}
    return known | {name: int(values[name]) for name in _COUNTS}


def engine_version(package: str) -> str:
    from importlib.metadata import version

    return f"{package} {version(package)}"
