"""The runs of ``multicam evaluate mot16``: which rows there will be, and the work of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from apps.build import open_embedder
from apps.mot_images import check_images, detect_and_embed, scenes
from apps.tracker_file import read_tracker_file
from apps.validation import parse_options
from benchmarks.mot_challenge import MotSequence
from benchmarks.mot_input import MotTruth, read_results, read_truth, result_files
from benchmarks.mot_scores import ORACLES, MotJob, MotOutcome, do_job, track_and_score
from benchmarks.mot_tracking import Preparation, TrackerChoice, prepared
from benchmarks.simulation.parallel import checked_workers, ordered_results
from tracker.detections import Detections
from tracker.errors import InputError
from tracker.single_camera import TRACKERS
from tracker.storage.mot_files import MotDetections

if TYPE_CHECKING:
    from apps.evaluate_mot16 import MotRequest
    from tracker.protocols import Detector, Embedder

__all__ = ["MotPlan", "Row", "as_file", "finished_rows", "planned_runs"]

#: listed of each kind, sequence and row
_FAILURES = 5
_MOTION = "none"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: a tracker with its boxes, by motion or with an embedder."""

    name: str
    choice: TrackerChoice | None
    preparation: Preparation
    embedder: str | None = None
    offline: bool = False
    oracle_gap: int = 0

    def job(self, truth: MotTruth, boxes: MotDetections, failures: bool) -> MotJob:
        """Return its work on one sequence, whose ``boxes`` are prepared."""
        count = _FAILURES if failures and self.choice is not None else 0
        return MotJob(self.name, truth, self.choice, boxes, None, self.offline, count, self.oracle_gap)


@dataclass(frozen=True, slots=True, eq=False)
class MotPlan:
    """What will be done.

    Args:
        truths: of each sequence.
        boxes: what the boxes are called in names of rows.
        detections: sequence → its detections, empty with a detector or with ready results.
        rows: in the order of the table.
        jobs: of rows that need no images, in order.
        detector: finds people in images instead.
        remarks: what a person should know before.
    """

    truths: Sequence[MotTruth]
    boxes: str
    detections: dict[str, MotDetections]
    rows: Sequence[Row]
    jobs: Sequence[MotJob]
    detector: Detector | None = None
    remarks: Sequence[str] = ()


def planned_runs(request: MotRequest) -> MotPlan:
    """Read everything that is needed and refuse what cannot be, before anything is tracked.

    Raises:
        InputError: an option that cannot be used, or a file.
    """
    if request.results is not None:
        return _scoring_only(request)
    preparation = request.data.preparation
    choices = _choices(request, preparation)
    sequences = request.data.chosen_sequences()
    detector = request.data.detector(sequences, request.networks)
    embedders = [None if name.lower() == _MOTION else name for name in request.embedders] or [None]
    if any(name is not None for name in embedders):
        check_images(sequences, f"--embedder {next(name for name in embedders if name is not None)}")
    truths = [read_truth(sequence) for sequence in sequences]
    found = {} if detector is not None else request.data.read_boxes(truths)
    boxes = _called(request, sequences)
    rows, remarks = _rows(request, choices, embedders, preparation, boxes)
    by_preparation: dict[tuple[Preparation, str], MotDetections] = {}
    jobs = []
    for row in rows:
        if row.embedder is not None or detector is not None:
            continue
        for truth in truths:
            key = row.preparation, truth.sequence.name
            if key not in by_preparation:
                by_preparation[key] = prepared(found[truth.sequence.name], row.preparation)
            jobs.append(row.job(truth, by_preparation[key], request.failures))
    return MotPlan(truths, boxes, found, rows, jobs, detector, remarks)


def finished_rows(
    plan: MotPlan,
    request: MotRequest,
    progress: Callable[[int, int], None],
    picture_progress: Callable[[int, int], None],
) -> tuple[list[MotOutcome], list[str]]:
    """Do all work; return the outcomes, row by row and sequence by sequence, and which networks ran, and how.

    Args:
        plan: what to do.
        request: how.
        progress: called with the number of finished and of all pieces of work.
        picture_progress: the same of a sequence's images.
    """
    total = len(plan.rows) * len(plan.truths)
    done: dict[tuple[str, str], MotOutcome] = {}

    def finish(outcome: MotOutcome) -> None:
        done[outcome.name, outcome.sequence] = outcome
        progress(len(done), total)

    workers = min(checked_workers(request.workers), max(len(plan.jobs), 1))
    for outcome in ordered_results(do_job, plan.jobs, workers):
        finish(outcome)
    with_images = [row for row in plan.rows if row.embedder is not None or plan.detector is not None]
    models = [] if plan.detector is None else [plan.detector.description]
    for embedder_name in dict.fromkeys(row.embedder for row in with_images):
        embedder = None
        if embedder_name is not None:
            people = request.data.detections if plan.detector is not None else None
            embedder = open_embedder(embedder_name, request.networks, detector=people)
        mine = [row for row in with_images if row.embedder == embedder_name]
        for outcome in _with_images(plan, request, embedder, mine, picture_progress):
            finish(outcome)
        models += [] if embedder is None else [embedder.description]
    return [done[row.name, truth.sequence.name] for row in plan.rows for truth in plan.truths], models


