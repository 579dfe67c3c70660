"""All cameras' detections of one instant update one set of people on the floor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tracker.detections import Detections
from tracker.errors import InputError
from tracker.floor.arrivals import Arrival, arrivals
from tracker.floor.association import Associated, Expected, associate
from tracker.floor.chains import Look
from tracker.floor.crop_vectors import CropVectors
from tracker.floor.detector_model import DetectorModel
from tracker.floor.entries import Entries
from tracker.floor.likelihood import Boxes, inverses, measured_boxes
from tracker.floor.looks import Looks
from tracker.floor.movement import movement
from tracker.floor.news import hit_weights, miss_weights, news
from tracker.floor.people import FloorPeople
from tracker.floor.posture import (
    POSTURE_SIZE,
    SEATED_SHARE,
    PostureViews,
    body_places,
    posture_later,
    usual_posture,
    walking_says,
)
from tracker.floor.refinement import refined
from tracker.floor.settings import FloorSettings
from tracker.floor.undetected import Undetected
from tracker.floor.view import distances_from
from tracker.geometry.floor_camera import FloorCamera

__all__ = ["FloorPeople", "FloorTracker"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

#: metres between two people below which they would stand in each other, from where on they do not, and what it costs
#: the junior, nats
_INSIDE, _BESIDE, _CROWDED = 0.2, 0.45, 6.0
#: rounds of arrivals in one look; in each everybody far enough from the others is taken
_MOST_ARRIVALS = 50
#: chance of being found from which not to be found is a miss
_EXPECTED = 0.3
#: metres of deviation from where on who is unseen may be anywhere
_WIDEST = 2.0
#: away from all entries that are given: share of ``leaving``, and how much longer and wider who is unseen is awaited
_STAY, _LONGER, _WIDER = 0.3, 2.0, 1.5
#: what ``FloorTracker`` keeps of each track
_OF_TRACKS = ("_ids", "_mean", "_cov", "_odds", "_posture", "_births", "_seen", "_confirmed", "_misses", "_found")


class FloorTracker:
    """Follows people on the floor.

    Args:
        cameras: name → calibrated camera.
        settings: ``None``: by default.
        remember: keep the whole run, so that ``refined`` can look at it again.
        entries: where people come in and go out, and where they can be; ``None``: learnt, and everywhere.

    Raises:
        InputError: no camera, or entries away from what the cameras see.
    """

    def __init__(
        self,
        cameras: Mapping[str, FloorCamera],
        settings: FloorSettings | None = None,
        *,
        remember: bool = False,
        entries: Entries | None = None,
    ) -> None:
        if not cameras:
            raise InputError("a floor tracker needs a calibrated camera; give at least one")
        self.cameras = dict(cameras)
        self.settings = settings or FloorSettings()
        self.detectors = DetectorModel(self.settings)
        self._places = {name: place for place, name in enumerate(self.cameras)}
        self._time = -np.inf
        self._step = 0.0
        #: camera → when it last looked
        self._looked: dict[str, float] = {}
        self._next = 1
        count = len(self.cameras)
        self._ids: Ints = np.zeros(0, np.int64)
        self._mean = np.zeros((0, 5))
        self._cov = np.zeros((0, 5, 5))
        self._odds = np.zeros(0)
        self._posture = np.zeros((0, POSTURE_SIZE))
        self._births = np.zeros((0, 2))
        self._seen = np.zeros(0)
        self._confirmed = np.zeros(0, bool)
        self._misses = np.zeros((0, count), np.int64)
        self._found = np.zeros((0, count), bool)
        self._looks = Looks(self.settings)
        self._entries = entries or Entries()
        self._undetected = Undetected(self.cameras, self.settings.person_height, self._entries)
        self._looks_back: list[Look] | None = [] if remember else None
        self._were_confirmed: set[int] = set()

    def skip_to(self, number: int) -> None:
        """Give no track a number below ``number``."""
        self._next = max(self._next, number)

    def update(self, detections: Mapping[str, Detections], time: float) -> FloorPeople:
        """Take the detections of the cameras that looked at ``time`` (seconds, never going back).

        Raises:
            InputError: an unknown camera, or time goes back.
        """
        unknown = sorted(detections.keys() - self.cameras.keys())
        if unknown:
            raise InputError(f"detections of camera {unknown[0]!r}, which is not among {', '.join(self.cameras)}")
        if not np.isfinite(time):
            raise InputError(f"detections of second {time}; give their time")
        if time < self._time:
            raise InputError(f"detections of second {time:g} come after those of {self._time:g}; put them in order")
        self._step = time - self._time if np.isfinite(self._time) else 0.0
        self._predict(self._step)
        self._time = time
        boxes = {
            name: measured_boxes(
                found.boxes.astype(np.float64),
                self.cameras[name].width,
                self.cameras[name].height,
                self.detectors.false_alarms,
            )
            for name, found in detections.items()
        }
        features = {name: found.features for name, found in detections.items()}
        assigned = self._associate(boxes, features)
        explained = self._explained(boxes)
        if self._step > 0:
            known = [fit[self._confirmed].max(axis=0, initial=-np.inf) for fit in explained.values()]
            self.detectors.boxes_were_nobody(sum(int((fit < 0).sum()) for fit in known), len(boxes))
        self._arrive(boxes, assigned, explained)
        self._crowd()
        self._leave(assigned)
        self._confirm()
        self._undetected.looked(self._step, self.detectors.rate, {name: self._screens(name) for name in boxes})
        self._looked.update(dict.fromkeys(boxes, time))
        if self._looks_back is not None:
            self._were_confirmed.update(self._ids[self._confirmed].tolist())
            rows = {name: one.copy() for name, one in assigned.items()}
            self._looks_back.append(Look(time, boxes, self._ids.copy(), rows, self._mean.copy(), self._cov.copy()))
        places, velocities, heights = body_places(self._mean, self._posture), self._mean[:, 2:4], self._mean[:, 4]
        covariances = self._cov[:, :2, :2].copy()
        return FloorPeople(
            self._ids.copy(), places, velocities.copy(), heights.copy(), covariances, assigned, self._confirmed.copy()
        )

    def refined(
        self, advance: Callable[[], None] | None = None, *, vectors: CropVectors | None = None
    ) -> list[FloorPeople]:
        """Return who was where at every instant, looked at again (``refinement.refined``), under new numbers.

        Args:
            advance: called ``3 × instants`` times, for a progress bar.
            vectors: of the crops of all boxes, for every call of ``update`` an instant; ``None``: by motion alone.

        Raises:
            InputError: the run was not remembered.
        """
        if self._looks_back is None:
            raise InputError("a floor tracker looks again only at what it remembers; make it with remember=True")
        return refined(
            self.cameras, self._looks_back, self._were_confirmed, self.settings, self.detectors, advance,
            vectors=vectors, entries=self._entries,
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------------------- motion

    def _predict(self, dt: float) -> None:
        if not len(self._ids) or dt <= 0:
            return
        s = self.settings
        move, noise = movement(dt, s)
        self._posture = posture_later(self._posture, dt, s)
        self._mean = self._mean @ move.T
        self._cov = move @ self._cov @ move.T + noise

    # -------------------------------------------------------------------------------------------------- association

    def _associate(
        self, boxes: Mapping[str, Boxes], features: Mapping[str, NDArray[np.float32] | None]
    ) -> dict[str, Ints]:
        """Assign boxes to tracks in all cameras, estimate, and repeat; then update states and odds."""
        s, count = self.settings, len(self._ids)
        if not count or not boxes:
            return {name: np.full(count, -1, np.int64) for name in boxes}
        prior = inverses(self._cov)
        people = Expected(
            prior,
            np.einsum("nij,nj->ni", prior, self._mean),
            self._posture,
            -np.logaddexp(0, -self._odds) - self._leaving() * (self._time - self._seen),
            self._confirmed,
            self._seniority(),
        )
        alike = {name: self._looks.evidence(features[name], len(found)) for name, found in boxes.items()}
        missed = {name: self._miss_weights(name) for name in boxes}
        hit = {name: self._hit_weights(name) for name in boxes}
        said = associate(self.cameras, boxes, people, alike, missed, s, self.detectors, hit)
        self._learn(said)
        self._look_at(said.boxes, said.clear, features)
        self._cov = inverses(people.prior + said.said)
        self._mean = np.einsum("nij,nj->ni", self._cov, people.vector + said.said_vector)
        self._posture = self._posture + said.posture_said + walking_says(self._mean, self._cov)
        seen = np.zeros(count, bool)
        for name, columns in said.boxes.items():
            place = self._places[name]
            seen |= columns >= 0
            expected = (columns < 0) & (said.chances[name] >= _EXPECTED)
            self._misses[:, place] = np.where(expected, self._misses[:, place] + 1, 0)
            self._found[:, place] = columns >= 0
        leaving = self._leaving() * self._step
        self._odds = np.minimum(self._odds + said.evidence, s.certainty) - np.where(seen, 0.0, leaving)
        self._seen[seen] = self._time
        return said.boxes

    def _seniority(self) -> Ints:
        """Return (N,) the rank of each track, 0 for the best known: confirmed ones first, then by age."""
        place = np.empty(len(self._ids), np.int64)
        place[np.lexsort((self._ids, ~self._confirmed))] = np.arange(len(self._ids))
        return place

    def _learn(self, said: Associated) -> None:
        """Let the model of the detectors follow: people whom others see are surely there.

        One other camera may be wrong for long, and three be blamed for missing nobody: two must see them, where there
        are as many.
        """
        cameras = np.sum([rows >= 0 for rows in said.boxes.values()], axis=0)
        needed = min(2, len(said.boxes) - 1)
        for name, rows in said.boxes.items():
            found = rows >= 0
            others = cameras - found
            distances = said.off[name][self._confirmed & (others > 0) & found]
            self.detectors.boxes_were_off(distances[np.isfinite(distances)])
            asked = self._confirmed & (others >= needed) & (others > 0) & said.clear[name]
            self.detectors.people_were_found(int((asked & found).sum()), int(asked.sum()))

    def _look_at(
        self,
        assigned: Mapping[str, Ints],
        clear: Mapping[str, NDArray[np.bool_]],
        features: Mapping[str, NDArray[np.float32] | None],
    ) -> None:
        """Remember how those look who are wholly seen, or of whom nothing is known yet."""
        for name, columns in assigned.items():
            vectors = features[name]
            if vectors is None:
                continue
            rows = np.flatnonzero((columns >= 0) & (clear[name] | ~self._looks.known))
            self._looks.learn(rows, vectors[columns[rows]])

    def _miss_weights(self, name: str) -> Array:
        """Return (N,) how much a miss by a camera says."""
        return miss_weights(self._misses[:, self._places[name]] > 0, self._since(name))

    def _hit_weights(self, name: str) -> Array:
        """Return (N,) how much a box of a camera says."""
        return hit_weights(self._found[:, self._places[name]], np.hypot(*self._mean[:, 2:4].T), self._since(name))

    def _since(self, name: str) -> float:
        """Return the seconds since a camera looked before."""
        return self._time - self._looked.get(name, self._time - self._step)

    def _explained(self, boxes: Mapping[str, Boxes], first: int = 0) -> dict[str, Array]:
        """Return camera → (N, M) how well each of M boxes is explained as a second one of each person, in nats.

        ``first``: the first N are left out, who are as they were before.
        """
        result = {}
        for name, found in boxes.items():
            result[name] = np.full((len(self._ids) - first, len(found)), -np.inf)
            if result[name].size:
                if first:
                    view = self._certain_view(name, self._mean[first:], self._posture[first:])
                else:
                    view = PostureViews.of(self.cameras[name], self._mean, self._confirmed, self._posture)
                density, *_ = view.likelihood(self._cov[first:], found, self.settings, self.detectors.scale)
                density = np.maximum(density, view.secondary(found))
                result[name] = density - found.log_clutter + np.log(self.settings.duplicates)
        return result

    # ----------------------------------------------------------------------------------------- coming and going

    def _arrive(self, boxes: Mapping[str, Boxes], assigned: dict[str, Ints], explained: dict[str, Array]) -> None:
        for _ in range(_MOST_ARRIVALS):
            left = {name: np.setdiff1d(np.arange(len(found)), assigned[name]) for name, found in boxes.items()}
            if not sum(map(len, left.values())):
                return
            best = {name: fit.max(axis=0, initial=-np.inf) for name, fit in explained.items()}
            new = arrivals(
                self.cameras, boxes, left, best, self._certain_view, self.settings, self.detectors, self._rate
            )
            if not new:
                return
            known = len(self._ids)
            self._add(new, assigned)
            # Whoever is new is not sure enough to hide anybody: what the others explain stays.
            more = self._explained(boxes, first=known)
            explained = {name: np.concatenate([fit, more[name]]) for name, fit in explained.items()}

    def _rate(self, places: Array) -> Array:
        """Return how many new people an image would hold, were it everywhere as at ``places`` (N, 2)."""
        return self.settings.present * self._undetected.density(places)

    def _certain_view(self, name: str, states: Array, posture: Array) -> PostureViews:
        """Return how ``states`` look, in postures (N, P), behind the people who are known."""
        known = self._confirmed
        everybody = np.concatenate([states, self._mean[known]])
        certain = np.arange(len(everybody)) >= len(states)
        postures = np.concatenate([posture, self._posture[known]])
        return PostureViews.of(self.cameras[name], everybody, certain, postures)[: len(states)]

    def expected_boxes(self, name: str) -> Array:
        """Return (N, 4) where a camera should see everybody, in ``update``'s order; NaN for who is not in front."""
        x, y, height = self._mean[:, [0, 1, 4]].T
        return self.cameras[name].person_box(x, y, np.where(self._posture[:, 0] > 0, SEATED_SHARE, 1.0) * height)

    def _screens(self, name: str) -> tuple[Array, Array]:
        """Return boxes (N, 4) of the people who are known in a camera, and their distances (N,) from it, in metres."""
        known, camera = self._confirmed, self.cameras[name]
        return self.expected_boxes(name)[known], distances_from(camera, self._mean[known, :2])

    def _confirm(self) -> None:
        new = (self._odds >= self.settings.confirmation) & ~self._confirmed
        self._confirmed |= new
        for place in self._births[new]:
            self._undetected.came_in(place)

    def _add(self, new: Sequence[Arrival], assigned: dict[str, Ints]) -> None:
        count = len(new)
        self._ids = np.concatenate([self._ids, np.arange(self._next, self._next + count)])
        self._next += count
        self._mean = np.concatenate([self._mean, [one.mean for one in new]])
        self._cov = np.concatenate([self._cov, [one.covariance for one in new]])
        self._odds = np.concatenate([self._odds, np.minimum([one.odds for one in new], self.settings.certainty)])
        postures = [usual_posture(self.settings, one.sitting) for one in new]
        self._posture = np.concatenate([self._posture, postures])
        self._births = np.concatenate([self._births, [one.mean[:2] for one in new]])
        self._seen = np.concatenate([self._seen, np.full(count, self._time)])
        self._confirmed = np.concatenate([self._confirmed, np.zeros(count, bool)])
        self._looks.add(count)
        misses = np.ones((count, len(self.cameras)), np.int64)
        for number, one in enumerate(new):
            for name in one.boxes:
                misses[number, self._places[name]] = 0
        self._misses = np.concatenate([self._misses, misses])
        self._found = np.concatenate([self._found, misses == 0])
        for name in assigned:
            rows = np.array([one.boxes.get(name, -1) for one in new], np.int64)
            assigned[name] = np.concatenate([assigned[name], rows])

    def _crowd(self) -> None:
        """Let it speak against the younger of two tracks that they are in one place."""
        count = len(self._ids)
        if count < 2:
            return
        gap = np.hypot(*(self._mean[:, None, :2] - self._mean[None, :, :2]).transpose(2, 0, 1))
        place = self._seniority()
        crowd = np.clip((_BESIDE - gap) / (_BESIDE - _INSIDE), 0, 1) * (place[:, None] > place)
        self._odds = self._odds - _CROWDED * news(self._step) * crowd.max(axis=1)

    def _leave(self, assigned: dict[str, Ints]) -> None:
        s = self.settings
        unseen = self._time - self._seen
        spread = np.sqrt(np.linalg.eigvalsh(self._cov[:, :2, :2])[:, -1]) if len(self._ids) else np.zeros(0)
        floor = np.where(self._confirmed, 0.0, -4.0)
        away = self._away()
        awaited = s.memory_seconds * (1 + (_LONGER - 1) * away)
        keep = (self._odds > floor) & (unseen <= awaited) & (spread < _WIDEST * (1 + (_WIDER - 1) * away))
        keep |= (unseen == 0) & (self._odds > -4.0)
        for place in self._mean[self._confirmed & ~keep, :2]:
            self._undetected.was_lost(place)
        if not keep.all():
            self._keep(keep, assigned)

    def _away(self) -> Array:
        """Return (N,) how much the tracks are away from all entries given by hand, 0 to 1; 0 where none are."""
        return 1 - self._entries.nearness(self._mean[:, :2]) if self._entries.zones else np.zeros(len(self._ids))

    def _leaving(self) -> Array:
        """Return (N,) nats a second by which who is unseen is thought to have left: less so away from entries."""
        return self.settings.leaving * (1 - (1 - _STAY) * self._away())

    def _keep(self, keep: NDArray[np.bool_], assigned: dict[str, Ints]) -> None:
        for field in _OF_TRACKS:
            setattr(self, field, getattr(self, field)[keep])
        self._looks.keep(keep)
        assigned.update({name: rows[keep] for name, rows in assigned.items()})
