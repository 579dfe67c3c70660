"""Constant-velocity Kalman filters for all boxes of a camera at once.

The coordinates of a box (centre, size) do not influence one another in any of the models the tracking papers use, so
the covariance is block-diagonal: one 2×2 block (position, velocity) per coordinate. A filter therefore keeps, for N
tracks, five 4×N arrays instead of N 8×8 matrices, and each step is a few array operations whatever N is.

A *state* is one float64 array of shape (5, 4, N): ``state[0]`` positions, ``state[1]`` velocities (per nominal frame
interval), ``state[2]``, ``state[3]``, ``state[4]`` the variance of the position, the covariance of position and
velocity, and the variance of the velocity. The second axis is the coordinate, the last one the track. Symmetry of the
covariance holds by construction.

Time steps are in nominal frame intervals, so that the papers' noise values hold at ``dt = 1``, and may be any positive
number. The papers add Q = diag(p, v) once a frame; the only continuous white noise that does so has the covariance

    p·t + v·(t-1)·t·(2t-1)/6,   v·t·(t-1)/2,   v·t

after a time t. It is what ``predict`` adds: k steps of 1 and one step of k give the same covariance.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "CHI_SQUARE_95",
    "MINIMUM_SIZE",
    "AreaRatioFilter",
    "AspectHeightFilter",
    "ConstantVelocityFilter",
    "WidthHeightFilter",
    "create_filter",
]

Array = NDArray[np.float64]

#: squared Mahalanobis distance that holds 95 % of measurements, by number of coordinates
CHI_SQUARE_95 = {1: 3.8415, 2: 5.9915, 3: 7.8147, 4: 9.4877}

#: a size that a prediction would bring below this stops changing instead (SORT's rule for the area)
MINIMUM_SIZE = 1e-3

POSITION, VELOCITY, VARIANCE, COVARIANCE, VELOCITY_VARIANCE = range(5)


class ConstantVelocityFilter(ABC):
    """What the three state forms share; a form says how a box is measured and how large the noises are.

    Each noise is a variance per coordinate, ``relative · scale + absolute``, where the scale is a squared size of the
    box (``_scale``). Columns: x, y and the two size coordinates.
    """

    #: name of the form, one letter per coordinate
    form: str
    #: size coordinates whose velocity is dropped while a track is lost
    resizing: slice
    #: size coordinates that must stay positive
    sizes = slice(2, 4)
    #: coordinates that have a velocity
    moving: tuple[bool, bool, bool, bool] = (True, True, True, True)

    # (relative, absolute) variances of each coordinate
    _process: tuple[ArrayLike, ArrayLike]
    _process_velocity: tuple[ArrayLike, ArrayLike]
    _measurement: tuple[ArrayLike, ArrayLike]
    _initial: tuple[ArrayLike, ArrayLike]
    _initial_velocity: tuple[ArrayLike, ArrayLike]

    def __init__(self) -> None:
        def columns(pair: tuple[ArrayLike, ArrayLike]) -> tuple[Array, Array]:
            relative, absolute = pair
            return np.asarray(relative, np.float64).reshape(4, 1), np.asarray(absolute, np.float64).reshape(4, 1)

        self._q = columns(self._process)
        self._q_velocity = columns(self._process_velocity)
        self._r = columns(self._measurement)
        self._p = columns(self._initial)
        self._p_velocity = columns(self._initial_velocity)
        self._scaled = any(part[0].any() for part in (self._q, self._q_velocity, self._r))
        self._noise_step = 0.0
        self._noise: tuple[Array, Array] = (np.zeros((3, 4, 1)), np.zeros((3, 4, 1)))

    @abstractmethod
    def measure(self, boxes: NDArray[np.floating]) -> Array:
        """Return the (4, K) float64 measurements of boxes (4, K) ``x1, y1, x2, y2`` in pixels."""

    @abstractmethod
    def boxes(self, positions: Array) -> Array:
        """Return the (4, K) float64 boxes ``x1, y1, x2, y2`` of positions (4, K) (``state[0]``)."""

    @abstractmethod
    def _scale(self, positions: Array) -> Array:
        """Return the squared sizes that the noise is relative to: (4, K), or what broadcasts to it."""

    @abstractmethod
    def _resize(self, state: Array, factor: float) -> None:
        """Multiply the size of every box by ``factor``, in place."""

    def initiate(self, measurements: Array) -> Array:
        """Return the state (5, 4, K) of new tracks from their first measurements (4, K)."""
        state = np.zeros((5, *measurements.shape))
        state[POSITION] = measurements
        scale = self._scale(measurements)
        state[VARIANCE] = self._p[0] * scale + self._p[1]
        state[VELOCITY_VARIANCE] = self._p_velocity[0] * scale + self._p_velocity[1]
        return state

    def predict(self, state: Array, dt: float = 1.0, tracked: NDArray[np.bool_] | None = None) -> None:
        """Move ``state`` forward by ``dt`` nominal frame intervals, in place: x ← Fx, P ← FPFᵀ + Q(dt).

        The noise is relative to the size before the step. A size that would fall below ``MINIMUM_SIZE`` keeps its value
        and loses its velocity.

        Args:
            state: (5, 4, N) float64.
            dt: > 0; the true time since the last step, divided by the nominal frame interval.
            tracked: (N,) bool; where False, the velocity of the size is dropped first, so that a box does not shrink or
                grow while nobody sees it (as ByteTrack, BoT-SORT and MOTDT do).
        """
        if tracked is not None:
            state[VELOCITY, self.resizing] *= tracked
        relative, absolute = self._step_noise(dt)
        noise = relative * self._scale(state[POSITION]) + absolute if self._scaled else absolute
        position, velocity = state[POSITION], state[VELOCITY]
        step = velocity if dt == 1.0 else velocity * dt
        if state.shape[2] and (position[self.sizes] + step[self.sizes]).min() < MINIMUM_SIZE:
            velocity[self.sizes][position[self.sizes] + step[self.sizes] < MINIMUM_SIZE] = 0.0
            step = velocity * dt
        position += step
        spread = state[VELOCITY_VARIANCE] * dt
        state[VARIANCE] += (2.0 * state[COVARIANCE] + spread) * dt
        state[COVARIANCE] += spread
        state[VARIANCE:] += noise

    def update(
        self,
        state: Array,
        tracks: NDArray[np.intp] | None,
        measurements: Array,
        noise_scale: float | NDArray[np.floating] = 1.0,
    ) -> None:
        """Correct the states of ``tracks`` by one measurement each, in place.

        Args:
            state: (5, 4, N) float64.
            tracks: (K,) distinct columns of ``state``; ``None`` means all of them in order.
            measurements: (4, K) as ``measure`` makes them.
            noise_scale: factor on the measurement noise, one for all or one per measurement (K,).
        """
        part = state if tracks is None else state.take(tracks, axis=2)
        noise = self._measurement_noise(part[POSITION]) * noise_scale
        total = part[VARIANCE] + noise
        # K = P Hᵀ S⁻¹ per coordinate; variance (1-K) is written noise/total, which cannot fall below zero
        gain = part[VARIANCE:VELOCITY_VARIANCE] / total
        part[POSITION : VELOCITY + 1] += gain * (measurements - part[POSITION])
        part[VELOCITY_VARIANCE] -= gain[1] * part[COVARIANCE]
        part[VARIANCE:VELOCITY_VARIANCE] *= noise / total
        if tracks is not None:
            state[:, :, tracks] = part

    def project(self, state: Array) -> tuple[Array, Array]:
        """Return mean and variance (4, N) of the measurement each track expects (covariances are zero)."""
        return state[POSITION], state[VARIANCE] + self._measurement_noise(state[POSITION])

    def squared_distance(self, state: Array, measurements: Array) -> Array:
        """Return the (N, M) squared Mahalanobis distances between N tracks and M measurements (4, M)."""
        mean, variance = self.project(state)
        offset = measurements[:, None, :] - mean[:, :, None]
        return (offset * offset / variance[:, :, None]).sum(axis=0)

    def extrapolate(self, state: Array, dt: ArrayLike) -> Array:
        """Return the boxes (T, 4, N) expected ``dt`` (T,) frame intervals from now; ``state`` stays as it is."""
        steps = np.asarray(dt, np.float64).reshape(-1, 1, 1)
        positions = state[POSITION] + steps * state[VELOCITY]
        sizes = positions[:, self.sizes]
        positions[:, self.sizes] = np.where(sizes < MINIMUM_SIZE, state[POSITION, self.sizes], sizes)
        count = state.shape[2]
        flat = positions.transpose(1, 0, 2).reshape(4, -1)
        return self.boxes(flat).reshape(4, len(steps), count).transpose(1, 0, 2)

    def warp(self, state: Array, affine: NDArray[np.floating]) -> None:
        """Carry all states from the previous frame's pixels into this frame's, in place (BoT-SORT, section 3.2).

        Centres and their velocities follow the affine map exactly, and so do their variances, which are computed from
        the full 2×2 map; only the correlation between x and y that a rotation would bring in is dropped, because the
        covariance has no place for it. Boxes stay upright and are resized by the map's mean scale √|det|.

        Args:
            state: (5, 4, N) float64.
            affine: (2, 3), previous pixels to present pixels.
        """
        linear = np.asarray(affine, np.float64)[:, :2]
        scale = float(np.sqrt(abs(linear[0, 0] * linear[1, 1] - linear[0, 1] * linear[1, 0])))
        if not np.isfinite(affine).all() or not 1e-3 < scale < 1e3:
            return
        state[:2, :2] = linear @ state[:2, :2]
        state[POSITION, :2] += np.asarray(affine, np.float64)[:, 2:]
        state[VARIANCE:, :2] = np.square(linear) @ state[VARIANCE:, :2]
        self._resize(state, scale)

    def _measurement_noise(self, positions: Array) -> Array:
        return self._r[0] * self._scale(positions) + self._r[1] if self._scaled else self._r[1]

    def _step_noise(self, dt: float) -> tuple[Array, Array]:
        """Return Q(dt) as (3, 4, 1) relative and absolute parts of variance, covariance and velocity variance."""
        if dt != self._noise_step:
            growth = (dt - 1.0) * dt * (2.0 * dt - 1.0) / 6.0
            coupling = dt * (dt - 1.0) / 2.0
            relative, absolute = (
                np.stack([q * dt + v * growth, v * coupling, v * dt])
                for q, v in zip(self._q, self._q_velocity, strict=True)
            )
            self._noise_step, self._noise = dt, (relative, absolute)
        return self._noise

    # The same model as matrices, for those who want to look at it or to hold it against another implementation.

    def _indices(self) -> tuple[NDArray[np.intp], NDArray[np.intp], int]:
        moving = np.flatnonzero(self.moving)
        return moving, 4 + np.arange(len(moving)), 4 + len(moving)

    def motion_matrix(self, dt: float = 1.0) -> Array:
        """Return F(dt): coordinates first, then the velocities of those that have one."""
        moving, velocities, size = self._indices()
        matrix = np.eye(size)
        matrix[moving, velocities] = dt
        return matrix

    def measurement_matrix(self) -> Array:
        """Return H, which picks the four coordinates."""
        return np.eye(4, self._indices()[2])

    def process_noise(self, positions: ArrayLike, dt: float = 1.0) -> Array:
        """Return Q(dt) for a track at ``positions`` (4,)."""
        relative, absolute = self._step_noise(dt)
        scale = np.broadcast_to(self._scale(np.asarray(positions, np.float64).reshape(4, 1)), (4, 1))
        return self._dense(relative * scale + absolute)

    def measurement_noise(self, positions: ArrayLike) -> Array:
        """Return R (4, 4) for a track at ``positions`` (4,)."""
        noise = self._measurement_noise(np.asarray(positions, np.float64).reshape(4, 1))
        return np.diag(np.broadcast_to(noise, (4, 1))[:, 0])

    def mean_vector(self, state: Array, track: int) -> Array:
        """Return x of one track: coordinates, then velocities."""
        moving, _, _ = self._indices()
        return np.concatenate([state[POSITION, :, track], state[VELOCITY, moving, track]])

    def covariance_matrix(self, state: Array, track: int) -> Array:
        """Return P of one track."""
        return self._dense(state[VARIANCE:, :, track : track + 1])

    def _dense(self, blocks: Array) -> Array:
        moving, velocities, size = self._indices()
        variance, covariance, velocity_variance = blocks[..., 0]
        matrix = np.zeros((size, size))
        matrix[range(4), range(4)] = variance
        matrix[moving, velocities] = matrix[velocities, moving] = covariance[moving]
        matrix[velocities, velocities] = velocity_variance[moving]
        return matrix


class AspectHeightFilter(ConstantVelocityFilter):
    """Centre, aspect ratio (width / height) and height: DeepSORT (section 2.1), ByteTrack, MOTDT.

    Standard deviations: 1/20 of the height for positions, 1/160 for velocities.
    """

    form = "xyah"
    resizing = slice(3, 4)
    _process = ([1 / 400, 1 / 400, 0, 1 / 400], [0, 0, 1e-4, 0])
    _process_velocity = ([1 / 25600, 1 / 25600, 0, 1 / 25600], [0, 0, 1e-10, 0])
    _measurement = ([1 / 400, 1 / 400, 0, 1 / 400], [0, 0, 1e-2, 0])
    _initial = ([1 / 100, 1 / 100, 0, 1 / 100], [0, 0, 1e-4, 0])
    _initial_velocity = ([1 / 256, 1 / 256, 0, 1 / 256], [0, 0, 1e-10, 0])

    def measure(self, boxes: NDArray[np.floating]) -> Array:
        boxes = np.asarray(boxes, np.float64)
        out = np.empty(boxes.shape)
        np.add(boxes[:2], boxes[2:], out=out[:2])
        out[:2] *= 0.5
        np.subtract(boxes[3], boxes[1], out=out[3])
        np.subtract(boxes[2], boxes[0], out=out[2])
        out[2] /= out[3]
        return out

    def boxes(self, positions: Array) -> Array:
        half = np.empty((2, positions.shape[1]))
        np.multiply(positions[3], 0.5, out=half[1])
        np.multiply(positions[2], half[1], out=half[0])
        out = np.empty(positions.shape)
        np.subtract(positions[:2], half, out=out[:2])
        np.add(positions[:2], half, out=out[2:])
        return out

    def _scale(self, positions: Array) -> Array:
        return np.square(positions[3])

    def _resize(self, state: Array, factor: float) -> None:
        state[:2, 3] *= factor
        state[VARIANCE:, 3] *= factor * factor


class WidthHeightFilter(ConstantVelocityFilter):
    """Centre, width and height: BoT-SORT (section 3.1); noise relative to width (x, width) and height (y, height)."""

    form = "xywh"
    resizing = slice(2, 4)
    _process = ([1 / 400] * 4, [0] * 4)
    _process_velocity = ([1 / 25600] * 4, [0] * 4)
    _measurement = ([1 / 400] * 4, [0] * 4)
    _initial = ([1 / 100] * 4, [0] * 4)
    _initial_velocity = ([1 / 256] * 4, [0] * 4)

    def measure(self, boxes: NDArray[np.floating]) -> Array:
        boxes = np.asarray(boxes, np.float64)
        out = np.empty(boxes.shape)
        np.add(boxes[:2], boxes[2:], out=out[:2])
        out[:2] *= 0.5
        np.subtract(boxes[2:], boxes[:2], out=out[2:])
        return out

    def boxes(self, positions: Array) -> Array:
        half = positions[2:] * 0.5
        out = np.empty(positions.shape)
        np.subtract(positions[:2], half, out=out[:2])
        np.add(positions[:2], half, out=out[2:])
        return out

    def _scale(self, positions: Array) -> Array:
        squares = np.square(positions[2:])
        return np.concatenate([squares, squares])

    def _resize(self, state: Array, factor: float) -> None:
        state[:2, 2:] *= factor
        state[VARIANCE:, 2:] *= factor * factor


class AreaRatioFilter(ConstantVelocityFilter):
    """Centre, area and aspect ratio, the ratio without velocity: SORT (section 3.2) and OC-SORT.

    Fixed noises, as in the authors' code: Q = diag(1, 1, 1, 1, .01, .01, .0001), R = diag(1, 1, 10, 10),
    P₀ = diag(10, 10, 10, 10, 10⁴, 10⁴, 10⁴).
    """

    form = "xysr"
    resizing = slice(2, 2)
    moving = (True, True, True, False)
    _process = ([0] * 4, [1, 1, 1, 1])
    _process_velocity = ([0] * 4, [0.01, 0.01, 0.0001, 0])
    _measurement = ([0] * 4, [1, 1, 10, 10])
    _initial = ([0] * 4, [10, 10, 10, 10])
    _initial_velocity = ([0] * 4, [1e4, 1e4, 1e4, 0])

    def measure(self, boxes: NDArray[np.floating]) -> Array:
        boxes = np.asarray(boxes, np.float64)
        out = np.empty(boxes.shape)
        np.add(boxes[:2], boxes[2:], out=out[:2])
        out[:2] *= 0.5
        size = boxes[2:] - boxes[:2]
        np.multiply(size[0], size[1], out=out[2])
        np.divide(size[0], size[1], out=out[3])
        return out

    def boxes(self, positions: Array) -> Array:
        half = np.empty((2, positions.shape[1]))
        np.sqrt(positions[2] * positions[3], out=half[0])
        np.divide(positions[2], half[0], out=half[1])
        half *= 0.5
        out = np.empty(positions.shape)
        np.subtract(positions[:2], half, out=out[:2])
        np.add(positions[:2], half, out=out[2:])
        return out

    def _scale(self, positions: Array) -> Array:
        return np.ones(1)

    def _resize(self, state: Array, factor: float) -> None:
        state[:2, 2] *= factor**2
        state[VARIANCE:, 2] *= factor**4


def create_filter(form: str) -> ConstantVelocityFilter:
    """Return the filter of a state form: ``"xyah"``, ``"xywh"`` or ``"xysr"``."""
    forms = {kind.form: kind for kind in (AspectHeightFilter, WidthHeightFilter, AreaRatioFilter)}
    return forms[form]()
