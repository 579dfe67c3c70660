"""Jobs in several processes: results in order, errors as they are, and no process left over."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import time

import pytest

from benchmarks.simulation.parallel import checked_workers, ordered_results
from tracker.errors import InputError


def _late(number: int) -> tuple[int, int]:
    """The earlier the job, the later it is done."""
    time.sleep(0.02 * (5 - number % 6))
    return number, os.getpid()


def _refuse(number: int) -> int:
    if number == 2:
        raise InputError("two is one too many")
    if number == 3:
        raise KeyError("three")
    if number == 4:
        os._exit(9)
    return number


def test_results_come_in_order_from_several_processes() -> None:
    made = list(ordered_results(_late, range(12), 2))
    assert [number for number, _ in made] == list(range(12))
    assert len({process for _, process in made}) == 2 and os.getpid() not in {process for _, process in made}
    assert multiprocessing.active_children() == []


def test_who_has_enough_may_stop_an_endless_row() -> None:
    for workers in (1, 2):
        taken = list(itertools.islice(ordered_results(_late, itertools.count(), workers), 3))
        assert [number for number, _ in taken] == [0, 1, 2]
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(
    ("numbers", "error", "words"),
    [
        ([0, 2], InputError, "two is one too many"),
        ([0, 3], RuntimeError, "KeyError: 'three'"),
        ([0, 4, 5, 6, 7], RuntimeError, "ended before its work was done"),
    ],
    ids=["input error", "failure", "killed"],
)
def test_what_goes_wrong_in_a_process_goes_wrong_here(numbers: list[int], error: type, words: str) -> None:
    results = ordered_results(_refuse, numbers, 2)
    with pytest.raises(error, match=words):
        list(results)
    assert multiprocessing.active_children() == []


def test_there_is_at_least_one_process() -> None:
    assert checked_workers(3) == 3
    assert checked_workers(None) >= 1
    with pytest.raises(InputError, match="0 processes"):
        checked_workers(0)
