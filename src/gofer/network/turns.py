"""Taking turns at what only one may do at a time: in threads, greenlets and tasks alike."""

import _thread
from collections import deque

from gofer.runtime.base import Event, Runtime

__all__ = ["Turns"]


class Turns:
    """One holder at a time; those who wait get their turn in the order of asking."""

    __slots__ = ("_is_taken", "_lock", "_runtime", "_waiting")

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = _thread.allocate_lock()
        self._is_taken = False
        self._waiting: deque[Event] = deque()

    async def take(self, deadline: float | None) -> None:
        """Return when it is our turn; `leave` ends it.

        Raises:
            TimedOut: `deadline` passed first.
        """
        with self._lock:
            if not self._is_taken:
                self._is_taken = True
                return
            event = self._runtime.event()
            self._waiting.append(event)
        try:
            await event.wait(deadline)
        except BaseException:
            with self._lock:
                was_given = event not in self._waiting
                if not was_given:
                    self._waiting.remove(event)
            if was_given:  # the turn came while we gave up
                self.leave()
            raise

    def take_now(self) -> bool:
        """`take`, if that needs no waiting; False if it does."""
        with self._lock:
            if self._is_taken:
                return False
            self._is_taken = True
            return True

    def leave(self) -> None:
        """The next one's turn."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._is_taken = False
