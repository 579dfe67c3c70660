"""CMC's and WILDTRACK's protocols on small made-up scenes: exact boxes are followed, figures are means over runs."""

from __future__ import annotations

import dataclasses
import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import floor_protocols
from benchmarks.floor_protocols import (
    COMBINED,
    OURS,
    FloorEvaluation,
    FloorRun,
    IdentityChecks,
    evaluate_scenes,
    table_of,
    track_scene,
)
from benchmarks.floor_scenes import (
    FloorScene,
    cmc_folder,
    cmc_scene,
    cmc_sequence_folders,
    oracle_tracks,
    wildtrack_folder,
    wildtrack_scene,
)
from benchmarks.wildtrack import wildtrack
from benchmarks.world_metrics import FloorArea, FloorTracks
from tracker.detections import Detections
from tracker.errors import InputError
from tracker.floor.settings import FloorSettings
from tracker.floor.tracker import FloorPeople, FloorTracker
from tracker.geometry.camera import Camera

SIZE = (1280, 720)
AREA = {"x": [1.0, 7.0], "y": [0.2, 3.2]}
#: two cross the room, in opposite directions; the last stands outside the tracked area and is not in the truth
PEOPLE = ((7, 1.5, 0.9, 0.5), (9, 6.5, 2.5, -0.5), (-1, 0.4, 1.7, 0.0))


def corner_camera(name: str, x: float, y: float) -> Camera:
    """A camera 2.4 m above (x, y) that looks at the middle of the room."""
    place = np.array([x, y, 2.4])
    forward = np.array([3.8, 1.7, 0.8]) - place
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    intrinsics = np.array([[700.0, 0, SIZE[0] / 2], [0, 700.0, SIZE[1] / 2], [0, 0, 1]])
    return Camera(name, *SIZE, intrinsics, np.zeros(5), rotation, -rotation @ place)


CAMERAS = tuple(corner_camera(f"cam{n}", *place) for n, place in enumerate([(0, 0), (7.6, 0), (7.6, 3.4)], start=1))


def walk(frame: int, frame_rate: float) -> list[tuple[int, float, float]]:
    """Who is where: id, x, y."""
    return [(who, x + speed * frame / frame_rate, y) for who, x, y, speed in PEOPLE]


def boxes_in(camera: Camera, people: Sequence[tuple[int, float, float]]) -> list[tuple[int, list[float]]]:
    """Who is in which box ``x1, y1, x2, y2``, cut off by the image's border."""
    boxes = camera.person_box([x for _, x, _ in people], [y for _, _, y in people], 1.75, 0.5)
    shares = camera.visible_share(boxes)
    cut = np.clip(boxes, 0, [*SIZE, *SIZE])
    return [(who, box) for (who, *_), box, share in zip(people, cut.tolist(), shares) if share > 0.5]


def write_cmc(folder: Path, frames: int, *, published: bool = True, truth: bool = True) -> Path:
    """Write a CMC sequence of exact Faster R-CNN boxes; return its folder."""
    (folder / "det").mkdir(parents=True)
    cameras = {
        one.name: {"P": (one.intrinsics @ np.column_stack([one.rotation, one.translation])).tolist()} for one in CAMERAS
    }
    description = {"fps": 4, "frames": frames, "image_size": SIZE, "tracked_area_m": AREA, "cameras": cameras}
    (folder / "cameras.json").write_text(json.dumps(description))
    for camera in CAMERAS:
        lines = [
            f"{frame},-1,{x1:.3f},{y1:.3f},{x2 - x1:.3f},{y2 - y1:.3f},0.9\n"
            for frame in range(1, frames + 1)
            for _, (x1, y1, x2, y2) in boxes_in(camera, walk(frame, 4))
        ]
        (folder / "det" / f"{camera.name}.txt").write_text("".join(lines))
    people = "".join(
        f"{frame},{who},{x:.3f},{y:.3f},0.9\n"
        for frame in range(1, frames + 1)
        for who, x, y in walk(frame, 4)
        if who > 0
    )
    if truth:
        (folder / "gt_world.txt").write_text(people)
    if published:
        (folder / "published_estimates.txt").write_text(people)
    return folder


