"""Dicts that threads share do not grow without end."""

import sys
import threading
from collections.abc import Iterator

import pytest

from gofer.network.bounds import make_room


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_the_oldest_is_forgotten_first() -> None:
    known = dict.fromkeys("abcd")
    make_room(known, 3)

    assert list("cd") == list(known)


@pytest.mark.usefixtures("hasty")
def test_many_threads_make_room_at_once() -> None:
    """None of them hears of another."""
    known: dict[tuple[int, int], None] = {}
    errors: list[BaseException] = []

    def remember(thread: int) -> None:
        try:
            for number in range(40_000):
                make_room(known, 64)
                known[thread, number] = None
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=remember, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == errors
    assert len(known) <= 64 + len(threads)
