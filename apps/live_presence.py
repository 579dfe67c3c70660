"""Who is in view just now, in which cameras, and since when."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = ["Presence", "Present"]

#: who was not seen for so long is not there any more, seconds
_GONE_SECONDS = 3.0


@dataclass(slots=True)
class Present:
    """Somebody who is there: since when, and camera → when seen there last; seconds since 1970."""

    since: float
    cameras: dict[str, float] = field(default_factory=dict)

    @property
    def last_seen(self) -> float:
        """When seen last in any camera."""
        return max(self.cameras.values())


class Presence:
    """Keeps who is there; one thread tells, any may ask."""

    def __init__(self) -> None:
        self._people: dict[int, Present] = {}
        self._lock = threading.Lock()

    def see(self, camera: str, time: float, identities: Iterable[int]) -> None:
        """Note who (numbers from 1 on; others are nobody) is in a camera at ``time`` seconds since 1970."""
        with self._lock:
            for number in identities:
                if number > 0:
                    present = self._people.setdefault(number, Present(time))
                    present.cameras[camera] = max(time, present.cameras.get(camera, time))

    def merged(self, number: int, into: int) -> None:
        """Note that somebody turned out to be somebody else."""
        with self._lock:
            gone = self._people.pop(number, None)
            if gone is None:
                return
            kept = self._people.setdefault(into, Present(gone.since))
            kept.since = min(kept.since, gone.since)
            for camera, time in gone.cameras.items():
                kept.cameras[camera] = max(time, kept.cameras.get(camera, time))

    def forget(self, number: int) -> None:
        """Forget somebody; who is still in view is seen anew."""
        with self._lock:
            self._people.pop(number, None)

    def now(self, time: float) -> dict[int, Present]:
        """Return copies of who is there at ``time`` seconds since 1970, and forget who has gone."""
        with self._lock:
            for number, present in list(self._people.items()):
                if time - present.last_seen > _GONE_SECONDS:
                    del self._people[number]
            return {
                number: Present(present.since, {
                    camera: seen for camera, seen in present.cameras.items() if time - seen <= _GONE_SECONDS
                })
                for number, present in self._people.items()
            }  # fmt: skip
