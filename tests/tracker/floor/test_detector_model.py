from __future__ import annotations

import numpy as np
import pytest

from tracker.floor.detector_model import DetectorModel
from tracker.floor.settings import FloorSettings


def test_it_begins_with_the_settings():
    settings = FloorSettings(detection_rate=0.8, false_alarms=0.4)
    model = DetectorModel(settings)
    assert (model.scale, model.rate, model.false_alarms) == (1.0, pytest.approx(0.8), pytest.approx(0.4))


@pytest.mark.parametrize("true_scale", [0.8, 1.0, 1.6])
def test_the_scale_becomes_that_of_the_boxes(true_scale):
    model, generator = DetectorModel(FloorSettings()), np.random.default_rng(0)
    for _ in range(600):
        off = generator.normal(0, true_scale / model.scale, (10, 3))
        model.boxes_were_off((off**2).sum(axis=1))
    assert model.scale == pytest.approx(true_scale, rel=0.08)


def test_rates_follow_and_stay_within_reason():
    model = DetectorModel(FloorSettings())
    for _ in range(1000):
        model.people_were_found(7, 10)
        model.boxes_were_nobody(8, 4)
    assert model.rate == pytest.approx(0.7, abs=0.01)
    assert model.false_alarms == pytest.approx(2.0, abs=0.05)
    for _ in range(3000):
        model.people_were_found(0, 10)
        model.boxes_were_nobody(1000, 1)
    assert model.rate == 0.5 and model.false_alarms == 10.0


def test_it_learns_nothing_when_told_so_or_when_there_is_nothing():
    fixed, model = DetectorModel(FloorSettings(learn_detectors=False)), DetectorModel(FloorSettings())
    fixed.boxes_were_off(np.full(1000, 9.0))
    fixed.people_were_found(0, 1000)
    fixed.boxes_were_nobody(1000, 10)
    model.boxes_were_off(np.zeros(0))
    model.people_were_found(0, 0)
    model.boxes_were_nobody(0, 0)
    assert (fixed.scale, fixed.rate, fixed.false_alarms) == (model.scale, model.rate, model.false_alarms)
