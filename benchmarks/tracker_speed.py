"""How long association takes: ours beside a peer's, on the same streams, in one run, turn by turn.

Only ``update`` is timed; the detections are there already, in the form each side takes. In every repeat each tracker
starts anew, ours and the peer's directly one after the other, and the ratio is taken within the repeat, so a machine
that is slow for a while is slow for both.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics import pair_boxes, score_sequences
from benchmarks.peers import AssociationSettings, UltralyticsTracker
from benchmarks.synthetic_streams import StreamSettings, SyntheticStream, make_stream
from tracker import create_tracker
from tracker.detections import Detections
from tracker.errors import InputError, nearest_name_hint
from tracker.storage.mot_files import MotTracks

__all__ = ["COMPARISONS", "Comparison", "compare_trackers", "frames_for"]

_WARM_UP_FRAMES = 60
_TARGET_PEOPLE = 100
_QUALITY = ("HOTA", "MOTA", "IDF1", "IDSW", "FP", "FN")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One line of the table: a tracker of ours, and a peer's where there is one.

    Args:
        tracker: name for ``create_tracker``.
        parameters: settings → parameters of ours, so that both sides run with the same thresholds.
        with_features: whether detections carry appearance vectors.
        peer: the peer's name, or ``None``.
        target: how many times faster ours is meant to be with 100 people in the picture.
    """

    tracker: str
    parameters: Callable[[AssociationSettings, float], dict[str, Any]] = lambda settings, frame_rate: {}
    with_features: bool = False
    peer: str | None = None
    target: float | None = None


def _byte_track(settings: AssociationSettings, frame_rate: float) -> dict[str, Any]:
    return {
        "high_confidence": settings.high,
        "low_confidence": settings.low,
        "new_track_confidence": settings.new,
        "first_match_cost": settings.match,
        "lost_track_seconds": settings.lost_frames / frame_rate,
    }


def _bot_sort(settings: AssociationSettings, frame_rate: float) -> dict[str, Any]:
    appearance = {"proximity_iou": settings.proximity, "appearance_distance": settings.appearance}
    return _byte_track(settings, frame_rate) | appearance


COMPARISONS: dict[str, Comparison] = {
    "bytetrack": Comparison("bytetrack", _byte_track, peer="bytetrack", target=8.0),
    "botsort": Comparison("botsort", _bot_sort, peer="botsort"),
    "botsort-features": Comparison("botsort", _bot_sort, with_features=True, peer="botsort", target=6.0),
    # Our own beside the peers whose tasks it does: it has no counterpart with equal results.
    "multicam": Comparison("multicam", peer="bytetrack", target=8.0),
    "multicam-features": Comparison("multicam", with_features=True, peer="botsort", target=6.0),
    "sort": Comparison("sort"),
    "ocsort": Comparison("ocsort"),
    "deepsort": Comparison("deepsort", with_features=True),
    "motdt": Comparison("motdt", with_features=True),
}


@dataclass(slots=True)
class _Contender:
    """A tracker on one stream: how to make it, what to feed it, and what was measured."""

    make: Callable[[], Callable[[Any], Any]]
    inputs: Sequence[Any]
    rows_of: Callable[[Any], tuple[NDArray[Any], NDArray[Any]]]
    milliseconds: list[float] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)

    def run(self, *, warm_up: int | None = None) -> None:
        """Feed the stream, or its first ``warm_up`` frames, to a new tracker; a warm-up leaves no trace."""
        update = self.make()
        outputs = []
        total = 0
        gc.collect()
        for inputs in self.inputs[:warm_up]:
            start = time.perf_counter_ns()
            output = update(inputs)
            total += time.perf_counter_ns() - start
            outputs.append(output)
        if warm_up is None:
            self.milliseconds.append(total / len(self.inputs) / 1e6)
            self.outputs = outputs

    def tracks(self) -> MotTracks:
        rows = [self.rows_of(output) for output in self.outputs]
        counts = [len(ids) for ids, _ in rows]
        return MotTracks.from_arrays(
            np.repeat(np.arange(1, len(rows) + 1), counts),
            np.concatenate([ids for ids, _ in rows]),
            np.concatenate([boxes.reshape(-1, 4) for _, boxes in rows]),
        )


def frames_for(people: int) -> int:
    """Return a length that keeps a run short with many people: 300 frames up to 30, 200 at 100, 60 at 300."""
    return 300 if people <= 30 else 200 if people <= 100 else 60


