"""Which crops are embedded: only those that may change who somebody is taken for.

Embedding is the dearest step for many people, and most crops say again what is known. ``where-needed`` embeds a track

- while it is new, until enough crops say how it looks;
- again so, when a tracker may have slipped to somebody else: it was out of sight, its box jumped or changed its size,
  or it met another and came out again;
- now and then (*refresh*), so that a slip which nothing showed is found all the same;
- when it is seen clearly better than in any crop before.

``every`` embeds a track all the time, a few times a second. Trackers that look at appearance themselves want vectors
before it is known which track a detection belongs to: there the box of the last frame says which it surely is
(:func:`presumed_tracks`), and what is not sure is embedded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from tracker.cross_camera.crop_quality import areas, intersections, overlap_with_others

__all__ = ["EmbeddingRule", "EmbeddingSettings", "presumed_tracks"]

#: crops of a track that are embedded one after the other, whatever the interval
_AT_ONCE = 4
#: out of sight is who was not seen for longer than this, and than so many frames of the camera
_UNSEEN_SECONDS, _UNSEEN_FRAMES = 0.3, 2.5
#: a box that grows or shrinks by more, or moves by more than this share of its height, from one frame to the next
_RESIZED, _JUMPED = 1.4, 0.6
#: an encounter is over when others cover less than this share of what began it
_OVER = 0.5
#: intersection over union from which two boxes of neighbouring frames are one person's, and below which others are not
_SAME, _OTHER = 0.5, 0.2


class EmbeddingSettings(BaseModel):
    """When a track's crops are embedded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: str = Field(default="every", pattern="^(where-needed|every)$")
    settled_crops: int = Field(default=8, ge=4, description="crops after which it is known how a track looks")
    refresh_seconds: float = Field(
        default=1.0, gt=0, description="a track whose looks are known is embedded this often"
    )
    encounter_overlap: float = Field(
        default=0.3, gt=0, lt=1, description="share of a box that another covers: they meet"
    )
    better: float = Field(default=1.5, gt=1, description="so much better than all before a crop is worth embedding")

    def describe(self, interval_seconds: float) -> str:
        """Return the rule in one sentence."""
        if self.rule == "every":
            return f"every crop that is fit, of each track at most one in {interval_seconds:g} s after the first four"
        return (
            f"the first {self.settled_crops} fit crops of a track, and as many after it was out of sight, jumped or "
            f"met another; then one in {self.refresh_seconds:g} s, and any that is {self.better:g} times better than "
            "all before"
        )


@dataclass(slots=True)
class _State:
    """What is known of a track: the crops embedded since it was last sure who it is, and how it was seen."""

    seen: float
    box: NDArray[np.float32]
    embedded: float = -np.inf
    crops: int = 0
    best: float = 0.0
    meeting: bool = False


