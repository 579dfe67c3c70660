from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tracker.video import text as text_module
from tracker.video.drawing import Annotator, identity_color, mosaic
from tracker.video.mosaic import format_time


def grey(height: int = 240, width: int = 320, level: int = 90) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def has_color(image: np.ndarray, color: tuple[int, int, int]) -> bool:
    return bool((image == np.array(color, np.uint8)).all(axis=2).any())


def lab(identity: int) -> np.ndarray:
    return cv2.cvtColor(np.array([[identity_color(identity)]], np.float32) / 255, cv2.COLOR_BGR2LAB)[0, 0]


def test_colours_are_fixed_readable_and_apart() -> None:
    assert identity_color(7) == identity_color(7) and isinstance(identity_color(7)[0], int)
    assert identity_color(0) == identity_color(-1) == (170, 170, 170)
    colors = np.array([lab(identity) for identity in range(1, 201)])
    assert colors[:, 0].min() > 45, "bright enough on dark video"
    first = np.linalg.norm(colors[:12, None] - colors[None, :12], axis=2) + 1e3 * np.eye(12)
    assert first.min() > 20, "a dozen people are told apart at a glance"
    near = [np.linalg.norm(colors[i] - colors[j]) for i in range(200) for j in range(i + 1, min(i + 6, 200))]
    assert min(near) > 20, "and so are numbers near each other"
    assert np.linalg.norm(colors - lab(0), axis=1).min() > 20, "nobody looks like the unidentified"


