"""Make the pictures of the README from a finished demonstration.

multicam demo --output demo-output --overwrite
python docs/images/make.py demo-output
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
MOSAIC_SECONDS = 7.0
MOSAIC_BYTES = 200_000
SHEET_BYTES = 150_000
SHEET_ROWS = 8
SHEET_ROW_HEIGHT = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=Path, help="folder of multicam demo")
    parser.add_argument("--seconds", type=float, default=MOSAIC_SECONDS, help="which moment of the mosaic")
    arguments = parser.parse_args()
    tracks = arguments.demo / "track"
    save(HERE / "demo-mosaic.jpg", frame_at(tracks / "mosaic.mp4", arguments.seconds), MOSAIC_BYTES)
    sheet = cv2.imread(str(tracks / "contact_sheet.jpg"))
    if sheet is None:
        raise SystemExit(f"no contact sheet in {tracks}: run multicam demo first")
    save(HERE / "demo-contact-sheet.jpg", sheet[: SHEET_ROWS * SHEET_ROW_HEIGHT], SHEET_BYTES)


def frame_at(path: Path, seconds: float) -> NDArray[np.uint8]:
    """Return the first frame at or after ``seconds``."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if (frame.time or 0.0) >= seconds - 1e-3:
                return frame.to_ndarray(format="bgr24")
    raise SystemExit(f"{path} ends before {seconds:g} s: give an earlier moment with --seconds")


def save(path: Path, image: NDArray[np.uint8], limit: int) -> None:
    """Write a JPEG of at most ``limit`` bytes, as good as that allows."""
    for content in encodings(image):
        if len(content) <= limit:
            path.write_bytes(content)
            print(f"{path}: {image.shape[1]}×{image.shape[0]}, {len(content) / 1000:.0f} kB")
            return
    raise SystemExit(f"{path} would be larger than {limit} bytes")


def encodings(image: NDArray[np.uint8]) -> Iterator[bytes]:
    for quality in range(92, 40, -3):
        yield cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1])[
            1
        ].tobytes()


if __name__ == "__main__":
    main()