def write_wildtrack(folder: Path, frames: int, levels: Sequence[str] = ("easy", "medium", "hard")) -> Path:
    """Write a WILDTRACK folder with exact boxes, the same in every level, and false ones of low score."""
    folder.mkdir(parents=True)
    cameras = [
        {"index": n, "name": one.name, "K": one.intrinsics.tolist(), "R": one.rotation.tolist(),
         "t": one.translation.tolist()}
        for n, one in enumerate(CAMERAS)
    ]  # fmt: skip
    description = {"fps": 2, "image_size": SIZE, "area_m": AREA, "cameras": cameras}
    (folder / "cameras.json").write_text(json.dumps(description))
    positions, boxes = ["frame,id,x_m,y_m"], ["frame,cam,x,y,w,h,score,true_id"]
    for frame in range(frames):
        people = walk(frame, 2)
        positions += [f"{frame},{who},{x:.3f},{y:.3f}" for who, x, y in people if who > 0]
        for number, camera in enumerate(CAMERAS):
            boxes.append(f"{frame},{number},{10 + 3 * frame},20,30,40,0.2,-1")
            for who, (x1, y1, x2, y2) in boxes_in(camera, people):
                boxes.append(f"{frame},{number},{x1:.3f},{y1:.3f},{x2 - x1:.3f},{y2 - y1:.3f},0.9,{who}")
    (folder / "positions.csv.gz").write_bytes(gzip.compress("\n".join(positions).encode()))
    for level in levels:
        (folder / f"simulated-{level}.csv.gz").write_bytes(gzip.compress("\n".join(boxes).encode()))
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that has ``cmc`` and ``wildtrack``."""
    root = tmp_path_factory.mktemp("data")
    write_cmc(root / "cmc" / "CMC8", 16)
    write_cmc(root / "cmc" / "CMC9", 5, published=False)
    write_wildtrack(root / "wildtrack", 10)
    return root


@pytest.fixture(scope="module")
def scene(root: Path) -> FloorScene:
    return cmc_scene(root / "cmc" / "CMC8")


def shortened(scene: FloorScene, frames: int) -> FloorScene:
    detections = {name: dict(list(found.items())[:frames]) for name, found in scene.detections.items()}
    return dataclasses.replace(scene, detections=detections)


def by_name(evaluation: FloorEvaluation) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["sequence"], row["name"]): row for row in evaluation.rows}


def test_exact_boxes_of_cmc_are_followed(scene: FloorScene) -> None:
    told: list[tuple[str, int, int]] = []
    evaluation = evaluate_scenes([scene], progress=lambda *step: told.append(step), combine=True)
    rows = by_name(evaluation)
    assert list(rows) == [("CMC8", OURS), ("CMC8", "published estimates")]
    ours, published = rows.values()
    assert ours["GT"] == 2
    for figure in ("MOTA@1m", "IDF1@1m", "MOTA@0.5m", "IDF1@0.5m"):
        assert ours[figure] > 90
    assert ours["MOTP@1m"] < 0.15
    assert (ours["runs"], ours["violations"]) == (1, 0) and ours["frames_per_second"] > 0
    # The published estimates written here are the truth itself.
    assert (published["MOTA@1m"], published["IDF1@0.5m"], published["FP"]) == (100, 100, 0)
    assert set(evaluation.engines) == set(published) - {"name", "sequence"}
    tracks = evaluation.tracks["CMC8"]
    assert scene.area.contains(tracks.positions).all()
    assert told[-2:] == [("scores", 1, 2), ("scores", 2, 2)]
    # Looking and looking again, together as many as there are frames.
    assert told[:-2] == sorted(told[:-2]) and told[-3] == ("CMC8, frames", 16, 16)


def test_a_run_may_be_scored_as_it_was_known_at_each_instant(scene: FloorScene) -> None:
    done: list[float] = []
    online = track_scene(scene, online=True, progress=done.append)
    again = track_scene(scene)
    assert done == list(range(1, 17))
    assert online.violations == again.violations == 0
    assert not np.array_equal(online.tracks.positions, again.tracks.positions)


def test_exact_boxes_of_wildtrack_are_followed(root: Path) -> None:
    scene = wildtrack_scene(wildtrack(wildtrack_folder(root)), "easy")
    assert (scene.name, scene.evaluated, scene.longest_gap) == ("easy", (0, 9), 3)
    rows = by_name(evaluate_scenes([scene], gates=(0.5,)))
    assert rows["easy", OURS]["MOTA@0.5m"] > 90 and rows["easy", OURS]["IDF1@0.5m"] > 90
    assert rows["easy", "oracle identities"]["IDF1@0.5m"] > 95
    assert "MOTA@1m" not in rows["easy", OURS]


def test_a_part_of_wildtrack_and_a_file_that_does_not_say_who(root: Path, tmp_path: Path) -> None:
    data = wildtrack(root / "wildtrack")
    lines = gzip.decompress((data.folder / "simulated-easy.csv.gz").read_bytes()).decode().splitlines()
    (tmp_path / "mine.csv").write_text("\n".join(line.rsplit(",", 1)[0] for line in lines))
    scene = wildtrack_scene(data, tmp_path / "mine.csv", (2, 4))
    assert (scene.name, scene.frames, scene.evaluated) == ("mine", [2, 3, 4], (2, 4))
    assert scene.references == {}
    assert np.unique(scene.truth.frames).tolist() == [2, 3, 4]
    with pytest.raises(InputError, match="frames 2-10 are asked for"):
        wildtrack_scene(data, "easy", (2, 10))


def test_a_run_depends_on_the_noise_alone(scene: FloorScene) -> None:
    short = shortened(scene, 3)
    plain, one, again, other = (track_scene(short, jitter_seed=seed) for seed in (None, 3, 3, 4))
    assert [len(run.tracks) for run in (plain, one, again, other)] == [6] * 4
    np.testing.assert_array_equal(one.tracks.positions, again.tracks.positions)
    for run in (plain, other):
        assert (run.tracks.positions != one.tracks.positions).any()
        np.testing.assert_allclose(run.tracks.positions, one.tracks.positions, atol=0.05)
    assert plain.frames == 3 and plain.seconds > 0


def test_boxes_of_low_score_are_left_out_only_if_asked(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []

    class Counting(FloorTracker):
        def update(self, detections: Any, time: float) -> FloorPeople:
            counts.append(sum(map(len, detections.values())))
            return super().update(detections, time)

    monkeypatch.setattr(floor_protocols, "FloorTracker", Counting)
    short = shortened(wildtrack_scene(wildtrack(root / "wildtrack"), "easy"), 1)
    for settings in (None, FloorSettings(), FloorSettings(confidence=0.5)):
        track_scene(short, settings)
    assert counts[0] == counts[1] == counts[2] + len(CAMERAS)


def at(*rows: tuple[int, int, float, float]) -> FloorTracks:
    frames, ids, x, y = zip(*rows)
    return FloorTracks(frames, ids, np.column_stack([x, y]))


def made_up(name: str, people: int, references: dict[str, FloorTracks]) -> FloorScene:
    """Ten frames in which nobody moves; nobody looks."""
    truth = at(*((frame, who, 2.0 * who, 0.0) for frame in range(10) for who in range(people)))
    nothing = {"cam": {frame: Detections.empty() for frame in range(10)}}
    return FloorScene(name, {}, nothing, truth, FloorArea((-1, 99), (-1, 1)), 4.0, (0, 9), references)


def test_figures_are_means_over_the_runs_and_sums_over_the_scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    first = made_up("A", 2, {"others": made_up("A", 1, {}).truth})
    second = made_up("B", 6, {})
    seeds: list[tuple[str, int | None]] = []

    def fake(scene: FloorScene, settings: Any, *, jitter_seed: int | None, **_: Any) -> FloorRun:
        seeds.append((scene.name, jitter_seed))
        # The second run misses one person of the first scene, and takes a second more.
        missed = scene is first and jitter_seed == 8
        tracks = scene.truth[scene.truth.ids > 0] if missed else scene.truth
        return FloorRun(tracks, 10, 2.0 if missed else 1.0, int(missed))

    monkeypatch.setattr(floor_protocols, "track_scene", fake)
    evaluation = evaluate_scenes([first, second], runs=2, seed=7, combine=True)
    assert seeds == [("A", 7), ("B", 7), ("A", 8), ("B", 8)]
    rows = by_name(evaluation)
    assert list(rows) == [("A", OURS), ("A", "others"), ("B", OURS), (COMBINED, OURS)]
    ours, both = rows["A", OURS], rows[COMBINED, OURS]
    assert (ours["MOTA@1m"], ours["spread"]["MOTA@1m"]) == (75, [50, 100])
    assert (ours["FN"], ours["spread"]["FN"], ours["runs"], ours["violations"]) == (5, [0, 10], 2, 1)
    assert (ours["frames_per_second"], ours["spread"]["frames_per_second"]) == (7.5, [5, 10])
    assert (rows["B", OURS]["MOTA@1m"], rows["B", OURS]["violations"]) == (100, 0)
    # 80 positions, of which the second run misses 10.
    assert (both["MOTA@1m"], both["spread"]["MOTA@1m"]) == (93.75, [87.5, 100])
    assert both["spread"]["frames_per_second"] == pytest.approx([20 / 3, 10])
    assert both["violations"] == 1
    assert rows["A", "others"]["MOTA@1m"] == 50 and "runs" not in rows["A", "others"]
    assert len(evaluation.tracks["A"]) == 20, "those of the first run"
    seeds.clear()
    assert "spread" not in evaluate_scenes([first], runs=1, seed=7).rows[0]
    assert seeds == [("A", None)], "one run takes the boxes as they are"


def test_the_table_has_the_mean_and_below_it_the_lowest_and_the_highest() -> None:
    figures = {f"{name}@{gate}m": 97.25 for gate in ("1", "0.5") for name in ("MOTA", "IDF1", "HOTA")}
    figures |= {"MOTP@1m": 0.1234, "IDSW@1m": 1.5, "FP@1m": 3, "FN@1m": 0, "frames_per_second": 12.0}
    spread = {name: [value, value] for name, value in figures.items()} | {"IDSW@1m": [1, 2]}
    rows = [
        {"name": OURS, "sequence": "CMC1", "runs": 2, "violations": 0, **figures, "spread": spread},
        {"name": "published estimates", "sequence": "CMC1", **figures, "IDSW@1m": 2, "MOTP@1m": None},
    ]
    header, (mean, ends, published) = table_of(rows, (1.0, 0.5))
    assert header[1:7] == ["MOTA@1m", "IDF1@1m", "HOTA@1m", "MOTA@0.5m", "IDF1@0.5m", "HOTA@0.5m"]
    assert header[7:] == ["MOTP m", "IDSW", "FP", "FN", "frames/s", "violations"]
    assert len(mean) == len(ends) == len(published) == len(header)
    assert (mean[0], mean[1], mean[7:]) == ("CMC1, multicam", "97.2", ["0.123", "1.5", "3.0", "0.0", "12.0", "0"])
    assert ends[7:] == ["0.123", "1–2", "3", "0", "12.0", ""]
    assert published[7:9] == ["", "2"]


def people_of(ids: Sequence[int], **rows: Sequence[int]) -> FloorPeople:
    count = len(ids)
    boxes = {name: np.array(values, np.int64) for name, values in rows.items()}
    zeros = np.zeros((count, 2))
    return FloorPeople(
        np.array(ids, np.int64), zeros, zeros, zeros[:, 0], np.zeros((count, 2, 2)), boxes, np.ones(count, bool)
    )


@pytest.mark.parametrize(
    ("instants", "violations"),
    [
        ([people_of([1, 2], a=[0, 1], b=[0, -1]), people_of([1, 2], a=[-1, -1]), people_of([2, 3], a=[1, 0])], 0),
        ([people_of([1, 1], a=[0, 1])], 1),
        ([people_of([1, 2], a=[0, 0], b=[1, 1])], 2),
        ([people_of([1]), people_of([2]), people_of([1, 2]), people_of([1, 2])], 1),
        ([people_of([1]), people_of([]), people_of([1]), people_of([]), people_of([1])], 2),
    ],
    ids=["none", "twice at once", "boxes of two", "came back", "came back twice"],
)
def test_violations_of_identities_are_counted(instants: list[FloorPeople], violations: int) -> None:
    checks = IdentityChecks()
    for people in instants:
        checks.take(people)
    assert checks.violations == violations


def test_perfect_identities_stand_where_their_boxes_do() -> None:
    """Where a person's soles are seen; a gap is filled, and boxes of nobody are left out."""
    cameras = {one.name: one for one in CAMERAS}
    found = {name: dict[int, Detections]() for name in cameras}
    who = {name: dict[int, Any]() for name in cameras}
    for frame in range(8):
        for name, camera in cameras.items():
            people = [] if frame == 4 else [(5, 4.0 + 0.1 * frame, 1.5)]
            boxes = camera.person_box([x for _, x, _ in people], [y for *_, y in people])
            found[name][frame] = Detections([*boxes.tolist(), [10, 20, 40, 90]])
            who[name][frame] = np.array([*(one for one, *_ in people), -1])
    tracks = oracle_tracks(cameras, found, who, longest_gap=2)
    assert tracks.frames.tolist() == list(range(8)) and set(tracks.ids.tolist()) == {5}
    np.testing.assert_allclose(tracks.positions, [[4.0 + 0.1 * frame, 1.5] for frame in range(8)], atol=0.2)
    without = oracle_tracks(cameras, found, who, longest_gap=1)
    assert 4 not in without.frames


