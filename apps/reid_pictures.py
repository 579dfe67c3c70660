"""Pictures of an evaluation: ranked lists, activation maps, gate clusters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from apps.reid_data import counting

if TYPE_CHECKING:
    from rich.console import Console
    from torch import nn

    from reid_models.evaluation.evaluate import Distance, Embedded
    from reid_models.records import EmbeddingRecord

__all__ = ["check_picture_folder", "draw_pictures"]

#: query images whose activation maps are drawn
_MAPS = 24
#: of gates, where there are as many images
_CLUSTERS = 16


def check_picture_folder(folder: Path, overwrite: bool) -> None:
    """Check before the work that pictures may be written to ``folder``.

    Raises:
        InputError: it is a file, or holds something and ``overwrite`` is false.
    """
    from reid_models.errors import InputError

    if folder.exists() and not folder.is_dir():
        raise InputError(f"--output {folder} is a file: give a folder")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise InputError(f"--output {folder} is not empty: add --overwrite to write into it")


def draw_pictures(
    embedded: Embedded,
    distance: Distance,
    folder: Path,
    *,
    label: str,
    seed: int,
    network: nn.Module | None,
    record: EmbeddingRecord | None,
    console: Console | None,
) -> None:
    """Write ``worst_NN.jpg``, ``random_NN.jpg`` and, for a network, ``activation_NN.jpg`` and ``gates_NN.jpg``."""
    from reid_models.architectures.osnet import OSNet
    from reid_models.evaluation.evaluate import rank
    from reid_models.evaluation.sheets import write_pages
    from reid_models.evaluation.visualization import choose_queries, draw_ranked_sheets, ranked_lists

    data = embedded.data
    result = rank(embedded, distance)
    labels: Any = embedded.labels()
    for name, queries in zip(("worst", "random"), choose_queries(result, seed=seed), strict=True):
        lists = ranked_lists(
            embedded.query, labels["query_ids"], labels["query_cameras"],
            embedded.gallery, labels["gallery_ids"], labels["gallery_cameras"],
            queries=queries, distance=distance,
        )  # fmt: skip
        title = f"{label} on {data.name}: {name} queries"
        write_pages(
            draw_ranked_sheets(data.query.paths, data.gallery.paths, lists, result=result, title=title), folder, name
        )
    if network is not None and record is not None:
        from reid_models.evaluation.activation_maps import activation_sheets

        if hasattr(network, "feature_maps"):
            paths = data.query.paths[:: max(1, len(data.query) // _MAPS)][:_MAPS]
            title = f"{label} on {data.name}: activation maps"
            write_pages(activation_sheets(network, paths, record, title=title), folder, "activation")
        if isinstance(network, OSNet):
            _draw_gates(network, embedded, record, folder, label, seed, console)
    if console is not None:
        console.print(f"Pictures: {escape(str(folder))}", highlight=False, soft_wrap=True)


def _draw_gates(
    network: nn.Module,
    embedded: Embedded,
    record: EmbeddingRecord,
    folder: Path,
    label: str,
    seed: int,
    console: Console | None,
) -> None:
    from reid_models.architectures.osnet import GatedFusion
    from reid_models.evaluation.gate_clusters import cluster_gates, gate_cluster_sheets, gate_vectors_of_files
    from reid_models.evaluation.sheets import write_pages

    if not any(isinstance(module, GatedFusion) for module in network.modules()):
        return
    paths = embedded.data.gallery.paths
    with counting(f"gates of {embedded.data.name}", console) as progress:
        vectors = gate_vectors_of_files(network, paths, record, progress=progress)
    clusters = cluster_gates(vectors, min(_CLUSTERS, len(vectors)), seed=seed)
    title = f"{label} on {embedded.data.name}: clusters of gates"
    write_pages(gate_cluster_sheets(paths, clusters, title=title), folder, "gates")
