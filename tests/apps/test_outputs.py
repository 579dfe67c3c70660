"""All that one run writes: each file by its own format, and all of them together."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from reid_models.weights_records import RECORDS, SHIPPED
from tests.apps.command import Command, assert_consistent, files_in, read_csv, read_json, read_lines
from tests.apps.conftest import Studio
from tests.apps.scenes import RED_BLUE, Figure, write_scene

RATES = {"corridor": 10.0, "hall": 12.5}
FRAMES = {"corridor": 80, "hall": 100}


def frames_of(path: Path) -> tuple[list[float], list[np.ndarray], str]:
    """Decode a video: times in seconds, pictures (BGR), codec."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoded = list(container.decode(stream))
        times = [frame.time for frame in decoded]
        return times, [frame.to_ndarray(format="bgr24") for frame in decoded], stream.codec_context.name


def image_of(path: Path) -> np.ndarray:
    """Read an image (H, W, 3) BGR."""
    image = cv2.imread(str(path))
    assert image is not None, path
    return image


def test_every_file_is_there_and_they_agree(finished: Path) -> None:
    assert_consistent(finished, ["corridor", "hall"])
    names = [name for name in files_in(finished) if not name.startswith("crops/")]
    assert names == [
        "contact_sheet.jpg", "corridor.mp4", "corridor.txt", "events.jsonl", "hall.mp4", "hall.txt",
        "identities.json", "mosaic.mp4", "run.json", "store.sqlite", "tracks.csv", "tracks.jsonl",
    ]  # fmt: skip
    assert not [path for path in finished.rglob("*") if path.name.startswith(".") or "partial" in path.name]


def test_one_identity_per_person_across_the_cameras(finished: Path, studio: Studio) -> None:
    """Two people walk through both cameras and one through the first only; each box is given to whose it is."""
    rows = read_lines(finished / "tracks.jsonl")
    people: dict[tuple, set[int | None]] = {}
    for row in rows:
        centre = np.array(row["box"]).reshape(2, 2).mean(axis=0)
        distance = {}
        for figure in studio.figures[row["camera"]]:
            box = figure.box(row["frame"] - 1)
            if box is not None:
                distance[figure.clothes] = np.abs(centre - (box[0] + box[2] / 2, box[1] + box[3] / 2)).max()
        assert min(distance.values()) < 3, "a box is where somebody is"
        people.setdefault(min(distance, key=distance.__getitem__), set()).add(row["identity"])
    assert [len(identities) for identities in people.values()] == [1, 1, 1]
    identities = read_json(finished / "identities.json")
    assert [entry["cameras"] for entry in identities] == [["corridor", "hall"], ["corridor", "hall"], ["corridor"]]
    record = read_json(finished / "run.json")
    assert (record["identities"], record["identities_in_several_cameras"]) == (3, 2)


@pytest.mark.parametrize("camera", ["corridor", "hall"])
def test_a_camera_video_plays_in_a_browser_with_every_frame_at_its_time(finished: Path, camera: str) -> None:
    times, pictures, codec = frames_of(finished / f"{camera}.mp4")
    assert codec == "h264"
    assert times == pytest.approx(np.arange(FRAMES[camera]) / RATES[camera], abs=1e-3)
    assert {picture.shape for picture in pictures} == {(144, 192, 3) if camera == "corridor" else (160, 256, 3)}


def test_boxes_are_drawn_where_the_table_has_them(finished: Path, studio: Studio) -> None:
    _, drawn, _ = frames_of(finished / "hall.mp4")
    _, plain, _ = frames_of(studio.hall)
    rows = [row for row in read_lines(finished / "tracks.jsonl") if row["camera"] == "hall"]
    changed = [np.abs(one.astype(int) - other).max(axis=2) > 60 for one, other in zip(drawn, plain, strict=True)]
    frames_with_people = {row["frame"] - 1 for row in rows}
    assert frames_with_people, "somebody is there"
    for index, mask in enumerate(changed):
        if index not in frames_with_people:
            # Trails fade after three seconds; nobody was there before the first box.
            assert index > min(frames_with_people) or not mask.any()
    for row in rows:
        x1, y1, x2, _ = (round(value) for value in row["box"])
        edge = changed[row["frame"] - 1][y1 - 2 : y1 + 4, x1 + 4 : x2 - 4]
        assert edge.any(axis=0).mean() > 0.8, "the upper edge of the box"