def _with_images(
    plan: MotPlan,
    request: MotRequest,
    embedder: Embedder | None,
    rows: Sequence[Row],
    progress: Callable[[int, int], None],
) -> Iterator[MotOutcome]:
    for truth in plan.truths:
        sequence = truth.sequence
        for preparation in dict.fromkeys(row.preparation for row in rows):
            found: Any = plan.detector
            if plan.detector is None:
                found = prepared(plan.detections[sequence.name], preparation)
            every = detect_and_embed(sequence, truth.length, found, preparation, embedder, progress)
            boxes = found if plan.detector is None else as_file(every)
            for row in rows:
                if row.preparation != preparation:
                    continue
                job = row.job(truth, boxes, request.failures)
                if row.choice is None:
                    yield do_job(job)
                    continue
                looks = row.choice.create(sequence.frame_rate).uses_image
                yield track_and_score(job, scenes(sequence, every, with_images=looks))


def as_file(every: Sequence[Detections]) -> MotDetections:
    """Return detections frame by frame, from the first, as those of a whole sequence."""
    whole = Detections.concatenate(every)
    frames = np.repeat(np.arange(1, len(every) + 1), [len(people) for people in every])
    return MotDetections(frames, whole.boxes, whole.scores, np.arange(len(whole)))


def _scoring_only(request: MotRequest) -> MotPlan:
    for option, given in (
        ("--tracker", request.trackers or request.parameter_files), ("--detections", request.data.detections),
        ("--embedder", request.embedders), ("--offline", request.offline), ("--oracle", request.oracle),
    ):  # fmt: skip
        if given:
            raise InputError(f"{option} and --results {request.results} do not go together: ready results are scored")
    assert request.results is not None
    sequences = request.data.chosen_sequences(with_boxes=False)
    files = result_files(request.results, sequences)
    truths = [read_truth(sequence) for sequence in sequences]
    name = request.results.absolute().name
    jobs = []
    for truth in truths:
        results = read_results(truth, files[truth.sequence.name])
        failures = _FAILURES if request.failures else 0
        jobs.append(MotJob(name, truth, results=results, failures=failures))
    return MotPlan(truths, name, {}, [Row(name, None, Preparation())], jobs)


def _choices(request: MotRequest, preparation: Preparation) -> list[tuple[str, TrackerChoice, Preparation]]:
    """Return label, tracker and preparation of each choice, all of them checked."""
    names = [name for given in request.trackers for name in (TRACKERS.names() if given == "all" else [given])]
    if not names and not request.parameter_files:
        names = ["bytetrack"]
    options = parse_options(request.tracker_options, "--tracker-option")
    if options and len(names) != 1:
        raise InputError(f"--tracker-option {next(iter(options))} belongs to one --tracker, and {len(names)} are given")
    if "frame_rate" in options:
        raise InputError("--tracker-option frame_rate: each sequence has its own frame rate; leave it out")
    choices = [(name, TrackerChoice(name, options), preparation) for name in dict.fromkeys(names)]
    for path in request.parameter_files:
        given = read_tracker_file(path)
        own = given.preparation if given.preparation != Preparation() else preparation
        choices.append((f"{given.tracker} {path.stem}", given.choice, own))
    for label, choice, _ in choices:
        choice.create(30.0)
        if [one[0] for one in choices].count(label) > 1:
            raise InputError(f"--tracker-parameters: two files are called {label.split()[-1]}; rename one")
    return choices


def _rows(
    request: MotRequest,
    choices: Sequence[tuple[str, TrackerChoice, Preparation]],
    embedders: Sequence[str | None],
    preparation: Preparation,
    boxes: str,
) -> tuple[list[Row], list[str]]:
    rows, remarks = [], []
    for label, choice, own in choices:
        for embedder in embedders:
            if embedder is not None and not choice.create(30.0).uses_features:
                remarks.append(f"{label} does not look at features: its row with {embedder} is that of motion alone.")
            name = ", ".join([label, boxes, *([embedder] if embedder else [])])
            rows.append(Row(name, choice, own, embedder))
            if request.offline:
                rows.append(dataclasses.replace(rows[-1], name=f"{name}, offline", offline=True))
    if request.oracle:
        several = len({own for _, _, own in choices}) > 1
        if several:
            remarks.append("The oracles' boxes are prepared as the options say, not as files of parameters do.")
        own = preparation if several else choices[0][2]
        rows += [Row(f"{name}, {boxes}", None, own, oracle_gap=gap) for name, gap in ORACLES.items()]
    return rows, remarks


def _called(request: MotRequest, sequences: Sequence[MotSequence]) -> str:
    """Return what the boxes are called: the public detector, the file or folder, or the model."""
    if request.data.detections is not None:
        return Path(request.data.detections).name or request.data.detections
    kinds = {tuple(kind for kind in one.detections if kind != "det") for one in sequences}
    return kinds.pop()[0] if len(kinds) == 1 and len(next(iter(kinds), ())) == 1 else "own boxes"
