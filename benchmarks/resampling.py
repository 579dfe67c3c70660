"""Paired bootstrap over sequences (Efron and Tibshirani, 1993, chapter 13): how sure a difference of two runs is.

Sequences are drawn with replacement, the same for both runs, and the figure over all of them is made again from each
draw. Where the counts allow it, that is the figure the official tools give for all sequences together, made from summed
counts: MOTA, IDF1, IDP, IDR, Rcll and Prcn. Counts are summed. Everything else, HOTA among it, is the mean over the
sequences, since what HOTA sums up is not in a report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.report_tables import COUNTS, base_of, is_number, suffix_of

__all__ = ["Difference", "aggregation", "paired_difference"]

#: how a figure over several sequences is made of theirs
Aggregation = Literal["pooled", "sum", "mean"]

_NEEDED = {
    "MOTA": ("TP", "FN", "FP", "IDSW"),
    "IDF1": ("TP", "FN", "FP", "IDF1"),
    "IDP": ("TP", "FN", "FP", "IDF1"),
    "IDR": ("TP", "FN", "FP", "IDF1"),
    "Rcll": ("TP", "FN"),
    "Prcn": ("TP", "FP"),
}

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure of a run and of the reference over the same sequences.

    Args:
        value: of the run.
        reference: of the reference.
        difference: the first less the second.
        low: lower end of the confidence interval of the difference; ``None`` for less than two sequences.
        high: its upper end.
    """

    value: float
    reference: float
    difference: float
    low: float | None
    high: float | None


def aggregation(figure: str, rows: Sequence[Mapping[str, Any]]) -> Aggregation:
    """Return how a figure over all of the rows' sequences is made."""
    base, suffix = base_of(figure), suffix_of(figure)
    # Another engine's count has its name behind: "IDSW (TrackEval)".
    if base.partition(" ")[0] in COUNTS:
        return "sum"
    needed = [name + suffix for name in _NEEDED.get(base, ())]
    if needed and all(is_number(row.get(name)) for row in rows for name in needed):
        return "pooled"
    return "mean"


def paired_difference(
    figure: str,
    run: Sequence[Mapping[str, Any]],
    reference: Sequence[Mapping[str, Any]],
    *,
    draws: int = 10_000,
    confidence: float = 95.0,
    seed: int = 0,
) -> Difference:
    """Return the difference of a figure with its percentile bootstrap interval.

    Args:
        figure: which every row has.
        run: rows of N sequences.
        reference: rows of the same sequences, in the same order.
        draws: how often N sequences are drawn.
        confidence: percent.
        seed: of the draws.
    """
    how = aggregation(figure, [*run, *reference])
    count = len(run)
    once = np.ones((1, count))
    value, base = (float(_figure(figure, how, rows, once)[0]) for rows in (run, reference))
    if count < 2:
        return Difference(value, base, value - base, None, None)
    # How often each sequence is among the N drawn.
    times = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=draws).astype(np.float64)
    differences = _figure(figure, how, run, times) - _figure(figure, how, reference, times)
    tail = (100 - confidence) / 2
    # Who is never there, in a draw of sequences without anybody, has no figure.
    low, high = np.nanpercentile(differences, (tail, 100 - tail)).tolist()
    return Difference(value, base, value - base, low, high)


def _figure(figure: str, how: Aggregation, rows: Sequence[Mapping[str, Any]], times: Array) -> Array:
    """Return the figure (D,) over each draw; ``times`` (D, N) says how often a sequence is in it."""
    base, suffix = base_of(figure), suffix_of(figure)

    def total(name: str) -> Array:
        summed: Array = times @ np.array([row[name + suffix] for row in rows], np.float64)
        return summed

    if how == "sum":
        return total(base)
    if how == "mean":
        mean: Array = total(base) / times.sum(axis=1)
        return mean
    if base == "MOTA":
        return _percent(total("TP") - total("FP") - total("IDSW"), total("TP") + total("FN"))
    if base == "Rcll":
        return _percent(total("TP"), total("TP") + total("FN"))
    if base == "Prcn":
        return _percent(total("TP"), total("TP") + total("FP"))
    # IDF1 is 2 IDTP / (boxes of the truth + boxes of the results), which gives IDTP.
    sizes = np.array([2 * row["TP" + suffix] + row["FN" + suffix] + row["FP" + suffix] for row in rows], np.float64)
    shares = np.array([row["IDF1" + suffix] for row in rows], np.float64) / 100
    found: Array = times @ (shares * sizes / 2)
    of_truth, of_results = total("TP") + total("FN"), total("TP") + total("FP")
    return _percent(found, {"IDF1": (of_truth + of_results) / 2, "IDR": of_truth, "IDP": of_results}[base])


def _percent(part: Array, whole: Array) -> Array:
    return 100 * np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)