def test_trails_are_drawn_only_when_asked_for(
    finished: Path, multicam: Command, studio: Studio, tmp_path: Path
) -> None:
    code = multicam("track", studio.hall, "-o", tmp_path, "--detector", studio.detections, "--quiet").code
    assert code == 0
    _, without, _ = frames_of(tmp_path / "hall.mp4")
    _, trailing, _ = frames_of(finished / "hall.mp4")
    row = next(row for row in read_lines(tmp_path / "tracks.jsonl") if row["frame"] == 55 and row["track"] == 1)
    x1, _, _, y2 = (round(value) for value in row["box"])
    behind = (slice(y2 - 4, y2 + 5), slice(x1 - 30, x1 - 6))
    changed = np.abs(trailing[54][behind].astype(int) - without[54][behind]).max(axis=2) > 25
    assert changed.any(axis=0).mean() > 0.8


def test_the_mosaic_has_one_frame_for_each_instant(finished: Path) -> None:
    times, pictures, codec = frames_of(finished / "mosaic.mp4")
    assert codec == "h264"
    # Two tiles side by side, and no more; the corridor is 4:3, the hall 8:5.
    height, width = pictures[0].shape[:2]
    assert width == 1280 and 1280 / 2 / 1.6 < height < 1280 / 2 / 1.3
    # Every frame of every camera is in one instant; the instants are at most as far apart as the slower one's frames.
    assert max(FRAMES.values()) <= len(times) <= sum(FRAMES.values())
    assert np.diff(times).min() > 0 and np.diff(times).max() <= 1 / 10 + 1e-3
    assert times[-1] == pytest.approx(max(FRAMES[name] / RATES[name] - 1 / RATES[name] for name in RATES), abs=0.11)


def test_tables_have_their_columns_and_all_boxes(finished: Path, studio: Studio) -> None:
    rows = read_lines(finished / "tracks.jsonl")
    assert set(rows[0]) == {"camera", "frame", "time", "identity", "track", "box", "score", "class"}
    header = (finished / "tracks.csv").read_text().splitlines()[0]
    assert header == "camera,frame,time,identity,track,x1,y1,x2,y2,score,class"
    for name, figures in studio.figures.items():
        mine = [row for row in rows if row["camera"] == name]
        assert [row["time"] for row in mine] == pytest.approx([(row["frame"] - 1) / RATES[name] for row in mine])
        shown = sum(figure.box(frame) is not None for figure in figures for frame in range(FRAMES[name]))
        # ByteTrack reports whoever comes later from the second box on.
        assert shown - len(figures) <= len(mine) <= shown
    assert {row["class"] for row in rows} == {0}
    assert len(read_csv(finished / "tracks.csv")) == len(rows)