def compare_trackers(
    *,
    people: Sequence[int] = (10, 30, 100, 300),
    frames: int | None = None,
    repeats: int = 5,
    trackers: Sequence[str] | None = None,
    seed: int = 0,
    with_peers: bool = True,
    settings: AssociationSettings | None = None,
    advance: Callable[[str], None] = lambda step: None,
) -> dict[str, Any]:
    """Measure trackers on synthetic streams.

    Args:
        people: one stream for each number of people.
        frames: length of the streams; left out: :func:`frames_for`.
        repeats: how often each is measured.
        trackers: names of :data:`COMPARISONS`; left out: all.
        seed: of the streams.
        with_peers: False: ours only.
        settings: thresholds of both sides.
        advance: called with a line on what comes next, ``len(people) * repeats * len(trackers)`` times.

    Returns:
        ``settings`` (dictionary) and ``rows``: for each stream, tracker and implementation its milliseconds per frame
        (median over the repeats, lowest, highest) and its HOTA, MOTA, IDF1 (percent), IDSW, FP and FN on the stream;
        ours also ``speed_ratio`` (median of the repeats' ratios) and ``speed_target`` (at 100 people); ``engines`` of
        the metrics.

    Raises:
        InputError: unknown tracker, or a number below 1.
    """
    names = list(COMPARISONS) if trackers is None else list(trackers)
    if not names:
        raise InputError(f"no tracker to measure; known: {', '.join(COMPARISONS)}")
    for name in names:
        if name not in COMPARISONS:
            raise InputError(f"unknown tracker {name!r}: {nearest_name_hint(name, COMPARISONS)}")
    if repeats < 1:
        raise InputError(f"repeats is {repeats}; give at least 1")
    settings = settings or AssociationSettings()
    rows: list[dict[str, Any]] = []
    engines: dict[str, str] = {}
    for count in people:
        stream = make_stream(StreamSettings(people=count, frames=frames or frames_for(count), seed=seed))
        pairs = [_contenders(COMPARISONS[name], stream, settings, with_peers=with_peers) for name in names]
        for pair in pairs:
            for contender in pair.values():
                # The first stream is run whole: some things are imported only when a frame needs them.
                contender.run(warm_up=len(contender.inputs) if not rows else _WARM_UP_FRAMES)
        for repeat in range(repeats):
            for name, pair in zip(names, pairs, strict=True):
                advance(f"{count} people, {name}, repeat {repeat + 1}")
                for contender in list(pair.values())[:: 1 if repeat % 2 == 0 else -1]:
                    contender.run()
        for name, pair in zip(names, pairs, strict=True):
            more, engines = _rows(name, COMPARISONS[name], pair, stream)
            rows += more
    return {
        "settings": {
            "people": list(people),
            "repeats": repeats,
            "seed": seed,
            "association": asdict(settings),
            "stream": asdict(StreamSettings(seed=seed)) | {"people": list(people), "frames": frames or "by people"},
            "trackers": {name: COMPARISONS[name].parameters(settings, StreamSettings().frame_rate) for name in names},
        },
        "rows": rows,
        "engines": engines,
    }


def _contenders(
    comparison: Comparison, stream: SyntheticStream, settings: AssociationSettings, *, with_peers: bool
) -> dict[str, _Contender]:
    frame_rate = stream.settings.frame_rate
    parameters = comparison.parameters(settings, frame_rate)
    detections = stream.frames
    if not comparison.with_features:
        detections = [Detections(part.boxes, part.scores, part.classes) for part in stream.frames]

    def make_ours() -> Callable[[Any], Any]:
        tracker = create_tracker(comparison.tracker, frame_rate=frame_rate, **parameters)
        return lambda inputs: tracker.update(inputs[0], time=inputs[1])

    ours = _Contender(
        make_ours,
        [(part, index / frame_rate) for index, part in enumerate(detections)],
        lambda tracks: (tracks.ids, tracks.boxes),
    )
    found = {f"multicam {version('multicam-tracker')}": ours}
    if comparison.peer is not None and with_peers:
        peer = comparison.peer

        def make_peer() -> Callable[[Any], Any]:
            return UltralyticsTracker(peer, settings, with_features=comparison.with_features).update

        prepare = UltralyticsTracker(peer, settings, with_features=comparison.with_features).prepare
        found[f"ultralytics {version('ultralytics')}"] = _Contender(
            make_peer, [prepare(part) for part in detections], _peer_rows
        )
    return found


def _peer_rows(output: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
    table = output.reshape(-1, 8)
    return table[:, 4].astype(np.int64), table[:, :4]


def _rows(
    name: str, comparison: Comparison, pair: dict[str, _Contender], stream: SyntheticStream
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    rows = []
    engines: dict[str, str] = {}
    for implementation, contender in pair.items():
        scored = score_sequences({"stream": pair_boxes(stream.truth, contender.tracks())})
        engines = {metric: scored["engines"][metric] for metric in _QUALITY}
        rows.append(
            {
                "name": name,
                "implementation": implementation,
                "sequence": f"{stream.settings.people} people",
                "people": stream.settings.people,
                "frames": stream.settings.frames,
                "milliseconds_per_frame": statistics.median(contender.milliseconds),
                "milliseconds_lowest": min(contender.milliseconds),
                "milliseconds_highest": max(contender.milliseconds),
                **{metric: scored["rows"][0][metric] for metric in _QUALITY},
            }
        )
    if len(pair) == 2:
        ours, peer = (contender.milliseconds for contender in pair.values())
        rows[0]["speed_ratio"] = statistics.median(theirs / mine for mine, theirs in zip(ours, peer, strict=True))
        rows[0]["speed_target"] = comparison.target if stream.settings.people == _TARGET_PEOPLE else None
    return rows, engines
