"""Whom earlier runs knew: they keep their numbers, and who comes back is recalled.

Every run has its own clock, so people of earlier runs count as long gone: nothing is said of the time since then. What
an earlier run kept apart stays apart: it had seen more of it than looks can tell afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tracker.cross_camera.appearance import AppearanceSummary
from tracker.cross_camera.archive import Archive
from tracker.cross_camera.events import Event
from tracker.cross_camera.gallery import Gallery

__all__ = ["EarlierRuns", "KnownIdentity", "KnownPeople"]

#: seconds before any clock of this run
LONG_AGO = -1e9


@dataclass(frozen=True, slots=True, eq=False)
class KnownIdentity:
    """One identity as it outlives a run: its number, seconds since it was last seen, and its looks by camera name."""

    number: int
    unseen_seconds: float
    views: Mapping[str, AppearanceSummary]


@dataclass(frozen=True, slots=True, eq=False)
class KnownPeople:
    """All that outlives a run.

    ``next_number`` is the first that was never used; ``camera_means`` (D,) by camera name are there for embedders whose
    vectors carry the camera's own colours. ``outward`` says by which number some of the identities are told: a person
    has made them one with others, whose looks are not theirs.
    """

    identities: Sequence[KnownIdentity]
    next_number: int
    camera_means: Mapping[str, NDArray[np.float32]]
    outward: Mapping[int, int] = field(default_factory=dict)


class EarlierRuns:
    """Brings people of earlier runs into this one, and says which of them came back."""

    def __init__(self) -> None:
        #: identities of earlier runs
        self.numbers: set[int] = set()
        #: those of them that were seen again
        self.recalled: set[int] = set()
        # number → name; cameras of earlier runs have negative numbers: their light is not that of today
        self._cameras: dict[int, str] = {}

    def restore(
        self,
        people: KnownPeople,
        gallery: Gallery,
        archive: Archive,
        camera_means: dict[int, NDArray[np.float32]],
    ) -> None:
        """Put people of earlier runs into gallery and archive, the last seen first as far as these have room."""
        names = sorted({name for identity in people.identities for name in identity.views} | set(people.camera_means))
        # -1 stands for archived identities.
        number_of = {name: -2 - place for place, name in enumerate(names)}
        self._cameras = {number: name for name, number in number_of.items()}
        camera_means |= {number_of[name]: mean for name, mean in people.camera_means.items()}
        gallery.skip_to(people.next_number)
        for identity in sorted(people.identities, key=lambda one: (one.unseen_seconds, one.number))[: gallery.capacity]:
            views = {number_of[name]: summary for name, summary in identity.views.items()}
            last_seen = LONG_AGO - identity.unseen_seconds
            gallery.restore(identity.number, views, last_seen)
            archive.restore(identity.number, views, last_seen)
            self.numbers.add(identity.number)

    def recall(self, number: int, time: float) -> list[Event]:
        """Return the event that somebody of an earlier run is seen again, the first time that it happens."""
        if number not in self.numbers or number in self.recalled:
            return []
        self.recalled.add(number)
        return [Event("identity_recalled", time, identity=number)]

    def forget(self, number: int) -> None:
        """Forget that an earlier run knew somebody: erased, or somebody else's number now."""
        self.numbers.discard(number)
        self.recalled.discard(number)

    def apart(self, numbers: Sequence[int | None]) -> NDArray[np.bool_]:
        """Return the pairs (N, N) of archived identities that an earlier run kept apart."""
        earlier = np.array([number in self.numbers for number in numbers], np.bool_)
        pairs = np.outer(earlier, earlier)
        np.fill_diagonal(pairs, False)
        return pairs

    def with_this_run(
        self,
        gallery: Gallery,
        names: Sequence[str],
        camera_means: Mapping[int, NDArray[np.float32]],
        time: float,
    ) -> KnownPeople:
        """Return what the next run is to know: earlier runs and this one, whose cameras have these ``names``.

        Args:
            gallery: after the last settlement.
            names: cameras of this run by number.
            camera_means: by number, of this run and of earlier ones.
            time: seconds, the end of this run by its own clock.
        """
        name_of = {**self._cameras, **dict(enumerate(names))}
        identities = []
        weight_of: dict[int, float] = {}
        for known in gallery.identities():
            views: dict[str, AppearanceSummary] = {}
            for camera, summary in sorted(known.views.items()):
                if summary.mean is not None:
                    views.setdefault(name_of[camera], AppearanceSummary(summary.capacity)).absorb(summary)
                    weight_of[camera] = weight_of.get(camera, 0.0) + summary.weight
            ran = time if np.isfinite(time) else 0.0
            gone = LONG_AGO - known.last_seen if known.last_seen < LONG_AGO / 2 else -known.last_seen
            if views:
                identities.append(KnownIdentity(known.number, max(0.0, gone + ran), views))
        means: dict[str, NDArray[np.float32]] = {}
        for name in sorted({name_of[camera] for camera in camera_means}):
            mine = [camera for camera in camera_means if name_of[camera] == name]
            weights = np.array([weight_of.get(camera, 0.0) + 1e-6 for camera in mine])
            means[name] = np.average([camera_means[camera] for camera in mine], axis=0, weights=weights).astype(
                np.float32
            )
        return KnownPeople(identities, gallery.next_number, means)
