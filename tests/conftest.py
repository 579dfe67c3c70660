"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
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


@pytest.fixture(autouse=True, scope="session")
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is fetched, exported and compiled is kept in a folder of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MULTICAM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ask again where real clocks, sockets and other processes take part: a busy machine can be late for anything."""
    for item in items:
        if item.path.name.startswith("test_live_"):
            item.add_marker(pytest.mark.flaky(reruns=2))
