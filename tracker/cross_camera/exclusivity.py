"""Nobody is in two places at once: who gives an identity up that two tracklets carry at one instant."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from tracker.cross_camera.tracklets import Tracklet

__all__ = ["too_many"]


def too_many(
    present: Sequence[Tracklet],
    live: Sequence[Tracklet],
    ceded: Collection[int],
    outward: Callable[[int], int] = int,
    *,
    separate: bool,
) -> list[Tracklet]:
    """Return the tracklets whose identity another one carries at the same time; the best known keeps it.

    Args:
        present: seen at this instant.
        live: of tracks that go on. Cameras take their pictures at different times: where views are separate, somebody
            is in view between them, too.
        ceded: keys of tracklets that have given their identity to another track on the same person already.
        outward: the number that an identity is told by: a person may have made two one.
        separate: whether nobody is in two cameras at once.
    """
    candidates = {tracklet.key: tracklet for tracklet in (*present, *(live if separate else ()))}
    seen_now = {tracklet.key for tracklet in present}
    holders: dict[int, list[Tracklet]] = {}
    losers = []
    for tracklet in sorted(candidates.values(), key=lambda tracklet: (-tracklet.observations, tracklet.key)):
        if tracklet.identity is None or tracklet.key in ceded:
            continue
        others = holders.setdefault(outward(tracklet.identity), [])
        if any(
            tracklet.key in seen_now and other.key in seen_now
            if tracklet.camera == other.camera
            else separate and tracklet.overlaps(other)
            for other in others
        ):
            losers.append(tracklet)
        else:
            others.append(tracklet)
    return losers
