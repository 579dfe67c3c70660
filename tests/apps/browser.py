"""A headless Chromium for tests of pages, over the DevTools protocol: https://chromedevtools.github.io/devtools-protocol/"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect

__all__ = ["Browser", "Tab", "find_chromium"]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-proxy-server",
    "--remote-debugging-port=0",
)
_START_SECONDS = 30.0
_ANSWER_SECONDS = 15.0


def find_chromium() -> str | None:
    """Return the path of a Chromium on this machine, or ``None``."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


class Browser:
    """A Chromium with an empty profile.

    Args:
        program: its path.
    """

    def __init__(self, program: str) -> None:
        self._program = program

    def __enter__(self) -> Self:
        self._profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        folder = Path(self._profile.name)
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [self._program, *_OPTIONS, f"--user-data-dir={folder}", "about:blank"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            self._address = self._find_address(folder)
        except BaseException:
            self.close()
            raise
        return self

    def _find_address(self, folder: Path) -> str:
        end, port = time.monotonic() + _START_SECONDS, folder / "DevToolsActivePort"
        while time.monotonic() < end:
            lines = port.read_text().split() if port.exists() else []
            if len(lines) == 2:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError(f"{self._program} does not start: {(folder / 'log').read_text(errors='replace')[-500:]}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it and take its profile away."""
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._profile.cleanup()

    @contextmanager
    def tab(self) -> Iterator[Tab]:
        """Open an empty page of its own, without what others have stored, and close it at the end."""
        with connect(self._address, max_size=None, proxy=None) as connection:
            tab = Tab(connection)
            context = tab.call("Target.createBrowserContext")["browserContextId"]
            target = tab.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
            tab.session = tab.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                tab.call(f"{domain}.enable")
            yield tab
            tab.session = None
            tab.call("Target.disposeBrowserContext", browserContextId=context)


class Tab:
    """A page that is looked at and clicked.

    Attributes:
        complaints: what its console said as warnings and errors, and exceptions that nobody caught.
        requests: the addresses that it asked for.
        sent: the texts that it sent through sockets.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self.session: str | None = None
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.sent: list[str] = []
        self._connection = connection
        self._number = 0

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result.

        Raises:
            RuntimeError: the browser says that it cannot.
        """
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        self._connection.send(json.dumps(message))
        while True:
            answer = json.loads(self._connection.recv(_ANSWER_SECONDS))
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result
            self._hear(answer)

    def _hear(self, event: dict[str, Any]) -> None:
        method, told = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.complaints.append(" ".join(str(part.get("value", part.get("description"))) for part in told["args"]))
        elif method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"{told['entry']['text']} {told['entry'].get('url', '')}".strip())
        elif method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif method == "Network.webSocketFrameSent":
            self.sent.append(told["response"]["payloadData"])
        elif method == "Network.webSocketCreated":
            self.requests.append(told["url"])

    def run(self, script: str) -> Any:
        """Return the value of an expression of JavaScript; promises are waited for.

        Raises:
            RuntimeError: it throws.
        """
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description") or details["text"])
        return answer["result"].get("value")

    def wait(self, script: str, seconds: float = 8.0) -> None:
        """Wait until an expression is true.

        Raises:
            AssertionError: it never is.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.run(f"Boolean({script})"):
                return
            time.sleep(0.05)
        raise AssertionError(f"not within {seconds:g} s: {script}")

    def open(self, address: str) -> None:
        """Go to an address and wait until it is loaded."""
        self.call("Page.navigate", url=address)
        self.wait(
            f"location.href.startsWith({json.dumps(address)}) && document.readyState === 'complete'", _START_SECONDS
        )

    def resize(self, width: int, height: int, *, dark: bool = False, phone: bool = False, density: float = 1) -> None:
        """Look at it as a screen of so many CSS pixels does, with dark or light colours preferred."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=density, mobile=phone
        )
        self.call("Emulation.setTouchEmulationEnabled", enabled=phone)
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def mouse(self, kind: str, x: float, y: float) -> None:
        """Move (``moved``), press or release the mouse at a place of the window, CSS pixels."""
        button = "none" if kind == "moved" else "left"
        self.call(
            "Input.dispatchMouseEvent", type=f"mouse{kind.capitalize()}", x=x, y=y, button=button,
            buttons=int(kind == "pressed"), clickCount=int(kind != "moved"),
        )  # fmt: skip

    def click(self, x: float, y: float) -> None:
        """Click at a place of the window."""
        self.mouse("moved", x, y)
        self.mouse("pressed", x, y)
        self.mouse("released", x, y)

    def place(self, selector: str) -> list[float]:
        """Scroll an element into view and return left, top, width and height in the window.

        Raises:
            AssertionError: there is none.
        """
        found = self.run(
            f"(() => {{ const node = document.querySelector({json.dumps(selector)}); if (!node) return null;"
            " node.scrollIntoView({block: 'nearest'}); const box = node.getBoundingClientRect();"
            " return [box.x, box.y, box.width, box.height]; })()"
        )
        assert found is not None, f"there is no {selector}"
        return [float(value) for value in found]

    def click_on(self, selector: str) -> None:
        """Click on the middle of an element."""
        left, top, width, height = self.place(selector)
        self.click(left + width / 2, top + height / 2)

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press and release a key that is no letter: ``Tab``, ``Enter``, ``Escape``, ``ArrowLeft`` and the like."""
        codes = {
            "Tab": 9, "Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40,
            "Delete": 46, "Backspace": 8,
        }  # fmt: skip
        fields = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key], "modifiers": 8 * shift}
        text = {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **fields, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **fields)

    def type(self, text: str) -> None:
        """Type a text where the focus is."""
        self.call("Input.insertText", text=text)

    def choose_files(self, selector: str, *paths: Path) -> None:
        """Give files to a field for files."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def screenshot(self, path: Path) -> None:
        """Write what is seen as a PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
