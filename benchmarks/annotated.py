"""Are the identities of a run right? Scores run folders of ``multicam track`` against boxes labelled by eye.

An identity *mixes* people when a second person holds at least half a second of its labelled boxes. A person is *split*
over as many identities as are mostly that person. Boxes that meet no labelled one (IoU below 0.5), or an ambiguous one,
count for nothing.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.metrics import iou_matrix
from benchmarks.report import make_report, write_json
from tracker.errors import InputError

__all__ = ["IdentityScore", "read_annotation", "score_run"]

RETAIL = Path(__file__).with_name("annotations") / "retail-3cam.csv.gz"
AMBIGUOUS = "?"

Annotation = Mapping[tuple[str, int], tuple[list[str], np.ndarray]]


@dataclass(frozen=True, slots=True)
class IdentityScore:
    """How right the identities of one run are.

    ``identities`` counts those with at least half a second of labelled boxes; ``mixed`` and ``split`` are
    explained above; ``purity`` is the share (percent) of labelled boxes that show the person their identity mostly is;
    ``IDF1`` (percent) compares identities and people over all cameras, on labelled boxes.
    """

    identities: int
    people: int
    annotated_people: int
    mixed: int
    split: int
    purity: float
    idf1: float
    cameras_joined: int
    by_identity: Mapping[int, Mapping[str, int]]


def read_annotation(path: Path = RETAIL) -> Annotation:
    """Return (camera, 0-based frame) → people and boxes (N, 4)."""
    found: dict[tuple[str, int], tuple[list[str], list[list[float]]]] = defaultdict(lambda: ([], []))
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(io.StringIO(file.read())):
            people, boxes = found[row["camera"], int(row["frame"]) - 1]
            people.append(row["person"])
            boxes.append([float(row[name]) for name in ("x1", "y1", "x2", "y2")])
    return {key: (people, np.array(boxes)) for key, (people, boxes) in found.items()}


def score_run(folder: Path, annotation: Annotation, *, minimum_boxes: int = 9) -> IdentityScore:
    """Return how right the identities in ``folder/tracks.jsonl`` are.

    Args:
        folder: of ``multicam track``.
        annotation: from :func:`read_annotation`; its camera names must be those of the run.
        minimum_boxes: half a second of the annotated video's frames.

    Raises:
        InputError: the folder holds no run, or none of the annotated cameras.
    """
    path = folder / "tracks.jsonl"
    if not path.is_file():
        raise InputError(f"{folder} holds no tracks.jsonl: give the --output folder of a multicam track run")
    frames: dict[tuple[str, int], list[tuple[int, list[float]]]] = defaultdict(list)
    with path.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            if row["identity"] is not None:
                frames[row["camera"], row["frame"] - 1].append((row["identity"], row["box"]))
    if not {camera for camera, _ in frames} & {camera for camera, _ in annotation}:
        raise InputError(f"{folder} has none of the annotated cameras {sorted({camera for camera, _ in annotation})}")
    seen: dict[int, Counter[str]] = defaultdict(Counter)
    cameras: dict[int, set[str]] = defaultdict(set)
    for key, observations in frames.items():
        if key not in annotation:
            continue
        people, boxes = annotation[key]
        overlap = iou_matrix(np.array([box for _, box in observations]), boxes)
        for (identity, _), row in zip(observations, overlap):
            best = int(np.argmax(row))
            if row[best] >= 0.5 and people[best] != AMBIGUOUS:
                seen[identity][people[best]] += 1
                cameras[identity].add(key[0])
    return _score(seen, cameras, annotation, minimum_boxes)


def _score(
    seen: Mapping[int, Counter[str]], cameras: Mapping[int, set[str]], annotation: Annotation, minimum_boxes: int
) -> IdentityScore:
    from scipy.optimize import linear_sum_assignment

    known = sorted({person for people, _ in annotation.values() for person in people if person != AMBIGUOUS})
    total = sum(person != AMBIGUOUS for people, _ in annotation.values() for person in people)
    large = {identity: counts for identity, counts in seen.items() if sum(counts.values()) >= minimum_boxes}
    main = {identity: counts.most_common(1)[0] for identity, counts in large.items()}
    mixed = [
        identity
        for identity, counts in large.items()
        if len(counts) > 1 and counts.most_common(2)[1][1] >= minimum_boxes
    ]
    labelled = sum(sum(counts.values()) for counts in large.values())
    agreement = np.array([[counts[person] for person in known] for counts in seen.values()]).reshape(-1, len(known))
    rows, columns = linear_sum_assignment(-agreement)
    true_positives = int(agreement[rows, columns].sum())
    people = {person for person, _ in main.values()}
    return IdentityScore(
        identities=len(large),
        people=len(people),
        annotated_people=len(known),
        mixed=len(mixed),
        split=len(large) - len(people),
        purity=100.0 * sum(count for _, count in main.values()) / max(labelled, 1),
        idf1=100.0 * 2 * true_positives / max(total + int(agreement.sum()), 1),
        cameras_joined=sum(len(cameras[identity]) > 1 for identity in large),
        by_identity={identity: dict(counts) for identity, counts in sorted(large.items())},
    )


def _main(
    runs: Annotated[list[Path], typer.Argument(help="Output folders of multicam track on the annotated videos.")],
    annotation: Annotated[Path, typer.Option(help="Labelled boxes, gzipped CSV.")] = RETAIL,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the figures here.")] = None,
) -> None:
    """Score the identities of runs against boxes labelled by eye."""
    from rich.console import Console
    from rich.table import Table

    labels = read_annotation(annotation)
    table = Table("run", "identities", "people", "mix two people", "splits", "in several cameras", "purity %", "IDF1 %")
    rows = []
    for run in runs:
        score = score_run(run, labels)
        table.add_row(
            run.name, str(score.identities), f"{score.people} of {score.annotated_people}", str(score.mixed),
            str(score.split), str(score.cameras_joined), f"{score.purity:.1f}", f"{score.idf1:.1f}",
        )  # fmt: skip
        rows.append(
            {"name": run.name, "sequence": "combined", "identities": score.identities, "people": score.people,
             "mixed": score.mixed, "split": score.split, "cameras_joined": score.cameras_joined,
             "purity": score.purity, "IDF1": score.idf1}
        )  # fmt: skip
    Console().print(table)
    if json_file is not None:
        write_json(json_file, make_report("annotated identities", {"annotation": annotation.name}, rows))


if __name__ == "__main__":
    typer.run(_main)
