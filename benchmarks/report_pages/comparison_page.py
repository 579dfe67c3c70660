"""The page of a comparison: differences with their intervals, the figures side by side, and what was set otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.comparison import AGGREGATES, difference_table
from benchmarks.report import markdown_table
from benchmarks.report_pages.bars import figure_bars
from benchmarks.report_pages.intervals import difference_panels
from benchmarks.report_pages.markup import data_table, definitions, legend, page, section
from benchmarks.report_tables import figure_tables, narrow_tables, parameters

__all__ = ["comparison_markdown", "comparison_page", "remark_of"]


def comparison_page(report: Mapping[str, Any]) -> str:
    """Return a comparison as HTML; it is whole in itself.

    Args:
        report: of ``benchmarks.comparison.compare_runs``.
    """
    rows, settings = _by_sequence(report["rows"]), report["settings"]
    names = list(dict.fromkeys(row["name"] for row in report["rows"]))
    key = legend({name: name for name in names}, names)
    intervals, bars = difference_panels(report["differences"], names), figure_bars(rows, names)
    strong = [number for number, row in enumerate(rows) if row["sequence"] in AGGREGATES]
    tables = [
        data_table(f"Figures {suffix}".strip(), *table, labels=2, strong=strong)
        for suffix, table in narrow_tables(figure_tables(rows)[0])
    ]
    changed = [
        (f"{label}: {name}", value)
        for label, own in settings["settings_that_differ"].items()
        for name, value in own.items()
    ]
    set_here = {name: value for name, value in settings.items() if name != "settings_that_differ"}
    sections = [
        section(
            f"Differences from {settings['reference']}",
            intervals,
            data_table("All differences", *difference_table(report), labels=2),
            remark=remark_of(report),
        ),
        section("By sequence", key if bars else "", bars, *tables),
        section("Settings that differ", definitions(changed)),
        section("Settings of the comparison", definitions(parameters(set_here))),
        section("Compared on", definitions(parameters(report["machine"]))),
    ]
    return page(_title(report), f"{len(names)} runs: {', '.join(names)}.", sections)


def comparison_markdown(report: Mapping[str, Any]) -> str:
    """Return a comparison as Markdown."""
    header, lines = figure_tables(_by_sequence(report["rows"]))[0]
    joined = ["", *header[2:]], [[f"{line[0]}, {line[1]}", *line[2:]] for line in lines]
    parts = [
        f"# {_title(report)}\n",
        f"## Differences from {report['settings']['reference']}\n\n{markdown_table(*difference_table(report))}",
        f"{remark_of(report)}\n",
        f"## By sequence\n\n{markdown_table(*joined)}",
    ]
    return "\n".join(parts)


def _title(report: Mapping[str, Any]) -> str:
    return f"Runs compared: {report['settings']['protocol']}"


def remark_of(report: Mapping[str, Any]) -> str:
    """Return what is to be said of the intervals."""
    settings, counts = report["settings"], sorted({len(one["sequences"]) for one in report["differences"]})
    over = " or ".join(map(str, counts))
    few = " With so few sequences the intervals are rough." if counts[0] < 10 else ""
    single = " One sequence alone gives no interval." if counts[0] < 2 else few
    return (
        f"In brackets {settings['confidence_percent']:g} % intervals of a paired bootstrap over {over} sequences, "
        f"{settings['draws']} draws.{single} pooled: from summed counts, as the official tools do; mean: over the "
        "sequences; sum: of counts."
    )


def _by_sequence(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with those of one sequence beside each other, rows over all last."""
    order = {name: number for number, name in enumerate(dict.fromkeys(row["sequence"] for row in rows))}
    return sorted(rows, key=lambda row: (row["sequence"] in AGGREGATES, order[row["sequence"]]))
