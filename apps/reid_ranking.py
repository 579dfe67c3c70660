"""Ranking for ``multicam reid evaluate``: embed, rank by the data set's protocol, draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from apps.reid_data import counting, print_warnings
from apps.reid_pictures import check_picture_folder, draw_pictures

if TYPE_CHECKING:
    from torch import nn

    from apps.reid_evaluate import EvaluateRequest
    from reid_models.data.datasets import DatasetRequest
    from reid_models.data.rows import ReidData
    from reid_models.evaluation.evaluate import Distance, Embedded
    from reid_models.records import EmbeddingRecord

__all__ = ["rank_data_sets", "ranked_rows"]


def rank_data_sets(
    request: EvaluateRequest, requests: Sequence[DatasetRequest], console: Console | None
) -> list[dict[str, Any]]:
    """Embed and rank each data set; print a table.

    Raises:
        InputError: something given cannot be used.
    """
    import numpy as np

    from apps.reid_evaluate import print_rows
    from reid_models.data.checks import check_evaluation_rows
    from reid_models.data.datasets import read_dataset
    from reid_models.errors import InputError
    from reid_models.training.data import usable_images

    if request.distance not in (None, "cosine", "euclidean"):
        raise InputError(f"--distance {request.distance} is not one of euclidean, cosine")
    if request.multi_query not in (None, "average", "max"):
        raise InputError(f"--multi-query {request.multi_query} is not one of average, max")
    sets = [read_dataset(one.name, one.root, **one.options) for one in requests]
    if request.visualize:
        assert request.output is not None
        for data in sets:
            check_picture_folder(request.output / data.name, request.overwrite)
    for data in sets:
        if (request.re_ranking or request.multi_query) and _protocol(data) != "market1501":
            option = "--re-ranking" if request.re_ranking else "--multi-query"
            raise InputError(f"the protocol of {data.name} draws galleries at random: leave {option} out")
    embed, label, distance, network, record = _embedding(request)
    rows: list[dict[str, Any]] = []
    for data in sets:
        with counting(f"checking images of {data.name}", console) as progress:
            data, warnings = usable_images(data, request.skip_broken, progress)
        lone = check_evaluation_rows(data)
        if len(lone):
            warnings.append(f"{len(lone)} queries of {data.name} have no true match and are left out")
        print_warnings(warnings, console)
        with counting(f"embedding {data.name}", console) as progress:
            embedded = embed(data, progress)
            if request.multi_query and data.multi_query is not None:
                pool = replace(data, query=data.multi_query, gallery=data.gallery[np.zeros(0, np.int64)])
                embedded = replace(embedded, multi_query=embed(pool, progress).query)
        rows += ranked_rows(
            label,
            embedded,
            distance,
            re_ranking=request.re_ranking,
            multi_query=request.multi_query,
            seed=request.seed,
        )
        if console is not None:
            _print_threshold(embedded, console)
        if request.visualize:
            assert request.output is not None
            draw_pictures(
                embedded, distance, request.output / data.name, label=label, seed=request.seed, network=network,
                record=record, console=console,
            )  # fmt: skip
    if not request.quiet:
        print_rows(rows, Console())
    return rows


def ranked_rows(
    label: str,
    embedded: Embedded,
    distance: Distance,
    *,
    re_ranking: bool = False,
    multi_query: Any = None,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Return the figures of one data set by its protocol, a row for each way of ranking asked for.

    Args:
        label: name of the rows.
        embedded: the data set's vectors.
        distance: of the first row.
        re_ranking: add a row for k-reciprocal re-ranking.
        multi_query: ``"average"`` or ``"max"``: add a row with all of a person's query images of one camera together.
        seed: of the galleries that the protocols of VehicleID and of classic CUHK03 draw.
    """
    from reid_models.evaluation.evaluate import rank, rank_again

    name, protocol = embedded.data.name, _protocol(embedded.data)
    if protocol != "market1501":
        from reid_models.evaluation.protocols import cuhk03_classic, vehicleid

        score = cuhk03_classic if protocol == "cuhk03_classic" else vehicleid
        return [{"name": label, "sequence": name, **score(embedded, distance, seed=seed)}]
    rows = [{"name": label, "sequence": name, **rank(embedded, distance).percentages()}]
    if multi_query is not None:
        from reid_models.evaluation.protocols import multi_query_ranking

        figures = multi_query_ranking(embedded, distance, multi_query).percentages()
        rows.append({"name": f"{label}, multi-query {multi_query}", "sequence": name, **figures})
    if re_ranking:
        rows.append({"name": f"{label}, re-ranked", "sequence": name, **rank_again(embedded).percentages()})
    return rows


