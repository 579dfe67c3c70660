"""Made-up data sets on disk: files of the right names, tiny images where they are looked at."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from reid_models.data.datasets import ImageRows

MARKET_FILES = {
    "bounding_box_train": ["0007_c2s1_000003_00.jpg", "0002_c1s1_000451_03.jpg", "-1_c1s1_000000_00.jpg"],
    "query": ["0001_c3s2_000100_00.jpg"],
    "bounding_box_test": ["-1_c1s1_000401_03.jpg", "0000_c5s1_000151_01.jpg", "0001_c1s1_001051_00.png", "a.db"],
}  # fmt: skip


def touch(folder: Path, names: Iterable[str]) -> Path:
    """Make empty files of these names, which may lie in sub-folders."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def market_folder(root: Path, **files: list[str]) -> Path:
    """Make a folder in Market-1501's layout; ``files`` replace those of a sub-folder."""
    for folder, names in MARKET_FILES.items():
        touch(root / folder, files.get(folder, names))
    return root


def triples(rows: ImageRows) -> list[tuple[str, int, int]]:
    """Return (file name, identity, camera) of each row."""
    names = [path.name for path in rows.paths]
    return list(zip(names, rows.ids.tolist(), rows.cameras.tolist(), strict=True))


def cells(values: Iterable[object]) -> np.ndarray:
    """Return a MATLAB cell array (N, 1) for ``scipy.io.savemat``."""
    listed = list(values)
    array = np.empty((len(listed), 1), object)
    array[:, 0] = listed
    return array
