"""``python -m benchmarks.ocsort_differences``: what makes ultralytics' OC-SORT another tracker than the paper's.

Ours follows the paper and its authors' code; ultralytics put OC-SORT's three ideas on ByteTrack. Here ours takes over,
one after the other, what is different there, until nothing is left but the order of equal costs. So each choice is seen
to be worth what it is worth, and what remains is how much figures move without any reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.console import StepBars, print_table, run_command
from benchmarks.mot_tracking import follow, frames_of
from benchmarks.peer_trackers import equal_parameters, library_version, peer_tracks
from benchmarks.peers import AssociationSettings
from benchmarks.report import make_report, markdown_table, write_json, write_markdown
from benchmarks.tracker_parity import METRICS, PREPARATIONS
from benchmarks.tracker_trials import Trial, engines, group_rows, load_trials, score_tracks
from tracker.association.costs import direction_consistency, fuse_score
from tracker.motion.kalman import create_filter
from tracker.single_camera.byte_track import younger_twins
from tracker.single_camera.oc_sort import OCSort
from tracker.single_camera.stages import Indices, Mask, Observation, Pairs, Stage
from tracker.storage.mot_files import MotTracks
from tracker.track_table import TENTATIVE, TRACKED

__all__ = ["STEPS", "MixedOCSort", "app", "main"]

#: ByteTrack's: greatest cost for a track that was seen once
_TENTATIVE_COST = 0.7
#: of a lost and a living track that overlap by more, the younger dies
_TWIN_IOU = 0.85

#: what is taken over, in this order; each row has all of those before it
STEPS: tuple[tuple[str, str], ...] = (
    ("births", "new tracks from 0.7 instead of 0.6"),
    ("boxes", "boxes reported as the filter has them, not as observed"),
    ("filter", "ByteTrack's filter: noise by height, size of lost boxes kept"),
    ("life", "confirmed tracks first; those seen once die at their first miss, and twins of living tracks"),
    ("costs", "scores in the cost, direction from the last observation"),
    ("recovery", "recovery for tracked before lost; re-update only there"),
)

app = typer.Typer(add_completion=False)


class MixedOCSort(OCSort):
    """OC-SORT with some of ultralytics' choices.

    Args:
        taken: names of :data:`STEPS`.
        parameters: of ``OCSort``.
    """

    def __init__(self, taken: frozenset[str], **parameters: Any) -> None:
        self._taken = taken
        if "births" not in taken:
            parameters["new_track_confidence"] = None
        parameters["reports_observations"] = "boxes" not in taken
        super().__init__(**parameters)
        if "filter" in taken:
            self.motion = create_filter("xyah")
            self.freezes_lost_size = True  # type: ignore[misc]
        self.drops_tentative = "life" in taken  # type: ignore[misc]
        self._first: Indices = np.zeros(0, np.intp)

    def _pass_judgement(self, frame: Observation) -> Mask | None:
        dead = super()._pass_judgement(frame)
        twins = younger_twins(self.table, self.motion.boxes(self.table.state[0]), _TWIN_IOU)
        if "life" not in self._taken or twins is None:
            return dead
        return twins if dead is None else dead | twins

    def associate(self, frame: Observation) -> Iterator[Stage]:
        status = self.table.status
        confident = frame.scores >= self.minimum_confidence
        old = status != TENTATIVE if "life" in self._taken else np.ones(len(status), bool)
        fused = "costs" in self._taken

        def first_cost(pairs: Pairs) -> NDArray[np.floating]:
            return self._first_cost(frame, pairs)

        def overlap_cost(pairs: Pairs) -> NDArray[np.floating]:
            return fuse_score(pairs.similarity, frame.scores[pairs.columns]) if fused else 1.0 - pairs.similarity

        limit = 1.0 - self.minimum_iou
        yield Stage(old, confident, first_cost, limit if fused else 1.0 + self.inertia)
        self._first = (~frame.free_tracks).nonzero()[0]
        recovery = self._recovery_pairs(frame, confident)
        if recovery is not None:
            parts = (status == TRACKED, status != TRACKED) if "recovery" in self._taken else (old,)
            for part in parts:
                yield Stage(part & old, confident, overlap_cost, limit, recovery)
        if "life" in self._taken:
            yield Stage(status == TENTATIVE, confident, overlap_cost, _TENTATIVE_COST)

    def _first_cost(self, frame: Observation, pairs: Pairs) -> NDArray[np.floating]:
        """Return the cost with observation-centric momentum, the paper's or ultralytics'."""
        scores = frame.scores[pairs.columns]
        boxes = frame.boxes.take(pairs.columns, axis=1)
        directions = self.table.extra["direction"].take(pairs.rows, axis=1)
        last = self.table.extra["last_box"]
        origins = (last[:2] + last[2:]) * 0.5 if "costs" in self._taken else self._origins(frame.time)
        agreement = direction_consistency(directions, origins.take(pairs.rows, axis=1), (boxes[:2] + boxes[2:]) * 0.5)
        if "costs" in self._taken:
            # an angle between 0 and 1, and no cost for those that have no direction yet
            angle = np.where(directions.any(axis=0), 0.5 - agreement, 0.0)
            return fuse_score(pairs.similarity, scores) + self.inertia * angle
        costs = 1.0 - pairs.similarity - self.inertia * agreement * scores
        costs[pairs.similarity < self.minimum_iou] = np.inf
        return costs

    def _update_again(self, frame: Observation, tracks: Indices, boxes: NDArray[np.float64]) -> None:
        if "recovery" in self._taken:
            recovered = np.isin(tracks, self._first, invert=True)
            tracks, boxes = tracks[recovered], boxes[:, recovered]
        if len(tracks):
            super()._update_again(frame, tracks, boxes)


@app.command()
def main_command(
    root: Annotated[Path, typer.Option(help="Folder with mot16 (DPM boxes) and mot17-frcnn.")],
    output: Annotated[Path, typer.Option(help="Folder for ocsort_differences.json and .md.")] = Path(
        "benchmarks/results"
    ),
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Take ultralytics' choices over into our OC-SORT one by one, and show what each is worth."""
    peer = library_version("ultralytics")
    trials = load_trials(root)
    settings = AssociationSettings()
    wanted = [("ours, as in the paper", frozenset[str]())]
    for name, text in STEPS:
        wanted.append((f"+ {text}", wanted[-1][1] | {name}))
    rows: list[dict[str, Any]] = []
    with StepBars(quiet) as bars:
        report = bars.of("trackers")
        for done, (label, taken) in enumerate([*wanted, (peer, None)]):
            report(done, len(wanted) + 1)
            scores = [score_tracks(trial, _tracks(taken, settings, trial)) for trial in trials]
            rows += [
                {"name": label, "sequence": group} | metrics for group, metrics in group_rows(trials, scores).items()
            ]
    header, lines = _table(rows)
    remark = "Each row has the changes of those above it. Same boxes and thresholds everywhere. Percent, TrackEval."
    print_table("from the paper's OC-SORT to ultralytics'", header, lines, remark)
    output.mkdir(parents=True, exist_ok=True)
    found = {"steps": dict(STEPS), "engines": engines()}
    write_json(output / "ocsort_differences.json", make_report("OC-SORT differences", found, rows))
    write_markdown(output / "ocsort_differences.md", f"{markdown_table(header, lines)}\n{remark}\n")


def _tracks(taken: frozenset[str] | None, settings: AssociationSettings, trial: Trial) -> MotTracks:
    found = trial.thinned(PREPARATIONS[trial.set_name])
    if taken is None:
        return peer_tracks("ocsort", settings, found, trial.truth.length)
    parameters = equal_parameters("ocsort", settings, trial.frame_rate)
    tracker = MixedOCSort(taken, frame_rate=trial.frame_rate, **parameters)
    return follow(frames_of(found, trial.truth.length), tracker).tracks


def _table(rows: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    groups = list(dict.fromkeys(row["sequence"] for row in rows))
    header = ["", *(f"{metric} {group.removesuffix(' sequences')}" for group in groups for metric in METRICS)]
    found: Mapping[tuple[str, str], dict[str, Any]] = {(row["name"], row["sequence"]): row for row in rows}
    names = list(dict.fromkeys(row["name"] for row in rows))
    return header, [
        [name, *(f"{found[name, group][metric]:.2f}" for group in groups for metric in METRICS)] for name in names
    ]


def main() -> None:
    """Run the command; see :func:`benchmarks.console.run_command`."""
    run_command(app)


if __name__ == "__main__":
    main()
