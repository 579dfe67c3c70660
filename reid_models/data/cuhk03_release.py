"""Write the images of CUHK03's release, one MATLAB 7.3 file, as PNG files under the names the field uses.

``python -m reid_models.data.cuhk03_release cuhk-03.mat FOLDER``
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reid_models.data.cuhk03 import TEST_SETS_FILE
from reid_models.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["extract_cuhk03"]

#: images of one person: the first five are of view 1, the others of view 2
_FIRST_VIEW = 5


def extract_cuhk03(
    release: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write ``images_detected``, ``images_labeled`` and ``testsets.json`` of ``cuhk-03.mat`` into ``folder``.

    The variables ``detected`` and ``labeled`` are five cells, one per camera pair, of persons × 10 images (H, W, 3)
    RGB uint8, of which some are empty; ``testsets`` are 20 lists of (pair, person). An image becomes
    ``PAIR_PERSON_VIEW_NUMBER.png``, all counted from 1. Images already there are not written again.

    Args:
        release: the file ``cuhk-03.mat``.
        folder: where to write.
        progress: called with the number of images done, after each person.

    Returns:
        Number of images in both folders.

    Raises:
        InputError: ``h5py`` is not installed, or the file is another one.
    """
    try:
        h5py = importlib.import_module("h5py")
    except ImportError:
        raise InputError(
            f"reading {release}, a MATLAB 7.3 file, needs h5py, which is not installed: pip install h5py"
        ) from None
    target = Path(folder)
    try:
        with h5py.File(release, "r") as content:
            target.mkdir(parents=True, exist_ok=True)
            done = 0
            for images in ("detected", "labeled"):
                done = _write_images(content, images, target / f"images_{images}", done, progress)
            tests = [_value(content, reference).astype(int).tolist() for reference in _references(content["testsets"])]
    except KeyError as error:
        raise InputError(f"{release} is not CUHK03's release: it lacks a variable ({error})") from None
    except OSError as error:
        raise InputError(f"{release} cannot be read or its images not be written: {error}") from None
    # Last and at once: where this file is, everything is.
    unfinished = target / f"{TEST_SETS_FILE}.part"
    unfinished.write_text(json.dumps(tests), encoding="utf-8")
    unfinished.replace(target / TEST_SETS_FILE)
    return done


def _references(cell: Any) -> list[Any]:
    return list(np.asarray(cell).ravel())


def _value(content: Any, reference: Any) -> NDArray[Any]:
    """Return a MATLAB array with its axes in MATLAB's order, which HDF5 stores reversed."""
    value: NDArray[Any] = np.asarray(content[reference]).T
    return value


def _write_images(content: Any, images: str, folder: Path, done: int, progress: Callable[[int], None] | None) -> int:
    import cv2

    folder.mkdir(exist_ok=True)
    for pair, reference in enumerate(_references(content[images]), 1):
        for person, cells in enumerate(_value(content, reference), 1):
            for number, cell in enumerate(cells, 1):
                image = _value(content, cell)
                # An empty cell is stored as the two numbers of its size.
                if image.ndim != 3:
                    continue
                view = 1 if number <= _FIRST_VIEW else 2
                path = folder / f"{pair}_{person:03d}_{view}_{number:02d}.png"
                if not path.exists():
                    encoded = cv2.imencode(".png", np.ascontiguousarray(image[:, :, ::-1]))[1]
                    unfinished = path.with_suffix(".part")
                    unfinished.write_bytes(encoded.tobytes())
                    unfinished.replace(path)
                done += 1
            if progress is not None:
                progress(done)
    return done


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m reid_models.data.cuhk03_release", description=__doc__)
    parser.add_argument("release", help="the file cuhk-03.mat")
    parser.add_argument("folder", help="where to write images_detected, images_labeled and testsets.json")
    given = parser.parse_args(arguments)
    try:
        images = extract_cuhk03(
            given.release,
            given.folder,
            progress=lambda done: print(f"\r{done} images", end="", file=sys.stderr, flush=True),
        )
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"\r{images} images in {given.folder}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
