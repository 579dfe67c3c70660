"""``multicam tune`` on made-up sequences, and what reads its file."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
import yaml

from tests.apps.command import Command, assert_one_line, ended, process, read_json
from tests.benchmarks.mot_scene import write_flat, write_lines
from tracker.errors import InputError


@pytest.fixture(autouse=True)
def no_data_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MULTICAM_DATA", raising=False)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_flat(tmp_path_factory.mktemp("flat"), ["MOT16-02", "MOT16-04"])


def test_a_search_writes_what_the_evaluation_reads(multicam: Command, root: Path, tmp_path: Path) -> None:
    output, json, study = tmp_path / "best.yaml", tmp_path / "tune.json", tmp_path / "study"
    arguments = ["tune", "--root", root, "--tracker", "sort", "--trials", 6, "--workers", 1, "-o", output, "--study",
                 study, "--leave-one-out", "--iou", "0.7", "--tracker-option", "minimum_confidence=0.5"]  # fmt: skip
    outcome = multicam(*arguments, "--json", json)
    assert outcome.code == 0, outcome.err
    report = read_json(json)
    assert [(row["name"], row["sequence"]) for row in report["rows"]] == [
        (name, sequence) for name in ("defaults", "in sample", "left out")
        for sequence in (*report["settings"]["sequences"], "combined")
    ]  # fmt: skip
    whole = {row["name"]: row for row in report["rows"] if row["sequence"] == "combined"}
    assert whole["in sample"]["HOTA"] >= max(whole["defaults"]["HOTA"], whole["left out"]["HOTA"])
    assert report["settings"]["evaluations_per_minute"] > 0
    assert f"{whole['left out']['HOTA']:.2f}" in outcome.out
    found = yaml.safe_load(output.read_text())
    assert found["tracker"] == "sort" and found["detections"] == {"iou": 0.7}
    assert found["parameters"]["minimum_confidence"] == 0.5
    assert set(found["parameters"]) == {"minimum_confidence", "minimum_iou", "minimum_hits", "lost_track_seconds"}
    figures = tmp_path / "m.json"
    outcome = multicam("evaluate", "mot16", "--root", root, "--tracker-parameters", output, "--workers", 1, "--json",
                       figures, "-q")  # fmt: skip
    assert outcome.code == 0, outcome.err
    row = next(row for row in read_json(figures)["rows"] if row["sequence"] == "combined")
    assert row["HOTA"] == pytest.approx(whole["in sample"]["HOTA"])
    assert row["MOTA (TrackEval)"] == pytest.approx(whole["in sample"]["MOTA"])
    # Nothing is replaced unless asked for, and a study that is done says the same again at once.
    assert_one_line(multicam(*arguments), "best.yaml exists", "--overwrite")
    before = output.read_text()
    assert multicam(*arguments, "--overwrite", "-q").code == 0
    assert output.read_text() == before
    outcome = multicam(*arguments, "--overwrite", "--metric", "MOTA")
    assert_one_line(outcome, "is of another search: metrics differs")


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (["--tracker", "sorted"], ["unknown tracker 'sorted'"]),
        (["--tracker-option", "speed=1"], ["no parameter 'speed'"]),
        (["--parameter", "speed=1:2"], ["--parameter speed", "lost_track_seconds"]),
        (["--metric", "MOTTA"], ["--metric 'MOTTA'", "HOTA"]),
        (["--trials", "0"], ["--trials is 0"]),
        (["--workers", "0"], ["0 processes"]),
        (["--sequences", "02", "--leave-one-out"], ["--leave-one-out needs two sequences", "MOT16-02"]),
        (["--detections", "nowhere"], ["--detections nowhere"]),
    ],
)
def test_what_cannot_be_is_one_line(multicam: Command, root: Path, tmp_path: Path, arguments, fragments) -> None:
    outcome = multicam("tune", "--root", root, "-o", tmp_path / "best.yaml", *arguments)
    assert_one_line(outcome, *fragments)
    assert list(tmp_path.iterdir()) == []


def test_track_reads_the_file(tmp_path: Path) -> None:
    from apps.tracker_file import tracker_of_run

    path = write_lines(tmp_path / "t.yaml", ["tracker: ocsort", "parameters: {inertia: 0.3}", "detections: {iou: 0.5}"])
    assert tracker_of_run(path, None, {"minimum_hits": 2}, None) == ("ocsort", {"inertia": 0.3, "minimum_hits": 2}, 0.5)
    assert tracker_of_run(path, "ocsort", {"inertia": 0.1}, 0.6) == ("ocsort", {"inertia": 0.1}, 0.6)
    with pytest.raises(InputError, match=r"--tracker sort, but .* is of ocsort"):
        tracker_of_run(path, "sort", {}, None)
    write_lines(path, ["tracker: ocsort", "detections: {margins: [2, 0.5]}"])
    with pytest.raises(InputError, match="prepares scores"):
        tracker_of_run(path, None, {}, None)


def test_track_takes_the_option(multicam: Command, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "t.yaml", ["tracker: sort", "parameters: {speed: 3}"])
    outcome = multicam("track", "nothing.mp4", "-o", tmp_path / "out", "--tracker-parameters", path)
    assert_one_line(outcome, "t.yaml", "no parameter 'speed'")
    write_lines(path, ["tracker: sort"])
    outcome = multicam(
        "track", "nothing.mp4", "-o", tmp_path / "out", "--tracker-parameters", path, "--tracker", "motdt"
    )
    assert_one_line(outcome, "--tracker motdt", "is of sort")


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_search_writes_what_it_found(root: Path, tmp_path: Path, workers: int) -> None:
    output, study = tmp_path / "best.yaml", tmp_path / "study"
    given = ("tune", "--root", root, "--tracker", "sort", "--workers", workers, "--trials", 5000, "-o", output,
             "--study", study)  # fmt: skip
    with ended(process(*given)) as run:
        until = time.monotonic() + 40
        while not study.exists() or study.read_text().count('"op_code":6') < 6:
            assert time.monotonic() < until and run.poll() is None
            time.sleep(0.1)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=30)
    assert run.returncode == 130
    assert "Traceback" not in err and "Interrupted: what was found until then is written" in err
    assert "maximised" in out
    assert output.read_text().startswith("# made by: multicam tune")
