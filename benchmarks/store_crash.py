"""``python -m benchmarks.store_crash``: a process that writes a store is killed at random moments; what is missing?

The process hands people over as fast as it may, each with a sighting, some with a crop and a look, and notes in a side
log which it has handed over and when. It is killed without warning. Then the store must open and be sound, and have
everything that was handed over more than a second before. The next process goes on in the same store.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.console import StepBars, print_table, run_command
from benchmarks.report import make_report, write_json
from tracker.cross_camera.gallery_file import EmbedderMark
from tracker.storage.store_looks import Look
from tracker.storage.store_reader import StoreReader
from tracker.storage.track_store import EmbedderRecord, TrackStore

__all__ = ["Crash", "app", "crash_once", "main", "write_until_killed"]

_DIMENSION = 64
#: of these numbers one in so many has a crop and a look
_WITH_CROP = 5
#: number of the person, and when it had been handed over (seconds of the system's clock that only goes forward)
_LOG = struct.Struct("<qd")
#: what may be lost
_SECONDS = 1.0

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, slots=True)
class Crash:
    """What one kill did: how much was handed over, how old the oldest is that is missing, and what should be there."""

    handed_over: int
    lost: int
    #: age at the kill of the oldest that is missing, milliseconds
    oldest_lost_ms: float
    #: missing although handed over more than a second before
    missing: int
    #: what SQLite says of the file
    check: str


def write_until_killed(store_path: Path, log_path: Path, first: int, seed: int) -> None:
    """Hand over people from number ``first`` on, without end."""
    generator = np.random.default_rng(seed)
    marks = np.eye(4, _DIMENSION, dtype=np.float32)
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    store = TrackStore(store_path, create=True)
    store.set_embedder(EmbedderRecord("made-up", None, EmbedderMark("made-up", marks)))
    store.begin_run(0.0, clock_kind="wall")
    number = first
    while True:
        camera, moment = f"camera{number % 3}", 0.1 * number
        store.observe(camera, number, moment, (10.0, 10.0, 60.0, 160.0))
        store.tell(camera, number, moment, number)
        if number % _WITH_CROP == 0:
            store.add_crop(camera, number, moment, 0.5, generator.bytes(4000))
            vector = np.roll(marks[:1], number, axis=1)
            store.put_looks([Look(number, camera, vector[0].astype(float), 1.0, 1, vector, np.array([moment]))])
        os.write(log, _LOG.pack(number, time.monotonic()))
        number += 1
        time.sleep(float(generator.uniform(0, 0.003)))


def crash_once(folder: Path, seconds: float, first: int, seed: int) -> Crash:
    """Let a process write for some seconds, kill it, and look at the store.

    Args:
        folder: of the store and its log.
        seconds: after the first person was handed over.
        first: number of the first person.
        seed: of what is written.
    """
    store, log = folder / "store.sqlite", folder / f"log-{first}"
    code = "import sys; from pathlib import Path; from benchmarks.store_crash import write_until_killed as write; "
    code += "write(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))"
    command = [sys.executable, "-c", code, str(store), str(log), str(first), str(seed)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as writer:
        try:
            while not log.exists() or log.stat().st_size == 0:
                if writer.poll() is not None:
                    raise RuntimeError(f"the writer ended by itself: {(writer.stderr or sys.stdin).read()!r}")
                time.sleep(0.01)
            time.sleep(seconds)
            killed = time.monotonic()
        finally:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
    content = log.read_bytes()
    handed_over = dict(_LOG.iter_unpack(content[: len(content) // _LOG.size * _LOG.size]))
    with sqlite3.connect(store) as connection:
        check = "; ".join(row[0] for row in connection.execute("PRAGMA integrity_check"))
        check += "".join(f"; {row}" for row in connection.execute("PRAGMA foreign_key_check"))
    connection.close()
    with StoreReader(store) as reader:
        people = {person.number: person for person in reader.people()}
        with_looks = set(reader.vectors().identities.tolist())
    lost = [
        killed - moment
        for number, moment in handed_over.items()
        if number not in people
        or people[number].sightings != 1
        or (number % _WITH_CROP == 0 and (people[number].crops != 1 or number not in with_looks))
    ]
    log.unlink()
    return Crash(
        len(handed_over), len(lost), round(1000 * max(lost, default=0.0), 1), sum(age > _SECONDS for age in lost), check
    )


@app.command()
def run(
    times: Annotated[int, typer.Option(min=1, help="How often the process is killed.")] = 50,
    longest: Annotated[float, typer.Option(min=0.1, help="Seconds that it writes at most before it is killed.")] = 4.0,
    seed: Annotated[int, typer.Option(help="Of the moments and of what is written.")] = 0,
    json: Annotated[Path | None, typer.Option(help="File for the report.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Kill a writing process at random moments and look at what its store has."""
    generator = np.random.default_rng(seed)
    crashes: list[Crash] = []
    with tempfile.TemporaryDirectory() as folder, StepBars(quiet) as bars:
        progress, first = bars.of("kills"), 1
        for place in range(times):
            crashes.append(crash_once(Path(folder), float(generator.uniform(0, longest)), first, seed + place))
            first += crashes[-1].handed_over + 1
            progress(place + 1, times)
        size = (Path(folder) / "store.sqlite").stat().st_size
    bad = sum(crash.missing > 0 or crash.check != "ok" for crash in crashes)
    rows = [
        ["kills", str(times)],
        ["people handed over", str(sum(crash.handed_over for crash in crashes))],
        ["stores that opened and are sound", str(sum(crash.check == "ok" for crash in crashes))],
        ["missing although older than a second", str(sum(crash.missing for crash in crashes))],
        ["oldest that was lost, ms", f"{max(crash.oldest_lost_ms for crash in crashes):.0f}"],
        ["store at the end, MB", f"{size / 1e6:.1f}"],
    ]
    print_table("A store whose writer is killed", ["", ""], rows, "")
    if json is not None:
        settings = {"times": times, "longest": longest, "seed": seed}
        lines = [{"name": "kill", "sequence": str(place + 1), **asdict(crash)} for place, crash in enumerate(crashes)]
        write_json(json, make_report("store_crash", settings, lines))
    if bad:
        raise typer.Exit(1)


def main() -> None:
    """Run the command, see :func:`benchmarks.console.run_command`."""
    run_command(app)


if __name__ == "__main__":
    main()
