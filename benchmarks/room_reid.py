"""Embedders on simulated people whom none of them has seen: who is found again by another camera."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.reid_set import ReidSetSettings, write_reid_set
from benchmarks.simulation.seeds import unseen_seeds
from reid_models.data.market_layout import market_rows
from reid_models.data.rows import ImageRows
from reid_models.embedder import Embedder, create_embedder
from reid_models.evaluation.ranking import evaluate_ranking
from reid_models.weights import find_weights_record, list_weights
from tracker.errors import InputError

__all__ = ["MAXIMUM_IDENTITIES", "embedder_rows", "open_embedders", "target_of"]

#: about what the test seeds hold
MAXIMUM_IDENTITIES = 3000
#: percent of rank-1: trained on photographs of other people, it should find most but not all
_PHOTOGRAPHS_ALONE = (40.0, 85.0)
_PHOTOGRAPHS = "osnet_x0_25_msmt17"
#: percent of rank-1 of a network that has learned from simulated people
_OURS = (95.0, 100.0)

Progress = Callable[[int, int], None]


def open_embedders(specs: Sequence[str], *, device: str = "auto") -> dict[str, Embedder]:
    """Return the embedder of each ``spec`` of ``reid_models.embedder.create_embedder``, under the name to show.

    Raises:
        InputError: none is given, one cannot be opened, or two would be shown under one name.
    """
    if not specs:
        raise InputError("no embedder is given: name one, as --embedder osnet_x0_25")
    opened: dict[str, Embedder] = {}
    for spec in specs:
        name = Path(spec).name
        if name in opened:
            raise InputError(f"two embedders are called {name}: rename one of the files, or leave one out")
        opened[name] = create_embedder(spec, device=device)
    return opened


def target_of(name: str) -> tuple[float, float] | None:
    """Return between which percentages the rank-1 of an embedder should lie, or ``None`` where nothing is expected.

    Args:
        name: the embedder's, as of :func:`open_embedders`.
    """
    if Path(name.replace(":", "_")).stem == _PHOTOGRAPHS:
        return _PHOTOGRAPHS_ALONE
    model, _, weights = name.partition(":")
    named = any(record.name == weights and not record.shipped for record in list_weights(model))
    if name == "color_histogram" or named or find_weights_record(Path(name.replace(":", "_"))) is not None:
        return None
    return _OURS


def embedder_rows(
    embedders: dict[str, Embedder],
    *,
    identities: int = 100,
    settings: ReidSetSettings | None = None,
    workers: int | None = None,
    rendered: Progress | None = None,
    embedded: Progress | None = None,
) -> list[dict[str, Any]]:
    """Return rank-1, rank-5, rank-10, mAP and mINP, in percent, of each embedder by the Market-1501 protocol.

    Queries are one image of each identity and camera; the gallery holds their other images, of which those of the
    query's own camera do not count.

    Args:
        embedders: by the name to show.
        identities: people of the test seeds, in order, without those of the demo.
        settings: how images are taken.
        workers: processes that render; ``None``: one per processor.
        rendered: called with the number of finished and of all identities.
        embedded: called with the number of embedders that are done, and of all.

    Raises:
        InputError: a value is out of its range, or the scenes have too few people.
    """
    if not 2 <= identities <= MAXIMUM_IDENTITIES:
        raise InputError(f"{identities} identities; give between 2 and {MAXIMUM_IDENTITIES}")
    with tempfile.TemporaryDirectory(prefix="multicam-room-") as folder:
        made = write_reid_set(
            Path(folder) / "set",
            identities=0,
            test_identities=identities,
            test_seeds=unseen_seeds(),
            settings=settings,
            workers=workers,
            progress=rendered,
        )
        query, gallery = (market_rows(made.folder / name) for name in ("query", "bounding_box_test"))
        crops = [_images(rows) for rows in (query, gallery)]
    rows = []
    for number, (name, embedder) in enumerate(embedders.items(), start=1):
        started = time.perf_counter()
        query_vectors, gallery_vectors = (embedder.embed(images) for images in crops)
        seconds = time.perf_counter() - started
        result = evaluate_ranking(
            query_vectors, query.ids, query.cameras, gallery_vectors, gallery.ids, gallery.cameras
        )
        row: dict[str, Any] = {"name": name, "sequence": "combined", "embedder": embedder.description}
        row |= {"identities": identities, "queries": len(query), "gallery": len(gallery)}
        row |= result.percentages()
        row["images_per_second"] = (len(query) + len(gallery)) / seconds
        row["target"] = target_of(name)
        rows.append(row)
        if embedded is not None:
            embedded(number, len(embedders))
    return rows


def _images(rows: ImageRows) -> list[NDArray[np.uint8]]:
    images = []
    for path in rows.paths:
        image: Any = cv2.imread(str(path), cv2.IMREAD_COLOR)
        images.append(image)
    return images
