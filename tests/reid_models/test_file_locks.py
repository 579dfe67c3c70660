"""A lock keeps other processes out, and leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from reid_models.file_locks import only_one_process


def test_a_lock_is_held_by_one_and_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    code = (
        "import time; from pathlib import Path; from reid_models.file_locks import only_one_process\n"
        f"with only_one_process(Path({str(path)!r})) as held: print(held, flush=True); time.sleep(0.4)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "True\n"
        begin = time.monotonic()
        with only_one_process(path) as held:
            assert held and time.monotonic() - begin > 0.2 and path.exists()
    assert not path.exists()
