from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracker.video.mjpeg_server import MjpegServer
from tests.tracker.video.synthetic import number_of, write_video
from tests.tracker.video.test_streams import FakeCapture
from tracker.errors import InputError
from tracker.video import live_reader
from tracker.video.addresses import without_credentials
from tracker.video.cameras import CameraSettings, cameras_from_sources
from tracker.video.frames import Frame
from tracker.video.live_capture import LiveCapture
from tracker.video.live_state import RateMeter
from tracker.video.playback import Playback
from tracker.video.reconnection import Backoff, ReconnectionSettings
from tracker.video.streams import wall_clock

QUICK = ReconnectionSettings(first_pause=0.02, longest_pause=0.05)


@pytest.fixture
def server() -> Iterator[MjpegServer]:
    started = MjpegServer()
    yield started
    started.close()


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write_video(tmp_path / "film.mp4", [number / 25 for number in range(10)])


def until(condition: Callable[[], bool], seconds: float = 4.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.005)


def taken(capture: LiveCapture) -> list[Frame]:
    """All frames until no more come."""
    frames = []
    while capture.wait(5):
        frames += capture.newest()
    return frames


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_pauses_double_up_to_the_longest_and_begin_again_after_a_stable_while() -> None:
    clock = Clock()
    backoff = Backoff(ReconnectionSettings(), clock)
    assert [backoff.next_pause() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    backoff.running()
    clock.now += 59
    backoff.running()
    assert backoff.next_pause() == 30, "not stable yet"
    backoff.running()
    clock.now += 60
    assert backoff.next_pause() == 1 and backoff.failures == 1
    for _ in range(2000):
        assert math.isfinite(backoff.next_pause())


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"first_pause": 0}, "first_pause is 0; give seconds above 0"),
        ({"longest_pause": math.nan}, "longest_pause is nan; give"),
        ({"first_pause": 50}, "first_pause is 50 s, more than longest_pause"),
    ],
)
def test_pauses_that_cannot_be(values: dict[str, float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        ReconnectionSettings(**values)


def test_the_rate_falls_at_once_when_nothing_comes() -> None:
    meter = RateMeter()
    assert meter.rate(0) == 0
    for number in range(1000):
        meter.add(number / 25)
    end = 999 / 25
    assert meter.rate(end) == pytest.approx(25, rel=0.02)
    assert meter.rate(end + 2.5) == pytest.approx(12.5, rel=0.05)
    assert meter.rate(end + 6) == 0


def test_laps_of_one_length_keep_recordings_together() -> None:
    long, short = Playback(100, 10, 0.1), Playback(100, 10, 0.1)
    assert [long.due(0), short.due(0), long.due(9.9), short.due(6.0)] == [100, 100, 109.9, 106]
    long.next_lap(), short.next_lap()
    assert long.due(0) == pytest.approx(110) and short.due(0) == 110
    alone = Playback(100, None, 0.1)
    assert alone.due(2.0) == 102 and alone.due(3.0, now=103.5) == 103
    alone.next_lap()
    assert alone.due(2.0) == pytest.approx(103.1), "the next lap follows at once"
    assert alone.due(2.5, now=110) == 110 and alone.due(2.6, now=110) == pytest.approx(110.1), "late for good"


def test_a_file_plays_at_its_own_speed_with_its_own_time_steps(tmp_path: Path) -> None:
    times = [0.0, 0.2, 0.5, 0.7, 1.1]
    film = write_video(tmp_path / "film.mp4", times)
    began, before = time.monotonic(), wall_clock()
    with LiveCapture(cameras_from_sources([str(film)])) as capture:
        frames = taken(capture)
        took = time.monotonic() - began
        state = capture.states()[0]
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2, 3, 4]
    assert 1.05 < took < 5
    assert [later.time - earlier.time for earlier, later in pairwise(frames)] == pytest.approx(
        [later - earlier for earlier, later in pairwise(times)], abs=1e-3
    )
    assert before <= frames[0].time < before + 3
    assert capture.over and (state.phase, state.frames, state.dropped, state.size) == ("ended", 5, 0, (64, 48))


def test_frames_that_nobody_takes_are_dropped_and_counted(film: Path) -> None:
    with LiveCapture(cameras_from_sources([str(film)])) as capture:
        until(lambda: capture.states()[0].phase == "ended")
        frames = taken(capture)
        state = capture.states()[0]
    assert [(frame.index, number_of(frame.image)) for frame in frames] == [(9, 9)], "only the newest is kept"
    assert (state.frames, state.dropped) == (10, 9)


def test_as_fast_as_possible_drops_nothing_and_keeps_step(tmp_path: Path) -> None:
    quick = write_video(tmp_path / "quick.mp4", [number * 0.8 for number in range(50)])
    slow = write_video(tmp_path / "slow.mp4", [number * 4 for number in range(10)])
    began = time.monotonic()
    with LiveCapture(cameras_from_sources([str(quick), str(slow)]), realtime=False) as capture:
        frames = taken(capture)
    assert time.monotonic() - began < 20, "of 40 s of video"
    assert [frame.index for frame in frames if frame.camera == "quick"] == list(range(50))
    assert [frame.index for frame in frames if frame.camera == "slow"] == list(range(10))
    assert all(later.time - earlier.time > -0.41 for earlier, later in pairwise(frames)), "in step by their times"


def test_a_file_begins_again(film: Path) -> None:
    frames: list[Frame] = []
    with LiveCapture(cameras_from_sources([str(film)]), realtime=False, loop=True) as capture:
        while len(frames) < 35:
            assert capture.wait(2)
            frames += capture.newest()
        assert capture.states()[0].phase == "running"
    assert [number_of(frame.image) for frame in frames] == [number % 10 for number in range(35)]
    assert [frame.index for frame in frames] == list(range(35))
    steps = [later.time - earlier.time for earlier, later in pairwise(frames)]
    assert steps == pytest.approx([0.04] * 34, abs=2e-3), "laps follow each other without a gap"


def test_sources_that_cannot_be_used_are_refused_and_leave_no_thread(film: Path, tmp_path: Path) -> None:
    threads = threading.active_count()
    with pytest.raises(InputError, match=r"source .*nothing\.mp4 does not exist: check the path"):
        LiveCapture(cameras_from_sources([str(film), str(tmp_path / "nothing.mp4")]))
    with pytest.raises(InputError, match="no camera given"):
        LiveCapture([])
    one = CameraSettings(name="a", source=str(film))
    with pytest.raises(InputError, match="two cameras are called 'a'"):
        LiveCapture([one, one])
    with pytest.raises(InputError, match="timeout is 0; give seconds above 0"):
        LiveCapture([one], timeout=0)
    assert threading.active_count() == threads


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("end", "ended after"),
        ("refuse", "404"),
        ("private", "wrong user or password"),
        ("stall", "ended after .* frames|did not answer within"),
        ("silent", "did not answer within 0.4 s"),
    ],
)
def test_a_stream_in_trouble_comes_back_and_disturbs_nobody(
    server: MjpegServer, tmp_path: Path, mode: str, message: str
) -> None:
    film = write_video(tmp_path / "film.mp4", [number / 25 for number in range(200)])
    cameras = [CameraSettings(name="web", source=server.address), CameraSettings(name="film", source=str(film))]
    told: list[str] = []
    with LiveCapture(cameras, reconnection=QUICK, timeout=0.4, stalled_seconds=0.15) as capture:
        phases: list[str] = []

        def phase(wanted: str) -> Callable[[], bool]:
            def reached() -> bool:
                state = capture.states()[0]
                told.append(state.message)
                phases.append(state.phase)
                return state.phase == wanted

            return reached

        until(phase("running"))
        server.mode = mode if mode in ("end", "stall") else "end"
        until(phase("reconnecting"))
        server.mode = mode
        until(lambda: phase("")() or any(re.search(message, text) for text in told))
        before = capture.states()[0].frames
        server.mode = "send"
        until(phase("running"))
        web, played = capture.states()
        assert web.frames > before and web.reconnects >= 1
        assert (played.phase, played.reconnects, played.message) == ("running", 0, "")
        assert played.age is not None and played.age < 2
        assert "starting" in phases or phases[0] == "running"
        if mode == "stall":
            assert "stalled" in phases, "shown before it is given up"
    assert not [text for text in told if "secret" in text or "hidden" in text or "user:secret" in text]


