"""The gallery as one file, so that a later run knows whom earlier ones have seen.

NumPy's ``.npz`` without pickles: reading one runs no code that it brings along. The embedder is recognised by what it
makes of a few made-up pictures, which says more than a name: the same weights on another runtime fit, other weights
under the same name do not.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.cross_camera.appearance import AppearanceSummary
from tracker.cross_camera.earlier_runs import LONG_AGO, KnownIdentity, KnownPeople
from tracker.errors import InputError
from tracker.protocols import Embedder

__all__ = ["EmbedderMark", "check_same_embedder", "embedder_mark", "read_gallery", "write_gallery"]

_FORMAT = "multicam gallery"
_VERSION = 1
#: cosine that the same weights keep at least from one runtime or precision to another
_SAME_WEIGHTS = 0.99
#: bytes of all arrays together beyond which a file is taken for no gallery of ours
_LARGEST = 4 * 2**30


@dataclass(frozen=True, slots=True, eq=False)
class EmbedderMark:
    """What an embedder is recognised by: its name, and its vectors (P, D) of made-up pictures."""

    name: str
    vectors: NDArray[np.float32]

    @property
    def dimension(self) -> int:
        """Length D of a vector."""
        return int(self.vectors.shape[1])


def embedder_mark(embedder: Embedder) -> EmbedderMark:
    """Return what the embedder is recognised by; costs four crops."""
    generator = np.random.default_rng(20)
    pictures = [
        np.kron(generator.integers(0, 256, (8 * detail, 4 * detail, 3)), np.ones((16 // detail, 16 // detail, 1)))
        for detail in (1, 2, 4, 8)
    ]
    vectors = embedder.embed([picture.astype(np.uint8) for picture in pictures])
    return EmbedderMark(str(getattr(embedder, "name", embedder.description)), np.asarray(vectors, np.float32))


def write_gallery(path: Path, people: KnownPeople, mark: EmbedderMark) -> None:
    """Write people into ``path`` as it is (make it atomic with ``tracker.storage.atomic``).

    Raises:
        OSError: the file cannot be written.
    """
    names = sorted({name for identity in people.identities for name in identity.views} | set(people.camera_means))
    place = {name: number for number, name in enumerate(names)}
    views = [
        (row, place[name], identity.views[name])
        for row, identity in enumerate(people.identities)
        for name in sorted(identity.views)
    ]
    dimension = mark.dimension
    header = {
        "format": _FORMAT,
        "version": _VERSION,
        "embedder": mark.name,
        "dimension": dimension,
        "cameras": names,
        "cameras_with_means": sorted(people.camera_means),
        "next_number": people.next_number,
    }
    kept = [summary.prototypes.reshape(-1, dimension) for _, _, summary in views]
    means = [people.camera_means[name] for name in sorted(people.camera_means)]
    with path.open("wb") as file:
        np.savez(
            file,
            header=np.frombuffer(json.dumps(header).encode(), np.uint8),
            mark=mark.vectors,
            numbers=np.array([identity.number for identity in people.identities], np.int64),
            unseen_seconds=np.array([identity.unseen_seconds for identity in people.identities], np.float64),
            view_identities=np.array([row for row, _, _ in views], np.int64),
            view_cameras=np.array([camera for _, camera, _ in views], np.int64),
            view_weights=np.array([summary.weight for _, _, summary in views], np.float64),
            view_counts=np.array([summary.count for _, _, summary in views], np.int64),
            view_totals=np.array([summary.total for _, _, summary in views], np.float32).reshape(-1, dimension),
            view_prototypes=np.array([len(rows) for rows in kept], np.int64),
            # Half precision moves a vector of length 1 by less than a thousandth.
            prototypes=np.concatenate([*kept, np.zeros((0, dimension))]).astype(np.float16),
            camera_means=np.array(means, np.float32).reshape(-1, dimension),
        )


def read_gallery(path: Path, mark: EmbedderMark) -> KnownPeople:
    """Return the people in a gallery file.

    Args:
        path: an existing file.
        mark: of this run's embedder.

    Raises:
        InputError: the file cannot be read, is no gallery or a broken one, or another embedder has made it.
    """
    try:
        arrays = _arrays(path)
        header = json.loads(arrays["header"].tobytes().decode())
        if header["format"] != _FORMAT:
            raise ValueError("it is of another format")
        if header["version"] != _VERSION:
            raise InputError(
                f"gallery {path} is of version {header['version']}, and this is multicam for version {_VERSION}: "
                "use the multicam that wrote it, or another file"
            )
        made_by = EmbedderMark(str(header["embedder"]), arrays["mark"])
        remedy = f"use that embedder, or another gallery for {mark.name}"
        check_same_embedder(f"gallery {path}", made_by, mark, remedy)
        return _people(header, arrays)
    except OSError as error:
        raise InputError(f"gallery {path} cannot be read ({error.strerror or error}): check it, or give another file") \
            from None  # fmt: skip
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, IndexError, EOFError, zipfile.BadZipFile, RecursionError) as error:
        reason = f"no array {error}" if isinstance(error, KeyError) else " ".join(str(error).split())[:80]
        raise InputError(
            f"gallery {path} is no gallery of multicam, or a broken one ({reason}): give another file, or remove it "
            "to begin a new gallery"
        ) from None


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > _LARGEST:
        raise ValueError(f"{size / 2**30:.0f} GiB of arrays")
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def check_same_embedder(what: str, made_by: EmbedderMark, mark: EmbedderMark, remedy: str) -> None:
    """Check that vectors in a file were made by this embedder.

    Args:
        what: the file, as ``"gallery people.npz"``.
        made_by: what the file says of its embedder.
        mark: of the embedder at hand.
        remedy: what to do if they differ.

    Raises:
        InputError: another embedder made them, or the same with other weights.
    """
    if made_by.vectors.ndim != 2 or made_by.dimension != mark.dimension:
        length = made_by.dimension if made_by.vectors.ndim == 2 else 0
        raise InputError(
            f"{what} was made by the embedder {made_by.name} with vectors of {length}, and {mark.name} makes vectors "
            f"of {mark.dimension}: {remedy}"
        )
    same_shape = made_by.vectors.shape == mark.vectors.shape
    if not same_shape or (made_by.vectors * mark.vectors).sum(axis=1).min() < _SAME_WEIGHTS:
        whose = f"{mark.name} with other weights" if made_by.name == mark.name else f"the embedder {made_by.name}"
        raise InputError(f"{what} was made by {whose}, whose vectors say nothing to {mark.name}: {remedy}")


def _people(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> KnownPeople:
    """Return the people of checked arrays.

    Raises:
        ValueError: the arrays do not fit together.
    """
    names, numbers = [str(name) for name in header["cameras"]], arrays["numbers"].astype(np.int64)
    unseen = arrays["unseen_seconds"].astype(np.float64)
    owners, cameras = arrays["view_identities"], arrays["view_cameras"]
    totals, prototypes = arrays["view_totals"], arrays["prototypes"]
    counts, weights = arrays["view_counts"].astype(np.int64), arrays["view_weights"].astype(np.float64)
    ends = np.cumsum(arrays["view_prototypes"].astype(np.int64))
    means, with_means = arrays["camera_means"], [str(name) for name in header["cameras_with_means"]]
    dimension, next_number = int(header["dimension"]), int(header["next_number"])
    fits = (
        len(owners) == len(cameras) == len(totals) == len(ends) == len(counts) == len(weights)
        and len(unseen) == len(numbers) == len(set(numbers.tolist()))
        and totals.shape == (len(ends), dimension)
        and prototypes.shape == (ends[-1] if len(ends) else 0, dimension)
        and means.shape == (len(with_means), dimension)
        and (numbers >= 1).all()
        and next_number > numbers.max(initial=0)
        and (np.diff(ends, prepend=0) >= 0).all()
        and ((owners >= 0) & (owners < len(numbers)) & (cameras >= 0) & (cameras < len(names))).all()
        and all(np.isfinite(part).all() for part in (totals, prototypes, means, unseen, weights))
        and (counts > 0).all()
        and (weights > 0).all()
    )
    if not fits:
        raise ValueError("its arrays do not fit together")
    views: list[dict[str, AppearanceSummary]] = [{} for _ in numbers]
    for row, end in enumerate(ends.tolist()):
        begin = end - int(arrays["view_prototypes"][row])
        views[int(owners[row])][names[int(cameras[row])]] = AppearanceSummary.restored(
            totals[row], float(weights[row]), int(counts[row]), prototypes[begin:end], LONG_AGO
        )
    return KnownPeople(
        [KnownIdentity(*each) for each in zip(numbers.tolist(), unseen.tolist(), views)],
        next_number,
        {name: mean.astype(np.float32) for name, mean in zip(with_means, means)},
    )
