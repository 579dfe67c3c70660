from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.errors import InputError
from tracker.video.frames import Frame
from tracker.video.synchronizer import synchronize


class FakeSource:
    """Frames at given times; may fail at the end, wait before a frame, and be live."""

    def __init__(
        self,
        name: str,
        times: Sequence[float],
        frame_rate: float | None = 25.0,
        *,
        error: BaseException | None = None,
        live: bool = False,
        delays: dict[int, float] | None = None,
    ) -> None:
        self.name = name
        self.frame_rate = frame_rate
        self.size = (8, 8)
        self.frame_count = None
        self.is_live = live
        self.warnings: list[str] = []
        self.read = 0
        self._times, self._error, self._delays = times, error, delays or {}

    def __iter__(self) -> Iterator[Frame]:
        for index, moment in enumerate(self._times):
            time.sleep(self._delays.get(index, 0.0))
            self.read += 1
            yield Frame(self.name, index, moment, None)
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        pass

    def __enter__(self) -> FakeSource:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def reading_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("read ")]


@st.composite
def streams(draw: st.DrawFn) -> dict[str, tuple[list[float], float | None]]:
    """Times and frame rates of one to four cameras: different rates, offsets and lengths, jitter, missing frames."""
    result = {}
    for name in "abcd"[: draw(st.integers(1, 4))]:
        rate = draw(st.sampled_from([5.0, 12.5, 25.0, 30.0]))
        offset = draw(st.floats(-1, 1))
        steps = draw(st.lists(st.tuples(st.integers(1, 4), st.floats(-0.2, 0.2)), max_size=15))
        times, position = [], 0
        for step, jitter in steps:
            position += step
            times.append(offset + (position + jitter) / rate)
        result[name] = (times, draw(st.sampled_from([rate, None])))
    return result


def merged(described: dict[str, tuple[list[float], float | None]], order: Sequence[str]) -> list[list[Frame]]:
    return list(synchronize([FakeSource(name, *described[name]) for name in order]))


@given(streams())
@settings(max_examples=60, deadline=None)
def test_what_holds_for_any_sources(described: dict[str, tuple[list[float], float | None]]) -> None:
    groups = merged(described, list(described))
    for name, (times, _) in described.items():
        frames = [frame for group in groups for frame in group if frame.camera == name]
        assert [(frame.index, frame.time) for frame in frames] == list(enumerate(times)), "each frame once, in order"
    starts = [min(frame.time for frame in group) for group in groups]
    assert starts == sorted(starts), "the time of the groups never decreases"
    for place, group in enumerate(groups):
        cameras = [frame.camera for frame in group]
        assert cameras == sorted(set(cameras)), "one frame of a camera at most, in the order of the sources"
        running = {frame.camera for later in groups[place:] for frame in later}
        shortest = min(1 / (described[name][1] or 25.0) for name in running)
        assert max(frame.time for frame in group) - starts[place] <= shortest / 2


@given(streams(), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_sources_changes_only_the_order_inside_a_group(described, random) -> None:
    order = list(described)
    random.shuffle(order)

    def content(groups: list[list[Frame]]) -> list[list[tuple[str, int]]]:
        return [sorted((frame.camera, frame.index) for frame in group) for group in groups]

    shuffled = merged(described, order)
    assert content(shuffled) == content(merged(described, list(described)))
    for group in shuffled:
        assert [frame.camera for frame in group] == [name for name in order if name in {f.camera for f in group}]


def test_cameras_of_one_rate_and_a_small_offset_stay_together_to_the_end() -> None:
    times = [index / 25 for index in range(50)]
    groups = list(synchronize([FakeSource("a", times), FakeSource("b", [moment + 0.015 for moment in times[:30]])]))
    assert [len(group) for group in groups] == [2] * 30 + [1] * 20


def test_different_rates_run_together() -> None:
    fast = FakeSource("fast", [index / 30 for index in range(30)], 30)
    slow = FakeSource("slow", [index / 10 for index in range(10)], 10)
    groups = list(synchronize([fast, slow]))
    assert [len(group) for group in groups] == [2, 1, 1] * 10


def test_result_does_not_depend_on_how_fast_sources_decode() -> None:
    times = [index / 25 for index in range(6)]
    slow = FakeSource("slow", times, delays=dict.fromkeys(range(6), 0.01))
    assert [len(group) for group in synchronize([slow, FakeSource("quick", times)])] == [2] * 6


@pytest.mark.parametrize("prefetch", [1, 3])
def test_decoding_runs_ahead_and_stays_bounded(prefetch: int) -> None:
    source = FakeSource("a", [index / 25 for index in range(1000)])
    groups = synchronize([source], prefetch=prefetch)
    next(groups)
    deadline = time.monotonic() + 2
    while source.read < prefetch + 1 and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.05)
    # One taken, those waiting, and the one that found no place.
    assert prefetch + 1 <= source.read <= prefetch + 2
    groups.close()
    assert reading_threads() == []