def test_a_stream_that_is_not_there_yet_is_asked_until_it_is(server: MjpegServer) -> None:
    server.mode = "refuse"
    with LiveCapture([CameraSettings(name="web", source=server.address)], reconnection=QUICK) as capture:
        until(lambda: server.requests >= 3)
        state = capture.states()[0]
        assert state.phase == "reconnecting" and state.age is None and state.reconnects == 0
        assert not capture.wait(0.01) and capture.newest() == []
        server.mode = "send"
        assert capture.wait(4)
        assert capture.states()[0].reconnects == 0, "it was never lost"


def test_pictures_that_change_their_size(server: MjpegServer) -> None:
    with LiveCapture([CameraSettings(name="web", source=server.address)], reconnection=QUICK) as capture:
        until(lambda: capture.states()[0].size == (64, 48))
        server.size = (128, 96)
        until(lambda: capture.states()[0].size == (128, 96))
        assert capture.states()[0].reconnects == 1


def test_stopping_is_quick_though_a_camera_is_silent(server: MjpegServer, film: Path) -> None:
    threads = threading.active_count()
    cameras = [CameraSettings(name="web", source=server.address), CameraSettings(name="film", source=str(film))]
    capture = LiveCapture(cameras, reconnection=QUICK, timeout=1.5, loop=True)
    until(lambda: capture.states()[0].frames > 0)
    server.mode = "stall"
    time.sleep(0.1)
    began = time.monotonic()
    capture.close()
    assert time.monotonic() - began < 1.5, "a second, on a machine that does other things too"
    assert capture.newest() == [] and not capture.wait(5), "nothing is handed out any more"
    server.mode = "end"
    until(lambda: threading.active_count() <= threads)
    capture.close()


