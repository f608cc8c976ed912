"""A stream over a socket that does not block: written once, over one leaf that waits.

A runtime derives from `SocketStream` and says how to wait until a descriptor is ready. What else
it can do better, it overrides. Gevent and its kin patch `select` in place, so it is looked up
when called.
"""

import contextlib
import errno
import os
import select
import socket
from collections.abc import Callable
from time import monotonic
from typing import IO, Any

from gofer.runtime.base import Sender, TimedOut

__all__ = ["READABLE", "WRITABLE", "ByTurns", "SocketStream", "closed", "poll", "probe"]

READABLE = getattr(select, "POLLIN", 1)
WRITABLE = getattr(select, "POLLOUT", 4)

RECEIVE_NOW = 64 * 1024  # bytes
TRY_AGAIN = 0.02  # seconds after which nobody's send tries a full socket again
LONGEST_POLL = 3600.0  # seconds; poll takes milliseconds in a C int
LONGEST_SEND_FILE = 1024 * 1024  # bytes; each pipe-full of sendfile waits anew, so keep turns short

# What os.sendfile says to a file or a socket that it cannot serve; nothing was sent then.
_NO_SEND_FILE = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSOCK}


class SocketStream:
    """A connected socket as a `Stream`. Somebody may send while somebody else receives."""

    __slots__ = ("_probe", "_process", "_socket")

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._probe: Any = None
        self._process = os.getpid()

    async def _wait(self, events: int, deadline: float | None) -> int:
        """Wait until one of `events` (READABLE, WRITABLE) or an error is there; say which.

        Raises:
            TimedOut: `deadline` has passed.
            OSError: the stream was aborted.
        """
        raise NotImplementedError

    async def receive(self, max_bytes: int, deadline: float | None) -> bytes:
        """What has come, at most `max_bytes`, at least one byte; b"" at the end of the stream."""
        while True:
            await self._wait(READABLE, deadline)
            try:
                return self._socket.recv(max_bytes)
            except BlockingIOError:
                continue

    async def receive_into(self, buffer: memoryview, deadline: float | None) -> int:
        """Like `receive`, into `buffer`: the number of bytes, 0 at the end of the stream."""
        while True:
            await self._wait(READABLE, deadline)
            try:
                return self._socket.recv_into(buffer)
            except BlockingIOError:
                continue

    def receive_now(self) -> bytes:
        """What has come and needs no waiting; b"" if that is nothing, or the end, or an error."""
        try:
            return self._socket.recv(RECEIVE_NOW) if self.is_readable() else b""
        except OSError:
            return b""

    async def send(self, data: bytes | memoryview, deadline: float | None) -> None:
        """Send all of `data`."""
        if deadline is not None and deadline <= monotonic():
            raise TimedOut
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                await self._wait(WRITABLE, deadline)

    async def send_some(self, data: memoryview, deadline: float | None) -> int:
        """Send what fits now and say how much it was.

        0 means that nothing fits while the peer has something to say: an early answer, or the
        end. Without that a peer that answers and stops reading would hold us to the deadline.
        """
        while True:
            try:
                return self._socket.send(data)
            except BlockingIOError:
                pass
            if not await self._wait(READABLE | WRITABLE, deadline) & WRITABLE:
                return 0

    def send_now(self, data: memoryview) -> int:
        """Send what fits now and say how much it was."""
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0

    def send_soon(self, _sender: Sender) -> bool:
        """There is no telling when."""
        return False

    async def send_file(
        self, file: IO[bytes], offset: int, count: int, deadline: float | None
    ) -> int:
        """Send up to `count` bytes of `file` from `offset` on: the number sent, 0 at its end.

        -1 means what 0 means to `send_some`: nothing fits while the peer has something to say.
        The system moves them without a copy through Python, where it can (`os.sendfile`). The
        file's own position may or may not move.
        """
        count = min(count, LONGEST_SEND_FILE)
        while hasattr(os, "sendfile"):
            try:
                return os.sendfile(self._socket.fileno(), file.fileno(), offset, count)
            except BlockingIOError:
                if not await self._wait(READABLE | WRITABLE, deadline) & WRITABLE:
                    return -1
            except OSError as error:
                if error.errno not in _NO_SEND_FILE:
                    raise
                break
        file.seek(offset)
        data = file.read(count)
        await self.send(data, deadline)
        return len(data)

    def is_readable(self) -> bool:
        """True if bytes, the end or an error are waiting: an idle connection then is not clean."""
        # A kept poll object asks in 0.4 us; MSG_PEEK and its exception take 1.8, select 0.8.
        asked = self._probe
        if asked is None:
            if self._socket.fileno() == -1:
                return True
            asked = self._probe = probe(self._socket.fileno())
        try:
            return bool(asked.poll(0))
        except RuntimeError:  # another thread asks it at this moment
            descriptor = self._socket.fileno()
            return descriptor == -1 or bool(poll([descriptor], READABLE, 0))

    def abort(self) -> None:
        """Close at once and without waiting. Whoever is inside `receive` or `send` goes on."""
        if self._socket.fileno() == -1:
            return
        self._probe = None
        # Close alone would not wake another thread. An error: the peer was faster.
        if not self._is_inherited:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    @property
    def _is_inherited(self) -> bool:
        """True in a forked child: the connection is the parent's, and goes on there."""
        return self._process != os.getpid()

    def fileno(self) -> int:
        """The socket's file descriptor, -1 after `abort`."""
        return self._socket.fileno()

    def peer_address(self) -> Any:
        """The address that is connected to, in the form `resolve` gives."""
        return self._socket.getpeername()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} fd={self.fileno()}>"


