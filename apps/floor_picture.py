"""Where everybody went during a whole run, in one picture of the floor."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.floor_area import FloorArea
from apps.floor_view import FloorView
from apps.trails import TRAIL_GAP_SECONDS
from tracker.geometry.floor_camera import FloorCamera
from tracker.video.drawing import draw_tags, font_height, identity_color
from tracker.video.mosaic import format_time
from tracker.video.text import draw_text, text_width

__all__ = ["draw_floor_picture"]

Image = NDArray[np.uint8]
Color = tuple[int, int, int]
Observed = tuple[NDArray[np.void], NDArray[np.int64]]

#: pixels of the longer side of the floor, and least of the picture's sides
_LONGEST, _LEAST = 1280, 640
_MARGINS = (0.09, 0.04, 0.05, 0.05)
_TEXT = (245, 245, 245)
_QUIET = (160, 154, 150)
_DARK = (24, 20, 18)
_PANEL = (38, 32, 29)


@dataclass(slots=True)
class _Person:
    """Where and when somebody was first and last."""

    start: NDArray[np.int32]
    end: NDArray[np.int32]
    first: float
    last: float


def draw_floor_picture(cameras: Collection[FloorCamera], area: FloorArea, observed: Iterable[Observed]) -> Image:
    """Return the ways of all people over the floor (H, W, 3) uint8 BGR: ring at the start, dot at the end, a legend.

    Args:
        cameras: shown on it.
        area: of the floor that is shown.
        observed: records (N,) of dtype ``FLOOR_OBSERVATION``, in the order of time, with their identities (N,); below 1
            has no identity, and is a thin grey line.
    """
    view = FloorView(area, _picture_size(area), _MARGINS)
    picture = view.background(cameras)
    view.draw_coordinates(picture)
    people = _draw_ways(picture, view, observed)
    font = font_height(view.height)
    radius = 0.45 * font
    tags, marks = [], []
    for identity, person in people.items():
        color = identity_color(identity)
        for place, whole in ((person.start, False), (person.end, True)):
            _draw_mark(picture, place, radius, color, whole=whole)
            x, y = place.ravel() / 16 + 0.5
            # A tag that touches a mark is well placed.
            marks.append((x - radius + 1, y - radius + 1, x + radius - 1, y + radius - 1))
        x1, y1, x2, y2 = marks[-1]
        tags.append((np.rint([x1 - 1, y1 - 1, x2 + 1, y2 + 1]).astype(int), f"ID {identity}", color))
    draw_tags(picture, tags, font, 1, marks)
    return np.concatenate([picture, _legend(people, view.height, font)], axis=1)


def _picture_size(area: FloorArea) -> tuple[int, int]:
    """Return width and height in pixels of the picture that the area fills but for its margins."""
    across, deep = (area.high - area.low).tolist()
    height = min(_LONGEST, _LONGEST * deep / across)
    height = max(height / (1 - _MARGINS[1] - _MARGINS[3]), _LEAST)
    width = across / deep * height * (1 - _MARGINS[1] - _MARGINS[3]) + height * (_MARGINS[0] + _MARGINS[2])
    return round(float(np.clip(width, _LEAST, 1.2 * _LONGEST))), round(height)


def _draw_ways(picture: Image, view: FloorView, observed: Iterable[Observed]) -> dict[int, _Person]:
    """Draw lines as the observations come; return who was there, by identity."""
    people: dict[int, _Person] = {}
    thickness = max(round(picture.shape[0] / 400), 1)
    last: dict[tuple[int, int], tuple[float, NDArray[np.float64]]] = {}
    for records, identities in observed:
        for identity, track, times, places in _ways(records, identities):
            begun = last.get((identity, track))
            if begun is not None:
                times, places = np.append(begun[0], times), np.vstack([begun[1], places])
            last[identity, track] = float(times[-1]), places[-1]
            points, color = view.fixed(places), identity_color(identity)
            for way in np.split(points, np.flatnonzero(np.diff(times) > TRAIL_GAP_SECONDS) + 1):
                cv2.polylines(picture, [way], False, color, thickness if identity > 0 else 1, cv2.LINE_AA, 4)
            if identity < 1:
                continue
            known = people.setdefault(identity, _Person(points[0], points[-1], float(times[0]), float(times[-1])))
            # Tracks of one person may come in any order within an array.
            if times[0] < known.first:
                known.first, known.start = float(times[0]), points[0]
            if times[-1] > known.last:
                known.last, known.end = float(times[-1]), points[-1]
    return dict(sorted(people.items()))


def _ways(
    records: NDArray[np.void], identities: NDArray[np.int64]
) -> Iterator[tuple[int, int, NDArray[np.float64], NDArray[np.float64]]]:
    """Yield identity, track, times (K,) and places (K, 2) of each track while it was one person."""
    order = np.lexsort((records["time"], records["track"], identities))
    records, identities = records[order], identities[order]
    changes = (np.diff(identities) != 0) | (np.diff(records["track"]) != 0)
    for rows in np.split(np.arange(len(records)), np.flatnonzero(changes) + 1):
        if len(rows):
            mine = records[rows]
            yield int(identities[rows[0]]), int(mine["track"][0]), mine["time"], mine["place"]


def _draw_mark(picture: Image, place: NDArray[np.int32], radius: float, color: Color, *, whole: bool) -> None:
    x, y = place.ravel().tolist()
    cv2.circle(picture, (x, y), round(16 * (radius + 1.5)), _DARK, cv2.FILLED, cv2.LINE_AA, 4)
    filled = cv2.FILLED if whole else 2
    cv2.circle(picture, (x, y), round(16 * (radius if whole else radius - 1)), color, filled, cv2.LINE_AA, 4)


def _legend(people: dict[int, _Person], height: int, font: int) -> Image:
    """Return a strip as high as the picture that says who is which colour, and when they were there."""
    row = round(1.7 * font)
    most = height // row - 3
    shown = list(people.items())[: most if len(people) <= most else most - 1]
    lines = [
        (f"ID {identity}", f"{format_time(person.first)} – {format_time(person.last)}", identity)
        for identity, person in shown
    ]
    numbers = max((text_width(name, font) for name, _, _ in lines), default=0)
    rest = f"and {len(people) - len(shown)} more" if len(people) > len(shown) else "" if people else "nobody"
    column = round(2.2 * font) + numbers + font
    texts = [column + text_width(span, font) for _, span, _ in lines]
    texts += [round(2.2 * font) + text_width(text, font) for text in ("start", "end", rest)]
    strip = np.full((height, max(texts) + font, 3), _PANEL, np.uint8)
    middle = row
    for text, whole in (("start", False), ("end", True)):
        place = np.array([16 * 1.2 * font, 16 * middle], np.int32)
        _draw_mark(strip, place, 0.45 * font, _QUIET, whole=whole)
        draw_text(strip, text, round(2.2 * font), middle, font, _QUIET)
        middle += row
    for name, span, identity in lines:
        y = middle
        cv2.line(strip, (round(0.6 * font), y), (round(1.8 * font), y), identity_color(identity), 4)
        draw_text(strip, name, round(2.2 * font), y, font, _TEXT)
        draw_text(strip, span, column, y, font, _QUIET)
        middle += row
    draw_text(strip, rest, round(2.2 * font), middle, font, _QUIET)
    return strip
