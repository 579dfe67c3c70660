"""Rows that cannot be trained on or ranked, and files that are no whole images."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reid_models.data.broken_images import find_broken_images, image_fault
from reid_models.data.checks import (
    check_evaluation_rows,
    check_training_rows,
    identities_with_few_images,
    queries_without_match,
    without_images,
)
from reid_models.data.datasets import ImageRows, ReidData, read_dataset
from reid_models.errors import InputError
from tests.reid_models.dataset_folders import market_folder


def rows_of(*pairs: tuple[int, int]) -> ImageRows:
    return ImageRows.of((Path(f"{index}.jpg"), *pair) for index, pair in enumerate(pairs))


def test_identities_with_few_images_are_found_and_told() -> None:
    rows = rows_of((3, 1), (3, 2), (5, 1), (9, 1), (9, 1), (9, 1))
    assert identities_with_few_images(rows, 3).tolist() == [3, 5]
    assert check_training_rows(rows, minimum_images=1) == ()
    (warning,) = check_training_rows(rows, minimum_images=3)
    assert warning.startswith("2 of 3 identities have fewer than 3 images (3, 5)")
    with pytest.raises(InputError, match=r"2 of 3 identities have fewer than 3 images \(3, 5\): leave them out"):
        check_training_rows(rows, minimum_images=3, strict=True)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (rows_of(), "there are no training images"),
        (rows_of((1, 1), (0, 1), (-1, 1)), "2 of 3 training images are junk or distractors"),
        (rows_of((4, 1), (4, 2)), "all 2 training images are of one identity"),
    ],
)
def test_rows_that_teach_nothing_are_refused(rows: ImageRows, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_training_rows(rows)


pairs = st.lists(st.tuples(st.integers(-1, 4), st.integers(1, 3)), max_size=12)


@given(pairs, pairs)
def test_queries_without_match_by_the_definition(query: list[tuple[int, int]], gallery: list[tuple[int, int]]) -> None:
    expected = [
        index
        for index, (person, camera) in enumerate(query)
        if person <= 0 or not any(other == person and seen != camera for other, seen in gallery)
    ]
    assert queries_without_match(rows_of(*query), rows_of(*gallery)).tolist() == expected


def test_what_cannot_be_ranked_is_refused() -> None:
    train, person = rows_of(), rows_of((1, 1))
    lone = check_evaluation_rows(ReidData("d", train, rows_of((1, 1), (2, 1), (1, 2)), rows_of((1, 2), (2, 1))))
    assert lone.tolist() == [1, 2]
    for query, gallery, message in (
        (rows_of(), person, "d has no query images"),
        (person, rows_of(), "the gallery of d is empty"),
        (person, rows_of((-1, 1)), "the 1 gallery images of d are all junk"),
        (person, rows_of((1, 1), (2, 2)), "none of the 1 queries of d has a true match"),
    ):
        with pytest.raises(InputError, match=message):
            check_evaluation_rows(ReidData("d", train, query, gallery))


def test_images_are_left_out_by_path() -> None:
    rows = rows_of((1, 1), (2, 2), (3, 3))
    assert without_images(rows, [Path("1.jpg")]).ids.tolist() == [1, 3]
    assert without_images(rows, []).ids.tolist() == [1, 2, 3]


def picture(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (16, 8, 3), np.uint8)
    return cv2.resize(noise, (64, 128), interpolation=cv2.INTER_CUBIC)


def encoded(suffix: str, *parameters: int) -> bytes:
    return cv2.imencode(suffix, picture(), list(parameters))[1].tobytes()


JPEG, PNG, BMP = encoded(".jpg"), encoded(".png"), encoded(".bmp")
PROGRESSIVE = encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 4)
#: a whole small JPEG inside a segment, as cameras store their previews
THUMBNAIL = JPEG[:2] + b"\xff\xe1" + struct.pack(">H", len(JPEG) + 2) + JPEG + JPEG[2:]


@pytest.mark.parametrize(
    "data",
    [JPEG, PROGRESSIVE, THUMBNAIL, JPEG + b"\x00" * 40, JPEG + JPEG[:100], PNG, PNG + b"tail", BMP],
    ids=["jpeg", "progressive", "thumbnail", "padded", "trailing", "png", "png-trailing", "bmp"],
)
def test_whole_images_pass(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(data)
    assert image_fault(tmp_path / "image") is None and find_broken_images([tmp_path / "image"]) == []


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "is empty"),
        (b"this is no image at all", "is not an image"),
        (JPEG[:2] + JPEG[-2:], "has no picture data"),
        (JPEG[: len(JPEG) // 2], "is cut short"),
        (JPEG[:-2], "is cut short"),
        (JPEG[: len(JPEG) // 2] + bytes(len(JPEG) // 2), "is cut short"),
        (PROGRESSIVE[: len(PROGRESSIVE) // 2], "is cut short"),
        (THUMBNAIL[:-2], "is cut short"),
        (THUMBNAIL[: len(JPEG) + 200], "is cut short"),
        (PNG[: len(PNG) // 2], "is cut short"),
        (PNG[:-12], "is cut short"),
        (PNG[:400] + bytes([PNG[400] ^ 1]) + PNG[401:], "checksum of PNG chunk 'IDAT'"),
        (BMP[:-1], "is cut short"),
        (BMP[:30], "is cut short"),
    ],
)
def test_broken_images_are_named(data: bytes, fault: str, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.jpg", tmp_path / "bad.jpg"
    good.write_bytes(JPEG)
    bad.write_bytes(data)
    (found,) = find_broken_images([good, bad, good])
    assert found.path == bad and fault in found.fault


@pytest.mark.parametrize("size", range(2, len(JPEG), 211))
def test_no_jpeg_cut_anywhere_passes(size: int, tmp_path: Path) -> None:
    (tmp_path / "cut.jpg").write_bytes(JPEG[:size])
    assert image_fault(tmp_path / "cut.jpg") is not None


def test_damage_that_only_the_decoder_sees_is_found(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    start = JPEG.index(b"\xff\xda") + 400
    noise = np.random.default_rng(1).integers(0, 255, 300, np.uint8).tobytes()  # no 255: no markers
    paths = [tmp_path / f"{number}.jpg" for number in range(6)]
    for path in paths:
        path.write_bytes(JPEG)
    paths[3].write_bytes(JPEG[:start] + noise + JPEG[start + 300 :])
    assert image_fault(paths[3]) is None  # OpenCV decodes it without a word to the caller
    capfd.readouterr()
    (found,) = find_broken_images(paths)
    assert found.path == paths[3] and "Corrupt JPEG data" in found.fault
    assert capfd.readouterr().err == ""


def test_what_others_write_meanwhile_is_not_lost(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good.jpg").write_bytes(JPEG)
    find_broken_images([tmp_path / "good.jpg"], lambda *_: os.write(2, b"from elsewhere\n") and None)
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "from elsewhere\nafterwards\n"


def test_progress_and_missing_files(tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(PNG)
    calls: list[tuple[int, int]] = []
    found = find_broken_images(
        [tmp_path / "good.png"] * 300 + [tmp_path / "gone.png"], lambda *call: calls.append(call), threads=2
    )
    assert [broken.path.name for broken in found] == ["gone.png"] and "cannot be read" in found[0].fault
    assert calls[-1] == (301, 301) and calls == sorted(calls)
    assert find_broken_images([]) == []


def test_broken_images_are_dropped_from_rows(tmp_path: Path) -> None:
    root = market_folder(tmp_path)
    for path in root.rglob("*.jpg"):
        path.write_bytes(JPEG)
    (root / "bounding_box_train" / "0007_c2s1_000003_00.jpg").write_bytes(JPEG[:500])
    train = read_dataset("folder", root).train
    kept = without_images(train, [broken.path for broken in find_broken_images(train.paths)])
    assert kept.ids.tolist() == [2]


@pytest.mark.data
def test_real_images_are_whole(data_root: Path) -> None:
    data = read_dataset("cuhk01", data_root / "data" / "reid")
    assert find_broken_images(data.train.paths[:300] + data.query.paths) == []
