"""A file from the network into the cache: once, whole, resumed where it broke off, and checked."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import json
import os
import re
import shutil
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

from reid_models.errors import InputError
from reid_models.file_locks import only_one_process

__all__ = ["Patience", "cache_folder", "fetch_file", "offline_wanted"]

_CHUNK = 1 << 16
_TRY_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_LONGEST_WAIT = 30.0
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is waited for.

    Args:
        timeout: seconds without a byte after which a connection counts as broken.
        attempts: failures in a row, without anything new, after which no more is tried.
        backoff: seconds before the second attempt; doubled for each further one.
    """

    timeout: float = 30.0
    attempts: int = 4
    backoff: float = 0.5


def cache_folder() -> Path:
    """Return the folder for downloaded files: ``MULTICAM_CACHE``, by default ``~/.cache/multicam``."""
    folder = os.environ.get("MULTICAM_CACHE")
    if folder:
        return Path(folder).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "multicam"


def offline_wanted(offline: bool | None = None) -> bool:
    """Return whether nothing may be downloaded: ``offline``, or ``MULTICAM_OFFLINE`` where it is ``None``."""
    if offline is not None:
        return offline
    return os.environ.get("MULTICAM_OFFLINE", "").strip().lower() not in ("", "0", "false", "no", "off")


def fetch_file(
    url: str,
    target: Path,
    *,
    what: str,
    sha256: str | None = None,
    size: int | None = None,
    offline: bool | None = None,
    progress: bool | None = None,
    patience: Patience = Patience(),
) -> Path:
    """Return ``target``, after fetching it from ``url`` unless it is there.

    Bytes are written to a ``.partial`` file beside it, which a broken-off download leaves for the next attempt and
    which takes the name ``target`` only when whole and checked. Two processes that want the same file fetch it once.
    Where no checksum is known, that of the first download is kept as ``target.sha256`` and compared with ever after.

    Args:
        url: HTTP or HTTPS.
        target: where the file is to lie.
        what: for messages, ``"the weights osnet_x1_0:msmt17"``.
        sha256: of the whole file in hexadecimal, where known.
        size: of the whole file in bytes, where known.
        offline: never download; ``None``: as ``MULTICAM_OFFLINE`` says.
        progress: show a bar on the standard error; ``None``: if that is a terminal.
        patience: with the server.

    Raises:
        InputError: the file is not there and may not or cannot be fetched, or is not the one that was promised.
    """
    if target.is_file():
        _check_kept(target, what, sha256)
        return target
    by_hand = f"fetch {url} by other means and put it at {target}"
    if offline_wanted(offline):
        raise InputError(f"{what}: not in the cache, and downloads are off (--offline or MULTICAM_OFFLINE); {by_hand}")
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise InputError(f"{what}: the address {url} is no http:// or https:// one; correct MULTICAM_WEIGHTS_URL")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with only_one_process(target.with_name(f"{target.name}.lock")) as alone:
            if target.is_file():
                _check_kept(target, what, sha256)
                return target
            suffix = "partial" if alone else f"{os.getpid()}.partial"
            partial = _Partial(target.with_name(f"{target.name}.{suffix}"), url, trusted=sha256 is not None)
            _Download(partial, what, by_hand, sha256, size, patience).run(target, progress)
    except OSError as error:
        place = f"{target.parent}: {error.strerror or error}"
        raise InputError(f"{what} cannot be kept in {place}; set MULTICAM_CACHE to a folder") from None
    return target


class _Interrupted(Exception):
    """The connection or the server failed in a way that another attempt may cure, after ``wait`` seconds."""

    def __init__(self, reason: object, wait: float | None = None) -> None:
        super().__init__(str(reason))
        self.wait = wait


