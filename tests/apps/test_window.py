"""The window of ``--show``: what it shows, how it is closed, and a machine without a display."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import apps.track
from tests.apps.command import Command, assert_consistent, assert_one_line, read_json
from tests.apps.conftest import Studio


@pytest.mark.parametrize("display", [None, ":4321"], ids=["none", "nobody there"])
def test_without_a_display_one_line_says_so(
    multicam: Command, studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, display: str | None
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    if display is not None:
        monkeypatch.setenv("DISPLAY", display)
    arguments = ("-o", tmp_path / "out", "--detector", studio.detections, "--show")
    assert_one_line(multicam("track", studio.hall, *arguments), "no window can be opened", "leave --show out")
    assert not (tmp_path / "out").exists()


def test_the_window_shows_all_cameras_until_q(
    multicam: Command, studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[np.ndarray] = []
    monkeypatch.setattr(apps.track, "check_window", lambda: None)
    monkeypatch.setattr(cv2, "imshow", lambda title, picture: shown.append(picture.copy()))
    monkeypatch.setattr(cv2, "waitKey", lambda delay: ord("q") if len(shown) == 30 else -1)
    multicam("track", studio.corridor, studio.hall, "-o", tmp_path / "out", "--detector", studio.detections, "--show")
    assert len(shown) == 30
    assert {picture.shape for picture in shown} == {(shown[0].shape[0], 1280, 3)}
    # The corridor is the left half: people walk there; the hall is empty so far.
    changed = np.abs(shown[20].astype(int) - shown[25])[40:].max(axis=2) > 60
    assert changed[:, :640].any()
    assert_consistent(tmp_path / "out", ["corridor", "hall"])
    assert 30 <= read_json(tmp_path / "out" / "run.json")["frames"] <= 60
