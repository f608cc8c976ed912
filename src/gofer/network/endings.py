"""Clean-up for objects that are garbage-collected without having been closed.

`when_dropped` is a smaller `weakref.finalize`: it does nothing at the end of the program, and saves
the import of `weakref` (1 ms). Unlike `__del__` it runs before the finalizers of other objects in
the same cycle; a socket, for instance, warns if it is still open.

State: `_waiting`, the clean-up functions that have not run. The collector may call one in any
thread, between any two instructions: it must take no lock that its own thread could hold.
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
    """Cancel the clean-up: it has been done. Safe to call twice."""
    _waiting.pop(number, None)
