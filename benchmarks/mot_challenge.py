"""Folders in MOTChallenge's layout (MOT15, MOT16, MOT17, MOT20, DanceTrack), and flat ones: where each file lies.

As distributed, a sequence is a folder: ``SEQ/gt/gt.txt``, ``SEQ/det/det.txt``, ``SEQ/seqinfo.ini`` and, if they were
fetched, the images ``SEQ/img1``. A flat folder has one file for each sequence instead: ``gt/SEQ.txt``, ``det/SEQ.txt``
or ``det-NAME/SEQ.txt``, ``seqinfo/SEQ.ini``. Text may be compressed with gzip everywhere.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tracker.errors import InputError, nearest_name_hint
from tracker.video.image_folder import IMAGE_SUFFIXES, read_sequence_info

__all__ = ["MotSequence", "chosen_sequences", "existing_text", "mot_sequences", "of_detector"]

_SUFFIXES = (".txt", ".txt.gz")
#: below a folder of data sets
_PLACES = (".", "train", "mot16", "data/mot16", "MOT16", "MOT16/train")
_ASSUMED_FRAME_RATE = 30.0
#: MOT17 has every sequence three times, once for each detector
_DETECTORS = ("dpm", "frcnn", "sdp")
_OWN = "det"


@dataclass(frozen=True, slots=True)
class MotSequence:
    """One sequence: where its files are and what its ``seqinfo.ini`` says.

    Args:
        name: of the folder, or of the files.
        truth: file of its ground truth.
        detections: name → file of those that come with it, ``det`` for ``det/det.txt``.
        images: folder of the images, ``None`` where there are none.
        frame_rate: frames a second.
        length: number of frames, ``None`` where nothing says it.
        image_size: width and height in pixels, likewise.
    """

    name: str
    truth: Path
    detections: Mapping[str, Path] = field(default_factory=dict)
    images: Path | None = None
    frame_rate: float = _ASSUMED_FRAME_RATE
    length: int | None = None
    image_size: tuple[int, int] | None = None

    @property
    def is_mot20(self) -> bool:
        """Whether it is of MOT20, whose official evaluation has one more class of distractors."""
        return self.name.upper().startswith("MOT20")


def mot_sequences(root: str | Path) -> list[MotSequence]:
    """Return all sequences below a folder that have a ground truth, by name.

    Args:
        root: a folder in either layout, one sequence, or a folder that has such a one as ``train``, ``mot16`` or
            ``data/mot16``.

    Raises:
        InputError: no such folder, none in it, or a ``seqinfo.ini`` that cannot be used.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        problem = "is a file" if root.exists() else "does not exist"
        raise InputError(f"--root {root} {problem}: give a folder of MOTChallenge sequences")
    for place in _PLACES:
        folder = root / place
        if not folder.is_dir():
            continue
        if existing_text(folder / "gt" / "gt") is not None:
            return [_sequence(folder.absolute())]
        found = _flat(folder) or _distributed(folder)
        if found:
            return found
    raise InputError(
        f"no MOTChallenge sequence with a ground truth below {root}: expected SEQ/gt/gt.txt, as distributed, or "
        "gt/SEQ.txt, flat (.gz too)"
    )


def chosen_sequences(sequences: Sequence[MotSequence], names: Iterable[str]) -> list[MotSequence]:
    """Return the sequences that ``names`` name, in the order of ``sequences``; all without names.

    A name is whole, or its number: ``02`` is ``MOT16-02``, and all three of ``MOT17-02-…``.

    Raises:
        InputError: a name that no sequence has.
    """
    wanted = [name.strip() for name in names if name.strip()]
    if not wanted:
        return list(sequences)
    chosen: set[str] = set()
    for name in wanted:
        found = {one.name for one in sequences if one.name == name} or {
            one.name for one in sequences if name in one.name.split("-")
        }
        if not found:
            raise InputError(f"no sequence {name!r}: {nearest_name_hint(name, [one.name for one in sequences])}")
        chosen |= found
    return [one for one in sequences if one.name in chosen]


