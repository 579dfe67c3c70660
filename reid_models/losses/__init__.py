"""The losses of all papers, each a module that takes what :class:`reid_models.outputs.ModelOutput` holds.

Every one computes in float32 at least, also under autocast and for half-precision inputs, and has finite gradients for
identical and for zero vectors.
"""

from __future__ import annotations

from reid_models.losses.alignment import SpatialAlignment
from reid_models.losses.center import CenterLoss, rescale_center_gradients
from reid_models.losses.circle import CircleLoss
from reid_models.losses.classification import CrossEntropy
from reid_models.losses.memory import ClusterMemory
from reid_models.losses.multi_label import WeightedMultiLabel
from reid_models.losses.triplet import BatchHardTriplet, WeightedTriplet

__all__ = [
    "BatchHardTriplet",
    "CenterLoss",
    "CircleLoss",
    "ClusterMemory",
    "CrossEntropy",
    "SpatialAlignment",
    "WeightedMultiLabel",
    "WeightedTriplet",
    "rescale_center_gradients",
]
