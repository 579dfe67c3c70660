"""Where a network looks: the activation maps of OSNet's Fig. 6 and Fig. 8, for every network with feature maps."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from reid_models.errors import InputError
from reid_models.evaluation.model_inputs import evaluating, image_batches
from reid_models.evaluation.sheets import Cell, SheetRow, draw_pages
from reid_models.records import EmbeddingRecord

__all__ = ["activation_maps", "activation_sheets", "heat_map", "overlay"]

_CELLS_PER_ROW = 12
_GAP_BETWEEN_IMAGES = 16


def activation_maps(model: nn.Module, images: Tensor, *, power: int = 1) -> dict[str, NDArray[np.float32]]:
    """Return Σ_c |F_c|^power over the channels of the last feature maps F, L2-normalised over positions (Sec. 4.1).

    The paper sums absolute values (``power=1``), after Zagoruyko and Komodakis (ICLR 2017); the published code of OSNet
    sums squares (``power=2``), which shows less of what is weak.

    Args:
        model: has ``feature_maps(images)`` → (B, C, h, w), or a mapping of names to such maps where there are several
            branches.
        images: (B, 3, H, W) float network input, on any device.
        power: 1 or 2.

    Returns:
        (B, h, w) float32 by name of the branch; the name is empty where there is but one.

    Raises:
        InputError: a network without feature maps, or another power.
    """
    if power not in (1, 2):
        raise InputError(f"power {power} must be 1 (absolute values, the paper) or 2 (squares, the published code)")
    method = getattr(model, "feature_maps", None)
    if method is None:
        raise InputError(f"{type(model).__name__} has no feature_maps(images): there are no activations to show")
    with evaluating(model) as device:
        found = method(images.to(device))
        branches: Mapping[str, Tensor] = found if isinstance(found, Mapping) else {"": found}
        return {str(name): _summed(maps, power) for name, maps in branches.items()}


def _summed(maps: Tensor, power: int) -> NDArray[np.float32]:
    # In double precision: squares of large activations in float16 or float32 lose or overflow.
    summed = maps.double().abs().pow(power).sum(1)
    norm = summed.flatten(1).norm(dim=1).clamp_min(1e-300).view(-1, 1, 1)
    return np.asarray((summed / norm).float().cpu().numpy(), np.float32)


def heat_map(activation: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return an activation map (h, w) as (H, W, 3) uint8 BGR: least blue, most red; one without any contrast is blue.

    Args:
        activation: of one image.
        size: (H, W) to interpolate to.
    """
    import cv2

    resized = cv2.resize(np.asarray(activation, np.float32), (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    lowest, highest = float(resized.min()), float(resized.max())
    shares = (resized - lowest) / max(highest - lowest, 1e-12)
    return np.asarray(cv2.applyColorMap(np.rint(255 * shares).astype(np.uint8), cv2.COLORMAP_JET), np.uint8)


def overlay(image: NDArray[np.uint8], heat: NDArray[np.uint8], *, opacity: float = 0.5) -> NDArray[np.uint8]:
    """Return ``heat`` laid over ``image``, both (H, W, 3) uint8."""
    mixed = (1 - opacity) * image.astype(np.float32) + opacity * heat.astype(np.float32)
    return np.rint(mixed).astype(np.uint8)


def activation_sheets(
    model: nn.Module,
    paths: Sequence[str | os.PathLike[str]],
    record: EmbeddingRecord,
    *,
    captions: Sequence[str] | None = None,
    power: int = 1,
    cell_size: tuple[int, int] = (144, 72),
    rows_per_page: int = 6,
    title: str = "",
) -> Iterator[NDArray[np.uint8]]:
    """Yield pages (H, W, 3) uint8 BGR of image | map | overlay, several images a row.

    Args:
        model: see :func:`activation_maps`; every branch adds a map and an overlay.
        paths: N image files.
        record: how they are fed to it.
        captions: N short texts below the images, such as identities.
        power: see there.
        cell_size: (height, width) of every picture.
        rows_per_page: of pictures.
        title: over every page.

    Raises:
        InputError: as :func:`activation_maps`; a file that cannot be read as an image, named; too few captions.
    """
    if captions is not None and len(captions) != len(paths):
        raise InputError(f"{len(captions)} captions for {len(paths)} images: give one each, or none")
    rows: list[SheetRow] = []
    waiting: list[Cell] = []
    done = 0
    for pixels, images in image_batches(paths, record):
        maps = activation_maps(model, images, power=power)
        width = 1 + 2 * len(maps)
        for index, image in enumerate(pixels):
            caption = "image" if captions is None else captions[done]
            done += 1
            waiting += _cells(image, {name: values[index] for name, values in maps.items()}, caption, bool(waiting))
            if len(waiting) + width > _CELLS_PER_ROW or done == len(paths):
                rows.append(SheetRow("", waiting))
                waiting = []
            if len(rows) == rows_per_page or (rows and done == len(paths)):
                yield from draw_pages(rows, cell_size=cell_size, rows_per_page=rows_per_page, title=title)
                rows = []


def _cells(
    image: NDArray[np.uint8], maps: Mapping[str, NDArray[np.float32]], caption: str, not_first: bool
) -> list[Cell]:
    cells = [Cell(image, None, (caption,), _GAP_BETWEEN_IMAGES if not_first else 0)]
    for name, activation in maps.items():
        heat = heat_map(activation, (image.shape[0], image.shape[1]))
        cells += [Cell(heat, None, (name or "map",)), Cell(overlay(image, heat), None, ("overlay",))]
    return cells
