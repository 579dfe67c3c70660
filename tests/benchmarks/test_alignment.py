"""How far a found camera is off, and what the benchmark refuses."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from benchmarks.alignment import camera_errors, main
from tests.tracker.geometry.walks import corner_camera


def test_errors_of_a_moved_and_of_a_turned_camera() -> None:
    truth = corner_camera()
    assert camera_errors(truth, truth, 8, 6) == pytest.approx((0, 0, 0), abs=1e-5)
    moved = dataclasses.replace(truth, translation=-truth.rotation @ (truth.position + np.array([0.3, 0.4, 0])))
    assert camera_errors(moved, truth, 8, 6) == pytest.approx((0.5, 0, 0.5), abs=1e-5)
    turn = Rotation.from_rotvec([0, 0, np.radians(2)]).as_matrix()
    turned = dataclasses.replace(
        truth, rotation=truth.rotation @ turn.T, translation=-truth.rotation @ turn.T @ truth.position
    )
    position, direction, floor = camera_errors(turned, truth, 8, 6)
    assert position == pytest.approx(0, abs=1e-9)
    assert direction == pytest.approx(2 * np.cos(np.arcsin(truth.rotation[2, 2])), rel=0.01), "about the vertical"
    assert 0.05 < floor < 0.35, "two degrees at two to eight metres"


def test_a_camera_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--seconds", "1", "--camera", "cam9", "--quiet"])
    assert end.value.code == 2
    assert "no camera 'cam9' in the room; give one of cam1, cam2" in capsys.readouterr().err
