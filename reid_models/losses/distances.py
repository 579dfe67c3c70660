"""Distances between the features of a batch, in single precision and with gradients that stay finite."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["at_least_single_precision", "pairwise_distances", "row_distances", "unit_vectors"]

#: squared distances below it count as zero and have no gradient, as in the published losses
_SMALLEST_SQUARE = 1e-12
#: vectors shorter than it have no direction
_SHORTEST = 1e-8


def at_least_single_precision(values: Tensor) -> Tensor:
    """Return float16 and bfloat16 values as float32, others unchanged."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def unit_vectors(features: Tensor) -> Tensor:
    """Return features, (…, D), with Euclidean length 1; zero vectors stay zero and get no gradient."""
    lengths = torch.linalg.vector_norm(features, dim=-1, keepdim=True)
    return features / lengths.masked_fill(lengths < _SHORTEST, torch.inf)


def row_distances(first: Tensor, second: Tensor, *, squared: bool = False) -> Tensor:
    """Return (B,) Euclidean distances between equal rows of two (B, D) tensors; the gradient at zero is zero."""
    return _root((first - second).square().sum(dim=1), squared)


def pairwise_distances(features: Tensor, *, squared: bool = False) -> Tensor:
    """Return (B, B) Euclidean distances between the rows of (B, D) features; the gradient at zero is zero.

    The diagonal is exactly zero. Call it outside autocast: products in half precision would spoil small distances.
    """
    # Distances do not change with the origin, and near the batch's mean the three terms below cancel less.
    centred = features - features.detach().mean(dim=0)
    squares = centred.square().sum(dim=1)
    distances = squares[:, None] + squares[None, :] - 2 * centred @ centred.t()
    distances = distances.masked_fill(torch.eye(len(features), dtype=torch.bool, device=features.device), 0)
    return _root(distances.clamp(min=0), squared)


def _root(squares: Tensor, squared: bool) -> Tensor:
    if squared:
        return squares
    zero = squares <= _SMALLEST_SQUARE
    # The root of one in place of zero: where() alone would multiply an infinite slope by zero.
    return torch.where(zero, 0, squares.masked_fill(zero, 1).sqrt())
