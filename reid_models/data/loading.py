"""Images from disk to batches: decoded once into memory where they fit, augmented by worker processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from reid_models.data.composites import Composites, blend_at_waist, recoloured
from reid_models.data.samplers import BatchPlan, PlannedImage
from reid_models.data.transforms import Augmenter
from reid_models.errors import InputError
from reid_models.preprocessing import resize_crop

__all__ = ["ImageStore", "TrainingImages", "epoch_loader", "read_image"]

#: share of the memory that is free now which decoded images may take
_CACHE_SHARE = 0.4

Progress = Callable[[int], None]


def read_image(path: Path) -> NDArray[np.uint8]:
    """Return an image (H, W, 3) BGR uint8.

    Raises:
        InputError: the file is missing, no image, or cannot be decoded.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise InputError(f"the image {path} cannot be read: {error.strerror or error}") from None
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error:
        image = None
    if image is None:
        raise InputError(f"the image {path} cannot be decoded: mend or remove it, or use --skip-broken")
    return np.asarray(image, np.uint8)


class ImageStore:
    """Images of one size by row number, kept decoded in memory when they fit.

    Args:
        images: N files, or N arrays (H, W, 3) BGR uint8.
        size: (height, width) they are resized to.
        cache: keep them decoded; ``None``: when they take less than two fifths of the free memory.
        composites: M further images, rows N to N + M - 1, made of those when they are asked for.
    """

    def __init__(
        self,
        images: Sequence[Path] | NDArray[np.uint8],
        size: tuple[int, int],
        cache: bool | None = None,
        composites: Composites | None = None,
    ) -> None:
        self._images = images
        self._composites = composites
        self.size = size
        self._pixels: NDArray[np.uint8] | None = None
        wanted = len(images) * size[0] * size[1] * 3
        self.cached = wanted < _CACHE_SHARE * _free_memory() if cache is None else cache

    def __len__(self) -> int:
        return len(self._images) + (0 if self._composites is None else len(self._composites))

    @property
    def files(self) -> int:
        """Number of images N that are not made of others."""
        return len(self._images)

    def load(self, progress: Progress | None = None) -> None:
        """Decode all images into memory if they are to be cached; ``progress`` is told the number done so far."""
        if not self.cached or self._pixels is not None:
            return
        pixels = np.empty((self.files, *self.size, 3), np.uint8)

        def fill(index: int) -> None:
            pixels[index] = self._decode(index)

        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            for done, _ in enumerate(pool.map(fill, range(self.files), chunksize=16), 1):
                if progress is not None:
                    progress(done)
        self._pixels = pixels

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Return image (H, W, 3) BGR uint8.

        Raises:
            InputError: the file is no image that can be decoded.
        """
        if self._composites is not None and index >= self.files:
            upper, lower, waist = self._parts(self._composites, index)
            above, below = self._composites.colours[index - self.files].tolist()
            return blend_at_waist(recoloured(self[upper], *above), recoloured(self[lower], *below), waist)
        if self._pixels is not None:
            return np.asarray(self._pixels[index])
        return self._decode(index)

    def _parts(self, composites: Composites, index: int) -> tuple[int, int, float]:
        place = index - self.files
        return int(composites.upper[place]), int(composites.lower[place]), float(composites.waist[place])

    def name(self, index: int) -> str:
        """Return the file's name, or the number of an image that came from memory."""
        if self._composites is not None and index >= self.files:
            upper, lower, _ = self._parts(self._composites, index)
            return f"{self.name(upper)} above {self.name(lower)}"
        image = self._images[index]
        return image.name if isinstance(image, Path) else f"image {index}"

    def _decode(self, index: int) -> NDArray[np.uint8]:
        image = self._images[index]
        pixels = read_image(image) if isinstance(image, Path) else image
        if pixels.shape[:2] == self.size:
            return pixels
        resized = np.empty((*self.size, 3), np.uint8)
        resize_crop(pixels, resized)
        return resized


def _free_memory() -> int:
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return 4 << 30


class TrainingImages(Dataset[tuple[Tensor, Tensor, list[int]]]):
    """Batches of augmented images by their plan; holds no state, so workers and resumed runs see the same.

    Args:
        store: the images.
        labels: (N,) int64 classes or (N, A) float32 attributes.
        augmenter: what is done to them.
    """

    def __init__(self, store: ImageStore, labels: NDArray[np.generic], augmenter: Augmenter) -> None:
        self.store = store
        self.labels = labels
        self.augmenter = augmenter
        self._rows: NDArray[np.int64] | None = None

    def of_rows(self, rows: NDArray[np.int64], labels: NDArray[np.generic]) -> TrainingImages:
        """Return some of the images, numbered from 0 in the order of ``rows``, with ``labels`` of their own."""
        part = TrainingImages(self.store, self.labels, self.augmenter)
        part.labels = np.empty((len(self.store), *labels.shape[1:]), labels.dtype)
        part.labels[rows] = labels
        part._rows = rows
        return part

    def __getitem__(self, batch: list[PlannedImage]) -> tuple[Tensor, Tensor, list[int]]:
        rows = [planned.row for planned in batch]
        if self._rows is not None:
            rows = self._rows[rows].tolist()
        images = self.augmenter(
            [self.store[row] for row in rows], [(planned.epoch, planned.place) for planned in batch]
        )
        return torch.from_numpy(images), torch.from_numpy(np.ascontiguousarray(self.labels[rows])), rows


def _one_thread(_worker: int) -> None:
    torch.set_num_threads(1)


def epoch_loader(
    images: TrainingImages, plan: BatchPlan, epoch: int, *, workers: int, pin_memory: bool = False
) -> Iterator[tuple[Tensor, Tensor, list[int]]]:
    """Return an epoch's batches: images (B, 3, H, W) float32, labels, and the rows they come from.

    Args:
        images: what batches are made of.
        plan: which images in which batch.
        epoch: from 0.
        workers: processes that prepare batches ahead; 0 prepares each when it is asked for.
        pin_memory: for copies to a GPU.
    """
    loader: DataLoader[tuple[Tensor, Tensor, list[int]]] = DataLoader(
        images,
        sampler=plan.batches(epoch),
        batch_size=None,
        num_workers=workers,
        worker_init_fn=_one_thread,
        pin_memory=pin_memory,
    )
    if not workers:
        return iter(loader)
    threads = cv2.getNumThreads()
    # A forked process has none of its parent's threads: OpenCV's pool in it would wait for them for ever. So the pool
    # is ended before the workers begin, and they inherit that there is none.
    cv2.setNumThreads(0)
    try:
        batches = iter(loader)
    finally:
        cv2.setNumThreads(threads)
    return _with_plain_errors(batches)


def _with_plain_errors(
    batches: Iterator[tuple[Tensor, Tensor, list[int]]],
) -> Iterator[tuple[Tensor, Tensor, list[int]]]:
    """Take the worker's traceback, which PyTorch puts into the message, out of an error made for people."""
    try:
        yield from batches
    except InputError as error:
        raise InputError(str(error).strip().rpartition("InputError: ")[2]) from None
