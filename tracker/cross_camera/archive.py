"""What is kept of tracklets that are too old to be settled again: the looks of their identities, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tracker.cross_camera.appearance import AppearanceSummary
from tracker.cross_camera.look_table import LookTable, Views
from tracker.cross_camera.tracklets import Tracklet

__all__ = ["Archive"]


class Archive:
    """Identities whose older tracklets are decided for good.

    Args:
        capacity: identities kept; the one seen longest ago is forgotten first.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        # Summaries and the dictionaries of them are replaced, never changed: others hold them too, and can tell.
        self._views: dict[int, Views] = {}
        self._table = LookTable(_mean)
        self._last: dict[int, float] = {}
        self._spans: dict[int, list[tuple[int, float, float]]] = {}

    def __len__(self) -> int:
        return len(self._views)

    def __contains__(self, identity: int) -> bool:
        return identity in self._views

    def add(self, tracklet: Tracklet) -> None:
        """Keep the looks of a tracklet whose identity is final."""
        assert tracklet.identity is not None
        views = self._views.get(tracklet.identity, {})
        known = views.get(tracklet.camera)
        both = AppearanceSummary(tracklet.summary.capacity) if known is None else known.copy()
        both.absorb(tracklet.summary)
        self._views[tracklet.identity] = {**views, tracklet.camera: both}
        self._last[tracklet.identity] = max(self._last.get(tracklet.identity, -np.inf), tracklet.end)
        self._spans.setdefault(tracklet.identity, []).append((tracklet.camera, tracklet.start, tracklet.end))

    def restore(self, identity: int, views: Mapping[int, AppearanceSummary], last_seen: float) -> None:
        """Keep the looks of an identity of an earlier run, last seen at ``last_seen`` seconds."""
        self._views[identity] = dict(views)
        self._last[identity] = last_seen

    def merge(self, identity: int, into: int) -> None:
        """Note that an identity turned out to be another one."""
        for camera, summary in self._views.pop(identity, {}).items():
            views = self._views.get(into, {})
            both = summary.copy()
            if camera in views:
                both.absorb(views[camera])
            self._views[into] = {**views, camera: both}
        if identity in self._last:
            self._last[into] = max(self._last.pop(identity), self._last.get(into, -np.inf))
        if identity in self._spans:
            self._spans.setdefault(into, []).extend(self._spans.pop(identity))

    def split_off(self, identity: int, new: int, camera: int, start: float, end: float) -> None:
        """Note that an identity, as it was seen in one camera in start ≤ time ≤ end, is ``new``."""
        views = dict(self._views.get(identity, {}))
        if camera in views:
            inside, outside = views[camera].parted(start, end)
            if inside.count:
                self._views[new] = {**self._views.get(new, {}), camera: inside}
                self._last[new] = float(inside.times[-1])
                if outside.count:
                    views[camera] = outside
                else:
                    del views[camera]
                self._views[identity] = views
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
            views = dict(self._views[identity])
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
            self._views[identity] = views
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

    def views(self) -> dict[int, Views]:
        """Return the looks: identity → camera → summary; of an identity of which nothing is new the same objects."""
        return dict(self._views)

    def anchors(
        self,
        nodes: Sequence[Tracklet],
        summaries: Mapping[int, AppearanceSummary],
        near: float,
        most: int | None = None,
        since: float = -np.inf,
    ) -> list[tuple[Tracklet, AppearanceSummary]]:
        """Return one node for each archived identity that matters to a settlement.

        Args:
            nodes: tracklets to be settled; whose identity they hold matters.
            summaries: key → looks.
            near: cosine distance; an identity nearer than this to any of them matters too.
            most: so many of the nearest of each tracklet, and only of those that are nobody yet or of which something
                is new; ``None``: of all tracklets all who are near.
            since: seconds; what ended before is not new.
        """
        compared = nodes
        if most is not None:
            compared = [one for one in nodes if not one.closed or one.end > since or one.identity is None]
        means = [mean for node in compared if (mean := summaries[node.key].mean) is not None]
        matters = {node.identity for node in nodes if node.identity is not None}
        if means:
            matters |= self._alike(np.stack(means), near, most)
        found = []
        for identity in sorted(matters & self._views.keys()):
            summary = _whole(self._views[identity])
            node = Tracklet(-identity, -1, -1, -np.inf, -np.inf, summary=summary, identity=identity, closed=True)
            found.append((node, summary))
        return found

    def forbidden(self, anchors: Iterable[Tracklet], nodes: list[Tracklet], *, any_camera: bool) -> NDArray[np.bool_]:
        """Return (A, N): the anchor's identity was beside the node, so they are different people."""
        cameras = np.array([node.camera for node in nodes])
        starts, ends = np.array([node.start for node in nodes]), np.array([node.end for node in nodes])
        rows = []
        for anchor in anchors:
            beside = np.zeros(len(nodes), bool)
            for camera, start, end in self._spans.get(anchor.identity or 0, []):
                there = (start <= ends) & (starts <= end)
                beside |= there if any_camera else there & (cameras == camera)
            rows.append(beside)
        return np.asarray(rows, bool).reshape(len(rows), len(nodes))

    def _alike(self, looks: NDArray[np.float32], near: float, most: int | None) -> set[int]:
        """Return the identities nearer than ``near`` to any of ``looks`` (N, D), of each at most ``most``."""
        self._table.sync(self._views)
        numbers, distances = self._table.distances(looks)
        alike = distances < near
        if most is not None and most < len(numbers):
            alike &= distances <= np.partition(distances, most - 1, axis=1)[:, most - 1 : most]
        return set(numbers[alike.any(axis=0)].tolist())


def _whole(views: Views) -> AppearanceSummary:
    """Return how somebody looked, wherever they were seen."""
    return AppearanceSummary.pooled([views[camera] for camera in sorted(views)])


def _mean(views: Views) -> NDArray[np.float32]:
    mean = _whole(views).mean
    return np.zeros((0, 0), np.float32) if mean is None else mean[None]
