"""A store as files that other programs read: CSV, JSON and pictures in folders."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from tracker.storage.atomic import atomic_path
from tracker.storage.store_reader import StoreReader

__all__ = ["export_store"]


def export_store(
    store: StoreReader, folder_file: Callable[[str], Path], progress: Callable[[int, int], None] | None = None
) -> int:
    """Write ``people.csv``, ``sightings.csv``, ``boxes.csv``, ``store.json`` and ``crops/NUMBER/*.jpg``.

    Times are seconds since 1970; ``run_origin`` is what time 0 of the run's own clock stands for.

    Args:
        store: to be read.
        folder_file: relative name → path to write.
        progress: called with the number of finished and of all people.

    Returns:
        the number of people.

    Raises:
        InputError: a file cannot be written.
    """
    people = store.people()
    entries = []
    with (
        atomic_path(folder_file("people.csv")) as people_path,
        atomic_path(folder_file("sightings.csv")) as sightings_path,
        atomic_path(folder_file("boxes.csv")) as boxes_path,
        people_path.open("w", encoding="utf-8", newline="") as people_file,
        sightings_path.open("w", encoding="utf-8", newline="") as sightings_file,
        boxes_path.open("w", encoding="utf-8", newline="") as boxes_file,
    ):
        people_rows, sighting_rows, box_rows = (
            csv.writer(file, lineterminator="\n") for file in (people_file, sightings_file, boxes_file)
        )
        people_rows.writerow(["identity", "name", "first_seen", "last_seen", "cameras", "sightings", "crops"])
        sighting_rows.writerow(["sighting", "identity", "camera", "track", "start", "end", "run_origin", "clock"])
        box_rows.writerow(["sighting", "time", "x1", "y1", "x2", "y2"])
        for done, person in enumerate(people):
            people_rows.writerow(
                [person.number, _cell(person.name), person.first_seen, person.last_seen,
                 _cell(" ".join(person.cameras)), person.sightings, person.crops]
            )  # fmt: skip
            seen = store.sightings(person.number)
            for one in seen:
                sighting_rows.writerow(
                    [one.number, person.number, _cell(one.camera), one.track, one.start, one.end, one.origin, one.clock]
                )
                times, boxes = store.path_of(one.number)
                box_rows.writerows([one.number, time, *box] for time, box in zip(times.tolist(), boxes.tolist()))
            crops = []
            for crop in store.crops(person.number):
                content = store.crop(crop.number)
                if content is None:
                    continue
                name = f"crops/{person.number:04d}/{crop.number:06d}.jpg"
                with atomic_path(folder_file(name)) as path:
                    path.write_bytes(content)
                crops.append({"file": name, "camera": crop.camera, "time": crop.time, "quality": crop.quality})
            entries.append({**asdict(person), "sightings": [asdict(one) for one in seen], "crops": crops})
            if progress is not None:
                progress(done + 1, len(people))
    with atomic_path(folder_file("store.json")) as path:
        path.write_text(json.dumps(entries, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return len(people)


def _cell(text: str | None) -> str:
    """Return text that no spreadsheet takes for a formula: names are given by people."""
    return "" if text is None else f"'{text}" if text[:1] in "=+-@" else text
