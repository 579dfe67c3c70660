"""Protocols beside Market-1501's: CUHK03's single-gallery-shot draws, VehicleID's draws, several images per query."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid_models.errors import InputError
from reid_models.evaluation.inputs import JUNK, Labels, checked_feature_pair, checked_features, normalized_features
from reid_models.evaluation.ranking import RankingResult, evaluate_distances, evaluate_ranking

if TYPE_CHECKING:
    from reid_models.evaluation.evaluate import Distance, Embedded

__all__ = [
    "GalleryDraws",
    "cuhk03_classic",
    "evaluate_gallery_draws",
    "evaluate_single_gallery_shot",
    "multi_query_ranking",
    "pool_query_features",
    "vehicleid",
]


def cuhk03_classic(embedded: Embedded, distance: Distance, *, seed: int = 0) -> dict[str, float]:
    """Return the percentages of :func:`evaluate_single_gallery_shot` for one split of CUHK03's classic protocol."""
    query, gallery = checked_feature_pair(embedded.query, embedded.gallery)
    if distance == "cosine":
        query, gallery = normalized_features(query), normalized_features(gallery)
    # A row's order is that of |g|² − 2 q·g, for both distances.
    distances = np.einsum("ij,ij->i", gallery, gallery) - 2 * (query @ gallery.T)
    return evaluate_single_gallery_shot(distances, **embedded.labels(), seed=seed).percentages()


def vehicleid(embedded: Embedded, distance: Distance, *, seed: int = 0) -> dict[str, float]:
    """Return the mean percentages of :func:`evaluate_gallery_draws`; query and gallery are both all test images."""
    return evaluate_gallery_draws(embedded.query, embedded.data.query.ids, distance=distance, seed=seed).percentages()


def multi_query_ranking(
    embedded: Embedded,
    distance: Distance,
    pooling: str = "average",
) -> RankingResult:
    """Rank once for each identity and camera of the query images, by all of them pooled into one feature.

    Args:
        embedded: the data set's vectors; where it has those of ``multi_query`` images (Market-1501's ``gt_bbox``) they
            are pooled, else the queries' own.
        distance: between features.
        pooling: see :func:`pool_query_features`.

    Raises:
        InputError: no identity has two images of one camera, so this would be single-query evaluation; or as
            :func:`pool_query_features` and :func:`reid_models.evaluation.ranking.evaluate_ranking`.
    """
    rows = embedded.data.query
    owners = np.unique(np.stack([rows.ids, rows.cameras], axis=1), axis=0)
    pool, features = rows, embedded.query
    if embedded.multi_query is not None and embedded.data.multi_query is not None:
        pool, features = embedded.data.multi_query, embedded.multi_query
    if len(owners) == len(pool):
        raise InputError(
            f"{embedded.data.name} has one query image for each identity and camera: there is nothing to pool, leave "
            "--multi-query out"
        )
    ids, cameras = owners.T
    pooled = pool_query_features(
        ids, cameras, features, pool.ids, pool.cameras, pooling=pooling, normalize=distance == "cosine"
    )
    gallery = embedded.data.gallery
    return evaluate_ranking(pooled, ids, cameras, embedded.gallery, gallery.ids, gallery.cameras, distance)


