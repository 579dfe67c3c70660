"""Which images make a batch: shuffled (softmax losses) or P identities × K images (metric losses)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reid_models.errors import InputError

__all__ = ["BatchPlan", "IdentityPlan", "PlannedImage", "ShuffledPlan"]


class PlannedImage(NamedTuple):
    """One place of one batch; decides, with the run's seed, everything random about the image in it.

    Args:
        epoch: from 0.
        place: position in the epoch.
        row: of the training set.
    """

    epoch: int
    place: int
    row: int


class BatchPlan:
    """The batches of each epoch, a function of seed and epoch alone: a resumed run repeats nothing and skips nothing.

    Args:
        batch_size: images per batch and process.
        seed: of the order.
        process: which of ``processes`` this is; each gets every ``processes``-th batch, all the same number.
        processes: that train together.
    """

    def __init__(self, batch_size: int, seed: int, process: int = 0, processes: int = 1) -> None:
        self.batch_size = batch_size
        self.seed = seed
        self.process = process
        self.processes = processes

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return the rows of an epoch in order, a multiple of ``batch_size``."""
        raise NotImplementedError

    def batches(self, epoch: int) -> list[list[PlannedImage]]:
        """Return this process' batches of an epoch.

        Raises:
            InputError: there are fewer batches than processes.
        """
        rows = self.order(epoch).tolist()
        count = len(rows) // self.batch_size // self.processes * self.processes
        if not count:
            raise InputError(
                f"the training images fill {len(rows) // self.batch_size} batch(es) of {self.batch_size}, fewer than "
                f"there are processes ({self.processes}): lower the batch size of sampler, or use fewer processes"
            )
        return [
            [
                PlannedImage(epoch, place, rows[place])
                for place in range(number * self.batch_size, (number + 1) * self.batch_size)
            ]
            for number in range(self.process, count, self.processes)
        ]

    def _generator(self, epoch: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, epoch])


class ShuffledPlan(BatchPlan):
    """Every image once per epoch in random order; the last, incomplete batch is dropped.

    Raises:
        InputError: fewer images than fill one batch of every process.
    """

    def __init__(self, images: int, batch_size: int, seed: int, process: int = 0, processes: int = 1) -> None:
        super().__init__(batch_size, seed, process, processes)
        if images < batch_size * processes:
            raise InputError(
                f"{images} training images do not fill {processes} batch(es) of {batch_size}: lower sampler.batch_size"
            )
        self._images = images

    def order(self, epoch: int) -> NDArray[np.int64]:
        rows = self._generator(epoch).permutation(self._images)
        return rows[: len(rows) // self.batch_size * self.batch_size]


class IdentityPlan(BatchPlan):
    """P identities × K images a batch (P×K of the triplet papers).

    Each identity's images are shuffled and dealt in groups of K; an identity with fewer than K is dealt one group with
    repetition. Batches draw P different identities as long as there are P with groups left. In an epoch every
    identity thus shows nearly all its images once, as in the published samplers.

    Args:
        labels: (N,) class of each row.
        identities: P.
        images: K.
        seed: of the order.
        cameras: (N,) camera of each row: a group then takes its K images from as many cameras as it can.
        process: see :class:`BatchPlan`.
        processes: see :class:`BatchPlan`.

    Raises:
        InputError: fewer than P identities.
    """

    def __init__(
        self,
        labels: Sequence[int] | NDArray[np.int64],
        identities: int,
        images: int,
        seed: int,
        *,
        cameras: NDArray[np.int64] | None = None,
        process: int = 0,
        processes: int = 1,
    ) -> None:
        super().__init__(identities * images, seed, process, processes)
        self._identities, self._images = identities, images
        labels = np.asarray(labels)
        order = np.argsort(labels, kind="stable")
        _, starts = np.unique(labels[order], return_index=True)
        self._rows = np.split(order, starts[1:])
        self._cameras = cameras
        if len(self._rows) < identities:
            raise InputError(
                f"{len(self._rows)} training identities do not fill a batch of {identities} × {images}: lower "
                "sampler.identities"
            )

    def order(self, epoch: int) -> NDArray[np.int64]:
        generator = self._generator(epoch)
        groups = [self._deal(rows, generator) for rows in self._rows]
        left = np.array([len(group) for group in groups])
        taken: list[NDArray[np.int64]] = []
        # Identities with the most groups left are drawn with more weight, or the last batches could not be filled.
        while (left > 0).sum() >= self._identities:
            chosen = generator.choice(len(left), self._identities, replace=False, p=left / left.sum())
            for identity in chosen.tolist():
                left[identity] -= 1
                taken.append(groups[identity][left[identity]])
        return np.concatenate(taken)

    def _deal(self, rows: NDArray[np.int64], generator: np.random.Generator) -> list[NDArray[np.int64]]:
        count = self._images
        if len(rows) < count:
            extra = generator.choice(rows, count - len(rows))
            return [generator.permutation(np.concatenate([rows, extra]))]
        shuffled = generator.permutation(rows)
        if self._cameras is not None:
            shuffled = self._by_turns(shuffled)
        return [shuffled[start : start + count] for start in range(0, len(rows) - count + 1, count)]

    def _by_turns(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Order rows so that cameras take turns: neighbours come from different cameras while there are several."""
        assert self._cameras is not None
        cameras = self._cameras[rows]
        turn = np.empty(len(rows), np.int64)
        for camera in np.unique(cameras):
            same = np.flatnonzero(cameras == camera)
            turn[same] = np.arange(len(same))
        result: NDArray[np.int64] = rows[np.argsort(turn, kind="stable")]
        return result
