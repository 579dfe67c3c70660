"""The fill rule and inputs of the parity fixtures (their README, sections 2 and 3)."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch


def fill(key: str, shape: list[int], kind: str, value: Any = None) -> torch.Tensor:
    """Return the tensor that the rule gives to a published key."""
    if kind == "explicit":
        return torch.tensor(value).reshape(shape)
    if kind == "counter":
        return torch.zeros(shape, dtype=torch.int64)
    z = np.random.RandomState(zlib.crc32(key.encode("utf-8"))).standard_normal(shape).astype(np.float32)
    name, _, gain = kind.partition("*")
    if name in ("matrix", "matrix_abs"):
        fan_in = int(np.prod(shape[1:]))
        result = z * np.float32(float(gain or 1) * np.sqrt(2 / fan_in))
        result = np.abs(result) if name == "matrix_abs" else result
    else:
        tenth = np.float32(0.1)
        result = {
            "vector": lambda: z * tenth,
            "running_mean": lambda: z * tenth,
            "vector_abs": lambda: np.abs(z) * tenth,
            "norm_weight": lambda: np.float32(1) + tenth * z,
            "running_var": lambda: np.abs(z) * tenth + np.float32(0.9),
        }[name]()
    return torch.from_numpy(np.asarray(result, np.float32))


def published_state(spec: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Return the filled state dict of a fixture under its published key names."""
    return {row[0]: fill(*row) for row in spec["keys"]}


def noise(height: int, width: int, *, seed: int = 7, batch: int = 2) -> torch.Tensor:
    """Return standard normal images (batch, 3, height, width)."""
    return torch.from_numpy(np.random.RandomState(seed).standard_normal((batch, 3, height, width)).astype(np.float32))


def blocky(height: int, width: int) -> torch.Tensor:
    """Return images of 16 × 16 squares (2, 3, height, width)."""
    small = np.random.RandomState(9).standard_normal((2, 3, height // 16, width // 16)).astype(np.float32)
    return torch.from_numpy(small.repeat(16, axis=2).repeat(16, axis=3))


def read_fixture(data_root: Path, name: str) -> tuple[dict[str, Any], Any]:
    """Return the JSON object and the arrays of one fixture."""
    folder = data_root / "fixtures"
    return json.loads((folder / f"{name}.json").read_text()), np.load(folder / f"{name}.npz")


def relative_error(ours: torch.Tensor | np.ndarray, theirs: np.ndarray) -> float:
    """Return ||ours − theirs|| / ||theirs|| in float64."""
    a, b = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))
