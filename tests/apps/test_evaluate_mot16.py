"""``multicam evaluate mot16`` on made-up sequences."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from tests.apps.command import Command, assert_one_line, ended, files_in, process, read_json
from tests.apps.test_interrupts import wait_for
from tests.benchmarks.mot_scene import FRAMES, gt_lines, write_flat, write_lines, write_sequence
from tracker.errors import InputError
from tracker.storage.mot_files import read_tracks


@pytest.fixture(autouse=True)
def no_data_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MULTICAM_DATA", raising=False)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sequences in the flat layout, compressed."""
    return write_flat(tmp_path_factory.mktemp("flat"), ["MOT16-02", "MOT16-04"])


def evaluate(multicam: Command, root: Path, *arguments: object):
    return multicam("evaluate", "mot16", "--root", root, "--workers", 1, *arguments)


def test_what_is_printed_and_written(multicam: Command, root: Path, tmp_path: Path) -> None:
    json, report, results = tmp_path / "f" / "mot.json", tmp_path / "report", tmp_path / "results"
    outcome = evaluate(
        multicam, root, "--tracker", "sort", "--tracker", "bytetrack", "--oracle", "--failures", "--json", json,
        "--report", report, "--save-results", results,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    written = read_json(json)
    assert list(written) == ["protocol", "settings", "machine", "rows", "failures"]
    names = ["sort, dpm", "bytetrack, dpm", "oracle, dpm", "oracle with gaps filled, dpm"]
    assert [(row["name"], row["sequence"]) for row in written["rows"]] == [
        (name, sequence) for name in names for sequence in ("MOT16-02", "MOT16-04", "combined")
    ]
    rows = {row["name"]: row for row in written["rows"] if row["sequence"] == "combined"}
    for name in names:
        assert name in outcome.out
        # An oracle's boxes are the detector's own, so even it misses whom the detector missed.
        assert 50 < rows[name]["HOTA"] <= 100
        assert rows[name]["engines"].count("trackeval 1") == 1
        assert f"{rows[name]['HOTA']:.2f}" in outcome.out
    assert rows["oracle, dpm"]["IDSW"] == 0
    assert rows["oracle, dpm"]["FN"] > rows["oracle with gaps filled, dpm"]["FN"]
    assert rows["sort, dpm"]["association_seconds"] > 0
    settings = written["settings"]
    assert settings["sequences"] == ["MOT16-02", "MOT16-04"]
    assert settings["engines"]["MOTA"].startswith("motmetrics")
    assert settings["engines"]["MOTA (TrackEval)"].startswith("trackeval")
    assert settings["rows"]["sort, dpm"]["tracker"] == "sort"
    # The walkers who meet are missed or confused now and then; what is listed names them.
    assert {entry["kind"] for entry in written["failures"]} <= {"switch", "miss"}
    assert written["failures"] and all(entry["truth"] in (1, 2, 3) for entry in written["failures"])
    assert "worst switches and misses" in outcome.out
    details = read_json(report / "report.json")["details"]
    assert set(details["curves"]) == set(details["switches"]) == set(details["trajectories"]) == set(names)
    assert details["lengths"]["MOT16-02"] == {"frames": FRAMES, "frame_rate": 10.0}
    track = details["trajectories"]["oracle with gaps filled, dpm"]["MOT16-02"]
    assert track["image_size"] == [640, 480] and [one["id"] for one in track["tracks"]] == [1, 2, 3]
    assert (report / "report.html").exists() and (report / "report.md").exists()
    assert sorted(files_in(results)) == sorted(
        ["run.json"]
        + [f"{name}/MOT16-0{number}.txt" for name in
           ("sort-dpm", "bytetrack-dpm", "oracle-dpm", "oracle-with-gaps-filled-dpm") for number in (2, 4)]
    )  # fmt: skip
    # What was written can be scored again, and the figures are the same.
    again = tmp_path / "again.json"
    outcome = evaluate(multicam, root, "--results", results / "bytetrack-dpm", "--json", again, "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    for first, second in zip(
        [row for row in written["rows"] if row["name"] == "bytetrack, dpm"], read_json(again)["rows"], strict=True
    ):
        for metric in ("HOTA", "MOTA", "IDF1", "IDSW", "FP", "FN", "MOTA (TrackEval)"):
            assert second[metric] == pytest.approx(first[metric], abs=0.05), metric


def test_processes_change_nothing(multicam: Command, root: Path, tmp_path: Path) -> None:
    found = []
    for workers in (1, 2):
        path = tmp_path / f"{workers}.json"
        outcome = multicam("evaluate", "mot16", "--root", root, "--workers", workers, "--json", path, "-q")
        assert outcome.code == 0, outcome.err
        found.append([
            {name: value for name, value in row.items() if "seconds" not in name and "ms" not in name}
            for row in read_json(path)["rows"]
        ])  # fmt: skip
    assert found[0] == found[1]


def test_parameters_from_a_file_and_boxes_prepared(multicam: Command, root: Path, tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "mine.yaml",
        ["tracker: bytetrack", "parameters: {high_confidence: 0.95, new_track_confidence: 0.96}",
         "detections: {iou: 0.45}"],
    )  # fmt: skip
    json = tmp_path / "m.json"
    arguments = ["--sequences", "02", "--tracker", "bytetrack", "--tracker-parameters", path, "--json", json]
    assert evaluate(multicam, root, *arguments).code == 0
    rows = {row["name"]: row for row in read_json(json)["rows"] if row["sequence"] == "combined"}
    assert list(rows) == ["bytetrack, dpm", "bytetrack mine, dpm"]
    assert rows["bytetrack mine, dpm"]["FN"] > rows["bytetrack, dpm"]["FN"]
    settings = read_json(json)["settings"]["rows"]
    assert settings["bytetrack mine, dpm"]["boxes"] == "NMS 0.45"
    assert settings["bytetrack, dpm"]["boxes"] == "as they are"


def test_images_embedders_and_pictures_of_failures(multicam: Command, tmp_path: Path) -> None:
    write_sequence(tmp_path / "MOT16-02", images=True)
    json, crops = tmp_path / "m.json", tmp_path / "crops"
    outcome = evaluate(
        multicam, tmp_path, "--tracker", "deepsort", "--embedder", "none", "--embedder", "color_histogram",
        "--failures", "--crops", crops, "--json", json,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    rows = {row["name"]: row for row in read_json(json)["rows"] if row["sequence"] == "combined"}
    assert list(rows) == ["deepsort, dpm", "deepsort, dpm, color_histogram"]
    assert rows["deepsort, dpm, color_histogram"]["IDF1"] >= rows["deepsort, dpm"]["IDF1"]
    import cv2

    pictures = [name for name in files_in(crops) if name.endswith(".jpg")]
    assert len(pictures) == len(read_json(json)["failures"]) > 0
    assert all(cv2.imread(str(crops / name)).size > 0 for name in pictures)


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (["--tracker", "bytetracks"], ["unknown tracker 'bytetracks'", "did you mean 'bytetrack'"]),
        (["--tracker-option", "speed=3"], ["no parameter 'speed'"]),
        (["--tracker-option", "frame_rate=3"], ["its own frame rate"]),
        (["--tracker", "all", "--tracker-option", "lost_track_seconds=3"], ["belongs to one --tracker"]),
        (["--sequences", "77"], ["no sequence '77'", "MOT16-02"]),
        (["--detections", "frcnn"], ["--detections frcnn", "MOT16-02", "dpm"]),
        (["--detections", "yolo26n.pt"], ["yolo26n.pt", "needs images", "MOT16-02 has none"]),
        (["--embedder", "osnet_x0_25"], ["--embedder osnet_x0_25 needs images", "leave it out"]),
        (["--margins", "2"], ["--margins is '2'", "2,0.5"]),
        (["--iou", "1.5"], ["--iou is 1.5"]),
        (["--results", "nowhere"], ["--results nowhere is no folder"]),
        (["--results", "nowhere", "--oracle"], ["--oracle and --results", "do not go together"]),
        (["--tracker-parameters", "nowhere.yaml"], ["no such file: nowhere.yaml"]),
        (["--crops", "here"], ["--crops here", "--failures"]),
        (["--workers", "0"], ["0 processes"]),
    ],
)
def test_what_cannot_be_is_one_line(multicam: Command, root: Path, tmp_path: Path, arguments, fragments) -> None:
    outcome = multicam("evaluate", "mot16", "--root", root, "--json", tmp_path / "m.json", *arguments)
    assert_one_line(outcome, *fragments)
    assert list(tmp_path.iterdir()) == []


