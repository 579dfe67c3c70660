"""``python -m benchmarks.handover``: what times between cameras add to looks, on made-up streams with known people.

Three cameras in a line that share no view. People come at random moments and walk along it in either direction, each
at their own pace; some stop on the way, some come back. Everybody has a look, and every visit shows a different side of
it: how far the two differ decides how much is left for times to tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.console import StepBars, print_table, run_command
from benchmarks.report import make_report, write_json
from tracker.association.assignment import assign
from tracker.cross_camera.appearance import normalised
from tracker.cross_camera.identities import Identities
from tracker.cross_camera.identity_settings import CameraObservations, IdentitySettings

__all__ = ["app", "main", "measure", "walks"]

_CAMERAS = ("left", "middle", "right")
_DIMENSION = 32
#: seconds in a view, seconds from one to the next, and the share by which people's paces differ
_VISIT, _TRANSIT, _PACE = 5.0, (12.0, 20.0), 0.12
#: frames per second
_RATE = 2.0
#: length of what differs from crop to crop of one visit, relative to a look
_CROP_NOISE = 0.3

#: camera, person, begin and end in seconds
Visit = tuple[int, int, float, float]

app = typer.Typer(add_completion=False)


def walks(people: int, every: float, generator: np.random.Generator) -> list[Visit]:
    """Return the visits of ``people`` persons of whom one comes about every ``every`` seconds."""
    visits: list[Visit] = []
    for person, begin in enumerate(np.cumsum(generator.exponential(every, people)).tolist()):
        time = begin
        for _ in range(2 if generator.random() < 0.2 else 1):
            pace = float(np.exp(generator.normal(0, _PACE)))
            order = (0, 1, 2) if generator.random() < 0.5 else (2, 1, 0)
            for step, camera in enumerate(order):
                visits.append((camera, person, time, time + _VISIT * pace))
                stop = generator.exponential(40.0) if generator.random() < 0.1 else 0.0
                way = _TRANSIT[min(camera, order[step + 1])] if step < 2 else 0.0
                time += (_VISIT + way) * pace + stop
            time += generator.uniform(20.0, 60.0)
    return visits


def measure(handover: str, *, people: int, every: float, view_noise: float, seed: int) -> dict[str, Any]:
    """Return IDF1 over all cameras together and what else is found, in percent and counts.

    Args:
        handover: ``"auto"`` or ``"off"``.
        people: persons.
        every: seconds between two arrivals, on average.
        view_noise: length of what a visit changes in a look, relative to the look.
        seed: of everything.
    """
    generator = np.random.default_rng(seed)
    visits = walks(people, every, generator)
    looks = normalised(generator.normal(size=(people, _DIMENSION)))
    scale = 1 / np.sqrt(_DIMENSION)
    shown = looks[[visit[1] for visit in visits]]
    shown = normalised(shown + view_noise * scale * generator.normal(size=shown.shape))
    identities = Identities(_CAMERAS, IdentitySettings(handover=handover, settle_seconds=60.0), 0.5)
    sights: list[tuple[int, int, float]] = []
    for tick in range(int(max(end for *_, end in visits) * _RATE) + 2):
        time = tick / _RATE
        step = []
        for place, name in enumerate(_CAMERAS):
            mine = [(row, begin, end) for row, (camera, _, begin, end) in enumerate(visits) if camera == place]
            here = [row for row, begin, end in mine if begin <= time < end]
            gone = [row for row, _, end in mine if time - 1 / _RATE < end <= time]
            sights += [(place, row, time) for row in here]
            crops = normalised(shown[here] + _CROP_NOISE * scale * generator.normal(size=(len(here), _DIMENSION)))
            step.append(_seen(name, time, here, crops, gone))
        identities.observe(step)
    identities.finish()
    truth = [visits[row][1] for _, row, _ in sights]
    found = [
        int(identities.identity_of(_CAMERAS[place], np.array([row]), np.array([time]))[0])
        for place, row, time in sights
    ]
    transitions = identities.evidence.transitions
    learnt = [] if transitions is None else transitions.records(identities.cameras)
    return _scores(truth, found) | {"gaps_learnt": sum(record.count for record in learnt)}


def _seen(
    camera: str, time: float, rows: Sequence[int], crops: NDArray[np.float32], gone: Sequence[int]
) -> CameraObservations:
    left = np.array([(row % 8) * 150.0 + 20.0 for row in rows])
    boxes = np.stack([left, np.full(len(rows), 100.0), left + 90.0, np.full(len(rows), 340.0)], axis=1)
    return CameraObservations(
        camera, time, np.array(rows, np.int64), boxes.astype(np.float32).reshape(-1, 4), crops.reshape(-1, _DIMENSION),
        np.full(len(rows), 0.8, np.float32), (1280, 720), np.array(gone, np.int64),
    )  # fmt: skip


def _scores(truth: Sequence[int], found: Sequence[int]) -> dict[str, Any]:
    people, numbers = sorted(set(truth)), sorted(set(found) - {0})
    together = Counter(zip(truth, found))
    shared = np.array([[together[person, number] for number in numbers] for person in people], float)
    rows, columns = assign(np.where(shared > 0, -shared, np.inf), 0.0)
    right = float(shared[rows, columns].sum())
    given = sum(number != 0 for number in found)
    return {
        "IDF1": round(100 * 2 * right / (len(truth) + given), 2),
        "purity": round(100 * float(shared.max(axis=0).sum()) / max(given, 1), 2),
        "people": len(people),
        "identities": len(numbers),
    }


@app.command()
def run(
    people: Annotated[int, typer.Option(min=2, help="Persons in each stream.")] = 100,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two arrivals, on average.")] = 8.0,
    view_noise: Annotated[
        list[float] | None, typer.Option(help="How much a visit changes a look; repeatable. 0.6, 0.9 and 1.2.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Streams of each kind.")] = 2,
    json: Annotated[Path | None, typer.Option(help="File for the report.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Measure identities with and without times between cameras."""
    rows = []
    noises = view_noise or [0.6, 0.9, 1.2]
    cases = [(noise, seed, mode) for noise in noises for seed in range(seeds) for mode in ("off", "auto")]
    with StepBars(quiet) as bars:
        progress = bars.of("streams")
        for place, (noise, seed, mode) in enumerate(cases):
            found = measure(mode, people=people, every=every, view_noise=noise, seed=seed)
            rows.append({"name": f"handover {mode}", "sequence": f"view noise {noise:g}, seed {seed}", **found})
            progress(place + 1, len(cases))
    header = ["stream", "handover", "IDF1", "purity", "people", "identities", "gaps learnt"]
    lines = [
        [row["sequence"], row["name"].split()[1], f"{row['IDF1']:.1f}", f"{row['purity']:.1f}", str(row["people"]),
         str(row["identities"]), str(row["gaps_learnt"])]
        for row in rows
    ]  # fmt: skip
    print_table("Times between cameras, on made-up streams", header, lines, "")
    if json is not None:
        write_json(json, make_report("handover", {"people": people, "every": every, "seeds": seeds}, rows))


def main() -> None:
    """Run the command, see :func:`benchmarks.console.run_command`."""
    run_command(app)


if __name__ == "__main__":
    main()
