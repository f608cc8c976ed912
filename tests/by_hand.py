"""Coroutines driven by hand, step by step: what waits goes on when the test lets it."""

from collections.abc import Coroutine
from typing import Any

__all__ = ["Event", "Suspended", "step"]


class Suspended:
    """What a leaf awaits: it goes on when the test does."""

    def __await__(self) -> Any:
        return (yield self)


class Event:
    """A runtime's event: who waits for it goes on when the test lets him, set or not."""

    def __init__(self) -> None:
        self.is_set = False

    def set(self) -> None:
        self.is_set = True

    async def wait(self, _deadline: float | None) -> None:
        await Suspended()


def step(coroutine: Coroutine[Any, Any, Any]) -> bool:
    """Go on with `coroutine` until it waits again; True if that was its end."""
    try:
        coroutine.send(None)
    except StopIteration:
        return True
    return False
