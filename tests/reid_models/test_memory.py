"""Does a training process keep the memory that it frees?"""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# In a process of its own, whose memory the setting may change.
_PAGES_TOUCHED_AGAIN = """
import resource, sys
import torch
from reid_models.training.memory import keep_freed_memory

if sys.argv[1] == "kept":
    assert keep_freed_memory()
torch.set_num_threads(1)
for _ in range(10):
    torch.ones(12_000_000).sum()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(12_000_000).sum()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _pages(mode: str) -> int:
    ended = subprocess.run(
        [sys.executable, "-c", _PAGES_TOUCHED_AGAIN, mode], capture_output=True, text=True, check=True
    )
    return int(ended.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of the GNU C library")
def test_a_step_uses_the_memory_of_the_one_before() -> None:
    given_back, kept = _pages("plain"), _pages("kept")
    print(f"{given_back} pages mapped again by default, {kept} with freed memory kept")
    # 10 × 48 MB are 117,000 pages of 4 KB; with huge pages fewer, but many all the same.
    assert kept < given_back / 5
