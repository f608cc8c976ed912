"""The blocking runtime: leaves that block the calling thread, and a `run()` of one `send(None)`.

How a deadline is kept without a system call per operation: the kernel lets no `recv` or `send`
of ours block for longer than `FIRST_WAIT` (SO_RCVTIMEO, SO_SNDTIMEO, set once per connection).
Nearly every operation ends within it. One that does not goes on in `poll`, which counts down to
the deadline exactly, also when signals interrupt it (PEP 475 restarts a plain `recv` with its
full limit, so a timer signal could make SO_RCVTIMEO alone last for ever).

State: none but the open sockets. Gevent and its kin patch `socket`, `select`, `time` and
`_thread` in place, so all four are looked up when called, never bound at import.
"""

import _thread
import contextlib
import errno
import os
import select
import socket
import struct
import time
from collections.abc import Coroutine
from time import monotonic
from typing import IO, Any, TypeVar

from gofer.runtime import names
from gofer.runtime.base import Event, TimedOut
from gofer.runtime.connecting import connect_first
from gofer.runtime.names import Address

__all__ = ["BlockingRuntime", "BlockingStream", "runtime"]

T = TypeVar("T")
FIRST_WAIT = 0.02  # seconds; shorter costs slow answers a poll, longer starves under timer signals
LONGEST_POLL = 3600.0  # seconds; poll takes milliseconds in a C int
LONGEST_SEND_FILE = 1024 * 1024  # bytes; each pipe-full of sendfile waits anew, so keep turns short

READABLE = getattr(select, "POLLIN", 1)
WRITABLE = getattr(select, "POLLOUT", 4)
# Windows is left out: a socket whose SO_RCVTIMEO fired there is in an undefined state.
_KERNEL_CAN_LIMIT = hasattr(os, "get_blocking") and os.name == "posix"
_FIRST_WAIT_TIMEVAL = struct.pack("ll", 0, int(FIRST_WAIT * 1_000_000))
# What os.sendfile says to a file or a socket that it cannot serve; nothing was sent then.
_NO_SEND_FILE = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSOCK}


