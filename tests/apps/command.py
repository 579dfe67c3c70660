"""The command as a person calls it: in this process, or as one of its own where signals and pipes matter."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from apps.cli import main

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Outcome:
    """What a call left: exit code and what it printed."""

    code: int
    out: str
    err: str


class Command:
    """Calls ``multicam`` in this process and takes what it prints, also past Python."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *arguments: object) -> Outcome:
        self._capture.readouterr()
        code = call(*arguments)
        captured = self._capture.readouterr()
        return Outcome(code, captured.out, captured.err)


def call(*arguments: object) -> int:
    """Call the command in this process; return its exit code."""
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def environment() -> dict[str, str]:
    """The environment of a process of its own: our checkout first, one thread, progress on a narrow terminal."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "100", "PYTHONUNBUFFERED": "1"}


def process(*arguments: object, patch: str = "", **options: Any) -> subprocess.Popen[str]:
    """Start the command as a process of its own, after the Python statements in ``patch``."""
    code = f"{patch}\nfrom apps.cli import main\nmain()"
    command = [sys.executable, "-c", code, *(str(argument) for argument in arguments)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    # Where the tests run in the background of a shell, interrupts are ignored, and children inherit that.
    return subprocess.Popen(command, text=True, env=environment(), preexec_fn=_heed_interrupts, **options)


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def assert_one_line(outcome: Outcome, *fragments: str) -> None:
    """Assert that a call failed as it should: exit 2, one line that names what was wrong and what to do."""
    assert outcome.code == 2, outcome
    lines = outcome.err.splitlines()
    assert len(lines) == 1, outcome.err
    assert lines[0].startswith("multicam: ")
    assert "Traceback" not in outcome.err
    assert outcome.out == ""
    for fragment in fragments:
        assert fragment in lines[0], lines[0]


def files_in(folder: Path) -> dict[str, bytes]:
    """Name → content of all files below a folder, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def read_json(path: Path) -> Any:
    """Read JSON as strictly as browsers do: no NaN, no Infinity."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{path} has {word}, which is no JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read JSON Lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read the rows of a CSV file by its header."""
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def assert_consistent(folder: Path, cameras: Sequence[str], *, video: bool = True) -> None:
    """Assert that the files of a run are complete, say the same, and that nothing else is there."""
    record = read_json(folder / "run.json")
    assert sorted(files_in(folder)) == record["files"]
    rows = read_lines(folder / "tracks.jsonl")
    table = read_csv(folder / "tracks.csv")
    assert [
        (row["camera"], row["frame"], row["time"], row["identity"] or "", row["track"], *row["box"], row["score"])
        for row in rows
    ] == [
        (row["camera"], int(row["frame"]), float(row["time"]), int(row["identity"]) if row["identity"] else "",
         int(row["track"]), *(float(row[side]) for side in ("x1", "y1", "x2", "y2")), float(row["score"]))
        for row in table
    ]  # fmt: skip
    for camera in cameras:
        _assert_mot(folder / f"{camera}.txt", [row for row in rows if row["camera"] == camera])
    _assert_identities(read_json(folder / "identities.json"), rows, record)
    _assert_events(read_lines(folder / "events.jsonl"), rows)
    assert record["frames"] == sum(camera["frames"] for camera in record["cameras"])
    assert [camera["name"] for camera in record["cameras"]] == list(cameras)
    if video:
        for camera in record["cameras"]:
            assert (folder / f"{camera['name']}.mp4").exists() == (camera["frames"] > 0)


def _assert_mot(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    lines = [[float(field) for field in line.split(",")] for line in path.read_text().splitlines()]
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        assert len(line) == 10
        assert line[0] == row["frame"]
        assert line[1] == (row["identity"] or 1_000_000 + row["track"])
        x1, y1, x2, y2 = row["box"]
        assert line[2:6] == pytest.approx([x1 + 1, y1 + 1, x2 - x1, y2 - y1], abs=0.02)
        assert line[7:] == [-1, -1, -1]


def _assert_identities(
    identities: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]], record: Mapping[str, Any]
) -> None:
    assert [entry["identity"] for entry in identities] == sorted({row["identity"] for row in rows if row["identity"]})
    assert record["identities"] == len(identities)
    assert record["identities_in_several_cameras"] == sum(len(entry["cameras"]) > 1 for entry in identities)
    for entry in identities:
        mine = [row for row in rows if row["identity"] == entry["identity"]]
        assert entry["observations"] == len(mine)
        assert entry["first_time"] == min(row["time"] for row in mine)
        assert entry["last_time"] == max(row["time"] for row in mine)
        assert set(entry["cameras"]) == {row["camera"] for row in mine}
        tracks = {(row["camera"], row["track"]) for row in mine}
        assert {(track["camera"], track["track"]) for track in entry["tracks"]} == tracks
    # Nobody is twice in one picture.
    seen = [(row["camera"], row["frame"], row["identity"]) for row in rows if row["identity"]]
    assert len(seen) == len(set(seen))


def _assert_events(events: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> None:
    """Replay the events: what they end with is what the files hold."""
    opened: list[int] = []
    pieces: dict[tuple[str, int], dict[float, int]] = {}
    for event in events:
        if event["kind"] in ("identity_opened", "identity_recalled"):
            opened.append(event["identity"])
        elif event["kind"] in ("identity_assigned", "identity_corrected"):
            # 0: turned out to be nobody who is known
            assert event["identity"] in opened or (event["identity"] == 0 and event["kind"] == "identity_corrected")
            pieces.setdefault((event["camera"], event["track"]), {})[event["since"]] = event["identity"]
    assert len(opened) == len(set(opened)), "numbers are never reused"
    for row in rows:
        # What is said of the floor holds in every camera.
        parts = pieces.get((row["camera"], row["track"])) or pieces.get(("floor", row["track"]), {})
        since = max((begin for begin in parts if begin <= row["time"] + 1e-6), default=None)
        assert row["identity"] == (None if since is None else parts[since] or None), row


@contextlib.contextmanager
def ended(started: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Yield a process, and end it whatever happens."""
    try:
        yield started
    finally:
        if started.poll() is None:
            started.kill()
        started.communicate()
