"""What keeps a camera from being aligned, said in one line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracker.errors import InputError
from tracker.geometry.alignment_result import Alignment
from tracker.geometry.people_tracks import BoxTracks, FloorPaths

__all__ = ["check_paths", "checked_agreement", "checked_offsets"]

Array = NDArray[np.float64]

_LONGEST_RANGE = 120.0
#: metres (standard deviation) over which people must be spread, along the line they are spread along and across it
_LEAST_ALONG, _LEAST_ACROSS = 0.5, 0.25
#: looks that must be explained, and the score that must be reached
_FEWEST_EXPLAINED, _LEAST_SCORE = 25, 0.35
#: share of the best score that no other answer may reach
_MOST_OF_ANOTHER = 0.92
#: seconds and metres by which an answer may be uncertain
_LARGEST_OFFSET_DEVIATION, _LARGEST_POSITION_DEVIATION = 0.25, 0.75


def checked_offsets(offset_range: float, step: float) -> Array:
    """Return the offsets (D,) to be tried, 0 among them.

    Raises:
        InputError: the range is negative, not finite, or beyond two minutes.
    """
    if not (np.isfinite(offset_range) and 0 <= offset_range <= _LONGEST_RANGE):
        raise InputError(f"clocks that differ by up to {offset_range:g} seconds; give 0 to {_LONGEST_RANGE:g}")
    count = int(np.ceil(offset_range / step - 1e-9))
    return np.asarray(step * np.arange(-count, count + 1), np.float64)


def check_paths(paths: FloorPaths, tracks: BoxTracks, offset_range: float, name: str, *, on_line: bool = False) -> None:
    """Raise when there is nothing from which a camera could be aligned.

    Args:
        paths: of people on the floor.
        tracks: of the camera.
        offset_range: seconds that clocks may differ.
        name: of the camera.
        on_line: people may be on one line, as long as they move.

    Raises:
        InputError: nobody is followed, no time is shared, or people stand still or on one line.
    """
    for found, what in ((len(paths), "nobody is followed on the floor"), (len(tracks), "nobody is followed in it")):
        if not found:
            raise InputError(f"camera {name} cannot be aligned: {what}; give a recording in which people walk about")
    first, last = paths.span
    start, end = float(tracks.times.min()), float(tracks.times.max())
    if start - offset_range > last or end + offset_range < first:
        raise InputError(
            f"camera {name} cannot be aligned: its tracks are of seconds {start:.1f} to {end:.1f}, those on the floor "
            f"of {first:.1f} to {last:.1f}, and they share no time within {offset_range:g} seconds; check the frame "
            "rates, or widen the range"
        )
    places = paths.places
    extents = np.linalg.svd(places - places.mean(axis=0), compute_uv=False) / np.sqrt(len(places))
    if extents[0] < _LEAST_ALONG:
        raise InputError(
            f"camera {name} cannot be aligned: people on the floor stay within {4 * extents[0]:.1f} m; give a "
            "recording in which they walk about, or give point pairs with multicam calibrate"
        )
    if not on_line and (len(extents) < 2 or extents[1] < _LEAST_ACROSS):
        raise InputError(
            f"camera {name} cannot be aligned: all people on the floor are on one line; give a recording in which they "
            "walk about, or give point pairs with multicam calibrate"
        )


def checked_agreement(result: Alignment | None, name: str, remedy: str) -> Alignment:
    """Return an answer that explains enough, explains it better than any other, and is certain.

    Raises:
        InputError: it does not, or there is none; the message says why, and ends with ``remedy``.
    """
    if result is None or result.explained < _FEWEST_EXPLAINED or result.score < _LEAST_SCORE:
        explained = 0 if result is None else result.explained
        looks = "" if result is None else f" of {result.looks}"
        reason = (
            f"no place and clock explains enough of its boxes by the people on the floor (the best {explained}{looks} "
            "looks); a longer recording with people who are seen by it and by the others may do"
        )
    elif result.runner_up > _MOST_OF_ANOTHER * result.score:
        reason = (
            f"two answers explain its boxes about equally well (agreement {result.score:.2f} and "
            f"{result.runner_up:.2f}); a longer recording, in which people walk about more, may do"
        )
    elif result.deviations.offset > _LARGEST_OFFSET_DEVIATION:
        reason = f"people move too little to tell its clock to better than {result.deviations.offset:.2f} s"
    elif result.deviations.position.max() > _LARGEST_POSITION_DEVIATION:
        reason = (
            f"its place is uncertain by {result.deviations.position.max():.1f} m; a longer recording, in which people "
            "walk about more, may do"
        )
    else:
        return result
    raise InputError(f"camera {name} cannot be aligned: {reason}; {remedy}")
