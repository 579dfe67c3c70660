"""The motion filter of people on foot, with its noises in body heights and seconds.

The papers' filters add a fixed noise per frame, so the same person is followed differently at 60 and at 15 frames a
second. Here the noise belongs to the time that passed.
"""

from __future__ import annotations

from tracker.motion.kalman import AspectHeightFilter

__all__ = ["WalkingFilter"]

#: standard deviation of a new track's speed, body heights a second: most people walk below this
_SPEED = 0.7
#: the same for the growth of the height, of which there is less
_GROWTH = 0.07
#: how much a box wanders beside its velocity: body heights in one second, as the square root of time
_SWAY = 0.1
#: the same of the height's speed
_GROWTH_CHANGE = 0.2
#: standard deviation of a box's width / height, and its wandering in one second
_ASPECT, _ASPECT_SWAY = 0.1, 0.05


class WalkingFilter(AspectHeightFilter):
    """Centre, aspect ratio and height with constant velocity; the noises in body heights and seconds.

    Args:
        frame_rate: nominal frames per second, the unit of the filter's time.
        acceleration: how much a velocity changes in one second, body heights a second, as the square root of time.
        position_noise: standard deviation of a measured centre, body heights.
        height_noise: standard deviation of a measured height, body heights.
    """

    def __init__(
        self, frame_rate: float, *, acceleration: float = 0.5, position_noise: float = 0.05, height_noise: float = 0.12
    ) -> None:
        step = 1.0 / frame_rate
        sway, aspect_sway = _SWAY**2 * step, _ASPECT_SWAY**2 * step
        change, growth_change = acceleration**2 * step**3, _GROWTH_CHANGE**2 * step**3
        speed, growth = (_SPEED * step) ** 2, (_GROWTH * step) ** 2
        position, height, aspect = position_noise**2, height_noise**2, _ASPECT**2
        self._process = ([sway, sway, 0, sway], [0, 0, aspect_sway, 0])
        self._process_velocity = ([change, change, 0, growth_change], [0] * 4)
        self._measurement = ([position, position, 0, height], [0, 0, aspect, 0])
        self._initial = ([position, position, 0, height], [0, 0, aspect, 0])
        self._initial_velocity = ([speed, speed, 0, growth], [0] * 4)
        super().__init__()
