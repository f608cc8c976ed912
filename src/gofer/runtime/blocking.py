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
import os
import socket
import sys
import time
from array import array
from collections.abc import Awaitable, Callable, Coroutine
from time import monotonic
from typing import IO, Any, TypeVar

from gofer.runtime import names
from gofer.runtime.base import Event, TimedOut
from gofer.runtime.connecting import connect_datagrams, connect_first, connect_unix
from gofer.runtime.datagrams import DatagramSocket
from gofer.runtime.names import Address
from gofer.runtime.sockets import READABLE, WRITABLE, SocketStream, closed, poll
from gofer.runtime.threads import NEEDS_LOOP, at_once, in_thread

__all__ = ["BlockingDatagrams", "BlockingRuntime", "BlockingStream", "runtime"]

T = TypeVar("T")
StreamT = TypeVar("StreamT", bound="BlockingStream")
FIRST_WAIT = 0.02  # seconds; shorter costs slow answers a poll, longer starves under timer signals
# Windows is left out: a socket whose SO_RCVTIMEO fired there is in an undefined state.
_KERNEL_CAN_LIMIT = hasattr(os, "get_blocking") and os.name == "posix"
_FIRST_WAIT_TIMEVAL = array("l", [0, int(FIRST_WAIT * 1_000_000)]).tobytes()


class BlockingStream(SocketStream):
    """A connected socket as a `Stream`.

    One thread may send while another receives. `abort()` wakes both.
    """

    __slots__ = ()

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        _limit_waits(sock)

    async def receive(self, max_bytes: int, deadline: float | None) -> bytes:
        """What has come, at most `max_bytes`, at least one byte; b"" at the end of the stream."""
        if deadline is None or deadline - monotonic() > FIRST_WAIT:
            try:
                return self._socket.recv(max_bytes)
            except BlockingIOError:
                pass
        return await super().receive(max_bytes, deadline)

    async def receive_into(self, buffer: memoryview, deadline: float | None) -> int:
        """Like `receive`, into `buffer`: the number of bytes, 0 at the end of the stream."""
        if deadline is None or deadline - monotonic() > FIRST_WAIT:
            try:
                return self._socket.recv_into(buffer)
            except BlockingIOError:
                pass
        return await super().receive_into(buffer, deadline)

    async def send(self, data: bytes | memoryview, deadline: float | None) -> None:
        """Send all of `data`."""
        if deadline is None or deadline - monotonic() > FIRST_WAIT:
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                sent = 0
            if sent == len(data):
                return
            data = memoryview(data)[sent:]
        else:
            await self._wait(WRITABLE, deadline)
        await super().send(data, deadline)

    async def send_some(self, data: memoryview, deadline: float | None) -> int:
        """Send what fits now and say how much it was; see `SocketStream.send_some`."""
        if deadline is not None and deadline - monotonic() <= FIRST_WAIT:
            await self._wait(READABLE | WRITABLE, deadline)
        return await super().send_some(data, deadline)

    async def send_file(
        self, file: IO[bytes], offset: int, count: int, deadline: float | None
    ) -> int:
        """Send up to `count` bytes of `file` from `offset` on; see `SocketStream.send_file`."""
        if deadline is not None and deadline - monotonic() <= FIRST_WAIT:
            await self._wait(READABLE | WRITABLE, deadline)
        return await super().send_file(file, offset, count, deadline)

    async def _wait(self, events: int, deadline: float | None) -> int:
        # A deadline that had passed before costs no system call.
        descriptor = self._socket.fileno()
        if descriptor == -1:
            raise closed()
        while True:
            ready = poll([descriptor], events, _seconds_until(deadline))
            if ready:
                # An error or hang-up shows in every operation: let the caller's run into it.
                return ready[0][1] & events or events


class BlockingDatagrams(DatagramSocket, BlockingStream):
    """A connected UDP socket."""

    __slots__ = ()
    receive = BlockingStream.receive


class BlockingRuntime:
    """The runtime of `Session`: every leaf blocks, no coroutine ever suspends."""

    name = "blocking"
    current = None

    @property
    def is_interruptible(self) -> bool:
        """True, but for a greenlet: where gevent has patched the process it is killed at a leaf."""
        greenlet = sys.modules.get("greenlet")
        return greenlet is None or greenlet.getcurrent().parent is None

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
        raise RuntimeError(f"something async suspended under the blocking runtime: {NEEDS_LOOP}")

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

    async def in_thread(self, work: Callable[[], T], deadline: float | None) -> T:
        """What `work` returns; without a deadline in this thread."""
        return work() if deadline is None else await in_thread(work, _Event, deadline)

    async def until(self, awaitable: Awaitable[T], _deadline: float | None) -> T:
        """What `awaitable` gives, if it waits for nothing; see `threads.at_once`."""
        return at_once(awaitable)

    async def connect(
        self, addresses: list[Address], deadline: float | None, **options: Any
    ) -> BlockingStream:
        """A TCP stream to the first of `addresses` that answers; see `connect_first`."""
        return _stream_of(
            await connect_first(addresses, deadline, _wait_writable, **options), BlockingStream
        )

    async def connect_unix(self, path: str, deadline: float | None) -> BlockingStream:
        """A stream to the unix socket at `path`; see `connecting.connect_unix`."""
        return _stream_of(await connect_unix(path, deadline, self.sleep), BlockingStream)

    async def connect_datagrams(self, address: Address, **options: Any) -> "BlockingDatagrams":
        """Datagrams to and from `address`; see `connecting.connect_datagrams`."""
        return _stream_of(connect_datagrams(address, **options), BlockingDatagrams)


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
    return [descriptor for descriptor, _ in poll(descriptors, WRITABLE, seconds)]


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


def _stream_of(sock: socket.socket, kind: type[StreamT]) -> StreamT:
    """`sock`, connected and non-blocking until now, as a stream; closed if that fails."""
    try:
        sock.setblocking(True)
        return kind(sock)
    except BaseException:
        sock.close()
        raise
