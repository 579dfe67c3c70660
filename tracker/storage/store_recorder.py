"""What a run sees as it goes on, into a store: boxes thinned out, identities as told, looks as they change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tracker.cross_camera.appearance import AppearanceSummary
from tracker.cross_camera.events import Event
from tracker.cross_camera.identities import Identities
from tracker.cross_camera.identity_settings import CameraObservations
from tracker.storage.store_looks import Look
from tracker.storage.track_store import TrackStore

__all__ = ["StoreRecorder"]


class StoreRecorder:
    """Hands over to a store what happens in every step; the store's run has begun.

    Crops are the caller's to choose: :meth:`TrackStore.add_crop`.

    Args:
        store: where to.
        identities: of the run, whose looks are kept.
        box_seconds: of each track one box in so many seconds is kept, and its last.
        look_seconds: looks that have changed are handed over this often.
        floor: name of the camera of events that hold in every camera.
    """

    def __init__(
        self,
        store: TrackStore,
        identities: Identities,
        *,
        box_seconds: float = 1.0,
        look_seconds: float = 5.0,
        floor: str = "floor",
    ) -> None:
        self.store = store
        self._identities = identities
        self._box_seconds, self._look_seconds, self._floor = box_seconds, look_seconds, floor
        # (camera, track) → when and where it was last seen, and when it was last handed over
        self._last: dict[tuple[str, int], tuple[float, NDArray[np.float32], float]] = {}
        # identity → its views as they were looked at last; camera → crops and their weight in what was handed over
        self._looks: dict[int, tuple[Mapping[int, AppearanceSummary], dict[int, tuple[int, float]]]] = {}
        self._looked = -np.inf

    def record(self, step: Sequence[CameraObservations], events: Sequence[Event]) -> None:
        """Hand over what the cameras reported of one instant, and what then happened to tracks and identities.

        Raises:
            InputError: the store cannot be written; what was handed over is tried again.
        """
        for seen in step:
            for track, box in zip(seen.track_ids.tolist(), seen.boxes):
                key = (seen.camera, track)
                _, _, handed_over = self._last.get(key, (0.0, box, -np.inf))
                if seen.time - handed_over >= self._box_seconds:
                    self.store.observe(seen.camera, track, seen.time, box)
                    handed_over = seen.time
                self._last[key] = (seen.time, box.copy(), handed_over)
        gone = self._tell(events)
        for seen in step:
            for track in seen.ended.tolist():
                self._hand_over_last(seen.camera, track)
        time = max((seen.time for seen in step), default=-np.inf)
        if gone or time - self._looked >= self._look_seconds:
            self._looked = time
            self._hand_over_looks(gone)

    def finish(self, events: Sequence[Event]) -> None:
        """Hand over what the last settlement said, and end the store's run; ``events`` are of ``Identities.finish``."""
        for camera, track in list(self._last):
            self._hand_over_last(camera, track)
        self._hand_over_looks(self._tell(events))
        self.store.end_run()

    def _tell(self, events: Sequence[Event]) -> list[int]:
        """Hand over what was said of tracks; return identities that turned out to be others."""
        gone = []
        for event in events:
            if event.kind in ("identity_assigned", "identity_corrected"):
                assert event.camera is not None and event.track is not None
                assert event.since is not None and event.identity is not None
                camera = None if event.camera == self._floor else event.camera
                self.store.tell(camera, event.track, event.since, event.identity)
            elif event.kind == "identities_merged":
                assert event.identity is not None and event.previous_identity is not None
                self.store.merged(event.previous_identity, event.identity)
                gone.append(event.previous_identity)
        return gone

    def _hand_over_last(self, camera: str, track: int) -> None:
        time, box, handed_over = self._last.pop((camera, track), (0.0, np.zeros(4, np.float32), 0.0))
        if time > handed_over:
            self.store.observe(camera, track, time, box)

    def _hand_over_looks(self, gone: Sequence[int]) -> None:
        looks: list[Look] = []
        no_more: list[tuple[int, str | None]] = [(number, None) for number in gone]
        gallery, cameras = self._identities.gallery, self._identities.cameras
        # Of whom a full gallery forgets the store still knows the looks; otherwise they turned out to be another's.
        full = len(gallery) >= gallery.capacity
        before, self._looks = self._looks, {}
        for known in gallery.identities():
            views, handed_over = before.pop(known.number, (None, {}))
            if views is known.views:
                self._looks[known.number] = (known.views, handed_over)
                continue
            # Cameras of earlier runs have negative numbers, and the store knows them already.
            counts = {
                camera: (summary.count, summary.weight)
                for camera, summary in known.views.items()
                if camera >= 0 and summary.count
            }
            for camera, count in counts.items():
                if handed_over.get(camera) != count:
                    looks.append(Look.of(known.number, cameras[camera], known.views[camera]))
            no_more += [(known.number, cameras[camera]) for camera in handed_over.keys() - counts.keys()]
            self._looks[known.number] = (known.views, counts)
        if not full:
            no_more += [(number, cameras[camera]) for number, (_, counts) in before.items() for camera in counts]
        if looks or no_more:
            self.store.put_looks(looks, no_more)
        means = self._identities.evidence.camera_means
        self.store.put_means(
            {cameras[number]: mean.copy() for number, mean in means.items() if number >= 0},
            gallery.next_number,
        )
