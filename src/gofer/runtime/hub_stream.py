"""A connected socket on a hub.

Its descriptor stays registered for reading as long as somebody listens when something comes. What
comes while nobody does (the end of an idle connection, an early answer) is not asked about again:
the descriptor is taken off, and `is_readable` says so.
"""

import socket
from time import monotonic
from typing import IO

from gofer.runtime.base import Sender, TimedOut
from gofer.runtime.datagrams import DatagramSocket
from gofer.runtime.hub import PAUSE, Hub, Task
from gofer.runtime.sockets import READABLE, WRITABLE, SocketStream, closed

__all__ = ["HubDatagrams", "HubStream"]

SEND_LATER = 64 * 1024  # bytes; more is sent at once, and waited for


class HubStream(SocketStream):
    """One task may send while another receives."""

    __slots__ = (
        "_armed", "_deadline", "_descriptor", "_has_news", "_hub", "_is_registered",
        "_reader", "_unsent", "_write_deadline", "_writer",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, hub: Hub) -> None:
        super().__init__(sock)
        self._hub = hub
        self._descriptor = sock.fileno()
        self._reader: Task | None = None
        self._writer: Task | None = None
        self._unsent: bytes | memoryview = b""  # goes out at the end of the turn
        self._deadline: float | None = None  # the reader's
        self._write_deadline: float | None = None
        self._armed: float | None = None  # the earliest time that a timer will look at us
        self._has_news = False  # something arrived while no task was reading
        self._is_registered = False

    # Waiting --------------------------------------------------------------------------------------

    async def _wait(self, events: int, deadline: float | None) -> int:
        if events == READABLE:
            if self._has_news:
                self._has_news = False
                return READABLE
            if not self._is_registered:
                self._register()
            if deadline is not None and (self._armed is None or deadline < self._armed):
                self._arm(deadline)
            self._deadline = deadline
            self._reader = self._hub.current
            try:
                await PAUSE
            finally:
                self._reader = None
            return READABLE
        await self._writable(deadline, or_news=bool(events & READABLE))
        return READABLE if events & READABLE and self._has_news else WRITABLE

    # Sending --------------------------------------------------------------------------------------

    async def send(self, data: bytes | memoryview, deadline: float | None) -> None:
        """Send all of `data`; if it is little, at the end of this turn.

        What goes wrong with little shows when an answer is waited for.
        """
        if len(data) <= SEND_LATER and not self._unsent:
            if deadline is not None and deadline <= monotonic():
                raise TimedOut
            if self._descriptor == -1:
                raise closed()
            self._unsent = data
            self._hub._unsent.append(self)
            return
        await self._drained(deadline)
        await super().send(data, deadline)

    async def send_some(self, data: memoryview, deadline: float | None) -> int:
        """Send what fits now and say how much it was; see `SocketStream.send_some`."""
        if self._unsent:
            await self._drained(deadline)
        return await super().send_some(data, deadline)

    def send_now(self, data: memoryview) -> int:
        """Send what fits now, keep a little that does not, and say how much it was."""
        if self._descriptor == -1:
            raise closed()
        if len(data) + len(self._unsent) > SEND_LATER:
            self.flush()
            return 0 if self._unsent else super().send_now(data)
        self._unsent = bytes(self._unsent) + data if self._unsent else data
        self.flush()
        return len(data)

    def send_soon(self, sender: Sender) -> bool:
        """At the end of this turn."""
        self._hub._unsent.append(sender)
        return True

    async def send_file(
        self, file: IO[bytes], offset: int, count: int, deadline: float | None
    ) -> int:
        """Send up to `count` bytes of `file` from `offset` on; see `SocketStream.send_file`."""
        await self._drained(deadline)
        return await super().send_file(file, offset, count, deadline)

    async def _drained(self, deadline: float | None) -> None:
        """Return when nothing is left of what was sent before."""
        self.flush()
        while self._unsent:
            await self._writable(deadline)

    async def _writable(self, deadline: float | None, *, or_news: bool = False) -> None:
        if deadline is not None:
            if deadline <= monotonic():
                raise TimedOut
            if self._armed is None or deadline < self._armed:
                self._arm(deadline)
        self._write_deadline = deadline
        if not self._is_registered:
            self._register()
        self._hub.modify(self._descriptor, READABLE | WRITABLE if or_news else WRITABLE)
        self._writer = self._hub.current
        try:
            await PAUSE
        finally:
            self._writer = None
            if self._is_registered:
                self._hub.modify(self._descriptor, READABLE)

    def flush(self) -> None:
        """Send what waited for the end of the turn; called by the hub."""
        data = self._unsent
        if not data:
            return
        self._unsent = b""
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # the reader will see the end of the connection, or the same error
        if sent < len(data):
            self._unsent = memoryview(data)[sent:]
            if not self._is_registered:
                self._register()
            self._hub.modify(self._descriptor, READABLE | WRITABLE)

    # What the hub tells ---------------------------------------------------------------------------

    def _register(self) -> None:
        if self._descriptor == -1:
            raise closed()
        self._hub.register(self._descriptor, READABLE, self._on_events)
        self._is_registered = True

    def _on_events(self, events: int) -> None:
        if not events:  # the hub is closed
            self._is_registered = False
            self._armed = None
            return
        if events & ~WRITABLE:
            reader = self._reader
            if reader is not None:
                self._reader = None
                self._hub.resume(reader)
            elif self._writer is None or not events & WRITABLE:
                self._has_news = True
                if self._is_registered:
                    self._is_registered = False
                    self._hub.unregister(self._descriptor)
        if events & WRITABLE and self._is_registered and self._unsent:
            self._hub.modify(self._descriptor, READABLE)
            self.flush()
        writer = self._writer
        if writer is not None:
            self._writer = None
            self._hub.resume(writer)

    def _arm(self, deadline: float) -> None:
        if self._armed is None or deadline < self._armed:
            self._armed = deadline
            self._hub.at(deadline, self)

    def on_time(self, now: float) -> None:
        """A timer has come to its time: are we late, or has the deadline moved on?"""
        self._armed = None
        reader, deadline = self._reader, self._deadline
        if reader is not None and deadline is not None:
            if deadline <= now:
                self._reader = None
                self._hub._ready.append((reader, TimedOut()))
            else:
                self._arm(deadline)
        writer, deadline = self._writer, self._write_deadline
        if writer is not None and deadline is not None:
            if deadline <= now:
                self._writer = None
                self._hub._ready.append((writer, TimedOut()))
            else:
                self._arm(deadline)

    @property
    def is_over(self) -> bool:
        """True if no timer need look at us any more."""
        return self._descriptor == -1

    # Its life -------------------------------------------------------------------------------------

    def is_readable(self) -> bool:
        """True if bytes, the end or an error are waiting: an idle connection then is not clean."""
        return self._has_news or super().is_readable()

    def abort(self) -> None:
        """Close at once and without waiting. A task inside `receive` or `send` goes on."""
        if self._descriptor == -1:
            return
        if self._is_registered:
            self._is_registered = False
            if not self._is_inherited:  # the parent watches by the same epoll object
                self._hub.unregister(self._descriptor)
        self._descriptor = -1
        self._unsent = b""
        super().abort()
        for task in (self._reader, self._writer):
            if task is not None and task is not self._hub.current:
                self._hub._ready.append((task, closed()))
        self._reader = self._writer = None


class HubDatagrams(DatagramSocket, HubStream):
    """A connected UDP socket on a hub."""

    __slots__ = ()
    receive = HubStream.receive
