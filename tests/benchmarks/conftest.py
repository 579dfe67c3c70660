"""What the tests of benchmarks share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.console import run_command
from benchmarks.speed import app
from tests.apps.command import Outcome

SpeedCommand = Callable[..., Outcome]


@pytest.fixture
def speed(capfd: pytest.CaptureFixture[str]) -> SpeedCommand:
    """Call ``python -m benchmarks.speed`` in this process and take what it prints, also past Python."""

    def call(*arguments: str) -> Outcome:
        capfd.readouterr()
        code = 0
        try:
            run_command(app, arguments)
        except SystemExit as end:
            code = int(end.code or 0)
        captured = capfd.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call
