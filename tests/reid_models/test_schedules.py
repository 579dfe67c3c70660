"""Learning rates against what the published schedules gave, epoch for epoch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reid_models.training.schedules import CycleSettings, ScheduleSettings, WarmUp, learning_rate_factor


def rates(settings: ScheduleSettings, lr: float, epochs: int) -> list[float]:
    return [lr * learning_rate_factor(settings, epoch, epochs) for epoch in range(epochs)]


STRONG_BASELINE = ScheduleSettings(milestones=(40, 70), warm_up=WarmUp(epochs=10, start_factor=0.01), first_epoch=1)
MSINET = ScheduleSettings(milestones=(150, 225, 300), warm_up=WarmUp(epochs=10, start_factor=0.01))


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "settings", "lr"),
    [
        ("strong_baseline", STRONG_BASELINE, 3.5e-4),
        ("msinet", MSINET, 0.065),
        ("osnet_x1_0_amsgrad", ScheduleSettings(milestones=(60, 120)), 0.0015),
        ("osnet_x0_5_x0_25_amsgrad", ScheduleSettings(milestones=(80, 160)), 0.003),
        ("osnet_cosine_250", ScheduleSettings(kind="cosine"), 0.0015),
        ("osnet_ain_cosine_100", ScheduleSettings(kind="cosine"), 0.0015),
        ("osnet_scratch_paper_sgd", ScheduleSettings(milestones=(150, 225, 300)), 0.065),
        ("mgn_repositories", ScheduleSettings(milestones=(320, 380), first_epoch=1), 2e-4),
    ],
)
def test_every_epoch_of_the_published_schedule(
    data_root: Path, name: str, settings: ScheduleSettings, lr: float
) -> None:
    published = _published(data_root, name)
    assert rates(settings, lr, len(published)) == pytest.approx(published, rel=1e-6, abs=1e-12)


@pytest.mark.data
def test_steps_then_decaying_cosine_cycles(data_root: Path) -> None:
    """Robust-ReID's whole schedule, sampled in the middle of each epoch of 100 iterations."""
    spec = json.loads((data_root / "fixtures" / "schedules.json").read_text())["schedules"]["kakusikun_robust"]
    settings = ScheduleSettings(
        milestones=(150, 225),
        warm_up=WarmUp(epochs=10, start_factor=0),
        per_iteration=True,
        cycles=CycleSettings(start=350, length=35, decay=0.7),
    )
    ours = [0.03 * learning_rate_factor(settings, epoch + 0.51, 350) for epoch in range(875)]
    published = spec["values_mid_epoch"]
    assert ours[:350] == pytest.approx(published[:350], rel=1e-6)
    assert ours[350:] == pytest.approx(published[350:], rel=1e-3, abs=2e-6)


def test_warm_up_of_the_strong_baselines_paper() -> None:
    """lr(t) = 3.5e-5 · t for the first ten epochs, 3.5e-4 to epoch 40, then a tenth, then a hundredth."""
    settings = ScheduleSettings(milestones=(41, 71), warm_up=WarmUp(epochs=10, start_factor=0), first_epoch=1)
    found = rates(settings, 3.5e-4, 120)
    assert found[:10] == pytest.approx([3.5e-5 * t for t in range(1, 11)])
    assert found[10:40] == pytest.approx([3.5e-4] * 30)
    assert found[40:70] == pytest.approx([3.5e-5] * 30)
    assert found[70:] == pytest.approx([3.5e-6] * 50)


def test_scaling_shortens_everything_alike() -> None:
    whole = ScheduleSettings(
        milestones=(150, 225), warm_up=WarmUp(epochs=10, start_factor=0.1), cycles=CycleSettings(start=300, length=50)
    )
    short = whole.scaled(0.1)
    for time in (0.0, 5, 9, 10, 149, 151, 226, 299, 301, 349, 351, 399):
        assert learning_rate_factor(short, time / 10, 40) == pytest.approx(learning_rate_factor(whole, time, 400))


def test_cosine_begins_at_one_and_ends_at_nothing() -> None:
    settings = ScheduleSettings(kind="cosine")
    assert learning_rate_factor(settings, 0, 10) == 1
    assert learning_rate_factor(settings, 5, 10) == pytest.approx(0.5)
    assert learning_rate_factor(settings, 10, 10) == pytest.approx(0)


def test_a_cycle_falls_from_its_own_peak_to_nothing() -> None:
    settings = ScheduleSettings(cycles=CycleSettings(start=4, length=2, decay=0.5))
    factors = [learning_rate_factor(settings, time, 4) for time in (3.9, 4, 5, 5.999, 6, 7, 7.999, 8)]
    assert factors == pytest.approx([1, 0.5, 0.25, 0, 0.25, 0.125, 0, 0.125], abs=1e-6)


def _published(data_root: Path, name: str) -> list[float]:
    spec: dict[str, Any] = json.loads((data_root / "fixtures" / "schedules.json").read_text())["schedules"][name]
    if "values" in spec:
        return list(spec["values"])
    return [lr for lr, count in spec["runs"] for _ in range(count)]
