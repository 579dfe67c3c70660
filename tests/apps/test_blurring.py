"""``--blur-faces`` and ``--blur-people``: what is shown and kept does not show who it was."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.apps.command import Command, call, files_in, read_lines
from tests.apps.conftest import Studio
from tests.apps.test_outputs import frames_of, image_of

RUN = ("--embedder", "none", "--save-crops", "--max-frames", 30, "--quiet")


def sharpness(image: np.ndarray) -> float:
    """How sharp the sharpest edges of a picture are."""
    return float(np.percentile(np.abs(cv2.Laplacian(image.astype(np.float32), cv2.CV_32F))[2:-2, 2:-2], 97))


def parts(height: int) -> tuple[slice, slice]:
    """Rows of the head, and those around the border of top and trousers."""
    return slice(2, round(height * 0.2)), slice(round(height * 0.45), round(height * 0.65))


@pytest.fixture(scope="module")
def plain(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run without any blurring."""
    out = tmp_path_factory.mktemp("plain") / "out"
    assert call("track", studio.corridor, "-o", out, "--detector", studio.detections, *RUN) == 0
    return out


@pytest.mark.parametrize("option", ["--blur-faces", "--blur-people"])
def test_videos_and_crops_are_blurred_and_results_are_the_same(
    multicam: Command, studio: Studio, plain: Path, tmp_path: Path, option: str
) -> None:
    out = tmp_path / "out"
    outcome = multicam("track", studio.corridor, "-o", out, "--detector", studio.detections, *RUN, option)
    assert outcome.code == 0, outcome.err
    assert sorted(files_in(out)) == sorted(files_in(plain)), "what was detected is kept for the while only"
    assert (out / "tracks.jsonl").read_bytes() == (plain / "tracks.jsonl").read_bytes()
    crops = [name for name in files_in(out) if name.startswith("crops/")]
    pairs = [(image_of(plain / name), image_of(out / name)) for name in crops]
    (_, before, _), (_, after, _) = frames_of(plain / "corridor.mp4"), frames_of(out / "corridor.mp4")
    rows = read_lines(out / "tracks.jsonl")
    for row in rows:
        left, top, right, bottom = (round(side) for side in row["box"])
        beside = [other["box"] for other in rows if other["frame"] == row["frame"] and other is not row]
        # Where two meet, the lines around the one are drawn over the other.
        if left > 4 and right < 188 and all(box[2] < left - 20 or box[0] > right + 20 for box in beside):
            box = np.s_[top:bottom, left + 4 : right - 4]
            pairs.append((before[row["frame"] - 1][box], after[row["frame"] - 1][box]))
    assert len(crops) > 4 and len(pairs) > 20
    for sharp, hidden in pairs:
        head, waist = parts(len(sharp))
        assert np.abs(sharp[head].astype(int) - hidden[head]).mean() > 8
        if option == "--blur-people":
            assert sharpness(hidden[waist]) < 0.6 * sharpness(sharp[waist])
        else:
            assert sharpness(hidden[waist]) > 0.8 * sharpness(sharp[waist]), "only the head is hidden"


def test_who_is_not_tracked_yet_is_hidden_too(multicam: Command, studio: Studio, tmp_path: Path) -> None:
    """The first frames of a person, before there is a track, have detections."""
    outcome = multicam("track", studio.corridor, "-o", tmp_path / "out", "--detector", studio.detections, *RUN,
                       "--blur-people", "--tracker-option", "new_track_confidence=0.99")  # fmt: skip
    assert outcome.code == 0 and read_lines(tmp_path / "out" / "tracks.jsonl") == []
    _, before, _ = frames_of(studio.corridor)
    _, after, _ = frames_of(tmp_path / "out" / "corridor.mp4")
    for frame in (0, 3, 25):
        box = studio.figures["corridor"][0].box(frame)
        assert box is not None
        left, top, wide, high = (round(side) for side in box)
        _, waist = parts(high)
        inside = np.s_[top + waist.start : top + waist.stop, left + 4 : left + wide - 4]
        assert sharpness(after[frame][inside]) < 0.6 * sharpness(before[frame][inside])
