"""When a live run says that the machine is too slow, by a clock that is made up."""

from __future__ import annotations

import pytest

from apps.live_meter import ProcessingMeter
from tracker.video.live_state import CameraState

RATE = 10.0


def cameras(rate: float = RATE, phase: str = "running") -> list[CameraState]:
    return [CameraState(name, name, phase, "", rate, (64, 48), 1, 0, 0, 0.1) for name in "ab"]  # type: ignore[arg-type]


class Run:
    """Two cameras of ten pictures a second; ``pace`` steps a second that take ``busy`` seconds each."""

    def __init__(self) -> None:
        self.meter = ProcessingMeter(15.0)
        self.now = 1000.0
        self.given = RATE

    def go(self, seconds: float, pace: float, busy: float) -> float | None:
        """Run on; return after how many seconds ``too_slow`` changed, ``None`` if it did not."""
        began, before, changed = self.now, self.slow(), None
        while self.now < began + seconds:
            self.meter.begin(self.now)
            for part in range(1, 6):
                if changed is None and self.slow(self.now + part * busy / 5) != before:
                    changed = self.now + part * busy / 5 - began
            self.meter.step(self.now + busy, busy, 2, busy)
            self.now += 1 / pace
            if changed is None and self.slow() != before:
                changed = self.now - began
        return changed

    def figures(self, now: float | None = None) -> dict[str, object]:
        return self.meter.figures(self.now if now is None else now, cameras(self.given))

    def slow(self, now: float | None = None) -> bool:
        return bool(self.figures(now)["too_slow"])


@pytest.mark.parametrize("pace", [5.0, 1.5, 0.5])
def test_slowness_is_said_within_five_seconds_and_taken_back_within_ten(pace: float) -> None:
    run = Run()
    assert run.go(20.0, RATE, 0.03) is None and not run.slow()
    said = run.go(30.0, pace, 1 / pace)
    assert said is not None and said <= 5.0
    assert "too slow" in str(run.figures()["message"])
    taken_back = run.go(30.0, RATE, 0.03)
    assert taken_back is not None and taken_back <= 10.0
    assert run.figures()["message"] == "" and run.figures()["load"] == pytest.approx(0.3, abs=0.02)


def test_a_first_step_that_does_not_end_is_slowness_too() -> None:
    run = Run()
    run.meter.begin(run.now)
    assert not run.slow(run.now + 0.5)
    assert run.slow(run.now + 5.0)
    run.meter.failed()
    assert not run.slow(run.now + 5.0) and run.figures()["errors"] == 1


def test_a_machine_that_reads_fewer_pictures_for_want_of_time_is_slow() -> None:
    run = Run()
    run.go(10.0, RATE, 0.03)
    run.given = 2.0
    said = run.go(20.0, 2.0, 0.5)
    assert said is not None and said <= 5.0
    # A camera that gives fewer pictures to a machine that has time is no fault of the machine.
    assert run.go(10.0, 2.0, 0.1) is not None and not run.slow()


def test_on_the_edge_it_does_not_flicker() -> None:
    run = Run()
    run.go(10.0, RATE, 0.03)
    assert run.go(20.0, 7.5, 1 / 7.5) is not None
    assert run.go(20.0, 8.5, 1 / 8.5) is None and run.slow()
    assert run.go(20.0, RATE, 0.099) is not None and not run.slow()
    assert run.go(20.0, 8.5, 1 / 8.5) is None and not run.slow()


def test_busy_but_keeping_up_is_not_slow() -> None:
    run = Run()
    assert run.go(30.0, RATE, 0.099) is None and not run.slow()