def evaluate_single_gallery_shot(
    distances: ArrayLike,
    query_ids: ArrayLike,
    query_cameras: ArrayLike,
    gallery_ids: ArrayLike,
    gallery_cameras: ArrayLike,
    *,
    draws: int = 10,
    seed: int = 0,
    remove_camera: bool = True,
    max_rank: int = 50,
) -> RankingResult:
    """Score distances (Q, G) by CUHK03's classic protocol: one gallery image per identity, drawn anew for each query.

    The curve is the mean over queries and draws of ranking one random image of every identity, and has one entry per
    identity at most. mAP and mINP are those of the full gallery, as published code has them. Draws follow the order of
    that code (queries in order, then draws, then identities in order of their nearest image, NumPy's legacy generator),
    so that the same seed gives the same curve.

    Args:
        distances: (Q, G) floats.
        query_ids: (Q,) whole numbers.
        query_cameras: (Q,) whole numbers.
        gallery_ids: (G,) whole numbers.
        gallery_cameras: (G,) whole numbers.
        draws: per query.
        seed: of the draws.
        remove_camera: see :func:`reid_models.evaluation.ranking.evaluate_ranking`.
        max_rank: length of the curve; shorter when fewer identities remain.

    Raises:
        InputError: as :func:`reid_models.evaluation.ranking.evaluate_distances`, or ``draws`` is below 1.
    """
    _check_draws(draws)
    full = evaluate_distances(
        distances, query_ids, query_cameras, gallery_ids, gallery_cameras, remove_camera=remove_camera,
        max_rank=max_rank,
    )  # fmt: skip
    matrix = np.asarray(distances)
    labels = Labels.checked(query_ids, query_cameras, gallery_ids, gallery_cameras, *matrix.shape)
    random = np.random.RandomState(seed)
    ranks, lengths = [], []
    for query in full.queries:
        identity = labels.query_ids[query]
        ranked = _ranked_ids(matrix[query], identity, labels.query_cameras[query], labels, remove_camera)
        # Places in the ranked list of each identity's images, identities in order of first appearance.
        _, first, inverse = np.unique(ranked, return_index=True, return_inverse=True)
        appearance = np.argsort(np.argsort(first))[inverse]
        places = np.argsort(appearance, kind="stable")
        counts = np.bincount(appearance)
        starts = np.cumsum(counts) - counts
        chosen = places[starts + random.randint(0, np.tile(counts, (draws, 1)))]
        own = chosen[:, appearance[np.flatnonzero(ranked == identity)[0]]]
        ranks.append((chosen <= own[:, None]).sum(axis=1))
        lengths.append(len(counts))
    length = min(max_rank, max(lengths))
    found = np.bincount(np.minimum(np.concatenate(ranks) - 1, length), minlength=length + 1)[:length]
    return replace(full, cmc=np.cumsum(found) / (draws * len(full.queries)))


def _ranked_ids(
    row: NDArray[np.floating], identity: int, camera: int, labels: Labels, remove_camera: bool
) -> NDArray[np.int64]:
    match = labels.gallery_ids == identity
    kept = labels.gallery_ids != JUNK
    if remove_camera:
        kept &= ~(match & (labels.gallery_cameras == camera))
    columns = np.flatnonzero(kept)
    # A true match comes behind strangers at exactly its distance, as in the other protocols.
    order = np.lexsort((match[columns], row[columns]))
    ids: NDArray[np.int64] = labels.gallery_ids[columns[order]]
    return ids


