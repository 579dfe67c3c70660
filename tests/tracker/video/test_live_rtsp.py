"""A real RTSP server that is killed and comes back otherwise, again and again."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.tracker.video.synthetic import write_video
from tracker.video.cameras import CameraSettings
from tracker.video.live_capture import LiveCapture
from tracker.video.reconnection import ReconnectionSettings

SYSTEM_PYTHON = "/usr/bin/python3"
SERVER = Path(__file__).with_name("rtsp_server.py")
NEEDS = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
SIZES = [(160, 120), (320, 240), (192, 144), (176, 144), (256, 160), (128, 96)]


@pytest.fixture(scope="module", autouse=True)
def _gstreamer() -> None:
    if (
        not Path(SYSTEM_PYTHON).exists()
        or subprocess.run([SYSTEM_PYTHON, "-c", NEEDS], capture_output=True, check=False).returncode
    ):
        pytest.skip("no RTSP server here: on Debian, apt-get install gir1.2-gst-rtsp-server-1.0 python3-gi")


class Server:
    """The server at one port, started and killed at will."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process: subprocess.Popen[str] | None = None

    @property
    def address(self) -> str:
        return f"rtsp://user:secret@127.0.0.1:{self.port}/camera"

    def start(self, size: tuple[int, int]) -> None:
        command = [SYSTEM_PYTHON, str(SERVER), *(str(number) for number in (self.port, *size))]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.kill()


def until(condition: Callable[[], bool], seconds: float = 8.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0


def test_a_server_killed_five_times_comes_back_each_time_and_nothing_leaks(server: Server, tmp_path: Path) -> None:
    file = write_video(tmp_path / "file.mp4", [number / 25 for number in range(50)])
    cameras = [CameraSettings(name="rtsp", source=server.address), CameraSettings(name="file", source=str(file))]
    server.start(SIZES[0])
    threads = threading.active_count()
    gaps: list[float] = []
    messages: list[str] = []
    sizes: list[tuple[int, int]] = []
    with LiveCapture(
        cameras, loop=True, timeout=3, reconnection=ReconnectionSettings(first_pause=0.05, longest_pause=0.2)
    ) as capture:
        last_time: dict[str, float] = {}
        last_arrival: list[float] = []

        def follow() -> None:
            capture.wait(0.1)
            for frame in capture.newest():
                assert frame.time > last_time.get(frame.camera, 0.0), "time never goes back"
                last_time[frame.camera] = frame.time
                if frame.camera == "file":
                    now = time.monotonic()
                    gaps.extend([now - last_arrival[-1]] if last_arrival else [])
                    last_arrival[:] = [now]
                else:
                    assert frame.image is not None
                    size = (frame.image.shape[1], frame.image.shape[0])
                    if not sizes or sizes[-1] != size:
                        sizes.append(size)
            messages.extend(state.message for state in capture.states())

        def lost() -> bool:
            follow()
            return capture.states()[0].phase == "reconnecting"

        def seen(size: tuple[int, int]) -> Callable[[], bool]:
            def check() -> bool:
                follow()
                return sizes[-1:] == [size] and capture.states()[0].phase == "running"

            return check

        until(seen(SIZES[0]))
        files, running = open_files(), threading.active_count()
        for size in SIZES[1:]:
            server.kill()
            until(lost)
            server.start(size)
            until(seen(size))
        rtsp, played = capture.states()
        assert threading.active_count() == running
        assert open_files() <= files + 1
    assert sizes == SIZES
    assert (rtsp.phase, rtsp.reconnects, rtsp.size) == ("running", 5, SIZES[-1])
    assert (played.phase, played.reconnects, played.message) == ("running", 0, "")
    assert max(gaps) < 2.0, "the file went on meanwhile"
    told = " ".join(messages)
    assert "next attempt" in told and "secret" not in told and "user" not in told
    until(lambda: threading.active_count() == threads, 4)
