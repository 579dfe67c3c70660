"""Images that OSNet gates alike (Fig. 5): k-means on the gating vectors of one bottleneck."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reid_models.architectures.osnet import GatedFusion, OmniScaleBlock
from reid_models.errors import InputError
from reid_models.evaluation.model_inputs import evaluating, image_batches
from reid_models.evaluation.sheets import Cell, SheetRow, draw_pages, read_picture
from reid_models.records import EmbeddingRecord

__all__ = ["GateClusters", "cluster_gates", "gate_cluster_sheets", "gate_vectors", "gate_vectors_of_files"]

_RESTARTS = 4


@dataclass(frozen=True, slots=True, eq=False)
class GateClusters:
    """Clusters in order of their size, the largest first.

    Args:
        centers: (K, T, C) float64, mean gates of the T streams.
        labels: (N,) int64, cluster of each image.
        distances: (N,) float64, from each image's gates to the centre of its cluster.
    """

    centers: NDArray[np.float64]
    labels: NDArray[np.int64]
    distances: NDArray[np.float64]

    def nearest(self, cluster: int, count: int = 15) -> NDArray[np.int64]:
        """Return up to ``count`` images of a cluster, nearest to its centre first; the paper shows 15."""
        members = np.flatnonzero(self.labels == cluster)
        chosen: NDArray[np.int64] = members[np.argsort(self.distances[members], kind="stable")[:count]]
        return chosen


def gate_vectors(model: nn.Module, images: Tensor, block: int | str = -1) -> NDArray[np.float32]:
    """Return the gates that a bottleneck's aggregation gate gives its T streams, (B, T, C) float32 in 0..1 (Eq. 3).

    Args:
        model: an OSNet with gates.
        images: (B, 3, H, W) float network input, on any device.
        block: which bottleneck: its number in order of depth, by default the last, which the paper shows; or its name,
            such as ``"conv4.1"``.

    Raises:
        InputError: a network without gates that depend on the image, or a bottleneck that there is not.
    """
    fusion = _gated_fusion(model, block)
    streams: list[Sequence[Tensor]] = []
    handle = fusion.register_forward_pre_hook(lambda _module, inputs: streams.append(inputs[0]))
    try:
        with evaluating(model) as device:
            model(images.to(device))
            gates = torch.stack([weight.flatten(1) for weight in fusion.weights(streams[-1])], dim=1)
            return np.asarray(gates.float().cpu().numpy(), np.float32)
    finally:
        handle.remove()


def gate_vectors_of_files(
    model: nn.Module,
    paths: Sequence[str | os.PathLike[str]],
    record: EmbeddingRecord,
    block: int | str = -1,
    *,
    batch_size: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Return :func:`gate_vectors` of N image files, (N, T, C); ``progress`` is told (images done, N).

    Raises:
        InputError: as there; no files; or a file that cannot be read as an image, named.
    """
    _gated_fusion(model, block)
    if not len(paths):
        raise InputError("there are no images to cluster")
    vectors: list[NDArray[np.float32]] = []
    done = 0
    for _, images in image_batches(paths, record, batch_size=batch_size):
        vectors.append(gate_vectors(model, images, block))
        done += len(images)
        if progress is not None:
            progress(done, len(paths))
    return np.concatenate(vectors)


def _gated_fusion(model: nn.Module, block: int | str) -> GatedFusion:
    blocks = {name: module for name, module in model.named_modules() if isinstance(module, OmniScaleBlock)}
    if not blocks:
        raise InputError(f"{type(model).__name__} has no aggregation gates: gate clusters are for OSNet")
    names = list(blocks)
    if isinstance(block, str):
        name = block
    else:
        name = names[block] if -len(names) <= block < len(names) else str(block)
    if name not in blocks:
        raise InputError(f"there is no bottleneck {name}: give one of {', '.join(names)}, or −1 for the last")
    fusion = blocks[name].fusion
    if not isinstance(fusion, GatedFusion):
        raise InputError(
            f"the streams of {name} are fused by {type(fusion).__name__}, which looks at no image: no gates"
        )
    return fusion


