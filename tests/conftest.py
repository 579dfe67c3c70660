"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.thread_settings import one_thread_per_worker

# Before anything imports a numerical library.
one_thread_per_worker()

#: Files whose tests take longest, the longest first. What is begun last should be short: the other workers wait for it.
_LONGEST = (
    "reid_models/test_learning.py",
    "apps/test_demo.py",
)


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
    """What is fetched, exported and compiled is kept in a folder of the tests, the same for all workers."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MULTICAM_CACHE", str(folder / "cache"))
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest; ask again where real clocks, sockets and other processes take part.

    A busy machine can be late for anything.
    """
    items.sort(key=_rank)
    for item in items:
        if item.path.name.startswith("test_live_"):
            item.add_marker(pytest.mark.flaky(reruns=2))


def _rank(item: pytest.Item) -> int:
    """Return the place of a test's file among the longest; all others come after them, in their order."""
    path = item.path.as_posix()
    return next((rank for rank, name in enumerate(_LONGEST) if path.endswith(f"tests/{name}")), len(_LONGEST))
