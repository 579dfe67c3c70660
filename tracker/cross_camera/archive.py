"""What is kept of tracklets that are too old to be settled again: the looks of their identities, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from tracker.cross_camera.appearance import AppearanceSummary
from tracker.cross_camera.tracklets import Tracklet

__all__ = ["Archive"]


class Archive:
    """Identities whose older tracklets are decided for good.

    Args:
        capacity: identities kept; the one seen longest ago is forgotten first.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._views: dict[int, dict[int, AppearanceSummary]] = {}
        self._last: dict[int, float] = {}
        self._spans: dict[int, list[tuple[int, float, float]]] = {}

    def __len__(self) -> int:
        return len(self._views)

    def __contains__(self, identity: int) -> bool:
        return identity in self._views

    def add(self, tracklet: Tracklet) -> None:
        """Keep the looks of a tracklet whose identity is final."""
        assert tracklet.identity is not None
        views = self._views.setdefault(tracklet.identity, {})
        views.setdefault(tracklet.camera, AppearanceSummary(tracklet.summary.capacity)).absorb(tracklet.summary)
        self._last[tracklet.identity] = max(self._last.get(tracklet.identity, -np.inf), tracklet.end)
        self._spans.setdefault(tracklet.identity, []).append((tracklet.camera, tracklet.start, tracklet.end))

    def restore(self, identity: int, views: Mapping[int, AppearanceSummary], last_seen: float) -> None:
        """Keep the looks of an identity of an earlier run, last seen at ``last_seen`` seconds."""
        self._views[identity] = dict(views)
        self._last[identity] = last_seen

    def merge(self, identity: int, into: int) -> None:
        """Note that an identity turned out to be another one."""
        for camera, summary in self._views.pop(identity, {}).items():
            views = self._views.setdefault(into, {})
            # Others may hold the same summary.
            both = AppearanceSummary(summary.capacity)
            both.absorb(summary)
            if camera in views:
                both.absorb(views[camera])
            views[camera] = both
        if identity in self._last:
            self._last[into] = max(self._last.pop(identity), self._last.get(into, -np.inf))
        if identity in self._spans:
            self._spans.setdefault(into, []).extend(self._spans.pop(identity))

    def split_off(self, identity: int, new: int, camera: int, start: float, end: float) -> None:
        """Note that an identity, as it was seen in one camera in start ≤ time ≤ end, is ``new``."""
        views = self._views.get(identity, {})
        if camera in views:
            inside, outside = views[camera].parted(start, end)
            if inside.count:
                self._views.setdefault(new, {})[camera] = inside
                self._last[new] = float(inside.times[-1])
                if outside.count:
                    views[camera] = outside
                else:
                    del views[camera]
            if not views:
                del self._views[identity], self._last[identity]
        spans = self._spans.get(identity, [])
        moved = [span for span in spans if span[0] == camera and span[1] <= end and span[2] >= start]
        if moved:
            self._spans[identity] = [span for span in spans if span not in moved]
            self._spans.setdefault(new, []).extend(moved)

    def forget_before(self, time: float, earlier_time: float) -> None:
        """Forget looks of before ``time``, and identities of whom none are left; both in seconds.

        Args:
            time: of cameras of this run.
            earlier_time: of those of earlier runs, whose numbers are negative.
        """
        for identity in list(self._views):
            views = self._views[identity]
            for camera in list(views):
                oldest = time if camera >= 0 else earlier_time
                times = views[camera].times
                if len(times) and times[0] >= oldest:
                    continue
                _, left = views[camera].parted(-np.inf, float(np.nextafter(oldest, -np.inf)))
                if left.count:
                    views[camera] = left
                else:
                    del views[camera]
            if not views:
                self.forget(identity)

    def forget(self, identity: int) -> None:
        """Forget an identity."""
        for part in (self._views, self._last, self._spans):
            part.pop(identity, None)

    def camera_shares(self, identity: int) -> dict[int, float]:
        """Return camera → share of the looks of an archived identity that are from there."""
        views = self._views.get(identity, {})
        total = sum(summary.weight for summary in views.values())
        return {camera: summary.weight / total for camera, summary in views.items() if total > 0}

    def prune(self, oldest: float, *, keep: set[int]) -> None:
        """Forget when identities were where before ``oldest`` seconds, and whole identities beyond the capacity."""
        for identity in list(self._spans):
            self._spans[identity] = [span for span in self._spans[identity] if span[2] >= oldest]
            if not self._spans[identity]:
                del self._spans[identity]
        excess = len(self._views) - self.capacity
        if excess > 0:
            candidates = sorted((last, identity) for identity, last in self._last.items() if identity not in keep)
            for _, identity in candidates[:excess]:
                del self._views[identity], self._last[identity]

    def identities_beside(self, tracklet: Tracklet, *, any_camera: bool) -> set[int]:
        """Return archived identities that were in the tracklet's camera (or in any) while it lived."""
        return {
            identity
            for identity, spans in self._spans.items()
            if any(
                (any_camera or camera == tracklet.camera) and start <= tracklet.end and tracklet.start <= end
                for camera, start, end in spans
            )
        }

    def views(self) -> dict[int, dict[int, AppearanceSummary]]:
        """Return copies of the looks: identity → camera → summary."""
        copies: dict[int, dict[int, AppearanceSummary]] = {}
        for identity, by_camera in self._views.items():
            copies[identity] = {}
            for camera, summary in by_camera.items():
                copies[identity][camera] = AppearanceSummary(summary.capacity)
                copies[identity][camera].absorb(summary)
        return copies

    def anchors(
        self, held: set[int], looks: NDArray[np.float32], near: float
    ) -> list[tuple[Tracklet, AppearanceSummary]]:
        """Return one node for each archived identity that matters to a settlement.

        Args:
            held: identities that tracklets still hold.
            looks: (N, D) L2-normalised means of the tracklets to be settled.
            near: cosine distance; an identity nearer than this to any of them matters too.
        """
        found = []
        for identity in sorted(self._views):
            summary = AppearanceSummary()
            for camera in sorted(self._views[identity]):
                summary.absorb(self._views[identity][camera])
            mean = summary.mean
            alike = mean is not None and len(looks) > 0 and float((1.0 - looks @ mean).min()) < near
            if identity in held or alike:
                node = Tracklet(-identity, -1, -1, -np.inf, -np.inf, summary=summary, identity=identity, closed=True)
                found.append((node, summary))
        return found

    def forbidden(self, anchors: Iterable[Tracklet], nodes: list[Tracklet], *, any_camera: bool) -> NDArray[np.bool_]:
        """Return (A, N): the anchor's identity was beside the node, so they are different people."""
        rows = []
        for anchor in anchors:
            spans = self._spans.get(anchor.identity or 0, [])
            rows.append(
                [
                    any(
                        (any_camera or camera == node.camera) and start <= node.end and node.start <= end
                        for camera, start, end in spans
                    )
                    for node in nodes
                ]
            )
        return np.asarray(rows, bool).reshape(len(rows), len(nodes))