class BlockingStream:
    """A connected socket as a `Stream`.

    One thread may send while another receives. `abort()` wakes both.
    """

    __slots__ = ("_probe", "_socket")

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._probe: Any = None
        _limit_waits(sock)

    async def receive(self, max_bytes: int, deadline: float | None) -> bytes:
        """What has come, at most `max_bytes`, at least one byte; b"" at the end of the stream."""
        if deadline is None or deadline - monotonic() > FIRST_WAIT:
            try:
                return self._socket.recv(max_bytes)
            except BlockingIOError:
                pass
        while True:
            self._wait(READABLE, deadline)
            try:
                return self._socket.recv(max_bytes)
            except BlockingIOError:
                continue

    async def receive_into(self, buffer: memoryview, deadline: float | None) -> int:
        """Like `receive`, into `buffer`: the number of bytes, 0 at the end of the stream."""
        if deadline is None or deadline - monotonic() > FIRST_WAIT:
            try:
                return self._socket.recv_into(buffer)
            except BlockingIOError:
                pass
        while True:
            self._wait(READABLE, deadline)
            try:
                return self._socket.recv_into(buffer)
            except BlockingIOError:
                continue

    async def send(self, data: bytes, deadline: float | None) -> None:
        """Send all of `data`."""
        if deadline is None or deadline - monotonic() > FIRST_WAIT:
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                sent = 0
            if sent == len(data):
                return
        else:
            sent = 0
        rest = memoryview(data)[sent:]
        while rest:
            self._wait(WRITABLE, deadline)
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                continue

    async def send_some(self, data: memoryview, deadline: float | None) -> int:
        """Send what fits now and say how much it was.

        0 means that nothing fits while the peer has something to say: an early answer, or the
        end. Without that a peer that answers and stops reading would hold us to the deadline.
        """
        if deadline is None or deadline - monotonic() > FIRST_WAIT:
            try:
                return self._socket.send(data)
            except BlockingIOError:
                pass
        while self._wait(READABLE | WRITABLE, deadline) & WRITABLE:
            try:
                return self._socket.send(data)
            except BlockingIOError:
                continue
        return 0

    async def send_file(
        self, file: IO[bytes], offset: int, count: int, deadline: float | None
    ) -> int:
        """Send up to `count` bytes of `file` from `offset` on: the number sent, 0 at its end.

        The system moves them without a copy through Python, where it can (`os.sendfile`). The
        file's own position may or may not move.
        """
        count = min(count, LONGEST_SEND_FILE)
        if not hasattr(os, "sendfile"):
            return await self._send_copy(file, offset, count, deadline)
        if deadline is not None and deadline - monotonic() < FIRST_WAIT:
            self._wait(WRITABLE, deadline)
        while True:
            try:
                return os.sendfile(self._socket.fileno(), file.fileno(), offset, count)
            except BlockingIOError:
                self._wait(WRITABLE, deadline)
            except OSError as error:
                if error.errno not in _NO_SEND_FILE:
                    raise
                return await self._send_copy(file, offset, count, deadline)

    async def _send_copy(
        self, file: IO[bytes], offset: int, count: int, deadline: float | None
    ) -> int:
        file.seek(offset)
        data = file.read(count)
        await self.send(data, deadline)
        return len(data)

    def is_readable(self) -> bool:
        """True if bytes, the end or an error are waiting: an idle connection then is not clean."""
        # A kept poll object asks in 0.4 us; MSG_PEEK and its exception take 1.8, select 0.8.
        if self._probe is None:
            if self._socket.fileno() == -1:
                return True
            self._probe = _probe(self._socket.fileno())
        return bool(self._probe.poll(0))

    def abort(self) -> None:
        """Close at once and without waiting. A thread inside `receive` or `send` wakes up."""
        if self._socket.fileno() == -1:
            return
        self._probe = None
        # Close alone would not wake another thread. An error: the peer was faster.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def fileno(self) -> int:
        """The socket's file descriptor, -1 after `abort`."""
        return self._socket.fileno()

    def peer_address(self) -> Any:
        """The address that is connected to, in the form `resolve` gives."""
        return self._socket.getpeername()

    def _wait(self, events: int, deadline: float | None) -> int:
        """Block until one of `events` or an error is there; say which.

        Raises:
            TimedOut: `deadline` has passed. One that had passed before costs no system call.
        """
        descriptor = self._socket.fileno()
        if descriptor == -1:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        while True:
            seconds = _seconds_until(deadline)
            ready = _poll([descriptor], events, seconds)
            if ready:
                # An error or hang-up shows in every operation: let the caller's run into it.
                return ready[0][1] & events or events

    def __repr__(self) -> str:
        return f"<BlockingStream fd={self._socket.fileno()}>"


class BlockingRuntime:
    """The runtime of `Session`: every leaf blocks, no coroutine ever suspends."""

    name = "blocking"

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Drive `coroutine` to its end.

        Raises:
            RuntimeError: it suspended, so something in it waits for another runtime's loop.
        """
        try:
            coroutine.send(None)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        coroutine.close()
        raise RuntimeError("the core suspended under the blocking runtime")

    now = staticmethod(monotonic)

    async def sleep(self, seconds: float) -> None:
        """Sleep; not at all if `seconds` is not positive."""
        if seconds > 0:
            time.sleep(seconds)

    def event(self) -> Event:
        """Something that one thread waits for and another sets."""
        return _Event()

    async def resolve(self, host: str, port: int, deadline: float | None) -> list[Address]:
        """The (family, sockaddr) pairs of `host`, in the system's order of preference.

        Without a deadline in this thread, with one in a thread that may be left behind.

        Raises:
            OSError: `socket.gaierror`, no address is known.
            TimedOut: the deadline passed first.
        """
        if deadline is None:
            return names.look_up(host, port)
        address = names.literal(host, port)
        if address is not None:
            return [address]
        _seconds_until(deadline)
        return await names.resolve(host, port, deadline, _Event)

    async def connect(
        self, addresses: list[Address], deadline: float | None, **options: Any
    ) -> BlockingStream:
        """A TCP stream to the first of `addresses` that answers; see `connect_first`."""
        return _stream_of(await connect_first(addresses, deadline, _wait_writable, **options))

    async def connect_unix(self, path: str, deadline: float | None) -> BlockingStream:
        """A stream to the unix socket at `path`.

        Raises:
            OSError: nobody listens there, or the platform has no unix sockets.
            TimedOut: the listener's backlog stayed full.
        """
        if not hasattr(socket, "AF_UNIX"):
            raise OSError(errno.EAFNOSUPPORT, "this platform has no unix sockets")
        _seconds_until(deadline)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            while True:
                try:
                    sock.connect(path)
                    break
                except BlockingIOError:  # a full backlog: nothing to poll for, so ask again
                    seconds = _seconds_until(deadline)
                    time.sleep(FIRST_WAIT if seconds is None else min(FIRST_WAIT, seconds))
        except BaseException:
            sock.close()
            raise
        return _stream_of(sock)


runtime = BlockingRuntime()


class _Event:
    """Set once: a lock that is held until then. A fifth of the price of `threading.Event`."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = _thread.allocate_lock()
        self._lock.acquire()

    def set(self) -> None:
        with contextlib.suppress(RuntimeError):  # it is set already
            self._lock.release()

    async def wait(self, deadline: float | None) -> None:
        if not _acquire_until(self._lock, deadline):
            raise TimedOut
        self.set()  # for the next one who waits


