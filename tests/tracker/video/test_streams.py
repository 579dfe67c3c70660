from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.tracker.video.synthetic import frame_image, number_of, opened, write_video
from tracker.errors import InputError
from tracker.video.streams import wall_clock


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """Address of a web server: the files of ``tmp_path``, ``/live``, ``/silent`` and ``/private``."""
    released = threading.Event()

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/silent"):
                released.wait(10)
            elif self.path.startswith("/private"):
                self.send_error(401)
            elif self.path.startswith("/live"):
                self.send_response(200)
                self.send_header("Content-Type", "video/x-matroska")
                self.end_headers()
                self.wfile.write((tmp_path / "live.mkv").read_bytes())
            else:
                super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError, TimeoutError):
                BaseHTTPRequestHandler.handle(self)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://user:secret@127.0.0.1:{server.server_address[1]}"
    released.set()
    server.shutdown()
    server.server_close()
    thread.join()


def write_live(path: Path, times: list[float]) -> None:
    """A stream as a camera sends it: no duration, no index."""
    with av.open(str(path), "w", format="matroska", options={"live": "1"}) as container:
        stream = container.add_stream("libx264", 25, {"preset": "ultrafast", "tune": "zerolatency"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, moment in enumerate(times):
            frame = av.VideoFrame.from_ndarray(frame_image(number), format="bgr24")
            frame.pts, frame.time_base = round(moment * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_a_recorded_video_behind_an_address(tmp_path: Path, served: str) -> None:
    write_video(tmp_path / "a.mp4", [0.0, 0.1, 0.3])
    with opened(f"{served}/a.mp4") as source:
        assert not source.is_live and source.frame_count == 3
        assert [frame.time for frame in source] == pytest.approx([0.0, 0.1, 0.3], abs=1e-4)


def test_a_live_stream_has_wall_clock_times_and_ends_with_a_warning(tmp_path: Path, served: str) -> None:
    write_live(tmp_path / "live.mkv", [5.0, 5.04, 5.2])
    before = time.time()
    with opened(f"{served}/live?token=hidden", start_offset=100) as source:
        assert source.is_live and source.frame_count is None and source.size == (64, 48)
        frames = list(source)
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2]
    assert before + 99 < frames[0].time < time.time() + 101
    assert frames[2].time - frames[0].time == pytest.approx(0.2, abs=2e-3)
    assert len(source.warnings) == 1 and "ended after 3 frames" in source.warnings[0]
    assert "secret" not in source.warnings[0] and "hidden" not in source.warnings[0]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nothing.mp4", "cannot be opened: .*404.*; check the address"),
        ("private", "wrong user or password"),
        ("silent", "did not answer within 0.3 s: check the address, the network and that the camera is on"),
    ],
    ids=["missing", "private", "silent"],
)
def test_addresses_that_cannot_be_opened(served: str, path: str, words: str, capfd: pytest.CaptureFixture[str]) -> None:
    start = time.monotonic()
    with pytest.raises(InputError, match=words) as caught:
        opened(f"{served}/{path}?token=hidden", timeout=0.3)
    assert time.monotonic() - start < 3
    assert "secret" not in str(caught.value) and "hidden" not in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_nobody_listens(scheme: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=rf"address {scheme}://\*\*\*@127.0.0.1:9/x cannot be opened: .*refused"):
        opened(f"{scheme}://user:secret@127.0.0.1:9/x", timeout=2)
    assert capfd.readouterr().err == ""


class FakeCapture:
    """A webcam that gives three pictures, or does not open, or gives none."""

    opens = True
    pictures = 3

    def __init__(self, index: int) -> None:
        self.index = index
        self.read_count = 0
        self.released = False

    def isOpened(self) -> bool:
        return self.opens

    def get(self, _: int) -> float:
        return 30.0

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.read_count += 1
        if self.read_count > self.pictures:
            return False, None
        return True, frame_image(self.read_count)

    def release(self) -> None:
        self.released = True


def test_a_webcam(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", FakeCapture)
    before = wall_clock()
    with opened("2") as source:
        assert (source.is_live, source.size, source.frame_rate, source.frame_count) == (True, (64, 48), 30.0, None)
        frames = list(source)
    assert [number_of(frame.image) for frame in frames] == [1, 2, 3]
    times = [before, *(frame.time for frame in frames)]
    assert all(later > earlier for earlier, later in pairwise(times))
    assert frames[-1].time < wall_clock() + 0.1
    assert source.warnings == ["webcam 2 ended after 3 frames (it gives no more pictures)"]


@pytest.mark.parametrize(("state", "words"), [({"opens": False}, "cannot be opened"), ({"pictures": 0}, "no picture")])
def test_a_webcam_that_does_not_work(monkeypatch: pytest.MonkeyPatch, state: dict[str, int], words: str) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", type("Fake", (FakeCapture,), state))
    with pytest.raises(InputError, match=f"webcam 0 .*{words}.*check that"):
        opened("0")


def test_no_webcam_at_this_index(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="webcam 987 cannot be opened"):
        opened("987")
    assert capfd.readouterr().err == ""
