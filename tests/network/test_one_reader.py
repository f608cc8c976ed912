"""network/one_reader.py: the role is never lost. Coroutines are driven by hand, step by step."""

from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from by_hand import Event, Suspended, step
from gofer.network.one_reader import OneReader


class Letters(OneReader):
    """Each who waits has a letter to come."""

    __slots__ = ("error", "events", "letters", "room")

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.letters: set[str] = set()
        self.room = 10
        self.error: Exception | None = None
        super().__init__(SimpleNamespace(event=self.event))  # type: ignore[arg-type]

    def event(self) -> Event:
        self.events.append(Event())
        return self.events[-1]

    async def take(self, name: str) -> None:
        await self._until(lambda: name in self.letters, None, lambda: self.letters.remove(name))

    def waiting(self, *names: str) -> list[Coroutine[Any, Any, None]]:
        """Those who wait for their letters; the first reads for all."""
        coroutines = [self.take(name) for name in names]
        for coroutine in coroutines:
            assert not step(coroutine)
        return coroutines

    def come(self, *names: str) -> None:
        """What whoever reads finds when it goes on."""
        self.letters.update(names)
        self._tell_locked()

    @property
    def told(self) -> list[bool]:
        """Of those who do not read, in the order in which they began: who was woken."""
        return [event.is_set for event in self.events]

    async def _read(self, _deadline: float | None) -> None:
        await Suspended()

    @property
    def _has_room(self) -> bool:
        return len(self.letters) < self.room

    @property
    def _is_over(self) -> bool:
        return self.error is not None

    def _why(self) -> Exception:
        assert self.error is not None
        return self.error


@pytest.fixture
def letters() -> Letters:
    return Letters()


def test_who_has_what_it_waits_for_hands_the_role_on(letters: Letters) -> None:
    a, b = letters.waiting("a", "b")

    letters.come("a")
    assert [False] == letters.told
    assert step(a)

    assert [True] == letters.told
    assert not step(b)
    letters.come("b")
    assert step(b)


def test_what_comes_for_another_wakes_it(letters: Letters) -> None:
    """Whoever reads goes on."""
    a, b, c = letters.waiting("a", "b", "c")

    letters.come("c")
    assert [False, True] == letters.told
    assert step(c)
    assert not step(a)

    letters.come("a", "b")
    assert step(b)
    assert step(a)


def test_who_is_interrupted_while_it_reads_hands_the_role_on(letters: Letters) -> None:
    a, b = letters.waiting("a", "b")

    with pytest.raises(KeyError):
        a.throw(KeyError())

    assert [True] == letters.told
    assert not step(b)
    letters.come("b")
    assert step(b)


def test_who_is_interrupted_when_told_to_read_tells_the_next(letters: Letters) -> None:
    """A cancellation or a timeout in that very moment."""
    a, b, c = letters.waiting("a", "b", "c")
    for coroutine, told in ((a, [True, False]), (b, [True, True])):
        with pytest.raises(KeyError):
            coroutine.throw(KeyError())
        assert told == letters.told

    assert not step(c)
    letters.come("c")
    assert step(c)


def test_who_left_is_not_told(letters: Letters) -> None:
    a, b, _ = letters.waiting("a", "b", "c")

    with pytest.raises(KeyError):
        b.throw(KeyError())
    letters.come("a")
    assert step(a)

    assert [False, True] == letters.told


def test_nothing_is_read_that_there_is_no_room_for(letters: Letters) -> None:
    """Until something has been taken; then somebody is told to read."""
    letters.room = 1
    a, b = letters.waiting("a", "b")

    letters.come("c")
    assert not step(a)
    assert not letters._is_reading

    assert step(letters.take("c"))
    assert [True, False] == letters.told
    assert not step(b)
    assert letters._is_reading


def test_everybody_hears_why_there_is_no_more(letters: Letters) -> None:
    """What has come is taken first."""
    a, b, c = letters.waiting("a", "b", "c")

    letters.error = KeyError("over")
    letters.come("b")

    assert [True, True] == letters.told
    assert step(b)
    for coroutine in (a, c):
        with pytest.raises(KeyError, match="over"):
            step(coroutine)