@dataclass(frozen=True, slots=True, eq=False)
class GalleryDraws:
    """One result for each random gallery."""

    results: tuple[RankingResult, ...]

    def percentages(self) -> dict[str, float]:
        """Return the means over the draws of :meth:`RankingResult.percentages`."""
        return {name: float(values.mean()) for name, values in self._columns().items()}

    def deviations(self) -> dict[str, float]:
        """Return the standard deviations over the draws, in percent points; 0 for a single draw."""
        return {name: float(values.std(ddof=1)) if len(values) > 1 else 0.0 for name, values in self._columns().items()}

    def _columns(self) -> dict[str, NDArray[np.float64]]:
        rows = [result.percentages() for result in self.results]
        return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def evaluate_gallery_draws(
    features: ArrayLike,
    ids: ArrayLike,
    *,
    draws: int = 10,
    seed: int = 0,
    distance: Literal["cosine", "euclidean"] = "cosine",
    max_rank: int = 50,
) -> GalleryDraws:
    """Score test features by VehicleID's protocol: one random image of each identity is the gallery, the others query.

    Args:
        features: (N, D) floats of all test images.
        ids: (N,) whole numbers; cameras play no part.
        draws: random galleries.
        seed: of the draws.
        distance: ``"cosine"`` normalises features itself.
        max_rank: length of the curves.

    Raises:
        InputError: as :func:`reid_models.evaluation.ranking.evaluate_ranking`, no identity has two images, or ``draws``
            is below 1.
    """
    _check_draws(draws)
    images = checked_features("test", features)
    none = np.zeros(len(images), np.int64)
    labels = Labels.checked(ids, none, ids, none, len(images), len(images))
    kept = np.flatnonzero(labels.query_ids != JUNK)
    images, identities = images[kept], labels.query_ids[kept]
    if len(np.unique(identities)) == len(identities):
        raise InputError(f"none of the {len(identities)} identities has two images: nothing is left to query with")
    random = np.random.default_rng(seed)
    results = []
    for _ in range(draws):
        order = random.permutation(len(identities))
        gallery = np.zeros(len(identities), bool)
        gallery[order[np.unique(identities[order], return_index=True)[1]]] = True
        query, drawn = np.flatnonzero(~gallery), np.flatnonzero(gallery)
        results.append(
            evaluate_ranking(
                images[query],
                identities[query],
                none[query],
                images[drawn],
                identities[drawn],
                none[drawn],
                distance,
                remove_camera=False,
                max_rank=max_rank,
            )
        )
    return GalleryDraws(tuple(results))


def pool_query_features(
    query_ids: ArrayLike,
    query_cameras: ArrayLike,
    features: ArrayLike,
    ids: ArrayLike,
    cameras: ArrayLike,
    *,
    pooling: str = "average",
    normalize: bool = True,
) -> NDArray[np.floating]:
    """Return a feature (Q, D) for each query made of all images of its identity and camera: multi-query evaluation.

    Market-1501 keeps those images in ``gt_bbox``; where a set has none, give the queries' own. The result is ranked in
    place of the query features.

    Args:
        query_ids: (Q,) whole numbers.
        query_cameras: (Q,) whole numbers.
        features: (N, D) floats of the images to pool.
        ids: (N,) whole numbers.
        cameras: (N,) whole numbers.
        pooling: ``"average"`` or ``"max"``, of each component.
        normalize: scale the features to length 1 before pooling, and the pooled ones after it.

    Raises:
        InputError: lengths differ, a feature is not finite, ``pooling`` is unknown, or a query has no image to pool.
    """
    if pooling not in ("average", "max"):
        raise InputError(f"pooling {pooling!r} is not one of average, max")
    images = checked_features("multi-query", features)
    labels = Labels.checked(query_ids, query_cameras, ids, cameras, len(np.asarray(query_ids)), len(images))
    images = normalized_features(images) if normalize else images
    owners = np.stack([labels.gallery_ids, labels.gallery_cameras], axis=1)
    groups, inverse = np.unique(owners, axis=0, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    starts = np.searchsorted(inverse[order], np.arange(len(groups)))
    gathered = images[order]
    if pooling == "max":
        pooled = np.maximum.reduceat(gathered, starts, axis=0)
    else:
        pooled = np.add.reduceat(gathered, starts, axis=0) / np.diff(np.append(starts, len(gathered)))[:, None]
    numbers = {(int(identity), int(camera)): number for number, (identity, camera) in enumerate(groups)}
    chosen = np.empty(len(labels.query_ids), np.int64)
    for query, owner in enumerate(zip(labels.query_ids.tolist(), labels.query_cameras.tolist())):
        if owner not in numbers:
            raise InputError(
                f"query {query} (identity {owner[0]}, camera {owner[1]}) has no image to pool: give all images of the "
                "queries' identities and cameras"
            )
        chosen[query] = numbers[owner]
    result: NDArray[np.floating] = pooled.astype(images.dtype)[chosen]
    return normalized_features(result) if normalize else result


def _check_draws(draws: int) -> None:
    if draws < 1:
        raise InputError(f"draws is {draws}; give at least 1, published figures have 10")
