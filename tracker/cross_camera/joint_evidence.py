"""All that speaks for or against two tracklets being one person, in nats."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.cross_camera.appearance import AppearanceSummary, cosine_distances, normalised
from tracker.cross_camera.overlapping_views import PATIENCE, OverlappingViews
from tracker.cross_camera.possible_transitions import PossibleTransitions
from tracker.cross_camera.threshold import OpenSetThreshold
from tracker.cross_camera.tracklets import Tracklet
from tracker.cross_camera.transitions import TransitionTimes
from tracker.cross_camera.visits import SURE_BOND, visits_of

__all__ = ["Joint", "JointEvidence"]

#: geometry this much against a pair (nats) cannot be outvoted
GEOMETRY_VETO = -8.0
#: nats that geometry must outweigh where one of the two has shown no good crop
UNKNOWN_LOOKS = -1.5
#: tracks of a camera at which its mean look counts half
BIAS_TRACKS = 2.0
#: good crops at which appearance counts half of what it would with many
HALF_TRUST_CROPS = 3.0
#: seconds two people must have been seen together before their distance teaches the threshold
TOGETHER_SECONDS = 0.4


@dataclass(frozen=True, slots=True, eq=False)
class Joint:
    """The graph that ``settlement.cluster`` takes; N nodes."""

    evidence: NDArray[np.float32]
    forbidden: NDArray[np.bool_]
    weights: NDArray[np.float32]
    bonds: list[tuple[int, int, float]]


class JointEvidence:
    """Gather the evidence between tracklets: looks, geometry of overlapping views, times between views, continuity.

    Args:
        threshold: learnt here from the tracklets each time.
        learn_geometry: whether views may teach each other how they overlap.
        views_may_overlap: when false, nobody is in two cameras at once.
        camera_bias: vectors carry the camera's own colours: each camera's mean is taken off before they are compared.
        learn_transitions: whether the times that people take between views count.
        possible: which ways between cameras there are; ``None``: all.
        geometry_patience: settlements after which a mapping is sought again where none was found.
    """

    def __init__(
        self,
        threshold: OpenSetThreshold,
        *,
        learn_geometry: bool,
        views_may_overlap: bool,
        camera_bias: bool = False,
        learn_transitions: bool = False,
        possible: PossibleTransitions | None = None,
        geometry_patience: int = PATIENCE,
    ) -> None:
        self.threshold = threshold
        self.views_may_overlap = views_may_overlap
        self.camera_bias = camera_bias
        self.views = OverlappingViews(patience=geometry_patience) if learn_geometry and views_may_overlap else None
        self.transitions = TransitionTimes() if learn_transitions else None
        self.possible = possible
        #: camera → mean look (D,), of cameras of earlier runs (negative numbers) and, as of late, of this one
        self.camera_means: dict[int, NDArray[np.float32]] = {}

    def gather(
        self,
        nodes: Sequence[Tracklet],
        summaries: Mapping[int, AppearanceSummary],
        *,
        thorough: bool = True,
        shares: Mapping[int, Mapping[int, float]] | None = None,
    ) -> Joint:
        """Return the evidence between all ``nodes``, whose looks are ``summaries[node.key]``.

        Args:
            nodes: N tracklets.
            summaries: key → looks.
            thorough: look for better geometry also where views know theirs.
            shares: key of a node that stands for an archived identity → camera → share of its looks from there.
        """
        count = len(nodes)
        if self.camera_bias:
            self.camera_means |= _camera_means(nodes, summaries)
        biases = _biases(nodes, self.camera_means, shares or {})
        distances = _distances(nodes, summaries, biases)
        cameras = np.array([node.camera for node in nodes])
        starts = np.array([node.start for node in nodes])
        ends = np.array([node.end for node in nodes])
        together = (starts[:, None] <= ends) & (starts <= ends[:, None])
        forbidden = together & (cameras[:, None] == cameras)
        if not self.views_may_overlap:
            forbidden = together.copy()
        np.fill_diagonal(forbidden, False)
        self._learn(nodes, summaries, biases, distances, cameras, starts, ends)
        crops = np.array([summaries[node.key].count for node in nodes], np.float32)
        trust = crops / (crops + HALF_TRUST_CROPS)
        weights = np.maximum(trust * np.array([1.0 + np.log1p(node.observations) for node in nodes]), 1e-3)
        evidence = self.threshold.score(distances) * np.sqrt(np.outer(trust, trust))
        handover, impossible = self._of_transitions(nodes, evidence, weights.astype(np.float32))
        known = np.zeros((count, count), bool)
        if self.views is not None:
            geometry, known = self.views.evidence(nodes, evidence, thorough=thorough)
            evidence = np.where(known, np.nan_to_num(evidence, nan=UNKNOWN_LOOKS) + geometry, evidence)
            forbidden |= known & (geometry <= GEOMETRY_VETO)
        # Where two paths can be compared place by place, when they were there says nothing more.
        evidence = np.where(known, evidence, evidence + handover)
        forbidden |= impossible
        row_of = {node.key: row for row, node in enumerate(nodes)}
        bonds = [
            (row_of[node.previous], row, node.continuity)
            for row, node in enumerate(nodes)
            if node.previous is not None and node.previous in row_of and node.continuity > 0
        ]
        evidence = evidence.astype(np.float32)
        if count:
            np.fill_diagonal(evidence, 0.0)
        return Joint(evidence, forbidden, weights.astype(np.float32), bonds)

    def _of_transitions(
        self, nodes: Sequence[Tracklet], evidence: NDArray[np.float32], weights: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return what times between views say (N, N), in nats, and the pairs (N, N) that cannot be one person.

        Args:
            nodes: N tracklets.
            evidence: (N, N) of their looks alone: times are learnt from nothing else, so that they cannot confirm
                themselves.
            weights: (N,) of the nodes.
        """
        count = len(nodes)
        handover, impossible = np.zeros((count, count)), np.zeros((count, count), bool)
        if self.transitions is None and self.possible is None:
            return handover, impossible
        # That two were in two places at once, or nearly so, must not rest on a track that may have slipped in between.
        visits, sure = visits_of(nodes), visits_of(nodes, bond=SURE_BOND)
        alike = visits.mean(evidence, weights)
        if self.possible is not None:
            impossible = visits.spread(self.possible.too_slow(visits, alike).astype(np.float64)) > 0
            impossible |= sure.spread(self.possible.too_fast(sure).astype(np.float64)) > 0
            alike = visits.mean(np.where(impossible, np.nan, evidence).astype(np.float32), weights)
        if self.transitions is not None:
            self.transitions.learn(visits, alike)
            handover = visits.spread(self.transitions.evidence_for(visits, alike))
            handover += sure.spread(self.transitions.evidence_against(sure))
        return handover, impossible

    def _learn(
        self,
        nodes: Sequence[Tracklet],
        summaries: Mapping[int, AppearanceSummary],
        biases: Mapping[int, NDArray[np.float32]],
        distances: NDArray[np.float32],
        cameras: NDArray[np.int64],
        starts: NDArray[np.float64],
        ends: NDArray[np.float64],
    ) -> None:
        """Teach the threshold what different people (seen at once) and the same person (one track) look like."""
        # What stands for an archived identity (camera -1) was nowhere at any one time.
        shared = np.minimum(ends[:, None], ends) - np.maximum(starts[:, None], np.where(cameras < 0, np.inf, starts))
        crops = np.array([summaries[node.key].count for node in nodes])
        good = (cameras[:, None] == cameras) & (cameras >= 0) & (shared >= TOGETHER_SECONDS) & np.isfinite(distances)
        good &= (crops[:, None] >= HALF_TRUST_CROPS) & (crops >= HALF_TRUST_CROPS)
        different: dict[tuple[int, int, int], list[float]] = defaultdict(list)
        for row, column in zip(*(part.tolist() for part in np.nonzero(np.triu(good, 1)))):
            pair = sorted((nodes[row].track, nodes[column].track))
            if pair[0] != pair[1]:
                different[nodes[row].camera, pair[0], pair[1]].append(float(distances[row, column]))
        pieces = [(summaries[node.key], biases.get(node.key)) for node in nodes if node.camera >= 0]
        same = [distance for piece, bias in pieces if (distance := piece.halves_distance(bias)) is not None]
        self.threshold.learn(
            np.array([float(np.mean(values)) for _, values in sorted(different.items())]), np.array(same)
        )


