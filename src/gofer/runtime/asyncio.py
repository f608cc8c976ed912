"""The asyncio runtime, on its own event loop and on uvloop's.

It has no state; its leaves use the loop that is running. A connection is `asyncio_stream.py`.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Coroutine
from time import monotonic
from typing import Any, TypeVar

from gofer.runtime import names
from gofer.runtime.asyncio_stream import AsyncioStream
from gofer.runtime.base import CANNOT_WAIT, Event, TimedOut
from gofer.runtime.connecting import connect_datagrams, connect_first, connect_unix
from gofer.runtime.names import Address
from gofer.runtime.sockets import WRITABLE, poll
from gofer.runtime.threads import in_thread

__all__ = ["AsyncioRuntime", "runtime"]

T = TypeVar("T")

LOOK_AGAIN = 0.005  # seconds between two looks at sockets that the loop cannot watch


class AsyncioRuntime:
    """Leaves that suspend in the event loop that is running."""

    name = "asyncio"
    current = None
    is_interruptible = False
    now = staticmethod(monotonic)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Nothing that waits can be driven from synchronous code inside a loop: say so.

        Raises:
            RuntimeError: always; `coroutine` has not begun, so nothing is lost.
        """
        coroutine.close()
        raise RuntimeError(CANNOT_WAIT)

    def loop(self) -> asyncio.AbstractEventLoop:
        """What connections belong to: the loop that is running."""
        return asyncio.get_running_loop()

    def is_over(self, loop: Any) -> bool:
        """True if `loop`, of this library, will never run again."""
        return isinstance(loop, asyncio.AbstractEventLoop) and loop.is_closed()

    async def sleep(self, seconds: float) -> None:
        """Sleep; not at all if `seconds` is not positive."""
        if seconds > 0:
            await asyncio.sleep(seconds)

    def event(self) -> Event:
        """Something that one task waits for and another, or another thread, sets."""
        return _Event()

    async def resolve(self, host: str, port: int, deadline: float | None) -> list[Address]:
        """The (family, sockaddr) pairs of `host`; see `names.resolve`."""
        return await names.resolve(host, port, deadline, _Event)

    async def in_thread(self, work: Callable[[], T], deadline: float | None) -> T:
        """What `work` returns; see `threads.in_thread`."""
        return await in_thread(work, _Event, deadline)

    async def until(self, awaitable: Awaitable[T], deadline: float | None) -> T:
        """What `awaitable` gives, which is cancelled at the deadline."""
        if deadline is None:
            return await awaitable
        try:
            async with asyncio.timeout(max(0.0, deadline - monotonic())) as limit:
                return await awaitable
        except TimeoutError:
            if not limit.expired():
                raise  # its own
        raise TimedOut

    async def connect(
        self, addresses: list[Address], deadline: float | None, **options: Any
    ) -> AsyncioStream:
        """A TCP stream to the first of `addresses` that answers; see `connect_first`."""
        return await _stream_of(await connect_first(addresses, deadline, _wait_writable, **options))

    async def connect_unix(self, path: str, deadline: float | None) -> AsyncioStream:
        """A stream to the unix socket at `path`; see `connecting.connect_unix`."""
        return await _stream_of(await connect_unix(path, deadline, self.sleep))

    async def connect_datagrams(self, address: Address, **options: Any) -> Any:
        """Datagrams to and from `address`; see `connecting.connect_datagrams`."""
        from gofer.runtime.asyncio_datagrams import datagrams_of

        return await datagrams_of(connect_datagrams(address, **options))


runtime = AsyncioRuntime()


class _Event:
    """Set once, by anybody, from any thread."""

    __slots__ = ("_is_set", "_loop", "_waiters")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._is_set = False
        self._waiters: list[asyncio.Future[None]] = []

    def set(self) -> None:
        self._is_set = True
        if asyncio._get_running_loop() is self._loop:  # to wake the loop is a system call
            self._wake()
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed, so nobody waits
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, deadline: float | None) -> None:
        """Return when set. Raises `TimedOut`."""
        if self._is_set:
            return
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiters.append(waiter)
        # Set by another thread just now? Then `_wake` is on its way and finds the waiter.
        await _until(waiter, deadline)


async def _until(waiter: "asyncio.Future[Any]", deadline: float | None) -> Any:
    """What `waiter` is set to. Raises `TimedOut`."""
    if deadline is None:
        return await waiter
    timer = waiter.get_loop().call_later(max(0.0, deadline - monotonic()), _time_out, waiter)
    try:
        return await waiter
    finally:
        timer.cancel()


def _time_out(waiter: "asyncio.Future[Any]") -> None:
    if not waiter.done():
        waiter.set_exception(TimedOut())


async def _wait_writable(descriptors: list[int], until: float | None) -> list[int]:
    """Those of `descriptors` that are writable or broken; none if `until` came first."""
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[int] = loop.create_future()

    def ready(descriptor: int) -> None:
        if not waiter.done():
            waiter.set_result(descriptor)

    watched: list[int] = []
    try:
        for descriptor in descriptors:
            loop.add_writer(descriptor, ready, descriptor)
            watched.append(descriptor)
        return [await _until(waiter, until)]
    except NotImplementedError:  # the loop of Windows that asyncio.run takes there
        return await _poll_writable(descriptors, until)
    except TimedOut:
        return []
    finally:
        for descriptor in watched:
            loop.remove_writer(descriptor)


async def _poll_writable(descriptors: list[int], until: float | None) -> list[int]:
    """`_wait_writable` for a loop that cannot watch descriptors: look now and then."""
    while True:
        ready = [descriptor for descriptor, _ in poll(descriptors, WRITABLE, 0.0)]
        if ready:
            return ready
        seconds = LOOK_AGAIN if until is None else min(LOOK_AGAIN, until - monotonic())
        if seconds <= 0:
            return []
        await asyncio.sleep(seconds)


async def _stream_of(sock: socket.socket) -> AsyncioStream:
    """`sock`, connected and non-blocking, as a stream; closed if that fails."""
    loop = asyncio.get_running_loop()
    try:
        _, stream = await loop.create_connection(AsyncioStream, sock=sock)
    except BaseException:
        sock.close()
        raise
    return stream
