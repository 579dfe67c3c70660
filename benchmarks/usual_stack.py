"""The usual stack on the videos of a folder, in a process of its own: ``python -m benchmarks.usual_stack ROOM OUT``.

Writes ``OUT/NAME.txt`` (MOTChallenge) for each video and prints seconds and frames as JSON. The clock starts when the
networks are loaded and have run once.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.peers import UsualStack
from tracker.detectors.shipped import shipped_detector

__all__ = ["run_usual_stack"]

#: height and width of the shipped detector's letterbox
_IMAGE_SIZE = (288, 384)


def run_usual_stack(videos: Sequence[Path], output: Path, embedder: str) -> dict[str, float]:
    """Track through videos, one after another as scripts do, and return ``seconds``, ``frames`` and more."""
    detector = shipped_detector("yolo11n_room")
    assert detector is not None
    stack = UsualStack(detector, embedder, _IMAGE_SIZE)
    output.mkdir(parents=True, exist_ok=True)
    for _ in stack.track(_first_frames(videos[0], output)):
        pass
    frames = 0
    started = time.perf_counter()
    for video in videos:
        lines = []
        for number, rows in enumerate(stack.track(video), start=1):
            frames += 1
            for track, x1, y1, x2, y2 in rows.tolist():
                box = f"{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f}"
                lines.append(f"{number},{int(track)},{box},1,1,1")
        (output / f"{video.stem}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"seconds": time.perf_counter() - started, "frames": frames}


def _first_frames(video: Path, folder: Path) -> Path:
    """Write the first frame of a video as a picture and return where it is."""
    import cv2

    capture = cv2.VideoCapture(str(video))
    good, image = capture.read()
    capture.release()
    path = folder / "warm-up.png"
    cv2.imwrite(str(path), image if good else np.zeros((480, 640, 3), np.uint8))
    return path


if __name__ == "__main__":
    room, out = Path(sys.argv[1]), Path(sys.argv[2])
    print(json.dumps(run_usual_stack(sorted(room.glob("*.mp4")), out, sys.argv[3])))
