"""The page of one report: figures as tables and pictures, settings, and what they were measured on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.report_pages.bars import figure_bars
from benchmarks.report_pages.curves import threshold_curves
from benchmarks.report_pages.markup import data_table, definitions, legend, page, section
from benchmarks.report_pages.switch_timeline import switch_timelines
from benchmarks.report_pages.trajectories import trajectory_panels
from benchmarks.report_tables import Table, engine_lines, figure_tables, measured, narrow_tables, parameters, short_name

__all__ = ["lead_of", "report_page", "title_of"]

_TITLES = {
    "aicity": "AI City: people on the floor, over many cameras",
    "cmc": "CMC: people on the floor",
    "lab": "LAB: a room before calibrated cameras",
    "mot16": "MOTChallenge: people in the pictures of one camera",
    "reid evaluate": "Re-identification",
    "wildtrack": "WILDTRACK: people on the floor",
}
#: rows of all sequences together
_ALL = ("combined", "mean", "all cameras")
_ABOUT_FIGURES = "Shares in percent. Of several runs the mean is shown."


def title_of(report: Mapping[str, Any]) -> str:
    """Return the heading of a report."""
    return _TITLES.get(report["protocol"], f"Evaluation: {report['protocol']}")


def lead_of(report: Mapping[str, Any]) -> str:
    """Return the sentence that says what was measured."""
    rows = measured(report["rows"])
    sequences = [name for name in dict.fromkeys(row["sequence"] for row in rows) if name not in _ALL]
    names = list(dict.fromkeys(short_name(row["name"]) for row in rows))
    counted = "1 sequence" if len(sequences) == 1 else f"{len(sequences)} sequences"
    return f"{counted}: {_listed(sequences)}. Measured: {_listed(names, '; ')}."


def report_page(report: Mapping[str, Any]) -> str:
    """Return the page as HTML; it is whole in itself.

    Args:
        report: of ``benchmarks.report.make_report``; with ``details`` the page has curves, switches and trajectories.
    """
    rows, details = measured(report["rows"]), report.get("details") or {}
    main, further = figure_tables(rows)
    names = list(dict.fromkeys(row["name"] for row in rows))
    settings = {name: value for name, value in report["settings"].items() if name != "engines"}
    called = {name: short_name(name) for name in names}
    ways, said_of_ways = trajectory_panels(details, names)
    curves, switches, bars = (
        threshold_curves(details, names),
        switch_timelines(details, names),
        figure_bars(rows, names),
    )
    sections = [
        section("Figures", *_tables("Main figures", main, rows), remark=_ABOUT_FIGURES),
        section(
            "Over localisation thresholds",
            legend(called, details.get("curves") or {}) if curves else "",
            curves,
            remark="How close results must be to the truth to count: the further right, the closer. "
            "Faint lines are single sequences.",
        ),
        section("By sequence", legend(called, names) if bars else "", bars),
        section(
            "Identity switches over time",
            legend(called, details.get("switches") or {}) if switches else "",
            switches,
            remark="A mark is an instant at which a person got another number; at the right, how many there are.",
        ),
        section("Trajectories", ways, remark=said_of_ways),
        section("All other figures", *_tables("Other figures", further, rows)),
        section("Who computed what", definitions(engine_lines(report["settings"].get("engines") or {}))),
        section("Settings", definitions(parameters(settings))),
        section("Measured on", definitions(parameters(report["machine"]))),
    ]
    return page(title_of(report), lead_of(report), sections)


def _tables(caption: str, table: Table | None, rows: list[dict[str, Any]]) -> list[str]:
    strong = [number for number, row in enumerate(rows) if row["sequence"] in _ALL]
    return [
        data_table(f"{caption} {suffix}".strip(), header, lines, labels=2, strong=strong)
        for suffix, (header, lines) in ([] if table is None else narrow_tables(table))
    ]


def _listed(names: list[str], between: str = ", ", most: int = 8) -> str:
    return between.join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
