"""What the commands below ``multicam evaluate`` share: settings of the floor tracker, and the folder of the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from apps.output_folder import OutputFolder
from apps.run_record import write_run_record
from apps.validation import checked, parse_options
from benchmarks.report import write_json, write_markdown
from benchmarks.world_metrics import FloorTracks
from tracker.errors import InputError, nearest_name_hint
from tracker.floor.settings import FloorSettings
from tracker.storage.atomic import atomic_path

__all__ = ["floor_settings", "write_evaluation"]


def floor_settings(options: Sequence[str]) -> FloorSettings:
    """Return the settings of the floor tracker that options ``NAME=VALUE`` change.

    Raises:
        InputError: an unknown name, or a value that cannot be.
    """
    values = parse_options(options, "--setting")
    for name in values:
        if name not in FloorSettings.model_fields:
            raise InputError(f"--setting {name} is unknown: {nearest_name_hint(name, FloorSettings.model_fields)}")
    try:
        return checked(FloorSettings, **values)
    except InputError as error:
        # It names an option of its own, which these are not.
        option, _, problem = str(error).partition(" ")
        raise InputError(f"--setting {option.removeprefix('--').replace('-', '_')} {problem}") from None


def write_evaluation(
    folder: OutputFolder,
    report: Mapping[str, Any],
    markdown: str,
    tracks: Mapping[str, FloorTracks],
    warned: Sequence[str],
) -> None:
    """Write ``report.json``, ``report.md``, ``tracks/NAME.txt`` and ``run.json``, and publish the folder.

    Args:
        folder: entered already.
        report: of ``benchmarks.report.make_report``.
        markdown: the same to be read.
        tracks: NAME → positions.
        warned: warnings of the run.

    Raises:
        InputError: a file cannot be written.
    """
    record = {"command": f"evaluate {report['protocol']}", "settings": report["settings"], "warnings": list(warned)}
    try:
        write_json(folder.file("report.json"), report)
        write_markdown(folder.file("report.md"), markdown)
        for name, found in tracks.items():
            _write_tracks(folder.file(f"tracks/{name}.txt"), found)
        write_run_record(folder, record)
    except InputError as error:
        raise InputError(folder.shown(str(error))) from None
    folder.publish()


def _write_tracks(path: Path, tracks: FloorTracks) -> None:
    rows = sorted(zip(tracks.frames.tolist(), tracks.ids.tolist(), tracks.positions.tolist()))
    text = "".join(f"{frame},{identity},{x:.3f},{y:.3f}\n" for frame, identity, (x, y) in rows)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
