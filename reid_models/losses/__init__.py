"""The losses of all papers, each a module that takes what :class:`reid_models.outputs.ModelOutput` holds.

Every one computes in float32 at least, also under autocast and for half-precision inputs, and has finite gradients for
identical and for zero vectors.
"""

from __future__ import annotations

from reid_models.losses.classification import CrossEntropy
from reid_models.losses.triplet import BatchHardTriplet, WeightedTriplet

__all__ = ["BatchHardTriplet", "CrossEntropy", "WeightedTriplet"]
