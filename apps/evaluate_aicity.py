"""``multicam evaluate aicity``: result files of the AI City Challenge against its truth, on the floor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.evaluation_options import DATA, OUTPUT, Json, Quiet, Report

if TYPE_CHECKING:
    from benchmarks.metrics import PairedFrames
    from tracker.storage.aicity_files import AiCityRows

__all__ = ["aicity"]

_TITLE = "AI City: people on the floor"


def aicity(
    ground_truth: Annotated[
        Path,
        typer.Option(
            "--ground-truth",
            "--gt",
            help="Text of camera, id, frame, x, y, width, height, world x, world y, separated by blanks; gzip too.",
            rich_help_panel=DATA,
        ),
    ],
    results: Annotated[
        Path,
        typer.Option(help="The same of a tracker; multicam track --format aicity writes it.", rich_help_panel=DATA),
    ],
    scenes: Annotated[
        Path,
        typer.Option(
            metavar="MAP.json",
            help="Which cameras make up which scene: a list of scene_name and camera_ids.",
            rich_help_panel=DATA,
        ),
    ],
    name: Annotated[
        str | None, typer.Option(help="Of the row; the file's name by default.", rich_help_panel=OUTPUT)
    ] = None,
    json: Json = None,
    report: Report = None,
    quiet: Quiet = False,
) -> None:
    """AI City 2024, many cameras: HOTA on the floor of each scene, and the mean over the scenes."""
    from rich.console import Console

    from apps.interrupts import StopRequest
    from apps.notices import Notices
    from benchmarks.aicity import FIGURES, ZERO_DISTANCE, pair_scenes, read_scenes, score_scenes
    from benchmarks.console import StepBars, print_table
    from benchmarks.report import make_report, write_json
    from benchmarks.report_files import check_report_folder, write_report
    from benchmarks.report_tables import format_figure
    from tracker.storage.aicity_files import read_aicity
    from tracker.storage.atomic import AtomicFile

    wanted = read_scenes(scenes)
    if json is not None:
        AtomicFile(json).discard()
    if report is not None:
        check_report_folder(report)
    with StopRequest(at_once=True) as stop, Notices(None if quiet else Console(stderr=True)) as notices:
        with StepBars(quiet) as bars:
            step = bars.of("steps")
            step(0, 4)
            truth = read_aicity(ground_truth)
            step(1, 4)
            found = read_aicity(results)
            step(2, 4)
            paired = pair_scenes(truth, found, wanted)
            step(3, 4)
            scored = score_scenes(paired)
            step(4, 4)
        row_name = name or results.name
        settings = {
            "ground_truth": ground_truth.name,
            "results": results.name,
            "scenes": {scene.name: list(scene.cameras) for scene in wanted if scene.name in paired},
            "zero_distance_metres": ZERO_DISTANCE,
            "warnings": notices.warnings,
            "engines": scored["engines"],
        }
        measured = make_report("aicity", settings, [{"name": row_name, **row} for row in scored["rows"]])
        with stop.shielded():
            if json is not None:
                write_json(json, measured)
            if report is not None:
                write_report(report, measured | {"details": _details(row_name, paired, truth, found, wanted)})
    if not quiet:
        header = ["", *FIGURES, "people", "ids"]
        lines = [
            [row["sequence"], *(format_figure(key, row[key]) for key in (*FIGURES, "GT", "IDs"))]
            for row in scored["rows"]
        ]
        print_table(
            _TITLE,
            header,
            lines,
            f"{results.name}. Percent; similarity max(0, 1 − d / {ZERO_DISTANCE:g} m); in a scene a person counts once "
            f"a frame; combined is the mean of the scenes. {scored['engines']['HOTA']}.",
        )


def _details(
    name: str, paired: Mapping[str, PairedFrames], truth: AiCityRows, found: AiCityRows, wanted: Any
) -> dict[str, Any]:
    """Return curves, switches at 1 m, lengths and ways on the floor of each scene."""
    import numpy as np

    from benchmarks.aicity import first_rows
    from benchmarks.report_details import (
        higher_order_curves,
        make_details,
        sequence_length,
        switch_records,
        trajectory_record,
    )

    lengths, ways = {}, {}
    curves = higher_order_curves(paired)
    # The figure over all scenes is a mean, and so is its curve, which the page makes of the scenes' own.
    del curves["combined"]
    for scene in wanted:
        if scene.name not in paired:
            continue
        sides = [first_rows(side[np.isin(side.cameras, scene.cameras)]) for side in (truth, found)]
        places = np.concatenate([side.positions for side in sides])
        lengths[scene.name] = sequence_length(int(paired[scene.name].frames.max()) + 1, None)
        ways[scene.name] = trajectory_record(
            sides[1].frames, sides[1].ids, sides[1].positions, bounds=[*places.min(axis=0), *places.max(axis=0)]
        )
    switches = {scene: switch_records(frames) for scene, frames in paired.items()}
    return make_details(curves={name: curves}, switches={name: switches}, lengths=lengths, trajectories={name: ways})