# Waiting ----------------------------------------------------------------------------------------


def _seconds_until(deadline: float | None) -> float | None:
    """What is left, None for no limit. Raises `TimedOut` if nothing is."""
    if deadline is None:
        return None
    seconds = deadline - monotonic()
    if seconds <= 0:
        raise TimedOut
    return seconds


def _acquire_until(lock: Any, deadline: float | None) -> bool:
    """True if `lock` could be had before `deadline`; a lock that is free is had at any time."""
    if deadline is None:
        return bool(lock.acquire())
    seconds = min(max(0.0, deadline - monotonic()), _thread.TIMEOUT_MAX)
    return bool(lock.acquire(True, seconds))


async def _wait_writable(descriptors: list[int], until: float | None) -> list[int]:
    """Those of `descriptors` that are writable or broken; none if `until` came first."""
    seconds = None if until is None else max(0.0, until - monotonic())
    return [descriptor for descriptor, _ in _poll(descriptors, WRITABLE, seconds)]


def _poll(descriptors: list[int], events: int, seconds: float | None) -> list[tuple[int, int]]:
    """The (descriptor, events) that are ready within `seconds`; may end early with none."""
    seconds = LONGEST_POLL if seconds is None else min(seconds, LONGEST_POLL)
    if hasattr(select, "poll"):
        poll = select.poll()
        for descriptor in descriptors:
            poll.register(descriptor, events)
        return poll.poll(seconds * 1000)
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


def _probe(descriptor: int) -> Any:
    """An object whose `poll(0)` is true when `descriptor` is readable or broken."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(descriptor, READABLE)
        return poll
    return _SelectProbe(descriptor)


class _SelectProbe:
    """The part of a poll object that `is_readable` needs, where there is only select."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def poll(self, milliseconds: int) -> list[tuple[int, int]]:
        return _poll([self._descriptor], READABLE, milliseconds / 1000)


def _limit_waits(sock: socket.socket) -> None:
    """See to it that no call on `sock` blocks for longer than `FIRST_WAIT`.

    Where the kernel cannot limit them (Windows), or does not see them because a gevent socket
    waits in its hub over a non-blocking descriptor, calls do not block at all and `poll` waits.
    """
    if _KERNEL_CAN_LIMIT and os.get_blocking(sock.fileno()):
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _FIRST_WAIT_TIMEVAL)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _FIRST_WAIT_TIMEVAL)
            return
        except OSError:
            pass  # a socket family or a system without these options
    sock.setblocking(False)


def _stream_of(sock: socket.socket) -> BlockingStream:
    """`sock`, connected and non-blocking until now, as a stream; closed if that fails."""
    try:
        sock.setblocking(True)
        return BlockingStream(sock)
    except BaseException:
        sock.close()
        raise
