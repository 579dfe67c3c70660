"""CIFAR-10 and CIFAR-100: Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009."""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_models.data.folders import find_data_folder
from reid_models.errors import InputError

__all__ = ["ClassData", "ClassRows", "read_cifar10", "read_cifar100"]

_SIDE = 32
#: all that a pickled array is rebuilt with; anything else a file asks for is refused
_ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("_codecs", "encode"),
}


@dataclass(frozen=True, slots=True, eq=False)
class ClassRows:
    """Images in memory, each of one class.

    Args:
        images: (N, H, W, 3) uint8 BGR.
        labels: (N,) int64 classes from 0.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.int64] | slice) -> ClassRows:
        """Return the rows that a mask (N,), indices or a slice choose."""
        return ClassRows(self.images[rows], self.labels[rows])


@dataclass(frozen=True, slots=True, eq=False)
class ClassData:
    """The three splits of a classification data set; ``classes`` are the names of the labels. ``val`` may be empty."""

    name: str
    classes: tuple[str, ...]
    train: ClassRows
    val: ClassRows
    test: ClassRows


def read_cifar10(root: str | os.PathLike[str], *, validation_images: int = 0, name: str = "cifar10") -> ClassData:
    """Read the Python version of CIFAR-10 (``data_batch_1`` … ``5``, ``test_batch``): 50,000 / 10,000 images.

    Args:
        root: the folder of the batches, or one that holds ``cifar-10-batches-py``.
        validation_images: how many of the last training images become the validation split, which CIFAR has not.
        name: what the data are called.

    Raises:
        InputError: a file is missing, or is no such batch.
    """
    batches = tuple(f"data_batch_{number}" for number in range(1, 6))
    return _read(
        name, root, ("cifar-10-batches-py", "cifar10"), batches, "test_batch", "batches.meta", "labels", "label_names",
        validation_images,
    )  # fmt: skip


def read_cifar100(root: str | os.PathLike[str], *, validation_images: int = 0, name: str = "cifar100") -> ClassData:
    """Read the Python version of CIFAR-100 (``train``, ``test``; the 100 fine classes): 50,000 / 10,000 images.

    Arguments and errors as :func:`read_cifar10`; the usual folder is ``cifar-100-python``.
    """
    return _read(
        name, root, ("cifar-100-python", "cifar100"), ("train",), "test", "meta", "fine_labels", "fine_label_names",
        validation_images,
    )  # fmt: skip


def _read(
    name: str,
    root: str | os.PathLike[str],
    usual_names: tuple[str, ...],
    batches: tuple[str, ...],
    test_batch: str,
    meta: str,
    labels: str,
    names: str,
    validation_images: int,
) -> ClassData:
    found = find_data_folder(name, root, usual_names, [(*batches, test_batch, meta)])
    classes = tuple(map(_text, _entry(found.parts[meta], names)))
    parts = [_rows(found.parts[batch], labels, len(classes)) for batch in batches]
    train = ClassRows(np.concatenate([part.images for part in parts]), np.concatenate([part.labels for part in parts]))
    if not 0 <= validation_images < len(train):
        raise InputError(f"validation_images={validation_images} must lie between 0 and {len(train) - 1}")
    kept = len(train) - validation_images
    test = _rows(found.parts[test_batch], labels, len(classes))
    return ClassData(name, classes, train[:kept], train[kept:], test)


def _rows(path: Path, labels: str, classes: int) -> ClassRows:
    pixels, numbers = np.asarray(_entry(path, "data")), np.asarray(_entry(path, labels))
    if pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != 3 * _SIDE * _SIDE:
        raise InputError(f"{path} holds data {pixels.dtype} {pixels.shape}, not uint8 (N, {3 * _SIDE * _SIDE})")
    if numbers.shape != (len(pixels),) or not np.isin(numbers, np.arange(classes)).all():
        raise InputError(f"{labels} of {path} are not {len(pixels)} classes from 0 to {classes - 1}")
    # Stored as planes red, green, blue.
    images = pixels.reshape(-1, 3, _SIDE, _SIDE)[:, ::-1].transpose(0, 2, 3, 1)
    return ClassRows(np.ascontiguousarray(images), numbers.astype(np.int64))


def _entry(path: Path, key: str) -> Any:
    content = _unpickled(path)
    if not isinstance(content, dict):
        raise InputError(f"{path} is no batch of CIFAR: it holds {type(content).__name__}")
    for known in (key.encode(), key):
        if known in content:
            return content[known]
    raise InputError(f"{path} is no batch of CIFAR: it has no entry {key!r}")


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _unpickled(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return _ArrayUnpickler(file, encoding="bytes").load()
    except InputError as error:
        raise InputError(f"{path} {error}") from None
    except Exception as error:
        raise InputError(f"{path} is no batch of CIFAR or is damaged ({error}): download it again") from None


class _ArrayUnpickler(pickle.Unpickler):
    """Rebuilds arrays, numbers, texts and containers of them, and runs nothing that the file names."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise InputError(f"asks for {module}.{name} when it is read, which no batch of CIFAR does: not loaded")
        if name == "encode":
            return _latin1_bytes
        # NumPy moved it between the versions that wrote and that read the file.
        return np.empty(0).__reduce__()[0] if name == "_reconstruct" else getattr(np, name)


def _latin1_bytes(text: str, encoding: str = "latin1") -> bytes:
    """Return bytes as a pickle of protocol 2 stores them: as text in Latin-1, no other codec."""
    if encoding != "latin1":
        raise InputError(f"asks for the codec {encoding} when it is read, which no batch of CIFAR does: not loaded")
    return text.encode("latin1")
