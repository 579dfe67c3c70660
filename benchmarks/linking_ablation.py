"""``python -m benchmarks.linking_ablation``: what each part of offline tracking is worth, and whether its settings were
fitted to the sequences they are measured on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.console import StepBars, print_table, run_command
from benchmarks.kept_scores import KeptScores
from benchmarks.report import make_report, markdown_table, write_json, write_markdown
from benchmarks.tracker_ablation import left_out_choice, mean_figure
from benchmarks.tracker_trials import GROUPS, Trial, TrialScore, engines, group_rows, load_trials, score_tracks
from tracker.linking.linking import link_with_evidence
from tracker.linking.offline import Tracked, tracklets_of
from tracker.linking.settings import LinkingSettings

__all__ = ["CANDIDATES", "PARTS", "OfflineTrials", "app", "main"]

_NOTHING: dict[str, Any] = {
    "link_seconds": 0.0,
    "fill_seconds": 0.0,
    "extend_seconds": 0.0,
    "doubtful_boxes": False,
    "smooth_noise": 1e6,
    "least_seconds": 0.0,
    "least_evidence": -1e9,
    "camera_motion": False,
}
#: part that is taken out → the settings that do so
PARTS: dict[str, dict[str, Any]] = {
    "all parts": {},
    "tracker alone": _NOTHING | {"scene_geometry": False},
    "tracker on judged boxes": _NOTHING,
    "without the scene's heights": {"scene_geometry": False},
    "without links": {"link_seconds": 0.0},
    "without filled gaps": {"fill_seconds": 0.0},
    "without continuations": {"extend_seconds": 0.0},
    "without doubtful boxes": {"doubtful_boxes": False},
    "without smoothing": {"smooth_noise": 1e6},
    "with false tracks": {"least_seconds": 0.0, "least_evidence": -1e9},
    "without camera motion": {"camera_motion": False},
    "without confirmation": {"confirm_iou": 1.0},
}
#: settings that could have been chosen as well: one change each
CANDIDATES: dict[str, dict[str, Any]] = {
    "the defaults": {},
    "link_evidence 4": {"link_evidence": 4.0},
    "acceleration 0.5": {"acceleration": 0.5},
    "extend_seconds 0.2": {"extend_seconds": 0.2},
    "fill_seconds 1": {"fill_seconds": 1.0},
    "least_evidence 6": {"least_evidence": 6.0},
    "no doubtful boxes": {"doubtful_boxes": False},
}
#: what fits a table's head: the detector and how many sequences
_SHORT = {name: name.split()[1][:3] + name.split()[2] for name in GROUPS}

app = typer.Typer(add_completion=False)


class OfflineTrials:
    """Scores of sequences tracked offline; what several settings share is made once.

    Args:
        trials: the sequences.
        kept: scores of an earlier run, which are not made again.
    """

    def __init__(self, trials: Sequence[Trial], kept: KeptScores | None = None) -> None:
        self.trials = trials
        self._kept = kept or KeptScores(None)
        self._tracked: dict[tuple[str, str, bool], Tracked] = {}
        self._scores: dict[tuple[str, str, str], TrialScore] = {}

    def score(self, changes: Mapping[str, Any], trial: Trial) -> TrialScore:
        """Return the score of one sequence tracked with the defaults but for ``changes``."""
        key = (trial.set_name, trial.number, repr(sorted(changes.items())))
        found_before = self._kept.get(repr(key))
        if found_before is not None:
            return found_before
        if key not in self._scores:
            settings = LinkingSettings(**changes)
            found = self._tracklets(settings, trial)
            size = trial.truth.sequence.image_size
            tracks = link_with_evidence(
                found.tracks,
                found.log_odds,
                trial.frame_rate,
                size,
                settings,
                None,
                found.detections,
                found.doubtful,
            )
            self._scores[key] = score_tracks(trial, tracks)
            self._kept.keep(repr(key), self._scores[key])
        return self._scores[key]

    def _tracklets(self, settings: LinkingSettings, trial: Trial) -> Tracked:
        key = (trial.set_name, trial.number, settings.scene_geometry)
        if key not in self._tracked:
            self._tracked[key] = tracklets_of(trial.detections, trial.frame_rate, settings)
        return self._tracked[key]


@app.command()
def main_command(
    root: Annotated[Path, typer.Option(help="Folder with mot16 (DPM boxes) and mot17-frcnn.")],
    output: Annotated[Path, typer.Option(help="Folder for linking_ablation.json and .md.")] = Path(
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
    """Take the parts of offline tracking out one by one, and choose its settings with sequences left out."""
    offline = OfflineTrials(load_trials(root), KeptScores(scores_file))
    every = PARTS | CANDIDATES
    with StepBars(quiet) as bars:
        report = bars.of("sequences tracked and scored")
        for done, (changes, trial) in enumerate(
            (changes, trial) for changes in every.values() for trial in offline.trials
        ):
            offline.score(changes, trial)
            report(done + 1, len(every) * len(offline.trials))
    rows = [
        {"name": name, "sequence": group} | metrics
        for name, changes in every.items()
        for group, metrics in group_rows(
            offline.trials, [offline.score(changes, trial) for trial in offline.trials]
        ).items()
    ]
    scores = {name: [offline.score(changes, trial) for trial in offline.trials] for name, changes in CANDIDATES.items()}
    choice = left_out_choice(offline.trials, scores)
    chosen_scores = [offline.score(CANDIDATES[choice[trial.number]], trial) for trial in offline.trials]
    left_out = group_rows(offline.trials, chosen_scores)
    rows += [{"name": "chosen without the sequence", "sequence": group} | row for group, row in left_out.items()]
    settings = {"parts": PARTS, "candidates": CANDIDATES, "chosen_without": choice, "engines": engines()}
    header, lines = _table(rows, list(PARTS))
    _, others = _table(rows, [*CANDIDATES, "chosen without the sequence"])
    chosen = ", ".join(f"{number}: {name}" for number, name in choice.items())
    remark = (
        "DPM5: MOT16 DPM, 5 sequences, and so on; mean: of the five figures that have a target. Chosen without the "
        f"sequence: for each the settings that are best on all others ({chosen})."
    )
    print_table("Offline tracking without one of its parts, percent", header, lines, "")
    print_table("Offline tracking with other settings, percent", header, others, remark)
    output.mkdir(parents=True, exist_ok=True)
    write_json(output / "linking_ablation.json", make_report("linking ablation", settings, rows))
    text = f"{markdown_table(header, lines)}\n{markdown_table(header, others)}\n{remark}\n"
    write_markdown(output / "linking_ablation.md", text)


def _table(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    found = {(row["name"], row["sequence"]): row for row in rows}
    figures = [(group, metric) for group in GROUPS for metric in ("HOTA", "MOTA", "IDF1")]
    header = ["settings"] + [f"{metric} {_SHORT[group]}" for group, metric in figures] + ["mean"]
    lines = []
    for name in names:
        groups = {group: found[name, group] for group in GROUPS}
        cells = [f"{groups[group][metric]:.1f}" for group, metric in figures]
        lines.append([name, *cells, f"{mean_figure(groups):.2f}"])
    return header, lines


def main() -> None:
    """Run the command; see :func:`benchmarks.console.run_command`."""
    run_command(app)


if __name__ == "__main__":
    main()
