"""What happens to a training image, as the papers have it; every draw comes from one seeded generator per image."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Annotated, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from reid_models.preprocessing import channel_scale_and_shift
from reid_models.records import EmbeddingRecord

__all__ = ["AugmentationSettings", "Augmenter", "ColorJitter", "Erasing", "erasing_rectangle", "image_random"]


_Share = Annotated[float, Field(ge=0, le=1)]
_Positive = Annotated[float, Field(gt=0)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Erasing(_Settings):
    """Random erasing (Zhong et al., AAAI 2020) with the constants all five papers share.

    Args:
        probability: of erasing at all.
        area: smallest and largest share of the image.
        aspect: smallest and largest height / width, drawn uniformly.
        fill: ``"mean"``: the image mean, which is 0 after normalisation; ``"mean_after_normalization"``: the channel
            means written into the normalised image, as the published code of OSNet and the strong baseline does; or
            three values for the normalised image (MSINet's code: 0.4914, 0.4822, 0.4465).
    """

    probability: float = Field(default=0.5, ge=0, le=1)
    area: tuple[_Share, _Share] = (0.02, 0.4)
    aspect: tuple[_Positive, _Positive] = (0.3, 1 / 0.3)
    fill: Literal["mean", "mean_after_normalization"] | tuple[float, float, float] = "mean_after_normalization"

    def value(self, record: EmbeddingRecord) -> NDArray[np.float32]:
        """Return what is written into the normalised image (3,)."""
        if self.fill == "mean":
            return np.zeros(3, np.float32)
        return np.asarray(record.mean if self.fill == "mean_after_normalization" else self.fill, np.float32)


class ColorJitter(_Settings):
    """Brightness, contrast, saturation and hue drawn from 1 ± value (hue: 0 ± value turns), in random order."""

    brightness: float = Field(default=0.2, ge=0)
    contrast: float = Field(default=0.15, ge=0)
    saturation: float = Field(default=0.0, ge=0)
    hue: float = Field(default=0.0, ge=0, le=0.5)
    probability: float = Field(default=1.0, ge=0, le=1)


class AugmentationSettings(_Settings):
    """The training transforms, in the order they are applied.

    Args:
        flip: probability of a horizontal mirror image.
        enlarge_and_crop: with probability ½ enlarge by 1/8 and crop at random (torchreid's random 2-D translation).
        pad_and_crop: zero padding in pixels on each side before a random crop (strong baseline: 10).
        color_jitter: ``None``: none.
        erasing: ``None``: none.
    """

    flip: float = Field(default=0.5, ge=0, le=1)
    enlarge_and_crop: bool = False
    pad_and_crop: int = Field(default=0, ge=0)
    color_jitter: ColorJitter | None = None
    erasing: Erasing | None = Erasing()


def image_random(seed: int, epoch: int, place: int) -> random.Random:
    """Return the generator of one place of one epoch."""
    return random.Random(f"{seed}/{epoch}/{place}")


def erasing_rectangle(
    height: int, width: int, settings: Erasing, generator: random.Random
) -> tuple[int, int, int, int] | None:
    """Draw (top, left, height, width) in pixels, or ``None`` for no erasing, as the published implementations do."""
    if generator.uniform(0, 1) >= settings.probability:
        return None
    for _ in range(100):
        area = generator.uniform(*settings.area) * height * width
        aspect = generator.uniform(*settings.aspect)
        rows, columns = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if columns < width and rows < height:
            top = generator.randint(0, height - rows)
            return top, generator.randint(0, width - columns), rows, columns
    return None


class Augmenter:
    """Turns images as bytes into a batch of network input.

    Args:
        settings: what to do.
        record: mean, std and colour order of the network; its input size is that of the images.
        seed: with an image's epoch and place, decides every draw.
    """

    def __init__(self, settings: AugmentationSettings, record: EmbeddingRecord, seed: int) -> None:
        self.settings = settings
        self.record = record
        self.seed = seed
        self._scale, self._shift = channel_scale_and_shift(record)
        self._fill = (settings.erasing or Erasing()).value(record)

    def __call__(self, images: Sequence[NDArray[np.uint8]], places: Sequence[tuple[int, int]]) -> NDArray[np.float32]:
        """Return (B, 3, H, W) normalised float32 of B images (H, W, 3) BGR uint8.

        Args:
            images: all of one size.
            places: (epoch, place) of each.
        """
        settings = self.settings
        height, width = images[0].shape[:2]
        result = np.empty((len(images), 3, height, width), np.float32)
        for number, (image, (epoch, place)) in enumerate(zip(images, places, strict=True)):
            generator = image_random(self.seed, epoch, place)
            if generator.random() < settings.flip:
                image = image[:, ::-1]
            if settings.enlarge_and_crop and generator.random() < 0.5:
                image = _enlarge_and_crop(image, generator)
            if settings.pad_and_crop:
                image = _pad_and_crop(image, settings.pad_and_crop, generator)
            if settings.color_jitter is not None and generator.random() < settings.color_jitter.probability:
                image = _jitter(image, settings.color_jitter, generator)
            target = result[number]
            for channel in range(3):
                source = 2 - channel if self.record.color_order == "RGB" else channel
                np.multiply(image[..., source], self._scale[channel], out=target[channel])
                target[channel] += self._shift[channel]
            if settings.erasing is not None:
                rectangle = erasing_rectangle(height, width, settings.erasing, generator)
                if rectangle is not None:
                    top, left, rows, columns = rectangle
                    target[:, top : top + rows, left : left + columns] = self._fill[:, None, None]
        return result


def _enlarge_and_crop(image: NDArray[np.uint8], generator: random.Random) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    rows, columns = round(height * 1.125), round(width * 1.125)
    larger = cv2.resize(np.ascontiguousarray(image), (columns, rows), interpolation=cv2.INTER_LINEAR)
    top, left = generator.randint(0, rows - height), generator.randint(0, columns - width)
    return np.asarray(larger[top : top + height, left : left + width], np.uint8)


def _pad_and_crop(image: NDArray[np.uint8], pad: int, generator: random.Random) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    padded = np.zeros((height + 2 * pad, width + 2 * pad, 3), np.uint8)
    padded[pad : pad + height, pad : pad + width] = image
    top, left = generator.randint(0, 2 * pad), generator.randint(0, 2 * pad)
    return padded[top : top + height, left : left + width]


def _jitter(image: NDArray[np.uint8], settings: ColorJitter, generator: random.Random) -> NDArray[np.uint8]:
    """Apply the four changes in random order, on 0..255 floats clipped after each as torchvision does."""
    values = image.astype(np.float32)
    for name in generator.sample(("brightness", "contrast", "saturation", "hue"), 4):
        strength = getattr(settings, name)
        if not strength:
            continue
        if name == "hue":
            values = _turn_hue(values, generator.uniform(-strength, strength))
            continue
        factor = generator.uniform(max(0.0, 1 - strength), 1 + strength)
        if name == "brightness":
            values = values * factor
        else:
            grey = values @ np.array([0.114, 0.587, 0.299], np.float32)
            anchor = grey.mean() if name == "contrast" else grey[..., None]
            values = np.asarray(anchor + (values - anchor) * factor, np.float32)
        values = np.clip(values, 0, 255)
    return values.round().astype(np.uint8)


def _turn_hue(values: NDArray[np.float32], turns: float) -> NDArray[np.float32]:
    hsv = cv2.cvtColor(values / 255, cv2.COLOR_BGR2HSV)
    hsv[..., 0] = (hsv[..., 0] + 360 * turns) % 360
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR) * 255, np.float32)
