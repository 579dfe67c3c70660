"""``multicam search``: who is this, among all whom a store knows?"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.search_sheet import SheetCell, SheetRow, contact_sheet
from apps.settings import NetworkSettings
from apps.store_times import moment, sighting_at
from tracker.cross_camera.gallery_file import check_same_embedder, embedder_mark
from tracker.errors import InputError
from tracker.pipeline import crop_of
from tracker.protocols import Embedder
from tracker.storage.atomic import atomic_path
from tracker.storage.store_reader import EmbedderRecord, StoreReader
from tracker.storage.store_search import VectorHit
from tracker.video.frames import Frame

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["SearchRequest", "print_answers", "run_search", "store_file"]

STORE_NAME = "store.sqlite"
#: pixels of a photo, and bytes of its file, beyond which it is taken for something else
_MOST_PIXELS, _MOST_BYTES = 100_000_000, 200_000_000


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """The options of the command."""

    photos: tuple[Path, ...]
    store: Path
    top: int
    embedder: str | None
    embedder_weights: Path | None
    detector: str | None
    networks: NetworkSettings
    offline: bool
    sheet: Path
    overwrite: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Query:
    """Somebody to look for: the photo, which person in it (from 1; 0: the photo is the crop), and the crop."""

    photo: Path
    person: int
    box: list[float] | None
    crop: NDArray[np.uint8]

    @property
    def title(self) -> str:
        return self.photo.name if self.person == 0 else f"{self.photo.name} #{self.person}"


def store_file(path: Path) -> Path:
    """Return the store that a person names: the file, or the run's folder that holds it."""
    path = path.expanduser()
    return path / STORE_NAME if path.is_dir() else path


def run_search(request: SearchRequest, console: Console | None) -> tuple[list[dict[str, Any]], list[str]]:
    """Look for the people in photos and write the contact sheet.

    Returns:
        One object for each of them, and what found and embedded them, each with its runtime and precision.

    Raises:
        InputError: something given cannot be used; nothing is written then.
    """
    if request.sheet.exists() and (request.sheet.is_dir() or not request.overwrite):
        remedy = "it is a folder" if request.sheet.is_dir() else "it is there already: choose another, or --overwrite"
        raise InputError(f"contact sheet {request.sheet}: {remedy}")
    if request.sheet.suffix.lower() != ".png":
        raise InputError(f"contact sheet {request.sheet} must be a PNG: give a name that ends in .png")
    photos = [(path, _photo(path)) for path in request.photos]
    with StoreReader(store_file(request.store)) as store:
        record = store.embedder()
        if record is None:
            raise InputError(f"store {store.path} has no looks to compare: it was written with --embedder none")
        with _told(console, "loading the embedder"):
            embedder = _embedder(request, record, store.path)
        with _told(console, "finding people in the photos"):
            queries, models = _queries(request, photos)
        with _told(console, "searching"):
            vectors = embedder.embed([query.crop for query in queries])
            found = store.search(vectors, request.top)
            answers = [_answer(store, query, hits, record) for query, hits in zip(queries, found)]
            sheet = contact_sheet([_row(store, query, answer) for query, answer in zip(queries, answers)])
    encoded = cv2.imencode(".png", sheet)[1].tobytes()
    with atomic_path(request.sheet) as temporary:
        temporary.write_bytes(encoded)
    return answers, [*models, embedder.description]


def print_answers(answers: Sequence[dict[str, Any]], sheet: Path, console: Console) -> None:
    """Print a ranked table for each query, and where the contact sheet lies."""
    from rich.markup import escape
    from rich.table import Table

    for answer in answers:
        title = answer["photo"] if not answer["person"] else f"{answer['photo']} #{answer['person']}"
        if not answer["matches"]:
            console.print(f"{title}: the store knows nobody.", markup=False, soft_wrap=True)
            continue
        table = Table(title=escape(title))
        for name in ("rank", "identity", "score"):
            table.add_column(name, justify="right", no_wrap=True)
        for name in ("camera", "when", "seen in", "sightings"):
            table.add_column(name, overflow="fold", justify="right" if name == "sightings" else "left")
        for row in answer["matches"]:
            name = f"{row['identity']} {row['name']}" if row["name"] else str(row["identity"])
            table.add_row(
                str(row["rank"]), escape(name), f"{row['score']:.3f}", escape(row["camera"]), row["when"],
                escape(", ".join(row["cameras"])), str(row["sightings"]),
            )  # fmt: skip
        console.print(table)
        if answer["same_person_from"] is not None:
            console.print(f"The run took two looks for one person from about {answer['same_person_from']:.2f} on.")
    console.print(f"Contact sheet: {sheet}", markup=False, soft_wrap=True)


@contextlib.contextmanager
def _told(console: Console | None, what: str) -> Iterator[None]:
    if console is None:
        yield
    else:
        with console.status(what):
            yield


