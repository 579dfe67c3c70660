"""What the tests of detectors share."""

from __future__ import annotations

import types

import pytest


@pytest.fixture(scope="session")
def ultralytics(tmp_path_factory: pytest.TempPathFactory) -> types.ModuleType:
    """The ultralytics package, imported as the detector does it, with its settings in a folder of the tests."""
    from tracker.detectors.yolo import import_ultralytics

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MULTICAM_CACHE", str(tmp_path_factory.mktemp("cache")))
        return import_ultralytics()
