"""Content that comes in pieces, on its way through steps that cut, join and decode it.

A step is fed what comes and gives what is ready, then what is left at the end. It does not know
who feeds it, so the same steps serve code that blocks and code that awaits.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

__all__ = ["AwaitedThrough", "Sized", "Step", "through"]


class Step(Protocol):
    """Pieces in, pieces out."""

    def feed(self, piece: Any) -> Iterable[Any]:
        """What is ready now that `piece` has come."""

    def end(self) -> Iterable[Any]:
        """What was waiting for more."""


def through(pieces: Iterable[Any], *steps: Step) -> Iterator[Any]:
    """What `steps`, one after the other, make of `pieces`."""
    for piece in pieces:
        yield from _fed(steps, piece)
    yield from _ended(steps)


class AwaitedThrough:
    """`through`, for pieces that have to be awaited: an asynchronous iterator.

    Not a generator, which would have to be closed by whoever leaves a loop over it early.

    Args:
        next_piece: awaited for each piece; an empty one is the end.
    """

    def __init__(self, next_piece: Callable[[], Awaitable[Any]], *steps: Step) -> None:
        self._next_piece = next_piece
        self._steps = steps
        self._ready: Iterator[Any] = iter(())
        self._is_over = False

    def __aiter__(self) -> "AwaitedThrough":
        return self

    async def __anext__(self) -> Any:
        while True:
            for ready in self._ready:
                return ready
            if self._is_over:
                raise StopAsyncIteration
            piece = await self._next_piece()
            self._is_over = not piece
            self._ready = _fed(self._steps, piece) if piece else _ended(self._steps)


def _fed(steps: Sequence[Step], piece: Any) -> Iterator[Any]:
    if not steps:
        yield piece
        return
    for ready in steps[0].feed(piece):
        yield from _fed(steps[1:], ready)


def _ended(steps: Sequence[Step]) -> Iterator[Any]:
    if steps:
        for ready in steps[0].end():
            yield from _fed(steps[1:], ready)
        yield from _ended(steps[1:])


class Sized:
    """Cuts pieces to at most `size` bytes, and joins smaller ones up to it if `exact`."""

    def __init__(self, size: int | None, *, exact: bool) -> None:
        self._size = size
        self._exact = exact
        self._waiting: list[bytes] = []
        self._count = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        size = self._size
        if size is None:
            if piece:
                yield piece
            return
        if self._waiting:
            self._waiting.append(piece)
            self._count += len(piece)
            if self._count < size:
                return
            piece = b"".join(self._waiting)
            self._waiting = []
        whole = len(piece) - len(piece) % size if self._exact else len(piece)
        for start in range(0, whole, size):
            yield piece[start : start + size]
        if whole < len(piece):
            self._waiting = [piece[whole:]]
        self._count = len(piece) - whole

    def end(self) -> Iterator[bytes]:
        if self._waiting:
            yield b"".join(self._waiting)
