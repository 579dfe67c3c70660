"""Made-up identities for small training sets: the upper half of one person above the lower half of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from reid_models.errors import InputError

__all__ = ["CompositeSettings", "Composites", "blend_at_waist", "plan_composites", "recoloured"]

_Share = Annotated[float, Field(ge=0, le=1)]
#: share of the height over which the two halves are blended into each other
_SEAM = 0.04
#: binary logarithm of the largest gamma of other colours
_GAMMA = 0.8


class CompositeSettings(BaseModel):
    """How many identities are made up, and from what.

    A network that has seen only a few hundred people learns each by whatever is easiest. Somebody who shares the
    jacket with one of them and the trousers with another can be told from both only by looking at all of it; and since
    both halves come from the same camera, the change of colours between cameras stays the real one.

    Args:
        per_identity: composites in which each identity gives the upper half.
        images_per_camera: of each composite, at most.
        waist: lowest and highest place of the seam, as a share of the height from the top, drawn for each image.
        recolour: probability that a half wears other colours: its hue is turned and its brightness bent by one gamma,
            the same in all images of the composite.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    per_identity: int = Field(default=1, ge=1)
    images_per_camera: int = Field(default=4, ge=1)
    waist: tuple[_Share, _Share] = (0.42, 0.54)
    recolour: float = Field(default=0, ge=0, le=1)

    @field_validator("waist")
    @classmethod
    def _in_order(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] > value[1]:
            raise ValueError("waist must be the lower share first")
        return value


@dataclass(frozen=True, slots=True, eq=False)
class Composites:
    """M images made of two.

    Args:
        upper: (M,) int64, row of the image that gives the upper half.
        lower: (M,) int64, row of the image that gives the lower half.
        waist: (M,) float64, place of the seam as a share of the height.
        labels: (M,) int64, identities numbered on from those there are.
        cameras: (M,) int64.
        colours: (M, 2, 2) float64, of the upper and the lower half: turns of hue and gamma; (0, 1) is as it was.
    """

    upper: NDArray[np.int64]
    lower: NDArray[np.int64]
    waist: NDArray[np.float64]
    labels: NDArray[np.int64]
    cameras: NDArray[np.int64]
    colours: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.upper)


def plan_composites(
    labels: NDArray[np.int64], cameras: NDArray[np.int64], settings: CompositeSettings, seed: int
) -> Composites:
    """Choose who is put together with whom; the same for the same seed.

    Partners are drawn among the identities that were seen by the same cameras, so that a composite appears in as many
    cameras as a person does.

    Args:
        labels: (N,) identities from 0.
        cameras: (N,) camera of each image; those of different data sets must differ.
        settings: how many.
        seed: of the choice.

    Raises:
        InputError: no two identities were seen by the same cameras.
    """
    generator = np.random.default_rng([seed, 0x70A1])
    rows = {
        (label, camera): np.flatnonzero((labels == label) & (cameras == camera))
        for label, camera in np.unique(np.stack([labels, cameras], axis=1), axis=0).tolist()
    }
    seen: dict[int, tuple[int, ...]] = {}
    for label, camera in rows:
        seen[label] = (*seen.get(label, ()), camera)
    partners: dict[tuple[int, ...], list[int]] = {}
    for label, where in seen.items():
        partners.setdefault(where, []).append(label)
    parts: list[tuple[int, int, float, int, int]] = []
    colours: list[NDArray[np.float64]] = []
    following = int(labels.max()) + 1
    for _ in range(settings.per_identity):
        for label, where in sorted(seen.items()):
            others = [other for other in partners[where] if other != label]
            if not others:
                continue
            other = others[int(generator.integers(len(others)))]
            worn = np.stack([_colours(settings.recolour, generator) for _ in range(2)])
            for camera in where:
                pairs = np.stack(np.meshgrid(rows[label, camera], rows[other, camera]), axis=-1).reshape(-1, 2)
                for upper, lower in generator.permutation(pairs)[: settings.images_per_camera].tolist():
                    parts.append((upper, lower, float(generator.uniform(*settings.waist)), following, camera))
                    colours.append(worn)
            following += 1
    if not parts:
        raise InputError(
            "no two training identities were seen by the same cameras, so no composites can be made: take composites "
            "out of the recipe"
        )
    upper, lower, waist, new_labels, new_cameras = zip(*parts, strict=True)
    return Composites(
        np.array(upper, np.int64),
        np.array(lower, np.int64),
        np.array(waist),
        np.array(new_labels, np.int64),
        np.array(new_cameras, np.int64),
        np.stack(colours),
    )


def _colours(probability: float, generator: np.random.Generator) -> NDArray[np.float64]:
    if generator.random() >= probability:
        return np.array([0.0, 1.0])
    return np.array([generator.uniform(0, 1), 2 ** generator.uniform(-_GAMMA, _GAMMA)])


def recoloured(image: NDArray[np.uint8], turns: float, gamma: float) -> NDArray[np.uint8]:
    """Return (H, W, 3) BGR uint8 with its hue turned (1: once around) and its brightness to the power of ``gamma``."""
    if turns == 0 and gamma == 1:
        return image
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    # OpenCV's hue in bytes counts half degrees.
    hsv[..., 0] = (hsv[..., 0].astype(np.int64) + round(180 * turns)) % 180
    hsv[..., 2] = (255 * (np.arange(256) / 255) ** gamma).round().astype(np.uint8)[hsv[..., 2]]
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR), np.uint8)


def blend_at_waist(upper: NDArray[np.uint8], lower: NDArray[np.uint8], waist: float) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8 with the upper part of one image above the lower part of another of the same size."""
    height = len(upper)
    seam = max(1.0, _SEAM * height)
    share = np.clip((waist * height - np.arange(height) - 0.5) / seam + 0.5, 0, 1)[:, None, None].astype(np.float32)
    blended = lower + share * (upper.astype(np.float32) - lower)
    return np.asarray(blended.round(), np.uint8)
