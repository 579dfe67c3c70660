"""What ``multicam evaluate mot16`` writes: figures, a report with pictures, result files, crops of failures."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from itertools import groupby
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from apps.failure_pictures import write_failure_pictures
from apps.mot_runs import MotPlan
from apps.output_folder import OutputFolder
from apps.run_record import write_run_record
from apps.summary import run_by
from benchmarks.metric_engines import engines_of
from benchmarks.metrics import COMBINED
from benchmarks.mot_scores import MotOutcome, rows_of
from benchmarks.report import make_report, write_json
from benchmarks.report_details import curves_of_parts, make_details, sequence_length, trajectory_record
from benchmarks.report_files import check_report_folder, write_report
from tracker.errors import InputError
from tracker.storage.atomic import AtomicFile
from tracker.storage.mot_files import write_tracks
from tracker.video.addresses import safe_name

if TYPE_CHECKING:
    from apps.evaluate_mot16 import MotRequest

__all__ = ["MotOutputs"]


class MotOutputs:
    """Checks before the work whether everything can be written, and writes it after.

    Args:
        request: what is asked for.

    Raises:
        InputError: something cannot be written, or options do not go together.
    """

    def __init__(self, request: MotRequest) -> None:
        self.rows: list[dict[str, Any]] = []
        self.failures: list[dict[str, Any]] = []
        self.remarks = ""
        self._request = request
        self._stack = contextlib.ExitStack()
        self._folders: dict[str, OutputFolder] = {}
        self._report: dict[str, Any] = {}
        self._outcomes: Sequence[MotOutcome] = ()
        self._plan: MotPlan | None = None
        self._models: Sequence[str] = ()
        if request.crops is not None and not request.failures:
            raise InputError(f"--crops {request.crops} shows the failures that --failures lists: add it")

    def __enter__(self) -> MotOutputs:
        with contextlib.ExitStack() as stack:
            if self._request.json is not None:
                # Said now, not after the tracking.
                AtomicFile(self._request.json).discard()
            if self._request.report is not None:
                check_report_folder(self._request.report)
            for name, path in (("results", self._request.save_results), ("crops", self._request.crops)):
                if path is not None:
                    self._folders[name] = stack.enter_context(
                        OutputFolder(path, overwrite=self._request.overwrite, inputs=[self._request.data.root])
                    )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def take(self, plan: MotPlan, outcomes: Sequence[MotOutcome], models: Sequence[str]) -> None:
        """Make the rows, the report and the list of failures of all outcomes, which come row by row.

        Args:
            plan: what was done.
            outcomes: of it.
            models: networks that ran, each with its runtime and precision.
        """
        self._plan, self._outcomes, self._models = plan, outcomes, models
        by_row = [list(these) for _, these in groupby(outcomes, key=lambda outcome: outcome.name)]
        self.rows = [row for these in by_row for row in rows_of(these)]
        for these in by_row:
            found: list[dict[str, Any]] = [
                {"name": outcome.name, "sequence": outcome.sequence, "failure": failure}
                for outcome in these
                for failure in outcome.failures
            ]
            for kind in ("switch", "miss"):
                worst = [entry for entry in found if entry["failure"].kind == kind]
                self.failures += sorted(worst, key=lambda entry: -entry["failure"].frames)[:10]
        self._report = make_report("mot16", self._described(plan), self.rows)
        if self._request.failures:
            self._report["failures"] = [
                {"name": entry["name"], "sequence": entry["sequence"], **dataclasses.asdict(entry["failure"])}
                for entry in self.failures
            ]
        self.remarks = self._said(plan)

    def write(self, warned: Sequence[str]) -> None:
        """Write what was asked for; each folder appears complete or not at all."""
        request = self._request
        record = {"command": "evaluate mot16", "settings": self._report["settings"], "warnings": list(warned)}
        if "results" in self._folders:
            self._fill(self._folders["results"], record, self._write_results)
        if "crops" in self._folders:
            self._fill(self._folders["crops"], record, self._write_crops)
        if request.report is not None:
            write_report(request.report, {**self._report, "details": self._details()})
        if request.json is not None:
            write_json(request.json, self._report)

    def _fill(self, folder: OutputFolder, record: dict[str, Any], fill: Any) -> None:
        try:
            fill(folder)
            write_run_record(folder, record)
        except InputError as error:
            raise InputError(folder.shown(str(error))) from None
        folder.publish()

    def _write_results(self, folder: OutputFolder) -> None:
        for outcome in self._outcomes:
            tracks = outcome.tracks
            path = folder.file(f"{safe_name(outcome.name)}/{outcome.sequence}.txt")
            write_tracks(path, tracks.frames, tracks.ids, tracks.boxes, tracks.scores)

    def _write_crops(self, folder: OutputFolder) -> None:
        assert self._plan is not None
        sequences = {truth.sequence.name: truth.sequence for truth in self._plan.truths}
        write_failure_pictures(folder, self.failures, sequences)

    def _details(self) -> dict[str, Any]:
        assert self._plan is not None
        sequences = {truth.sequence.name: truth for truth in self._plan.truths}
        curves: dict[str, Any] = {}
        switches: dict[str, Any] = {}
        trajectories: dict[str, Any] = {}
        for name, these in groupby(self._outcomes, key=lambda outcome: outcome.name):
            row = list(these)
            curves[name] = curves_of_parts({one.sequence: one.score.higher_order for one in row})
            switches[name] = {
                one.sequence: [
                    {"frame": switch.frame, "truth": switch.truth, "from": switch.previous, "to": switch.current}
                    for switch in one.score.switches
                ]
                for one in row
            }
            trajectories[name] = {
                one.sequence: trajectory_record(
                    one.tracks.frames, one.tracks.ids, _feet(one.tracks.boxes),
                    image_size=sequences[one.sequence].sequence.image_size,
                )
                for one in row
            }  # fmt: skip
        lengths = {name: sequence_length(truth.length, truth.sequence.frame_rate) for name, truth in sequences.items()}
        return make_details(curves=curves, switches=switches, lengths=lengths, trajectories=trajectories)

    def _described(self, plan: MotPlan) -> dict[str, Any]:
        request = self._request
        return {
            "root": str(request.data.root),
            "sequences": [truth.sequence.name for truth in plan.truths],
            "detections": plan.boxes,
            "results": None if request.results is None else str(request.results),
            "rows": {
                row.name: {
                    "tracker": None if row.choice is None else row.choice.name,
                    "parameters": {} if row.choice is None else dict(row.choice.parameters),
                    "boxes": row.preparation.description or "as they are",
                    "embedder": row.embedder,
                    "offline": row.offline,
                }
                for row in plan.rows
            },
            **request.networks.model_dump(mode="json"),
            "models": list(self._models),
            "engines": engines_of() | dict.fromkeys(
                (name for name in self.rows[0] if name.endswith("(TrackEval)")), engines_of()["HOTA"]
            ),
        }  # fmt: skip

    def _said(self, plan: MotPlan) -> str:
        engines = engines_of()
        whole = [row for row in self.rows if row["sequence"] == COMBINED]
        association = sum(row["association_seconds"] or 0 for row in whole)
        metric = sum(row["metric_seconds"] for row in whole)
        machine = self._report["machine"]
        prepared = {row.preparation.description for row in plan.rows} - {""}
        done = f" Boxes first: {'; '.join(sorted(prepared))}." if prepared else ""
        return (
            f"HOTA, DetA, AssA: {engines['HOTA']}; MOTA, IDF1, IDSW, FP, FN: {engines['MOTA']}; the column TrackEval "
            f"has its figures where they differ (it keeps a correspondence from the frame before only).{done} "
            f"Association {association:.1f} s, metrics {metric:.1f} s, added up over processes. "
            f"{machine['processor']}, {machine['cores_usable']} of {machine['cores']} cores."
            f"{f' {run_by(self._models)}' if self._models else ''}"
        )


def _feet(boxes: np.ndarray) -> np.ndarray:
    return np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1)