class EmbeddingRule:
    """Chooses crops of one camera; the tracks' states end with them (``ended``), so memory is bounded.

    Args:
        settings: the rule.
        interval_seconds: crops of one track are at least so far apart, after the first few.
    """

    def __init__(self, settings: EmbeddingSettings, interval_seconds: float) -> None:
        self.settings = settings
        self._interval = interval_seconds
        self._tracks: dict[int, _State] = {}
        self._frame_interval = 0.0
        self._time: float | None = None
        #: crops that were fit and embedded, and those that were not needed
        self.embedded = self.skipped = 0

    def __len__(self) -> int:
        return len(self._tracks)

    def choose(
        self,
        time: float,
        tracks: NDArray[np.int64],
        boxes: NDArray[np.float32],
        qualities: NDArray[np.float32],
        overlaps: NDArray[np.float32] | None = None,
    ) -> NDArray[np.bool_]:
        """Return which crops of a frame are to be embedded (N,), and take it that they are.

        Args:
            time: seconds.
            tracks: (N,) numbers; below 1: nobody knows whose crop it is.
            boxes: (N, 4) ``x1, y1, x2, y2`` pixels.
            qualities: (N,) 0…1, 0: not fit to be embedded.
            overlaps: (N,) share of each box that another one covers; ``None``: by these boxes.
        """
        if self._time is not None and time > self._time:
            step = time - self._time
            # Follows the camera's pace within some frames; an interruption is no pace.
            self._frame_interval = step if not self._frame_interval else min(
                0.9 * self._frame_interval + 0.1 * step, 2 * self._frame_interval
            )  # fmt: skip
        self._time = time
        covered = overlap_with_others(boxes) if overlaps is None else overlaps
        chosen = np.zeros(len(tracks), bool)
        rows = zip(tracks.tolist(), boxes, qualities.tolist(), covered.tolist())
        for row, (track, box, quality, overlap) in enumerate(rows):
            if track < 1:
                chosen[row] = quality > 0
                continue
            state = self._look(track, time, box, overlap)
            if quality > 0 and self._wanted(state, time, quality):
                chosen[row] = True
                state.embedded, state.best = time, max(state.best, quality)
                state.crops += 1
        fit = int(np.count_nonzero(qualities > 0))
        taken = int(np.count_nonzero(chosen))
        self.embedded += taken
        self.skipped += fit - taken
        return chosen

    def ended(self, tracks: Iterable[int]) -> None:
        """Forget tracks that are no more."""
        for track in tracks:
            self._tracks.pop(track, None)

    def renew(self, tracks: Iterable[int] | None = None) -> None:
        """Let it be unknown again how tracks look, all of them by default: somebody has changed who they are."""
        for track in list(self._tracks) if tracks is None else tracks:
            if track in self._tracks:
                self._tracks[track].crops = 0

    def keep_only(self, tracks: Collection[int]) -> None:
        """Forget all tracks but these."""
        self.ended([track for track in self._tracks if track not in tracks])

    def _look(self, track: int, time: float, box: NDArray[np.float32], overlap: float) -> _State:
        """Return the state of a track that is seen just now; doubt begins its count anew."""
        state = self._tracks.get(track)
        if state is None:
            state = self._tracks[track] = _State(time, box)
        elif self.settings.rule == "every":
            return state
        elif self._out_of_sight(time - state.seen) or _moved(state.box, box):
            state.crops, state.best = 0, 0.0
        if overlap >= self.settings.encounter_overlap:
            state.meeting = True
        elif state.meeting and overlap < _OVER * self.settings.encounter_overlap:
            state.meeting, state.crops, state.best = False, 0, 0.0
        state.seen, state.box = time, box
        return state

    def _out_of_sight(self, seconds: float) -> bool:
        return seconds > max(_UNSEEN_SECONDS, _UNSEEN_FRAMES * self._frame_interval)

    def _wanted(self, state: _State, time: float, quality: float) -> bool:
        since = time - state.embedded
        if state.crops < _AT_ONCE:
            return True
        if since < self._interval:
            return False
        if self.settings.rule == "every" or state.crops < self.settings.settled_crops:
            return True
        return since >= self.settings.refresh_seconds or quality > self.settings.better * state.best


def presumed_tracks(
    boxes: NDArray[np.float32], before: NDArray[np.float32], tracks: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return which track each box (N, 4) surely belongs to (N,), 0 where that is not sure.

    Sure is a box that overlaps one box of the frame before well and no other at all, as that one does it.

    Args:
        boxes: of this frame, ``x1, y1, x2, y2`` pixels.
        before: (M, 4) of the tracks in the frame before.
        tracks: (M,) their numbers.
    """
    result = np.zeros(len(boxes), np.int64)
    if not len(boxes) or not len(before):
        return result
    together = np.concatenate([boxes, before]).astype(np.float32)
    shared = intersections(together)[: len(boxes), len(boxes) :]
    size = areas(together)
    ratio = shared / np.maximum(size[: len(boxes), None] + size[len(boxes) :] - shared, 1e-6)
    best = ratio.argmax(axis=1)
    rows = np.arange(len(boxes))
    near = ratio > _OTHER
    sure = (ratio[rows, best] >= _SAME) & (near.sum(axis=1) == 1) & (near.sum(axis=0)[best] == 1)
    result[sure] = tracks[best[sure]]
    return result


def _moved(before: NDArray[np.float32], now: NDArray[np.float32]) -> bool:
    old, new = float(before[3] - before[1]), float(now[3] - now[1])
    if max(old, new) > _RESIZED * max(min(old, new), 1e-6):
        return True
    middle = float(now[0] + now[2] - before[0] - before[2]) / 2
    # At the feet and at the head: one of them stays when somebody is partly hidden.
    moved = min(abs(float(now[1] - before[1])), abs(float(now[3] - before[3])))
    return float(np.hypot(middle, moved)) > _JUMPED * max(old, new)
