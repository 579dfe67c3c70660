"""``python -m benchmarks.tracker_ablation``: what each part of the tracker ``multicam`` is worth.

It also chooses among settings with sequences left out: were they fitted to those that they are measured on?
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.console import StepBars, print_table, run_command
from benchmarks.kept_scores import KeptScores
from benchmarks.mot_tracking import TrackerChoice, follow, frames_of
from benchmarks.report import make_report, markdown_table, write_json, write_markdown
from benchmarks.tracker_trials import (
    FIGURES,
    GROUPS,
    Trial,
    TrialScore,
    engines,
    group_rows,
    load_trials,
    score_tracks,
)
from tracker.single_camera.multicam_tracker import MulticamTracker

__all__ = ["ALTERNATIVES", "PARTS", "app", "left_out_choice", "main"]

WHOLE = "all parts"
#: part that is taken out → the settings that do so
PARTS: dict[str, dict[str, Any]] = {
    WHOLE: {},
    "margins taken for log odds": {"margin_slope": 1.0, "margin_zero": 0.0},
    "no suppression of margins": {"margin_suppression_iou": 1.0},
    "no camera motion from the boxes": {"compensates_camera_motion": False},
    "no weak detections": {"least_evidence": 0.5},
    "weak detections not for lost tracks": {"weak_find_lost": False},
    "heights do not count in the cost": {"height_weight": 0.0},
    "tracks confirmed by two detections": {"confirmation_evidence": -math.inf},
    "evidence never drops nor hides a track": {"shown_evidence": -math.inf, "dropped_evidence": -math.inf},
    "lost tracks not reported": {"lost_shown_seconds": 0.0},
    "lost tracks reported however uncertain": {"lost_shown_deviation": math.inf},
    "lost tracks kept for one second": {"lost_track_seconds": 1.0},
    "tracks may start on followed people": {"duplicate_iou": 1.0},
}
#: settings that could have been chosen as well: one change each
ALTERNATIVES: tuple[tuple[str, float], ...] = (
    ("height_weight", 1.0),
    ("height_weight", 3.0),
    ("margin_suppression_iou", 0.3),
    ("margin_suppression_iou", 0.4),
    ("acceleration", 0.7),
    ("first_match_cost", 0.85),
    ("looks_per_second", 15.0),
)
DEFAULT, LEFT_OUT = "the defaults", "chosen without the sequence"

app = typer.Typer(add_completion=False)


def track_and_score(settings: Mapping[str, Any], trial: Trial) -> TrialScore:
    """Run ``multicam`` with ``settings`` on one sequence and score it."""
    tracker = TrackerChoice("multicam", dict(settings)).create(trial.frame_rate)
    return score_tracks(trial, follow(frames_of(trial.detections, trial.truth.length), tracker).tracks)


def described(settings: Mapping[str, Any], trial: Trial) -> str:
    """Return one text for all runs on a sequence that cannot differ, with every setting in it."""
    parameters = inspect.signature(MulticamTracker).parameters
    effective = {name: parameter.default for name, parameter in parameters.items()} | dict(settings)
    if trial.detections.scores.min(initial=0.0) >= 0.0 and trial.detections.scores.max(initial=0.0) <= 1.0:
        # what is done with margins is nothing to a file without any
        effective = {name: value for name, value in effective.items() if not name.startswith("margin_")}
    return f"{trial.set_name} {trial.number} {sorted(effective.items())}"


def mean_figure(rows: Mapping[str, Mapping[str, Any]]) -> float:
    """Return the mean of the figures that count, percent, over the groups that are there."""
    return float(np.mean([rows[figure.group][figure.metric] for figure in FIGURES if figure.group in rows]))


def left_out_choice(trials: Sequence[Trial], scores: Mapping[str, Sequence[TrialScore]]) -> dict[str, str]:
    """Return number of a sequence → the candidate that is best on all the others, of both sets together.

    Args:
        trials: sequences.
        scores: candidate → score of each sequence, in the same order; of equally good candidates the first is taken.
    """
    choice = {}
    for number in sorted({trial.number for trial in trials}):
        others = [index for index, trial in enumerate(trials) if trial.number != number]
        means = {
            name: mean_figure(group_rows([trials[index] for index in others], [one[index] for index in others]))
            for name, one in scores.items()
        }
        choice[number] = max(means, key=means.__getitem__)
    return choice


@app.command()
def main_command(
    root: Annotated[Path, typer.Option(help="Folder with mot16 (DPM boxes) and mot17-frcnn.")],
    output: Annotated[Path, typer.Option(help="Folder for tracker_ablation.json and .md.")] = Path(
        "benchmarks/results"
    ),
    scores_file: Annotated[
        Path | None,
        typer.Option(
            "--scores", help="Keep all scores in this file, so that a stopped run goes on; delete it with other code."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Take the parts of the tracker multicam out one by one, and choose its settings with sequences left out."""
    trials = load_trials(root)
    candidates: dict[str, dict[str, Any]] = {DEFAULT: {}}
    candidates |= {f"{name}={value:g}": {name: value} for name, value in ALTERNATIVES}
    kept = KeptScores(scores_file)
    scores: dict[str, list[TrialScore]] = {}
    with StepBars(quiet) as bars:
        report = bars.of("sequences tracked and scored")
        jobs = {name: settings for name, settings in (PARTS | candidates).items() if name != DEFAULT}
        for row, (name, settings) in enumerate(jobs.items()):
            scores[name] = []
            for trial in trials:
                report(row * len(trials) + len(scores[name]), len(jobs) * len(trials))
                key = described(settings, trial)
                score = kept.get(key) or track_and_score(settings, trial)
                if kept.get(key) is None:
                    kept.keep(key, score)
                scores[name].append(score)
    scores[DEFAULT] = scores[WHOLE]
    choice = left_out_choice(trials, {name: scores[name] for name in candidates})
    scores[LEFT_OUT] = [scores[choice[trial.number]][index] for index, trial in enumerate(trials)]
    rows = [
        {"name": name, "sequence": group} | metrics
        for name in [*PARTS, *candidates, LEFT_OUT]
        for group, metrics in group_rows(trials, scores[name]).items()
    ]
    about = {"parts": PARTS, "candidates": candidates, "chosen_without": choice, "engines": engines()}
    found = make_report("tracker ablation", _finite(about), rows)
    header, lines = _table(rows, list(PARTS))
    _, others = _table(rows, [*candidates, LEFT_OUT])
    print_table("multicam without one of its parts, percent", header, lines, "")
    print_table("multicam with other settings, percent", header, others, _remark(choice))
    output.mkdir(parents=True, exist_ok=True)
    write_json(output / "tracker_ablation.json", found)
    text = f"{markdown_table(header, lines)}\n{markdown_table(['settings', *header[1:]], others)}\n{_remark(choice)}\n"
    write_markdown(output / "tracker_ablation.md", text)


def _table(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    found = {(row["name"], row["sequence"]): row for row in rows}
    figures = [(group, metric) for group in GROUPS for metric in ("HOTA", "MOTA", "IDF1")]
    header = ["without"] + [f"{metric} {group.removesuffix(' sequences')}" for group, metric in figures] + ["mean of 5"]
    lines = []
    for name in names:
        groups = {group: found[name, group] for group in GROUPS}
        cells = [f"{groups[group][metric]:.1f}" for group, metric in figures]
        lines.append([name, *cells, f"{mean_figure(groups):.2f}"])
    return header, lines


def _remark(choice: Mapping[str, str]) -> str:
    targets = ", ".join(f"{figure.metric} {figure.target:g} ({figure.group})" for figure in FIGURES)
    chosen = ", ".join(f"{number}: {name}" for number, name in choice.items())
    return (
        f"mean of 5: of the figures that have a target: {targets}. Chosen without the sequence: for each sequence the "
        f"settings that are best on all others ({chosen})."
    )


def _finite(value: Any) -> Any:
    """Return the same with infinities as text, which JSON has not."""
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def main() -> None:
    """Run the command; see :func:`benchmarks.console.run_command`."""
    run_command(app)


if __name__ == "__main__":
    main()
