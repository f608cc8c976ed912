"""The trio runtime: non-blocking sockets, and trio to wait for them.

The runtime itself has no state; its leaves use the run that is going on. Deadlines come in
`time.monotonic` seconds and are handed to trio as what is left of them.
"""

import contextlib
import socket
from collections.abc import Awaitable, Callable, Coroutine
from time import monotonic
from typing import Any, TypeVar

try:
    import trio
except ImportError as error:
    raise ImportError("the trio runtime needs trio: pip install gofer[trio]") from error

from gofer.runtime import names
from gofer.runtime.base import CANNOT_WAIT, Event, TimedOut
from gofer.runtime.connecting import connect_datagrams, connect_first, connect_unix
from gofer.runtime.datagrams import DatagramSocket
from gofer.runtime.names import Address
from gofer.runtime.sockets import READABLE, WRITABLE, ByTurns, closed, poll
from gofer.runtime.threads import in_thread

__all__ = ["TrioDatagrams", "TrioRuntime", "TrioStream", "runtime"]

T = TypeVar("T")


class TrioRuntime:
    """Leaves that suspend in the trio run that is going on."""

    name = "trio"
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

    def loop(self) -> trio.lowlevel.TrioToken:
        """What connections belong to: the run that is going on."""
        return trio.lowlevel.current_trio_token()

    def is_over(self, loop: Any) -> bool:
        """True if `loop`, of this library, will never run again.

        A run that is not ours may be going on in another thread: its token knows.
        """
        if not isinstance(loop, trio.lowlevel.TrioToken):
            return False
        try:
            loop.run_sync_soon(_nothing, idempotent=True)
        except trio.RunFinishedError:
            return True
        return False

    async def sleep(self, seconds: float) -> None:
        """Sleep; not at all if `seconds` is not positive."""
        if seconds > 0:
            await trio.sleep(seconds)

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
        return await _until(awaitable, deadline)

    async def connect(
        self, addresses: list[Address], deadline: float | None, **options: Any
    ) -> "TrioStream":
        """A TCP stream to the first of `addresses` that answers; see `connect_first`."""
        return TrioStream(await connect_first(addresses, deadline, _wait_writable, **options))

    async def connect_unix(self, path: str, deadline: float | None) -> "TrioStream":
        """A stream to the unix socket at `path`; see `connecting.connect_unix`."""
        return TrioStream(await connect_unix(path, deadline, self.sleep))

    async def connect_datagrams(self, address: Address, **options: Any) -> "TrioDatagrams":
        """Datagrams to and from `address`; see `connecting.connect_datagrams`."""
        return TrioDatagrams(connect_datagrams(address, **options))


runtime = TrioRuntime()


def _nothing() -> None:
    pass


async def _until(waiting: Awaitable[T], deadline: float | None) -> T:
    """What `waiting` gives. Raises `TimedOut` when the deadline passes first."""
    if deadline is None:
        return await waiting
    with trio.move_on_after(max(0.0, deadline - monotonic())):
        return await waiting
    raise TimedOut


class _Event:
    """Set once, by anybody, from any thread."""

    __slots__ = ("_event", "_token")

    def __init__(self) -> None:
        self._event = trio.Event()
        self._token = trio.lowlevel.current_trio_token()

    def set(self) -> None:
        try:
            is_here = trio.lowlevel.current_trio_token() is self._token
        except RuntimeError:  # outside trio
            is_here = False
        if is_here:
            self._event.set()
            return
        with contextlib.suppress(trio.RunFinishedError):  # so nobody waits
            self._token.run_sync_soon(self._event.set, idempotent=True)

    async def wait(self, deadline: float | None) -> None:
        """Return when set. Raises `TimedOut`."""
        await _until(self._event.wait(), deadline)


async def _wait_writable(descriptors: list[int], until: float | None) -> list[int]:
    """Those of `descriptors` that are writable or broken; none if `until` came first."""
    ready: list[int] = []

    async def wait(descriptor: int, scope: trio.CancelScope) -> None:
        await trio.lowlevel.wait_writable(descriptor)
        ready.append(descriptor)
        scope.cancel()

    async with trio.open_nursery() as nursery:
        if until is not None:
            nursery.cancel_scope.deadline = trio.current_time() + until - monotonic()
        for descriptor in descriptors:
            nursery.start_soon(wait, descriptor, nursery.cancel_scope)
    return ready


async def _later(call: Callable[[], None], seconds: float) -> None:
    if seconds:
        await trio.sleep(seconds)
    call()


class TrioStream(ByTurns):
    """A connected socket. One task may send while another receives.

    In trio one task at a time may wait for a socket to be readable. That is whoever receives; who
    sends, and would hear what the peer says meanwhile, stands back.
    """

    __slots__ = ("_listening",)

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._listening: trio.CancelScope | None = None  # of who sends, and waits for that too

    async def _wait(self, events: int, deadline: float | None) -> int:
        if self._socket.fileno() == -1:
            raise closed()
        if events == READABLE and self._listening is not None:
            self._listening.cancel()  # at once
        wait = _WAITS.get(events)
        try:
            await _until(self._wait_for_either() if wait is None else wait(self._socket), deadline)
        except trio.ClosedResourceError:
            raise closed() from None
        if wait is not None:
            return events
        if self._socket.fileno() == -1:
            raise closed()
        ready = poll([self._socket.fileno()], events, 0.0)
        return ready[0][1] & events if ready else 0

    async def _wait_for_either(self) -> None:
        """Return when the socket is writable, or readable if nobody else waits for that; or closed.

        Out of a nursery exceptions come in groups, so none comes out of it.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen, nursery.cancel_scope)
            with contextlib.suppress(trio.ClosedResourceError):
                await trio.lowlevel.wait_writable(self._socket)
            nursery.cancel_scope.cancel()

    async def _listen(self, both: trio.CancelScope) -> None:
        with trio.CancelScope() as listening:
            self._listening = listening
            with contextlib.suppress(trio.ClosedResourceError, trio.BusyResourceError):
                await trio.lowlevel.wait_readable(self._socket)
                both.cancel()
        if self._listening is listening:
            self._listening = None

    def _call_soon(self, call: Callable[[], None], seconds: float) -> None:
        trio.lowlevel.spawn_system_task(_later, call, seconds)

    def abort(self) -> None:
        """Close at once and without waiting. A task inside `receive` or `send` goes on."""
        if self._socket.fileno() != -1 and not self._is_inherited:
            with contextlib.suppress(RuntimeError):  # outside trio nobody waits
                trio.lowlevel.notify_closing(self._socket)
        super().abort()


class TrioDatagrams(DatagramSocket, TrioStream):
    """A connected UDP socket."""

    __slots__ = ()
    receive = TrioStream.receive


_WAITS: dict[int, Any] = {
    READABLE: trio.lowlevel.wait_readable,
    WRITABLE: trio.lowlevel.wait_writable,
}
