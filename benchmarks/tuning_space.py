"""Which parameters of a tracker a search may move, and between which bounds.

Bounds follow from a parameter's word (costs and overlaps lie between 0 and 1, confidences where the detector's scores
lie, times are searched by ratio) and its default, so that a new tracker can be tuned as it is.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.mot_tracking import Preparation, TrackerChoice
from tracker.errors import InputError, nearest_name_hint
from tracker.single_camera import TRACKERS

if TYPE_CHECKING:
    import optuna

__all__ = ["BOXES", "ParameterRange", "box_space", "defaults_of", "restricted", "split_values", "tracker_space"]

#: how parameters of the preparation are called among those of the tracker
BOXES = "boxes."
#: what is not of motion, or not a setting at all
_LEFT_OUT = re.compile(r"^(frame_rate|scorer|reports_unconfirmed)$|appearance|gallery|feature|embeds|proximity|gating")
_SHARE = re.compile(r"(_iou|_cost|iou_distance)$|^minimum_iou")
_GIVEN = re.compile(r"^([A-Za-z_.]+)=([^:]+):([^:]+)$")
#: where the default is one frame
_SECONDS_WITHOUT_DEFAULT = (1 / 30, 4.0)


@dataclass(frozen=True, slots=True)
class ParameterRange:
    """Bounds of one parameter.

    Args:
        name: of the tracker's parameter, or ``boxes.iou`` and the like.
        kind: ``float``, ``int`` or ``bool``.
        low: least value.
        high: greatest value.
        logarithmic: searched by ratio.
    """

    name: str
    kind: str
    low: float = 0.0
    high: float = 1.0
    logarithmic: bool = False

    def suggest(self, trial: optuna.trial.Trial) -> float | int | bool:
        """Return the value that a trial should try."""
        if self.kind == "bool":
            return bool(trial.suggest_categorical(self.name, [False, True]))
        if self.kind == "int":
            return trial.suggest_int(self.name, int(self.low), int(self.high))
        return trial.suggest_float(self.name, self.low, self.high, log=self.logarithmic)

    def clipped(self, value: Any) -> Any:
        """Return ``value`` inside the bounds."""
        if self.kind == "bool":
            return bool(value)
        inside = min(max(value, self.low), self.high)
        return round(inside) if self.kind == "int" else float(inside)


def tracker_space(tracker: str, scores: NDArray[np.floating[Any]]) -> list[ParameterRange]:
    """Return the ranges of all parameters of a tracker that act on motion and boxes.

    Args:
        tracker: its name.
        scores: (N,) of all detections as the tracker will get them: confidences are searched where they lie, and what
            acts on margins only, or on probabilities only, is searched only where scores are such.

    Raises:
        InputError: unknown tracker.
    """
    low, high = (float(value) for value in np.quantile(scores, (0.01, 0.95))) if len(scores) else (0.0, 1.0)
    if high <= low:
        low, high = low - 0.5, high + 0.5
    ranges, margins = [], _are_margins(scores)
    for name, parameter in inspect.signature(TRACKERS.get(tracker)).parameters.items():
        if _LEFT_OUT.search(name) or name in _unused(tracker, margins):
            continue
        found = _range_of(name, parameter.default, low, high)
        if found is not None:
            ranges.append(found)
    return ranges


def box_space(scores: NDArray[np.floating[Any]], tracker: str | None = None) -> list[ParameterRange]:
    """Return the ranges of what is done to boxes: suppression, and for margins slope and centre.

    Args:
        scores: (N,) of all detections as the detector gave them; outside of 0 to 1 they are margins.
        tracker: who gets them; one that reads margins itself gets them as they are.
    """
    ranges = [ParameterRange(f"{BOXES}iou", "float", 0.3, 0.95)]
    if _are_margins(scores) and not (tracker is not None and _reads_margins(tracker)):
        low, high = (float(value) for value in np.quantile(scores, (0.05, 0.9)))
        ranges.append(ParameterRange(f"{BOXES}slope", "float", 0.5, 8.0, logarithmic=True))
        ranges.append(ParameterRange(f"{BOXES}centre", "float", low, max(high, low + 0.1)))
    return ranges


def restricted(space: Sequence[ParameterRange], given: Sequence[str]) -> list[ParameterRange]:
    """Return the ranges that ``NAME=LOW:HIGH`` ask for, with these bounds; all without any.

    Raises:
        InputError: another form, an unknown name, or bounds that are none.
    """
    if not given:
        return list(space)
    known = {one.name: one for one in space}
    chosen = []
    for text in given:
        found = _GIVEN.match(text.strip())
        if found is None:
            raise InputError(f"--parameter {text!r} is not NAME=LOW:HIGH: write for example lost_track_seconds=0.5:3")
        name = found[1]
        if name not in known:
            raise InputError(f"--parameter {name} is not one that can be tuned: {nearest_name_hint(name, known)}")
        try:
            low, high = float(found[2]), float(found[3])
        except ValueError:
            low = high = math.nan
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise InputError(f"--parameter {text}: give two numbers, the lower first")
        one = known[name]
        chosen.append(ParameterRange(name, one.kind, low, high, one.logarithmic and low > 0))
    return chosen


def defaults_of(tracker: str, space: Sequence[ParameterRange], preparation: Preparation) -> dict[str, Any]:
    """Return the values that the space's parameters have by default, inside its bounds: the first to be tried."""
    signature = inspect.signature(TRACKERS.get(tracker)).parameters
    slope, centre = preparation.margins or (2.0, 0.5)
    boxes = {"iou": preparation.iou if preparation.iou is not None else 0.95, "slope": slope, "centre": centre}
    values = {}
    for one in space:
        if one.name.startswith(BOXES):
            values[one.name] = one.clipped(boxes[one.name.removeprefix(BOXES)])
        else:
            default = signature[one.name].default
            values[one.name] = one.clipped(one.low if default is None else default)
    return values


