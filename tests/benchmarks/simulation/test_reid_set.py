"""The ReID set: laid out as Market-1501, true to the scenes it was cut from, and never the same people twice."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.simulation.cameras import corner_cameras
from benchmarks.simulation.reid_set import FRAME_RATE, IDENTITIES_FILE, ReidSet, ReidSetSettings, write_reid_set
from benchmarks.simulation.scene import MAXIMUM_AT_ONCE, make_scene
from benchmarks.simulation.seeds import DEMO_SEEDS, TEST_SEEDS, TRAINING_SEEDS, VALIDATION_SEEDS
from benchmarks.simulation.truth import clip_box
from benchmarks.simulation.variation import Sensor, Variation, decoded, encoded, people_of, renderer_of
from benchmarks.simulation.wardrobe import Wardrobe
from reid_models.color_histogram import ColorHistogram
from reid_models.data.market_layout import read_market1501
from reid_models.data.rows import ImageRows
from reid_models.evaluation.ranking import evaluate_ranking
from tracker.errors import InputError

_SIZE = (192, 144)
_SETTINGS = ReidSetSettings(
    images_per_camera=2,
    cameras=3,
    scenes_per_rig=1,
    moments=3,
    spacing_seconds=2.0,
    minimum_height=24,
    box_jitter=0.0,
    variation=Variation(sizes=((160, 120), (192, 144))),
    corner_size=_SIZE,
)
_COUNTS = {"identities": 4, "test_identities": 3, "seed": 3}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> ReidSet:
    folder = tmp_path_factory.mktemp("reid") / "set"
    calls: list[tuple[int, int]] = []
    result = write_reid_set(
        folder, **_COUNTS, settings=_SETTINGS, workers=1, progress=lambda done, total: calls.append((done, total))
    )
    assert calls == [(number, 7) for number in range(1, 8)]
    return result


def _identities(folder: Path) -> list[dict[str, str]]:
    with (folder / IDENTITIES_FILE).open(newline="") as file:
        return list(csv.DictReader(file))


def _images(rows: ImageRows) -> list[np.ndarray]:
    return [cv2.imread(str(path)) for path in rows.paths]


def test_this_projects_market_reader_reads_what_was_written(made: ReidSet) -> None:
    data = read_market1501(made.folder)
    assert (data.train.identities, data.query.identities) == (4, 3)
    assert (len(data.train), len(data.query), len(data.gallery)) == (
        made.training_images,
        made.query_images,
        made.gallery_images,
    )
    assert {path.name for path in made.folder.iterdir()} == {
        "bounding_box_train", "bounding_box_test", "query", IDENTITIES_FILE,
    }  # fmt: skip
    for rows in (data.train, data.query, data.gallery):
        assert all(re.fullmatch(r"\d{4}_c\d+s\d+_\d{6}_\d\d\.jpg", path.name) for path in rows.paths)
        for image in _images(rows):
            assert image.shape[0] >= 24 and image.std() > 3


def test_training_and_test_identities_are_different_people_and_none_is_of_the_demo(made: ReidSet) -> None:
    data = read_market1501(made.folder)
    trained, tested = (set(rows.ids.tolist()) for rows in (data.train, data.gallery))
    assert trained == {1, 2, 3, 4} and tested == {5, 6, 7}
    rows = _identities(made.folder)
    assert [int(row["identity"]) for row in rows] == list(range(1, 8))
    seeds = {part: {int(row["scene_seed"]) for row in rows if row["part"] == part}
             for part in ("bounding_box_train", "bounding_box_test")}  # fmt: skip
    assert seeds["bounding_box_train"] <= set(TRAINING_SEEDS) and seeds["bounding_box_test"] <= set(VALIDATION_SEEDS)
    assert not set.union(*seeds.values()) & {*DEMO_SEEDS, *TEST_SEEDS}
    people = {Wardrobe(int(row["scene_seed"])).person(int(row["person"]) - 1).seed for row in rows}
    demo = {Wardrobe(seed).person(number).seed for seed in DEMO_SEEDS for number in range(20)}
    assert len(people) == 7 and not people & demo


def test_everybody_is_seen_by_several_cameras_and_every_query_has_an_answer(made: ReidSet) -> None:
    data = read_market1501(made.folder)
    for identity in range(1, 5):
        cameras = data.train.cameras[data.train.ids == identity]
        assert len(set(cameras.tolist())) >= 2 and len(cameras) >= 3
    assert data.train.cameras.min() > 4 and set(data.gallery.cameras.tolist()) <= {1, 2, 3, 4}
    pairs = list(zip(data.query.ids.tolist(), data.query.cameras.tolist()))
    assert len(set(pairs)) == len(pairs), "one query of an identity and camera"
    for identity, camera in pairs:
        others = data.gallery.cameras[data.gallery.ids == identity]
        assert (others != camera).any()
    names = {path.name for path in data.query.paths}
    assert not names & {path.name for path in data.gallery.paths}


def test_evaluation_by_the_market_protocol_finds_people_better_than_chance(made: ReidSet) -> None:
    data, embedder = read_market1501(made.folder), ColorHistogram()
    query, gallery = (embedder.embed(_images(rows)) for rows in (data.query, data.gallery))
    result = evaluate_ranking(
        query, data.query.ids, data.query.cameras, gallery, data.gallery.ids, data.gallery.cameras
    )
    assert len(result.queries) == len(data.query)
    blind = evaluate_ranking(
        np.ones_like(query), data.query.ids, data.query.cameras, np.ones_like(gallery), data.gallery.ids,
        data.gallery.cameras,
    )  # fmt: skip
    assert result.mAP > blind.mAP + 0.1


def test_crops_are_what_the_truth_says_of_frames_rendered_again(made: ReidSet) -> None:
    seconds = _SETTINGS.moments * _SETTINGS.spacing_seconds
    people = {int(row["identity"]): row for row in _identities(made.folder)}
    scenes = {}
    compared = 0
    for path in sorted((made.folder / "bounding_box_test").iterdir()):
        identity, camera, frame, person = _parts_of(path)
        row = people[identity]
        assert int(row["person"]) == person
        seed = int(row["scene_seed"])
        if seed not in scenes:
            scene = make_scene(seed=seed, seconds=seconds, people=MAXIMUM_AT_ONCE, at_once=MAXIMUM_AT_ONCE,
                               frame_rate=FRAME_RATE)  # fmt: skip
            scenes[seed] = scene, people_of(scene)
        scene, bodies = scenes[seed]
        view = corner_cameras(scene.room.width, scene.room.depth, size=_SIZE)[camera - 1]
        image, sightings, _ = renderer_of(view, scene.room, bodies).render(seed * 1000 + frame, scene.stances(frame))
        assert image is not None
        seen = next(sighting for sighting in sightings if sighting.identity == person)
        assert seen.visibility >= _SETTINGS.minimum_visibility
        if seen.visibility < 0.75:
            # A detector's box shrinks to what it sees.
            continue
        x1, y1, x2, y2 = (round(side) for side in clip_box(seen.box, _SIZE))
        picture = decoded(Sensor().developed(image, np.random.default_rng(0)))
        assert encoded(picture[y1:y2, x1:x2], _SETTINGS.quality) == path.read_bytes()
        compared += 1
    assert compared >= 5


def _parts_of(path: Path) -> tuple[int, int, int, int]:
    match = re.fullmatch(r"(\d+)_c(\d+)s\d+_(\d+)_(\d+)", path.stem)
    assert match is not None
    identity, camera, frame, person = map(int, match.groups())
    return identity, camera, frame, person


def test_images_of_one_camera_are_seconds_apart(made: ReidSet) -> None:
    frames = defaultdict(list)
    for path in (made.folder / "bounding_box_train").iterdir():
        identity, camera, frame, _ = _parts_of(path)
        frames[identity, camera].append(frame / FRAME_RATE)
    gaps = [np.diff(sorted(times)).min() for times in frames.values() if len(times) > 1]
    assert gaps and min(gaps) >= _SETTINGS.spacing_seconds
    assert max(len(times) for times in frames.values()) <= _SETTINGS.images_per_camera


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_processes(made: ReidSet, tmp_path: Path) -> None:
    counts = {**_COUNTS, "test_identities": 0}
    again = write_reid_set(tmp_path / "again", **counts, settings=_SETTINGS, workers=2)
    contents = [
        {path.name: path.read_bytes() for path in (folder / "bounding_box_train").iterdir()}
        for folder in (made.folder, again.folder)
    ]
    assert contents[0] == contents[1] and len(contents[0]) == made.training_images
    assert not (again.folder / "query").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"identities": -1}, "-1 training identities"),
        ({"identities": 0, "test_identities": 0}, "no identities"),
        ({"seed": 100}, "data set seed 100"),
        ({"workers": 0}, "0 processes"),
    ],
)
def test_senseless_sets_are_refused_before_anything_is_written(
    tmp_path: Path, arguments: dict[str, int], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        write_reid_set(tmp_path / "set", **arguments)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="minimum_visibility 2"):
        ReidSetSettings(minimum_visibility=2)


def test_too_few_people_are_an_error_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the scenes hold only [0-7] test identities"):
        write_reid_set(tmp_path / "set", identities=0, test_identities=9, test_seeds=[0], settings=_SETTINGS, workers=1)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_reid_set(tmp_path / "set", identities=0, test_identities=2, settings=_SETTINGS, workers=1,
                       progress=interrupt)  # fmt: skip
    assert list(tmp_path.iterdir()) == []
