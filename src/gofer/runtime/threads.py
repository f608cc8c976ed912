"""What the caller brings along and gofer cannot wait for itself: for every runtime.

Work that cannot be interrupted has a thread of its own. What is `async` needs the caller's event
loop, unless it never waits.
"""

import _thread
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gofer.runtime.base import Event

__all__ = ["NEEDS_LOOP", "at_once", "in_thread"]

NEEDS_LOOP = "it waits for an event loop and none is running here: use gofer.AsyncSession"

T = TypeVar("T")


async def in_thread(
    work: Callable[[], T], new_event: Callable[[], Event], deadline: float | None
) -> T:
    """What `work` returns, or raises, when called in a thread of its own.

    Args:
        new_event: makes an event that another thread may set.
        deadline: monotonic seconds; the thread is left behind then, and does not keep the
            interpreter from exiting.

    Raises:
        TimedOut: the deadline passed first.
    """
    done = new_event()
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # raised in the task that waits
            errors.append(error)
        finally:
            done.set()

    # A bare thread: 47 us, where `threading.Thread` takes 109. Gevent patches `_thread` in place,
    # so it is asked when it is needed.
    _thread.start_new_thread(run, ())
    await done.wait(deadline)
    if errors:
        raise errors.pop()
    return results.pop()


def at_once(awaitable: Awaitable[T]) -> T:
    """What `awaitable` gives without waiting for anything, where there is no event loop.

    Raises:
        RuntimeError: it waits, or needs the loop for something else.
    """
    steps = awaitable.__await__()
    try:
        next(steps)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    except RuntimeError as error:  # "no running event loop", say asyncio and its kin
        error.add_note(f"if {NEEDS_LOOP}")
        raise
    close = getattr(steps, "close", None)
    if close is not None:  # its `finally` blocks
        close()
    name = getattr(awaitable, "__qualname__", type(awaitable).__name__)
    raise RuntimeError(f"awaiting {name}: {NEEDS_LOOP}")
