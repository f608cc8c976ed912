"""What is to happen when something is dropped without having been closed.

`when_dropped` is `weakref.finalize` with less: it runs nothing at the end of the program, and
saves the import of `weakref` (1 ms). Unlike `__del__` it comes before the finalizers of what is
dropped in the same cycle, the sockets' for instance, which complain if they are still open.

State: `_waiting`, what has not happened yet. The function may be called in any thread, between any
two instructions: it must take no lock that its own thread could hold.
"""

from _weakref import ref
from collections.abc import Callable
from itertools import count
from typing import Any

__all__ = ["keep", "when_dropped"]

_numbers = count()
_waiting: dict[int, Any] = {}


def when_dropped(thing: Any, function: Callable[..., object], *arguments: Any) -> int:
    """Call `function(*arguments)` when `thing` is gone; they must not keep it alive.

    Returns:
        A number for `keep`.
    """

    number = next(_numbers)

    def gone(_: Any) -> None:
        if _waiting.pop(number, None) is not None:
            function(*arguments)

    _waiting[number] = ref(thing, gone)
    return number


def keep(number: int) -> None:
    """Call nothing: what was to be done has been done. Safe to call twice."""
    _waiting.pop(number, None)
