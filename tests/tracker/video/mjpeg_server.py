"""A web server that sends pictures as network cameras do (MJPEG), and misbehaves when told to."""

from __future__ import annotations

import contextlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2

from tests.tracker.video.synthetic import frame_image


class MjpegServer:
    """Serves ``/camera`` at 50 pictures a second.

    Its behaviour may be changed at any time: ``send`` pictures; ``stall``: keep the connection and send nothing;
    ``end`` the connection; ``refuse`` with 404; ``private``: 401; ``silent``: accept, and not even answer.
    """

    def __init__(self, size: tuple[int, int] = (64, 48)) -> None:
        self.mode = "send"
        self.size = size
        self.requests = 0
        self._released = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests += 1
                outer.answer(self)

            def log_message(self, *_: object) -> None:
                pass

            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    super().handle()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://user:secret@127.0.0.1:{self._server.server_address[1]}/camera?token=hidden"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        if self.mode == "silent":
            self._released.wait(20)
            return
        if self.mode in ("refuse", "private"):
            handler.send_error(404 if self.mode == "refuse" else 401)
            return
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        handler.end_headers()
        number = 0
        while self.mode in ("send", "stall") and not self._released.is_set():
            if self.mode == "send":
                content = cv2.imencode(".jpg", frame_image(number % 256, self.size))[1].tobytes()
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(content)}\r\n\r\n"
                handler.wfile.write(head.encode() + content + b"\r\n")
                number += 1
            time.sleep(0.02)

    def close(self) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