def of_detector(sequences: Sequence[MotSequence], detections: str | None) -> list[MotSequence]:
    """Return those of MOT17's three copies of each sequence that belong to ``detections``: dpm, frcnn or sdp.

    Where sequences are not named by detectors, or something else is asked for, all are returned.
    """
    if detections is None or detections.lower() not in _DETECTORS:
        return list(sequences)
    mine = [one for one in sequences if one.name.lower().endswith(f"-{detections.lower()}")]
    named = any(one.name.lower().endswith(tuple(f"-{name}" for name in _DETECTORS)) for one in sequences)
    if named and not mine:
        raise InputError(
            f"--detections {detections}: no sequence is called SEQ-{detections.upper()}; "
            f"there are {', '.join(one.name for one in sequences[:4])}{', …' if len(sequences) > 4 else ''}"
        )
    return mine if named else list(sequences)


def existing_text(stem: Path) -> Path | None:
    """Return ``STEM.txt`` or ``STEM.txt.gz``, whichever is there."""
    for suffix in _SUFFIXES:
        path = stem.with_name(stem.name + suffix)
        if path.is_file():
            return path
    return None


def _distributed(root: Path) -> list[MotSequence]:
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    found = [_sequence(folder) for folder in folders if existing_text(folder / "gt" / "gt") is not None]
    without = [path.name for path in folders if (path / "seqinfo.ini").is_file()]
    without = [name for name in without if name not in {one.name for one in found}]
    if found and without:
        warnings.warn(
            f"without ground truth (gt/gt.txt) and left out: {', '.join(without)}", RuntimeWarning, stacklevel=2
        )
    return found


def _sequence(folder: Path) -> MotSequence:
    truth = existing_text(folder / "gt" / "gt")
    assert truth is not None
    detections = _files(folder / "det")
    return _described(folder.name, truth, _named(folder.name, detections), folder / "seqinfo.ini", folder)


def _flat(root: Path) -> list[MotSequence]:
    truths = _files(root / "gt")
    kinds = {
        (path.name.removeprefix("det-") if path.name != _OWN else _OWN): _files(path)
        for path in sorted(root.glob("det*"))
        if path.is_dir() and (path.name == _OWN or path.name.startswith("det-"))
    }
    found = []
    for name, truth in truths.items():
        detections = {kind: files[name] for kind, files in kinds.items() if name in files}
        found.append(_described(name, truth, _named(name, detections), root / "seqinfo" / f"{name}.ini", root / name))
    return found


def _files(folder: Path) -> dict[str, Path]:
    """Return name → text file of a folder, by name."""
    if not folder.is_dir():
        return {}
    paths = sorted(path for path in folder.iterdir() if path.name.endswith(_SUFFIXES) and path.is_file())
    return {path.name.removesuffix(".gz").removesuffix(".txt"): path for path in paths}


def _named(sequence: str, detections: dict[str, Path]) -> dict[str, Path]:
    """Add the name of the public detector whose boxes ``det`` holds, where the name of the sequence says it."""
    own = detections.get(_OWN)
    upper = sequence.upper()
    by_name = [kind for kind in _DETECTORS if upper.endswith(f"-{kind.upper()}")]
    by_set = {"MOT16-": "dpm", "MOT20-": "frcnn"}
    by_name += [kind for prefix, kind in by_set.items() if upper.startswith(prefix)]
    if own is not None and by_name:
        detections.setdefault(by_name[0], own)
    return detections


def _described(name: str, truth: Path, detections: dict[str, Path], description: Path, folder: Path) -> MotSequence:
    images = folder / "img1"
    if not description.is_file():
        warnings.warn(
            f"{name} has no {description}: {_ASSUMED_FRAME_RATE:g} frames per second assumed, and as many frames as "
            "its ground truth has",
            RuntimeWarning,
            stacklevel=2,
        )
        return MotSequence(name, truth, detections, _with_images(images))
    info = read_sequence_info(description)
    if info.frame_rate is None:
        warnings.warn(
            f"{description} has no frameRate: {_ASSUMED_FRAME_RATE:g} frames per second assumed",
            RuntimeWarning,
            stacklevel=2,
        )
    inside = folder / info.image_folder.name
    return MotSequence(
        name,
        truth,
        detections,
        _with_images(inside),
        info.frame_rate or _ASSUMED_FRAME_RATE,
        info.frame_count,
        info.size,
    )


def _with_images(folder: Path) -> Path | None:
    if not folder.is_dir():
        return None
    return folder if any(path.suffix.lower() in IMAGE_SUFFIXES for path in folder.iterdir()) else None
