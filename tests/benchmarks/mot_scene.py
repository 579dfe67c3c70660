"""Made-up MOTChallenge folders: three people who walk through a picture, found by a detector that is nearly right."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np

__all__ = ["FRAMES", "RATE", "gt_lines", "walkers", "write_flat", "write_lines", "write_sequence"]

FRAMES, RATE = 30, 10
_SIZE = (640, 480)


def walkers(frame: int) -> list[tuple[int, list[float]]]:
    """Return id and left, top, width, height of everybody in a frame: 2 and 3 meet half way, 1 walks alone."""
    step = frame - 1
    return [
        (1, [20 + 4 * step, 60, 30, 80]),
        (2, [60 + 6 * step, 250, 32, 90]),
        (3, [250 - 6 * step, 258, 32, 90]),
    ]


def gt_lines(columns: int = 9) -> list[str]:
    """Return lines of ground truth, sorted by person as MOTChallenge has them; nine columns have a distractor, too."""
    tail = {9: "1,1,1.0", 10: "1,-1,-1,-1", 7: "1"}[columns]
    lines = [
        f"{frame},{one},{','.join(map(str, box))},{tail}"
        for person in (1, 2, 3)
        for frame in range(1, FRAMES + 1)
        for one, box in walkers(frame)
        if one == person
    ]
    if columns == 9:
        lines += [f"{frame},9,500,300,40,100,0,8,1.0" for frame in range(1, FRAMES + 1)]
    return lines


def det_lines(seed: int = 0) -> list[str]:
    """Return lines of detections: everybody with some noise, some missed, the distractor, and false ones."""
    generator = np.random.default_rng(seed)
    lines = []
    for frame in range(1, FRAMES + 1):
        for _, box in walkers(frame):
            if generator.random() < 0.92:
                left, top, width, height = (np.array(box) + generator.normal(0, 1.0, 4)).round(2).tolist()
                lines.append(f"{frame},-1,{left},{top},{width},{height},{generator.uniform(0.7, 0.99):.3f},-1,-1,-1")
        lines.append(f"{frame},-1,500.5,300,40,100,0.9,-1,-1,-1")
    return lines


def write_lines(path: Path, lines: Sequence[str]) -> Path:
    """Write a text file; compressed where its name ends with .gz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{line}\n" for line in lines)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def write_sequence(folder: Path, *, seed: int = 0, columns: int = 9, images: bool = False) -> Path:
    """Write a sequence as MOTChallenge distributes it; images are grey with a brightness of its own for each person."""
    write_lines(folder / "gt" / "gt.txt", gt_lines(columns))
    write_lines(folder / "det" / "det.txt", det_lines(seed))
    _write_info(folder / "seqinfo.ini", folder.name)
    if images:
        import cv2

        (folder / "img1").mkdir()
        for frame in range(1, FRAMES + 1):
            image = np.full((_SIZE[1], _SIZE[0], 3), 128, np.uint8)
            for person, (left, top, width, height) in walkers(frame):
                image[int(top) : int(top + height), int(left) : int(left + width), person - 1] = 20 + 60 * person
            cv2.imwrite(str(folder / "img1" / f"{frame:06d}.jpg"), image)
    return folder


def write_flat(root: Path, names: Sequence[str]) -> Path:
    """Write sequences in the flat layout, compressed."""
    for seed, name in enumerate(names):
        write_lines(root / "gt" / f"{name}.txt.gz", gt_lines())
        write_lines(root / "det-dpm" / f"{name}.txt.gz", det_lines(seed))
        _write_info(root / "seqinfo" / f"{name}.ini", name)
    return root


def _write_info(path: Path, name: str) -> None:
    fields = {"name": name, "imDir": "img1", "frameRate": RATE, "seqLength": FRAMES}
    fields |= {"imWidth": _SIZE[0], "imHeight": _SIZE[1], "imExt": ".jpg"}
    write_lines(path, ["[Sequence]", *(f"{key}={value}" for key, value in fields.items())])