@pytest.mark.data
def test_perfect_identities_on_the_real_square(data_root: Path) -> None:
    """The data's README: with oracle identities a simple tracker reaches IDF1 97.3 (easy) on all 400 frames."""
    scene = wildtrack_scene(wildtrack(data_root / "data" / "wildtrack"), "easy")
    (row,) = floor_protocols.score_floor(
        {"easy": (scene.truth, scene.references["oracle identities"])}, gates=(1.0,), frame_ranges={"easy": (0, 239)}
    )["rows"][:1]
    assert row["IDF1@1m"] > 96


def test_where_the_data_may_be(root: Path, tmp_path: Path) -> None:
    for given in (root, root / "cmc"):
        assert cmc_folder(given) == root / "cmc"
    (tmp_path / "data").symlink_to(root)
    assert cmc_folder(tmp_path) == tmp_path / "data" / "cmc"
    assert wildtrack_folder(tmp_path) == tmp_path / "data" / "wildtrack"
    assert [folder.name for folder in cmc_sequence_folders(root)] == ["CMC8", "CMC9"]
    assert [folder.name for folder in cmc_sequence_folders(root, ["CMC9", "CMC9"])] == ["CMC9"]
    with pytest.raises(InputError, match=r"no CMC sequence with its truth .*wildtrack, nor in .*wildtrack/data/cmc"):
        cmc_folder(root / "wildtrack")
    with pytest.raises(InputError, match="no WILDTRACK truth"):
        wildtrack_folder(root / "cmc")
    with pytest.raises(InputError, match=r"no folder .*elsewhere"):
        cmc_folder(tmp_path / "elsewhere")