def test_odd_files_are_refused_or_warned_of(multicam: Command, root: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(root, tmp_path / "data"))
    results = tmp_path / "mine"
    write_lines(results / "MOT16-02.txt", [])
    outcome = evaluate(multicam, data, "--results", results)
    assert_one_line(outcome, "has no MOT16-04.txt", "--sequences")
    outcome = evaluate(multicam, data, "--results", results, "--sequences", "02")
    assert outcome.code == 0 and "is empty: no boxes in any frame" in outcome.err
    lines = [",".join(line.split(",")[:7]) for line in gt_lines(7)]
    write_lines(results / "MOT16-02.txt", [*lines, lines[0]])
    outcome = evaluate(multicam, data, "--results", results, "--sequences", "02", "-q")
    assert_one_line(outcome, "MOT16-02.txt", "id 1 appears 2 times in frame 1")
    shifted = [f"{int(line.split(',')[0]) - 1},{line.partition(',')[2]}" for line in lines]
    write_lines(results / "MOT16-02.txt", shifted)
    json = tmp_path / "m.json"
    outcome = evaluate(multicam, data, "--results", results, "--sequences", "02", "--json", json)
    assert "counts frames from 0" in outcome.err
    assert read_json(json)["rows"][0]["MOTA"] == 100


def test_offline_rows_stand_beside_the_online_ones(multicam: Command, root: Path, tmp_path: Path) -> None:
    """Where nobody was found for a while, offline rows have them; the online ones do not."""
    for path in root.glob("*/det/det.txt"):
        lines = path.read_text().splitlines()
        kept = [line for line in lines if int(line.partition(",")[0]) not in range(6, 9)]
        assert len(kept) < len(lines)
        path.write_text("\n".join(kept) + "\n")
    assert evaluate(multicam, root, "--offline", "--json", tmp_path / "m.json").code == 0
    rows = {row["name"]: row for row in read_json(tmp_path / "m.json")["rows"] if row["sequence"] == "combined"}
    online, offline = rows["bytetrack, dpm"], rows["bytetrack, dpm, offline"]
    assert offline["FN"] < online["FN"] and offline["MOTA"] > online["MOTA"]
    assert online["linking_seconds"] is None and offline["linking_seconds"] > 0