def cluster_gates(vectors: NDArray[np.floating], clusters: int = 16, *, seed: int = 0) -> GateClusters:
    """Group images by k-means (k-means++ starts, the best of four) on their concatenated gating vectors.

    Args:
        vectors: (N, T, C) floats of :func:`gate_vectors`.
        clusters: how many; the paper does not say. There are fewer when fewer images differ.
        seed: of the starts.

    Raises:
        InputError: no finite (N, T, C) array, or more clusters than images.
    """
    from scipy.cluster.vq import kmeans, vq

    if vectors.ndim != 3 or not vectors.size or not np.isfinite(vectors).all():
        raise InputError(f"gating vectors of shape {vectors.shape}: give finite (images, streams, channels)")
    if not 1 <= clusters <= len(vectors):
        raise InputError(f"{clusters} clusters of {len(vectors)} images: give 1 to {len(vectors)}")
    points = vectors.reshape(len(vectors), -1).astype(np.float32)
    # Gates differ little from their mean; without it distances keep their digits in single precision.
    mean = points.mean(0, dtype=np.float64)
    points -= mean.astype(np.float32)
    generator = np.random.default_rng(seed)
    best: tuple[float, NDArray[np.float32]] | None = None
    for _ in range(_RESTARTS):
        centers, distortion = kmeans(points, _start(points, clusters, generator))
        if best is None or distortion < best[0]:
            best = float(distortion), centers
    assert best is not None
    labels = vq(points, best[1])[0]
    points -= best[1][labels]
    # vq's own distances are differences of large squares.
    distances = np.sqrt(np.einsum("ij,ij->i", points, points))
    sizes = np.bincount(labels, minlength=len(best[1]))
    order = np.argsort(-sizes, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    kept = order[sizes[order] > 0]
    centers = best[1][kept].astype(np.float64) + mean
    return GateClusters(centers.reshape(len(kept), *vectors.shape[1:]), place[labels], distances.astype(np.float64))


def _start(points: NDArray[np.float32], clusters: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Return first centres by k-means++ (Arthur and Vassilvitskii, 2007), fewer where no other point differs."""
    chosen = [int(generator.integers(len(points)))]
    squared = np.full(len(points), np.inf, np.float64)
    while len(chosen) < clusters:
        squared = np.minimum(squared, np.square(points - points[chosen[-1]]).sum(1, dtype=np.float64))
        if not squared.any():
            break
        chosen.append(int(generator.choice(len(points), p=squared / squared.sum())))
    return points[chosen]


def gate_cluster_sheets(
    paths: Sequence[str | os.PathLike[str]],
    clusters: GateClusters,
    *,
    images_per_cluster: int = 15,
    captions: Sequence[str] | None = None,
    cell_size: tuple[int, int] = (128, 64),
    rows_per_page: int = 6,
    title: str = "",
) -> Iterator[NDArray[np.uint8]]:
    """Yield pages (H, W, 3) uint8 BGR with a row for each cluster: the images nearest to its centre.

    Args:
        paths: the N files that ``clusters`` was made of.
        clusters: of :func:`cluster_gates`.
        images_per_cluster: the paper shows 15.
        captions: N short texts below the images, such as identities.
        cell_size: (height, width) of every picture.
        rows_per_page: clusters on a page.
        title: over every page.

    Raises:
        InputError: another number of files or captions than of clustered images; a file that cannot be read as an
            image, named.
    """
    for what, values in (("files", paths), ("captions", captions)):
        if values is not None and len(values) != len(clusters.labels):
            raise InputError(f"{len(values)} {what} for {len(clusters.labels)} clustered images: give one each")
    for start in range(0, len(clusters.centers), rows_per_page):
        rows = []
        for cluster in range(start, min(start + rows_per_page, len(clusters.centers))):
            cells = [
                Cell(read_picture(paths[image]), None, () if captions is None else (captions[image],))
                for image in clusters.nearest(cluster, images_per_cluster)
            ]
            streams = ", ".join(f"{mean:.2f}" for mean in clusters.centers[cluster].mean(1))
            count = int((clusters.labels == cluster).sum())
            heading = (
                f"cluster {cluster + 1} · {count} image{'s' if count != 1 else ''} · mean gate by stream {streams}"
            )
            rows.append(SheetRow(heading, cells))
        yield from draw_pages(rows, cell_size=cell_size, rows_per_page=rows_per_page, title=title)
