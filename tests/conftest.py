"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder of the real data: ``MULTICAM_DATA``, by default ``../shared`` beside the checkout; skips when absent."""
    default = Path(__file__).resolve().parents[2] / "shared"
    root = Path(os.environ.get("MULTICAM_DATA", default)).expanduser().resolve()
    if not (root / "data").is_dir():
        pytest.skip(f"no real data at {root}: set MULTICAM_DATA")
    return root
