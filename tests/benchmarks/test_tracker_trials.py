"""Trackers tried on small folders of sequences: equal sides, parts taken out, settings chosen by other sequences."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import ocsort_differences, peer_trackers, tracker_ablation, tracker_parity
from benchmarks.console import run_command
from benchmarks.kept_scores import KeptScores
from benchmarks.mot_tracking import TrackerChoice, follow, frames_of
from benchmarks.peer_trackers import LIBRARIES, equal_parameters, library_version, peer_tracks
from benchmarks.peers import AssociationSettings
from benchmarks.tracker_trials import GROUPS, Trial, TrialScore, combined, load_trials, score_tracks
from tests.tracker.single_camera.streams import box
from tracker.detections import Detections
from tracker.errors import InputError

FRAMES = 25


def write_sequences(root: Path) -> None:
    """Write every sequence of the groups: three people who walk, found with other scores in each set."""
    rng = np.random.default_rng(0)
    for folder, prefix, detector in (("mot16", "MOT16", "dpm"), ("mot17-frcnn", "MOT17", "frcnn")):
        for name in ("gt", "det-dpm" if detector == "dpm" else "det", "seqinfo"):
            (root / folder / name).mkdir(parents=True, exist_ok=True)
        wanted = {number for group, numbers in GROUPS.values() if group.startswith(prefix) for number in numbers}
        for number in sorted(wanted):
            name = f"{prefix}-{number}" + ("-FRCNN" if detector == "frcnn" else "")
            truth, found = [], []
            for frame in range(1, FRAMES + 1):
                for person in range(3):
                    left, top, right, bottom = box(100 + 150 * person + 3 * frame)
                    truth.append(f"{frame},{person + 1},{left},{top},{right - left},{bottom - top},1,1,1")
                    if rng.random() < 0.9:
                        score = rng.uniform(0.5, 3) if detector == "dpm" else rng.uniform(0.7, 1)
                        left += rng.normal(0, 1)
                        found.append(f"{frame},-1,{left:.2f},{top},{right - left},{bottom - top},{score:.3f},-1,-1,-1")
                found.append(f"{frame},-1,900,{150 + frame},40,100,{-0.4 if detector == 'dpm' else 0.06},-1,-1,-1")
            (root / folder / "gt" / f"{name}.txt").write_text("\n".join(truth))
            place = "det-dpm" if detector == "dpm" else "det"
            (root / folder / place / f"{name}.txt").write_text("\n".join(found))
            info = f"[Sequence]\nname={name}\nframeRate=30\nseqLength={FRAMES}\nimWidth=1000\nimHeight=400\n"
            (root / folder / "seqinfo" / f"{name}.ini").write_text(info)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_sequences(folder)
    return folder


@pytest.fixture(scope="module")
def trials(root: Path) -> list[Trial]:
    return load_trials(root)


def test_sequences_of_both_sets_are_found(trials: list[Trial]) -> None:
    assert [(trial.set_name, trial.number) for trial in trials] == [
        *(("MOT16 DPM", number) for number in ("02", "04", "05", "09", "10", "11", "13")),
        *(("MOT17 FRCNN", number) for number in ("02", "05", "09", "11", "13")),
    ]
    assert trials[0].detections.scores.max() > 1 >= trials[-1].detections.scores.max()


def test_a_missing_set_is_one_line_and_code_2(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for app in (tracker_ablation.app, tracker_parity.app):
        with pytest.raises(SystemExit) as ended:
            run_command(app, ["--root", str(tmp_path)])
        assert ended.value.code == 2
        error = capsys.readouterr().err
        assert error.startswith(f"error: {tmp_path / 'mot16'} is missing") and error.count("\n") == 1


@pytest.mark.parametrize("name", ["bytetrack", "botsort", "ocsort"])
def test_both_sides_find_the_same_people(name: str, trials: list[Trial]) -> None:
    settings = AssociationSettings()
    for trial in (trials[0], trials[-1]):
        found = trial.thinned(tracker_parity.PREPARATIONS[trial.set_name])
        peer = peer_tracks(name, settings, found, trial.truth.length)
        choice = TrackerChoice(name, equal_parameters(name, settings, trial.frame_rate))
        ours = follow(frames_of(found, trial.truth.length), choice.create(trial.frame_rate)).tracks
        figures = [combined([score_tracks(trial, tracks)]) for tracks in (ours, peer)]
        for metric in ("HOTA", "MOTA", "IDF1"):
            assert figures[0][metric] == pytest.approx(figures[1][metric], abs=1.0)
        assert figures[0]["IDF1"] > 80


def test_every_part_can_be_taken_out(trials: list[Trial]) -> None:
    for settings in tracker_ablation.PARTS.values():
        TrackerChoice("multicam", settings).create(30.0)
    whole = combined([tracker_ablation.track_and_score({}, trial) for trial in trials[:2]])
    assert whole["IDF1"] > 85
    hidden = combined([tracker_ablation.track_and_score({"lost_shown_seconds": 0.0}, trial) for trial in trials[:2]])
    assert hidden["Rcll"] < whole["Rcll"]


def test_settings_are_chosen_by_the_other_sequences(trials: list[Trial]) -> None:
    good = [tracker_ablation.track_and_score({}, trial) for trial in trials]
    bad = [tracker_ablation.track_and_score({"confirmation_evidence": 7.9}, trial) for trial in trials]

    def mixed(best_on: str) -> list[TrialScore]:
        return [good[i] if trial.number == best_on else bad[i] for i, trial in enumerate(trials)]

    # one candidate is good on sequence 02 alone, one on 09 alone: neither may choose for its own sequence
    choice = tracker_ablation.left_out_choice(trials, {"a": mixed("02"), "b": mixed("09")})
    assert choice["02"] == "b" and choice["09"] == "a"


def test_kept_scores_are_found_again(trials: list[Trial], tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    score = tracker_ablation.track_and_score({}, trials[0])
    KeptScores(path).keep("first", score)
    again = KeptScores(path)
    found = again.get("first")
    assert found is not None and again.get("second") is None
    assert combined([found, found]) == combined([score, score])
    path.write_text('{"first": 3}')
    with pytest.raises(InputError, match="holds no kept scores"):
        KeptScores(path)


def test_what_is_kept_depends_on_every_setting_that_can_matter(trials: list[Trial]) -> None:
    margins, probabilities = trials[0], trials[-1]
    changed: dict[str, Any] = {"margin_slope": 1.0}
    assert tracker_ablation.described(changed, margins) != tracker_ablation.described({}, margins)
    assert tracker_ablation.described(changed, probabilities) == tracker_ablation.described({}, probabilities)
    # and rightly so
    one, other = (tracker_ablation.track_and_score(settings, probabilities) for settings in ({}, changed))
    assert combined([one]) == combined([other])
    other_weight = tracker_ablation.described({"height_weight": 1.0}, probabilities)
    assert other_weight != tracker_ablation.described({}, probabilities)


def test_ablation_command_goes_on_where_it_was(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trials: list[Trial]
) -> None:
    monkeypatch.setattr(tracker_ablation, "PARTS", {tracker_ablation.WHOLE: {}})
    monkeypatch.setattr(tracker_ablation, "ALTERNATIVES", (("confirmation_evidence", 7.9),))
    arguments = ["--root", str(root), "--output", str(tmp_path), "--scores", str(tmp_path / "kept.json"), "--quiet"]
    run_command(tracker_ablation.app, arguments)
    report = json.loads((tmp_path / "tracker_ablation.json").read_text())
    names = [row["name"] for row in report["rows"][::3]]
    assert names == ["all parts", "the defaults", "confirmation_evidence=7.9", "chosen without the sequence"]
    assert set(report["settings"]["chosen_without"].values()) == {"the defaults"}
    monkeypatch.setattr(tracker_ablation, "track_and_score", lambda *_: pytest.fail("tracked again"))
    run_command(tracker_ablation.app, arguments)
    assert json.loads((tmp_path / "tracker_ablation.json").read_text())["rows"] == report["rows"]


def test_parity_command_writes_both_sides(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker_parity, "TRACKERS", ("sort", "bytetrack"))
    run_command(tracker_parity.app, ["--root", str(root), "--output", str(tmp_path), "--quiet"])
    report = json.loads((tmp_path / "tracker_parity.json").read_text())
    assert [(row["name"], row["implementation"]) for row in report["rows"][::3]] == [
        ("sort", "multicam"),
        ("bytetrack", "multicam"),
        ("bytetrack", "ultralytics"),
    ]
    lines = (tmp_path / "tracker_parity.md").read_text().splitlines()
    assert "(" not in lines[2] and lines[3].count("(") == 9
    assert report["settings"]["libraries"]["ultralytics"].startswith("ultralytics ")


@pytest.mark.parametrize(("library", "package"), [("boxmot", "boxmot"), ("roboflow", "trackers")])
def test_a_library_that_is_not_there_is_one_line(
    library: str, package: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def nothing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(peer_trackers, "version", nothing)
    with pytest.raises(SystemExit) as ended:
        run_command(tracker_parity.app, ["--root", str(root), "--output", str(tmp_path), "--library", library])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and f"install {package} in an environment of its own" in error
    assert not list(tmp_path.iterdir())


def test_unknown_libraries_and_trackers_are_named(trials: list[Trial]) -> None:
    with pytest.raises(InputError, match=r"--library boxmott is unknown: .*boxmot"):
        library_version("boxmott")
    with pytest.raises(InputError, match="ultralytics has no 'sort'"):
        peer_tracks("sort", AssociationSettings(), trials[0].detections, 5)


@pytest.mark.parametrize(("library", "package"), [("boxmot", "boxmot"), ("roboflow", "trackers")])
def test_other_libraries_find_the_same_people(library: str, package: str, trials: list[Trial]) -> None:
    pytest.importorskip(package)
    settings, trial = AssociationSettings(), trials[-1]
    for name in LIBRARIES[library]:
        peer = peer_tracks(name, settings, trial.detections, trial.truth.length, library)
        choice = TrackerChoice(name, equal_parameters(name, settings, trial.frame_rate, library))
        ours = follow(frames_of(trial.detections, trial.truth.length), choice.create(trial.frame_rate)).tracks
        figures = [combined([score_tracks(trial, tracks)]) for tracks in (ours, peer)]
        assert figures[0]["IDF1"] == pytest.approx(figures[1]["IDF1"], abs=6.0), name


def test_differences_of_ocsort_are_shown_step_by_step(root: Path, tmp_path: Path, trials: list[Trial]) -> None:
    run_command(ocsort_differences.app, ["--root", str(root), "--output", str(tmp_path), "--quiet"])
    report = json.loads((tmp_path / "ocsort_differences.json").read_text())
    names = list(dict.fromkeys(row["name"] for row in report["rows"]))
    assert len(names) == len(ocsort_differences.STEPS) + 2 and names[-1].startswith("ultralytics ")
    # nothing taken over: what the registry's own tracker does
    trial = trials[0]
    parameters = equal_parameters("ocsort", AssociationSettings(), trial.frame_rate, "boxmot")
    found = trial.thinned(tracker_parity.PREPARATIONS[trial.set_name])
    plain = TrackerChoice("ocsort", parameters).create(trial.frame_rate)
    mixed = ocsort_differences.MixedOCSort(frozenset(), frame_rate=trial.frame_rate, **parameters)
    expected, made = (follow(frames_of(found, trial.truth.length), one).tracks for one in (plain, mixed))
    np.testing.assert_array_equal(expected.ids, made.ids)
    np.testing.assert_array_equal(expected.boxes, made.boxes)


def test_a_threshold_for_new_tracks_of_its_own(trials: list[Trial]) -> None:
    found = Detections([box(100), box(400)], [0.65, 0.9])
    for threshold, expected in ((None, 2), (0.7, 1)):
        tracker = TrackerChoice("ocsort", {"new_track_confidence": threshold}).create(30.0)
        assert len(tracker.update(found)) == expected


def test_ocsort_reports_what_was_observed_or_what_its_filter_makes_of_it() -> None:
    rng = np.random.default_rng(0)
    spread = {}
    for observed in (True, False):
        tracker = TrackerChoice("ocsort", {"minimum_hits": 0, "reports_observations": observed}).create(30.0)
        shown = []
        for _ in range(60):
            boxes = [np.array(box(100)) + rng.normal(0, 3, 4)]
            shown.append(tracker.update(Detections(boxes, [0.9])).boxes[0])
            if observed:
                np.testing.assert_allclose(shown[-1], boxes[0], rtol=1e-6)
        spread[observed] = np.std(shown[10:], axis=0).mean()
    assert spread[False] < 0.9 * spread[True]
