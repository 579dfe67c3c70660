"""The search for parameters: it finds what is planted, prunes, keeps, goes on, and leaves sequences out."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from benchmarks import tuning
from benchmarks.metrics import pair_boxes, score_sequences
from benchmarks.mot_challenge import MotSequence
from benchmarks.mot_input import MotTruth
from benchmarks.mot_tracking import Preparation
from benchmarks.tuning import TuningTask, check_metrics, open_study, tune
from benchmarks.tuning_choice import best_candidate, candidates_of, left_out
from benchmarks.tuning_parts import PartCache, figures_of, part_of
from benchmarks.tuning_space import ParameterRange, box_space, defaults_of, restricted, split_values, tracker_space
from tests.benchmarks.test_metrics import LEFT, NONE, TWO_PEOPLE, tracks
from tests.benchmarks.test_mot_scores import detections, truth
from tracker.errors import InputError
from tracker.single_camera import TRACKERS, create_tracker

SCORES = np.linspace(0.05, 0.95, 50)


def task(space: list[ParameterRange] | None = None, names: tuple[str, ...] = ("A", "B", "C")) -> TuningTask:
    truths = []
    for name in names:
        known = truth(frames=8)
        truths.append(MotTruth(MotSequence(name, Path("gt.txt"), frame_rate=10.0), known.tracks, 8))
    space = space or [ParameterRange("minimum_iou", "float", 0.05, 0.95)]
    return TuningTask("sort", space, {}, Preparation(), truths, [detections(known) for known in truths], ("HOTA",), "x")


def planted(monkeypatch: pytest.MonkeyPatch, best: dict[str, float]) -> list[tuple[str, float]]:
    """Let each sequence be best where ``best`` says; return what is evaluated, and count it."""
    calls: list[tuple[str, float]] = []

    def evaluate(known: MotTruth, found: Any, choice: Any, preparation: Any) -> dict[str, Any]:
        name, value = known.sequence.name, choice.parameters["minimum_iou"]
        calls.append((name, value))
        hits = 1000 * (1 - abs(value - best[name]))
        return {
            "HOTA_TP": [hits] * 19, "HOTA_FN": [1000 - hits] * 19, "HOTA_FP": [0] * 19, "AssA": [1.0] * 19,
            "CLR_TP": int(hits), "CLR_FN": 1000 - int(hits), "CLR_FP": 0, "IDSW": 0,
            "IDTP": int(hits), "IDFN": 1000 - int(hits), "IDFP": 0,
        }  # fmt: skip

    monkeypatch.setattr(tuning, "evaluate", evaluate)
    return calls


def test_parts_combine_to_trackevals_figures() -> None:
    switched = tracks(*[(frame, 7 + (frame > 5), LEFT) for frame in range(1, 11)], (3, 1, [500, 500, 510, 520]))
    pairs = {"a": pair_boxes(TWO_PEOPLE, switched), "b": pair_boxes(TWO_PEOPLE, TWO_PEOPLE)}
    rows = score_sequences(pairs, engine="trackeval")["rows"]
    parts = [part_of(paired) for paired in pairs.values()]
    for row, these in zip(rows, ([parts[0]], [parts[1]], parts), strict=True):
        for name, value in figures_of(these).items():
            assert value == pytest.approx(row[name]), name
    empty = figures_of([part_of(pair_boxes(TWO_PEOPLE, NONE))])
    assert (empty["HOTA"], empty["MOTA"], empty["IDF1"], empty["FN"]) == (0, 0, 0, 20)


@pytest.mark.parametrize("name", TRACKERS.names())
def test_the_bounds_of_every_tracker_hold_its_defaults_and_can_be_created(name: str) -> None:
    space = tracker_space(name, SCORES)
    assert len(space) >= 3 and "frame_rate" not in {one.name for one in space}
    values = defaults_of(name, space, Preparation())
    default = create_tracker(name)
    for one in space:
        known = getattr(default, one.name, None)
        if isinstance(known, float) and "confidence" not in one.name:
            assert values[one.name] == pytest.approx(known), one.name
        for end in (one.low, one.high):
            if one.kind != "bool":
                create_tracker(name, **{one.name: one.clipped(end)})


def test_bounds_that_are_given() -> None:
    space = tracker_space("bytetrack", SCORES)
    only = restricted(space, ["lost_track_seconds=0.5:3", "first_match_cost=0.6:0.9"])
    assert [(one.name, one.low, one.high) for one in only] == [
        ("lost_track_seconds", 0.5, 3.0),
        ("first_match_cost", 0.6, 0.9),
    ]
    for wrong, message in (
        ("lost_track_seconds", "NAME=LOW:HIGH"),
        ("speed=1:2", "speed is not one that can be tuned: .*lost_track_seconds"),
        ("lost_track_seconds=3:1", "the lower first"),
        ("lost_track_seconds=a:b", "two numbers"),
    ):
        with pytest.raises(InputError, match=message):
            restricted(space, [wrong])
    with pytest.raises(InputError, match=r"--metric 'HOTTA' is unknown: give HOTA"):
        check_metrics(["HOTTA"])


def test_margins_are_recognised_by_their_values() -> None:
    assert [one.name for one in box_space(SCORES)] == ["boxes.iou"]
    space = box_space(SCORES * 4 - 1)
    assert [one.name for one in space] == ["boxes.iou", "boxes.slope", "boxes.centre"]
    values = {"boxes.iou": 0.5, "boxes.slope": 2.0, "boxes.centre": 0.25, "minimum_iou": 0.2}
    choice, preparation = split_values("sort", values, {"minimum_hits": 2}, Preparation(confidence=-1.0))
    assert choice.parameters == {"minimum_hits": 2, "minimum_iou": 0.2}
    assert preparation == Preparation(-1.0, 0.5, (2.0, 0.25))


def test_everything_of_multicam_that_can_matter_is_searched_and_nothing_else() -> None:
    every = set(inspect.signature(TRACKERS.get("multicam")).parameters)
    never = {"frame_rate", "embeds_detections", "reports_unconfirmed"}
    margins = {"margin_slope", "margin_zero", "margin_suppression_iou"}
    assert {one.name for one in tracker_space("multicam", SCORES)} == every - never - margins
    assert {one.name for one in tracker_space("multicam", SCORES * 4 - 1)} == every - never - {"suppression_iou"}
    # It reads margins itself: made probabilities they would be others than those it was made for.
    assert [one.name for one in box_space(SCORES * 4 - 1, "multicam")] == ["boxes.iou"]
    assert "boxes.slope" in {one.name for one in box_space(SCORES * 4 - 1, "bytetrack")}


def test_the_search_finds_the_optimum_and_prunes(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = planted(monkeypatch, {"A": 0.7, "B": 0.7, "C": 0.7})
    what = task()
    study = open_study(what, None, seed=1)
    told: list[tuple[int, int]] = []
    tune(what, study, PartCache(None), trials=40, workers=1, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (40, 40) and len(told) == 40
    candidates = candidates_of(study, what.names)
    assert candidates[0].values == {"minimum_iou": 0.3}, "the default is the first"
    best = best_candidate(what, candidates, what.names)
    assert best.values["minimum_iou"] == pytest.approx(0.7, abs=0.03)
    pruned = study.get_trials(states=(optuna.trial.TrialState.PRUNED,))
    assert len(pruned) + len(candidates) == 40 and len(pruned) >= 10
    assert len(calls) == 3 * 40 - len(pruned)


def test_leaving_a_sequence_out_uses_what_is_best_on_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    planted(monkeypatch, {"A": 0.2, "B": 0.2, "C": 0.8})
    what = task()
    study = open_study(what, None, seed=0)
    tune(what, study, PartCache(None), trials=30, workers=1)
    chosen = left_out(what, candidates_of(study, what.names))
    assert chosen["C"].values["minimum_iou"] == pytest.approx(0.2, abs=0.08)
    assert figures_of([chosen["C"].parts["C"]])["HOTA"] < 66


def test_a_study_goes_on_and_nothing_is_computed_twice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls = planted(monkeypatch, {"A": 0.5, "B": 0.5, "C": 0.5})
    what, journal, kept = task(), tmp_path / "s" / "study.journal", tmp_path / "parts"
    study = open_study(what, journal, seed=0)
    tune(what, study, PartCache(kept), trials=5, workers=1)
    # As if broken off in the middle of a trial.
    study.ask()
    first = len(calls)
    again = open_study(what, journal, seed=0)
    assert not again.get_trials(states=(optuna.trial.TrialState.RUNNING,))
    tune(what, again, PartCache(kept), trials=8, workers=1)
    assert len(candidates_of(again, what.names)) + len(again.get_trials(states=(optuna.trial.TrialState.PRUNED,))) == 8
    assert first < len(calls) <= first + 3 * 3
    # A new search with the parts of the old one.
    before, cache = len(calls), PartCache(kept)
    other = open_study(what, None, seed=0)
    tune(what, other, cache, trials=5, workers=1)
    assert cache.hits > 0 and len(calls) == before
    with pytest.raises(InputError, match="is of another search: space differs"):
        open_study(task([ParameterRange("minimum_iou", "float", 0.1, 0.5)]), journal, seed=0)
    wrong = tmp_path / "wrong"
    wrong.write_text("no study\n")
    with pytest.raises(InputError, match=r"--study .*wrong"):
        open_study(what, wrong, seed=0)
    with pytest.raises(InputError, match=r"wrong cannot be used"):
        PartCache(wrong)


def test_stopping_begins_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = planted(monkeypatch, {"A": 0.5, "B": 0.5, "C": 0.5})
    what = task()
    study = open_study(what, None, seed=0)
    tune(what, study, PartCache(None), trials=50, workers=1, stopped=lambda: len(calls) >= 6)
    assert len(candidates_of(study, what.names)) == 2


def test_processes_reach_what_one_does() -> None:
    what = task([ParameterRange("minimum_hits", "int", 1, 3)], names=("A", "B"))
    found = []
    for workers in (1, 2):
        study = open_study(what, None, seed=0)
        tune(what, study, PartCache(None), trials=8, workers=workers)
        by_value = {one.values["minimum_hits"]: what.score(list(one.parts.values()))
                    for one in candidates_of(study, what.names)}  # fmt: skip
        found.append(by_value)
    assert found[0][3] == pytest.approx(found[1][3])
    # Whoever waits for three hits reports less of a perfect detector's boxes.
    assert all(found[0][3] <= value for values in found for value in values.values())
