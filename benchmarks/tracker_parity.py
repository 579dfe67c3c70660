"""``python -m benchmarks.tracker_parity``: our trackers beside those of other libraries on the same detections.

Both sides get the same boxes, thinned and calibrated in the same way, and the same thresholds, so what differs is how
the algorithm was written down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.console import StepBars, print_table, run_command
from benchmarks.kept_scores import KeptScores
from benchmarks.mot_tracking import Preparation, TrackerChoice, follow, frames_of
from benchmarks.peer_trackers import LIBRARIES, equal_parameters, library_version, peer_tracks
from benchmarks.peers import AssociationSettings
from benchmarks.report import make_report, markdown_table, write_json, write_markdown
from benchmarks.tracker_trials import Trial, engines, group_rows, load_trials, score_tracks
from tracker.storage.mot_files import MotTracks

__all__ = ["PREPARATIONS", "TRACKERS", "app", "main"]

TRACKERS = ("sort", "deepsort", "bytetrack", "ocsort", "botsort", "motdt", "multicam")
#: our side, the library that is asked for by default, and what stands where no library has the tracker
OURS, DEFAULT, NOBODY = "multicam", "ultralytics", "-"
METRICS = ("HOTA", "MOTA", "IDF1")
#: what every tracker is given: margins (DPM's) are thinned and made numbers between 0 and 1, probabilities stay
PREPARATIONS = {"MOT16 DPM": Preparation(iou=0.45, margins=(2.0, 0.0)), "MOT17 FRCNN": Preparation()}

app = typer.Typer(add_completion=False)


@app.command()
def main_command(
    root: Annotated[Path, typer.Option(help="Folder with mot16 (DPM boxes) and mot17-frcnn.")],
    library: Annotated[
        list[str] | None,
        typer.Option(help=f"{', '.join(LIBRARIES)}; repeatable. ultralytics alone by default: see docs/trackers.md."),
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder for tracker_parity.json and .md.")] = Path("benchmarks/results"),
    scores_file: Annotated[
        Path | None,
        typer.Option(
            "--scores", help="Keep all scores in this file, so that a stopped run goes on; delete it with other code."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Run our trackers and those of other libraries on the same detections with equal settings; show differences."""
    libraries = list(dict.fromkeys(library or [DEFAULT]))
    versions = {one: library_version(one) for one in libraries}
    trials = load_trials(root)
    settings = AssociationSettings()
    pairs = [(name, one) for name in TRACKERS for one in [o for o in libraries if name in LIBRARIES[o]] or [NOBODY]]
    sides = [(name, one, side) for name, one in pairs for side in (OURS, one) if side != NOBODY]
    rows: list[dict[str, Any]] = []
    kept = KeptScores(scores_file)
    known: dict[str, dict[str, dict[str, Any]]] = {}
    with StepBars(quiet) as bars:
        report = bars.of("trackers")
        for done, (name, one, side) in enumerate(sides):
            report(done, len(sides))
            what = repr((name, side, None if side != OURS else equal_parameters(name, settings, 1.0, one)))
            if what not in known:
                scores = []
                for trial in trials:
                    key = f"{what} {versions.get(side, '')} {trial.set_name} {trial.number}"
                    score = kept.get(key)
                    if score is None:
                        score = score_tracks(trial, _tracks(name, one, side, settings, trial))
                        kept.keep(key, score)
                    scores.append(score)
                known[what] = group_rows(trials, scores)
            for group, metrics in known[what].items():
                rows.append({"name": name, "implementation": side, "beside": one, "sequence": group} | metrics)
    header, lines = _table(rows)
    preparations = {name: one.description or "as they are" for name, one in PREPARATIONS.items()}
    remarks = (
        f"Detections: {'; '.join(f'{name}: {text}' for name, text in preparations.items())}. multicam takes them as "
        "they are in the file. Figures are ours; in brackets: ours less the other's. No images, no appearance. Beside "
        f"{', '.join(versions.values())}."
    )
    print_table("our trackers and others' on the same detections, percent", header, lines, remarks)
    output.mkdir(parents=True, exist_ok=True)
    found = {
        "thresholds": _thresholds(settings),
        "detections": preparations,
        "libraries": versions,
        "engines": engines(),
    }
    write_json(output / "tracker_parity.json", make_report("tracker parity", found, rows))
    write_markdown(output / "tracker_parity.md", f"{markdown_table(header, lines)}\n{remarks}\n")


def _tracks(name: str, library: str, side: str, settings: AssociationSettings, trial: Trial) -> MotTracks:
    preparation = Preparation() if name == "multicam" else PREPARATIONS[trial.set_name]
    found = trial.thinned(preparation)
    if side != OURS:
        return peer_tracks(name, settings, found, trial.truth.length, library)
    choice = TrackerChoice(name, equal_parameters(name, settings, trial.frame_rate, library))
    return follow(frames_of(found, trial.truth.length), choice.create(trial.frame_rate)).tracks


def _table(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    found = {(row["name"], row["beside"], row["implementation"], row["sequence"]): row for row in rows}
    groups = list(dict.fromkeys(row["sequence"] for row in rows))
    header = [
        "tracker",
        "beside",
        *(f"{metric} {group.removesuffix(' sequences')}" for group in groups for metric in METRICS),
    ]
    lines = []
    for name, one in dict.fromkeys((row["name"], row["beside"]) for row in rows):
        line = [str(name), str(one)]
        for group in groups:
            ours, peer = found[name, one, OURS, group], found.get((name, one, one, group))
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