def split_values(
    tracker: str, values: Mapping[str, Any], fixed: Mapping[str, Any], preparation: Preparation
) -> tuple[TrackerChoice, Preparation]:
    """Return the tracker and the preparation that values of a space mean.

    Args:
        tracker: its name.
        values: name → value, those of boxes among them.
        fixed: the tracker's parameters that are not searched.
        preparation: of boxes, where it is not searched.
    """
    mine = {name: value for name, value in values.items() if not name.startswith(BOXES)}
    boxes = {name.removeprefix(BOXES): value for name, value in values.items() if name.startswith(BOXES)}
    margins = (boxes["slope"], boxes["centre"]) if "slope" in boxes and "centre" in boxes else preparation.margins
    return (
        TrackerChoice(tracker, {**fixed, **mine}),
        Preparation(preparation.confidence, boxes.get("iou", preparation.iou), margins),
    )


def _are_margins(scores: NDArray[np.floating[Any]]) -> bool:
    return bool(len(scores) and (scores.min() < 0 or scores.max() > 1))


def _reads_margins(tracker: str) -> bool:
    return any(name.startswith("margin_") for name in inspect.signature(TRACKERS.get(tracker)).parameters)


def _unused(tracker: str, margins: bool) -> set[str]:
    """Return the parameters that do nothing with such scores: a search must not spend dimensions on them."""
    names = inspect.signature(TRACKERS.get(tracker)).parameters
    of_margins = {name for name in names if name.startswith("margin_")}
    return {name.removeprefix("margin_") for name in of_margins} & set(names) if margins else of_margins


def _range_of(name: str, default: Any, low: float, high: float) -> ParameterRange | None:
    if isinstance(default, bool):
        return ParameterRange(name, "bool")
    if "seconds" in name:
        if default is None:
            return ParameterRange(name, "float", *_SECONDS_WITHOUT_DEFAULT, True)
        return ParameterRange(name, "float", max(default / 5, 0.02), max(default * 5, 0.1), True)
    if not isinstance(default, (int, float)):
        return None
    if isinstance(default, int):
        return ParameterRange(name, "int", 1, 2 * max(default, 1) + 1)
    if _SHARE.search(name):
        return ParameterRange(name, "float", 0.05, 0.95)
    if "confidence" in name:
        return ParameterRange(name, "float", low, high)
    if default > 0:
        return ParameterRange(name, "float", default / 3, default * 3, True)
    return ParameterRange(name, "float", default - 1.0, default + 1.0)
