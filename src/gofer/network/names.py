"""Addresses of names, as a session remembers them for a while.

State: `Remembered` has the results and when they expire. No locks: operations on a dict are atomic,
and a waiter that joined a list too late sees that the list is no longer in use.
"""

import os
from collections.abc import Awaitable, Callable, Hashable
from typing import Any

from gofer.exceptions import Timeout
from gofer.network.bounds import make_room
from gofer.runtime.base import Runtime

__all__ = ["Address", "Names", "Remembered", "is_literal"]

Address = tuple[Any, ...]  # (family, sockaddr), as `Runtime.resolve` gives them

MAX_KNOWN = 4096  # answers kept; a crawler's must not grow without end

# By when: the answer, and the seconds for which it counts
Ask = Callable[[float | None], Awaitable[tuple[Any, float]]]


def is_literal(host: str) -> bool:
    """True if `host` is an address: nobody has to be asked."""
    return ":" in host or host.rpartition(".")[2].isdigit()


class Remembered:
    """Results that are valid for a while. Tasks that need the same one share one look-up."""

    __slots__ = ("_asking", "_known", "_runtime")

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._known: dict[Hashable, tuple[Any, float]] = {}
        self._asking: dict[Hashable, list[_Waiter]] = {}

    async def get(self, key: Hashable, deadline: float | None, ask: Ask) -> Any:
        """The answer for `key`: what is known, or what `ask` says.

        Raises:
            OSError: what `ask` raised, for whoever of us it was called.
            TimedOut: `deadline` passed first.
        """
        ours = (os.getpid(), key)  # a forked child must not wait for a look-up of its parent's
        while True:
            known = self._known.get(key)
            if known is not None and known[1] > self._runtime.now():
                return known[0]
            mine: list[_Waiter] = []
            waiting = self._asking.setdefault(ours, mine)
            if waiting is mine:
                break
            waiter = _Waiter(self._runtime.event())
            waiting.append(waiter)
            if self._asking.get(ours) is not waiting:
                continue  # too late
            await waiter.event.wait(deadline)
            if waiter.error is not None:
                raise type(waiter.error)(*waiter.error.args) from waiter.error
        error: OSError | None = None
        try:
            answer, seconds = await ask(deadline)
            self.keep(key, answer, seconds)
            return answer
        except OSError as failure:
            if not isinstance(failure, Timeout):  # others may have more time
                error = failure
            raise
        finally:
            for waiter in self._asking.pop(ours):
                waiter.error = error
                waiter.event.set()

    def keep(self, key: Hashable, answer: Any, seconds: float) -> None:
        """`answer` counts for so long."""
        make_room(self._known, MAX_KNOWN)
        self._known[key] = answer, self._runtime.now() + seconds

    def forget(self, key: Hashable) -> None:
        """Drop a result that turned out to be useless."""
        self._known.pop(key, None)


class _Waiter:
    __slots__ = ("error", "event")

    def __init__(self, event: Any) -> None:
        self.event = event
        self.error: OSError | None = None


class Names:
    """What the system's resolver said, for as long as `seconds`."""

    __slots__ = ("_remembered", "_runtime")

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._remembered = Remembered(runtime)

    async def resolve(
        self,
        host: str,
        port: int,
        deadline: float | None,
        *,
        seconds: float,
        looked_up: list[Any] | None = None,
    ) -> list[Address]:
        """As `Runtime.resolve`.

        Args:
            looked_up: takes what to `forget` if the addresses are of no use.
        """
        if is_literal(host):
            return await self._runtime.resolve(host, port, deadline)
        key = host, port, seconds
        if looked_up is not None:
            looked_up.append(key)

        async def ask(deadline: float | None) -> tuple[list[Address], float]:
            return await self._runtime.resolve(host, port, deadline), seconds

        addresses: list[Address] = await self._remembered.get(key, deadline, ask)
        return addresses

    def forget(self, key: Hashable) -> None:
        """Drop addresses that could not be connected to."""
        self._remembered.forget(key)
