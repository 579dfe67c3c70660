"""What a source is by its text, how it is shown to people, and what it is called."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = [
    "RESERVED_NAMES",
    "display_source",
    "is_url",
    "is_webcam",
    "name_problem",
    "name_source",
    "safe_name",
    "unique_name",
    "without_credentials",
]

#: names of cameras that would clash with the other files of an output folder
RESERVED_NAMES = frozenset({"mosaic"})
_LONGEST_NAME = 100
_WINDOWS_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
_HOST = re.compile(r"\[[0-9a-f:.]+\]|[\w.-]+", re.IGNORECASE)


def is_url(source: str) -> bool:
    """Return whether a source is an address such as ``rtsp://…`` (a ``file://`` address counts as one too)."""
    return re.match(r"[a-z][a-z0-9+.-]+://", source, re.IGNORECASE) is not None


def is_webcam(source: str) -> bool:
    """Return whether a source is the index of a webcam: digits only. A folder called ``0`` is reached as ``./0``."""
    return re.fullmatch(r"[0-9]{1,4}", source) is not None


def display_source(source: object) -> str:
    """Return the source as it may be shown: without the user, the password and the query string of an address.

    Addresses that FFmpeg would refuse (a raw ``@``, ``/`` or ``?`` in a password) are masked too, if need be wholly.
    """
    text = str(source)
    if not is_url(text):
        return f"webcam {text}" if is_webcam(text) else text
    scheme, rest = text.split("://", 1)
    credentials = rest.rfind("@")
    query = min((place for place in (rest.find("?"), rest.find("#")) if place >= 0), default=-1)
    if 0 <= query < credentials:
        return f"{scheme}://***"
    if query >= 0:
        rest = rest[:query] + "?***"
    if credentials >= 0:
        rest = "***@" + rest[credentials + 1 :]
    return f"{scheme}://{rest}"


def without_credentials(text: str, source: str) -> str:
    """Return a message about a source without the user, the password and the query string of its address."""
    if not is_url(source):
        return text
    text = text.replace(source, display_source(source))
    rest = source.split("://", 1)[1]
    credentials = rest.rpartition("@")[0]
    query = re.split(r"[?#]", rest, maxsplit=1)[1:]
    for secret in (credentials, *query):
        # What is shorter is in any text, and no secret.
        if len(secret) > 3:
            text = text.replace(secret, "***")
    return text


def name_source(source: str) -> str:
    """Return the name of a camera from its source: file stem, folder name, ``camera0`` or host; safe as a file name.

    A MOTChallenge ``img1`` folder and a ``seqinfo.ini`` file are named by the folder they are in.
    """
    if is_webcam(source):
        return f"camera{int(source)}"
    if is_url(source):
        host = _HOST.match(display_source(source).split("://", 1)[1].removeprefix("***@"))
        return safe_name(host.group() if host else "stream")
    path = Path(source).expanduser().absolute()
    if path.name in ("img1", "seqinfo.ini"):
        path = path.parent
    elif not path.is_dir():
        path = path.with_suffix("")
    return safe_name(path.name or "camera")


def safe_name(text: str) -> str:
    """Return ``text`` as a camera name that is safe as a file name on every system."""
    name = re.sub(r"-{2,}", "-", re.sub(r"[^\w.-]", "-", text)).strip("-.")
    name = name.encode()[:_LONGEST_NAME].decode(errors="ignore") or "camera"
    if name_problem(name) is not None:
        name = f"camera-{name}"
    return name


def name_problem(name: str) -> str | None:
    """Return why a camera cannot have this name, ``None`` when it can: names become file names."""
    if not name.strip():
        return "is empty"
    if name.casefold() in RESERVED_NAMES:
        return f"is the name of another output (reserved: {', '.join(sorted(RESERVED_NAMES))})"
    if name != name.strip() or name.startswith((".", "-")) or name.endswith("."):
        return "starts or ends with a space, a dot or a dash"
    if _UNSAFE.search(name) or _WINDOWS_DEVICES.fullmatch(name):
        return "is not safe as a file name"
    if len(name.encode()) > _LONGEST_NAME + 20:
        return f"is longer than {_LONGEST_NAME} characters"
    return None


def unique_name(name: str, taken: set[str]) -> str:
    """Return ``name``, or ``name-2``, ``name-3``, … the first not in ``taken`` (case-folded), and take it."""
    candidate, number = name, 1
    while candidate.casefold() in taken:
        number += 1
        candidate = f"{name}-{number}"
    taken.add(candidate.casefold())
    return candidate
