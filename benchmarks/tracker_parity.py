"""``python -m benchmarks.tracker_parity``: our trackers beside ultralytics' on the same detections.

Both sides get the same boxes, thinned and calibrated in the same way, and the same thresholds, so what differs is how
the algorithm was written down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.console import StepBars, print_table, run_command
from benchmarks.mot_tracking import Preparation, TrackerChoice, follow, frames_of
from benchmarks.peers import PEERS, AssociationSettings, UltralyticsTracker
from benchmarks.report import make_report, markdown_table, write_json, write_markdown
from benchmarks.tracker_trials import Trial, engines, group_rows, load_trials, score_tracks
from tracker.storage.mot_files import MotDetections, MotTracks

__all__ = ["TRACKERS", "app", "main", "our_parameters", "peer_tracks"]

TRACKERS = ("sort", "deepsort", "bytetrack", "ocsort", "botsort", "motdt", "multicam")
OURS, PEER = "multicam", "ultralytics"
METRICS = ("HOTA", "MOTA", "IDF1")
#: what every tracker is given: margins (DPM's) are thinned and made numbers between 0 and 1, probabilities stay
PREPARATIONS = {"MOT16 DPM": Preparation(iou=0.45, margins=(2.0, 0.0)), "MOT17 FRCNN": Preparation()}

app = typer.Typer(add_completion=False)


def our_parameters(name: str, settings: AssociationSettings, frame_rate: float) -> dict[str, Any]:
    """Return the parameters with which our tracker ``name`` does what ``settings`` say."""
    lost = settings.lost_frames / frame_rate
    if name in ("bytetrack", "botsort"):
        return {
            "high_confidence": settings.high,
            "low_confidence": settings.low,
            "new_track_confidence": settings.new,
            "first_match_cost": settings.match,
            "lost_track_seconds": lost,
        }
    if name == "ocsort":
        # ultralytics reports a track from its second detection on, and again as soon as it is found again
        return {
            "minimum_confidence": settings.high,
            "minimum_iou": 1.0 - settings.match,
            "minimum_hits": 1,
            "lost_track_seconds": lost,
            "direction_seconds": 3.0 / frame_rate,
        }
    return {}


def peer_tracks(name: str, settings: AssociationSettings, found: MotDetections, length: int) -> MotTracks:
    """Return what the tracker ``name`` of ultralytics makes of the detections of a sequence of ``length`` frames."""
    peer = UltralyticsTracker(name, settings)
    tables = []
    for frame, detections, _ in frames_of(found, length):
        table = peer.update(peer.prepare(detections)).reshape(-1, 8)
        tables.append(np.column_stack([np.full(len(table), frame), table[:, 4], table[:, :4], table[:, 5]]))
    rows = np.concatenate(tables)
    return MotTracks.from_arrays(rows[:, 0], rows[:, 1], rows[:, 2:6], rows[:, 6])


@app.command()
def main_command(
    root: Annotated[Path, typer.Option(help="Folder with mot16 (DPM boxes) and mot17-frcnn.")],
    output: Annotated[Path, typer.Option(help="Folder for tracker_parity.json and .md.")] = Path("benchmarks/results"),
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Run our trackers and ultralytics' on the same detections with equal settings, and show the differences."""
    trials = load_trials(root)
    settings = AssociationSettings()
    jobs = [(name, side) for name in TRACKERS for side in (OURS, PEER) if side == OURS or name in PEERS]
    rows: list[dict[str, Any]] = []
    with StepBars(quiet) as bars:
        report = bars.of("trackers")
        for done, (name, side) in enumerate(jobs):
            report(done, len(jobs))
            scores = [score_tracks(trial, _tracks(name, side, settings, trial)) for trial in trials]
            for group, metrics in group_rows(trials, scores).items():
                rows.append({"name": name, "implementation": side, "sequence": group} | metrics)
    header, lines = _table(rows)
    preparations = {name: one.description or "as they are" for name, one in PREPARATIONS.items()}
    remarks = (
        f"Detections: {'; '.join(f'{name}: {text}' for name, text in preparations.items())}. multicam takes them as "
        "they are in the file. In brackets: ours less ultralytics'. No images, no appearance."
    )
    print_table("our trackers and ultralytics' on the same detections, percent", header, lines, remarks)
    output.mkdir(parents=True, exist_ok=True)
    found = {"thresholds": _thresholds(settings), "detections": preparations, "engines": engines()}
    write_json(output / "tracker_parity.json", make_report("tracker parity", found, rows))
    write_markdown(output / "tracker_parity.md", f"{markdown_table(header, lines)}\n{remarks}\n")


def _tracks(name: str, side: str, settings: AssociationSettings, trial: Trial) -> MotTracks:
    preparation = Preparation() if name == "multicam" else PREPARATIONS[trial.set_name]
    found = trial.thinned(preparation)
    if side == PEER:
        return peer_tracks(name, settings, found, trial.truth.length)
    choice = TrackerChoice(name, our_parameters(name, settings, trial.frame_rate))
    return follow(frames_of(found, trial.truth.length), choice.create(trial.frame_rate)).tracks


def _table(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    found = {(row["name"], row["implementation"], row["sequence"]): row for row in rows}
    groups = list(dict.fromkeys(row["sequence"] for row in rows))
    header = ["tracker", *(f"{metric} {group.removesuffix(' sequences')}" for group in groups for metric in METRICS)]
    lines = []
    for name in dict.fromkeys(row["name"] for row in rows):
        line = [str(name)]
        for group in groups:
            ours, peer = found[name, OURS, group], found.get((name, PEER, group))
            for metric in METRICS:
                text = f"{ours[metric]:.1f}"
                line.append(text if peer is None else f"{text} ({ours[metric] - peer[metric]:+.1f})")
        lines.append(line)
    return header, lines


def _thresholds(settings: AssociationSettings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in ("high", "low", "new", "match", "lost_frames")}


def main() -> None:
    """Run the command; see :func:`benchmarks.console.run_command`."""
    run_command(app)


if __name__ == "__main__":
    main()
