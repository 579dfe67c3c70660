"""Scenes and runs that several tests look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.apps.command import Command, call
from tests.apps.scenes import CORRIDOR, HALL, Figure, write_scene


@dataclass(frozen=True)
class Studio:
    """Two cameras of different rate, size and length, and where people are in them."""

    folder: Path
    corridor: Path
    hall: Path

    @property
    def detections(self) -> str:
        """For ``--detector``."""
        return f"mot:{self.folder / 'det'}"

    @property
    def figures(self) -> dict[str, tuple[Figure, ...]]:
        """Who is where, by camera."""
        return {"corridor": CORRIDOR, "hall": HALL}


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed does not depend on where the tests run."""
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def multicam(capfd: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Call the command in this process."""
    yield Command(capfd)


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    folder = tmp_path_factory.mktemp("studio")
    corridor = write_scene(folder, "corridor", CORRIDOR, 80, rate=10)
    hall = write_scene(folder, "hall", HALL, 100, rate=12.5, size=(256, 160))
    return Studio(folder, corridor, hall)


@pytest.fixture(scope="session")
def finished(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run with everything in it; only to be read."""
    folder = tmp_path_factory.mktemp("finished") / "out"
    code = call(
        "track", studio.corridor, studio.hall, "-o", folder, "--detector", studio.detections,
        "--mosaic", "--save-crops", "--trails", "--quiet",
    )  # fmt: skip
    assert code == 0
    return folder