def _photo(path: Path) -> NDArray[np.uint8]:
    """Return a photo (H, W, 3) BGR uint8, turned as its Exif says.

    Raises:
        InputError: it cannot be read, is no picture, or too large.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"photo {path} is larger than 200 MB: give a smaller picture")
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except IsADirectoryError:
        raise InputError(f"photo {path} is a folder: give the pictures in it") from None
    except OSError as error:
        raise InputError(f"photo {path} cannot be read ({error.strerror or error}): check its name") from None
    try:
        image = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    except cv2.error:
        image = None
    if image is None or image.shape[0] * image.shape[1] > _MOST_PIXELS:
        raise InputError(f"photo {path} is no picture that can be read, such as JPEG or PNG: give another")
    return np.asarray(image, np.uint8)


def _embedder(request: SearchRequest, record: EmbedderRecord, store: Path) -> Embedder:
    """Return the store's embedder, or the one asked for if its vectors are the same.

    Raises:
        InputError: it cannot be made, or it is another one.
    """
    from apps.build import open_embedder
    from reid_models.errors import InputError as EmbedderInputError

    spec = request.embedder or record.spec
    weights: Path | str | None = request.embedder_weights
    if request.embedder is None and weights is None:
        weights = record.weights
    try:
        embedder = open_embedder(
            spec, request.networks, weights=weights, detector=request.detector, offline=request.offline
        )
    except EmbedderInputError as error:
        if request.embedder is not None:
            raise
        raise InputError(
            f"the embedder of store {store}, {record.mark.name}, cannot be loaded ({error}): "
            "say where it is now with --embedder"
        ) from None
    name = record.spec if record.weights is None else f"{record.spec} --embedder-weights {record.weights}"
    remedy = f"use --embedder {name}, or leave the option out"
    check_same_embedder(f"store {store}", record.mark, embedder_mark(embedder), remedy)
    return embedder


def _queries(
    request: SearchRequest, photos: Sequence[tuple[Path, NDArray[np.uint8]]]
) -> tuple[list[_Query], list[str]]:
    """Return the crops to look for (photos, or the people that a detector finds in them), and what found them."""
    if request.detector is None:
        return [_Query(path, 0, None, image) for path, image in photos], []
    from tracker.detectors import create_detector

    if request.detector.startswith("mot:"):
        raise InputError(f"--detector {request.detector} knows no photos: give a model")
    detector = create_detector(
        request.detector, confidence=0.3, classes=[0], offline=request.offline or None,
        **request.networks.model_dump(),
    )  # fmt: skip
    queries = []
    for path, image in photos:
        (found,) = detector.detect([Frame("photo", 0, 0.0, image)])
        # The most conspicuous first.
        order = np.argsort(-found.scores, kind="stable").tolist()
        boxes = [found.boxes[row] for row in order]
        people = [(box, crop_of(image, box)) for box in boxes if box[2] - box[0] >= 4 and box[3] - box[1] >= 8]
        if not people:
            raise InputError(f"{request.detector} finds nobody in photo {path}: leave --detector out if it is a crop")
        queries += [
            _Query(path, place + 1, np.round(box.astype(float), 1).tolist(), crop)
            for place, (box, crop) in enumerate(people)
        ]
    return queries, [detector.description]


def _answer(store: StoreReader, query: _Query, hits: Sequence[VectorHit], record: EmbedderRecord) -> dict[str, Any]:
    """Return what is found, ready for JSON; times are seconds since 1970, or of the video where that is known."""
    cameras = store.camera_names()
    matches = []
    for rank, hit in enumerate(hits):
        person, sightings = store.person(hit.identity), store.sightings(hit.identity)
        here = sighting_at(sightings, cameras[hit.camera], hit.time)
        of_video = here is not None and here.clock == "video"
        matches.append({
            "rank": rank + 1, "identity": hit.identity, "name": person.name, "score": round(hit.score, 4),
            "camera": cameras[hit.camera] if here is None else here.camera,
            "time": round(hit.time, 3), "when": moment(hit.time, here),
            "video_seconds": round(hit.time - here.origin, 3) if here is not None and of_video else None,
            "cameras": person.cameras, "first_seen": person.first_seen, "last_seen": person.last_seen,
            "sightings": len(sightings),
            "crop": _nearest_crop(store, hit, cameras[hit.camera]),
        })  # fmt: skip
    limit = None if record.threshold is None or not math.isfinite(record.threshold) else 1 - record.threshold
    return {
        "photo": str(query.photo), "person": query.person, "box": query.box, "embedder": record.mark.name,
        "same_person_from": None if limit is None else round(limit, 4), "matches": matches,
    }  # fmt: skip


def _nearest_crop(store: StoreReader, hit: VectorHit, camera: str) -> int | None:
    """Return the number of the crop that was seen when the vector was, or nearly, in that camera if there is one."""
    crops = store.crops(hit.identity, camera=camera) or store.crops(hit.identity)
    return min(crops, key=lambda crop: abs(crop.time - hit.time)).number if crops else None


def _row(store: StoreReader, query: _Query, answer: dict[str, Any]) -> SheetRow:
    cells = []
    for match in answer["matches"]:
        jpeg = None if match["crop"] is None else store.crop(match["crop"])
        image = None if jpeg is None else cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        who = match["name"] or f"ID {match['identity']}"
        crop = None if image is None else np.asarray(image, np.uint8)
        title, caption = f"{match['score']:.2f} {who}", f"{match['camera']} {match['when']}"
        cells.append(SheetCell(crop, title, caption, match["identity"]))
    return SheetRow(query.crop, query.title, cells)
