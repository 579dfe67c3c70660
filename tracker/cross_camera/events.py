"""What happens to tracks and identities, as a stream of small records."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["Event", "EventKind"]

EventKind = Literal[
    "track_started",
    "track_ended",
    "identity_opened",
    "identity_recalled",
    "identity_assigned",
    "identity_corrected",
    "identities_merged",
    "zone_entered",
    "zone_left",
    "line_crossed",
]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened at ``time`` (seconds).

    ``identity_corrected`` says that ``track`` of ``camera`` is ``identity`` and not ``previous_identity``, from
    ``since`` on; ``identities_merged`` that ``previous_identity`` turned out to be ``identity``; ``identity_recalled``
    that somebody known from an earlier run is seen again, under the old number. ``score`` is the evidence in nats where
    there is any. Of people followed on the floor ``camera`` is ``"floor"``: what is said of their track holds in every
    camera, where the track has the same number.

    ``zone_entered``, ``zone_left`` and ``line_crossed`` say that somebody did so at ``place``, the name of the zone or
    line; ``identity`` is who it was as known then, and ``direction`` how the line was crossed.
    """

    kind: EventKind
    time: float
    camera: str | None = None
    track: int | None = None
    identity: int | None = None
    previous_identity: int | None = None
    since: float | None = None
    score: float | None = None
    place: str | None = None
    direction: Literal["forward", "backward"] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that say something, ready for JSON."""
        return {name: value for name, value in asdict(self).items() if value is not None}
