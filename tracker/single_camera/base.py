"""SingleCameraTracker: the frame loop that all trackers share.

A tracker is a motion model, a list of association stages and rules of life. One update predicts, runs the stages that
``associate`` yields, corrects the matched tracks, lets tracks be born and die, and reports. All of it works on the
arrays of one ``TrackTable`` and on lists of candidate pairs; nothing loops over tracks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tracker.association.appearance import AppearanceMemory, unit_vectors
from tracker.association.assignment import assign_pairs
from tracker.association.costs import iou, overlapping_pairs
from tracker.detections import Detections
from tracker.errors import InputError
from tracker.motion.kalman import create_filter
from tracker.single_camera.long_steps import LONG_STEP, Pace, walked_on
from tracker.single_camera.stages import Image, Indices, Mask, Observation, Pairs, Stage
from tracker.track_table import LOST, TENTATIVE, TRACKED, UNMATCHED, TrackTable
from tracker.tracks import Tracks

__all__ = ["SingleCameraTracker", "check_range"]

#: seconds; a stream that was interrupted for longer shows other people in the same places
LONGEST_GAP = 1.0
#: pictures, at a stream's usual pace: one in which somebody is not found ends no track, and without more it was
#: interrupted
_MISSED_PICTURES, _GAP_PICTURES = 1.5, 2.5
_NO_IDS: NDArray[np.int64] = np.zeros(0, np.int64)
_NONE: Indices = np.zeros(0, np.intp)


class SingleCameraTracker:
    """Tracks of one camera from the detections of its frames.

    Args:
        frame_rate: nominal frames per second: the unit of the motion model's time step, and the step between updates
            that come without a time.
        lost_track_seconds: how long a track that is not matched is kept.
        confirmation_hits: matched detections, the first included, that make a track a confirmed one.
        immediate_updates: tracks born in that many first updates are confirmed at once.

    Raises:
        InputError: a parameter is out of range.
    """

    name: ClassVar[str]
    #: whether appearance features of detections are used when they are there
    uses_features: ClassVar[bool] = False
    #: whether the image of the frame is used when it is there
    uses_image: ClassVar[bool] = False
    #: state form of the motion filter
    form: ClassVar[str] = "xyah"
    #: float64 rows per track besides the table's own
    extra: Mapping[str, int] = MappingProxyType({})
    #: tentative tracks die at their first miss
    drops_tentative: ClassVar[bool] = True
    #: the size of a lost track's box stands still
    freezes_lost_size: ClassVar[bool] = True

    def __init__(
        self,
        *,
        frame_rate: float,
        lost_track_seconds: float,
        confirmation_hits: int,
        immediate_updates: int = 0,
    ) -> None:
        check_range("frame_rate", frame_rate, 1e-6, 1e6)
        check_range("lost_track_seconds", lost_track_seconds, 0.0, math.inf)
        check_range("confirmation_hits", confirmation_hits, 1, math.inf)
        self.frame_rate = float(frame_rate)
        self.lost_track_seconds = float(lost_track_seconds)
        self.confirmation_hits = int(confirmation_hits)
        self.immediate_updates = int(immediate_updates)
        self.motion = create_filter(self.form)
        self.reset()

    def reset(self) -> None:
        """Forget all tracks and times; identifiers start at 1 again."""
        self.table = TrackTable(self.extra)
        self.appearance: AppearanceMemory | None = self._new_appearance()
        self.removed_ids: NDArray[np.int64] = _NO_IDS
        self._pace = Pace()
        self._updates = 0
        self.time: float | None = None
        self._next_id = 1
        self._class: int | None = None
        self._several_classes = False
        self.shown: Indices = _NONE

    # What an algorithm says of itself.

    def associate(self, frame: Observation) -> Iterator[Stage]:
        """Yield the stages in order; what a stage matched is known to the next ones."""
        raise NotImplementedError

    def newborn(self, frame: Observation, free: Mask) -> Mask:
        """Return which of the unmatched detections ``free`` (M,) start a track."""
        return free

    def compensate(self, frame: Observation) -> None:
        """Act on predicted states before their boxes are taken: the place for the camera's own motion."""

    def prepare(self, frame: Observation) -> None:
        """Act on the frame's detections, with the tracks' predicted boxes known, before the association."""

    def matched(self, frame: Observation, tracks: Indices, detections: Indices) -> None:
        """Act on matches before the motion filter is corrected by them."""

    def concluded(self, frame: Observation, unmatched: Mask) -> None:
        """Act after matches are applied; ``unmatched`` (N,) tracks have found nothing."""

    def reported(self, frame: Observation) -> Mask:
        """Return which tracks of the table (N,) are reported."""
        table = self.table
        return (table.detection > UNMATCHED) & (table.status == TRACKED)

    def reported_boxes(self, tracks: Indices) -> NDArray[np.float64]:
        """Return the (4, K) boxes that are reported for ``tracks``."""
        return self.motion.boxes(self.table.state[0].take(tracks, axis=1))

    def _new_appearance(self) -> AppearanceMemory | None:
        return None

    # What a user calls.

    def update(self, detections: Detections, image: Image | None = None, time: float | None = None) -> Tracks:
        """Take in one frame and return its confirmed tracks.

        Args:
            detections: the frame's detections; none is ordinary input.
            image: (H, W, 3) BGR uint8, used only where ``uses_image``.
            time: seconds, later than the last one; by default one nominal frame interval later.

        Raises:
            InputError: the time does not increase, or the features change their length.
        """
        frame = self._observe(detections, image, time)
        table = self.table
        self.removed_ids = _NO_IDS
        if len(table):
            self._predict(frame)
        else:
            frame.track_boxes = np.zeros((4, 0))
            self.compensate(frame)
            self.prepare(frame)
        tracks, columns, free = self._match(frame)
        self._apply(frame, tracks, columns)
        dead = self._pass_judgement(frame)
        starting, born = self._give_birth(frame, free)
        if dead is not None or born is not None:
            self._replace(dead, born)
        if born is not None and self.appearance is not None:
            self._remember(frame, np.arange(len(table) - len(born), len(table)), starting)
        return self._report(frame)

    @property
    def active_ids(self) -> NDArray[np.int64]:
        """Identifiers of the confirmed tracks that the last update matched."""
        return self.table.id[(self.table.status == TRACKED) & (self.table.id > 0)]

    @property
    def believed_ids(self) -> NDArray[np.int64]:
        """Identifiers of the tracks that the last update matched and that are somebody, as far as is known by then."""
        return self.active_ids

    @property
    def lost_ids(self) -> NDArray[np.int64]:
        """Identifiers of the confirmed tracks that are kept although the last update did not match them."""
        return self.table.id[(self.table.status == LOST) & (self.table.id > 0)]

    @property
    def patience(self) -> float:
        """How long an unmatched track is kept, seconds: one picture without it ends none, however rare they are."""
        return self._pace.at_least(self.lost_track_seconds, _MISSED_PICTURES)

    # The steps of an update.

    def _observe(self, detections: Detections, image: Image | None, time: float | None) -> Observation:
        frame = Observation()
        interval = 1.0 / self.frame_rate
        if time is None:
            frame.time = 0.0 if self.time is None else self.time + interval
            frame.dt = 1.0
        else:
            frame.time = float(time)
            if not math.isfinite(frame.time) or (self.time is not None and frame.time <= self.time):
                raise InputError(
                    f"time {time} s does not come after the last one, {self.time} s: give each frame of a camera a "
                    "later time, or call reset() when a stream starts again"
                )
            frame.dt = 1.0 if self.time is None else (frame.time - self.time) * self.frame_rate
            # times that were rounded or summed up still mean whole frames
            if abs(frame.dt - 1.0) < 1e-6:
                frame.dt = 1.0
        if self.time is not None:
            self._pace.note(frame.time - self.time)
        frame.units = frame.embedded = frame.pairs = None
        if self.appearance is not None and detections.features is not None and detections.features.size:
            dimension = detections.features.shape[1]
            if self.appearance.dimension is None:
                self.appearance.dimension = dimension
            elif dimension != self.appearance.dimension:
                raise InputError(
                    f"features of length {dimension} after features of length {self.appearance.dimension}: use one "
                    "embedder for a stream, or call reset() before changing it"
                )
            frame.units, frame.embedded = unit_vectors(detections.features)
        frame.boxes = detections.boxes.T.astype(np.float64, order="C")
        frame.measurements = self.motion.measure(frame.boxes)
        frame.scores, frame.classes = detections.scores, detections.classes
        frame.indices = np.arange(len(detections))
        frame.image = image
        self.time = frame.time
        self._updates += 1
        if not self._several_classes and len(frame.classes):
            if self._class is None:
                self._class = int(frame.classes[0])
            self._several_classes = bool((frame.classes != self._class).any())
        return frame

    def _predict(self, frame: Observation) -> None:
        table = self.table
        longest = self._pace.at_least(max(self.lost_track_seconds, LONGEST_GAP, 2.0 / self.frame_rate), _GAP_PICTURES)
        if frame.dt > longest * self.frame_rate:
            gone = table.last_seen < frame.time - longest
            if gone.any():
                self._replace(gone, None)
        tracked = table.status != LOST if self.freezes_lost_size else None
        self.motion.predict(table.state, frame.dt, tracked)
        self.compensate(frame)
        frame.track_boxes = self.motion.boxes(table.state[0])
        self.prepare(frame)

    def overlaps(self, frame: Observation) -> Pairs:
        """Return all pairs of tracks and detections of one class whose boxes overlap."""
        if frame.pairs is None:
            rows, columns = overlapping_pairs(frame.track_boxes, frame.boxes)
            first, second = frame.track_boxes.take(rows, axis=1), frame.boxes.take(columns, axis=1)
            frame.pairs = self.of_one_class(frame, Pairs(rows, columns, iou(first, second)))
        return frame.pairs

    def of_one_class(self, frame: Observation, pairs: Pairs) -> Pairs:
        """Return the pairs whose track and detection have the same class."""
        if not self._several_classes:
            return pairs
        same = self.table.class_number[pairs.rows] == frame.classes[pairs.columns]
        return pairs if same.all() else pairs.take(same.nonzero()[0])

    def _stages(self, frame: Observation) -> Iterator[Stage]:
        yield from self.associate(frame)
        if frame.dt > LONG_STEP * self.frame_rate and frame.free_tracks.any() and frame.free_detections.any():
            yield walked_on(self.table, frame, self.newborn(frame, frame.free_detections.copy()))

    def _match(self, frame: Observation) -> tuple[Indices, Indices, Mask]:
        """Run the stages; return matched tracks, their detections, and the mask of free detections."""
        shape = len(self.table), len(frame)
        free_tracks, free_detections = np.ones(shape[0], bool), np.ones(shape[1], bool)
        frame.free_tracks, frame.free_detections = free_tracks, free_detections
        tracks: list[Indices] = []
        columns: list[Indices] = []
        for stage in self._stages(frame) if shape[0] and shape[1] else ():
            pairs = self.overlaps(frame) if stage.pairs is None else stage.pairs
            usable = (stage.tracks & free_tracks)[pairs.rows]
            usable &= (stage.detections & free_detections)[pairs.columns]
            candidates = usable.nonzero()[0]
            if not len(candidates):
                continue
            pairs = pairs.take(candidates)
            costs = stage.cost(pairs)
            good = (costs <= stage.maximum).nonzero()[0]
            if len(good) < len(costs):
                pairs, costs = pairs.take(good), costs[good]
            chosen = assign_pairs(pairs.rows, pairs.columns, costs, stage.maximum, shape)
            rows, detections = pairs.rows[chosen], pairs.columns[chosen]
            free_tracks[rows] = False
            free_detections[detections] = False
            tracks.append(rows)
            columns.append(detections)
        if not tracks:
            return _NONE, _NONE, free_detections
        if len(tracks) == 1:
            return tracks[0], columns[0], free_detections
        return np.concatenate(tracks), np.concatenate(columns), free_detections

    def _apply(self, frame: Observation, tracks: Indices, columns: Indices) -> None:
        table = self.table
        table.detection[...] = UNMATCHED
        table.misses += 1
        if len(tracks):
            self.matched(frame, tracks, columns)
            self.motion.update(table.state, tracks, frame.measurements.take(columns, axis=1))
            table.detection[tracks] = frame.indices[columns]
            table.misses[tracks] = 0
            table.hits[tracks] += 1
            table.last_seen[tracks] = frame.time
            table.score[tracks] = frame.scores[columns]
            if self.appearance is not None:
                self._remember(frame, tracks, columns)

    def _pass_judgement(self, frame: Observation) -> Mask | None:
        """Set every track's status; return the mask of those that die, ``None`` for none."""
        table = self.table
        if not len(table):
            return None
        status = table.status
        unmatched = table.detection == UNMATCHED
        table.streak += 1
        table.streak[unmatched] = 0
        confirmed = (status != TENTATIVE) | (table.hits >= self.confirmation_hits)
        # confirmed: tracked (1) where matched, lost (2) where not; tentative (0) else
        np.multiply(unmatched, LOST - TRACKED, out=status)
        status += TRACKED
        status *= confirmed
        self.concluded(frame, unmatched)
        if not unmatched.any():
            return None
        expired = table.last_seen < frame.time - self.patience - 1e-6
        if self.drops_tentative:
            expired |= status == TENTATIVE
        expired &= unmatched
        return expired if expired.any() else None

    def _give_birth(self, frame: Observation, free: Mask) -> tuple[Indices, TrackTable | None]:
        starting = self.newborn(frame, free).nonzero()[0]
        if not len(starting):
            return starting, None
        if len(starting) > 1:
            # not the detector's order, so that identifiers do not depend on it
            boxes = frame.boxes[:, starting]
            starting = starting[np.lexsort((boxes[3], boxes[2], boxes[1], boxes[0], -frame.scores[starting]))]
        born = self.table.newborn(
            self.motion.initiate(frame.measurements.take(starting, axis=1)),
            frame.time,
            frame.scores[starting],
            frame.classes[starting],
            frame.indices[starting],
        )
        if self._updates <= self.immediate_updates or self.confirmation_hits <= 1:
            born.status[...] = TRACKED
        self.started(frame, born, starting)
        return starting, born

    def started(self, frame: Observation, born: TrackTable, detections: Indices) -> None:
        """Fill what an algorithm keeps besides in the new tracks ``born``."""

    def _replace(self, dead: Mask | None, born: TrackTable | None) -> None:
        table = self.table
        kept = None
        if dead is not None:
            removed = table.id[dead]
            removed = removed[removed > 0]
            if len(removed):
                self.removed_ids = np.concatenate([self.removed_ids, removed])
            kept = (~dead).nonzero()[0]
        table.replace(kept, born)
        if dead is not None and self.appearance is not None and self.appearance.capacity:
            holding = (table.slot >= 0).nonzero()[0]
            moved = self.appearance.shrink(table.slot[holding])
            if moved is not None:
                table.slot[holding] = moved

    def _remember(self, frame: Observation, tracks: Indices, columns: Indices) -> None:
        """Take the features of matched or new detections into the tracks' memory."""
        if frame.units is None or frame.embedded is None or self.appearance is None or not len(tracks):
            return
        embedded = frame.embedded[columns]
        if not embedded.all():
            tracks, columns = tracks[embedded], columns[embedded]
            if not len(tracks):
                return
        slots = self.table.slot[tracks]
        missing = slots < 0
        if missing.any():
            used = self.table.slot[self.table.slot >= 0]
            slots[missing] = self.appearance.allocate(int(missing.sum()), used)
            self.table.slot[tracks] = slots
        self.appearance.add(slots, frame.units.take(columns, axis=0))

    def _report(self, frame: Observation) -> Tracks:
        table = self.table
        tracks = self.shown = self.reported(frame).nonzero()[0]
        if not len(tracks):
            return Tracks.empty()
        ids = table.id[tracks]
        if not ids.all():
            new = (ids == 0).nonzero()[0]
            ids[new] = np.arange(self._next_id, self._next_id + len(new))
            table.id[tracks] = ids
            self._next_id += len(new)
        boxes = self.reported_boxes(tracks).T.astype(np.float32, order="C")
        low, high = boxes[:, :2], boxes[:, 2:]
        if not (high > low).all():
            # narrower than float32 can tell at this distance from the origin
            np.maximum(high, np.nextafter(low, np.float32(np.inf)), out=high)
        found = np.maximum(table.detection[tracks], -1)
        return Tracks(ids, boxes, table.score[tracks].astype(np.float32), table.class_number[tracks], found)


def check_range(name: str, value: float, least: float, greatest: float) -> None:
    """Raise an ``InputError`` naming the parameter unless ``least`` ≤ ``value`` ≤ ``greatest``."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise InputError(f"{name} is {value!r}; give a number")
    if not least <= value <= greatest:
        wanted = f"from {least:g} to {greatest:g}" if math.isfinite(greatest) else f"of at least {least:g}"
        if not math.isfinite(least):
            wanted = "that is a number"
        raise InputError(f"{name} is {value}; give a value {wanted}")
