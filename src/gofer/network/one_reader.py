"""Of several who wait for what comes, one reads for all.

There is no thread or task of its own. Whoever waits for something and finds nobody reading takes
the reader's role: it reads until it has what it waits for, wakes those who have what they wait for,
and hands the role on. The role is a flag under a lock that is never held while anything waits, so
the same text serves threads, greenlets and tasks.

`sharing.py` does the same for the streams of HTTP/2 and HTTP/3, and sends too; this is all that a
WebSocket needs.
"""

import _thread
from collections.abc import Callable
from typing import Any

from gofer.runtime.base import Event, Runtime

__all__ = ["OneReader"]


class OneReader:
    """Who has the reader's role, and who waits for what. A subclass knows how to read."""

    __slots__ = ("_is_reading", "_lock", "_runtime", "_waiting")

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = _thread.allocate_lock()  # around all that those who wait look at
        self._is_reading = False
        self._waiting: dict[Event, Callable[[], bool]] = {}

    async def _read(self, deadline: float | None) -> None:
        """Take what comes next, for all. Returns also without anything, to be called again.

        Raises:
            TimedOut: `deadline` passed first.
            Exception: as `_why`; then it is over.
        """
        raise NotImplementedError

    @property
    def _has_room(self) -> bool:
        """True if more may be read before what has come is taken."""
        raise NotImplementedError

    @property
    def _is_over(self) -> bool:
        """True if nothing more will come."""
        raise NotImplementedError

    def _why(self) -> Exception:
        """The exception that says why."""
        raise NotImplementedError

    async def _until(
        self,
        is_ready: Callable[[], bool],
        deadline: float | None,
        take: Callable[[], Any] | None = None,
    ) -> Any:
        """Return when `is_ready()`, which is called with the lock held, as `take` is at once then.

        Returns:
            What `take` does.

        Raises:
            TimedOut: `deadline` passed first.
            Exception: as `_why`: nothing more will come.
        """
        while True:
            event: Event | None = None
            with self._lock:
                if is_ready():
                    taken = None if take is None else take()
                    self._hand_on_locked()
                    return taken
                if self._is_over:
                    raise self._why()
                if self._can_read:
                    self._is_reading = True
                else:
                    event = self._runtime.event()
                    self._waiting[event] = is_ready
            if event is None:
                await self._read_for_all(is_ready, deadline)
                continue
            try:
                await event.wait(deadline)
            except BaseException:
                with self._lock:
                    if self._waiting.pop(event, None) is None:
                        self._hand_on_locked()  # we were woken in this very moment, perhaps to read
                raise

    async def _read_for_all(self, is_ready: Callable[[], bool], deadline: float | None) -> None:
        """In the reader's role, until `is_ready()`, or it is over, or there is no room for more."""
        try:
            while True:
                await self._read(deadline)
                with self._lock:
                    if self._is_over or is_ready() or not self._has_room:
                        return
        finally:
            with self._lock:
                self._is_reading = False
                self._hand_on_locked()

    def _hand_on_locked(self) -> None:
        """Wake those who have what they wait for, and somebody to take the role if it is free."""
        self._tell_locked()
        if self._waiting and self._can_read:
            event = next(iter(self._waiting))
            del self._waiting[event]
            event.set()

    def _tell_locked(self) -> None:
        """Wake those who have what they wait for."""
        for event, is_ready in list(self._waiting.items()):
            if self._is_over or is_ready():
                del self._waiting[event]
                event.set()

    @property
    def _can_read(self) -> bool:
        return not self._is_reading and self._has_room