class _Partial:
    """What has been fetched so far, and what the server called it (``ETag`` or date).

    Args:
        path: of the bytes; facts about them lie beside it as JSON.
        url: where they are from.
        trusted: a checksum will tell whether the parts belong together, even where the server names no version.
    """

    def __init__(self, path: Path, url: str, *, trusted: bool) -> None:
        self.path = path
        self._facts_path = path.with_name(f"{path.name}.json")
        self.url = url
        self._trusted = trusted

    def begin(self, version: str | None, total: int | None) -> None:
        """Start from nothing with the file's ``version`` and ``total`` bytes."""
        self.path.write_bytes(b"")
        self._facts_path.write_text(json.dumps({"url": self.url, "version": version, "total": total}))

    def facts(self) -> tuple[int, str | None, int | None]:
        """Return bytes that can be built upon, their version, and the whole file's size as far as known."""
        try:
            facts: dict[str, Any] = json.loads(self._facts_path.read_text())
            have = self.path.stat().st_size
            usable = facts["url"] == self.url and (facts["version"] is not None or self._trusted)
            return (have, facts["version"], facts["total"]) if usable else (0, None, None)
        except (OSError, ValueError, KeyError, TypeError):
            return 0, None, None

    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self._facts_path.unlink(missing_ok=True)

    def become(self, target: Path, digest: str, *, keep_digest: bool) -> None:
        """Take the name ``target`` for good."""
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())
        if keep_digest:
            _keep_digest(target, digest)
        self.path.replace(target)
        self._facts_path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Download:
    """One file on its way; see :func:`fetch_file`."""

    partial: _Partial
    what: str
    by_hand: str
    sha256: str | None
    size: int | None
    patience: Patience

    def run(self, target: Path, progress: bool | None) -> None:
        with _progress_bar(self.what, progress) as show:
            digest = self._checked(show)
        self.partial.become(target, digest, keep_digest=self.sha256 is None)

    def _checked(self, show: Callable[[int, int | None], None]) -> str:
        """Return the checksum of the whole file, in ``partial``."""
        for first_time in (True, False):
            resumed = self._whole(show)
            digest = _digest(self.partial.path)
            if self.sha256 in (None, digest):
                break
            self.partial.remove()
            # Parts of two versions may have met: fetched in one go it may well be right.
            if not (resumed and first_time):
                difference = f"sha256 {digest[:16]}…, not {(self.sha256 or '')[:16]}…"
                raise self._failure(f"its checksum is wrong ({difference}), so nothing was kept")
        return digest

    def _whole(self, show: Callable[[int, int | None], None]) -> bool:
        """Fetch until all is there; returns whether parts of several connections were put together."""
        failures, most, connections = 0, 0, 0
        while True:
            have, version, total = self.partial.facts()
            if have and have == total:
                return True
            most = max(most, have)
            connections += 1
            try:
                self._transfer(have, version, show)
                return connections > 1 or have > 0
            except _Interrupted as error:
                # What is new shows that the server lives; what is fetched again and again does not.
                failures = 1 if self.partial.size() > most else failures + 1
                if failures >= self.patience.attempts:
                    kept = self.partial.facts()[0]
                    kept_words = f"; {kept / 1e6:.1f} MB are kept, and the next attempt goes on there" if kept else ""
                    raise self._failure(f"{error}{kept_words}") from None
                time.sleep(min(error.wait or self.patience.backoff * 2 ** (failures - 1), _LONGEST_WAIT))

    def _transfer(self, have: int, version: str | None, show: Callable[[int, int | None], None]) -> None:
        with contextlib.closing(self._open(have, version)) as response:
            total = self._begin(response, have, version)
            done = have if response.status == http.HTTPStatus.PARTIAL_CONTENT else 0
            if total is not None and shutil.disk_usage(self.partial.path.parent).free < total - done:
                raise self._disk_full(total)
            try:
                with self.partial.path.open("ab") as file:
                    show(done, total)
                    while chunk := _read(response):
                        file.write(chunk)
                        done += len(chunk)
                        show(done, total)
            except OSError as error:
                if error.errno in _DISK_FULL:
                    raise self._disk_full(total) from None
                raise
        if total is not None and done != total:
            raise _Interrupted(f"the connection ended after {done} of {total} bytes")
        if self.size is not None and done != self.size:
            self.partial.remove()
            raise self._failure(f"it has {done} bytes, not {self.size}, so nothing was kept")

    def _open(self, have: int, version: str | None) -> http.client.HTTPResponse:
        headers = {"User-Agent": "multicam", "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if version is not None:
                headers["If-Range"] = version
        request = urllib.request.Request(self.partial.url, headers=headers)
        try:
            response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=self.patience.timeout)
            return response
        except urllib.error.HTTPError as error:
            error.close()
            if have and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                self.partial.remove()
                raise _Interrupted("the file has become shorter", wait=0.01) from None
            if error.code in _TRY_AGAIN:
                busy = f"the server is busy or broken (HTTP {error.code})"
                raise _Interrupted(busy, _wished(error.headers)) from None
            self.partial.remove()
            reasons = {401: "asks for a password", 403: "refuses it", 404: "has no such file", 410: "has it no longer"}
            raise self._failure(f"the server {reasons.get(error.code, 'refuses it')} (HTTP {error.code})") from None
        except http.client.InvalidURL as error:
            raise self._failure(str(error)) from None
        except (OSError, http.client.HTTPException) as error:
            reason: object = error.reason if isinstance(error, urllib.error.URLError) else error
            if isinstance(reason, ssl.SSLCertVerificationError):
                raise self._failure(f"its certificate is not trusted ({reason.verify_message})") from None
            raise _Interrupted(_words("there is no connection", reason)) from None

    def _begin(self, response: http.client.HTTPResponse, have: int, version: str | None) -> int | None:
        """Make ready for the body; returns the size of the whole file, where the server says it."""
        offered = _version(response.headers)
        length = response.headers.get("Content-Length", "")
        if response.status == http.HTTPStatus.PARTIAL_CONTENT:
            place = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
            fits = place is not None and int(place[1]) == have and (version is None or offered in (None, version))
            if place is None or not fits:
                self.partial.remove()
                raise _Interrupted("the server sent another part than was asked for", wait=0.01)
            return int(place[2]) if place[2].isdigit() else None if not length.isdigit() else have + int(length)
        if response.headers.get_content_type() == "text/html":
            self.partial.remove()
            raise self._failure("the server sent a web page instead of the file")
        total = int(length) if length.isdigit() else None
        if total is not None and self.size is not None and total != self.size:
            self.partial.remove()
            raise self._failure(f"it has {total} bytes, not {self.size}, so nothing was kept")
        self.partial.begin(offered, total)
        return total

    def _disk_full(self, size: int | None) -> InputError:
        self.partial.remove()
        needed = f"{size / 1e6:.0f} MB are" if size else "more is"
        return InputError(
            f"{self.what}: no room on the disk of {self.partial.path.parent}, {needed} needed; free some, or set "
            "MULTICAM_CACHE to a folder on another disk"
        )

    def _failure(self, reason: str) -> InputError:
        host = urllib.parse.urlsplit(self.partial.url).netloc
        return InputError(f"{self.what} cannot be fetched from {host}: {reason}; try again, or {self.by_hand}")


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read1(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _Interrupted(_words("the connection broke", error)) from None


def _version(headers: Message) -> str | None:
    """Return what ``If-Range`` may name: a strong ``ETag``, else the date of the last change."""
    tag = headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")


def _wished(headers: Message) -> float | None:
    wait = headers.get("Retry-After", "")
    return float(wait) if wait.isdigit() else None


def _words(event: str, reason: object) -> str:
    if isinstance(reason, TimeoutError):
        return "the server does not answer"
    return f"{event} ({getattr(reason, 'strerror', None) or str(reason) or type(reason).__name__})"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_path(target: Path) -> Path:
    return target.with_name(f"{target.name}.sha256")


def _keep_digest(target: Path, digest: str) -> None:
    path = _digest_path(target)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(f"{digest}  {target.name}\n")
    temporary.replace(path)


def _check_kept(target: Path, what: str, sha256: str | None) -> None:
    """Refuse a file in the cache that is not what it was or is to be."""
    kept = _digest_path(target)
    expected = sha256
    if expected is None and kept.is_file():
        expected = kept.read_text().split(maxsplit=1)[0]
    try:
        digest = _digest(target)
    except OSError as error:
        raise InputError(f"{what}: {target} cannot be read: {error.strerror or error}") from None
    if expected is None:
        # Put there by hand; the folder may be one that only others write to.
        with contextlib.suppress(OSError):
            _keep_digest(target, digest)
    elif digest != expected:
        raise InputError(
            f"{what}: {target} is damaged or another file (sha256 {digest[:16]}…, not {expected[:16]}…); delete it, "
            "and it is fetched again"
        )


@contextlib.contextmanager
def _progress_bar(what: str, wanted: bool | None) -> Iterator[Callable[[int, int | None], None]]:
    """Yield what is told (bytes done, bytes in all)."""
    if not (sys.stderr.isatty() if wanted is None else wanted):
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=console.is_terminal) as bar:
        task = bar.add_task(f"Fetching {what}", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