def test_crops_show_the_people_whose_they_are(finished: Path) -> None:
    rows = {(row["camera"], row["frame"], row["track"]): row for row in read_lines(finished / "tracks.jsonl")}
    crops = sorted((finished / "crops").rglob("*.jpg"))
    identities = read_json(finished / "identities.json")
    assert {int(path.parent.name) for path in crops} == {entry["identity"] for entry in identities}
    for path in crops:
        camera, frame, track = path.stem.rsplit("_", 2)
        row = rows[camera, int(frame), int(track)]
        assert row["identity"] == int(path.parent.name)
        x1, y1, x2, y2 = row["box"]
        image = image_of(path)
        assert image.shape[:2] == pytest.approx((y2 - y1, x2 - x1), abs=2)
    for entry in identities:
        assert (finished / entry["best_crop"]).is_file()
        assert entry["best_crop"].startswith(f"crops/{entry['identity']:04d}/")
    # The first to come wears red over blue.
    image = image_of(finished / identities[0]["best_crop"]).astype(int)
    height, width = image.shape[:2]
    for part, color in zip((image[height // 3, width // 2], image[height * 3 // 4, width // 2]), RED_BLUE, strict=True):
        assert np.abs(part - color).max() < 60


def test_the_contact_sheet_has_a_row_for_each_identity(finished: Path) -> None:
    sheet = image_of(finished / "contact_sheet.jpg")
    assert sheet.shape[0] % len(read_json(finished / "identities.json")) == 0
    assert sheet.shape[0] >= 3 * 100
    assert sheet.std() > 20


def test_the_record_of_the_run(finished: Path, studio: Studio) -> None:
    record = read_json(finished / "run.json")
    assert {"python", "multicam-tracker", "numpy", "av"} <= set(record["versions"])
    assert record["settings"]["sources"] == [str(studio.corridor), str(studio.hall)]
    assert record["settings"]["pipeline"]["identities"]["false_match_rate"] == 0.01
    assert record["seed"] == 0
    assert record["detector"] == studio.detections
    assert record["embedder"].startswith("osnet_x0_25:default (")
    assert record["tracker"] == "bytetrack"
    assert record["identities_across_cameras"] == "attempted"
    assert [(camera["frames"], camera["frame_rate"]) for camera in record["cameras"]] == [(80, 10.0), (100, 12.5)]
    assert record["frames"] == 180
    assert 20 < record["crops_embedded"] <= 180
    threshold = record["threshold"]
    low, high = threshold["interval"]
    assert low <= threshold["threshold"] <= high
    shipped = next(weights for weights in RECORDS if weights.source == SHIPPED)
    assert threshold["default"] == shipped.default_threshold
    assert threshold["confidence"]
    for name in ("detect", "embed", "track", "identify", "write"):
        stage = record["stages"][name]
        assert stage["seconds"] > 0
        assert stage["frames_per_second"] == pytest.approx(180 / stage["seconds"], rel=0.6)
    assert sum(stage["seconds"] for stage in record["stages"].values()) <= record["seconds"] + 0.01
    assert record["frames_per_second"] == pytest.approx(180 / record["seconds"], rel=0.01)
    assert (record["interrupted"], record["failure"], record["warnings"]) == (False, None, [])


def test_nothing_is_written_that_was_not_asked_for(multicam: Command, studio: Studio, tmp_path: Path) -> None:
    outcome = multicam("track", studio.corridor, "-o", tmp_path / "out", "--detector", studio.detections, "--no-video")
    assert outcome.code == 0
    assert list(files_in(tmp_path / "out")) == [
        "corridor.txt", "events.jsonl", "identities.json", "run.json", "store.sqlite", "tracks.csv", "tracks.jsonl",
    ]  # fmt: skip
    assert_consistent(tmp_path / "out", ["corridor"], video=False)
    assert all(entry["best_crop"] is None for entry in read_json(tmp_path / "out" / "identities.json"))


def test_saved_detections_are_those_of_the_detector_and_track_as_well(
    multicam: Command, studio: Studio, finished: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    given = ("track", studio.corridor, studio.hall, "--no-video", "--quiet")
    assert multicam(*given, "-o", first, "--detector", studio.detections, "--save-detections").code == 0
    for name in ("corridor", "hall"):
        saved, known = (
            [[float(field) for field in line.split(",")] for line in path.read_text().splitlines()]
            for path in (first / "detections" / f"{name}.txt", studio.folder / "det" / f"{name}.txt")
        )
        assert len(saved) == len(known) > 50
        assert {line[1] for line in saved} == {-1}
        np.testing.assert_allclose([[line[0], *line[2:7]] for line in saved],
                                   [[line[0], *line[2:7]] for line in known], atol=0.011)  # fmt: skip
    record = read_json(first / "run.json")
    assert {"detections/corridor.txt", "detections/hall.txt"} <= set(record["files"])
    assert multicam(*given, "-o", second, "--detector", f"mot:{first / 'detections'}").code == 0
    assert (second / "tracks.csv").read_text().count("\n") == (first / "tracks.csv").read_text().count("\n")


def test_a_video_in_which_nobody_is_found(multicam: Command, tmp_path: Path) -> None:
    video = write_scene(tmp_path, "empty", [Figure(RED_BLUE, (10, 10), 1.0, 5, 4)], 12)
    outcome = multicam(
        "track", video, "-o", tmp_path / "out", "--detector", f"mot:{tmp_path}/det", "--mosaic", "--save-crops"
    )
    assert outcome.code == 0
    assert_consistent(tmp_path / "out", ["empty"])
    assert (tmp_path / "out" / "tracks.csv").read_text().count("\n") == 1
    assert read_json(tmp_path / "out" / "identities.json") == []
    assert len(frames_of(tmp_path / "out" / "empty.mp4")[0]) == 12
    warnings = read_json(tmp_path / "out" / "run.json")["warnings"]
    assert warnings == [f"{tmp_path / 'det' / 'empty.txt'} is empty: no boxes in any frame"]
    assert f"Warning: {warnings[0]}" in outcome.err.splitlines()


@pytest.mark.parametrize("tracker", ["sort", "deepsort", "bytetrack", "ocsort", "botsort", "motdt"])
def test_every_tracker_by_name(multicam: Command, studio: Studio, tmp_path: Path, tracker: str) -> None:
    outcome = multicam(
        "track", studio.corridor, "-o", tmp_path / "out", "--detector", studio.detections, "--no-video",
        "--tracker", tracker, "--tracker-option", "lost_track_seconds=0.5", "--quiet",
    )  # fmt: skip
    assert outcome.code == 0
    assert_consistent(tmp_path / "out", ["corridor"], video=False)
    record = read_json(tmp_path / "out" / "run.json")
    assert record["tracker"] == tracker
    assert record["settings"]["pipeline"]["tracker_parameters"] == {"lost_track_seconds": 0.5}
    assert record["identities"] == 3