def test_closing_early_and_exceptions_end_all_threads() -> None:
    endless = [index / 25 for index in range(10_000)]
    with pytest.raises(KeyboardInterrupt):
        for _ in synchronize([FakeSource("a", endless), FakeSource("b", endless)]):
            raise KeyboardInterrupt
    # The frame of the exception held the generator; it is gone now.
    groups = synchronize([FakeSource("a", endless)])
    next(groups)
    groups.close()
    deadline = time.monotonic() + 2
    while reading_threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert reading_threads() == []


def test_a_source_that_dies_does_not_take_the_others_along() -> None:
    times = [index / 25 for index in range(8)]
    dying = FakeSource("dying", times[:3], error=RuntimeError("cable\npulled"))
    lasting = FakeSource("lasting", times)
    groups = list(synchronize([dying, lasting]))
    assert [len(group) for group in groups] == [2] * 3 + [1] * 5
    assert dying.warnings == ["camera dying stopped after 3 frames: cable pulled"]
    assert lasting.warnings == []


@pytest.mark.parametrize(
    ("times", "error"), [([], InputError("nothing to read")), ([0.0], KeyboardInterrupt()), ([0.0], MemoryError())]
)
def test_what_no_other_camera_can_make_good_is_raised(times: list[float], error: BaseException) -> None:
    sources = [FakeSource("bad", times, error=error), FakeSource("good", [index / 25 for index in range(100)])]
    with pytest.raises(type(error)):
        list(synchronize(sources))
    assert reading_threads() == []


def test_a_stalled_live_camera_does_not_hold_up_the_others() -> None:
    times = [index / 25 for index in range(10)]
    stalling = FakeSource("stalling", times[:2], live=True, delays={1: 0.6})
    steady = FakeSource("steady", times, live=True, delays=dict.fromkeys(range(10), 0.01))
    start = time.monotonic()
    moments = {}
    groups = []
    for group in synchronize([stalling, steady], prefetch=10, stall_timeout=0.05):
        groups.append(group)
        for frame in group:
            moments[frame.camera, frame.index] = time.monotonic() - start
    assert moments["steady", 9] < 0.5 < moments["stalling", 1]
    late = groups[-1][0]
    assert (late.camera, late.index, late.time) == ("stalling", 1, times[9]), "moved to the last instant, not lost"


def test_a_live_camera_that_is_too_fast_loses_its_oldest_frames_and_says_so() -> None:
    source = FakeSource("a", [index / 25 for index in range(100)], live=True)
    seen = []
    for group in synchronize([source], prefetch=2):
        seen.append(group[0].index)
        time.sleep(0.05)
    assert seen == sorted(set(seen)) and seen[-1] == 99
    assert len(seen) < 50
    assert (
        len(source.warnings) == 1 and f"{100 - len(seen)} frames of the live stream were left out" in source.warnings[0]
    )


def test_wrong_use() -> None:
    with pytest.raises(InputError, match="two cameras are called 'a'"):
        synchronize([FakeSource("a", []), FakeSource("a", [])])
    with pytest.raises(InputError, match="prefetch is 0"):
        synchronize([FakeSource("a", [])], prefetch=0)
    assert list(synchronize([])) == []