def _camera_means(
    nodes: Sequence[Tracklet], summaries: Mapping[int, AppearanceSummary]
) -> dict[int, NDArray[np.float32]]:
    """Return camera → mean look (D,), shrunk where few tracks were seen: of one person it would leave nothing."""
    by_track: dict[int, dict[int, list[NDArray[np.float32]]]] = defaultdict(lambda: defaultdict(list))
    for node in nodes:
        mean = summaries[node.key].mean
        if mean is not None and node.camera >= 0:
            by_track[node.camera][node.track].append(mean)
    return {
        camera: np.mean([np.mean(looks, axis=0) for looks in tracks.values()], axis=0)
        * np.float32(len(tracks) / (len(tracks) + BIAS_TRACKS))
        for camera, tracks in by_track.items()
    }


def _biases(
    nodes: Sequence[Tracklet],
    camera_means: Mapping[int, NDArray[np.float32]],
    shares: Mapping[int, Mapping[int, float]],
) -> dict[int, NDArray[np.float32]]:
    """Return key → look (D,) of the cameras that a node was seen by."""
    biases: dict[int, NDArray[np.float32]] = {}
    for node in nodes:
        for camera, share in ({node.camera: 1.0} if node.camera >= 0 else shares.get(node.key, {})).items():
            if camera in camera_means:
                part = camera_means[camera] * np.float32(share)
                biases[node.key] = biases[node.key] + part if node.key in biases else part
    return biases


def _distances(
    nodes: Sequence[Tracklet], summaries: Mapping[int, AppearanceSummary], biases: Mapping[int, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Return the cosine distance (N, N) between the means, less ``biases`` (key → look); NaN without a good crop."""
    result = np.full((len(nodes), len(nodes)), np.nan, np.float32)
    known = [(row, mean) for row, node in enumerate(nodes) if (mean := summaries[node.key].mean) is not None]
    if known:
        rows = [row for row, _ in known]
        stacked = np.stack([mean for _, mean in known])
        if biases:
            none = np.zeros_like(stacked[0])
            stacked = normalised(stacked - np.stack([biases.get(nodes[row].key, none) for row in rows]))
        result[np.ix_(rows, rows)] = cosine_distances(stacked, stacked)
    return result
