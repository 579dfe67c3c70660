"""The main job on real video: who walks by is tracked, and identities across cameras are right."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from benchmarks.annotated import read_annotation, score_run
from tests.apps.command import call

pytestmark = pytest.mark.data

DETECTORS = {"yolov8n": "yolov8n_recovered.pt", "yolox": "yolox_nano.onnx"}
EMBEDDER = "osnet_x0_25_msmt17.onnx"
#: counted by eye: six people walk in, one after the other
PEOPLE_WALKING_BY = 6


def track(data_root: Path, output: Path, clips: list[str], detector: str, embedder: str, *options: str) -> dict:
    """Run ``multicam track`` on clips of the test data; return its run.json."""
    weights = data_root / "weights"
    arguments = ["track", *(str(data_root / "data" / "video" / clip) for clip in clips), "--output", str(output)]
    arguments += ["--detector", str(weights / DETECTORS[detector]), "--no-video", *options]
    arguments += ["--embedder", "none" if embedder == "none" else str(weights / EMBEDDER)]
    assert call(*arguments, "--quiet") == 0
    return json.loads((output / "run.json").read_text())


def show(title: str, header: list[str], rows: list[list[object]]) -> None:
    """Print a table that CI's output keeps."""
    table = Table(*header, title=title)
    for row in rows:
        table.add_row(*map(str, row))
    Console(width=110).print(table)


def test_everybody_who_walks_by_gets_one_track(data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    rows: list[list[object]] = []
    for detector in DETECTORS:
        output = tmp_path / detector
        track(data_root, output, ["one-by-one-person-detection.mp4"], detector, EMBEDDER)
        records = json.loads((output / "identities.json").read_text())
        tracks = {record["track"] for identity in records for record in identity["tracks"]}
        rows.append([detector, PEOPLE_WALKING_BY, len(tracks), len(records)])
    with capsys.disabled():
        show("one-by-one clip", ["detector", "people (by eye)", "tracks", "identities"], rows)
    assert all(row[2] == PEOPLE_WALKING_BY for row in rows)
    assert all(row[3] == PEOPLE_WALKING_BY for row in rows)


def test_identities_across_three_views_never_mix_people(
    data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    annotation = read_annotation()
    clips = [f"retail-3cam/cam{number}.mp4" for number in (1, 2, 3)]
    rows: list[list[object]] = []
    scores = {}
    for detector in DETECTORS:
        for embedder in (EMBEDDER, "none"):
            output = tmp_path / f"{detector}-{embedder}"
            run = track(data_root, output, clips, detector, embedder)
            score = scores[detector, embedder] = score_run(output, annotation)
            rows.append(
                [detector, embedder.removesuffix(".onnx"), f"{run['identities']} ({score.identities})",
                 f"{score.people} of {score.annotated_people}", score.mixed, score.split, score.cameras_joined,
                 f"{score.purity:.1f}", f"{score.idf1:.1f}"]
            )  # fmt: skip
    with capsys.disabled():
        show(
            "retail, three views (in brackets: identities with half a second of labelled boxes)",
            ["detector", "embedder", "identities", "people", "mix two", "splits", "several cameras", "purity", "IDF1"],
            rows,
        )
    for detector in DETECTORS:
        with_looks, by_motion = scores[detector, EMBEDDER], scores[detector, "none"]
        assert with_looks.mixed == 0
        assert with_looks.purity >= 99.0
        assert with_looks.cameras_joined >= 2
        assert by_motion.cameras_joined == 0
        assert with_looks.idf1 > by_motion.idf1 + 20


def test_damaged_video_finishes_with_one_warning(data_root: Path, tmp_path: Path) -> None:
    run = track(data_root, tmp_path / "crowd", ["crowd.avi"], "yolox", "none")
    assert run["frames"] == 341
    assert len(run["warnings"]) == 1
    assert "341" in run["warnings"][0] and "682" in run["warnings"][0]
    identities = Counter()
    for line in (tmp_path / "crowd" / "tracks.jsonl").read_text().splitlines():
        row = json.loads(line)
        identities[row["frame"]] += row["identity"] is not None
    assert identities.most_common(1)[0][1] >= 15