def test_files_of_parameters_say_what_is_wrong(tmp_path: Path) -> None:
    from apps.tracker_file import read_tracker_file, write_tracker_file
    from benchmarks.mot_tracking import Preparation, TrackerChoice

    path = tmp_path / "t.yaml"
    for lines, message in (
        (["parameters: {}"], "tracker: is missing"),
        (["tracker: sort", "parameters: {speed: 3}"], "t.yaml: the tracker 'sort' has no parameter 'speed'"),
        (["tracker: sort", "more: 1"], "t.yaml: more"),
        (["tracker: ["], "is not YAML"),
        (["tracker: sort", "detections: {iou: 3}"], "t.yaml: iou is 3"),
        (["tracker: bytetrack", "parameters: {first_match_cost: 7}"], "first_match_cost"),
    ):
        write_lines(path, lines)
        with pytest.raises(InputError, match=message):
            read_tracker_file(path)
    choice, preparation = TrackerChoice("ocsort", {"lost_track_seconds": 2.5}), Preparation(0.1, 0.5, (2.0, 0.5))
    write_tracker_file(path, choice, preparation, {"set": "MOT16"})
    found = read_tracker_file(path)
    assert (found.choice, found.preparation) == (choice, preparation)
    assert path.read_text().startswith("# set: MOT16\n")


@pytest.mark.data
def test_the_known_figures_of_the_oracle(multicam: Command, data_root: Path, tmp_path: Path) -> None:
    """Perfect identities on DPM's boxes reach MOTA 39.2 and IDF1 56.3 on MOTDT's validation sequences."""
    json, results = tmp_path / "m.json", tmp_path / "results"
    outcome = multicam(
        "evaluate", "mot16", "--root", data_root, "--sequences", "02,05,09,11,13", "--tracker", "sort", "--oracle",
        "--json", json, "--save-results", results, "-q",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    rows = {row["name"]: row for row in read_json(json)["rows"] if row["sequence"] == "combined"}
    oracle = rows["oracle, dpm"]
    assert (round(oracle["MOTA"], 1), round(oracle["IDF1"], 1)) == (39.2, 56.3)
    assert len(read_tracks(results / "oracle-dpm" / "MOT16-09.txt")) > 0
    assert rows["sort, dpm"]["HOTA"] < oracle["HOTA"]


#: says when tracking has begun, and then goes on slowly
SLOW_TRACKING = """
import time
from tracker.single_camera.base import SingleCameraTracker
update, calls = SingleCameraTracker.update, []
def slow(*arguments, **options):
    calls.append(1)
    if len(calls) == 3: print("tracking", flush=True)
    time.sleep(SECONDS if len(calls) > 2 else 0)
    return update(*arguments, **options)
SingleCameraTracker.update = slow
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "terminate"])
def test_an_interrupt_leaves_nothing(root: Path, tmp_path: Path, number: int) -> None:
    given = ("evaluate", "mot16", "--root", root, "--workers", 1, "--json", tmp_path / "m.json", "--save-results",
             tmp_path / "results", "--report", tmp_path / "report")  # fmt: skip
    with ended(process(*given, patch=SLOW_TRACKING.replace("SECONDS", "30"))) as run:
        wait_for(run.stdout, "tracking")
        run.send_signal(number)
        out, err = run.communicate(timeout=30)
    assert run.returncode == 130
    assert err.splitlines()[-1] == "multicam: stopped." and "Traceback" not in err
    assert out == ""
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