def test_a_stall_is_seen_by_the_clock_and_a_waiting_consumer_is_none(server: MjpegServer, film: Path) -> None:
    clock = Clock()
    cameras = [CameraSettings(name="web", source=server.address)]
    with LiveCapture(cameras, clock=clock, stalled_seconds=2.0) as capture:
        until(lambda: capture.states()[0].phase == "running")
        server.mode = "stall"
        time.sleep(0.1)
        clock.now += 1.9
        assert capture.states()[0].phase == "running"
        clock.now += 0.2
        state = capture.states()[0]
        assert (state.phase, state.message) == ("stalled", "no picture for 2 s")
        assert state.age == pytest.approx(2.1)
        server.mode = "end"
    with LiveCapture(cameras_from_sources([str(film)]), realtime=False, clock=clock) as capture:
        assert capture.wait(2)
        clock.now += 60
        assert capture.states()[0].phase == "running"


def test_a_webcam_that_was_unplugged_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", FakeCapture)
    with LiveCapture(cameras_from_sources(["2"]), reconnection=QUICK) as capture:
        until(lambda: capture.states()[0].reconnects >= 2)
        state = capture.states()[0]
        assert (state.name, state.source) == ("camera2", "webcam 2")
        assert state.frames >= 6
        until(lambda: "webcam 2 ended after 3 frames" in capture.states()[0].message)


def test_a_recording_that_breaks_is_given_up_and_the_others_go_on(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_video(tmp_path / "other.mp4", [number / 25 for number in range(10)])
    play = live_reader.LiveReader._play_lap

    def broken(reader: live_reader.LiveReader, source: object) -> bool:
        if reader.settings.name == "film":
            raise OSError(5, "Input/output error", "/secret/place")
        return play(reader, source)  # type: ignore[arg-type]

    monkeypatch.setattr(live_reader.LiveReader, "_play_lap", broken)
    with LiveCapture(cameras_from_sources([str(film), str(other)]), realtime=False) as capture:
        frames = taken(capture)
        failed, ended = capture.states()
    assert (failed.phase, ended.phase) == ("failed", "ended") and len(frames) == 10
    assert failed.message == "reading broke off (Input/output error); start it again"


def test_a_recording_with_few_pictures_is_not_stalled(tmp_path: Path) -> None:
    film = write_video(tmp_path / "film.mp4", [0.0, 0.6])
    with LiveCapture(cameras_from_sources([str(film)]), stalled_seconds=0.05) as capture:
        phases = set()
        while capture.wait(0.02) or not capture.over:
            capture.newest()
            phases.add(capture.states()[0].phase)
    assert "stalled" not in phases and "running" in phases


def test_a_damaged_recording_says_so_when_it_is_over(film: Path, tmp_path: Path) -> None:
    content = write_video(tmp_path / "long.mp4", [number / 25 for number in range(60)]).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) * 2 // 3])
    cameras = cameras_from_sources([str(film), str(tmp_path / "cut.mp4")])
    with LiveCapture(cameras, realtime=False) as capture:
        frames = taken(capture)
        whole, cut = capture.states()
    assert (whole.phase, whole.message, cut.phase) == ("ended", "", "ended")
    assert 10 < len(frames) < 70 and "is damaged or its header is wrong" in cut.message


@given(
    st.text("abc:/@?#%", min_size=1, max_size=12),
    st.text("xyz:/@?#%", min_size=1, max_size=12),
)
def test_no_part_of_a_password_is_left_in_a_message(user: str, password: str) -> None:
    source = f"rtsp://{user}SECRET:{password}SECRET@host/stream?key=SECRET"
    assert "SECRET" not in without_credentials(f"address {source} cannot be opened ({source}): no", source)
    assert "SECRET" not in without_credentials(f"redirected by {user}SECRET:{password}SECRET@elsewhere", source)
    assert without_credentials("user is a word", "rtsp://user:user@host") == "user is a word"
