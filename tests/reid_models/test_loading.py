"""Images from disk to batches: what is decoded, kept, and handed on by any number of worker processes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from reid_models.data import loading
from reid_models.data.loading import ImageStore, TrainingImages, epoch_loader, read_image
from reid_models.data.samplers import ShuffledPlan
from reid_models.data.transforms import AugmentationSettings, Augmenter, Erasing
from reid_models.errors import InputError
from reid_models.preprocessing import normalize, resize_crop
from reid_models.records import EmbeddingRecord

RECORD = EmbeddingRecord(input_size=(16, 8))


def made_up(count: int, height: int = 16, width: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, ...]:
    """Six images of different sizes."""
    paths = tuple(tmp_path / f"{index}.png" for index in range(6))
    for index, path in enumerate(paths):
        cv2.imwrite(str(path), made_up(1, 20 + 3 * index, 10 + 2 * index)[0])
    return paths


def test_an_image_is_blue_green_red(tmp_path: Path) -> None:
    image = made_up(1)[0]
    path = tmp_path / "bild ä.png"
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    assert np.array_equal(read_image(path), image)
    cv2.imwrite(str(tmp_path / "grey.png"), image[..., 0])
    assert np.array_equal(read_image(tmp_path / "grey.png"), image[..., :1].repeat(3, axis=2))


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n", None])
def test_what_is_no_image_is_told(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.jpg"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(InputError, match=r"the image .*bad\.jpg cannot be (decoded: mend|read: Is a directory)"):
        read_image(path)
    with pytest.raises(InputError, match=r"none\.jpg cannot be read: No such file"):
        read_image(tmp_path / "none.jpg")


@pytest.mark.parametrize("cache", [True, False])
def test_a_store_resizes_as_inference_does(files: tuple[Path, ...], cache: bool) -> None:
    store = ImageStore(files, (16, 8), cache)
    done: list[int] = []
    store.load(done.append)
    assert done == ([1, 2, 3, 4, 5, 6] if cache else []) and len(store) == 6
    for index in (3, 0, 5):
        expected = np.empty((16, 8, 3), np.uint8)
        resize_crop(read_image(files[index]), expected)
        assert np.array_equal(store[index], expected)
        files[index].unlink()
    if cache:
        assert store[3].shape == (16, 8, 3)
        store.load(done.append)
        assert len(done) == 6
    else:
        with pytest.raises(InputError, match=r"3\.png cannot be read"):
            store[3]
    assert store.name(3) == "3.png"


def test_arrays_of_the_right_size_are_taken_as_they_are() -> None:
    images = made_up(3)
    for cache in (True, False):
        store = ImageStore(images, (16, 8), cache)
        store.load()
        assert all(np.array_equal(store[index], images[index]) for index in range(3))
    assert store.name(2) == "image 2"
    assert ImageStore(images, (32, 16), False)[1].shape == (32, 16, 3)


def test_a_broken_image_is_told_while_decoding(files: tuple[Path, ...]) -> None:
    files[4].write_bytes(b"no image")
    with pytest.raises(InputError, match=r"4\.png cannot be decoded: mend or remove it, or use --skip-broken"):
        ImageStore(files, (16, 8), True).load()


def test_images_are_kept_when_they_take_less_than_two_fifths_of_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = 10 * 16 * 8 * 3
    for free, kept in ((needed / 0.4 + 5, True), (needed / 0.4 - 5, False)):
        monkeypatch.setattr(loading, "_free_memory", lambda free=free: free)
        assert ImageStore(made_up(10), (16, 8)).cached is kept
    assert ImageStore(made_up(10), (16, 8), True).cached


def batches_by(workers: int, epoch: int = 1, erase: bool = True) -> list[tuple[torch.Tensor, torch.Tensor, list[int]]]:
    settings = AugmentationSettings(erasing=Erasing() if erase else None, flip=0.5 if erase else 0)
    store = ImageStore(made_up(13), (16, 8), True)
    store.load()
    images = TrainingImages(store, np.arange(13) // 2, Augmenter(settings, RECORD, seed=4))
    return list(epoch_loader(images, ShuffledPlan(13, 4, seed=4), epoch, workers=workers))


def test_batches_follow_the_plan() -> None:
    images = made_up(13)
    batches = batches_by(0, erase=False)
    assert [rows for _, _, rows in batches] == ShuffledPlan(13, 4, seed=4).order(1).reshape(3, 4).tolist()
    for pixels, labels, rows in batches:
        expected = normalize(images[rows], RECORD, np.empty((4, 3, 16, 8), np.float32))
        assert torch.equal(pixels, torch.from_numpy(expected))
        assert labels.dtype == torch.int64 and labels.tolist() == [row // 2 for row in rows]


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_make_the_same_batches(workers: int) -> None:
    alone, helped = batches_by(0), batches_by(workers)
    assert len(alone) == len(helped) == 3
    for (ours, our_labels, our_rows), (theirs, their_labels, their_rows) in zip(alone, helped, strict=True):
        assert torch.equal(ours, theirs) and torch.equal(our_labels, their_labels) and our_rows == their_rows
    assert not torch.equal(alone[0][0], batches_by(0, epoch=2)[0][0])


def test_attributes_come_as_floats() -> None:
    labels = np.eye(4, 3, dtype=np.float32)
    images = TrainingImages(
        ImageStore(made_up(4), (16, 8), False), labels, Augmenter(AugmentationSettings(), RECORD, 0)
    )
    ((_, batch, rows),) = epoch_loader(images, ShuffledPlan(4, 4, seed=0), 0, workers=0)
    assert batch.dtype == torch.float32 and torch.equal(batch, torch.from_numpy(labels[rows]))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_vanishes_while_training_is_told_in_one_line(files: tuple[Path, ...], workers: int) -> None:
    images = TrainingImages(
        ImageStore(files, (16, 8), False), np.arange(6), Augmenter(AugmentationSettings(), RECORD, 0)
    )
    files[2].unlink()
    with pytest.raises(InputError) as caught:
        list(epoch_loader(images, ShuffledPlan(6, 3, seed=0), 0, workers=workers))
    assert str(caught.value) == f"the image {files[2]} cannot be read: No such file or directory"
