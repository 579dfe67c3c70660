"""Runs side by side: their figures, and how they differ from the first, with confidence intervals."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.report import make_report
from benchmarks.report_tables import (
    COUNTS,
    Table,
    base_of,
    figure_tables,
    figures_of,
    format_figure,
    is_number,
    parameters,
    short_name,
)
from benchmarks.resampling import aggregation, paired_difference
from tracker.errors import InputError, nearest_name_hint

__all__ = ["AGGREGATES", "Run", "compare_runs", "difference_table", "format_difference", "runs_of"]

#: what rows over several sequences are called
AGGREGATES = ("combined", "mean", "all cameras")


@dataclass(frozen=True, slots=True)
class Run:
    """The rows of one name in one report.

    Args:
        label: what it is called beside others.
        protocol: of the report.
        settings: of the report.
        rows: sequence → row.
        whole: the row over all sequences, if there is one.
    """

    label: str
    protocol: str
    settings: Mapping[str, Any]
    rows: Mapping[str, Mapping[str, Any]]
    whole: Mapping[str, Any] | None


def runs_of(reports: Sequence[tuple[Path, Mapping[str, Any]]], names: Sequence[str] = ()) -> list[Run]:
    """Return every name of every report as a run, in order; the same name in two reports is told apart by the file.

    Args:
        reports: where each was read from, and what was read.
        names: those to take; none: all.

    Raises:
        InputError: reports of different protocols, a name that is in none, or a report twice.
    """
    protocols = {report["protocol"]: path for path, report in reversed(reports)}
    if len(protocols) > 1:
        described = " and ".join(f"{path} is of {protocol}" for protocol, path in reversed(protocols.items()))
        raise InputError(f"different protocols cannot be compared: {described}; give reports of one")
    known = list(dict.fromkeys(row["name"] for _, report in reports for row in report["rows"]))
    for name in names:
        if name not in known:
            raise InputError(f"--name {name} is in no report: {nearest_name_hint(name, known)}")
    found = [(path, report, name) for path, report in reports for name in _names(report) if not names or name in names]
    often = [short_name(name) for _, _, name in found]
    runs = [_run(path, report, name, often.count(short_name(name)) > 1) for path, report, name in found]
    labels = [run.label for run in runs]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise InputError(f"two runs are called {twice}: give each report once, or rename a file or its folder")
    return runs


def compare_runs(
    runs: Sequence[Run],
    *,
    figures: Sequence[str] = (),
    draws: int = 10_000,
    confidence: float = 95.0,
    seed: int = 0,
) -> dict[str, Any]:
    """Return a report of all runs, and ``differences`` from the first.

    Args:
        runs: at least two; the first is the reference.
        figures: to compare; none: all that the runs have in common.
        draws: of the bootstrap, at least 100.
        confidence: of the intervals, percent.
        seed: of the draws.

    Returns:
        A report of protocol ``compare`` whose rows are those of the runs, with their labels for names; and
        ``differences``, one for each figure and each run but the first: ``name``, ``reference_name``, ``figure``,
        ``how`` (pooled, sum or mean), ``sequences`` (those in both), ``value``, ``reference``, ``difference``, ``low``
        and ``high`` (``None`` for a single sequence).

    Raises:
        InputError: fewer than two runs, no sequence or figure in common, or a setting out of its range.
    """
    if len(runs) < 2:
        only = f"only {runs[0].label}" if runs else "no run"
        raise InputError(f"there is {only} to compare: give reports with two runs or more")
    if draws < 100:
        raise InputError(f"--draws is {draws}; give 100 or more")
    if not (math.isfinite(confidence) and 0 < confidence < 100):
        raise InputError(f"--confidence is {confidence:g}; give percent between 0 and 100")
    first, *others = runs
    differences = [
        {"name": run.label, "reference_name": first.label, **one}
        for run in others
        for one in _differences(run, first, figures, draws, confidence, seed)
    ]
    settings = {
        "protocol": first.protocol,
        "reference": first.label,
        "draws": draws,
        "confidence_percent": confidence,
        "seed": seed,
        "settings_that_differ": _differing(runs),
    }
    rows = []
    for run in runs:
        every = [*run.rows.values(), *([] if run.whole is None else [run.whole])]
        rows += [{**row, "name": run.label} for row in every]
    return make_report("compare", settings, rows) | {"differences": differences}


def difference_table(report: Mapping[str, Any], figures: Sequence[str] = ()) -> Table:
    """Return a table of the differences: a line for each figure, a column for each run but the first.

    Args:
        report: of :func:`compare_runs`.
        figures: to show; none: those of the main table of a report.
    """
    differences = report["differences"]
    main = figure_tables(report["rows"])[0][0][2:]
    known = dict.fromkeys(one["figure"] for one in differences)
    shown = [figure for figure in known if (figure in figures if figures else figure in main)] or list(known)
    names = list(dict.fromkeys(one["name"] for one in differences))
    lines = []
    for figure in shown:
        mine = {one["name"]: one for one in differences if one["figure"] == figure}
        how = next(iter(mine.values()))
        cells = [format_difference(mine[name]) if name in mine else "" for name in names]
        lines.append([figure, how["how"], format_figure(figure, how["reference"]), *cells])
    return ["Figure", "Over sequences", str(report["settings"]["reference"]), *names], lines


def format_difference(one: Mapping[str, Any]) -> str:
    """Return a difference with its sign, and its interval."""
    base, gated = base_of(one["figure"]), "@" in one["figure"]
    digits = 3 if base == "MOTP" and gated else int(base not in COUNTS or not float(one["difference"]).is_integer())
    shown = f"{one['difference']:+.{digits}f}"
    if one["low"] is not None:
        shown += f" [{one['low']:+.{digits}f}, {one['high']:+.{digits}f}]"
    return shown.replace("-", "−")


def _names(report: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(row["name"] for row in report["rows"]))


def _run(path: Path, report: Mapping[str, Any], name: str, with_file: bool) -> Run:
    rows = {row["sequence"]: row for row in report["rows"] if row["name"] == name}
    whole = next((rows.pop(key) for key in AGGREGATES if key in rows), None)
    for key in AGGREGATES:
        rows.pop(key, None)
    file = path.resolve().parent.name if path.stem == "report" else path.stem
    file = path.resolve().name if path.is_dir() else file
    label = f"{file}: {short_name(name)}" if with_file else short_name(name)
    return Run(label, report["protocol"], report["settings"], rows, whole)


def _differences(
    run: Run, reference: Run, figures: Sequence[str], draws: int, confidence: float, seed: int
) -> list[dict[str, Any]]:
    common = [name for name in reference.rows if name in run.rows]
    if not common:
        raise InputError(
            f"{run.label} and {reference.label} have no sequence in common: {_listed(run.rows)} and "
            f"{_listed(reference.rows)}; give runs on the same data"
        )
    left_out = len(set(run.rows) ^ set(reference.rows))
    if left_out:
        _warn(f"{run.label} and {reference.label}: {left_out} sequences are in one only; differences leave them out")
    mine, theirs = ([side.rows[name] for name in common] for side in (run, reference))
    _check_truth(run, reference, common)
    both = [figure for figure in figures_of(theirs) if all(is_number(row.get(figure)) for row in [*mine, *theirs])]
    for figure in figures:
        if figure not in both:
            raise InputError(f"--figure {figure} is not in all rows of {run.label} and {reference.label}: "
                             f"{nearest_name_hint(figure, both)}")  # fmt: skip
    wanted = [figure for figure in both if not figures or figure in figures]
    if not wanted:
        raise InputError(f"{run.label} and {reference.label} have no figure in common; give runs of one protocol")
    found = []
    for figure in wanted:
        how = aggregation(figure, [*mine, *theirs])
        one = paired_difference(figure, mine, theirs, draws=draws, confidence=confidence, seed=seed)
        # JSON has no NaN, which sequences without anybody give.
        values = {key: value if value is None or math.isfinite(value) else None for key, value in asdict(one).items()}
        if values["difference"] is not None:
            found.append({"figure": figure, "how": how, "sequences": common, **values})
    return found


def _check_truth(run: Run, reference: Run, common: Sequence[str]) -> None:
    """Warn where the two were not measured against the same truth: other frames, or other people that count."""
    for name in common:
        sizes = [side.rows[name].get("TP", 0) + side.rows[name].get("FN", 0) for side in (run, reference)]
        if all(is_number(side.rows[name].get(key)) for side in (run, reference) for key in ("TP", "FN")) and (
            abs(sizes[0] - sizes[1]) > 1e-6
        ):
            _warn(
                f"{name}: {run.label} was measured against {sizes[0]:g} true boxes or places, "
                f"{reference.label} against {sizes[1]:g}: other frames or another truth"
            )
            return


def _differing(runs: Sequence[Run]) -> dict[str, dict[str, str]]:
    """Return label → settings that are not the same in all runs, as text."""
    every = {run.label: dict(parameters({k: v for k, v in run.settings.items() if k != "engines"})) for run in runs}
    keys = dict.fromkeys(key for values in every.values() for key in values)
    differ = [key for key in keys if len({values.get(key) for values in every.values()}) > 1]
    return {label: {key: values[key] for key in differ if key in values} for label, values in every.items()}


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(list(names)[:4]) or "none"


def _warn(message: str) -> None:
    warnings.warn(message, RuntimeWarning, stacklevel=3)
