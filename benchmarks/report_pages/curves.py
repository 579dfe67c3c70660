"""HOTA, DetA and AssA over the localisation thresholds (Luiten et al., IJCV 2021, figure 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.report_pages.markup import element, series_class, text
from benchmarks.report_pages.panel import Panel, panels
from benchmarks.report_tables import short_name

__all__ = ["CURVES", "threshold_curves"]

CURVES = ("HOTA", "DetA", "AssA")
_COMBINED = "combined"
#: with more names than this, the sequences' own curves would hide those of all together
_MOST_WITH_SEQUENCES = 2

_Curves = Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]]


def threshold_curves(details: Mapping[str, Any], names: Sequence[str]) -> str:
    """Return a panel for each metric: a line for each name over all sequences, and faint ones for the sequences.

    Where there is no curve of all sequences together, the mean of theirs is drawn.

    Args:
        details: of a report; ``thresholds`` and ``curves`` are used.
        names: in the order of their colours.
    """
    thresholds, curves = details.get("thresholds") or [], details.get("curves") or {}
    shown = [name for name in names if curves.get(name)]
    if not thresholds or not shown:
        return ""
    return panels([_panel(metric, thresholds, curves, names) for metric in CURVES])


def _panel(metric: str, thresholds: Sequence[float], curves: _Curves, names: Sequence[str]) -> str:
    panel = Panel((0.0, 1.0), (0.0, 100.0), 250)
    parts = [
        panel.vertical_axis([0, 20, 40, 60, 80, 100]),
        panel.horizontal_axis([0, 0.2, 0.4, 0.6, 0.8, 1], "localisation threshold"),
    ]
    with_curves = [name for name in names if curves.get(name)]
    said = []
    for name in with_curves:
        css, whole = series_class(names.index(name)), _whole(curves[name], metric)
        single = {key: curve[metric] for key, curve in curves[name].items() if key != _COMBINED and metric in curve}
        if len(with_curves) <= _MOST_WITH_SEQUENCES and len(single) > 1:
            parts += [
                element(
                    "path",
                    element("title", text(f"{short_name(name)}, {sequence}: {np.mean(values):.1f}")),
                    class_=f"faint {css}",
                    d=panel.path(zip(thresholds, values)),
                )
                for sequence, values in single.items()
            ]
        if whole is None:
            continue
        label = f"{short_name(name)}: {np.mean(whole):.1f}"
        said.append(label)
        line = panel.path(zip(thresholds, whole))
        parts.append(element("path", element("title", text(label)), class_=f"line {css}", d=line))
    return panel.figure(
        f"{metric} (%)", f"{metric} in percent over the localisation thresholds; means: {'; '.join(said)}", *parts
    )


def _whole(curves: Mapping[str, Mapping[str, Sequence[float]]], metric: str) -> Sequence[float] | None:
    if metric in curves.get(_COMBINED, {}):
        return curves[_COMBINED][metric]
    found = [curve[metric] for curve in curves.values() if metric in curve]
    mean: list[float] | None = np.mean(found, axis=0).tolist() if found else None
    return mean
