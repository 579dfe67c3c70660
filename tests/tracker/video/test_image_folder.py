from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.tracker.video.synthetic import number_of, opened, write_images
from tracker.errors import InputError
from tracker.video.image_folder import natural_order

SEQUENCE = "[Sequence]\nname=S\nimDir=img1\nframeRate=20\nseqLength={count}\nimWidth=64\nimHeight=48\nimExt=.jpg\n"


def write_sequence(folder: Path, names: list[str], count: int) -> Path:
    folder.mkdir()
    if names:
        write_images(folder / "img1", names)
    (folder / "seqinfo.ini").write_text(SEQUENCE.format(count=count))
    return folder


def test_images_in_natural_order_at_an_assumed_rate_with_a_warning(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "shots", ["f1.png", "f2.png", "f10.png", "F11.PNG"])
    (folder / "notes.txt").write_text("not an image")
    with opened(folder) as source:
        assert (source.frame_rate, source.size, source.frame_count) == (25.0, (64, 48), 4)
        frames = list(source)
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2, 3]
    assert [frame.time for frame in frames] == pytest.approx([0, 0.04, 0.08, 0.12])
    assert len(source.warnings) == 1 and "25 frames per second assumed" in source.warnings[0]


def test_the_rate_of_the_settings_is_taken(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "shots", ["1.png", "2.png"])
    with opened(folder, frame_rate=4, start_offset=2) as source:
        assert [frame.time for frame in source] == [2.0, 2.25]
    assert source.warnings == []


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=30, unique=True), st.text("abAB-_ ", max_size=4))
def test_natural_order_is_the_order_of_numbers(numbers: list[int], prefix: str) -> None:
    paths = [Path(f"{prefix}{number}x.png") for number in numbers]
    assert sorted(paths, key=natural_order) == [Path(f"{prefix}{number}x.png") for number in sorted(numbers)]


@given(st.lists(st.text(min_size=1, max_size=8).filter(lambda name: "/" not in name and "\0" not in name)))
@example(["a", "a0"])
def test_natural_order_orders_any_names(names: list[str]) -> None:
    sorted((Path(name) for name in names), key=natural_order)


@pytest.mark.parametrize("given_as", ["", "img1", "seqinfo.ini"])
def test_a_motchallenge_sequence(tmp_path: Path, given_as: str) -> None:
    folder = write_sequence(tmp_path / "S", ["000001.jpg", "000002.jpg", "000003.jpg"], 3)
    with opened(folder / given_as) as source:
        assert (source.frame_rate, source.size, source.frame_count) == (20.0, (64, 48), 3)
        frames = list(source)
    assert [(frame.index, frame.time, number_of(frame.image)) for frame in frames] == [
        (0, 0.0, 0),
        (1, 0.05, 1),
        (2, 0.1, 2),
    ]
    assert source.warnings == []


def test_images_of_a_sequence_keep_their_frame_numbers(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "S", ["000011.jpg", "000012.jpg", "000015.jpg"], 20)
    with opened(folder) as source:
        assert [(frame.index, frame.time) for frame in source] == [(10, 0.5), (11, 0.55), (14, 0.7)]
    assert len(source.warnings) == 1 and "3 images of the 20 frames" in source.warnings[0]


@pytest.mark.parametrize("given_as", ["", "seqinfo.ini"])
def test_a_sequence_without_images_suffices_for_precomputed_detections(tmp_path: Path, given_as: str) -> None:
    folder = write_sequence(tmp_path / "S", [], 5)
    with opened(folder / given_as, read_images=False, stride=2) as source:
        assert (source.frame_rate, source.size, source.frame_count) == (10.0, (64, 48), 3)
        assert [(frame.index, frame.time, frame.image) for frame in source] == [
            (0, 0.0, None),
            (2, 0.1, None),
            (4, 0.2, None),
        ]
    with pytest.raises(InputError, match=r"has no images .*precomputed detections"):
        opened(folder / given_as)


def test_img1_without_seqinfo(tmp_path: Path) -> None:
    write_images(tmp_path / "S" / "img1", ["000001.jpg", "000002.jpg"])
    with opened(tmp_path / "S") as source:
        assert len(list(source)) == 2
    assert "assumed" in source.warnings[0]


def test_broken_images_are_left_out_with_one_warning(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = write_images(tmp_path / "shots", [f"{number}.png" for number in range(5)])
    (folder / "0.png").write_bytes(b"")
    (folder / "3.png").write_bytes(b"no image")
    with opened(folder, frame_rate=10) as source:
        frames = list(source)
    assert [frame.index for frame in frames] == [1, 2, 4]
    assert [frame.time for frame in frames] == pytest.approx([0.1, 0.2, 0.4])
    assert len(source.warnings) == 1 and "2 of 5 images could not be decoded" in source.warnings[0]
    assert capfd.readouterr().err == ""


def test_images_of_other_sizes_are_passed_on_as_they_are(tmp_path: Path) -> None:
    import cv2

    folder = write_images(tmp_path / "shots", ["1.png"])
    cv2.imwrite(str(folder / "2.png"), np.zeros((10, 20, 3), np.uint8))
    assert [frame.image.shape for frame in opened(folder)] == [(48, 64, 3), (10, 20, 3)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("frameRate=20", "line 1: not a seqinfo.ini"),
        ("[Other]\na=1", r"no section \[Sequence\]"),
        ("[Sequence]\nframeRate=fast\nseqLength=3", "frameRate=fast is not a positive number"),
        ("[Sequence]\nframeRate=20\nseqLength=-3", "seqLength=-3 is not a positive number"),
        ("[Sequence]\nframeRate=20", "no images and no seqinfo.ini with seqLength"),
    ],
)
def test_a_seqinfo_that_cannot_be_used(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "seqinfo.ini").write_text(text)
    with pytest.raises(InputError, match=words):
        opened(tmp_path, read_images=False)


def test_folders_without_a_picture(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no images"):
        opened(tmp_path)
    (tmp_path / "1.jpg").write_bytes(b"no image")
    with pytest.raises(InputError, match="no image that can be decoded"):
        opened(tmp_path)
