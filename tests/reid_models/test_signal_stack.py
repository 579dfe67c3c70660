"""Networks come and go, and signals still find a stack."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import pytest

from reid_models.signal_stack import kept_signal_stack, signal_stack

NETWORKS = """
import gc, signal
from reid_models.signal_stack import signal_stack
from tracker.detectors import create_detector
# A shell that runs this in the background has it ignore interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
before = signal_stack()
first, second = (create_detector("yolo11n_room", runtime="openvino") for _ in range(2))
assert signal_stack() == before
del first
gc.collect()
del second
gc.collect()
assert signal_stack() == before
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("stopped")
"""


def test_networks_that_go_in_the_order_they_came_leave_no_stack_behind() -> None:
    pytest.importorskip("openvino")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", NETWORKS], capture_output=True, text=True, env=environment, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, "stopped\n"), done.stderr


def test_nothing_is_changed_where_nothing_changes_it() -> None:
    before = signal_stack()
    with kept_signal_stack():
        gc.collect()
    assert signal_stack() == before