@pytest.mark.parametrize("height", [360, 1080, 2160])
def test_a_box_is_drawn_in_the_colour_of_its_identity_and_nothing_else_changes(height: int) -> None:
    image = grey(height, 2 * height)
    x1, y1, x2, y2 = height // 4, height // 3, height // 2, height // 3 * 2
    before = image.copy()
    result = Annotator().draw(image, [[x1, y1, x2, y2]], [5], [""])
    assert np.array_equal(image, before), "the image given stays as it is"
    color = identity_color(5)
    for x, y in ((x1, (y1 + y2) // 2), (x2, (y1 + y2) // 2), ((x1 + x2) // 2, y1), ((x1 + x2) // 2, y2)):
        assert tuple(result[y, x]) == color
    thickness = int((result[(y1 + y2) // 2, : (x1 + x2) // 2] == color).all(axis=1).sum())
    assert height / 360 <= thickness <= max(2 * height / 360, 4), "lines grow with the image"
    changed = (result != image).any(axis=2)
    margin = height // 100 + 2
    changed[y1 - margin : y2 + margin + 1, x1 - margin : x2 + margin + 1] = False
    assert not changed.any()
    inside = result[y1 + margin : y2 - margin, x1 + margin : x2 - margin]
    assert np.array_equal(inside, image[y1 + margin : y2 - margin, x1 + margin : x2 - margin])


def test_an_empty_frame_is_a_copy() -> None:
    image = grey()
    result = Annotator().draw(image, np.zeros((0, 4), np.float32), np.zeros(0, np.int64), [])
    assert np.array_equal(result, image) and not np.shares_memory(result, image)


def tag_of(result: np.ndarray, identity: int) -> tuple[int, int, int, int]:
    """The rectangle that the filled tag of an identity takes: where most of a neighbourhood has its colour."""
    mask = (result == np.array(identity_color(identity), np.uint8)).all(axis=2).astype(np.uint8)
    filled = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((8, 5), np.uint8))
    rows, columns = np.nonzero(filled)
    return columns.min(), rows.min(), columns.max(), rows.max()


@given(
    st.lists(st.tuples(st.integers(-60, 330), st.integers(-60, 250)), min_size=1, max_size=6),
    st.sampled_from(["8", "12  0.87", "person 3"]),
)
@example([(0, 0), (0, 0), (0, 2)], "12  0.87")
@settings(max_examples=30, deadline=None)
def test_anything_may_be_drawn_and_tags_stay_inside(corners: list[tuple[int, int]], label: str) -> None:
    boxes = [[x, y, x + 60, y + 90] for x, y in corners]
    identities = list(range(1, len(boxes) + 1))
    result = Annotator().draw(grey(), boxes, identities, [label] * len(boxes))
    lowest = max(range(len(boxes)), key=lambda row: (boxes[row][3], row))
    x1, y1, x2, y2 = boxes[lowest]
    if x2 > 0 and y2 > 0 and x1 < 320 and y1 < 240:
        left, top, right, bottom = tag_of(result, identities[lowest])
        assert bottom - top >= 10 and right - left >= 12, "the tag of the nearest person is whole"


def test_tags_of_people_close_together_do_not_hide_each_other() -> None:
    boxes = [[100, 100, 140, 200], [104, 102, 144, 202], [98, 99, 138, 199]]
    result = Annotator().draw(grey(), boxes, [1, 2, 3], ["1  0.90", "2  0.80", "3  0.70"])
    tags = [tag_of(result, identity) for identity in (1, 2, 3)]
    for one in range(3):
        for other in range(one):
            a, b = tags[one], tags[other]
            wide = min(a[2], b[2]) - max(a[0], b[0])
            high = min(a[3], b[3]) - max(a[1], b[1])
            assert wide <= 0 or high <= 0


def test_the_text_of_a_tag_reads_on_its_colour() -> None:
    for identity in range(1, 30):
        result = Annotator().draw(grey(720, 1280), [[300, 300, 400, 500]], [identity], ["HHHHH"])
        left, top, right, bottom = tag_of(result, identity)
        tag = cv2.cvtColor(result[top:bottom, left:right], cv2.COLOR_BGR2GRAY).astype(int)
        background = int(cv2.cvtColor(np.uint8([[identity_color(identity)]]), cv2.COLOR_BGR2GRAY)[0, 0])
        assert np.abs(tag - background).max() > 90
        assert 0.05 < (np.abs(tag - background) > 60).mean() < 0.6


def test_trails_fade_towards_the_past() -> None:
    image = grey(360, 640)
    points = np.stack([np.arange(50, 550, 10), np.full(50, 200)], axis=1)
    result = Annotator().draw(image, np.zeros((0, 4)), [], [], trails={4: points, 9: points[:1]})
    strength = np.abs(result[200].astype(int) - 90).sum(axis=1)
    assert 0 < strength[70] < strength[300] < strength[530]
    assert np.array_equal(result[:190], image[:190]) and np.array_equal(result[210:], image[210:])


def test_old_opencv_writes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "_font", lambda: None)
    result = Annotator().draw(grey(720, 1280), [[300, 300, 400, 500]], [3], ["3 · 0.90"])
    left, top, right, bottom = tag_of(result, 3)
    assert right - left > 40
    assert not (result[top:bottom, left:right] == identity_color(3)).all()


def test_the_mosaic_shows_every_camera_where_it_belongs() -> None:
    images = [grey(level=60), grey(120, 80, level=120), grey(level=180), grey(level=240)]
    picture = mosaic(images, ["a", "b", "c", "d"], time=3.0, size=(640, 480))
    assert picture.shape == (480, 640, 3)
    middles = [picture[y, x] for y in (150, 390) for x in (160, 480)]
    assert [int(middle[0]) for middle in middles] == [60, 120, 180, 240]
    # The second picture is narrow: dark on both sides.
    assert picture[180, 340].max() < 40 and picture[180, 620].max() < 40


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 7, 16, 40])
def test_any_number_of_cameras(count: int) -> None:
    picture = mosaic([grey(90, 160, 200)] * count, [f"camera {number}" for number in range(count)])
    assert picture.shape == (720, 1280, 3)
    share = (picture == 200).all(axis=2).mean()
    assert share > 0.45 if count else share == 0


def test_a_camera_without_a_current_picture_is_greyed_out_and_says_why() -> None:
    red = np.zeros((180, 320, 3), np.uint8)
    red[:] = (30, 30, 230)
    running = mosaic([red], ["a"], time=1.0, size=(640, 360))
    ended = mosaic([red], ["a"], time=1.0, states=["ended"], size=(640, 360))
    assert tuple(running[300, 320]) == (30, 30, 230)
    assert np.ptp(ended[300, 320].astype(int)) == 0 and ended[300, 320].max() < 60
    middle = (slice(160, 200), slice(260, 380))
    assert running[middle].reshape(-1, 3).std(axis=0).max() == 0
    assert ended[middle].max() > 200, "the word stands in the middle"
    nothing = mosaic([None], ["a"], time=1.0, size=(640, 360))
    assert nothing[middle].max() > 200
    assert not np.array_equal(nothing[middle], ended[middle])


def test_names_and_times_are_written() -> None:
    plain = mosaic([grey(360, 640)], ["a"], size=(640, 360))
    timed = mosaic([grey(360, 640)], ["a"], time=5.0, size=(640, 360))
    other = mosaic([grey(360, 640)], ["b"], size=(640, 360))
    assert (plain != timed).any(axis=2)[:40, 500:].any() and not (plain != timed).any(axis=2)[:, :320].any()
    assert (plain != other).any(axis=2)[:40, :60].any()


def test_how_times_are_written() -> None:
    assert [format_time(seconds) for seconds in (0, 9.96, 75.26, 3599.96, 3725.5, -1.5)] == [
        "0:00.0",
        "0:10.0",
        "1:15.3",
        "1:00:00.0",
        "1:02:05.5",
        "-0:01.5",
    ]