def test_cameras_without_boxes_are_left_out_with_a_warning(tmp_path: Path) -> None:
    folder = write_cmc(tmp_path / "CMC7", 2)
    (folder / "det-cstrack").mkdir()
    lines = (folder / "det" / "cam2.txt").read_text()
    (folder / "det-cstrack" / "cam2.txt").write_text(lines)
    np.save(folder / "det-cstrack" / "cam2.features_int8.npy", np.ones((len(lines.splitlines()), 4), np.int8))
    with pytest.warns(RuntimeWarning, match="CMC7 has cstrack boxes of cam2 only"):
        scene = cmc_scene(folder, "cstrack")
    assert list(scene.cameras) == ["cam2"]
    with pytest.raises(InputError, match="CMC6 has no ground truth"):
        cmc_scene(write_cmc(tmp_path / "CMC6", 2, truth=False))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gates": (1.0, 0.0)}, "the gate is 0 m; give metres above 0"),
        ({"gates": (float("nan"),)}, "the gate is nan m"),
        ({"gates": ()}, "no gate given"),
        ({"gates": (1.0, 1.0)}, "a gate is twice among 1, 1 m"),
        ({"runs": 0}, "0 runs; give 1"),
        ({"runs": 2, "jitter_pixels": 0.0}, "all the same; give 1 run, or more jitter"),
        ({"runs": 2, "jitter_pixels": -0.1}, "the jitter is -0.1 pixels; give 0 or more"),
        ({"seed": -1}, "the seed is -1"),
    ],
)
def test_what_cannot_be_evaluated(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        evaluate_scenes([made_up("A", 1, {})], **options)


def test_scenes_that_cannot_be_told_apart() -> None:
    with pytest.raises(InputError, match="are called A"):
        evaluate_scenes([made_up("A", 1, {}), made_up("A", 2, {})])
    with pytest.raises(InputError, match="a sequence is called combined"):
        evaluate_scenes([made_up("combined", 1, {})])
    with pytest.raises(InputError, match="no sequence to evaluate"):
        evaluate_scenes([])
