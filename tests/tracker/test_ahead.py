"""Work done ahead: the same pairs in the same order, one at a time, and an end in every case."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from tracker.ahead import ahead


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "work ahead"]


@pytest.mark.parametrize("overlap", [True, False])
def test_pairs_come_in_order(overlap: bool) -> None:
    assert list(ahead(iter(range(50)), lambda number: number * number, overlap=overlap)) == [
        (number, number * number) for number in range(50)
    ]
    assert not workers()


def test_the_next_item_is_worked_on_meanwhile_and_no_other() -> None:
    begun: list[int] = []
    third = threading.Event()

    def work(number: int) -> int:
        begun.append(number)
        if number == 2:
            third.set()
        return number

    pairs = ahead(iter(range(10)), work)
    assert next(pairs) == (0, 0)
    # The second waits to be taken and the third is begun while the first is used; the fourth is not.
    assert third.wait(5)
    time.sleep(0.05)
    assert begun == [0, 1, 2]
    assert next(pairs) == (1, 1)
    pairs.close()
    assert not workers() and len(begun) <= 4


@pytest.mark.parametrize("overlap", [True, False])
def test_an_error_comes_after_the_pairs_before_it(overlap: bool) -> None:
    def work(number: int) -> int:
        if number == 3:
            raise ValueError("three is too many")
        return number

    taken = []
    with pytest.raises(ValueError, match="three is too many"):
        for number, _ in ahead(iter(range(10)), work, overlap=overlap):
            taken.append(number)
    assert taken == [0, 1, 2] and not workers()


def test_an_error_of_the_items_is_raised_too() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the stream broke")

    pairs = ahead(items(), str)
    assert next(pairs) == (1, "1")
    with pytest.raises(OSError, match="the stream broke"):
        next(pairs)


def test_who_leaves_the_loop_ends_the_thread() -> None:
    def endless() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    pairs = ahead(endless(), lambda number: time.sleep(0.001))
    for number, _ in pairs:
        if number == 5:
            break
    pairs.close()
    assert not workers()