def _print_threshold(embedded: Embedded, console: Console) -> None:
    from reid_models.errors import InputError
    from reid_models.evaluation.thresholds import verification

    try:
        found = verification(embedded)
    except InputError:
        # A set of one person, or of one camera: its ranking is still worth seeing.
        return
    console.print(
        f"{escape(embedded.data.name)}: 1 % of pairs of strangers in different cameras are nearer than cosine distance "
        f"{found.threshold:.3f}; {100 * found.true_match_rate:.0f} % of true pairs are",
        highlight=False,
        soft_wrap=True,
    )


def _protocol(data: ReidData) -> str:
    # Where galleries are drawn at random, query and gallery are both all test images.
    if data.query.paths != data.gallery.paths:
        return "market1501"
    return "vehicleid" if data.name == "vehicleid" else "cuhk03_classic"


def _embedding(request: EvaluateRequest) -> tuple[Any, str, Distance, nn.Module | None, EmbeddingRecord | None]:
    """Return what embeds a data set, its label, the distance its vectors are compared by, and network and record."""
    from apps.reid_model import load_named_model, parse_input_size
    from reid_models.errors import InputError
    from reid_models.runtimes import EXPORT_SUFFIXES

    size = parse_input_size(request.input_size)
    if request.model.lower().endswith(EXPORT_SUFFIXES) or request.model == "color_histogram":
        return _exported(request, size)
    from reid_models.evaluation.evaluate import embed_data
    from reid_models.training.run import create_accelerator

    named = load_named_model(request.model, request.weights, request.model_options, offline=request.offline)
    record = named.record if size is None else replace(named.record, input_size=size)
    network = named.network.to(create_accelerator(request.device).device)
    distance: Any = request.distance or record.distance
    if distance not in ("cosine", "euclidean"):
        raise InputError(f"distance {distance} is not one of euclidean, cosine")

    def embed(data: ReidData, progress: Any) -> Embedded:
        return embed_data(network, data, record, flip=request.flip, progress=progress)

    return embed, named.label, distance, network, record


def _exported(request: EvaluateRequest, size: tuple[int, int] | None) -> tuple[Any, str, Distance, None, None]:
    import numpy as np

    from reid_models.data.loading import read_image
    from reid_models.embedder import create_embedder
    from reid_models.errors import InputError
    from reid_models.evaluation.evaluate import Embedded

    for option, given in (
        ("--flip", request.flip),
        ("--weights", request.weights),
        ("--model-option", request.model_options),
    ):
        if given:
            raise InputError(f"{option} needs a network of this library, not {request.model}: leave it out")
    # The same figures on every processor: none is embedded in 16 bits because this one can.
    embedder = create_embedder(
        request.model, device=request.device, precision="float32", input_size=size, threads=request.threads
    )

    def embed(data: ReidData, progress: Any) -> Embedded:
        paths = list(dict.fromkeys((*data.query.paths, *data.gallery.paths)))
        parts = []
        for start in range(0, len(paths), 64):
            parts.append(embedder.embed([read_image(path) for path in paths[start : start + 64]]))
            progress(min(start + 64, len(paths)), len(paths))
        vectors = np.concatenate(parts)
        row = {path: number for number, path in enumerate(paths)}
        query = vectors[[row[path] for path in data.query.paths]]
        return Embedded(data, query, vectors[[row[path] for path in data.gallery.paths]])

    distance: Any = request.distance or "cosine"
    return embed, Path(request.model).name, distance, None, None
