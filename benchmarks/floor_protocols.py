"""The floor tracker on recorded detections whose truth is known: CMC's room and WILDTRACK's square.

A scene is tracked from its detections alone, with the same settings whatever it is; what the tracker reports inside the
tracked area is scored on the floor (``world_metrics.py``). A tenth of a pixel may decide who is taken for whom, so a
figure can be the mean of several runs, each with other noise on the boxes, and then comes with the lowest and the
highest of them. Beside it stands what else is known of the scene: the estimates that CMC's authors published, or what
perfect identities would reach with the same boxes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.cmc import jittered
from benchmarks.floor_scenes import FloorScene
from benchmarks.world_metrics import GATES, FloorTracks, score_floor
from tracker.errors import InputError
from tracker.floor.people import FloorPeople
from tracker.floor.settings import FloorSettings
from tracker.floor.tracker import FloorTracker
from tracker.floor.trajectories import FloorTrajectories

__all__ = [
    "COMBINED",
    "OURS",
    "FloorEvaluation",
    "FloorRun",
    "IdentityChecks",
    "check_gates",
    "evaluate_scenes",
    "table_of",
    "track_scene",
]

#: what our rows are called, and the row of all sequences together
OURS, COMBINED = "multicam", "combined"
_SHARES = ("MOTA", "IDF1", "HOTA")
_COUNTS = ("IDSW", "FP", "FN")

#: called with what is counted, how much of it is done, and all of it
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class FloorRun:
    """What one run over a scene gave.

    Args:
        tracks: where people are said to be, inside the tracked area, metres.
        frames: instants that were tracked.
        seconds: that the tracker took for them.
        violations: of :class:`IdentityChecks`.
    """

    tracks: FloorTracks
    frames: int
    seconds: float
    violations: int


@dataclass(frozen=True, slots=True, eq=False)
class FloorEvaluation:
    """Figures of all scenes.

    Args:
        rows: for each scene one of ours, then its references; then those of all together, if asked for. Each has
            ``name``, ``sequence`` and the figures of ``benchmarks.world_metrics.score_floor``; ours are means over the
            runs and have ``runs``, ``frames_per_second`` (all cameras' frames of an instant are one), ``violations``
            (sum over the runs) and, of several runs, ``spread``: figure → lowest and highest.
        engines: figure → package and version that computed it.
        tracks: scene → what the first run gave.
    """

    rows: list[dict[str, Any]]
    engines: dict[str, str]
    tracks: dict[str, FloorTracks]


class IdentityChecks:
    """Counts what must never happen to identities; see ``docs/design.md``.

    An identity twice at one instant, a detection that belongs to two identities, and an identity that comes back after
    it ended count one each.
    """

    def __init__(self) -> None:
        self.violations = 0
        self._alive: set[int] = set()
        self._ended: set[int] = set()

    def take(self, people: FloorPeople) -> None:
        """Look at what the tracker reported at the next instant."""
        alive = set(people.ids.tolist())
        self.violations += len(people.ids) - len(alive)
        for rows in people.boxes.values():
            taken = rows[rows >= 0]
            self.violations += len(taken) - len(np.unique(taken))
        self.violations += len(alive & self._ended)
        self._ended = (self._ended | self._alive) - alive
        self._alive = alive


def track_scene(
    scene: FloorScene,
    settings: FloorSettings | None = None,
    *,
    jitter_seed: int | None = None,
    jitter_pixels: float = 0.1,
    online: bool = False,
    progress: Callable[[float], None] | None = None,
) -> FloorRun:
    """Follow the people of a scene from its detections.

    The tracker gets all boxes that there are; those of low scores are left out only if ``settings`` were made with a
    ``confidence``, by default not.

    Args:
        scene: what was seen.
        settings: of the tracker; ``None``: by default.
        jitter_seed: of the noise on the boxes' sides; ``None``: boxes as they are.
        jitter_pixels: standard deviation of that noise.
        online: what was known at each instant; else the run is looked at again from its end.
        progress: called with the number of frames done.

    Raises:
        InputError: a standard deviation below 0.
    """
    settings = settings or FloorSettings()
    detections = scene.detections
    if jitter_seed is not None:
        detections = jittered(detections, jitter_seed, jitter_pixels)
    lowest = settings.confidence if "confidence" in settings.model_fields_set else -math.inf
    tracker = FloorTracker(scene.cameras, settings, remember=not online)
    reports: list[FloorPeople] = []
    checks, seconds = IdentityChecks(), 0.0
    # Looking again takes about three times as long as looking.
    share = 1.0 if online else 1 / 4
    for done, frame in enumerate(scene.frames, start=1):
        found = {name: frames[frame][frames[frame].scores >= lowest] for name, frames in detections.items()}
        started = perf_counter()
        people = tracker.update(found, frame / scene.frame_rate)
        seconds += perf_counter() - started
        checks.take(people)
        reports.append(people)
        if progress is not None:
            progress(done * share)
    if not online:
        done_again = count(1)
        started = perf_counter()
        reports = tracker.refined(
            None if progress is None else lambda: progress((len(scene.frames) + next(done_again)) / 4)
        )
        seconds += perf_counter() - started
        checks = IdentityChecks()
        for people in reports:
            checks.take(people)
    trajectories = FloorTrajectories(scene.longest_gap)
    for frame, people in zip(scene.frames, reports):
        trajectories.add(frame, people)
    tracks = FloorTracks(*trajectories.finished()).inside(scene.area)
    return FloorRun(tracks, len(scene.frames), seconds, checks.violations)


def evaluate_scenes(
    scenes: Sequence[FloorScene],
    settings: FloorSettings | None = None,
    *,
    gates: Sequence[float] = GATES,
    runs: int = 1,
    jitter_pixels: float = 0.1,
    seed: int = 0,
    combine: bool = False,
    online: bool = False,
    progress: Progress | None = None,
) -> FloorEvaluation:
    """Track scenes several times and score that, and what else is known of them.

    Args:
        scenes: with different names.
        settings: of the tracker; ``None``: by default.
        gates: metres up to which a result may stand for a person; the first is that of figures without a gate.
        runs: of each scene; one run takes the boxes as they are, several move them.
        jitter_pixels: standard deviation of the noise on the boxes' sides.
        seed: of the first run's noise; each other run has the next.
        online: what was known at each instant; else runs are looked at again from their ends.
        combine: score all scenes together, too, if there are several.
        progress: called with ``"NAME, frames"`` or ``"scores"``, the number done and that of all.

    Raises:
        InputError: no scene or two of one name, a gate that is not above 0, fewer than 1 run, or runs that would be all
            the same.
    """
    names = [scene.name for scene in scenes]
    _check(names, gates, runs, jitter_pixels, seed)
    together = combine and len(scenes) > 1
    groups = [list(scenes)] if together else [[scene] for scene in scenes]
    references = dict.fromkeys(name for scene in scenes for name in scene.references)
    report = progress or (lambda what, done, total: None)
    steps, scored = len(groups) * runs + len(references), 0
    found: dict[str, list[FloorRun]] = {name: [] for name in names}
    figures: dict[tuple[str, str], list[dict[str, Any]]] = {}
    engines: dict[str, str] = {}

    def score(name: str, group: Iterable[FloorScene], tracks: Mapping[str, FloorTracks]) -> None:
        nonlocal scored
        pairs = {scene.name: (scene.truth, tracks[scene.name]) for scene in group if scene.name in tracks}
        ranges = {scene.name: scene.evaluated for scene in scenes}
        result = score_floor(pairs, gates=gates, frame_ranges=ranges)
        engines.update(result["engines"])
        # A row of all together would mislead where not all are in it.
        for row in result["rows"] if together and len(pairs) == len(scenes) else result["rows"][:-1]:
            figures.setdefault((row["sequence"], name), []).append(row)
        scored += 1
        report("scores", scored, steps)

    for number in range(runs):
        for group in groups:
            for scene in group:
                counted = partial(_counted, report, scene, number, runs)
                noise = None if runs == 1 else seed + number
                found[scene.name].append(
                    track_scene(
                        scene,
                        settings,
                        jitter_seed=noise,
                        jitter_pixels=jitter_pixels,
                        online=online,
                        progress=counted,
                    )
                )
            score(OURS, group, {name: done[-1].tracks for name, done in found.items() if done})
    for name in references:
        score(name, scenes, {scene.name: scene.references[name] for scene in scenes if name in scene.references})
    rows = []
    for sequence in [*names, *([COMBINED] if together else [])]:
        mine = [run for name, done in found.items() for run in done if sequence in (name, COMBINED)]
        rows.append({"name": OURS, "sequence": sequence, **_over_runs(figures[sequence, OURS], mine)})
        rows += [{"name": name, **figures[sequence, name][0]} for name in references if (sequence, name) in figures]
    return FloorEvaluation(rows, engines, {name: done[0].tracks for name, done in found.items()})


def table_of(rows: Sequence[Mapping[str, Any]], gates: Sequence[float]) -> tuple[list[str], list[list[str]]]:
    """Return header and lines of a table of rows of :class:`FloorEvaluation`.

    Below the means of several runs stands a line with the lowest and the highest. MOTP (metres) and the counts are
    those of the first gate.
    """
    main = f"@{gates[0]:g}m"
    shown = [(f"{name}@{gate:g}m", 1) for gate in gates for name in _SHARES]
    shown += [(f"MOTP{main}", 3), *((f"{name}{main}", 0) for name in _COUNTS), ("frames_per_second", 1)]
    header = ["", *(name for name, _ in shown[: 3 * len(gates)]), "MOTP m", *_COUNTS, "frames/s", "violations"]
    lines = []
    for row in rows:
        several = row.get("runs", 1) > 1
        cells = [_number(row.get(name), digits or several) for name, digits in shown]
        lines.append([f"{row['sequence']}, {row['name']}", *cells, str(row.get("violations", ""))])
        if several:
            ends = [(row["spread"].get(name, (None, None)), digits) for name, digits in shown]
            cells = [_interval(low, high, digits) for (low, high), digits in ends]
            lines.append(["– lowest to highest", *cells, ""])
    return header, lines


def check_gates(gates: Sequence[float]) -> None:
    """Raise before anything is tracked what scoring would find fault with.

    Raises:
        InputError: no gate, one that is not above 0, or one twice.
    """
    for gate in gates:
        if not (math.isfinite(gate) and gate > 0):
            raise InputError(f"the gate is {gate:g} m; give metres above 0")
    if not gates:
        raise InputError("no gate given; give metres up to which a result may stand for a person, for example 1")
    if len({f"{gate:g}" for gate in gates}) < len(gates):
        raise InputError(f"a gate is twice among {', '.join(f'{gate:g}' for gate in gates)} m; give each once")


def _check(names: Sequence[str], gates: Sequence[float], runs: int, jitter_pixels: float, seed: int) -> None:
    if not names:
        raise InputError("no sequence to evaluate; name one")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two sequences or files of detections are called {twice}; evaluate them one at a time")
    if COMBINED in names:
        raise InputError(f"a sequence is called {COMBINED}, as the row of all together is; rename it")
    check_gates(gates)
    if runs < 1:
        raise InputError(f"{runs} runs; give 1 (boxes as they are) or more")
    if not (math.isfinite(jitter_pixels) and jitter_pixels >= 0):
        raise InputError(f"the jitter is {jitter_pixels:g} pixels; give 0 or more")
    if runs > 1 and jitter_pixels == 0:
        raise InputError(f"{runs} runs with a jitter of 0 pixels are all the same; give 1 run, or more jitter")
    if seed < 0:
        raise InputError(f"the seed is {seed}; give 0 or more")


def _counted(report: Progress, scene: FloorScene, run: int, runs: int, done: float) -> None:
    frames = len(scene.frames)
    report(f"{scene.name}, frames", run * frames + round(done), runs * frames)


def _over_runs(figures: Sequence[Mapping[str, Any]], runs: Sequence[FloorRun]) -> dict[str, Any]:
    """Return the means of figures, and of several runs their lowest and highest."""
    columns = {name: [row[name] for row in figures] for name in figures[0] if name != "sequence"}
    # Of several scenes the runs stand one scene after the other.
    parts = [runs[number :: len(figures)] for number in range(len(figures))]
    columns["frames_per_second"] = [
        sum(run.frames for run in part) / max(sum(run.seconds for run in part), 1e-9) for part in parts
    ]
    known = {name: [value for value in values if value is not None] for name, values in columns.items()}
    result: dict[str, Any] = {"runs": len(figures)}
    for name, values in known.items():
        result[name] = None if not values else values[0] if len(values) == 1 else float(np.mean(values))
    result["violations"] = sum(run.violations for run in runs)
    if len(figures) > 1:
        result["spread"] = {name: [min(values), max(values)] for name, values in known.items() if values}
    return result


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{int(digits)}f}"


def _interval(low: float | None, high: float | None, digits: int) -> str:
    ends = dict.fromkeys(_number(end, digits) for end in (low, high))
    return "–".join(ends)