class ByTurns(SocketStream):
    """Where many go on by turns in one thread: what all of a turn have to say can wait for its end.

    A runtime says how it calls something later.
    """

    __slots__ = ("_is_full",)

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._is_full = False

    def _call_soon(self, call: Callable[[], None], seconds: float) -> None:
        """Call when those who can go on have done so, and `seconds` have passed."""
        raise NotImplementedError

    def send_now(self, data: memoryview) -> int:
        """Send what fits now and say how much it was."""
        count = super().send_now(data)
        self._is_full = not count
        return count

    def send_soon(self, sender: Sender) -> bool:
        """At the end of the turn; a little later where nothing fits."""
        self._call_soon(sender.flush, TRY_AGAIN if self._is_full else 0.0)
        return True


def closed() -> OSError:
    """What an operation on a stream that was aborted raises."""
    return OSError(errno.EBADF, os.strerror(errno.EBADF))


def poll(descriptors: list[int], events: int, seconds: float | None) -> list[tuple[int, int]]:
    """The (descriptor, events) that are ready within `seconds`; may end early with none."""
    seconds = LONGEST_POLL if seconds is None else min(seconds, LONGEST_POLL)
    if hasattr(select, "poll"):
        poller = select.poll()
        for descriptor in descriptors:
            poller.register(descriptor, events)
        return poller.poll(seconds * 1000)
    # Windows, and eventlet, which takes poll away. A failed connect is an "exceptional" event.
    readable, writable, broken = select.select(
        descriptors if events & READABLE else [],
        descriptors if events & WRITABLE else [],
        descriptors,
        seconds,
    )
    ready = dict.fromkeys(broken, 0)
    for descriptor in readable:
        ready[descriptor] = READABLE
    for descriptor in writable:
        ready[descriptor] = ready.get(descriptor, 0) | WRITABLE
    return list(ready.items())


def probe(descriptor: int) -> Any:
    """An object whose `poll(0)` is true when `descriptor` is readable or broken."""
    if hasattr(select, "poll"):
        poller = select.poll()
        poller.register(descriptor, READABLE)
        return poller
    return _SelectProbe(descriptor)


class _SelectProbe:
    """The part of a poll object that `is_readable` needs, where there is only select."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def poll(self, milliseconds: int) -> list[tuple[int, int]]:
        return poll([self._descriptor], READABLE, milliseconds / 1000)
