"""The bounded memory of who has been seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tracker.cross_camera.appearance import AppearanceSummary, normalised
from tracker.cross_camera.look_table import LookTable, Views

__all__ = ["Gallery", "GalleryIdentity"]


@dataclass(slots=True)
class GalleryIdentity:
    """How one identity looked in each camera, and when it was last seen."""

    number: int
    last_seen: float
    #: camera → summary of everything seen there; replaced, never changed, so that whoever holds it can tell
    views: Views = field(default_factory=dict)


class Gallery:
    """Identities by number; the one unseen for longest goes when there are too many. Numbers are never used again.

    Args:
        capacity: identities kept at most.
    """

    def __init__(self, capacity: int = 2000) -> None:
        self.capacity = capacity
        self._identities: dict[int, GalleryIdentity] = {}
        self._table = LookTable(_means)
        self._next_number = 1

    def __len__(self) -> int:
        return len(self._identities)

    def __contains__(self, number: int) -> bool:
        return number in self._identities

    def open(self, time: float) -> int:
        """Open a new identity and return its number."""
        number = self._next_number
        self._next_number += 1
        self._identities[number] = GalleryIdentity(number, time)
        return number

    @property
    def next_number(self) -> int:
        """The number that the next identity gets."""
        return self._next_number

    def skip_to(self, number: int) -> None:
        """Use no number below ``number`` for anybody new."""
        self._next_number = max(self._next_number, number)

    def restore(self, number: int, views: Mapping[int, AppearanceSummary], last_seen: float) -> None:
        """Remember an identity of an earlier run; its number is not given to anybody else."""
        self._identities[number] = GalleryIdentity(number, last_seen, dict(views))
        self.skip_to(number + 1)

    def identities(self) -> list[GalleryIdentity]:
        """Return all identities, by number."""
        return [self._identities[number] for number in sorted(self._identities)]

    def note(self, number: int, time: float) -> None:
        """Note that an identity was seen at ``time``; one that was forgotten is remembered again (without looks)."""
        identity = self._identities.setdefault(number, GalleryIdentity(number, time))
        identity.last_seen = max(identity.last_seen, time)

    def replace_views(self, views: Mapping[int, Views], *, keep: set[int]) -> None:
        """Set the looks (identity → camera → summary), which then belong to the gallery and must not change.

        Identities neither there nor in ``keep`` are dropped.
        """
        for number in [number for number in self._identities if number not in views and number not in keep]:
            del self._identities[number]
        for number, by_camera in views.items():
            identity = self._identities.setdefault(number, GalleryIdentity(number, 0.0))
            identity.views = by_camera

    def add(self, number: int, camera: int, summary: AppearanceSummary, time: float) -> None:
        """Add what was seen of an identity in one camera."""
        self.note(number, time)
        identity = self._identities[number]
        both = identity.views[camera].copy() if camera in identity.views else AppearanceSummary(summary.capacity)
        both.absorb(summary)
        identity.views = {**identity.views, camera: both}

    def forget(self, number: int) -> None:
        """Forget an identity; its number is not given to anybody else."""
        self._identities.pop(number, None)

    def shrink(self, *, keep: set[int]) -> None:
        """Forget identities unseen for longest until the capacity holds; those in ``keep`` stay."""
        excess = len(self._identities) - self.capacity
        if excess <= 0:
            return
        droppable = sorted((i for i in self._identities.values() if i.number not in keep), key=lambda i: i.last_seen)
        for identity in droppable[:excess]:
            del self._identities[identity.number]

    def distances(self, queries: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return identity numbers (I,), ascending, and the cosine distance (Q, I) of each query (Q, D) to each.

        The distance to an identity is that to its nearest view: a person seen from behind in one camera and from the
        front in another is compared with both. Whoever has shown no crop is left out.
        """
        self._table.sync({number: identity.views for number, identity in self._identities.items()})
        return self._table.distances(queries)


def _means(views: Views) -> NDArray[np.float32]:
    """Return the L2-normalised mean look (K, D) of each view that has shown a crop."""
    totals = [total for camera in sorted(views) if (total := views[camera].total) is not None]
    return normalised(np.stack(totals)) if totals else np.zeros((0, 0), np.float32)
