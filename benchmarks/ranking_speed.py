"""How long ranking and re-ranking take, and how much memory: ours beside the usual loops, in one run, turn by turn.

Re-ranking is measured in processes of its own, because a process's peak of memory never falls. Both sides get the same
made-up embeddings. The usual re-ranking starts from distances, which it is given; ours starts from the embeddings, so
its time includes computing distances.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.usual_ranking import usual_re_ranking, usual_scores
from reid_models.evaluation.ranking import evaluate_distances
from reid_models.evaluation.re_ranking import re_rank
from tracker.errors import InputError

__all__ = ["RankingData", "RankingSizes", "compare_ranking", "make_ranking_data", "ranking_table"]

OURS, USUAL = f"multicam {version('multicam-tracker')}", "usual loop"
#: size at which targets are set, that of Market-1501
TARGET_SIZE = (3368, 15913)
#: bytes for every pair of images that the usual re-ranking holds at its peak (measured)
_USUAL_BYTES = 20
_CAMERAS = 6
REMARKS = (
    "The usual loops are measured in the same run: per query a sorted row and a walk along it; N × N arrays in full. "
    "Target of CMC and mAP: ten times faster than the 1.8 s of the usual Cython code. Re-ranking: ours starts from "
    "embeddings, the usual from distances that it is given; GB: peak of the whole process. Difference: the largest in "
    "CMC, mAP and mINP, and in re-ranked distances. Among equal distances ours puts true matches last, the usual loop "
    "has no order."
)


@dataclass(frozen=True, slots=True)
class RankingSizes:
    """How much to rank: Market-1501 without its junk, and embeddings of OSNet's length.

    Args:
        queries: Q.
        gallery: G.
        dimension: D.
        seed: of the embeddings.
    """

    queries: int = TARGET_SIZE[0]
    gallery: int = TARGET_SIZE[1]
    dimension: int = 512
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class RankingData:
    """Embeddings (Q, D), (G, D) float32 with identities and cameras (int64)."""

    query_features: NDArray[np.float32]
    gallery_features: NDArray[np.float32]
    query_ids: NDArray[np.int64]
    query_cameras: NDArray[np.int64]
    gallery_ids: NDArray[np.int64]
    gallery_cameras: NDArray[np.int64]

    def labels(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        return self.query_ids, self.query_cameras, self.gallery_ids, self.gallery_cameras


def make_ranking_data(sizes: RankingSizes) -> RankingData:
    """Return embeddings of about 20 gallery images for each identity, which differ in pose and by camera.

    They vary in 64 directions, as trained embeddings do in few, and are L2-normalised. About a sixth of the gallery
    shows identities that no query has.
    """
    random = np.random.default_rng(sizes.seed)
    identities = max(2, sizes.gallery // 20)
    centres = random.standard_normal((identities, 64))
    tints = 0.3 * random.standard_normal((_CAMERAS, 64))
    directions = random.standard_normal((64, sizes.dimension)) / 8

    def images(count: int, known: int) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
        who, where = random.integers(0, known, count), random.integers(0, _CAMERAS, count)
        latent = centres[who] + tints[where] + 1.1 * random.standard_normal((count, 64))
        features = latent @ directions + 0.05 * random.standard_normal((count, sizes.dimension))
        features /= np.linalg.norm(features, axis=1, keepdims=True)
        return features.astype(np.float32), who + 1, where + 1

    query, query_ids, query_cameras = images(sizes.queries, max(1, identities * 5 // 6))
    gallery, gallery_ids, gallery_cameras = images(sizes.gallery, identities)
    return RankingData(query, gallery, query_ids, query_cameras, gallery_ids, gallery_cameras)


def compare_ranking(
    sizes: RankingSizes | None = None,
    *,
    repeats: int = 5,
    re_ranking_repeats: int = 3,
    advance: Callable[[str], None] = lambda step: None,
) -> dict[str, Any]:
    """Measure CMC, mAP and mINP from a distance matrix, then re-ranking, each beside the usual loop.

    Args:
        sizes: how much to rank.
        repeats: how often the first is measured, on both sides.
        re_ranking_repeats: how often the second; 0 leaves it out.
        advance: called with a line on what comes next, ``repeats + re_ranking_repeats`` times.

    Returns:
        ``settings`` and ``rows``: for each task and implementation ``seconds`` (median over the repeats, lowest,
        highest), ``rank1``, ``mAP`` and ``mINP`` (percent), for re-ranking ``peak_gigabytes`` (highest over the
        repeats, of the whole process); ours also ``speed_ratio`` (median of the repeats' ratios), ``memory_ratio``,
        ``max_abs_difference`` between the two sides' figures or distances, and, at Market-1501's size, the targets;
        ``remarks`` in a sentence or two.

    Raises:
        InputError: a number is too small, or the usual re-ranking would not fit into memory.
    """
    sizes = sizes or RankingSizes()
    for name, value, least in (
        ("queries", sizes.queries, 1), ("gallery", sizes.gallery, 2), ("dimension", sizes.dimension, 1),
        ("repeats", repeats, 1), ("re_ranking_repeats", re_ranking_repeats, 0),
    ):  # fmt: skip
        if value < least:
            raise InputError(f"{name} is {value}; give at least {least}")
    if re_ranking_repeats:
        _check_memory(sizes)
    data = make_ranking_data(sizes)
    rows = _ranking_rows(data, sizes, repeats, advance)
    if re_ranking_repeats:
        rows += _re_ranking_rows(data, sizes, re_ranking_repeats, advance)
    settings = {**asdict(sizes), "repeats": repeats, "re_ranking_repeats": re_ranking_repeats}
    return {"settings": {**settings, "k1": 20, "k2": 6, "lambda": 0.3}, "rows": rows, "remarks": REMARKS}


def ranking_table(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Return header and lines of the table that is printed: ours and the usual loop side by side."""
    header = ["task", "s", "usual s", "times faster", "target", "GB", "usual GB", "times less", "target", "mAP"]
    header += ["usual", "difference"]
    lines = []
    for ours, usual in zip(rows[::2], rows[1::2], strict=True):
        target = f"{ours['speed_target']:g}" if "speed_target" in ours else ""
        memory = ["", "", "", ""]
        if "memory_ratio" in ours:
            memory = [f"{side['peak_gigabytes']:.2f}" for side in (ours, usual)]
            memory += [f"{ours['memory_ratio']:.1f}", f"{ours['memory_target']:g}" if "memory_target" in ours else ""]
        lines.append(
            [
                ours["name"],
                _seconds(ours),
                _seconds(usual),
                f"{ours['speed_ratio']:.1f}",
                f"≤ {ours['seconds_target']:g} s" if "seconds_target" in ours else target,
                *memory,
                f"{ours['mAP']:.2f}",
                f"{usual['mAP']:.2f}",
                f"{ours['max_abs_difference']:.1e}",
            ]
        )
    return header, lines


def _seconds(row: Mapping[str, Any]) -> str:
    return f"{row['seconds']:.2f} ({row['seconds_lowest']:.2f}–{row['seconds_highest']:.2f})"


def _ranking_rows(
    data: RankingData, sizes: RankingSizes, repeats: int, advance: Callable[[str], None]
) -> list[dict[str, Any]]:
    distances = _euclidean(data.query_features, data.gallery_features)
    sides: dict[str, Callable[[], Any]] = {
        OURS: lambda: evaluate_distances(distances, *data.labels()),
        USUAL: lambda: usual_scores(distances, *data.labels()),
    }
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    scores: dict[str, Any] = {}
    sides[OURS]()
    for repeat in range(repeats):
        advance(f"CMC and mAP, repeat {repeat + 1}")
        for name in _turns(repeat):
            start = time.perf_counter()
            scores[name] = sides[name]()
            seconds[name].append(time.perf_counter() - start)
    rows = [_row("CMC, mAP", name, sizes, seconds, scores[name]) for name in sides]
    figures = [np.append(score.cmc, [score.mAP, score.mINP]) for score in scores.values()]
    rows[0]["max_abs_difference"] = float(np.abs(figures[0] - figures[1]).max())
    if (sizes.queries, sizes.gallery) == TARGET_SIZE:
        # Ten times faster than the 1.8 s of the usual Cython code, which is not measured here.
        rows[0] |= {"seconds_target": 0.18}
    return rows


def _re_ranking_rows(
    data: RankingData, sizes: RankingSizes, repeats: int, advance: Callable[[str], None]
) -> list[dict[str, Any]]:
    seconds: dict[str, list[float]] = {OURS: [], USUAL: []}
    peaks: dict[str, list[float]] = {OURS: [], USUAL: []}
    with tempfile.TemporaryDirectory(prefix="multicam-ranking-") as folder:
        np.save(Path(folder) / "query.npy", data.query_features)
        np.save(Path(folder) / "gallery.npy", data.gallery_features)
        for repeat in range(repeats):
            advance(f"re-ranking, repeat {repeat + 1}")
            for name in _turns(repeat):
                taken, peak = _in_own_process(name, Path(folder))
                seconds[name].append(taken)
                peaks[name].append(peak)
        found = {name: np.load(_result_file(Path(folder), name)) for name in seconds}
    rows = []
    for name, distances in found.items():
        row = _row("re-ranking", name, sizes, seconds, evaluate_distances(distances, *data.labels()))
        rows.append(row | {"peak_gigabytes": max(peaks[name])})
    difference = np.abs(found[OURS] - found[USUAL])
    rows[0]["memory_ratio"] = rows[1]["peak_gigabytes"] / rows[0]["peak_gigabytes"]
    rows[0]["max_abs_difference"] = float(difference.max())
    rows[0]["values_beyond_1e-6"] = int(np.count_nonzero(difference > 1e-6))
    if (sizes.queries, sizes.gallery) == TARGET_SIZE:
        rows[0] |= {"speed_target": 4.0, "memory_target": 3.0}
    return rows


def _turns(repeat: int) -> list[str]:
    return [OURS, USUAL] if repeat % 2 == 0 else [USUAL, OURS]


def _row(task: str, name: str, sizes: RankingSizes, seconds: dict[str, list[float]], scores: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": task,
        "implementation": name,
        "sequence": f"{sizes.queries} × {sizes.gallery}",
        "seconds": statistics.median(seconds[name]),
        "seconds_lowest": min(seconds[name]),
        "seconds_highest": max(seconds[name]),
        "rank1": 100 * float(scores.cmc[0]),
        "mAP": 100 * scores.mAP,
        "mINP": 100 * scores.mINP,
    }
    if name == OURS:
        pairs = zip(seconds[OURS], seconds[USUAL], strict=True)
        row["speed_ratio"] = statistics.median(theirs / mine for mine, theirs in pairs)
    return row


def _in_own_process(name: str, folder: Path) -> tuple[float, float]:
    """Return seconds and peak gigabytes (1e9 bytes) of one re-ranking; the result lies in ``folder``."""
    command = [sys.executable, "-m", "benchmarks.ranking_speed", name, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise InputError(f"{name}, re-ranking, ended early ({said[-1]}): measure less with --queries and --gallery")
    measured = json.loads(done.stdout)
    return measured["seconds"], measured["peak_bytes"] / 1e9


def _measure(name: str, folder: Path) -> dict[str, float]:
    query, gallery = np.load(folder / "query.npy"), np.load(folder / "gallery.npy")
    if name == OURS:
        start = time.perf_counter()
        result = re_rank(query, gallery)
    else:
        parts = _euclidean(query, gallery), _euclidean(query, query), _euclidean(gallery, gallery)
        start = time.perf_counter()
        result = usual_re_ranking(*parts)
    measured = {"seconds": time.perf_counter() - start, "peak_bytes": _peak_bytes()}
    np.save(_result_file(folder, name), result)
    return measured


def _result_file(folder: Path, name: str) -> Path:
    return folder / ("ours.npy" if name == OURS else "usual.npy")


def _euclidean(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return distances (A, B), computed in float64 by blocks of rows so that rounding hardly changes their order."""
    distances = np.empty((len(first), len(second)), np.float32)
    other = second.astype(np.float64)
    squares = np.einsum("ij,ij->i", other, other)
    for start in range(0, len(first), 256):
        rows = first[start : start + 256].astype(np.float64)
        squared = squares + np.einsum("ij,ij->i", rows, rows)[:, None] - 2 * (rows @ other.T)
        distances[start : start + 256] = np.sqrt(np.maximum(squared, 0))
    if first is second:
        np.fill_diagonal(distances, 0)
    return distances


def _peak_bytes() -> int:
    try:
        # Unlike getrusage's, this peak starts anew with the program, and not with the process that started it.
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _check_memory(sizes: RankingSizes) -> None:
    needed = _USUAL_BYTES * (sizes.queries + sizes.gallery) ** 2
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return
    if needed > free:
        raise InputError(
            f"the usual re-ranking of {sizes.queries} × {sizes.gallery} needs about {needed / 1e9:.1f} GB, and "
            f"{free / 1e9:.1f} GB are free: measure less with --queries and --gallery, or --re-ranking-repeats 0"
        )


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], Path(sys.argv[2]))))
