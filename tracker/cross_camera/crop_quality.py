"""Which crops are good enough to say who somebody is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

__all__ = ["CropRules", "areas", "crop_quality", "intersections", "overlap_with_others"]


class CropRules(BaseModel):
    """What makes a crop good: large enough, whole, confident, not hidden by or hiding another person."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    minimum_height: float = Field(default=40.0, ge=0, description="pixels; a lower box is not embedded")
    minimum_width: float = Field(default=14.0, ge=0, description="pixels; a narrower box is not embedded")
    minimum_confidence: float = Field(default=0.35, ge=0, le=1)
    maximum_overlap: float = Field(default=0.45, ge=0, le=1, description="share of the box other boxes may cover")
    border: float = Field(default=2.0, ge=0, description="pixels; a side nearer to the image border counts as cut off")
    maximum_border_sides: int = Field(default=1, ge=0, le=4)
    minimum_aspect: float = Field(default=1.3, gt=0, description="height over width; wider boxes show half a person")


def intersections(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the area (N, N) in pixels² that each two of the boxes (N, 4) share; 0 on the diagonal."""
    x1, y1, x2, y2 = boxes.T
    width = np.minimum(x2[:, None], x2) - np.maximum(x1[:, None], x1)
    height = np.minimum(y2[:, None], y2) - np.maximum(y1[:, None], y1)
    shared = np.clip(width, 0, None) * np.clip(height, 0, None)
    np.fill_diagonal(shared, 0)
    return shared


def areas(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the area (N,) of boxes (N, 4) in pixels², at least a trifle."""
    return np.maximum((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), np.float32(1e-6))


def overlap_with_others(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return for each box (N, 4) the largest share of its area that one other box covers; (N,) float32."""
    if len(boxes) < 2:
        return np.zeros(len(boxes), np.float32)
    return (intersections(boxes).max(axis=1) / areas(boxes)).astype(np.float32)


def crop_quality(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    image_size: tuple[int, int],
    rules: CropRules,
) -> NDArray[np.float32]:
    """Return how far each crop can be trusted, (N,) float32 in 0…1; 0 means: do not embed.

    Args:
        boxes: (N, 4) ``x1, y1, x2, y2`` in pixels; all boxes of the frame, since others hide parts of a person.
        scores: (N,) detector confidence.
        image_size: (width, height) in pixels.
        rules: the limits.
    """
    if len(boxes) == 0:
        return np.zeros(0, np.float32)
    image_width, image_height = image_size
    widths = np.minimum(boxes[:, 2], image_width) - np.maximum(boxes[:, 0], 0)
    heights = np.minimum(boxes[:, 3], image_height) - np.maximum(boxes[:, 1], 0)
    overlap = overlap_with_others(boxes)
    sides_cut = (
        (boxes[:, 0] <= rules.border).astype(int)
        + (boxes[:, 1] <= rules.border)
        + (boxes[:, 2] >= image_width - rules.border)
        + (boxes[:, 3] >= image_height - rules.border)
    )
    good = (
        (heights >= rules.minimum_height)
        & (widths >= rules.minimum_width)
        & (scores >= rules.minimum_confidence)
        & (overlap <= rules.maximum_overlap)
        & (sides_cut <= rules.maximum_border_sides)
        & (heights >= rules.minimum_aspect * widths)
    )
    # A person seen wide and low is bent, sitting or cut off at the waist: still shown, trusted less.
    upright = np.clip(heights / np.maximum(widths, 1e-6) / 2.0, 0.3, 1.0)
    whole = np.array([1.0, 0.7, 0.4, 0.2, 0.1])[sides_cut]
    large = np.clip(heights / 128.0, 0.3, 1.0)
    return np.where(good, upright * whole * large * (1.0 - overlap) * np.minimum(scores, 1.0), 0.0).astype(np.float32)
